//! Whether the files of derived tables (KPIs, priced findings) are what the tenants' manifests say, and made of commits that are
//! there. Knows sizes, digests and row counts; what a row means it does not know.

use std::collections::{BTreeMap, BTreeSet};

use contracts::layout;
use contracts::table_manifest::{FILE_NAME, FORMAT_VERSION, TableManifest, path};
use platform::store::{Store, StoreError};

use super::manifest::{Looked, rows_of, settled};
use super::{Area, Rule, manifest};

/// Tables that one manifest of a tenant lists, and what is wrong where they are not as it says.
pub(super) struct Tables {
    /// Dataset that holds the manifest.
    dataset: &'static str,
    /// Datasets that hold the files.
    datasets: &'static [&'static str],
    area: Area,
    missing: Rule,
    changed: Rule,
    unreadable: Rule,
    ahead: Rule,
}

/// All there are.
pub(super) static ALL: [Tables; 2] = [
    Tables {
        dataset: layout::KPI_GOLD,
        datasets: &[layout::KPI_GOLD, layout::RUN_TABLE],
        area: Area::Gold,
        missing: Rule::GoldMissing,
        changed: Rule::GoldChanged,
        unreadable: Rule::GoldManifest,
        ahead: Rule::GoldAhead,
    },
    Tables {
        dataset: layout::FINDINGS_ENRICHED,
        datasets: &[layout::FINDINGS_ENRICHED, layout::COST_ATTRIBUTION],
        area: Area::Attribution,
        missing: Rule::AttributionMissing,
        changed: Rule::AttributionChanged,
        unreadable: Rule::AttributionManifest,
        ahead: Rule::AttributionAhead,
    },
];

/// A tenant's manifest, by path.
pub(super) type Found = Vec<(String, Looked)>;

/// Looks at all manifests of some tables and the files they name.
pub(super) fn look(tables: &Tables, store: &dyn Store, progress: &dyn Fn()) -> Result<Found, StoreError> {
    let mut listed: Vec<String> = Vec::new();
    for dataset in tables.datasets {
        listed.extend(store.list(dataset)?.into_iter().map(|entry| entry.path));
    }
    let mut found = without_manifest(tables, &listed);
    for path in listed.into_iter().filter(|path| path.rsplit('/').next() == Some(FILE_NAME)) {
        let looked = settled(|| store.get(&path), |bytes| one(tables, store, &path, bytes, progress))?;
        found.extend(looked.map(|looked| (path, looked)));
    }
    Ok(found)
}

/// Tenants that have files and no manifest: readers see nothing of them.
fn without_manifest(tables: &Tables, listed: &[String]) -> Found {
    let mut files: BTreeMap<&str, u64> = BTreeMap::new();
    let mut named = BTreeSet::new();
    for path in listed {
        let Some((tenant, name)) = tenant_folder(path) else { continue };
        match name {
            FILE_NAME => drop(named.insert(tenant)),
            _ => *files.entry(tenant).or_default() += 1,
        }
    }
    let reason = "no manifest names these files, so no reader finds them: the first build is under way or was stopped, or the \
                  manifest was removed; `finops exporter once` builds the tables";
    let looked = |(tenant, count): (&str, u64)| {
        let folder = format!("{}/{tenant}", tables.dataset);
        let not_compared = vec![(folder.clone(), Some(count), reason.to_owned())];
        (format!("{folder}/{FILE_NAME}"), Looked { not_compared, ..Looked::default() })
    };
    files.into_iter().filter(|(tenant, _)| !named.contains(tenant)).map(looked).collect()
}

/// The tenant's segment of the path, and what follows it.
fn tenant_folder(path: &str) -> Option<(&str, &str)> {
    let (_, below) = path.split_once('/')?;
    below.split_once('/')
}

fn one(
    tables: &Tables,
    store: &dyn Store,
    own_path: &str,
    bytes: &[u8],
    progress: &dyn Fn(),
) -> Result<Looked, StoreError> {
    let manifest = match TableManifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Looked::bad(tables.unreadable, own_path, error.to_string())),
    };
    if manifest.format_version > FORMAT_VERSION {
        let reason = format!("format version {} is newer than this program", manifest.format_version);
        return Ok(Looked { not_compared: vec![(own_path.to_owned(), None, reason)], ..Looked::default() });
    }
    if path(tables.dataset, &manifest.tenant_id) != own_path {
        return Ok(Looked::bad(tables.unreadable, own_path, format!("it says to be that of {}", manifest.tenant_id)));
    }
    let mut looked = Looked { positions: manifest.positions.clone(), ..Looked::default() };
    for table in manifest.tables() {
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
                    None => looked.problem(tables.missing, file, REBUILD),
                }
                continue;
            };
            match rows_of(store, file, digest.bytes, &digest.sha256)? {
                Some(Ok(more)) => rows = rows.map(|rows| rows + more),
                Some(Err(detail)) => {
                    rows = None;
                    looked.problem(tables.changed, file, detail);
                }
                None => {
                    rows = None;
                    looked.problem(tables.missing, file, REBUILD);
                }
            }
            looked.compared += 1;
        }
        if let Some(rows) = rows.filter(|rows| *rows != table.rows) {
            let detail = format!("{} hold {rows} rows, {} were published", table.files.join(", "), table.rows);
            looked.problem(tables.changed, own_path, detail);
        }
    }
    Ok(looked)
}

const REBUILD: &str = "it is not there; `finops exporter once` rebuilds it";

/// Reports what was found, against the chains as they are now.
pub(super) fn report(tables: &Tables, found: Found, held: &super::Held, report: &mut super::VerifyReport) {
    for (path, looked) in found {
        manifest::not_ahead(tables.ahead, &path, &looked.positions, held, report);
        looked.report(tables.area, report);
    }
}
