//! Columns: which Arrow type what a row holds has (contract.md 10). The columns of a row struct follow from the types of its members.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use crate::avro::Entries;
use crate::number::Micros;

/// What a column of a row may hold.
pub(crate) trait Column {
    /// Its type in a version of the schema.
    fn data_type(version: u16) -> DataType;
}

/// Every column may be null.
pub(crate) fn column<T: Column>(name: &str, version: u16) -> Field {
    Field::new(name, T::data_type(version), true)
}

impl<T: Column> Column for Option<T> {
    fn data_type(version: u16) -> DataType {
        T::data_type(version)
    }
}

impl Column for Cow<'_, str> {
    fn data_type(_: u16) -> DataType {
        DataType::Utf8
    }
}

impl Column for u8 {
    fn data_type(_: u16) -> DataType {
        DataType::UInt8
    }
}

impl Column for u16 {
    fn data_type(_: u16) -> DataType {
        DataType::UInt16
    }
}

/// A date, in days since the epoch.
impl Column for i32 {
    fn data_type(_: u16) -> DataType {
        DataType::Date32
    }
}

/// An instant, in milliseconds since the epoch.
impl Column for i64 {
    fn data_type(_: u16) -> DataType {
        DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
    }
}

impl Column for Micros {
    fn data_type(_: u16) -> DataType {
        DataType::Decimal128(18, 6)
    }
}

impl<T: Column> Column for Vec<T> {
    fn data_type(version: u16) -> DataType {
        list_of(T::data_type(version))
    }
}

impl<T: Column> Column for Entries<'_, T> {
    fn data_type(version: u16) -> DataType {
        map_of(T::data_type(version))
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// R60: entries `key`/`value`, key required; R56: written sorted, but readers must not rely on it.
fn map_of(value: DataType) -> DataType {
    let entry = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
}

pub(crate) fn utf8(name: &str) -> Field {
    column::<Cow<'_, str>>(name, 1)
}

pub(crate) fn uint8(name: &str) -> Field {
    column::<u8>(name, 1)
}

pub(crate) fn int64(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

pub(crate) fn bool(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

pub(crate) fn date(name: &str) -> Field {
    column::<i32>(name, 1)
}

pub(crate) fn time(name: &str) -> Field {
    column::<i64>(name, 1)
}

pub(crate) fn money(name: &str) -> Field {
    column::<Micros>(name, 1)
}

/// Sums of amounts have room for more digits than one of them.
pub(crate) fn sum(name: &str) -> Field {
    Field::new(name, DataType::Decimal128(38, 6), true)
}

/// Billing amounts keep twelve places (cur_attribution 3).
pub(crate) fn cost(name: &str) -> Field {
    Field::new(name, DataType::Decimal128(38, 12), true)
}

pub(crate) fn record(name: &str, fields: Vec<Field>) -> Field {
    Field::new(name, DataType::Struct(fields.into()), true)
}

pub(crate) fn list(name: &str, item: DataType) -> Field {
    Field::new(name, list_of(item), true)
}

pub(crate) fn map(name: &str, value: DataType) -> Field {
    Field::new(name, map_of(value), true)
}
