//! Dead letters, headers and bytes as received, to Arrow rows of `finops_dead_letters`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
    UInt32Builder, UInt64Builder,
};
use arrow::error::ArrowError;
use contracts::claims::may_stand_for;
use contracts::dead_letter::{self, CONTRACT_VERSION, DeadLetter};
use contracts::source::{Src, SrcPartition};
use contracts::topics::headers;
use contracts::{layout, time};
use platform::broker::Message;

use crate::batch::Target;
use crate::row::{NOT_A_STORAGE_RECORD, Record};

pub(super) fn encode(records: &[Record], topic_id: &str, target: &Target) -> Result<RecordBatch, ArrowError> {
    let tenant = Some(target.tenant.as_str()).filter(|tenant| *tenant != layout::UNKNOWN_TENANT);
    let mut columns = Columns::default();
    for record in records {
        columns.tenant_id.append_option(tenant);
        columns.push(&record.message, &letter(record, topic_id))?;
    }
    RecordBatch::try_new(dead_letter::arrow_schema(), columns.finish())
}

/// The envelope of a dead letter; that of a record which is none is made here.
fn letter(record: &Record, topic_id: &str) -> DeadLetter {
    let message = &record.message;
    let problem = match &record.problem {
        Some(problem) => problem.clone(),
        None => match DeadLetter::from_headers(|name| message.header(name)) {
            Ok(letter) => return letter,
            Err(error) => error.to_string(),
        },
    };
    let text = |name: &str| message.header(name).and_then(|v| std::str::from_utf8(v).ok());
    let own = Src {
        partition: SrcPartition { topic_id: topic_id.to_owned(), partition: message.at.partition },
        offset: message.offset,
    };
    DeadLetter {
        code: NOT_A_STORAGE_RECORD.to_owned(),
        field: String::new(),
        detail: problem,
        errors: "[]".to_owned(),
        src: text(headers::SRC).and_then(|v| v.parse().ok()).unwrap_or(own),
        src_topic: message.at.topic.to_string(),
        src_timestamp_ms: message.timestamp_ms,
        contract_version: CONTRACT_VERSION.to_owned(),
        validator_version: String::new(),
        first_seen_ms: message.timestamp_ms,
        replays: 0,
        cut: None,
        value_is_null: message.value.is_null(),
        replay_of: text(headers::REPLAY_OF).and_then(|v| v.parse().ok()),
    }
}

struct Columns {
    tenant_id: StringBuilder,
    workspace_id: StringBuilder,
    run_id: StringBuilder,
    src: StringBuilder,
    replay_of: StringBuilder,
    src_topic: StringBuilder,
    src_ts: TimestampMillisecondBuilder,
    error_code: StringBuilder,
    error_field: StringBuilder,
    error_detail: StringBuilder,
    errors: StringBuilder,
    contract_version: StringBuilder,
    validator_version: StringBuilder,
    first_seen_ts: TimestampMillisecondBuilder,
    replays: UInt32Builder,
    headers: MapBuilder<StringBuilder, BinaryBuilder>,
    key: BinaryBuilder,
    value: BinaryBuilder,
    value_bytes: UInt64Builder,
    value_sha256: StringBuilder,
}

impl Default for Columns {
    fn default() -> Self {
        let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let utc = || TimestampMillisecondBuilder::new().with_timezone("UTC");
        Self {
            tenant_id: StringBuilder::new(),
            workspace_id: StringBuilder::new(),
            run_id: StringBuilder::new(),
            src: StringBuilder::new(),
            replay_of: StringBuilder::new(),
            src_topic: StringBuilder::new(),
            src_ts: utc(),
            error_code: StringBuilder::new(),
            error_field: StringBuilder::new(),
            error_detail: StringBuilder::new(),
            errors: StringBuilder::new(),
            contract_version: StringBuilder::new(),
            validator_version: StringBuilder::new(),
            first_seen_ts: utc(),
            replays: UInt32Builder::new(),
            headers: MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new()),
            key: BinaryBuilder::new(),
            value: BinaryBuilder::new(),
            value_bytes: UInt64Builder::new(),
            value_sha256: StringBuilder::new(),
        }
    }
}

impl Columns {
    fn push(&mut self, message: &Message, letter: &DeadLetter) -> Result<(), ArrowError> {
        let text = |name: &str| message.header(name).and_then(|v| std::str::from_utf8(v).ok());
        self.workspace_id.append_option(text(headers::WORKSPACE_ID));
        self.run_id.append_option(text(headers::RUN_ID));
        self.src.append_value(letter.src.to_string());
        let first = letter.replay_of.as_ref().filter(|first| may_stand_for(first, &letter.src));
        self.replay_of.append_option(first.map(Src::to_string));
        self.src_topic.append_value(&letter.src_topic);
        self.src_ts.append_value(time::clamp_ms(letter.src_timestamp_ms));
        self.error_code.append_value(&letter.code);
        self.error_field.append_value(&letter.field);
        self.error_detail.append_value(&letter.detail);
        self.errors.append_value(&letter.errors);
        self.contract_version.append_value(&letter.contract_version);
        self.validator_version.append_value(&letter.validator_version);
        self.first_seen_ts.append_value(time::clamp_ms(letter.first_seen_ms));
        self.replays.append_value(letter.replays);
        let mut names = std::collections::HashSet::new();
        // A name may repeat, the last one counts (R60: a map holds a key once); the order stays that of the record.
        let mut last: Vec<_> = message.headers.iter().collect();
        last.reverse();
        last.retain(|(name, _)| names.insert(*name));
        for (name, value) in last.into_iter().rev().filter(|(name, _)| dead_letter::is_stored_header(name)) {
            self.headers.keys().append_value(name);
            self.headers.values().append_value(value);
        }
        self.headers.append(true)?;
        self.key.append_option(message.key.as_ref());
        // A broker between that has no nulls would make an empty value of it; the header still tells.
        let value = message.value.as_bytes().filter(|_| !letter.value_is_null);
        self.value.append_option(value);
        let bytes = value.map(|value| letter.cut.as_ref().map_or(value.len() as u64, |cut| cut.bytes));
        self.value_bytes.append_option(bytes);
        self.value_sha256.append_option(letter.cut.as_ref().map(|cut| &cut.sha256));
        Ok(())
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.tenant_id.finish()),
            Arc::new(self.workspace_id.finish()),
            Arc::new(self.run_id.finish()),
            Arc::new(self.src.finish()),
            Arc::new(self.replay_of.finish()),
            Arc::new(self.src_topic.finish()),
            Arc::new(self.src_ts.finish()),
            Arc::new(self.error_code.finish()),
            Arc::new(self.error_field.finish()),
            Arc::new(self.error_detail.finish()),
            Arc::new(self.errors.finish()),
            Arc::new(self.contract_version.finish()),
            Arc::new(self.validator_version.finish()),
            Arc::new(self.first_seen_ts.finish()),
            Arc::new(self.replays.finish()),
            Arc::new(self.headers.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.value.finish()),
            Arc::new(self.value_bytes.finish()),
            Arc::new(self.value_sha256.finish()),
        ]
    }
}
