//! A finding has one shape: the Rust row, the Avro schema, the Arrow schema and the JSON Schema of stored findings name
//! the same fields in the same order with the same types; the wire forms have the same members but for those listed here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use contracts::draft::{Estimated, FindingDraft, Link, Scope, Severity};
use contracts::judge::{MessageKind, Policy, judge};
use contracts::{arrow_schema, avro};
use serde_json::{Value, json};
use tests::shape::{Names, Shape};
use tests::{repo, sample, schemas, shape};

fn arrow() -> Shape {
    shape::of_arrow(arrow_schema::findings().fields().iter().map(|f| &**f))
}

/// A record that has everything, with the names of map entries left out.
fn row_names() -> Names {
    let text = repo::read("schemas/examples/valid/aws_rds_record.json");
    let mut record: Value = serde_json::from_str(&text).unwrap();
    for map in ["tags", "labels", "dimensions", "metrics"] {
        record[map] = json!({});
    }
    let bytes = serde_json::to_vec(&record).unwrap();
    let finding = judge(&bytes, &Policy { kind: MessageKind::Record, ..Policy::default() }, 0).unwrap();
    serde_json::from_str(&serde_json::to_string(&finding.cast_for_storage().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_row_has_the_fields_of_the_arrow_schema_in_order() {
    assert_eq!(row_names(), arrow().names());
}

#[test]
fn avro_is_arrow() {
    for (version, schema) in (1..).zip(avro::SCHEMAS) {
        let avro = shape::of_avro(&serde_json::from_str(schema).unwrap());
        let arrow = shape::of_arrow(arrow_schema::findings_of(version).fields().iter().map(|f| &**f));
        assert_eq!(avro, arrow.widened(), "version {version}");
    }
}

#[test]
fn the_stored_finding_in_json_schema_is_arrow() {
    let schema = schemas::schema("stored_finding");
    assert_eq!(shape::of_json_schema(&schema, &schema), arrow());
}

#[test]
fn a_stored_finding_made_from_its_schema_can_be_sent_as_a_record() {
    let row = sample::of_schema(&schemas::schema("stored_finding"));
    let bytes = serde_json::to_vec(&row).unwrap();
    let policy = Policy { kind: MessageKind::Record, ..Policy::default() };
    let finding = judge(&bytes, &policy, 0).map_err(|r| format!("{:?}", r.violations)).unwrap();
    assert_eq!(finding.cast_for_storage().unwrap().to_json(), row);
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// Members only drafts have.
const DRAFT_ONLY: &[&str] = &[
    "checker_id",
    "default_currency",
    "issue_key",
    "schema_version",
    "source_engine",
    "source_refreshed_ts",
    "source_type",
];

#[test]
fn the_wire_forms_have_the_members_of_the_row() {
    let wire = schemas::schema("wire_finding");
    let columns = |path: &[&str]| -> BTreeSet<String> {
        let all = arrow().names();
        let inner = path.iter().fold(&all, |at, name| &at.0.iter().find(|(n, _)| n == name).unwrap().1);
        inner.0.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(schemas::members(&wire, "record", &[]), columns(&[]));
    let mut draft = &columns(&[]) | &names(DRAFT_ONLY);
    draft.remove("source");
    assert_eq!(schemas::members(&wire, "draft", &[]), draft, "a draft's source is made of its checker and source type");

    assert_eq!(schemas::members(&wire, "record", &["source"]), columns(&["source"]));
    let (model, attribution) = (["actual", "model"], ["actual", "attribution"]);
    let parts = ["scope", "severity", "links", "estimated", "actual", "lifecycle"].map(|name| vec![name]);
    for path in parts.iter().map(Vec::as_slice).chain([&model[..], &attribution]) {
        for form in ["record", "draft"] {
            assert_eq!(schemas::members(&wire, form, path), columns(path), "{path:?} of a {form}");
        }
    }
}

/// A draft as our own checkers make it, with everything set.
fn own_draft() -> Value {
    let one = |value: &str| [("k".to_owned(), value.to_owned())].into();
    let texts = || "x".to_owned();
    let draft = FindingDraft {
        tenant_id: "acme".into(),
        workspace_id: texts(),
        run_id: texts(),
        run_ts: "2026-01-20T10:00:00Z".into(),
        engine_name: texts(),
        engine_version: texts(),
        rulepack_version: texts(),
        schema_version: 1,
        default_currency: "USD".into(),
        checker_id: texts(),
        source_type: "scanner".into(),
        check_id: texts(),
        check_name: texts(),
        category: texts(),
        sub_category: texts(),
        frameworks: vec![texts()],
        severity: Severity { score: Some(1), ..Severity::default() },
        priority: Some(1),
        title: texts(),
        message: texts(),
        advice: texts(),
        remediation: texts(),
        links: vec![Link { label: texts(), url: texts() }],
        scope: Scope { cloud: "aws".into(), account_id: texts(), service: texts(), ..Scope::default() },
        issue_key: one("v"),
        estimated: Estimated {
            monthly_savings: Some("1.25".parse().unwrap()),
            monthly_cost: Some("2.5".parse().unwrap()),
            one_time_savings: Some("3".parse().unwrap()),
            confidence: 50,
            notes: texts(),
        },
        tags: one("v"),
        labels: one("v"),
        dimensions: one("v"),
        metrics: [("m".to_owned(), "1.5".parse().unwrap())].into(),
        metadata_json: "{}".into(),
        ..FindingDraft::default()
    };
    serde_json::to_value(draft).unwrap()
}

/// Members of a draft that our own checkers leave to the contract, to billing data or to people.
const NOT_OURS: &[&str] = &[
    "actual",
    "allocation",
    "finding_id",
    "fingerprint",
    "ingested_ts",
    "lifecycle",
    "recommendation",
    "source_engine",
    "source_refreshed_ts",
];

#[test]
fn our_own_draft_is_the_published_one() {
    let (wire, draft) = (schemas::schema("wire_finding"), own_draft());
    schemas::assert_valid(&schemas::validator_of("wire_finding", "draft"), &draft, "our draft");
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(&keys(&draft) | &names(NOT_OURS), schemas::members(&wire, "draft", &[]));
    assert!(keys(&draft).is_disjoint(&names(NOT_OURS)), "the list names only what we leave out");
    for part in ["scope", "severity", "estimated"] {
        assert_eq!(keys(&draft[part]), schemas::members(&wire, "draft", &[part]), "{part}");
    }
    assert_eq!(keys(&draft["links"][0]), schemas::members(&wire, "draft", &["links"]));
}
