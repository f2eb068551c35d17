//! The files of the repository, by their path below its root.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what is built, downloaded or produced, never sources.
const NOT_SOURCES: &[&str] = &[".git", "target", "node_modules", "dist"];
/// The same, in the root only: where README's commands write.
const NOT_SOURCES_IN_ROOT: &[&str] = &["data", "export"];

/// Root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).parent().unwrap().to_owned()
}

/// Where tests keep what they download: never in the repository.
#[must_use]
pub fn cache() -> PathBuf {
    let given = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let folder = given.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    folder.unwrap_or_else(std::env::temp_dir).join("finops")
}

/// Text of a file.
///
/// # Panics
/// When it cannot be read, naming it.
#[must_use]
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Paths of all source files, sorted, `/` between segments.
#[must_use]
pub fn files() -> Vec<String> {
    files_below("")
}

/// Paths of the source files below a folder, sorted.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn files_below(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                let is_root = folder.components().eq(root().components());
                let is_output = is_root && NOT_SOURCES_IN_ROOT.contains(&name.as_str());
                if !is_output && !NOT_SOURCES.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else if name != ".git" {
                let path = entry.path().strip_prefix(root()).unwrap().to_owned();
                found.push(path.components().map(|c| c.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/"));
            }
        }
    }
    found.sort();
    found
}
