//! The published JSON Schemas, as validators and as trees to look at.

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

/// Names of the members that a schema node lists, in order; `$ref` and `allOf` are followed.
///
/// # Panics
/// When a `$ref` leads nowhere.
#[must_use]
pub fn members(schema: &Value, pointer: &str) -> Vec<String> {
    let mut out = Vec::new();
    collect(schema, node(schema, pointer), &mut out);
    out
}

/// The node at a JSON pointer, following `$ref`s on the way.
///
/// # Panics
/// When nothing is there.
#[must_use]
pub fn node<'s>(schema: &'s Value, pointer: &str) -> &'s Value {
    let mut at = schema;
    for segment in pointer.split('/').skip(1) {
        at = at.get(segment).unwrap_or_else(|| panic!("no {segment} of {pointer} in {at}"));
        at = resolve(schema, at);
    }
    at
}

fn resolve<'s>(schema: &'s Value, node: &'s Value) -> &'s Value {
    match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => schema.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => node,
    }
}

fn collect(schema: &Value, node: &Value, out: &mut Vec<String>) {
    let resolved = resolve(schema, node);
    if !std::ptr::eq(resolved, node) {
        collect(schema, resolved, out);
    }
    if let Some(properties) = node["properties"].as_object() {
        out.extend(properties.keys().filter(|name| !out.contains(name)).cloned().collect::<Vec<_>>());
    }
    for part in node["allOf"].as_array().into_iter().flatten() {
        collect(schema, part, out);
    }
}
