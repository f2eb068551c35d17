//! Whether exported files are what the tenants' manifests say, and made of commits that are there. They lie in a folder of some
//! machine, outside the store: what is not on this machine cannot be compared.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use contracts::datasets;
use contracts::export_manifest::{ExportedFile, ExportedFiles, FILE_NAME, FORMAT_VERSION, HIDDEN};
use contracts::layout;

use super::file::digest;
use super::manifest::{self, Looked, settled};
use super::{Area, Held, Rule, VerifyReport};

/// What was found in the folder of exports.
pub(super) enum Found {
    /// Each tenant's folder.
    Tenants(Vec<(String, Looked)>),
    /// It was not looked at, or cannot be.
    Nothing(String),
}

/// Looks at the folders of all tenants.
pub(super) fn look(folder: Option<&Path>, progress: &dyn Fn()) -> Found {
    let Some(folder) = folder else { return Found::Nothing("no folder of exports was given".to_owned()) };
    let tenants = match folders(folder) {
        Ok(tenants) => tenants,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Found::Nothing(format!("{} is not on this machine", folder.display()));
        }
        Err(error) => return Found::Nothing(format!("{} cannot be read: {error}", folder.display())),
    };
    let looked = tenants.into_iter().map(|tenant| {
        let path = tenant.join(FILE_NAME);
        let object = path.display().to_string();
        match settled(|| read(&path), |bytes| one(&tenant, &object, bytes, progress)) {
            Ok(Some(looked)) => (object, looked),
            Ok(None) => nothing(object, "it is not there, so nothing says what the files beside it must be".to_owned()),
            Err(error) => nothing(object, format!("it cannot be read: {error}")),
        }
    });
    Found::Tenants(looked.collect())
}

fn nothing(object: String, reason: String) -> (String, Looked) {
    let looked = Looked { not_compared: vec![(object.clone(), None, reason)], ..Looked::default() };
    (object, looked)
}

/// Folders that may be a tenant's, in order.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with(HIDDEN);
        if !is_hidden && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> io::Result<Option<Bytes>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn one(folder: &Path, object: &str, bytes: &[u8], progress: &dyn Fn()) -> io::Result<Looked> {
    let manifest: ExportedFiles = match serde_json::from_slice(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Looked::bad(Rule::ExportManifest, object, error.to_string())),
    };
    if manifest.format_version > FORMAT_VERSION {
        let reason = format!("format version {} is newer than this program", manifest.format_version);
        return Ok(Looked { not_compared: vec![(object.to_owned(), None, reason)], ..Looked::default() });
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if layout::encode_segment(&manifest.tenant_id) != name {
        let detail = format!("it says to be that of {}", manifest.tenant_id);
        return Ok(Looked::bad(Rule::ExportManifest, object, detail));
    }
    let mut looked = Looked { positions: manifest.positions, ..Looked::default() };
    for ExportedFile { name, bytes, sha256, .. } in &manifest.files {
        progress();
        looked.compared += 1;
        let path = folder.join(name);
        let found = match fs::File::open(&path) {
            Ok(file) => (file.metadata()?.len(), digest(file)?),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let detail = "it is not there; `finops exporter once` rebuilds it";
                looked.problem(Rule::ExportMissing, path.display().to_string(), detail);
                continue;
            }
            Err(error) => return Err(error),
        };
        if found.0 != *bytes || found.1 != *sha256 {
            let detail = format!(
                "{} bytes with SHA-256 {}, exported were {bytes} with {sha256}; `finops exporter once` rebuilds it",
                found.0, found.1
            );
            looked.problem(Rule::ExportChanged, path.display().to_string(), detail);
        }
    }
    Ok(looked)
}

/// Reports what was found, against the chains as they are now; `was_exported` when there are gold tables, which exporters
/// write first.
pub(super) fn report(found: Found, was_exported: bool, held: &Held, report: &mut VerifyReport) {
    match found {
        Found::Tenants(tenants) => {
            for (object, looked) in tenants {
                manifest::not_ahead(Rule::ExportAhead, &object, &looked.positions, held, report);
                looked.report(Area::Exports, report);
            }
        }
        Found::Nothing(reason) => {
            // Bills alone make gold tables, but no exported files.
            if was_exported && held.files.iter().any(|path| datasets::FINDINGS.holds(path)) {
                report.not_compared(Area::Exports, "exports", None, reason);
            }
        }
    }
}
