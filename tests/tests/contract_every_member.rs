//! Every member of a draft and of a record, replaced by every one of a list of awkward values: the JSON Schema
//! and the contract agree on each. Values on which JSON Schema cannot agree are in `schemas/examples/`, with the reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use contracts::judge::{MessageKind, Policy, judge};
use serde_json::{Value, json};
use tests::{repo, schemas};

#[expect(clippy::too_many_lines, reason = "a table of values")]
fn awkward() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([null, "", "a", 1]),
        json!([[]]),
        json!([{}, null, "", {"label": 5}]),
        json!({"a": null, "b": "1.5", "c": 2}),
        json!({"a": []}),
        json!({"a": "x"}),
        json!({"level": "LOW"}),
        json!({"status": "open"}),
        json!({"cost_30d": "0"}),
        json!({"cost_30d": "", "model": {"currency": 5}}),
        json!({"cost_7d": 1, "model": {"currency": "EUR"}}),
        json!({"schema_version": "1"}),
        json!({"cloud": "aws", "account_id": 1, "service": true}),
    ];
    let numbers =
        ["0", "1", "-1", "100", "101", "1000", "1001", "65535", "65536", "60.0", "42.9", "1e2", "0.1", "1e-7"];
    let large = ["999999999999", "999999999999.5", "1000000000000", "-1000000000000", "123456789012345678901"];
    values.extend(numbers.iter().chain(&large).map(|token| serde_json::from_str(token).unwrap()));
    let blanks = ["", " ", "\u{1c}\t\u{3000}", "\u{200b}", "\u{feff}"];
    let integers =
        ["0", "-0", "+007", " 5\u{a0}", "100", "101", "1000", "1001", "65535", "065536", "-1", "1_0", "٤", "5 5"];
    let decimals = [
        "1.5",
        ".5",
        "7.",
        ".",
        "1e3",
        "25E-2",
        "1e",
        "1,000",
        "$5",
        "NaN",
        "-Infinity",
        "0x1F",
        "+-1",
        "00000000000000.25",
    ];
    let money = ["999999999999.999999", "-999999999999.4", "1000000000000", "9999999999999", "0.1234567"];
    let times = [
        "2026-01-20T10:00:00Z",
        "2026-01-20",
        "2026-01-20 10:00",
        "2026-01-20t10:00:00.123456z",
        " 2026-01-20T10:00:00+0130 ",
        "2026-01-20T10:00:00-23",
        "2026-01-20T10:00:00+24:00",
        "2026-01-20T10:00:00+01:60",
        "2026-01-20T24:00:00Z",
        "2026-01-20T10:60Z",
        "2026-01-20T10:00:60Z",
        "2026-01-20T10",
        "2026-01-20Z",
        "2026-01-20T10:00:00.Z",
        "2026-01-20T10:00:00,5Z",
        "2026-01-20T10:00:00 Z",
        "2026-01-20T10:00:00Z\n",
        "20260120",
        "2026-W03-2",
        "2024-02-29",
        "2026-02-29",
        "1900-02-29",
        "2000-02-29",
        "2026-04-31",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "0000-01-01",
        "0000-02-29",
        "0001-01-01",
    ];
    let words = [
        "fail",
        "FAIL",
        " Pass ",
        "info",
        "unKnown",
        "un\u{212a}nown",
        "failed",
        "Critical",
        "lo w",
        "Open",
        "ACKNOWLEDGED",
        "ac\u{212a}nowledged",
        "resolved",
        "amortized",
        "exact_resource_id",
        "tag",
        "None",
        "high",
        "usd",
        "\u{a0}Eur ",
        "EURO",
        "XXX",
        "HRK",
        "uſd",
        "n/a",
        "a b",
        "../x",
        "A.b_c-d",
        "\u{212a}8s",
        "_x",
        "-x",
        "İ",
        "ſtatus",
        "True",
        "{}",
        "[]",
        "null",
    ];
    let all = blanks.iter().chain(&integers).chain(&decimals).chain(&money).chain(&times).chain(&words);
    values.extend(all.map(|text| json!(text)));
    values.extend([json!("x".repeat(63)), json!("x".repeat(64))]);
    values
}

/// JSON pointers of all members, containers included.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        for (key, inner) in object {
            let here = format!("{at}/{key}");
            pointers(inner, &here, out);
            out.push(here);
        }
    }
}

/// A document with every member of its kind.
fn complete(example: &str, more: &Value) -> Value {
    let mut document: Value =
        serde_json::from_str(&repo::read(&format!("schemas/examples/valid/{example}.json"))).unwrap();
    let record: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_rds_record.json")).unwrap();
    for (key, value) in record.as_object().into_iter().chain(more.as_object()).flatten() {
        document.as_object_mut().unwrap().entry(key.clone()).or_insert_with(|| value.clone());
    }
    document
}

fn check(document: &Value, kind: MessageKind, part: &str) {
    let schema = schemas::validator_of("wire_finding", part);
    let policy = Policy { kind, ..Policy::default() };
    let contract = |document: &Value| {
        let bytes = serde_json::to_vec(document).unwrap();
        judge(&bytes, &policy, 0).is_ok_and(|finding| finding.cast_for_storage().is_ok())
    };
    assert!(contract(document), "{part}: the unchanged document");
    let (mut all, mut valid, mut paths) = (0, 0, Vec::new());
    pointers(document, "", &mut paths);
    let mut disagreements = Vec::new();
    for path in paths {
        for value in awkward() {
            let mut changed = document.clone();
            *changed.pointer_mut(&path).unwrap() = value.clone();
            let (meant, passes) = (contract(&changed), schema.is_valid(&changed));
            (all, valid) = (all + 1, valid + u32::from(meant));
            if meant != passes {
                disagreements.push(format!("{path} = {value}: contract {meant}, schema {passes}"));
            }
        }
    }
    assert!(disagreements.is_empty(), "{part}:\n{}", disagreements.join("\n"));
    assert!(valid > all / 4 && valid < all, "{part}: {valid} of {all} are valid");
}

#[test]
fn records() {
    check(&complete("aws_rds_record", &json!({})), MessageKind::Record, "record");
}

#[test]
fn drafts() {
    let mut document = complete("aws_ebs_gp2", &json!({ "source_type": "scanner" }));
    for id in ["finding_id", "fingerprint", "source"] {
        document.as_object_mut().unwrap().remove(id);
    }
    check(&document, MessageKind::Draft, "draft");
}
