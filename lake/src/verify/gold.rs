//! Whether the files of the gold tables are what the tenants' manifests say, and made of commits that are there. Knows sizes,
//! digests and row counts; what a KPI is it does not know.

use std::collections::{BTreeMap, BTreeSet};

use contracts::gold_manifest::{FILE_NAME, FORMAT_VERSION, GoldManifest, path};
use contracts::layout;
use platform::store::{Store, StoreError};

use super::manifest::{Looked, rows_of, settled};
use super::{Rule, manifest};

/// A tenant's manifest, by path.
pub(super) type Found = Vec<(String, Looked)>;

/// Looks at all manifests and the files they name.
pub(super) fn look(store: &dyn Store, progress: &dyn Fn()) -> Result<Found, StoreError> {
    let listed: Vec<String> = store.list(layout::KPI_GOLD)?.into_iter().map(|entry| entry.path).collect();
    let mut found = without_manifest(&listed);
    for path in listed.into_iter().filter(|path| path.rsplit('/').next() == Some(FILE_NAME)) {
        let looked = settled(|| store.get(&path), |bytes| one(store, &path, bytes, progress))?;
        found.extend(looked.map(|looked| (path, looked)));
    }
    Ok(found)
}

/// Tenants that have files and no manifest: readers see nothing of them.
fn without_manifest(listed: &[String]) -> Found {
    let mut files: BTreeMap<&str, u64> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for path in listed {
        let Some((folder, name)) = tenant_folder(path) else { continue };
        match name {
            FILE_NAME => drop(named.insert(folder)),
            _ => *files.entry(folder).or_default() += 1,
        }
    }
    let reason = "no manifest names these files, so no reader finds them: the first build is under way or was stopped, or the \
                  manifest was removed; `finops exporter once` builds the tables";
    let looked = |(folder, count): (&str, u64)| {
        let not_compared = vec![(folder.to_owned(), Some(count), reason.to_owned())];
        (format!("{folder}/{FILE_NAME}"), Looked { not_compared, ..Looked::default() })
    };
    files.into_iter().filter(|(folder, _)| !named.contains(folder)).map(looked).collect()
}

/// The folder of the tenant, and the rest of the path.
fn tenant_folder(path: &str) -> Option<(&str, &str)> {
    let end = path.match_indices('/').nth(1)?.0;
    Some((&path[..end], &path[end + 1..]))
}

fn one(store: &dyn Store, own_path: &str, bytes: &[u8], progress: &dyn Fn()) -> Result<Looked, StoreError> {
    let manifest = match GoldManifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Looked::bad(Rule::GoldManifest, own_path, error.to_string())),
    };
    if manifest.format_version > FORMAT_VERSION {
        let reason = format!("format version {} is newer than this program", manifest.format_version);
        return Ok(Looked { not_compared: vec![(own_path.to_owned(), None, reason)], ..Looked::default() });
    }
    if path(&manifest.tenant_id) != own_path {
        return Ok(Looked::bad(Rule::GoldManifest, own_path, format!("it says to be that of {}", manifest.tenant_id)));
    }
    let mut looked = Looked { positions: manifest.positions.clone(), ..Looked::default() };
    for (period, table) in &manifest.periods {
        let mut rows = Some(0);
        for file in &table.files {
            progress();
            let Some(digest) = table.digests.get(file) else {
                rows = None;
                match store.open(file)? {
                    Some(_) => {
                        let reason = "its manifest records no digest; the next build of the tenant does".to_owned();
                        looked.not_compared.push((file.clone(), Some(1), reason));
                    }
                    None => looked.problem(Rule::GoldMissing, file, REBUILD),
                }
                continue;
            };
            match rows_of(store, file, digest.bytes, &digest.sha256)? {
                Some(Ok(more)) => rows = rows.map(|rows| rows + more),
                Some(Err(detail)) => {
                    rows = None;
                    looked.problem(Rule::GoldChanged, file, detail);
                }
                None => {
                    rows = None;
                    looked.problem(Rule::GoldMissing, file, REBUILD);
                }
            }
            looked.compared += 1;
        }
        if let Some(rows) = rows.filter(|rows| *rows != table.rows) {
            let detail = format!("the files of period {period} hold {rows} rows, {} were published", table.rows);
            looked.problem(Rule::GoldChanged, own_path, detail);
        }
    }
    Ok(looked)
}

const REBUILD: &str = "it is not there; `finops exporter once` rebuilds it";

/// Reports what was found, against the chains as they are now.
pub(super) fn report(found: Found, held: &super::Held, report: &mut super::VerifyReport) {
    for (path, looked) in found {
        manifest::not_ahead(Rule::GoldAhead, &path, &looked.positions, held, report);
        looked.report(super::Area::Gold, report);
    }
}
