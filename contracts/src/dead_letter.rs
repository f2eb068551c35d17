//! The dead letter: a record the contract refused, as received, with the reason in its headers
//! (DESIGN.md §4). Written by the validator, read by the sink, the tools and any Kafka UI.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::columns::{map, time, utf8};
use crate::source::Src;
use crate::topics::headers;

/// Names of the headers a dead letter adds to those it was received with.
pub mod header {
    /// Prefix of our own.
    pub const PREFIX: &str = "dlq.";
    /// Prefix of those Kafka Connect tools understand.
    pub const CONNECT_PREFIX: &str = "__connect.errors.";
    /// Code of the first violation.
    pub const ERROR_CODE: &str = "dlq.error.code";
    /// Field path of the first violation.
    pub const ERROR_FIELD: &str = "dlq.error.field";
    /// The rule in words, at most 1 KiB, never a payload value.
    pub const ERROR_DETAIL: &str = "dlq.error.detail";
    /// All violations, JSON `[{"field","code","message"}]`.
    pub const ERRORS: &str = "dlq.errors";
    /// Source position.
    pub const SRC: &str = "dlq.src";
    /// Broker timestamp of the source record, milliseconds since the epoch.
    pub const SRC_TIMESTAMP: &str = "dlq.src.timestamp";
    /// Version of the contract that refused it.
    pub const CONTRACT_VERSION: &str = "dlq.contract.version";
    /// Version of the validator.
    pub const VALIDATOR_VERSION: &str = "dlq.validator.version";
    /// When it was first refused, milliseconds since the epoch; survives redrives.
    pub const FIRST_SEEN: &str = "dlq.first_seen";
    /// How often it was redriven.
    pub const REPLAYS: &str = "dlq.replays";
    /// Size of the whole value, only when the value was cut.
    pub const VALUE_BYTES: &str = "dlq.value.bytes";
    /// SHA-256 (hex) of the whole value, only when the value was cut.
    pub const VALUE_SHA256: &str = "dlq.value.sha256";
    /// Size of the whole key, only when the key was cut.
    pub const KEY_BYTES: &str = "dlq.key.bytes";
    /// SHA-256 (hex) of the whole key, only when the key was cut.
    pub const KEY_SHA256: &str = "dlq.key.sha256";
    /// Size of all headers as received, only when some were left out: names and values, each with 4 bytes for its length.
    pub const HEADERS_BYTES: &str = "dlq.headers.bytes";
    /// SHA-256 (hex) of all headers as received, only when some were left out: in their order, each name and value behind its
    /// length as 4 bytes, the lowest first.
    pub const HEADERS_SHA256: &str = "dlq.headers.sha256";
    /// `true` when the record had no value at all (a tombstone), not an empty one.
    pub const VALUE_NULL: &str = "dlq.value.null";
    /// Name of the source topic, as Kafka Connect writes it.
    pub const CONNECT_TOPIC: &str = "__connect.errors.topic";
    /// Source partition.
    pub const CONNECT_PARTITION: &str = "__connect.errors.partition";
    /// Source offset.
    pub const CONNECT_OFFSET: &str = "__connect.errors.offset";
    /// `<code> at <field>: <detail>`.
    pub const CONNECT_MESSAGE: &str = "__connect.errors.exception.message";
}

/// Version of the dataset's schema. There is one so far.
pub const SCHEMA_VERSION: u16 = 1;
/// Version of the contract, as `dlq.contract.version` and in exports.
pub const CONTRACT_VERSION: &str = "1";
/// `dlq.error.detail` is cut here.
pub const DETAIL_BYTES_MAX: usize = 1024;
/// A value over the size limit keeps this many first bytes, and less where its topic takes less.
pub const CUT_VALUE_BYTES: usize = 64 * 1024;

/// Why and where a record was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Code of the first violation.
    pub code: String,
    /// Field path of the first violation, empty for the whole message.
    pub field: String,
    /// The rule in words.
    pub detail: String,
    /// All violations as JSON.
    pub errors: String,
    /// Source position.
    pub src: Src,
    /// Name of the source topic.
    pub src_topic: String,
    /// Broker timestamp of the source record.
    pub src_timestamp_ms: i64,
    /// Contract version.
    pub contract_version: String,
    /// Validator version.
    pub validator_version: String,
    /// First refusal.
    pub first_seen_ms: i64,
    /// Redrives so far.
    pub replays: u32,
    /// Size and SHA-256 of the whole value, when only its first bytes were kept.
    pub cut: Option<CutValue>,
    /// The record had no value at all (a tombstone), not an empty one.
    pub value_is_null: bool,
    /// First source position, when this record had been sent again.
    pub replay_of: Option<Src>,
}

/// What is known of a value that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutValue {
    /// Size of the whole value.
    pub bytes: u64,
    /// SHA-256 of the whole value, hex.
    pub sha256: String,
}

/// A header that a dead letter must have is absent or unreadable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dead letter header {name} is {problem}")]
pub struct BadHeader {
    /// Header.
    pub name: &'static str,
    /// `absent` or what was read.
    pub problem: String,
}

impl DeadLetter {
    /// The headers to add to those the record was received with.
    #[must_use]
    pub fn to_headers(&self) -> Vec<(&'static str, String)> {
        let detail = cut_text(&self.detail, DETAIL_BYTES_MAX);
        let mut out = vec![
            (header::ERROR_CODE, self.code.clone()),
            (header::ERROR_FIELD, self.field.clone()),
            (header::ERROR_DETAIL, detail.to_owned()),
            (header::ERRORS, self.errors.clone()),
            (header::SRC, self.src.to_string()),
            (headers::SRC, self.src.to_string()),
            (header::SRC_TIMESTAMP, self.src_timestamp_ms.to_string()),
            (header::CONTRACT_VERSION, self.contract_version.clone()),
            (header::VALIDATOR_VERSION, self.validator_version.clone()),
            (header::FIRST_SEEN, self.first_seen_ms.to_string()),
            (header::REPLAYS, self.replays.to_string()),
            (header::CONNECT_TOPIC, self.src_topic.clone()),
            (header::CONNECT_PARTITION, self.src.partition.partition.to_string()),
            (header::CONNECT_OFFSET, self.src.offset.to_string()),
            (header::CONNECT_MESSAGE, format!("{} at {}: {detail}", self.code, self.field)),
        ];
        if let Some(cut) = &self.cut {
            out.push((header::VALUE_BYTES, cut.bytes.to_string()));
            out.push((header::VALUE_SHA256, cut.sha256.clone()));
        }
        if self.value_is_null {
            out.push((header::VALUE_NULL, "true".to_owned()));
        }
        out
    }

    /// Reads the envelope back; `get` returns the last header of a name.
    ///
    /// # Errors
    /// The first header that is absent or unreadable.
    pub fn from_headers<'h>(get: impl Fn(&str) -> Option<&'h [u8]>) -> Result<Self, BadHeader> {
        let text = |name: &'static str| match get(name) {
            None => Err(BadHeader { name, problem: "absent".into() }),
            Some(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        };
        let cut = match get(header::VALUE_BYTES) {
            None => None,
            Some(_) => Some(CutValue {
                bytes: parse(header::VALUE_BYTES, &text(header::VALUE_BYTES)?)?,
                sha256: text(header::VALUE_SHA256)?,
            }),
        };
        let replay_of = match get(headers::REPLAY_OF) {
            None => None,
            Some(bytes) => Some(parse(headers::REPLAY_OF, &String::from_utf8_lossy(bytes))?),
        };
        Ok(Self {
            code: text(header::ERROR_CODE)?,
            field: text(header::ERROR_FIELD)?,
            detail: text(header::ERROR_DETAIL)?,
            errors: text(header::ERRORS)?,
            src: parse(header::SRC, &text(header::SRC)?)?,
            src_topic: text(header::CONNECT_TOPIC)?,
            src_timestamp_ms: parse(header::SRC_TIMESTAMP, &text(header::SRC_TIMESTAMP)?)?,
            contract_version: text(header::CONTRACT_VERSION)?,
            validator_version: text(header::VALIDATOR_VERSION)?,
            first_seen_ms: parse(header::FIRST_SEEN, &text(header::FIRST_SEEN)?)?,
            replays: parse(header::REPLAYS, &text(header::REPLAYS)?)?,
            cut,
            value_is_null: get(header::VALUE_NULL).is_some(),
            replay_of,
        })
    }
}

/// True for headers that a dead letter added and a redrive must strip again.
#[must_use]
pub fn is_envelope_header(name: &str) -> bool {
    name == headers::SRC || name.starts_with(header::PREFIX) || name.starts_with(header::CONNECT_PREFIX)
}

/// True for headers that the dataset keeps: those that the record came with, and what is said of a key or headers that were cut.
/// Everything else of the envelope has a column of its own.
#[must_use]
pub fn is_stored_header(name: &str) -> bool {
    let of_a_cut = [header::KEY_BYTES, header::KEY_SHA256, header::HEADERS_BYTES, header::HEADERS_SHA256];
    !is_envelope_header(name) || of_a_cut.contains(&name)
}

fn parse<T: std::str::FromStr>(name: &'static str, text: &str) -> Result<T, BadHeader> {
    text.parse().map_err(|_| BadHeader { name, problem: format!("unreadable: {:?}", cut_text(text, 80)) })
}

/// The longest prefix of at most `bytes_max` bytes that ends at a character.
#[must_use]
pub fn cut_text(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Columns of the dataset `finops_dead_letters`.
#[must_use]
pub fn arrow_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        utf8("tenant_id"),
        utf8("workspace_id"),
        utf8("run_id"),
        utf8("src"),
        utf8("replay_of"),
        utf8("src_topic"),
        time("src_ts"),
        utf8("error_code"),
        utf8("error_field"),
        utf8("error_detail"),
        utf8("errors"),
        utf8("contract_version"),
        utf8("validator_version"),
        time("first_seen_ts"),
        Field::new("replays", DataType::UInt32, true),
        map("headers", DataType::Binary),
        Field::new("key", DataType::Binary, true),
        Field::new("value", DataType::Binary, true),
        Field::new("value_bytes", DataType::UInt64, true),
        utf8("value_sha256"),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            code: "required".into(),
            field: "scope.cloud".into(),
            detail: "must not be blank".into(),
            errors: "[]".into(),
            src: "topic/3/17".parse().unwrap(),
            src_topic: "finops.findings.wire".into(),
            src_timestamp_ms: 1_700_000_000_000,
            contract_version: CONTRACT_VERSION.into(),
            validator_version: "0.1.0".into(),
            first_seen_ms: 1_700_000_000_001,
            replays: 2,
            cut: Some(CutValue { bytes: 5, sha256: "ab".into() }),
            value_is_null: true,
            replay_of: None,
        }
    }

    #[test]
    fn headers_read_back_as_written() {
        let headers = letter().to_headers();
        let get = |name: &str| headers.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v.as_bytes());
        assert_eq!(DeadLetter::from_headers(get), Ok(letter()));
    }

    #[test]
    fn a_missing_header_is_named() {
        let headers = letter().to_headers();
        let get = |name: &str| {
            headers.iter().filter(|(n, _)| *n != header::SRC).find(|(n, _)| *n == name).map(|(_, v)| v.as_bytes())
        };
        assert_eq!(DeadLetter::from_headers(get).unwrap_err().to_string(), "dead letter header dlq.src is absent");
    }

    #[test]
    fn detail_is_cut_at_a_character() {
        assert_eq!(cut_text("aé", 2), "a");
        assert_eq!(cut_text("aé", 3), "aé");
    }
}
