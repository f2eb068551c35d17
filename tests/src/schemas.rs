//! The published JSON Schemas, as validators and as trees to look at.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::repo;

/// A schema of `schemas/json/`, by its name without `.schema.json`.
///
/// # Panics
/// When it is missing or no JSON.
#[must_use]
pub fn schema(name: &str) -> Value {
    let path = format!("schemas/json/{name}.schema.json");
    serde_json::from_str(&repo::read(&path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Validator of a schema.
///
/// # Panics
/// When the schema is not one.
#[must_use]
pub fn validator(name: &str) -> Validator {
    compile(name, &schema(name))
}

/// Validator of a part of a schema, such as `wire_finding`, `record`.
///
/// # Panics
/// When the schema or the part is not one.
#[must_use]
pub fn validator_of(name: &str, definition: &str) -> Validator {
    let whole = schema(name);
    compile(name, &json!({ "$ref": format!("#/$defs/{definition}"), "$defs": whole["$defs"] }))
}

/// Validator of a node that may refer to the definitions of its schema.
///
/// # Panics
/// When the node is no schema.
#[must_use]
pub fn validator_of_node(schema: &Value, node: &Value) -> Validator {
    let mut node = node.clone();
    if let (Some(node), Some(definitions)) = (node.as_object_mut(), schema.get("$defs")) {
        node.insert("$defs".to_owned(), definitions.clone());
    }
    compile("a node", &node)
}

/// Every node of a schema that describes an object by its members, with its place.
#[must_use]
pub fn objects(schema: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), schema)];
    while let Some((place, node)) = open.pop() {
        if node["properties"].is_object() && node["required"].is_array() {
            found.push((place.clone(), node));
        }
        let inner = node.as_object().into_iter().flatten();
        open.extend(inner.map(|(name, node)| (format!("{place}/{name}"), node)));
    }
    found
}

fn compile(name: &str, schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Panics with every reason why a document is not what the schema says.
///
/// # Panics
/// When the document is not valid.
pub fn assert_valid(validator: &Validator, document: &Value, what: &str) {
    let problems: Vec<String> =
        validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{what}:\n{}", problems.join("\n"));
}

/// Names of the members of what lies at a path of members below a definition; `$ref`, `allOf` and the items of lists
/// are followed.
///
/// # Panics
/// When a `$ref` leads nowhere.
#[must_use]
pub fn members(schema: &Value, definition: &str, path: &[&str]) -> BTreeSet<String> {
    let mut parts = parts(schema, &schema["$defs"][definition]);
    for name in path {
        let inner = parts.iter().filter_map(|part| part["properties"].get(name));
        parts = inner.flat_map(|node| self::parts(schema, node)).collect();
    }
    parts.iter().filter_map(|part| part["properties"].as_object()).flat_map(|p| p.keys().cloned()).collect()
}

/// A node and all that says something about the same value or, of a list, about its items.
fn parts<'s>(schema: &'s Value, node: &'s Value) -> Vec<&'s Value> {
    let node = resolve(schema, node);
    let more = node["allOf"].as_array().into_iter().flatten().chain(node.get("items"));
    more.flat_map(|inner| parts(schema, inner)).chain([node]).collect()
}

/// The node itself, or what its `$ref` leads to.
///
/// # Panics
/// When it leads nowhere.
#[must_use]
pub fn resolve<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => schema.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => node,
    }
}
