//! `schemas/examples/`: each example gets from the contract exactly the codes that `expected.json` lists, and
//! from the JSON Schema the same verdict, but for what JSON Schema cannot say, which is listed with its reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use contracts::judge::{MessageKind, Policy, judge};
use contracts::time::timestamp;
use contracts::violation::Code;
use serde::Deserialize;
use tests::{repo, schemas};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: String,
    #[serde(default)]
    policy: ExamplePolicy,
    /// Codes whose rule a valid example keeps close to the edge.
    #[serde(default)]
    shows: Vec<String>,
    codes: Vec<Broken>,
    /// Why JSON Schema lets an invalid example pass.
    beyond_json_schema: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExamplePolicy {
    tenants: Option<Vec<String>>,
    check_prefixes: Vec<String>,
    records: bool,
    message_bytes_max: usize,
    run_ts_max: Option<String>,
}

impl Default for ExamplePolicy {
    fn default() -> Self {
        let own = Policy::default();
        Self {
            tenants: None,
            check_prefixes: Vec::new(),
            records: own.records_allowed,
            message_bytes_max: own.message_bytes_max,
            run_ts_max: None,
        }
    }
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct Broken {
    field: String,
    code: String,
}

fn expected() -> BTreeMap<String, Expected> {
    serde_json::from_str(&repo::read("schemas/examples/expected.json")).unwrap()
}

fn bytes(path: &str) -> Vec<u8> {
    std::fs::read(repo::root().join("schemas/examples").join(path)).unwrap()
}

fn verdict(bytes: &[u8], kind: MessageKind, policy: &ExamplePolicy) -> Vec<Broken> {
    let policy = Policy {
        kind,
        records_allowed: policy.records,
        tenants: policy.tenants.as_deref(),
        check_prefixes: &policy.check_prefixes,
        message_bytes_max: policy.message_bytes_max,
        run_ts_max_ms: policy.run_ts_max.as_deref().map(|at| timestamp(at).unwrap()),
        ..Policy::default()
    };
    let violations = match judge(bytes, &policy, 0) {
        Ok(finding) => finding.cast_for_storage().err().unwrap_or_default(),
        Err(rejection) => rejection.violations,
    };
    let mut broken: Vec<_> =
        violations.into_iter().map(|v| Broken { field: v.field, code: v.code.as_str().to_owned() }).collect();
    broken.sort();
    broken
}

#[test]
fn every_example_gets_exactly_its_codes() {
    for (path, example) in expected() {
        let kind = if example.kind == "draft" { MessageKind::Draft } else { MessageKind::Record };
        let bytes = bytes(&path);
        for (how, kind) in [("given", kind), ("guessed", MessageKind::Auto)] {
            assert_eq!(verdict(&bytes, kind, &example.policy), example.codes, "{path}, kind {how}");
        }
        assert_eq!(path.starts_with("valid/"), example.codes.is_empty(), "{path} lies in the wrong folder");
    }
}

#[test]
fn json_schema_says_the_same() {
    let schema = schemas::validator("wire_finding");
    for (path, example) in expected() {
        let passes = serde_json::from_slice(&bytes(&path)).is_ok_and(|document| schema.is_valid(&document));
        let meant = example.codes.is_empty() || example.beyond_json_schema.is_some();
        assert_eq!(passes, meant, "{path}: passes {passes}, codes {:?}", example.codes);
        assert!(example.beyond_json_schema.is_none_or(|why| !why.is_empty()), "{path}: no reason given");
    }
}

#[test]
fn the_list_and_the_files_agree() {
    let listed: BTreeSet<_> = expected().into_keys().map(|path| format!("schemas/examples/{path}")).collect();
    let mut present: BTreeSet<_> = repo::files_below("schemas/examples").into_iter().collect();
    assert!(present.remove("schemas/examples/expected.json"));
    assert_eq!(listed, present);
}

#[test]
fn every_code_has_a_valid_and_an_invalid_example() {
    let expected = expected();
    let shown: BTreeSet<_> = expected.values().flat_map(|e| &e.shows).map(String::as_str).collect();
    let broken: BTreeSet<_> = expected.values().flat_map(|e| &e.codes).map(|b| b.code.as_str()).collect();
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(shown, all, "codes with a valid example");
    assert_eq!(broken, all, "codes with an invalid example");
}

#[test]
fn valid_examples_are_stored_as_the_stored_schema_says() {
    let schema = schemas::validator("stored_finding");
    for (path, example) in expected().into_iter().filter(|(_, e)| e.codes.is_empty()) {
        let (bytes, policy) = (bytes(&path), Policy { records_allowed: example.policy.records, ..Policy::default() });
        let finding = judge(&bytes, &policy, 1_768_903_205_000).unwrap();
        let stored = finding.cast_for_storage().unwrap().to_json();
        schemas::assert_valid(&schema, &stored, &path);
    }
}

#[test]
fn the_schema_has_the_currencies_of_the_contract() {
    let pattern = schemas::schema("wire_finding")["$defs"]["currency"]["pattern"].as_str().unwrap().to_owned();
    let of_schema: BTreeSet<String> = pattern
        .split_once("(?:")
        .and_then(|(_, rest)| rest.split_once(")?"))
        .unwrap()
        .0
        .split('|')
        .map(|code| code.chars().filter(char::is_ascii_uppercase).collect())
        .collect();
    let of_contract = contracts::currency::CODES.iter().chain(contracts::currency::WITHDRAWN);
    assert_eq!(of_schema, of_contract.map(|code| (*code).to_owned()).collect());
}
