//! A document made from a JSON Schema: every member it names, each with a value it lets pass.

use serde_json::{Map, Value, json};

use crate::schemas;

/// Texts to try where a schema asks for a form.
const TEXTS: &[&str] = &[
    "text",
    "2026-01-20T10:00:00.000Z",
    "2026-01-20",
    "2026-01",
    "EUR",
    "1.250000",
    "7",
    "topic/0/1",
    "topic/0",
    "0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "correlation:text",
];

/// The document of a whole schema.
///
/// # Panics
/// When the schema asks for a form that is not known here.
#[must_use]
pub fn of_schema(schema: &Value) -> Value {
    of_node(schema, schema)
}

fn of_node(schema: &Value, node: &Value) -> Value {
    let node = schemas::resolve(schema, node);
    if let Some(value) = node.get("const") {
        return value.clone();
    }
    if let Some(values) = node["enum"].as_array() {
        return values.iter().find(|value| !value.is_null()).unwrap().clone();
    }
    if let Some(choices) = node["anyOf"].as_array() {
        return of_node(schema, &choices[0]);
    }
    let kind = node["type"].as_array().map_or(&node["type"], |kinds| &kinds[0]);
    match kind.as_str() {
        Some("object") => object(schema, node),
        Some("array") => {
            let count = node["minItems"].as_u64().unwrap_or(1);
            (0..count).map(|_| of_node(schema, &node["items"])).collect()
        }
        Some("integer") => json!(1),
        Some("number") => json!(12.5),
        Some("boolean") => json!(true),
        Some("string") => text(schema, node),
        Some(other) => panic!("no sample of type {other}"),
        None => json!({ "anything": 1 }),
    }
}

fn object(schema: &Value, node: &Value) -> Value {
    let mut members = Map::new();
    for (name, value) in node["properties"].as_object().into_iter().flatten() {
        members.insert(name.clone(), of_node(schema, value));
    }
    if let Some(value) = node.get("additionalProperties").filter(|_| members.is_empty()) {
        let names = node.get("propertyNames").cloned().unwrap_or_else(|| json!({}));
        let name = if names["enum"].is_array() { of_node(schema, &names) } else { text(schema, &names) };
        members.insert(name.as_str().unwrap().to_owned(), of_node(schema, value));
    }
    Value::Object(members)
}

fn text(schema: &Value, node: &Value) -> Value {
    let validator = schemas::validator_of_node(schema, node);
    let found = TEXTS.iter().map(|text| json!(text)).find(|text| validator.is_valid(text));
    found.unwrap_or_else(|| panic!("no text is known for {node}"))
}
