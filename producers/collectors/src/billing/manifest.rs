//! Manifests that providers put beside a delivery: which files it is. AWS reports (`reportKeys`), AWS data exports
//! (`dataFiles`) and Azure exports (`blobs`).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::LoadError;
use super::quote::quote;
use super::storage::BillStorage;

/// End of the names of manifests, in lower case.
const NAME_END: &str = "manifest.json";
/// Longest manifest that is read: one of AWS has its columns and some thousand file names.
const BYTES_MAX: u64 = 16 << 20;

/// The manifest that was named; `None` when the file is none. One that is called `manifest.json` and was named among others is taken for a
/// mistake: it is there because all files of a folder were named.
///
/// # Errors
/// It cannot be read.
pub fn read_named(storage: &BillStorage, path: &Path, is_alone: bool) -> Result<Option<DeliveryManifest>, LoadError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if is_alone || name.ends_with("-manifest.json") { read(storage, path) } else { Ok(None) }
}

/// A manifest and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryManifest {
    /// Its path.
    pub path: PathBuf,
    /// The provider's own id of the delivery.
    pub assembly: Option<String>,
    /// The files; none when nothing was charged.
    pub files: Vec<ManifestFile>,
}

/// A file that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestFile {
    /// Its name, as the provider has it: a path in a bucket.
    pub key: String,
    /// Its size, where the manifest tells it.
    pub bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "assemblyId", alias = "executionId")]
    assembly: Option<String>,
    #[serde(rename = "runInfo")]
    run: Option<RunInfo>,
    #[serde(rename = "reportKeys", alias = "dataFiles")]
    keys: Option<Vec<String>>,
    blobs: Option<Vec<Blob>>,
}

#[derive(Deserialize)]
struct RunInfo {
    #[serde(rename = "runId")]
    run_id: Option<String>,
}

#[derive(Deserialize)]
struct Blob {
    #[serde(rename = "blobName")]
    name: String,
    #[serde(rename = "byteCount")]
    bytes: Option<serde_json::Value>,
}

impl Blob {
    fn file(self) -> Result<ManifestFile, String> {
        let bytes = self.bytes.filter(|bytes| !bytes.is_null());
        match (bytes.as_ref().map(serde_json::Value::as_u64), bytes) {
            (Some(None), Some(value)) => {
                Err(format!("byteCount of {} is {value}, which is no number of bytes", quote(&self.name)))
            }
            (size, _) => Ok(ManifestFile { key: self.name, bytes: size.flatten() }),
        }
    }
}

impl Content {
    fn files(self) -> Result<Vec<ManifestFile>, String> {
        match (self.keys, self.blobs) {
            (Some(keys), _) => Ok(keys.into_iter().map(|key| ManifestFile { key, bytes: None }).collect()),
            (None, Some(blobs)) => blobs.into_iter().map(Blob::file).collect(),
            (None, None) => Err("its list of files is null".to_owned()),
        }
    }
}

/// Members that list the files of a delivery.
const LISTS: [&str; 3] = ["reportKeys", "dataFiles", "blobs"];

/// The manifest at this path; `None` when the file is none.
///
/// # Errors
/// It cannot be read.
pub fn read(storage: &BillStorage, path: &Path) -> Result<Option<DeliveryManifest>, LoadError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !name.ends_with(NAME_END) {
        return Ok(None);
    }
    if storage.bytes(path)? > BYTES_MAX {
        return Ok(None);
    }
    let bytes = storage.first_bytes(path, BYTES_MAX)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let unreadable = |reason: String| LoadError::ManifestUnreadable { manifest: path.display().to_string(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| unreadable(format!("it is no JSON: {error}")))?;
    // Others have manifests, too.
    if !LISTS.iter().any(|list| value.get(list).is_some()) {
        return Ok(None);
    }
    let content: Content = serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
    let assembly = content.assembly.clone().or_else(|| content.run.as_ref().and_then(|run| run.run_id.clone()));
    let files = content.files().map_err(unreadable)?;
    Ok(Some(DeliveryManifest { path: path.to_owned(), assembly, files }))
}

impl DeliveryManifest {
    /// The folder that it lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Where a file that it names lies in a copy of the bucket, or of a part of it, below `root`. `None` when it is not there.
    ///
    /// A folder of the copy that has the name of one in the key stands for it. A copy with other names is searched by the end
    /// of the key, but only when the manifest's own folder is none of the key: else a file of another delivery, which has the
    /// same name, would be taken for a missing one.
    #[must_use]
    pub fn place(&self, storage: &BillStorage, key: &str, root: &Path) -> Option<PathBuf> {
        let key = key.split_once("://").map_or(key, |(_, rest)| rest);
        let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty() && !matches!(*part, "." | "..")).collect();
        let folders: Vec<&Path> = self.folder().ancestors().take_while(|folder| folder.starts_with(root)).collect();
        let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let below = |folder: &Path, from: usize| {
            Some(parts[from..].iter().fold(folder.to_owned(), |path, part| path.join(part)))
        };
        let is_there = |path: &PathBuf| storage.is_file(path);
        for folder in &folders {
            let Some(name) = name(folder) else { continue };
            let same = (1..parts.len()).filter(|from| parts[from - 1] == name);
            if let Some(path) = same.filter_map(|from| below(folder, from)).find(is_there) {
                return Some(path);
            }
        }
        if name(self.folder()).is_some_and(|name| parts.contains(&name.as_str())) {
            return None;
        }
        let ends = folders.iter().flat_map(|folder| (0..parts.len()).filter_map(|from| below(folder, from)));
        ends.into_iter().find(is_there)
    }
}
