//! `finops_dead_letters`: where the row of a dead letter belongs, and headers and bytes as received to Arrow.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMillisecondArray, UInt32Array, UInt64Array,
};
use arrow::error::ArrowError;
use contracts::claims::may_stand_for;
use contracts::dead_letter::{self, CONTRACT_VERSION, DeadLetter};
use contracts::source::{Src, SrcPartition};
use contracts::topics::headers;
use contracts::{datasets, layout, time};
use platform::broker::Message;

use super::encoder::{Bad, Encoder, FileOf};
use crate::batch::{BatchRow, FileTarget};
use crate::error::LakeError;
use crate::row::{self, NOT_A_STORAGE_RECORD, Record};

/// Where the row of a dead letter belongs: by its tenant, if one is known, and the day it was received.
pub(super) fn row(message: &Arc<Message>) -> Result<BatchRow<Record>, String> {
    let target = FileTarget {
        dataset: &datasets::DEAD_LETTERS,
        tenant: tenant_of(message).unwrap_or(layout::UNKNOWN_TENANT).to_owned(),
        run_date: time::date_of(time::clamp_ms(message.timestamp_ms)),
    };
    DeadLetter::from_headers(|name| message.header(name)).map_err(|e| e.to_string())?;
    row::row(message, target, run_of(message))
}

fn tenant_of(message: &Message) -> Option<&str> {
    row::text(message, headers::TENANT_ID).filter(|tenant| layout::is_tenant_slug(tenant))
}

/// The run that a dead letter is counted for, `tenant/workspace/run_id`, or `//run_id` where its headers tell no more.
pub(crate) fn run_of(message: &Message) -> Option<String> {
    let run_id = row::text(message, headers::RUN_ID)?;
    Some(match (tenant_of(message), row::text(message, headers::WORKSPACE_ID)) {
        (Some(tenant), Some(workspace)) => format!("{tenant}/{workspace}/{run_id}"),
        _ => format!("//{run_id}"),
    })
}

/// Makes rows of dead letters; everything can be one.
pub(super) struct Letters;

impl Encoder for Letters {
    fn version_of(&self, _: &[Record]) -> Result<u16, LakeError> {
        Ok(dead_letter::SCHEMA_VERSION)
    }

    fn encode<'r>(&mut self, records: &'r [Record], file: FileOf<'_>) -> Result<(RecordBatch, Vec<Bad<'r>>), String> {
        let tenant = Some(file.target.tenant.as_str()).filter(|tenant| *tenant != layout::UNKNOWN_TENANT);
        let rows: Vec<LetterRow<'_>> =
            records.iter().map(|record| LetterRow::of(record, tenant, file.topic_id)).collect();
        let columns = columns(&rows).and_then(|columns| {
            RecordBatch::try_new(dead_letter::arrow_schema(), columns.into_iter().map(|(_, column)| column).collect())
        });
        Ok((columns.map_err(|e| e.to_string())?, Vec::new()))
    }
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
    let text = |name| row::text(message, name);
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

struct LetterRow<'r> {
    tenant: Option<&'r str>,
    message: &'r Message,
    letter: DeadLetter,
    /// The position it stands for, if it may.
    first: Option<Src>,
    value: Option<&'r [u8]>,
}

impl<'r> LetterRow<'r> {
    fn of(record: &'r Record, tenant: Option<&'r str>, topic_id: &str) -> Self {
        let (message, letter) = (&*record.message, letter(record, topic_id));
        let first = letter.replay_of.clone().filter(|first| may_stand_for(first, &letter.src));
        // A broker between that has no nulls would make an empty value of it; the header still tells.
        let value = message.value.as_bytes().map(|bytes| &bytes[..]).filter(|_| !letter.value_is_null);
        Self { tenant, message, letter, first, value }
    }

    fn header(&self, name: &str) -> Option<&str> {
        row::text(self.message, name)
    }

    /// Of the value as it was received.
    fn value_bytes(&self) -> Option<u64> {
        let held = self.value?.len() as u64;
        Some(self.letter.cut.as_ref().map_or(held, |cut| cut.bytes))
    }
}

/// All columns, in the order of the schema.
fn columns(rows: &[LetterRow<'_>]) -> Result<Vec<(&'static str, ArrayRef)>, ArrowError> {
    let text = |of: &dyn for<'a> Fn(&'a LetterRow<'_>) -> Option<&'a str>| {
        Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let own = |of: &dyn Fn(&LetterRow<'_>) -> Option<String>| {
        Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let time = |of: &dyn Fn(&DeadLetter) -> i64| {
        let times = rows.iter().map(|row| time::clamp_ms(of(&row.letter)));
        Arc::new(TimestampMillisecondArray::from_iter_values(times).with_timezone("UTC")) as ArrayRef
    };
    let bytes = |of: &dyn for<'a> Fn(&'a LetterRow<'_>) -> Option<&'a [u8]>| {
        Arc::new(rows.iter().map(of).collect::<BinaryArray>()) as ArrayRef
    };
    let replays = UInt32Array::from_iter_values(rows.iter().map(|row| row.letter.replays));
    let value_bytes: UInt64Array = rows.iter().map(LetterRow::value_bytes).collect();
    Ok(vec![
        ("tenant_id", text(&|row| row.tenant)),
        ("workspace_id", text(&|row| row.header(headers::WORKSPACE_ID))),
        ("run_id", text(&|row| row.header(headers::RUN_ID))),
        ("src", own(&|row| Some(row.letter.src.to_string()))),
        ("replay_of", own(&|row| row.first.as_ref().map(Src::to_string))),
        ("src_topic", text(&|row| Some(&row.letter.src_topic))),
        ("src_ts", time(&|letter| letter.src_timestamp_ms)),
        ("error_code", text(&|row| Some(&row.letter.code))),
        ("error_field", text(&|row| Some(&row.letter.field))),
        ("error_detail", text(&|row| Some(&row.letter.detail))),
        ("errors", text(&|row| Some(&row.letter.errors))),
        ("contract_version", text(&|row| Some(&row.letter.contract_version))),
        ("validator_version", text(&|row| Some(&row.letter.validator_version))),
        ("first_seen_ts", time(&|letter| letter.first_seen_ms)),
        ("replays", Arc::new(replays)),
        ("headers", headers_of(rows)?),
        ("key", bytes(&|row| row.message.key.as_deref())),
        ("value", bytes(&|row| row.value)),
        ("value_bytes", Arc::new(value_bytes)),
        ("value_sha256", text(&|row| row.letter.cut.as_ref().map(|cut| cut.sha256.as_str()))),
    ])
}

fn headers_of(rows: &[LetterRow<'_>]) -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), BinaryBuilder::new());
    for row in rows {
        let mut names = HashSet::new();
        // A name may repeat, the last one counts (R60: a map holds a key once); the order stays that of the record.
        let mut last: Vec<_> = row.message.headers.iter().collect();
        last.reverse();
        last.retain(|(name, _)| names.insert(*name));
        for (name, value) in last.into_iter().rev().filter(|(name, _)| dead_letter::is_stored_header(name)) {
            map.keys().append_value(name);
            map.values().append_value(value);
        }
        map.append(true)?;
    }
    Ok(Arc::new(map.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_schema_in_its_order() {
        let made: Vec<&str> = columns(&[]).unwrap().into_iter().map(|(name, _)| name).collect();
        let schema = dead_letter::arrow_schema();
        assert_eq!(made, schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>());
    }
}
