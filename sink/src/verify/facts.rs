//! Whether the files of cost facts are what the manifests of their months say. Knows sizes, digests and row counts; what a
//! charge is it does not know.

use contracts::cost_manifest::FILE_NAME;
use contracts::layout;
use platform::store::{Store, StoreError};
use serde::Deserialize;

use super::manifest::{Looked, rows_of, settled};
use super::{Area, Report, Rule};

/// Newest format of manifests that can be compared.
const FORMAT_VERSION: u32 = 2;

/// What a month's manifest says of its files, in every version: the first file is a member of its own.
#[derive(Deserialize)]
struct Manifest {
    format_version: u32,
    #[serde(flatten)]
    main: Part,
    #[serde(default)]
    further_parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    part: String,
    rows: u64,
    bytes: u64,
    sha256: String,
}

/// Looks at all manifests and the files they name.
pub(super) fn verify(store: &dyn Store, report: &mut Report, progress: &dyn Fn()) -> Result<(), StoreError> {
    let listed = store.list(layout::COST_FACTS)?.into_iter().map(|entry| entry.path);
    for path in listed.filter(|path| path.rsplit('/').next() == Some(FILE_NAME)) {
        if let Some(looked) = settled(|| store.get(&path), |bytes| one(store, &path, bytes, progress))? {
            looked.report(Area::CostFacts, report);
        }
    }
    Ok(())
}

fn one(store: &dyn Store, own_path: &str, bytes: &[u8], progress: &dyn Fn()) -> Result<Looked, StoreError> {
    let manifest: Manifest = match serde_json::from_slice(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Looked::bad(Rule::CostFactsManifest, own_path, error.to_string())),
    };
    if manifest.format_version > FORMAT_VERSION {
        let reason = format!("format version {} is newer than this program", manifest.format_version);
        return Ok(Looked { not_compared: vec![(own_path.to_owned(), None, reason)], ..Looked::default() });
    }
    let folder = own_path.strip_suffix(FILE_NAME).unwrap_or_default();
    let mut looked = Looked::default();
    for part in [&manifest.main].into_iter().chain(&manifest.further_parts) {
        progress();
        looked.compared += 1;
        let path = format!("{folder}{}", part.part);
        match rows_of(store, &path, part.bytes, &part.sha256)? {
            Some(Ok(rows)) if rows == part.rows => {}
            Some(Ok(rows)) => {
                looked.problem(Rule::CostFactsChanged, path, format!("{rows} rows, {} were recorded", part.rows));
            }
            Some(Err(detail)) => looked.problem(Rule::CostFactsChanged, path, detail),
            None => {
                let detail = format!("{} rows are not there; load the bill again", part.rows);
                looked.problem(Rule::CostFactsMissing, path, detail);
            }
        }
    }
    Ok(looked)
}
