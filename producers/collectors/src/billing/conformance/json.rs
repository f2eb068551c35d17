//! JSON objects of cells, as strictly as FOCUS wants them. Pure.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The object in a cell; `None` for anything else, and where a key is there twice at any depth.
pub(super) fn object(cell: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(cell).ok()? {
        Strict(Value::Object(members)) => Some(members),
        Strict(_) => None,
    }
}

/// True when each list in the value has elements of one type, none of them null and none of them twice.
pub(super) fn has_even_lists(value: &Value) -> bool {
    match value {
        Value::Array(elements) => {
            let is_one_type = elements.windows(2).all(|pair| is_same_type(&pair[0], &pair[1]));
            let mut seen = HashSet::new();
            is_one_type
                && elements.iter().all(|element| !element.is_null() && seen.insert(element.to_string()))
                && elements.iter().all(has_even_lists)
        }
        Value::Object(members) => members.values().all(has_even_lists),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn is_same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// A value in which no object has a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_there_twice_at_any_depth() {
        for good in [r#"{}"#, r#"{"a": {"b": 1}, "c": [{"b": 1.5}, {"b": -2}]}"#, r#"{"a": null, "b": "x"}"#] {
            assert!(object(good).is_some(), "{good}");
        }
        for bad in ["", "[]", "1", r#"{"a": 1, "a": 1}"#, r#"{"a": {"b": 1, "b": 2}}"#, r#"{"a": [{"b": 1, "b": 2}]}"#]
        {
            assert_eq!(object(bad), None, "{bad}");
        }
        assert_eq!(object(r#"{"a": 0.05}"#).unwrap()["a"].to_string(), "0.05");
    }

    #[test]
    fn lists_are_of_one_type_without_nulls_and_repetition() {
        let check = |list: &str, expected| {
            let value: Value = serde_json::from_str(&format!(r#"{{"a": {{"b": {list}}}}}"#)).unwrap();
            assert_eq!(has_even_lists(&value), expected, "{list}");
        };
        check("[]", true);
        check("[1, 2.5]", true);
        check(r#"[{"a": 1}, {"a": 2}]"#, true);
        check("[1, \"1\"]", false);
        check("[1, 1]", false);
        check("[null]", false);
        check("[[1], [2, 2]]", false);
        check(r#"[{"a": 1}, {"a": 1}]"#, false);
    }
}
