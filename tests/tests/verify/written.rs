//! What the sink writes is what the published schema says, member for member.

use std::collections::BTreeSet;

use contracts::layout;
use contracts::seal::{self, Seal};
use serde_json::Value;
use tests::schemas;

use super::world::{Filled, commits, read_commit};

/// Members of a document that its schema does not name, with their place.
fn unknown(schema: &Value, node: &Value, document: &Value, at: &str, found: &mut BTreeSet<String>) {
    let node = schemas::resolve(schema, node);
    for (name, value) in document.as_object().into_iter().flatten() {
        let place = format!("{at}/{name}");
        match node["properties"].get(name).or_else(|| node.get("additionalProperties")) {
            Some(inner) => unknown(schema, inner, value, &place, found),
            None if node["properties"].is_object() => drop(found.insert(place)),
            None => {}
        }
    }
    for item in document.as_array().into_iter().flatten() {
        unknown(schema, &node["items"], item, &format!("{at}/*"), found);
    }
}

fn assert_described(bytes: &[u8]) {
    let (schema, document) = (schemas::schema("commit_record"), serde_json::from_slice(bytes).unwrap());
    schemas::assert_valid(&schemas::validator("commit_record"), &document, "a commit record");
    let mut found = BTreeSet::new();
    unknown(&schema, &schema, &document, "", &mut found);
    assert!(found.is_empty(), "the schema does not name {found:?}");
    assert_eq!(seal::check(bytes), Seal::Intact);
}

#[test]
fn commit_records_are_what_their_schema_says() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let paths = commits(&pipeline);
    assert_eq!(paths.len(), 3);
    for path in &paths {
        assert_described(&std::fs::read(path).unwrap());
    }
    // What a replay leaves in the place of a chain.
    let mut base = read_commit(&paths[0]);
    base.source_watermarks = [("wire/0".parse().unwrap(), 7)].into();
    assert_described(&base.to_bytes().unwrap());
    let letters = pipeline.store.list(layout::CHAIN).unwrap();
    assert!(letters.len() > paths.len(), "those of dead letters, too");
    for entry in letters {
        assert_described(&pipeline.store.get(&entry.path).unwrap().unwrap());
    }
}
