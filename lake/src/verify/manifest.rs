//! Manifests that name files, looked at while services replace them: a manifest whose files are not what it says is read
//! again, and only one that is still there counts.

use bytes::Bytes;
use contracts::source::ChainPosition;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::store::{Store, StoreError};

use super::area::Area;
use super::file::{opened, same_bytes};
use super::{Held, Rule, VerifyReport};

/// Replacements of one manifest while it is looked at. A busy exporter replaces one every few seconds.
const REPLACEMENTS_MAX: u32 = 10;

/// What a manifest and its files turned out to be.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Files that were compared.
    pub compared: u64,
    /// Rule, object and detail.
    pub problems: Vec<(Rule, String, String)>,
    /// Objects, how many files each, and why.
    pub not_compared: Vec<(String, Option<u64>, String)>,
    /// How far the chains had come when the files were made.
    pub positions: Vec<ChainPosition>,
}

impl Looked {
    pub fn problem(&mut self, rule: Rule, object: impl Into<String>, detail: impl Into<String>) {
        self.problems.push((rule, object.into(), detail.into()));
    }

    pub fn bad(rule: Rule, object: &str, detail: impl Into<String>) -> Self {
        let mut looked = Self::default();
        looked.problem(rule, object, detail);
        looked
    }

    /// Puts it into the report.
    pub fn report(self, area: Area, report: &mut VerifyReport) {
        report.compared(area, self.compared);
        for (rule, object, detail) in self.problems {
            report.problem(rule, object, detail);
        }
        for (object, count, reason) in self.not_compared {
            report.not_compared(area, object, count, reason);
        }
    }
}

/// Looks at a manifest until it is as it must be, or has not been replaced since it was read; `None` when there is none (any
/// more).
pub(super) fn settled<E>(
    read: impl Fn() -> Result<Option<Bytes>, E>,
    mut look: impl FnMut(&[u8]) -> Result<Looked, E>,
) -> Result<Option<Looked>, E> {
    let Some(mut bytes) = read()? else { return Ok(None) };
    let mut looked = look(&bytes)?;
    for _ in 0..REPLACEMENTS_MAX {
        if looked.problems.is_empty() {
            break;
        }
        match read()? {
            None => return Ok(None),
            Some(now) if now == bytes => break,
            Some(now) => bytes = now,
        }
        looked = look(&bytes)?;
    }
    Ok(Some(looked))
}

/// Rows of a Parquet file that has the size and digest its manifest says, or what is wrong with it; `None` when it is not
/// there.
pub(super) fn rows_of(
    store: &dyn Store,
    path: &str,
    bytes: u64,
    sha256: &str,
) -> Result<Option<Result<u64, String>>, StoreError> {
    let Some(opened) = opened(store, path)? else { return Ok(None) };
    let rows = opened.map_err(|e| format!("it cannot be read: {e}")).and_then(|source| {
        same_bytes(&source, bytes, sha256)?;
        let file = ParquetRecordBatchReaderBuilder::try_new(source).map_err(|e| e.to_string())?;
        u64::try_from(file.metadata().file_metadata().num_rows()).map_err(|e| e.to_string())
    });
    Ok(Some(rows))
}

/// Reports what was made of commits that the chains do not hold: a chain was cut, or set back.
pub(super) fn not_ahead(rule: Rule, object: &str, positions: &[ChainPosition], held: &Held, report: &mut VerifyReport) {
    for ChainPosition { topic, topic_id, partition, end } in positions {
        let chain_end = held.claimed_ends.get(&(topic_id.clone(), *partition)).copied().unwrap_or_default();
        if *end > chain_end {
            let detail = format!(
                "it was made of commits of {topic} {topic_id}/{partition} up to {end}, the commit chain ends at {chain_end}"
            );
            report.problem(rule, object, detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn only_a_manifest_that_is_still_there_counts() {
        // Contents of the manifest by read; files are right from `right` on.
        let check = |reads: &[&'static str], right: &str, expected: Option<usize>| {
            let next = Cell::new(0);
            let read = || {
                let text = reads.get(next.get()).copied();
                next.set(next.get() + 1);
                Ok::<_, ()>(text.map(|text| Bytes::from_static(text.as_bytes())))
            };
            let look = |bytes: &[u8]| {
                Ok(if bytes == right.as_bytes() { Looked::default() } else { Looked::bad(Rule::GoldMissing, "a", "b") })
            };
            assert_eq!(settled(read, look).unwrap().map(|looked| looked.problems.len()), expected, "{reads:?}");
        };
        check(&["1"], "1", Some(0));
        check(&["1", "1"], "2", Some(1));
        check(&["1", "2"], "2", Some(0));
        check(&["1", "2", "2"], "3", Some(1));
        check(&["1"], "2", None);
        check(&[], "1", None);
    }
}
