//! JSON Patch (RFC 6902) on bytes. Numbers keep their digits: as `f64` an amount of eighteen digits would be another one
//! afterwards. So numbers and strings are both held as tagged text while the patch is applied; `test` therefore compares
//! numbers as they are written.

use contracts::frame;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Deeper than any finding, and no danger to the stack.
const DEPTH_MAX: usize = 64;
const TEXT: char = 's';
const NUMBER: char = 'n';

/// A patch, ready to be applied. Serialised it is the document that it was read from, digit for digit.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Patch {
    #[serde(skip)]
    operations: json_patch::Patch,
    document: Box<RawValue>,
}

/// A patch is none, or does not apply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is wrong.
    #[error("not a JSON Patch: {0}")]
    Patch(String),
    /// The record is no JSON.
    #[error("the record is no JSON: {0}")]
    Record(String),
    /// An operation does not fit the record.
    #[error("{0}")]
    Operation(String),
}

impl Patch {
    /// Reads a patch document: an array of operations.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, PatchError> {
        let document: Box<RawValue> = serde_json::from_slice(text).map_err(|e| PatchError::Patch(e.to_string()))?;
        let mut operations = tagged(&document, 0).map_err(PatchError::Patch)?;
        for operation in operations.as_array_mut().into_iter().flatten() {
            for name in ["op", "path", "from"] {
                if let Some(Value::String(text)) = operation.get_mut(name) {
                    text.remove(0);
                }
            }
        }
        let operations = serde_json::from_value(operations).map_err(|e| PatchError::Patch(e.to_string()))?;
        Ok(Self { operations, document })
    }

    /// The value with the patch applied; a frame around the JSON is kept.
    ///
    /// # Errors
    /// The value is no JSON, or an operation does not fit it; it is to be left as it was then.
    pub fn apply(&self, value: &[u8]) -> Result<Vec<u8>, PatchError> {
        let payload = frame::payload(value);
        let mut document = read(payload).map_err(PatchError::Record)?;
        json_patch::patch(&mut document, &self.operations).map_err(|e| PatchError::Operation(e.to_string()))?;
        let mut out = value[..value.len() - payload.len()].to_vec();
        serde_json::to_writer(&mut out, &Plain(&document)).map_err(|e| PatchError::Record(e.to_string()))?;
        Ok(out)
    }
}

fn read(text: &[u8]) -> Result<Value, String> {
    let raw: &RawValue = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    tagged(raw, 0)
}

fn tagged(raw: &RawValue, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("nested deeper than {DEPTH_MAX}"));
    }
    let text = raw.get();
    let failed = |e: serde_json::Error| e.to_string();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let mut members = serde_json::Map::new();
            for (name, value) in serde_json::from_str::<Members<'_>>(text).map_err(failed)?.0 {
                let problem = format!("member {name} is there twice");
                if members.insert(name, tagged(value, depth + 1)?).is_some() {
                    return Err(problem);
                }
            }
            Value::Object(members)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(failed)?;
            items.into_iter().map(|item| tagged(item, depth + 1)).collect::<Result<_, _>>().map(Value::Array)?
        }
        Some(b'"') => Value::String(format!("{TEXT}{}", serde_json::from_str::<String>(text).map_err(failed)?)),
        Some(b't' | b'f' | b'n') => serde_json::from_str(text).map_err(failed)?,
        _ => Value::String(format!("{NUMBER}{text}")),
    })
}

/// Members of an object in order, with repetitions.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Writes a tagged document without its tags.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => match text.strip_prefix(NUMBER) {
                Some(number) => {
                    RawValue::from_string(number.to_owned()).map_err(S::Error::custom)?.serialize(serializer)
                }
                None => serializer.serialize_str(text.strip_prefix(TEXT).unwrap_or(text)),
            },
            Value::Array(items) => serializer.collect_seq(items.iter().map(Plain)),
            Value::Object(members) => serializer.collect_map(members.iter().map(|(name, value)| (name, Plain(value)))),
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_change_what_they_name_and_nothing_else() {
        let check = |patch: &str, value: &str, expected: Result<&str, &str>| {
            let found = Patch::parse(patch.as_bytes()).and_then(|patch| patch.apply(value.as_bytes()));
            let found = found.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|e| e.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{patch} on {value}");
        };
        let money = r#"{"a":123456789012.345678,"b":[1,"s",null,true],"c":{"d":0.10}}"#;
        check("[]", money, Ok(money));
        check(
            r#"[{"op":"replace","path":"/c/d","value":100000000000.000001}]"#,
            money,
            Ok(r#"{"a":123456789012.345678,"b":[1,"s",null,true],"c":{"d":100000000000.000001}}"#),
        );
        check(
            r#"[{"op":"add","path":"/b/-","value":{"n":1e2}},{"op":"remove","path":"/a"},{"op":"move","from":"/c/d","path":"/e"}]"#,
            money,
            Ok(r#"{"b":[1,"s",null,true,{"n":1e2}],"c":{},"e":0.10}"#),
        );
        check(
            r#"[{"op":"test","path":"/x","value":"n1"},{"op":"replace","path":"/x","value":"ok"}]"#,
            r#"{"x":"n1"}"#,
            Ok(r#"{"x":"ok"}"#),
        );
        check(
            r#"[{"op":"test","path":"/x","value":1}]"#,
            r#"{"x":"1"}"#,
            Err("operation '/0' failed at path '/x': value did not match"),
        );
        check("[]", "{", Err("the record is no JSON: EOF while parsing an object at line 1 column 1"));
        check("[]", r#"{"a":1,"a":2}"#, Err("the record is no JSON: member a is there twice"));
        check("[]", &"[".repeat(1_000), Err("the record is no JSON: EOF while parsing a list at line 1 column 1000"));
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        check("[]", &deep, Err("the record is no JSON: nested deeper than 64"));
        assert!(matches!(Patch::parse(br#"[{"op":"nonsense"}]"#), Err(PatchError::Patch(_))));
    }

    #[test]
    fn a_frame_stays_around_the_payload() {
        let patch = Patch::parse(br#"[{"op":"replace","path":"/a","value":2}]"#).unwrap();
        assert_eq!(patch.apply(b"\0\0\0\0\x07{\"a\":1}").unwrap(), b"\0\0\0\0\x07{\"a\":2}");
    }
}
