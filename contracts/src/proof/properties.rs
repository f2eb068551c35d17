//! What holds for every message: identity does not depend on spelling, bytes never make the contract panic, and a
//! row that was cast reads back as it was.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::decoders;
use crate::finding::{Form, read};
use crate::judge::{MessageKind, Policy, judge};
use crate::{storage, wire};

/// A draft that keeps every rule, with members to vary.
fn draft() -> impl Strategy<Value = Value> {
    let text = "[a-zA-Z0-9 äß\\\\\"_.-]{0,12}";
    let amount = prop_oneof![
        Just(json!(null)),
        "-?[0-9]{1,9}\\.[0-9]{0,9}".prop_map(|t| json!(t)),
        any::<i32>().prop_map(|n| json!(n))
    ];
    let scalar = prop_oneof![
        text.prop_map(|t| json!(t)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b))
    ];
    let map =
        |value: BoxedStrategy<Value>| prop::collection::btree_map("[a-z]{1,6}", value, 0..5).prop_map(|m| json!(m));
    (
        prop::collection::vec(text.prop_map(|t| json!(t)), 8),
        prop::collection::vec(amount.clone(), 3),
        (map(scalar.boxed()), map(text.prop_map(|t| json!(t)).boxed()), map(amount.boxed())),
        (0..1000_u16, prop::option::of("[a-z]{0,5}")),
    )
        .prop_map(|(texts, amounts, (issue, tags, metrics), (score, framework))| {
            json!({
                "tenant_id": "Acme", "workspace_id": "prod", "run_id": "run-1", "run_ts": "2026-01-20T10:00:00Z",
                "engine_name": "e", "engine_version": "1", "rulepack_version": "2", "check_id": "aws.x.y",
                "check_name": "n", "category": "cost", "status": "fail", "title": texts[0], "message": texts[1],
                "severity": {"level": "low", "score": score}, "frameworks": [framework, "x"],
                "scope": {"cloud": "aws", "account_id": "1", "region": texts[2], "service": "s", "billing_account_id": "2",
                    "resource_type": texts[3], "resource_id": texts[4], "resource_arn": texts[5]},
                "issue_key": issue, "tags": tags, "metrics": metrics, "advice": texts[6], "remediation": texts[7],
                "estimated": {"monthly_savings": amounts[0], "monthly_cost": amounts[1], "one_time_savings": amounts[2]},
            })
        })
}

/// The same document with other member orders and white space, both chosen by `seed`.
fn respelled(value: &Value, seed: u64) -> String {
    let space = [" ", "", "\n\t", "  \r\n"][usize::try_from(seed % 4).unwrap()];
    let next = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let turn = usize::try_from(next >> 33).unwrap() % members.len().max(1);
            members.rotate_left(turn);
            if next >> 62 & 1 == 1 {
                members.reverse();
            }
            let all: Vec<_> =
                members.iter().map(|(k, v)| format!("{space}{}:{space}{}", json!(k), respelled(v, next))).collect();
            format!("{{{}{space}}}", all.join(","))
        }
        Value::Array(items) => {
            let all: Vec<_> = items.iter().map(|v| format!("{space}{}", respelled(v, next))).collect();
            format!("[{}{space}]", all.join(","))
        }
        scalar => scalar.to_string(),
    }
}

/// Any JSON, with the contract's own member names among the keys so that its readers are reached.
fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "tenant_id",
        "run_ts",
        "scope",
        "severity",
        "score",
        "estimated",
        "monthly_savings",
        "actual",
        "model",
        "currency",
        "attribution",
        "lifecycle",
        "links",
        "tags",
        "metrics",
        "issue_key",
        "finding_id",
        "fingerprint",
        "status",
        "level",
        "frameworks",
        "source",
        "cost_30d",
        "period_start",
        "matched_keys",
        "label",
        "cloud",
        "x",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9T:Z+. e-]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..8).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

fn judge_every_way(bytes: &[u8]) {
    for kind in [MessageKind::Auto, MessageKind::Draft, MessageKind::Record] {
        let policy = Policy { kind, ..Policy::default() };
        match judge(bytes, &policy, 0) {
            // Judged valid means that it can be stored, or that the cast says why not.
            Ok(finding) => drop(finding.cast_for_storage()),
            Err(rejection) => assert!(!rejection.violations.is_empty(), "refused without a reason"),
        }
    }
}

proptest! {
    #[test]
    fn identity_does_not_depend_on_member_order_or_white_space(draft in draft(), seed in any::<u64>()) {
        let (one, other) = (draft.to_string(), respelled(&draft, seed));
        let policy = Policy::default();
        let (one, other) = (judge(one.as_bytes(), &policy, 0).unwrap(), judge(other.as_bytes(), &policy, 0).unwrap());
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
        prop_assert_eq!(one.finding_id(), other.finding_id());
        let (one, other) = (one.cast_for_storage().unwrap(), other.cast_for_storage().unwrap());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn another_issue_is_another_identity(draft in draft(), key in "[a-z]{7}") {
        let mut other = draft.clone();
        other["issue_key"][key] = json!("v");
        let id = |draft: &Value| judge(draft.to_string().as_bytes(), &Policy::default(), 0).unwrap().finding_id().to_owned();
        prop_assert_ne!(id(&draft), id(&other));
    }

    #[test]
    fn what_is_cast_reads_back_as_it_was(draft in draft()) {
        let text = draft.to_string();
        let finding = judge(text.as_bytes(), &Policy::default(), 1_768_903_205_000).unwrap();
        let row = finding.cast_for_storage().unwrap();
        let frame = row.encode();
        prop_assert_eq!(decoders::arrow_row(&decoders::arrow(&[frame]), 0), row.to_json());
    }

    #[test]
    fn a_record_that_was_exported_and_sent_again_is_the_same_row(draft in draft()) {
        let text = draft.to_string();
        let finding = judge(text.as_bytes(), &Policy::default(), 1_768_903_205_000).unwrap();
        let row = finding.cast_for_storage().unwrap().to_json();
        let record = row.to_string();
        let again = judge(record.as_bytes(), &Policy::default(), 0);
        let again = again.map_err(|r| format!("{:?}", r.violations)).unwrap();
        prop_assert_eq!(again.cast_for_storage().unwrap().to_json(), row);
    }

    #[test]
    fn arbitrary_bytes_are_judged_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        judge_every_way(&bytes);
        judge_every_way(&[b"{\"tenant_id\":".as_slice(), &bytes, b"}"].concat());
    }

    #[test]
    fn arbitrary_json_is_judged_without_panic(value in any_json(), within in draft(), at in any::<prop::sample::Index>()) {
        judge_every_way(value.to_string().as_bytes());
        let mut draft = within;
        let members = draft.as_object_mut().unwrap();
        let key = members.keys().nth(at.index(members.len())).unwrap().clone();
        members.insert(key, value);
        judge_every_way(draft.to_string().as_bytes());
    }

    #[test]
    fn a_cut_or_damaged_message_is_judged_without_panic(draft in draft(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = draft.to_string().into_bytes();
        let at = at.index(bytes.len());
        judge_every_way(&bytes[..at]);
        bytes[at] = byte;
        judge_every_way(&bytes);
        if let Ok(message) = wire::parse(&bytes) {
            drop(storage::cast(&read(&message, Form::AsIs).0));
        }
    }
}
