//! The files of a month's next generation: row groups of live deliveries are copied as they are, without decoding them. What
//! is written for one load is bounded: a file that has reached the target size is left alone.

use std::fs::File;
use std::io;

use contracts::cost_manifest::{CostManifest, FactsPart, LiveDelivery, RowGroups};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
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
        copy.close()?;
        Ok(rows)
    }
}

/// Row groups of a file that these deliveries have.
fn groups(deliveries: &[LiveDelivery], part: &str) -> usize {
    let of = deliveries.iter().flat_map(|delivery| &delivery.row_groups).filter(|groups| groups.part == part);
    of.map(|groups| groups.row_groups.len()).sum()
}
