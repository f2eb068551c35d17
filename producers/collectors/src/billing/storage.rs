//! Where billing files lie: on this machine, or as objects in buckets of S3. An object has its URL as its path.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use platform::lifecycle::Shutdown;
use platform::progress::Progress;
use tempfile::NamedTempFile;

use super::error::LoadError;
use crate::aws_client::objects::{FetchError, ListedObject, Objects};

const SCHEME: &str = "s3://";
/// Files looked at below one folder. A bucket's copy of years has some ten thousand.
const FILES_MAX: usize = 200_000;
/// Folders inside each other; more is a circle of links.
const DEPTH_MAX: usize = 32;
/// Copies of objects that are kept until their rows are read; others are fetched once more then.
const KEPT_BYTES_MAX: u64 = 2 << 30;

/// Finds and opens billing files.
#[derive(Default)]
pub struct BillStorage {
    objects: OnceCell<Objects>,
    /// Objects that were listed.
    listed: RefCell<BTreeMap<PathBuf, ListedObject>>,
    /// Copies that are kept; they are deleted with the value.
    copies: RefCell<BTreeMap<PathBuf, NamedTempFile>>,
}

impl std::fmt::Debug for BillStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BillStorage").field("listed", &self.listed).finish_non_exhaustive()
    }
}

impl BillStorage {
    /// The files below a folder, sorted, without marks and drafts of tools; `None` when the path is no folder.
    ///
    /// # Errors
    /// The folder cannot be read, holds too many files, or no object is there.
    pub fn files_below(&self, path: &Path) -> Result<Option<Vec<PathBuf>>, LoadError> {
        if let Some((bucket, key)) = url_of(path) {
            return self.objects_below(path, bucket, key);
        }
        if !path.is_dir() {
            return Ok(None);
        }
        let mut files = Vec::new();
        walk(path, path, 0, &mut files)?;
        Ok(Some(files))
    }

    /// Lists what is below this folder, so that [`Self::is_file`] knows of it.
    ///
    /// # Errors
    /// As [`Self::files_below`].
    pub fn look_below(&self, folder: &Path) -> Result<(), LoadError> {
        match url_of(folder) {
            Some(_) => self.files_below(folder).map(drop),
            None => Ok(()),
        }
    }

    /// True when such a file is there; of objects, those that were listed are.
    pub fn is_file(&self, path: &Path) -> bool {
        match url_of(path) {
            Some(_) => self.listed.borrow().contains_key(path),
            None => path.is_file(),
        }
    }

    /// Its bytes, as it lies there.
    ///
    /// # Errors
    /// It is not there, or is no file.
    pub fn bytes(&self, path: &Path) -> Result<u64, LoadError> {
        match url_of(path) {
            Some(_) => self.object(path).map(|object| object.bytes),
            None => open_local(path)?.metadata().map(|file| file.len()).map_err(|e| LoadError::io(path, e)),
        }
    }

    /// Its first bytes, at most `bytes_max`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn first_bytes(&self, path: &Path, bytes_max: u64) -> Result<Vec<u8>, LoadError> {
        if url_of(path).is_some() {
            let object = self.object(path)?;
            return self.objects(path)?.first_bytes(&object, bytes_max).map_err(|why| LoadError::object(path, why));
        }
        let mut bytes = Vec::new();
        let read = open_local(path)?.take(bytes_max).read_to_end(&mut bytes);
        read.map_err(|source| LoadError::io(path, source))?;
        Ok(bytes)
    }

    /// True when its bytes come over the network.
    pub fn is_remote(path: &Path) -> bool {
        url_of(path).is_some()
    }

    /// Opens it; of an object, a copy is made, or the one that was kept is taken.
    ///
    /// # Errors
    /// It cannot be read, or a stop is requested.
    pub fn open(&self, path: &Path, progress: &dyn Progress, shutdown: &Shutdown) -> Result<File, LoadError> {
        if url_of(path).is_none() {
            return open_local(path);
        }
        let failed = |source| LoadError::io(path, source);
        if let Some(copy) = self.copies.borrow().get(path) {
            return copy.reopen().map_err(failed);
        }
        let object = self.object(path)?;
        let mut copy = NamedTempFile::with_prefix("finops-bill-").map_err(failed)?;
        let fetched = self.objects(path)?.fetch(&object, copy.as_file_mut(), progress, shutdown);
        fetched.map_err(|error| match error {
            FetchError::Object(why) => LoadError::object(path, why),
            FetchError::Copy(source) => failed(source),
        })?;
        let file = copy.reopen().map_err(failed)?;
        let mut copies = self.copies.borrow_mut();
        let listed = self.listed.borrow();
        let kept: u64 = copies.keys().filter_map(|path| listed.get(path)).map(|object| object.bytes).sum();
        if kept.saturating_add(object.bytes) <= KEPT_BYTES_MAX {
            copies.insert(path.to_owned(), copy);
        }
        Ok(file)
    }

    fn objects(&self, path: &Path) -> Result<&Objects, LoadError> {
        if let Some(objects) = self.objects.get() {
            return Ok(objects);
        }
        let objects = Objects::connect().map_err(|why| LoadError::object(path, why))?;
        Ok(self.objects.get_or_init(|| objects))
    }

    fn object(&self, path: &Path) -> Result<ListedObject, LoadError> {
        self.listed.borrow().get(path).cloned().ok_or_else(|| no_object(path))
    }

    fn objects_below(&self, path: &Path, bucket: &str, key: &str) -> Result<Option<Vec<PathBuf>>, LoadError> {
        if bucket.is_empty() {
            let (what, advice) = ("a URL without a bucket", "write s3://BUCKET/PREFIX");
            return Err(LoadError::NotAFile { file: path.display().to_string(), what, advice });
        }
        let list = |prefix: &str, max| {
            self.objects(path)?.list(bucket, prefix, max).map_err(|why| LoadError::object(path, why))
        };
        let prefix = match key {
            key if key.is_empty() || key.ends_with('/') => key.to_owned(),
            key => format!("{key}/"),
        };
        let below = list(&prefix, FILES_MAX)?;
        if below.len() > FILES_MAX {
            return Err(LoadError::TooManyFiles { folder: path.display().to_string(), limit: FILES_MAX });
        }
        if below.is_empty() {
            let object = list(key, 1)?.into_iter().find(|object| object.key == key).ok_or_else(|| no_object(path))?;
            self.remember(path.to_owned(), object)?;
            return Ok(None);
        }
        let mut files = Vec::new();
        for object in below {
            let inside = object.key.strip_prefix(&prefix).unwrap_or(&object.key);
            // Consoles make empty objects that stand for folders.
            if inside.is_empty() || inside.ends_with('/') || inside.split('/').any(is_mark) {
                continue;
            }
            let file = PathBuf::from(format!("{SCHEME}{bucket}/{}", object.key));
            files.push(file.clone());
            self.remember(file, object)?;
        }
        files.sort();
        Ok(Some(files))
    }

    fn remember(&self, path: PathBuf, object: ListedObject) -> Result<(), LoadError> {
        match self.listed.borrow_mut().insert(path.clone(), object.clone()) {
            Some(before) if before.key != object.key => {
                Err(LoadError::LikeNames { one: before.key, other: object.key, bucket: object.bucket })
            }
            _ => Ok(()),
        }
    }
}

/// Bucket and key of the URL of an object or a prefix.
fn url_of(path: &Path) -> Option<(&str, &str)> {
    let rest = path.to_str()?.strip_prefix(SCHEME)?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

fn no_object(path: &Path) -> LoadError {
    LoadError::NoObject { url: path.display().to_string() }
}

/// Opens a billing file of this machine, which must be a file: it is read twice.
///
/// # Errors
/// It is something else, or cannot be opened.
fn open_local(path: &Path) -> Result<File, LoadError> {
    let not_a_file = |what, advice| Err(LoadError::NotAFile { file: path.display().to_string(), what, advice });
    // A bill is read twice: once for its digest, by which the same delivery is known again, once for its rows.
    let advice = "write it into a file and name that";
    if path.as_os_str() == "-" {
        return not_a_file("standard input and cannot be read twice", advice);
    }
    // Asked before opening: opening a pipe that no process writes to would wait for ever.
    let kind = std::fs::metadata(path).map_err(|source| LoadError::io(path, source))?.file_type();
    if kind.is_dir() {
        return not_a_file("a directory", "name the files in it that belong to one export");
    }
    if !kind.is_file() {
        return not_a_file("a pipe or device and cannot be read twice", advice);
    }
    File::open(path).map_err(|source| LoadError::io(path, source))
}

/// Marks and drafts of tools, such as `_SUCCESS`, `.part.csv.crc` and `_temporary`.
fn is_mark(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let failed = |source| LoadError::io(folder, source);
    let too_many = || LoadError::TooManyFiles { folder: root.display().to_string(), limit: FILES_MAX };
    let entries = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.file_name().is_some_and(|name| is_mark(&name.to_string_lossy())) {
            continue;
        }
        if path.is_dir() {
            if depth >= DEPTH_MAX {
                return Err(too_many());
            }
            walk(root, &path, depth + 1, files)?;
        } else {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(too_many());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_url_has_a_bucket_and_a_key() {
        let of = |path: &str| url_of(Path::new(path)).map(|(bucket, key)| (bucket.to_owned(), key.to_owned()));
        let url = |bucket: &str, key: &str| Some((bucket.to_owned(), key.to_owned()));
        assert_eq!(of("s3://b"), url("b", ""));
        assert_eq!(of("s3://b/"), url("b", ""));
        assert_eq!(of("s3://b//p/r.csv"), url("b", "/p/r.csv"));
        assert_eq!([of("bill.csv"), of("/s3://b"), of("S3/b")], [None, None, None]);
        // Paths below it keep its form.
        assert_eq!(Path::new("s3://b/p/r").parent().map(Path::to_str), Some(Some("s3://b/p")));
        assert_eq!(Path::new("s3://b/p").join("r").to_str(), Some("s3://b/p/r"));
    }
}
