//! Columns of Parquet as text, so that both containers share one reading of cells; a double is read through its shortest text, and
//! stays what the export wrote.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;
use serde_json::Value;

/// A column as text; nested ones become JSON text.
///
/// # Errors
/// Its type cannot be read, or bytes are no text.
pub(super) fn as_text(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let column = match column.data_type() {
        kind if kind.is_nested() => return Ok(json_of(column)?.into_iter().map(json_text).collect()),
        // Only the instant counts; a named zone would need a zone database to print.
        DataType::Timestamp(_, _) => cast(column, &DataType::Timestamp(TimeUnit::Millisecond, None))?,
        // As binary of any length, which casts to text.
        DataType::FixedSizeBinary(_) => cast(column, &DataType::Binary)?,
        _ => Arc::clone(column),
    };
    // Bytes that are no text must not become an absent value.
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    Ok(cast_with_options(&column, &DataType::Utf8, &strict)?.as_string::<i32>().clone())
}

/// One member of each map or struct.
///
/// # Errors
/// See [`as_text`].
pub(super) fn member_text(column: &ArrayRef, member: &str) -> Result<StringArray, ArrowError> {
    match column.data_type() {
        DataType::Map(_, _) => {
            let maps = column.as_map();
            let (keys, values) = (as_text(maps.keys())?, as_text(maps.values())?);
            let offsets = maps.value_offsets();
            let is_member = |slot: &usize| keys.is_valid(*slot) && keys.value(*slot) == member;
            let find = |at: usize| slots(offsets, at).find(is_member).filter(|slot| values.is_valid(*slot));
            let text = |at: usize| find(at).filter(|_| maps.is_valid(at)).map(|slot| values.value(slot));
            Ok((0..maps.len()).map(text).collect())
        }
        DataType::Struct(_) => {
            let structs = column.as_struct();
            let Some(values) = structs.column_by_name(member) else { return Ok(StringArray::new_null(structs.len())) };
            let values = as_text(values)?;
            let text = |at: usize| (structs.is_valid(at) && values.is_valid(at)).then(|| values.value(at));
            Ok((0..structs.len()).map(text).collect())
        }
        _ => {
            let find = |value: Value| match value {
                Value::Array(pairs) => pairs.into_iter().find_map(|mut pair| {
                    let is_member = pair.get("key").and_then(Value::as_str) == Some(member);
                    is_member.then(|| pair.get_mut("value").map(Value::take)).flatten()
                }),
                _ => None,
            };
            let text = |value| find(value).and_then(|value| value.as_str().map(str::to_owned));
            Ok(json_of(column)?.into_iter().map(text).collect())
        }
    }
}

fn json_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        value => Some(value.to_string()),
    }
}

/// The values of a column as JSON, as the CSV form of the same export has them: maps and structs are objects, lists are
/// lists, everything else is text.
fn json_of(column: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    let mut values = match column.data_type() {
        DataType::Map(_, _) => {
            let maps = column.as_map();
            let keys = as_text(maps.keys())?;
            let mut members = json_of(maps.values())?;
            let map = |at: usize| {
                let offsets = maps.value_offsets();
                let members = slots(offsets, at).map(|slot| (keys.value(slot).to_owned(), members[slot].take()));
                Value::Object(members.collect())
            };
            (0..maps.len()).map(map).collect()
        }
        DataType::Struct(fields) => {
            let mut members = column.as_struct().columns().iter().map(json_of).collect::<Result<Vec<_>, _>>()?;
            let object = |at: usize| {
                let members =
                    fields.iter().zip(&mut members).map(|(field, values)| (field.name().clone(), values[at].take()));
                Value::Object(members.collect())
            };
            (0..column.len()).map(object).collect()
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            lists_of(lists.value_offsets(), json_of(lists.values())?)
        }
        DataType::LargeList(_) => {
            let lists = column.as_list::<i64>();
            lists_of(lists.value_offsets(), json_of(lists.values())?)
        }
        kind if kind.is_nested() => {
            return Err(ArrowError::NotYetImplemented(format!("reading {kind}")));
        }
        _ => as_text(column)?.iter().map(|text| text.map_or(Value::Null, Value::from)).collect::<Vec<_>>(),
    };
    for (at, value) in values.iter_mut().enumerate() {
        if column.is_null(at) {
            *value = Value::Null;
        }
    }
    Ok(values)
}

fn lists_of<O: OffsetSizeTrait>(offsets: &[O], mut items: Vec<Value>) -> Vec<Value> {
    let lists = offsets.len().saturating_sub(1);
    (0..lists).map(|at| Value::Array(slots(offsets, at).map(|slot| items[slot].take()).collect())).collect()
}

/// Where the items of a list or map lie in its child column.
fn slots<O: OffsetSizeTrait>(offsets: &[O], at: usize) -> std::ops::Range<usize> {
    offsets[at].as_usize()..offsets[at + 1].as_usize()
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, Int32Array, ListBuilder, MapBuilder, StringBuilder, StructArray};
    use arrow::datatypes::Field;

    use super::*;

    fn texts(column: impl Array + 'static) -> Vec<Option<String>> {
        let column: ArrayRef = Arc::new(column);
        as_text(&column).unwrap().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn nested_columns_become_json() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        maps.keys().append_value("team");
        maps.values().append_value("a");
        maps.append(true).unwrap();
        maps.append(false).unwrap();
        maps.append(true).unwrap();
        let maps = maps.finish();
        assert_eq!(texts(maps.clone()), [Some(r#"{"team":"a"}"#.into()), None, Some("{}".into())]);
        assert_eq!(texts(maps.slice(1, 2)), [None, Some("{}".into())]);
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a"), None]);
        lists.append_null();
        assert_eq!(texts(lists.finish()), [Some(r#"["a",null]"#.into()), None]);
        let field = |name: &str| Arc::new(Field::new(name, DataType::Int32, true));
        let numbers = |values: [Option<i32>; 2]| Arc::new(Int32Array::from(values.to_vec())) as ArrayRef;
        let structs =
            StructArray::from(vec![(field("a"), numbers([Some(1), None])), (field("b"), numbers([None, Some(2)]))]);
        assert_eq!(texts(structs), [Some(r#"{"a":"1","b":null}"#.into()), Some(r#"{"a":null,"b":"2"}"#.into())]);
    }

    #[test]
    fn one_member_is_taken_out_of_every_form() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for (key, value) in [("name", Some("x")), ("region", Some("eu")), ("region", None)] {
            maps.keys().append_value(key);
            maps.values().append_option(value);
            maps.append(true).unwrap();
        }
        maps.append(false).unwrap();
        let maps: ArrayRef = Arc::new(maps.finish());
        let texts = |column: &ArrayRef| {
            member_text(column, "region").unwrap().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(texts(&maps), [None, Some("eu".into()), None, None]);
        assert_eq!(texts(&maps.slice(1, 1)), [Some("eu".into())]);
        let field = |name: &str| Arc::new(Field::new(name, DataType::Utf8, true));
        let column = |texts: [Option<&str>; 2]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let structs: ArrayRef = Arc::new(StructArray::from(vec![
            (field("key"), column([Some("region"), Some("name")])),
            (field("value"), column([Some("eu"), Some("x")])),
        ]));
        assert_eq!(texts(&structs), [None, None], "a struct without the member");
        let offsets = arrow::buffer::OffsetBuffer::new(vec![0, 1, 2].into());
        let item = Arc::new(Field::new("item", structs.data_type().clone(), true));
        let lists: ArrayRef = Arc::new(arrow::array::ListArray::new(item, offsets, structs, None));
        assert_eq!(texts(&lists), [Some("eu".into()), None]);
    }

    #[test]
    fn bytes_that_are_no_text_are_not_an_absent_value() {
        assert_eq!(texts(BinaryArray::from(vec![&b"a"[..]])), [Some("a".into())]);
        let column: ArrayRef = Arc::new(BinaryArray::from(vec![&b"\xff"[..]]));
        assert!(as_text(&column).is_err());
    }
}
