//! Whether a committed file is, byte for byte and row for row, what was committed. Reads what the store holds now: a file
//! of a local folder where it is, one of a remote store through a file without a name.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::datasets::Dataset;
use contracts::{datasets, layout, time};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;
use platform::store::{Store, StoreError, cache};
use sha2::{Digest, Sha256};

use super::{Rule, VerifyReport};

/// What a committed file turned out to be.
pub(super) enum Checked {
    /// It is not there.
    Missing,
    /// It is what was committed.
    Good,
    /// It is not.
    Bad(Rule, String),
}

/// Reports what is wrong with a file; true when it is missing.
pub(super) fn report(checked: Checked, file: &CommittedFile, report: &mut VerifyReport) -> bool {
    match checked {
        Checked::Good => {}
        Checked::Bad(rule, detail) => report.problem(rule, &file.path, detail),
        Checked::Missing => {
            report.problem(Rule::FileMissing, &file.path, format!("{} rows are missing", file.rows));
            return true;
        }
    }
    false
}

pub(super) fn check(store: &dyn Store, commit: &CommitRecord, file: &CommittedFile) -> Result<Checked, StoreError> {
    let Some(opened) = opened(store, &file.path)? else { return Ok(Checked::Missing) };
    let found = opened.map_err(|e| unreadable(&e)).and_then(|source| examine(commit, file, source));
    Ok(match found {
        Ok(()) => Checked::Good,
        Err((rule, detail)) => Checked::Bad(rule, detail),
    })
}

/// A file with what the store holds now; `None` when there is no such object.
pub fn opened(store: &dyn Store, path: &str) -> Result<Option<io::Result<File>>, StoreError> {
    match store.local_path(path) {
        Some(local) => match File::open(local) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => Ok(Some(opened)),
        },
        None => Ok(cache::nameless_copy(store, path)?.map(Ok)),
    }
}

fn unreadable(error: &impl std::error::Error) -> (Rule, String) {
    (Rule::FileChanged, format!("it cannot be read: {error}"))
}

fn examine(
    commit: &CommitRecord,
    file: &CommittedFile,
    source: impl ChunkReader + 'static,
) -> Result<(), (Rule, String)> {
    same_bytes(&source, file.bytes, &file.sha256).map_err(|detail| (Rule::FileChanged, detail))?;
    content(commit, file, source).map_err(|detail| (Rule::FileContent, detail))
}

/// Whether it has the size and the SHA-256 that its writer recorded; if not, what is wrong.
pub(super) fn same_bytes(source: &impl ChunkReader, bytes: u64, sha256: &str) -> Result<(), String> {
    if source.len() != bytes {
        return Err(format!("{} bytes, {bytes} were recorded", source.len()));
    }
    let found =
        source.get_read(0).map_err(|e| unreadable(&e).1).and_then(|all| digest(all).map_err(|e| unreadable(&e).1))?;
    if found != sha256 {
        return Err(format!("its SHA-256 is {found}, {sha256} was recorded"));
    }
    Ok(())
}

pub(super) fn digest(mut all: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match all.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn content(commit: &CommitRecord, file: &CommittedFile, source: impl ChunkReader + 'static) -> Result<(), String> {
    let dataset = datasets::of_path(&file.path).ok_or("it lies in no dataset")?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(source).map_err(|e| e.to_string())?;
    let version = file.schema_version;
    let wanted = dataset.columns(version).ok_or_else(|| {
        let newest = dataset.newest_version;
        format!(
            "it is of schema version {version}, this program knows versions 1 to {newest}: let a newer finops verify it"
        )
    })?;
    if builder.schema().fields() != wanted.fields() {
        return Err(format!("its columns are not those of schema version {version}"));
    }
    let rows = builder.metadata().file_metadata().num_rows();
    if u64::try_from(rows) != Ok(file.rows) {
        return Err(format!("{rows} rows, committed were {}", file.rows));
    }
    let wanted_path = path(commit, file, dataset.name);
    if file.path != wanted_path {
        return Err(format!("what it holds belongs into {wanted_path}"));
    }
    let columns = ["tenant_id"].into_iter().chain(dataset.dated_by);
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    for batch in builder.with_projection(mask).build().map_err(|e| e.to_string())? {
        let batch = batch.map_err(|e| e.to_string())?;
        tenant(file, &batch, dataset)?;
        if let Some(dated_by) = dataset.dated_by {
            day(file, &batch, dated_by)?;
        }
    }
    Ok(())
}

fn path(commit: &CommitRecord, file: &CommittedFile, dataset: &str) -> String {
    let CommitRecord { topic_id, partition, start, end, .. } = commit;
    let CommittedFile { tenant_id, run_date, .. } = file;
    let name = layout::part_name(topic_id, *partition, *start, *end, tenant_id, run_date);
    format!("{}/{name}", layout::partition_dir(dataset, tenant_id, run_date))
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b arrow::array::ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("there is no column {name}"))
}

fn tenant(file: &CommittedFile, batch: &RecordBatch, dataset: &Dataset) -> Result<(), String> {
    let unknown = dataset.has_unknown_tenants && file.tenant_id == layout::UNKNOWN_TENANT;
    let wanted = (!unknown).then_some(file.tenant_id.as_str());
    match column(batch, "tenant_id")?.as_string::<i32>().iter().find(|tenant| *tenant != wanted) {
        Some(other) => Err(format!("it holds a row of tenant {:?}", other.unwrap_or_default())),
        None => Ok(()),
    }
}

fn day(file: &CommittedFile, batch: &RecordBatch, dated_by: &str) -> Result<(), String> {
    let times = column(batch, dated_by)?.as_primitive::<TimestampMillisecondType>();
    match times.iter().find(|ms| ms.map(time::date_of).as_deref() != Some(&file.run_date)) {
        Some(other) => Err(format!("it holds a row of {}", other.map(time::date_of).unwrap_or_default())),
        None => Ok(()),
    }
}
