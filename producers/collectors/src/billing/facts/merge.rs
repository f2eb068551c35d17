//! The files of a month's next generation: row groups of live deliveries are copied as they are, without decoding them. What
//! is written for one load is bounded: a file that has reached the target size is left alone.

use std::fs::File;
use std::io;

use contracts::cost_manifest::{CostManifest, FactsPart, LiveDelivery, RowGroups};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter};
use parquet::data_type::{ByteArrayType, FixedLenByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::writer::SerializedColumnWriter;
use platform::failpoint;
use platform::store::{Lease, Object, Store, StoreError};

use super::writer::{self, PartWriter, encode_error, store_error};
use crate::billing::error::LoadError;

/// Live files and what they hold, of a generation to be.
#[derive(Debug)]
pub(super) struct Merged {
    /// The main file, then further ones.
    pub parts: Vec<FactsPart>,
    /// All live deliveries.
    pub deliveries: Vec<LiveDelivery>,
    /// The file that was written for it and that no manifest names yet.
    pub written: Option<String>,
}

/// What the next generation is made of.
pub(super) struct Merge<'a> {
    pub store: &'a dyn Store,
    pub folder: &'a str,
    pub period: &'a str,
    pub part_bytes_target: u64,
}

impl Merge<'_> {
    /// Joins the kept live deliveries and the own ones.
    ///
    /// # Errors
    /// A live file is absent, damaged or unreadable, or the store refuses.
    pub(super) fn join(
        &self,
        live: Option<&CostManifest>,
        kept: Vec<LiveDelivery>,
        own: &FactsPart,
        joining: Vec<LiveDelivery>,
        own_is_whole: bool,
    ) -> Result<Merged, LoadError> {
        let (mut stay, mut open) = (Vec::new(), Vec::new());
        for part in live.iter().flat_map(|live| live.parts()) {
            let is_untouched =
                live.is_some_and(|live| groups(&live.deliveries, &part.part) == groups(&kept, &part.part));
            if groups(&kept, &part.part) == 0 {
                continue;
            }
            if is_untouched && part.bytes >= self.part_bytes_target {
                stay.push(part.clone());
            } else {
                open.push((part, is_untouched));
            }
        }
        let own_is_large = own.bytes >= self.part_bytes_target && open.iter().all(|(_, is_untouched)| *is_untouched);
        if own_is_whole && (open.is_empty() || own_is_large) {
            stay.extend(open.into_iter().map(|(part, _)| part.clone()));
            stay.insert(0, own.clone());
            let deliveries = kept.into_iter().chain(joining).collect();
            return Ok(Merged { parts: stay, deliveries, written: None });
        }
        let open: Vec<_> = open.into_iter().map(|(part, _)| part).chain([own]).collect();
        let mut deliveries: Vec<_> = kept.into_iter().chain(joining).collect();
        let written = self.copy(&open, &mut deliveries)?;
        stay.insert(0, written.clone());
        Ok(Merged { parts: stay, deliveries, written: Some(written.part) })
    }

    /// Copies the deliveries' row groups of these files into a new one, and notes where they are now.
    fn copy(&self, from: &[&FactsPart], deliveries: &mut [LiveDelivery]) -> Result<FactsPart, LoadError> {
        let lease = Lease::default();
        let sources: Vec<_> = from.iter().map(|part| self.open(part, &lease)).collect::<Result<_, _>>()?;
        let (name, mut file, _) = writer::begin_part(self.store, self.folder, self.period)?;
        let mut count = 0_u32;
        let mut rows = 0;
        for delivery in deliveries.iter_mut() {
            let mut moved = Vec::new();
            for source in &sources {
                for group in delivery.row_groups.iter().filter(|groups| groups.part == source.name) {
                    for number in &group.row_groups {
                        rows += source.copy(*number, &mut file).map_err(|e| encode_error(self.period, e))?;
                        moved.push(count);
                        count += 1;
                    }
                }
            }
            if !moved.is_empty() {
                delivery.row_groups.retain(|groups| !sources.iter().any(|source| source.name == groups.part));
                delivery.row_groups.push(RowGroups { part: name.clone(), row_groups: moved });
            }
        }
        let staged = writer::finish(self.period, file)?;
        failpoint::hit!("producers.facts.merged");
        writer::publish_part(self.store, &staged).map_err(|source| store_error(self.period, source))?;
        Ok(FactsPart { part: name, rows, bytes: staged.bytes, sha256: staged.sha256 })
    }

    /// Opens a live file, which the store compares with its digest: damage must not be copied under a new one.
    fn open(&self, part: &FactsPart, lease: &Lease) -> Result<Opened, LoadError> {
        let path = format!("{}/{}", self.folder, part.part);
        let failed = |source| store_error(self.period, source);
        let io_failed = |e: io::Error| failed(StoreError::io("reading", path.as_str(), e));
        let object = Object { path: &path, bytes: part.bytes, sha256: &part.sha256 };
        let local = self.store.local_file(object, lease).map_err(|error| match error {
            StoreError::Conflict { path, expected, found } => LoadError::Damaged { path, expected, found },
            other => failed(other),
        })?;
        let file = File::open(local).map_err(io_failed)?;
        let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        let metadata = reader.parse_and_finish(&file).map_err(|e| encode_error(self.period, e))?;
        Ok(Opened { name: part.part.clone(), file, metadata })
    }
}

struct Opened {
    name: String,
    file: File,
    metadata: ParquetMetaData,
}

impl Opened {
    /// Copies a row group; returns its rows.
    fn copy(&self, number: u32, to: &mut PartWriter) -> Result<u64, ParquetError> {
        let number = number as usize;
        let Some(group) = self.metadata.row_groups().get(number) else {
            return Err(ParquetError::General(format!("{} has no row group {number}", self.name)));
        };
        let index = self.metadata.page_index();
        let rows = u64::try_from(group.num_rows()).unwrap_or_default();
        let mut copy = to.next_row_group()?;
        for (at, column) in group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
                rows_written: rows,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: index.and_then(|index| index.column_index(number, at)).cloned(),
                offset_index: index.and_then(|index| index.offset_index(number, at)).cloned(),
            };
            copy.append_column(&self.file, close)?;
        }
        // A file of an earlier program lacks the columns that were added since, all at the end: they are null there.
        while let Some(column) = copy.next_column()? {
            fill_null(column, rows)?;
        }
        copy.close()?;
        Ok(rows)
    }
}

/// Writes a column that says nothing of its rows.
fn fill_null(mut column: SerializedColumnWriter<'_>, rows: u64) -> Result<(), ParquetError> {
    let levels = vec![0_i16; usize::try_from(rows).unwrap_or_default()];
    let (definition, repetition) = (Some(levels.as_slice()), Some(levels.as_slice()));
    match column.untyped() {
        ColumnWriter::ByteArrayColumnWriter(_) => {
            column.typed::<ByteArrayType>().write_batch(&[], definition, repetition)?
        }
        ColumnWriter::FixedLenByteArrayColumnWriter(_) => {
            column.typed::<FixedLenByteArrayType>().write_batch(&[], definition, repetition)?
        }
        _ => {
            return Err(ParquetError::General(
                "a column that was added to cost facts is neither text nor an amount".to_owned(),
            ));
        }
    };
    column.close()
}

/// Row groups of a file that these deliveries have.
fn groups(deliveries: &[LiveDelivery], part: &str) -> usize {
    let of = deliveries.iter().flat_map(|delivery| &delivery.row_groups).filter(|groups| groups.part == part);
    of.map(|groups| groups.row_groups.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, RecordBatch, StringArray, new_null_array};
    use contracts::arrow_schema::cost_facts;
    use contracts::layout;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use platform::store::local::LocalStore;

    use super::*;

    /// Columns of facts before costs were split.
    const OLD_COLUMNS: usize = 30;

    #[test]
    fn files_of_an_earlier_program_get_the_columns_that_were_added_since() {
        let schema = cost_facts();
        let all: Vec<usize> = (0..OLD_COLUMNS).collect();
        let old_schema = Arc::new(schema.project(&all).unwrap());
        let rows = 3_000;
        let column = |field: &arrow::datatypes::FieldRef| -> Arc<dyn Array> {
            match field.name().as_str() {
                "account_id" => Arc::new(StringArray::from_iter_values((0..rows).map(|n| n.to_string()))),
                _ => new_null_array(field.data_type(), rows),
            }
        };
        let columns = old_schema.fields().iter().map(column).collect();
        let batch = RecordBatch::try_new(Arc::clone(&old_schema), columns).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old.parquet");
        let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), old_schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();

        let file = File::open(&path).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        let old = Opened { name: "old".into(), file, metadata };
        let store = LocalStore::open(&dir.path().join("data"), layout::SINK).unwrap();
        let (name, mut part, _) = writer::begin_part(&store, "cur_facts/x", "2026-01").unwrap();
        assert_eq!(old.copy(0, &mut part).unwrap(), rows as u64);
        writer::publish_part(&store, &writer::finish("2026-01", part).unwrap()).unwrap();

        let file = store.get(&format!("cur_facts/x/{name}")).unwrap().unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(rows).build().unwrap();
        let read: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let [read] = read.as_slice() else { panic!("one batch expected") };
        assert_eq!(read.schema().fields(), schema.fields());
        assert_eq!(read.column_by_name("account_id").unwrap().as_string::<i32>().value(rows - 1), "2999");
        assert!(read.columns()[OLD_COLUMNS..].iter().all(|column| column.null_count() == rows));
    }
}
