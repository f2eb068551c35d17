//! The query that gives stored findings with their prices in the columns of the newest schema, whatever version wrote the files.

use arrow::datatypes::{DataType, Field, Fields, Schema};

use crate::duck::literal;

/// Over a call of `read_parquet` whose files have the columns `found`, and the relation `attributed`.
pub(super) fn query(source: &str, found: &Schema, cost_model: &str) -> String {
    let newest = contracts::arrow_schema::findings();
    let columns: Vec<String> = newest.fields().iter().map(|field| column(found.fields(), field, cost_model)).collect();
    include_str!("../../sql/attribution_rows/enriched.sql")
        .replace("{columns}", &columns.join(", "))
        .replace("{source}", source)
}

fn column(found: &Fields, wanted: &Field, cost_model: &str) -> String {
    let name = wanted.name();
    let stored = member(found, wanted, "stored");
    if name == "dimensions" {
        let with_arrived = include_str!("../../sql/attribution_dimensions.sql").replace("{stored}", &stored);
        return format!("{with_arrived} AS dimensions");
    }
    if name != "actual" {
        return format!("{stored} AS \"{name}\"");
    }
    let method = path(found, &["actual", "attribution", "method"]);
    let actual = include_str!("../../sql/attribution_actual.sql")
        .replace("{method}", method.as_deref().unwrap_or("NULL"))
        .replace("{stored}", &stored)
        .replace("{cost_model}", &literal(cost_model));
    format!("{actual} AS actual")
}

/// A member of `parent` as its wanted type says; null where no file has it.
fn member(found: &Fields, wanted: &Field, parent: &str) -> String {
    let null = || format!("CAST(NULL AS {})", sql_type(wanted.data_type()));
    let Some((_, field)) = found.find(wanted.name()) else { return null() };
    let own = format!("{parent}.\"{}\"", wanted.name());
    match (field.data_type(), wanted.data_type()) {
        (DataType::Struct(found), DataType::Struct(wanted)) => {
            let members: Vec<String> =
                wanted.iter().map(|field| format!("'{}': {}", field.name(), member(found, field, &own))).collect();
            format!("CASE WHEN {own} IS NOT NULL THEN {{{}}} END", members.join(", "))
        }
        (_, wanted) => format!("CAST({own} AS {})", sql_type(wanted)),
    }
}

/// The member at a path, if the files have it.
fn path(found: &Fields, names: &[&str]) -> Option<String> {
    let mut fields = found;
    for (n, name) in names.iter().enumerate() {
        let (_, field) = fields.find(name)?;
        match field.data_type() {
            DataType::Struct(members) => fields = members,
            _ if n + 1 == names.len() => {}
            _ => return None,
        }
    }
    Some(format!("stored.\"{}\"", names.join("\".\"")))
}

/// DuckDB's name of a type of the contract.
fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::UInt8 => "UTINYINT".to_owned(),
        DataType::UInt16 => "USMALLINT".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMPTZ".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::List(item) => format!("{}[]", sql_type(item.data_type())),
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(entry) if entry.len() == 2 => {
                format!("MAP({}, {})", sql_type(entry[0].data_type()), sql_type(entry[1].data_type()))
            }
            _ => "VARCHAR".to_owned(),
        },
        DataType::Struct(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|member| format!("\"{}\" {}", member.name(), sql_type(member.data_type())))
                .collect();
            format!("STRUCT({})", members.join(", "))
        }
        _ => "VARCHAR".to_owned(),
    }
}
