//! A batch's rows to Parquet files, staged. The same rows always make the same bytes, so that a file can be rebuilt
//! and compared.

pub(crate) mod dead_letters;
mod encoder;
mod findings;
mod finishing;
mod formats;
mod publisher;

use std::collections::BTreeMap;
use std::thread;

use arrow::array::RecordBatch;
use contracts::commit_record::CommittedFile;
use contracts::datasets::{self, Dataset};
use contracts::layout;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use platform::store::{Staged, StagedWrite, Store, StoreError};
use tracing::error;

use crate::batch::{FileTarget, OpenFile, Staging};
use crate::error::LakeError;
use crate::row::{self, Record};
use encoder::{Encoder, FileOf};
use finishing::Finishing;
pub use formats::row_of;
pub use publisher::Publisher;

/// Key of a file's metadata that names the version of its schema.
const SCHEMA_VERSION: &str = "finops.schema_version";
/// Rows decoded and handed to the Parquet writer at once.
const CHUNK_ROWS: usize = 8_192;
/// Bytes of records of such a part: an Arrow column holds at most 2 GiB, and a key or header may be as large as a value.
const CHUNK_BYTES_MAX: u64 = 64 << 20;
/// Rows of a row group: DuckDB reads row groups in parallel and likes about this many.
const ROW_GROUP_ROWS: usize = 122_880;

/// Writes all files of a batch where no reader looks.
///
/// # Errors
/// The store or Parquet refused; what was staged is dropped again.
pub fn stage(store: &dyn Store, batch: &Staging<'_, Record>) -> Result<Vec<CommittedFile>, LakeError> {
    let (staged, outcome) = thread::scope(|scope| {
        let mut finishing = Finishing::on(scope);
        let written = stage_all(store, batch, &mut finishing);
        finishing.all(written)
    });
    match outcome {
        Ok(()) => Ok(staged),
        Err(error) => {
            discard(store, &staged);
            Err(error)
        }
    }
}

/// Parts of at most so many rows and bytes; a record that is larger is a part of its own.
fn chunks(rows: &[Record], bytes_max: u64) -> impl Iterator<Item = &[Record]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |record: &&Record| {
            bytes += row::size(&record.message);
            bytes <= bytes_max
        };
        let count = rest.iter().take(CHUNK_ROWS).take_while(fits).count().max(1).min(rest.len());
        let (chunk, behind) = rest.split_at(count);
        rest = behind;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Drops staged files; what cannot be dropped now is swept later.
pub fn discard(store: &dyn Store, files: &[CommittedFile]) {
    for file in files {
        if let Err(error) = store.discard(&staged_of(file)) {
            tracing::warn!(%error, "a staged file stays until it is swept");
        }
    }
}

/// What publishes a committed file.
pub(crate) fn staged_of(file: &CommittedFile) -> Staged {
    Staged { target: file.path.clone(), token: file.staged.clone(), bytes: file.bytes, sha256: file.sha256.clone() }
}

fn stage_all(
    store: &dyn Store,
    batch: &Staging<'_, Record>,
    finishing: &mut Finishing<'_, '_>,
) -> Result<(), LakeError> {
    let mut encoders: BTreeMap<&Dataset, Box<dyn Encoder>> = BTreeMap::new();
    let mut dead: BTreeMap<FileTarget, Vec<Record>> = BTreeMap::new();
    for (target, OpenFile { rows, .. }) in batch.files {
        if target.dataset == &datasets::DEAD_LETTERS {
            dead.entry(target.clone()).or_default().extend(rows.iter().cloned());
            continue;
        }
        let encoder = encoders.entry(target.dataset).or_insert_with(|| (formats::of(target.dataset).encoder)());
        for bad in stage_file(store, batch, target, rows, &mut **encoder, finishing)? {
            let quarantined = row::quarantined(&bad.message, batch.topic_id, bad.problem.unwrap_or_default());
            dead.entry(quarantined.target).or_default().push(quarantined.payload);
        }
    }
    let mut encoder = (formats::of(&datasets::DEAD_LETTERS).encoder)();
    for (target, mut rows) in dead {
        rows.sort_by_key(|row| row.message.offset);
        stage_file(store, batch, &target, &rows, &mut *encoder, finishing)?;
    }
    Ok(())
}

/// Returns the records that are no rows of this target.
fn stage_file(
    store: &dyn Store,
    batch: &Staging<'_, Record>,
    target: &FileTarget,
    rows: &[Record],
    encoder: &mut dyn Encoder,
    finishing: &mut Finishing<'_, '_>,
) -> Result<Vec<Record>, LakeError> {
    let version = encoder.version_of(rows)?;
    let mut file = File::create(store, batch, target, version)?;
    let of = FileOf { topic_id: batch.topic_id, target, version };
    let mut all_bad = Vec::new();
    for chunk in chunks(rows, CHUNK_BYTES_MAX) {
        let (good, bad) = encoder.encode(chunk, of).map_err(|problem| file.failed(problem))?;
        file.write(&good)?;
        for (record, problem) in bad {
            let at = &record.message.at;
            let offset = record.message.offset;
            error!(topic = %at.topic, partition = at.partition, offset, problem, "no storage record: kept as a dead letter");
            all_bad.push(Record { message: record.message.clone(), problem: Some(problem) });
        }
    }
    if all_bad.len() < rows.len() {
        finishing.add(file, target)?;
    }
    Ok(all_bad)
}

/// A Parquet file being staged.
struct File {
    path: String,
    rows: u64,
    schema_version: u16,
    writer: ArrowWriter<Box<dyn StagedWrite>>,
}

impl File {
    fn create(
        store: &dyn Store,
        batch: &Staging<'_, Record>,
        target: &FileTarget,
        schema_version: u16,
    ) -> Result<Self, LakeError> {
        let Staging { topic_id, partition, start, end, .. } = *batch;
        let FileTarget { dataset, tenant, run_date } = target;
        let name = layout::part_name(topic_id, partition, start, end, tenant, run_date);
        let path = format!("{}/{name}", layout::partition_dir(dataset.name, tenant, run_date));
        let Some(schema) = dataset.columns(schema_version) else {
            return Err(LakeError::Encode {
                path,
                problem: format!("{} has no version {schema_version}", dataset.name),
            });
        };
        let staged = store.stage(&path)?;
        let writer =
            properties(schema_version).and_then(|properties| ArrowWriter::try_new(staged, schema, Some(properties)));
        match writer {
            Ok(writer) => Ok(Self { path, rows: 0, schema_version, writer }),
            Err(error) => Err(refused(&path, error)),
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|e| refused(&self.path, e))
    }

    fn failed(&self, problem: String) -> LakeError {
        LakeError::Encode { path: self.path.clone(), problem }
    }
}

/// Files of version 1 do not name it: they are the same bytes as those of programs that knew no other.
fn properties(schema_version: u16) -> Result<WriterProperties, ParquetError> {
    let named =
        (schema_version > 1).then(|| vec![KeyValue::new(SCHEMA_VERSION.to_owned(), schema_version.to_string())]);
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("finops".to_owned())
        .set_key_value_metadata(named)
        .build())
}

/// A full disk must be distinguished from a bug: Parquet passes on what its writer said.
fn refused(path: &str, error: ParquetError) -> LakeError {
    let io = match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(io) => *io,
            Err(other) => return LakeError::Encode { path: path.to_owned(), problem: other.to_string() },
        },
        other => return LakeError::Encode { path: path.to_owned(), problem: other.to_string() },
    };
    LakeError::Store(StoreError::io("staging", path, io))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use platform::broker::{Headers, Message, TopicPartition};

    use super::*;

    #[test]
    fn parts_are_bounded_by_all_that_a_record_holds() {
        let record = |key: usize, value: usize, header: usize| {
            let message = Message {
                at: TopicPartition { topic: "t".into(), partition: 0 },
                offset: 0,
                timestamp_ms: 0,
                key: Some(vec![b'k'; key].into()),
                value: vec![b'v'; value].into(),
                headers: Headers::from_iter([("h", vec![b'h'; header].as_slice())]),
            };
            Record { message: Arc::new(message), problem: None }
        };
        let check = |records: &[Record], expected: &[usize]| {
            let found: Vec<usize> = chunks(records, 10_000).map(<[Record]>::len).collect();
            assert_eq!(found, expected);
        };
        check(&[], &[]);
        for (key, value, header) in [(4_000, 0, 0), (0, 4_000, 0), (0, 0, 4_000)] {
            let records: Vec<_> = (0..5).map(|_| record(key, value, header)).collect();
            check(&records, &[2, 2, 1]);
        }
        check(&[record(20_000, 0, 0), record(1, 1, 1), record(0, 0, 20_000)], &[1, 1, 1]);
        let small: Vec<_> = (0..CHUNK_ROWS + 1).map(|_| record(0, 0, 0)).collect();
        let counts: Vec<usize> = chunks(&small, u64::MAX).map(<[Record]>::len).collect();
        assert_eq!(counts, [CHUNK_ROWS, 1]);
    }
}
