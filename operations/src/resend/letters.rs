//! Dead letters as the dataset holds them: it keeps them longer than any topic does.

use std::fs::File;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, TimestampMillisecondType, UInt32Type, UInt64Type};
use bytes::Bytes;
use contracts::datasets;
use contracts::layout;
use contracts::source::Src;
use lake::chain;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use platform::broker::{Headers, RecordValue};
use platform::store::Store;
use serde::{Deserialize, Serialize};

use super::ResendError;

/// Letters read at once. Each may hold the largest record of a broker (10 MiB), and an Arrow column holds at most 2 GiB.
const LETTERS_AT_ONCE: usize = 64;

/// A dead letter: where it came from, why it was refused, and the record as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Tenant, when the record names one.
    pub tenant_id: Option<String>,
    /// Run, when the record names one.
    pub run_id: Option<String>,
    /// Position it was refused at.
    pub src: Src,
    /// Its first position, when it had been sent again.
    pub replay_of: Option<Src>,
    /// Topic it came from.
    pub src_topic: String,
    /// Code of the first violation.
    pub error_code: String,
    /// First refusal, milliseconds since the epoch.
    pub first_seen_ms: i64,
    /// How often it was redriven.
    pub replays: u32,
    /// Headers as received; of a repeated name the last one.
    pub headers: Headers,
    /// Key as received.
    pub key: Option<Bytes>,
    /// Value as received, or its first bytes; null for a tombstone.
    pub value: RecordValue,
    /// Only the first bytes were kept.
    pub is_cut: bool,
}

/// Which dead letters. Empty lists ask for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Tenants; `_unknown` for records that name none.
    pub tenant_id: Vec<String>,
    /// Runs.
    pub run_id: Vec<String>,
    /// Codes of the first violation.
    pub error_code: Vec<String>,
    /// Topics they came from.
    pub src_topic: Vec<String>,
    /// Positions.
    pub src: Vec<Src>,
    /// First refused at or after, milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// First refused before, milliseconds since the epoch.
    pub until_ms: Option<i64>,
}

impl Filter {
    /// It asks for nothing, so everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn takes_tenant(&self, tenant: &str) -> bool {
        self.tenant_id.is_empty() || self.tenant_id.iter().any(|wanted| wanted == tenant)
    }

    /// The letter is asked for.
    #[must_use]
    pub fn matches(&self, letter: &Letter) -> bool {
        let one_of = |wanted: &[String], found: Option<&str>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
        };
        self.takes_tenant(letter.tenant_id.as_deref().unwrap_or(layout::UNKNOWN_TENANT))
            && one_of(&self.run_id, letter.run_id.as_deref())
            && one_of(&self.error_code, Some(&letter.error_code))
            && one_of(&self.src_topic, Some(&letter.src_topic))
            && (self.src.is_empty() || self.src.contains(&letter.src))
            && self.since_ms.is_none_or(|since| letter.first_seen_ms >= since)
            && self.until_ms.is_none_or(|until| letter.first_seen_ms < until)
    }
}

/// Committed files that may hold letters of the filter, in the order of the chains.
///
/// # Errors
/// A chain is broken, or the store refuses.
pub(super) fn files(store: &dyn Store, filter: &Filter) -> Result<Vec<String>, ResendError> {
    let mut files = Vec::new();
    for folder in chain::folders(store)?.0 {
        let walked = folder.walk::<ResendError>(store, |step| {
            let letters = step
                .commit
                .files
                .iter()
                .filter(|file| datasets::DEAD_LETTERS.holds(&file.path) && filter.takes_tenant(&file.tenant_id));
            files.extend(letters.map(|file| file.path.clone()));
            Ok(())
        })?;
        if let Some(broken) = walked.broken {
            return Err(broken.into());
        }
    }
    Ok(files)
}

/// Letters of one file, part by part. A file that is not published yet is empty.
pub(super) fn read(
    store: &dyn Store,
    path: &str,
) -> Result<impl Iterator<Item = Result<Vec<Letter>, ResendError>>, ResendError> {
    let failed = |problem: String| ResendError::File { path: path.to_owned(), problem };
    let reader = open(store, path)?;
    Ok(reader.into_iter().flatten().map(move |batch| {
        let batch = batch.map_err(|e| failed(e.to_string()))?;
        (0..batch.num_rows()).map(|row| letter(&batch, row).map_err(failed)).collect()
    }))
}

fn open(store: &dyn Store, path: &str) -> Result<Option<ParquetRecordBatchReader>, ResendError> {
    let failed = |problem: String| ResendError::File { path: path.to_owned(), problem };
    let opened =
        match store.local_path(path) {
            Some(local) => match File::open(local) {
                Ok(file) => ParquetRecordBatchReaderBuilder::try_new(file)
                    .and_then(|b| b.with_batch_size(LETTERS_AT_ONCE).build()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed(error.to_string())),
            },
            None => match store.get(path)? {
                Some(bytes) => ParquetRecordBatchReaderBuilder::try_new(bytes)
                    .and_then(|b| b.with_batch_size(LETTERS_AT_ONCE).build()),
                None => return Ok(None),
            },
        };
    opened.map(Some).map_err(|e| failed(e.to_string()))
}

fn letter(batch: &RecordBatch, row: usize) -> Result<Letter, String> {
    let required = |name: &str| text(batch, row, name).ok_or_else(|| format!("row {row} has no {name}"));
    let position = |name: &str, text: &str| text.parse::<Src>().map_err(|e| format!("row {row}, {name}: {e}"));
    let src = position("src", required("src")?)?;
    let value = RecordValue::from(binary(batch, row, "value"));
    let bytes = number::<UInt64Type>(batch, row, "value_bytes");
    Ok(Letter {
        tenant_id: text(batch, row, "tenant_id").map(str::to_owned),
        run_id: text(batch, row, "run_id").map(str::to_owned),
        replay_of: text(batch, row, "replay_of").map(|text| position("replay_of", text)).transpose()?,
        src_topic: required("src_topic")?.to_owned(),
        error_code: required("error_code")?.to_owned(),
        first_seen_ms: number::<TimestampMillisecondType>(batch, row, "first_seen_ts").unwrap_or_default(),
        replays: number::<UInt32Type>(batch, row, "replays").unwrap_or_default(),
        headers: headers(batch, row),
        key: binary(batch, row, "key"),
        is_cut: bytes.is_some_and(|bytes| bytes > value.len() as u64),
        value,
        src,
    })
}

fn text<'b>(batch: &'b RecordBatch, row: usize, name: &str) -> Option<&'b str> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn binary(batch: &RecordBatch, row: usize, name: &str) -> Option<Bytes> {
    let column = batch.column_by_name(name)?.as_binary_opt::<i32>()?;
    column.is_valid(row).then(|| Bytes::copy_from_slice(column.value(row)))
}

fn number<T: ArrowPrimitiveType>(batch: &RecordBatch, row: usize, name: &str) -> Option<T::Native> {
    let column = batch.column_by_name(name)?.as_primitive_opt::<T>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn headers(batch: &RecordBatch, row: usize) -> Headers {
    let Some(column) = batch.column_by_name("headers").and_then(|c| c.as_map_opt()) else { return Headers::new() };
    let entries = column.value(row);
    let (Some(names), Some(values)) =
        (entries.column(0).as_string_opt::<i32>(), entries.column(1).as_binary_opt::<i32>())
    else {
        return Headers::new();
    };
    names.iter().zip(values.iter()).filter_map(|(name, value)| Some((name?, value.unwrap_or_default()))).collect()
}
