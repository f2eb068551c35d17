//! What a row looks like in each of the languages the contract is written in: Arrow, Avro and JSON Schema.
//! Two of them agree when their shapes are equal: the same fields in the same order with the same types.

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::schemas;

/// Type of a column or a part of one. Everything may be null unless a schema says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// Whole number up to this.
    Integer(u64),
    /// UTC, milliseconds.
    Time,
    /// Day.
    Date,
    /// Eighteen digits, six of them behind the point.
    Money,
    /// Fields by name, in order.
    Record(Vec<(String, Shape)>),
    /// Items.
    List(Box<Shape>),
    /// Values by text.
    Map(Box<Shape>),
}

impl Shape {
    /// The same with every whole number as wide as Avro has it, which knows no unsigned types.
    #[must_use]
    pub fn widened(self) -> Self {
        match self {
            Self::Integer(_) => Self::Integer(i32::MAX.unsigned_abs().into()),
            Self::Record(fields) => Self::Record(fields.into_iter().map(|(name, f)| (name, f.widened())).collect()),
            Self::List(item) => Self::List(Box::new(item.widened())),
            Self::Map(value) => Self::Map(Box::new(value.widened())),
            other => other,
        }
    }

    /// Fields of a record, with their own below them.
    #[must_use]
    pub fn names(&self) -> Names {
        match self {
            Self::Record(fields) => Names(fields.iter().map(|(name, f)| (name.clone(), f.names())).collect()),
            Self::List(item) => item.names(),
            _ => Names::default(),
        }
    }
}

/// Shape of Arrow fields.
///
/// # Panics
/// On a type that no finding has.
#[must_use]
pub fn of_arrow<'f>(fields: impl IntoIterator<Item = &'f Field>) -> Shape {
    Shape::Record(fields.into_iter().map(|field| (field.name().clone(), arrow(field.data_type()))).collect())
}

fn arrow(data_type: &DataType) -> Shape {
    match data_type {
        DataType::Utf8 => Shape::Text,
        DataType::UInt8 => Shape::Integer(u8::MAX.into()),
        DataType::UInt16 => Shape::Integer(u16::MAX.into()),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if &**zone == "UTC" => Shape::Time,
        DataType::Date32 => Shape::Date,
        DataType::Decimal128(18, 6) => Shape::Money,
        DataType::Struct(fields) => of_arrow(fields.iter().map(|f| &**f)),
        DataType::List(item) => Shape::List(Box::new(arrow(item.data_type()))),
        DataType::Map(entries, _) => {
            let DataType::Struct(entry) = entries.data_type() else { panic!("{entries}") };
            Shape::Map(Box::new(arrow(entry[1].data_type())))
        }
        other => panic!("no column of a finding is {other}"),
    }
}

/// Shape of an Avro schema. Every field must be able to be null and be null when it is not given, so that columns can
/// be added.
///
/// # Panics
/// When one cannot, or on a type that no finding has.
#[must_use]
pub fn of_avro(schema: &Value) -> Shape {
    match schema["type"].as_str().unwrap_or_else(|| panic!("no type in {schema}")) {
        "record" => {
            let field = |field: &Value| {
                let name = field["name"].as_str().unwrap().to_owned();
                assert_eq!(field.get("default"), Some(&Value::Null), "{name} is null unless given");
                let shape = nullable(&field["type"]);
                (name, shape)
            };
            Shape::Record(schema["fields"].as_array().unwrap().iter().map(field).collect())
        }
        "array" => Shape::List(Box::new(nullable(&schema["items"]))),
        "map" => Shape::Map(Box::new(nullable(&schema["values"]))),
        "long" if schema["logicalType"] == "timestamp-millis" => Shape::Time,
        "int" if schema["logicalType"] == "date" => Shape::Date,
        "bytes" if schema["logicalType"] == "decimal" => {
            assert_eq!((&schema["precision"], &schema["scale"]), (&18.into(), &6.into()), "{schema}");
            Shape::Money
        }
        other => panic!("no field of a finding is {other}"),
    }
}

fn nullable(union: &Value) -> Shape {
    let branches = union.as_array().unwrap_or_else(|| panic!("{union} is never null"));
    assert!(branches.len() == 2 && branches[0] == "null", "{union} must be null or one thing");
    match branches[1].as_str() {
        Some("string") => Shape::Text,
        Some("int") => Shape::Integer(i32::MAX.unsigned_abs().into()),
        Some(other) => panic!("no field of a finding is {other}"),
        None => of_avro(&branches[1]),
    }
}

/// Shape of a node of a JSON Schema. Fields come in the order of `required`, which must name all of the first version: a JSON
/// object has no order. A scalar is known by what it lets pass.
///
/// # Panics
/// When a field is neither required nor of a later version, or a scalar is none that a finding has.
#[must_use]
pub fn of_json_schema(schema: &Value, node: &Value) -> Shape {
    let node = schemas::resolve(schema, node);
    if let Some(properties) = node["properties"].as_object() {
        let required: Vec<&str> =
            node["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let later = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
        let later = later.inspect(|name| {
            let since = properties[*name]["$comment"].as_str().unwrap_or_default();
            assert!(since.starts_with("since version "), "{name} is always there, or says since when");
        });
        let names = required.iter().copied().chain(later);
        return Shape::Record(names.map(|name| (name.to_owned(), of_json_schema(schema, &properties[name]))).collect());
    }
    if let Some(value) = node.get("additionalProperties") {
        return Shape::Map(Box::new(of_json_schema(schema, value)));
    }
    if let Some(item) = node.get("items") {
        return Shape::List(Box::new(of_json_schema(schema, item)));
    }
    scalar(schema, node)
}

fn scalar(schema: &Value, node: &Value) -> Shape {
    if let Some(maximum) = node["maximum"].as_u64() {
        return Shape::Integer(if maximum <= u8::MAX.into() { u8::MAX.into() } else { u16::MAX.into() });
    }
    let validator = schemas::validator_of_node(schema, node);
    let passes = |text: &str| validator.is_valid(&text.into());
    if passes("text") || passes("EUR") || node["enum"].is_array() {
        return Shape::Text;
    }
    let probes = [("2026-01-20T10:00:00.000Z", Shape::Time), ("2026-01-20", Shape::Date), ("-1.250000", Shape::Money)];
    let found: Vec<_> = probes.into_iter().filter(|(text, _)| passes(text)).collect();
    let [(_, shape)] = &found[..] else { panic!("{node} may be {found:?}") };
    shape.clone()
}

/// Names of the members of a JSON text and of theirs, in the order they are written in; of a list, those of its first
/// item. Maps look like records here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub Vec<(String, Names)>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Names;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Names(members))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Names, A::Error> {
                let first = items.next_element()?.unwrap_or_default();
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first)
            }
            fn visit_str<E>(self, _: &str) -> Result<Names, E> {
                Ok(Names::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Names, E> {
                Ok(Names::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Names, E> {
                Ok(Names::default())
            }
            fn visit_unit<E>(self) -> Result<Names, E> {
                Ok(Names::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}
