//! The JSON Schema of wire findings gives the golden vectors the same verdict as the contract does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use contracts::judge::{MessageKind, Policy, judge};
use serde::Deserialize;
use serde_json::value::RawValue;
use tests::{repo, schemas};

#[derive(Deserialize)]
struct Vector<'a> {
    name: String,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    draft: Option<&'a RawValue>,
}

fn is_valid(bytes: &[u8], kind: MessageKind) -> bool {
    let policy = Policy { kind, ..Policy::default() };
    judge(bytes, &policy, 0).is_ok_and(|finding| finding.cast_for_storage().is_ok())
}

#[test]
fn validate_vectors() {
    let parts: BTreeMap<_, _> =
        ["draft", "record"].map(|part| (part, schemas::validator_of("wire_finding", part))).into();
    let mut seen = BTreeMap::<_, u32>::new();
    for file in ["validate.jsonl", "ambiguous/validate.jsonl"] {
        for line in repo::read(&format!("contracts/tests/golden/{file}")).lines() {
            let vector: Vector<'_> = serde_json::from_str(line).unwrap();
            let (raw, kind, part) = match (vector.record, vector.draft) {
                (Some(record), _) => (record, MessageKind::Record, "record"),
                (None, Some(draft)) => (draft, MessageKind::Draft, "draft"),
                (None, None) => panic!("{}: neither record nor draft", vector.name),
            };
            let meant = is_valid(raw.get().as_bytes(), kind);
            let passes = serde_json::from_str(raw.get()).is_ok_and(|document| parts[part].is_valid(&document));
            assert_eq!(passes, meant, "{file} {}", vector.name);
            *seen.entry((part, meant)).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 4, "drafts and records, valid and invalid: {seen:?}");
    assert!(seen.values().sum::<u32>() > 400, "{seen:?}");
}
