//! A whole stored row as JSON, every column in the order of its schema: money as text, times `…Z` with milliseconds,
//! dates as text, maps as objects.

use arrow::datatypes::{DataType, Field, Fields};

use crate::population::sql_time;

/// The expression that turns a row with these fields into JSON text.
pub(super) fn record_json(fields: &Fields) -> String {
    let members = fields.iter().filter(|f| f.name() != "__file").map(|f| member(&quoted(f.name()), f));
    format!("CAST(to_json({{{}}}) AS VARCHAR)", members.collect::<Vec<_>>().join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn member(expression: &str, field: &Field) -> String {
    format!("{}: {}", quoted(field.name()), value(expression, field.data_type()))
}

fn value(expression: &str, data_type: &DataType) -> String {
    match data_type {
        DataType::Decimal128(..) | DataType::Date32 => format!("CAST({expression} AS VARCHAR)"),
        DataType::Timestamp(..) => sql_time(&format!("CAST({expression} AS TIMESTAMP)")),
        DataType::Map(entries, _) if holds_decimal(entries) => format!("CAST({expression} AS MAP(VARCHAR, VARCHAR))"),
        DataType::Struct(fields) => {
            let extract = |f: &Field| {
                let name = f.name().replace('\'', "''");
                member(&format!("struct_extract({expression}, '{name}')"), f)
            };
            let members: Vec<String> = fields.iter().map(|f| extract(f)).collect();
            format!("CASE WHEN {expression} IS NOT NULL THEN {{{}}} END", members.join(", "))
        }
        _ => expression.to_owned(),
    }
}

fn holds_decimal(entries: &Field) -> bool {
    matches!(entries.data_type(), DataType::Struct(pair)
        if pair.get(1).is_some_and(|value| matches!(value.data_type(), DataType::Decimal128(..))))
}
