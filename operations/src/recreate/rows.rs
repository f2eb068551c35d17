//! Which wire records are rows. The position of a row tells, until a broker gives it out again; then it is what the row says: a finding by
//! tenant, workspace, run and fingerprint, a dead letter by its bytes.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use contracts::judge::{Policy, judge};
use contracts::source::{self, Src, SrcSet};
use contracts::{datasets, frame};
use lake::chain;
use lake::verify;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::broker::Message;
use platform::store::Store;
use sha2::{Digest, Sha256};

use super::RecreateError;

/// What all chains hold.
#[derive(Default)]
pub(super) struct Written {
    /// Positions of rows.
    src: SrcSet,
    /// First positions of rows.
    firsts: SrcSet,
    files: Vec<String>,
}

impl Written {
    pub fn read(store: &dyn Store) -> Result<Self, RecreateError> {
        let mut held = Self::default();
        for folder in chain::folders(store)?.0 {
            let walked = folder.walk::<RecreateError>(store, |step| {
                source::union(&mut held.src, &step.commit.src);
                step.commit.runs.values().for_each(|firsts| source::union(&mut held.firsts, firsts));
                held.files.extend(step.commit.files.iter().map(|file| file.path.clone()));
                Ok(())
            })?;
            if let Some(broken) = walked.broken {
                return Err(broken.into());
            }
        }
        Ok(held)
    }

    pub fn has(&self, src: &Src) -> bool {
        self.src.get(&src.partition).is_some_and(|offsets| offsets.contains(src.offset))
    }

    pub fn has_first(&self, src: &Src) -> bool {
        self.firsts.get(&src.partition).is_some_and(|offsets| offsets.contains(src.offset))
    }
}

/// What identifies a row.
type Key = [u8; 32];

/// Rows by what they say, of the records that were asked for: how many there are, and how many no record was found for yet.
#[derive(Default)]
pub(super) struct Known(HashMap<Key, (u64, u64)>);

impl Known {
    /// Asks for the row of a record.
    pub fn ask(&mut self, message: &Message, own: &Src) {
        for key in keys(message, own) {
            self.0.entry(key).or_default();
        }
    }

    /// Counts the rows that were asked for.
    pub fn read_rows(&mut self, store: &dyn Store, held: &Written) -> Result<(), RecreateError> {
        if self.0.is_empty() {
            return Ok(());
        }
        held.files.iter().try_for_each(|path| {
            self.file(store, path).map_err(|problem| RecreateError::File { path: path.clone(), problem })
        })
    }

    fn file(&mut self, store: &dyn Store, path: &str) -> Result<(), String> {
        let opened = verify::opened(store, path).map_err(|e| e.to_string())?;
        let source = opened.ok_or("it is not there")?.map_err(|e| e.to_string())?;
        let is_finding = datasets::FINDINGS.holds(path);
        let columns: &[&str] = match is_finding {
            true => &["tenant_id", "workspace_id", "run_id", "fingerprint"],
            false => &["src", "replay_of", "value", "value_sha256"],
        };
        let builder = ParquetRecordBatchReaderBuilder::try_new(source).map_err(|e| e.to_string())?;
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        for batch in builder.with_projection(mask).build().map_err(|e| e.to_string())? {
            let batch = batch.map_err(|e| e.to_string())?;
            for row in 0..batch.num_rows() {
                let keys = if is_finding { vec![finding(&batch, row)?] } else { letter(&batch, row)? };
                for key in keys {
                    if let Some((all, left)) = self.0.get_mut(&key) {
                        (*all, *left) = (*all + 1, *left + 1);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the record has a row of its own: each row answers for one record.
    pub fn take_row(&mut self, message: &Message, own: &Src) -> bool {
        keys(message, own).iter().any(|key| match self.0.get_mut(key) {
            Some((_, left)) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        })
    }

    /// Whether there is a row that says what the record says.
    pub fn has_row(&self, message: &Message, own: &Src) -> bool {
        keys(message, own).iter().any(|key| self.0.get(key).is_some_and(|(all, _)| *all > 0))
    }
}

/// What the row of a record says, if it is a dead letter, and if it is a finding: that depends on policies, too. The dead letter comes
/// first: it bears the position, and its content may be that of a finding which was sent later.
fn keys(message: &Message, own: &Src) -> Vec<Key> {
    let policy = Policy { message_bytes_max: usize::MAX, ..Policy::default() };
    let finding = judge(frame::payload(&message.value), &policy, message.timestamp_ms)
        .map(|found| key(&[found.tenant_id(), found.workspace_id(), found.run_id(), found.fingerprint()]));
    let sha256 = hex::encode(Sha256::digest(&message.value));
    [key(&[&own.to_string(), &sha256])].into_iter().chain(finding).collect()
}

fn finding(batch: &RecordBatch, row: usize) -> Result<Key, String> {
    let text = |name: &str| text(batch, name, row).map(Option::unwrap_or_default);
    Ok(key(&[text("tenant_id")?, text("workspace_id")?, text("run_id")?, text("fingerprint")?]))
}

/// By its position, and by that of the record in whose place it was sent.
fn letter(batch: &RecordBatch, row: usize) -> Result<Vec<Key>, String> {
    let whole = || {
        let values = batch.column_by_name("value").ok_or("there is no column value")?.as_binary::<i32>();
        let value: &[u8] = if values.is_null(row) { &[] } else { values.value(row) };
        Ok::<_, String>(hex::encode(Sha256::digest(value)))
    };
    let sha256 = match text(batch, "value_sha256", row)? {
        // The value was cut.
        Some(of_the_whole) => of_the_whole.to_owned(),
        None => whole()?,
    };
    let positions = [text(batch, "src", row)?, text(batch, "replay_of", row)?];
    Ok(positions.into_iter().flatten().map(|position| key(&[position, &sha256])).collect())
}

fn text<'b>(batch: &'b RecordBatch, name: &str, row: usize) -> Result<Option<&'b str>, String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"))?.as_string::<i32>();
    Ok((!column.is_null(row)).then(|| column.value(row)))
}

fn key(parts: &[&str]) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
