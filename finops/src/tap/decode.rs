//! A record of any topic as JSON: the value by what it is (a frame of a valid topic, JSON, text, bytes), headers as text,
//! the reasons of a dead letter taken out of them.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use contracts::dead_letter::header;
use contracts::topics::{self, headers};
use contracts::{avro, frame, time};
use platform::broker::Message;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

/// Scale of the amounts in the valid topic.
const MONEY_SCALE: u32 = 6;

/// Characters of a record's summary.
const SUMMARY_MAX: usize = 200;

/// Makes records readable.
pub struct Decoder {
    /// One a version.
    schemas: Vec<apache_avro::Schema>,
}

impl Decoder {
    /// With the schemas of the valid topic.
    pub fn new() -> Result<Self, apache_avro::Error> {
        Ok(Self { schemas: avro::SCHEMAS.into_iter().map(apache_avro::Schema::parse_str).collect::<Result<_, _>>()? })
    }

    /// All about a record.
    pub fn record(&self, message: &Message) -> Value {
        let mut all = Map::new();
        all.insert("topic".to_owned(), json!(&*message.at.topic));
        all.insert("partition".to_owned(), json!(message.at.partition));
        all.insert("offset".to_owned(), json!(message.offset));
        all.insert("time".to_owned(), json!(time::format_timestamp(message.timestamp_ms)));
        all.insert("tenant".to_owned(), json!(tenant(message)));
        all.insert("key".to_owned(), message.key.as_deref().map_or(Value::Null, text));
        if let Some(code) = message.header(header::ERROR_CODE) {
            let of = |name: &str| message.header(name).map_or(Value::Null, text);
            let violations = message.header(header::ERRORS).and_then(|bytes| serde_json::from_slice(bytes).ok());
            let refused = json!({
                "code": text(code),
                "field": of(header::ERROR_FIELD),
                "detail": of(header::ERROR_DETAIL),
                "src": of(header::SRC),
                "violations": violations.unwrap_or(Value::Null),
            });
            all.insert("refused".to_owned(), refused);
        }
        let named = |(name, value): (&str, &[u8])| (name.to_owned(), text(value));
        let is_known = |name: &str| name.starts_with(header::PREFIX) || name.starts_with(header::CONNECT_PREFIX);
        let others = message.headers.iter().filter(|(name, _)| !is_known(name)).map(named);
        all.insert("headers".to_owned(), Value::Object(others.collect()));
        all.insert("value".to_owned(), self.value(message));
        if message.value.is_null() {
            all.insert("tombstone".to_owned(), json!(true));
        }
        Value::Object(all)
    }

    fn value(&self, message: &Message) -> Value {
        let Some(bytes) = message.value.as_bytes() else { return Value::Null };
        if topics::is_valid(&message.at.topic) && bytes.first() == Some(&frame::MAGIC) {
            return self.avro(bytes).unwrap_or_else(|| text(bytes));
        }
        serde_json::from_slice(frame::payload(bytes)).unwrap_or_else(|_| text(bytes))
    }

    fn avro(&self, bytes: &[u8]) -> Option<Value> {
        let version = usize::try_from(frame::id(bytes)?).ok()?;
        let schema = self.schemas.get(version.checked_sub(1)?)?;
        let reader = GenericDatumReader::builder(schema).build().ok()?;
        let mut body = frame::payload(bytes);
        reader.read_value(&mut body).ok().map(of_avro)
    }
}

/// The tenant a record is of, by its header or, where there is none, by its key: hints, both.
pub fn tenant(message: &Message) -> Option<String> {
    let bytes = message.header(headers::TENANT_ID).or(message.key.as_deref())?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// What a person reads in one line.
pub fn summary(record: &Value) -> String {
    let place = format!("{}/{}@{}", text_of(&record["topic"]), record["partition"], record["offset"]);
    let what = if record["refused"].is_object() {
        let refused = &record["refused"];
        format!(
            "refused: {} {}: {}",
            text_of(&refused["code"]),
            text_of(&refused["field"]),
            text_of(&refused["detail"])
        )
    } else {
        match &record["value"] {
            Value::Object(value) if value.contains_key("check_id") => {
                ["check_id", "status", "title"].map(|member| text_of(&record["value"][member])).join(" ")
            }
            other => other.to_string(),
        }
    };
    let what = if what.chars().count() > SUMMARY_MAX {
        what.chars().take(SUMMARY_MAX).chain(std::iter::once('…')).collect()
    } else {
        what
    };
    format!("{} {place} {} {what}", text_of(&record["time"]), text_of(&record["tenant"]))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// Text as it is; other bytes in hexadecimal, marked as such.
fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

fn of_avro(value: Avro) -> Value {
    let object = |members: Vec<(String, Avro)>| {
        Value::Object(members.into_iter().map(|(name, value)| (name, of_avro(value))).collect())
    };
    match value {
        Avro::Union(_, inner) => of_avro(*inner),
        Avro::Null => Value::Null,
        Avro::Boolean(yes) => json!(yes),
        Avro::Int(number) => json!(number),
        Avro::Long(number) => json!(number),
        Avro::String(text) => json!(text),
        Avro::Date(days) => json!(time::format_date(days)),
        Avro::TimestampMillis(ms) => json!(time::format_timestamp(ms)),
        Avro::Decimal(decimal) => money(&decimal),
        Avro::Array(items) => items.into_iter().map(of_avro).collect(),
        Avro::Map(entries) => object(entries.into_iter().collect()),
        Avro::Record(members) => object(members),
        other => json!(format!("{other:?}")),
    }
}

/// Two's complement, the highest byte first, as text with all its digits.
fn money(decimal: &apache_avro::Decimal) -> Value {
    let Ok(bytes) = Vec::try_from(decimal) else { return Value::Null };
    let Some(first) = bytes.first() else { return Value::Null };
    let rest = bytes.iter().skip(1);
    let micros = rest.fold(i128::from(first.cast_signed()), |number, byte| number << 8 | i128::from(*byte));
    Decimal::try_from_i128_with_scale(micros, MONEY_SCALE).map_or(Value::Null, |amount| json!(amount.to_string()))
}
