//! The JSON documents of the product: what the schema says and what the Rust type reads and writes are one. A document
//! made from the schema is read and written back without loss, and where the schema allows a value, the type does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use contracts::commit_record::CommitRecord;
use contracts::run_manifest::RunManifest;
use exporter::{CorrelatedFinding, Coverage, ExportManifest, ExportSummary, ExportedFinding, TopSaving};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::{repo, sample, schemas};

fn again<T: Serialize + DeserializeOwned>(document: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(document.clone())?)
}

/// JSON pointers of everything in a document.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        let here = format!("{at}/{key}");
        pointers(value, &here, out);
        out.push(here);
    }
}

/// Every value of every `enum` of a schema.
fn enum_values(node: &Value) -> Vec<Value> {
    let own = node["enum"].as_array().cloned().unwrap_or_default();
    let inner: Vec<&Value> = match node {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    own.into_iter().chain(inner.into_iter().flat_map(enum_values)).collect()
}

/// Nulls that the type could read and that are never written.
const NEVER_NULL: &[(&str, &str)] = &[
    // It is what correlated findings are chosen by.
    ("export_correlated_findings", "/0/source_ref"),
    // They are left out.
    ("commit_record", "/last_record"),
    ("commit_record", "/last_record/src"),
];

/// Members that an object of a document may lack: versions before them did not write them, or there is nothing to say.
const OPTIONAL: &[(&str, &str, &[&str])] = &[
    ("commit_record", "", &["heights", "last_record", SEAL]),
    ("commit_record", "/properties/last_record", &["src"]),
    ("commit_record", "/properties/files/items", &["schema_version"]),
    ("run_manifest", "", &["billed_accounts", "billed_usage"]),
    (
        "run_manifest",
        "/properties/billing_deliveries/items",
        &["flagged", "granularity", "invoiced", "source_format", "totals"],
    ),
];
/// The digest of a document: its bytes have it, not its type (`contracts/src/seal.rs`).
const SEAL: &str = "own_sha256";

fn check<T: Serialize + DeserializeOwned>(name: &str) {
    let (schema, validator) = (schemas::schema(name), schemas::validator(name));
    let optional = |place: &str| {
        OPTIONAL.iter().find(|(of, at, _)| (*of, *at) == (name, place)).map_or(&[][..], |(_, _, members)| members)
    };
    for (place, object) in schemas::objects(&schema) {
        let mut required: BTreeSet<_> =
            object["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        required.extend(optional(&place));
        let named: BTreeSet<_> = object["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(required, named, "{name}{place}: a member is null, never left out");
    }
    let mut document = sample::of_schema(&schema);
    schemas::assert_valid(&validator, &document, name);
    if optional("").contains(&SEAL) {
        document.as_object_mut().unwrap().remove(SEAL).unwrap();
    }
    assert_eq!(again::<T>(&document).unwrap(), document, "{name}: a member that only one of the two knows");

    let mut values =
        vec![json!(null), json!(true), json!(0), json!(-1), json!(70_000), json!(1.5), json!([]), json!({})];
    values.extend(["", "x", "2026-01-20T10:00:00.000Z", "1.250000"].map(Value::from));
    values.extend(enum_values(&schema));
    let mut paths = Vec::new();
    pointers(&document, "", &mut paths);
    for path in &paths {
        for value in &values {
            let mut changed = document.clone();
            *changed.pointer_mut(path).unwrap() = value.clone();
            let what = format!("{name}{path} = {value}");
            match again::<T>(&changed) {
                Ok(_) if NEVER_NULL.contains(&(name, path)) => {}
                Ok(_) => assert!(!value.is_null() || validator.is_valid(&changed), "{what}: only the type allows null"),
                Err(error) => assert!(!validator.is_valid(&changed), "{what}: only the schema allows it: {error}"),
            }
        }
    }
}

#[test]
fn run_manifest() {
    check::<RunManifest>("run_manifest");
}

#[test]
fn commit_record() {
    check::<CommitRecord>("commit_record");
}

#[test]
fn exported_files() {
    check::<Vec<ExportedFinding>>("export_findings");
    check::<Vec<CorrelatedFinding>>("export_correlated_findings");
    check::<ExportSummary>("export_summary");
    check::<Vec<TopSaving>>("export_top_savings");
    check::<Coverage>("export_coverage");
    check::<ExportManifest>("export_manifest");
}

/// Schemas that have no type to compare with here, and where they are compared.
const ELSEWHERE: &[(&str, &str)] = &[
    ("dead_letter", "headers, not JSON: contract_topics.rs"),
    ("lifecycle_event", "nothing writes it yet: sampled below"),
    ("run_report", "finops/tests/cli/run_report.rs"),
    ("stored_finding", "contract_one_shape.rs"),
    ("wire_finding", "contract_one_shape.rs, contract_every_member.rs"),
];

#[test]
fn every_schema_is_compared_somewhere() {
    let here = repo::read("tests/tests/contract_documents.rs");
    for path in repo::files_below("schemas/json") {
        let name = path.strip_prefix("schemas/json/").unwrap().strip_suffix(".schema.json").unwrap();
        let is_here = here.contains(&format!(">(\"{name}\")"));
        let is_elsewhere = ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == name);
        assert!(is_here != is_elsewhere, "{path}: compared here {is_here}, elsewhere {is_elsewhere}");
        let schema = schemas::schema(name);
        let id = format!("urn:finops:schema:{}:1", name.replace('_', "-"));
        assert_eq!((&schema["$id"], schema["title"].is_string()), (&json!(id), true), "{path}");
    }
}

#[test]
fn the_lifecycle_event_can_be_made_from_its_schema() {
    let event = sample::of_schema(&schemas::schema("lifecycle_event"));
    schemas::assert_valid(&schemas::validator("lifecycle_event"), &event, "lifecycle_event");
}
