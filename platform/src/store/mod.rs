//! The store seam: objects under a root, written once: a local folder or S3. Knows paths and bytes, never what an object says.
//! Paths are relative, `/`-separated and already encoded by the caller; a path that would leave the root is refused.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use cache::Lease;

pub mod cache;
mod compared;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod identity;
pub mod local;
pub mod many;
pub mod observed;
pub mod path;
pub mod s3;

/// What became of a put-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object is ours.
    Created,
    /// Another writer was first; nothing was changed.
    Exists,
}

/// What became of a conditional replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceOutcome {
    /// The object holds these bytes now.
    Replaced,
    /// The object is not the one that was expected: another process wrote or removed it. Read it again and decide again.
    Conflict,
}

/// Which content of an object was read. Equal versions mean equal bytes; a version says nothing in another store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// An object that is complete and durable but not visible under its final name. What it holds is
/// serialised into the commit record, so that any process can publish it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Final path.
    pub target: String,
    /// What this store needs to publish it (staging name; upload id and part tags).
    pub token: serde_json::Value,
    /// Size.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

impl Staged {
    /// The name under which [`Store::staged`] lists the object that this token publishes: the token's
    /// member `name`. Every store writes it; other members are the store's own.
    #[must_use]
    pub fn name_of(token: &serde_json::Value) -> Option<&str> {
        token.get("name").and_then(serde_json::Value::as_str)
    }
}

/// What became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is visible now.
    Done,
    /// It was visible already, with the right size and digest.
    Already,
    /// Neither the staged object nor the right target is there: rebuild it.
    Missing,
}

/// A listed object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path below the root.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
}

/// An object as its writer recorded it: what a reader expects to find.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    /// Path below the root.
    pub path: &'a str,
    /// Size.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: &'a str,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The path leaves the root, is empty, or is not canonical.
    #[error("path {path:?} is not allowed in a store: {reason}")]
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The disk is full. Retriable once there is room.
    #[error("{doing} {path}: no space left on device")]
    NoSpace {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
    },
    /// The object has other content than it must have. Never retriable: data was changed.
    #[error("{path} exists with other content: expected {expected}, found {found}")]
    Conflict {
        /// The path.
        path: String,
        /// Size and digest that were expected.
        expected: String,
        /// Size and digest that were found.
        found: String,
    },
    /// Credentials are missing, not accepted, or not allowed to do this. Waiting does not mend it.
    #[error("{doing} {path}: {reason}")]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// What the service said.
        reason: String,
    },
    /// The service cannot do this as it is configured: no such bucket, another region, a feature it has not. Waiting
    /// does not mend it.
    #[error("{doing} {path}: {reason}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// What the service said, and what to do.
        reason: String,
    },
    /// Other data took the place of the store's since this process opened it: what it knows is of the former data. Opening the
    /// store again mends it.
    #[error(
        "the data in {path} were exchanged while this program was at work (other data were swapped in, or {staging} was \
         removed): start it again"
    )]
    Exchanged {
        /// The store.
        path: String,
        /// Its folder of staged objects.
        staging: String,
    },
    /// Input/output failed; the same may work later.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// Why a file cannot get its name, and what to do.
const OTHER_FILE_SYSTEM: &str = "it is on another file system than the folder where the store stages its files, so no file \
                                 can appear there in one step; keep all folders of the store on one file system";

impl StoreError {
    /// Wraps an input/output error, telling a full disk or quota, and a folder on another file system, apart from everything
    /// else. What a [`StagedWrite`] or reader of a store has wrapped for `std::io` comes out as it was.
    #[must_use]
    pub fn io(doing: &'static str, path: impl Into<String>, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{CrossesDevices, QuotaExceeded, StorageFull};
        let source = match source.downcast::<Self>() {
            Ok(own) => return own,
            Err(source) => source,
        };
        match source.kind() {
            StorageFull | QuotaExceeded => Self::NoSpace { doing, path: path.into() },
            CrossesDevices => Self::Refused { doing, path: path.into(), reason: OTHER_FILE_SYSTEM.to_owned() },
            _ => Self::Io { doing, path: path.into(), source },
        }
    }

    /// True when the same may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::NoSpace { .. } | Self::Io { .. })
    }
}

/// Size and digest, for error messages.
fn describe(bytes: u64, sha256: &str) -> String {
    format!("{bytes} bytes, sha256 {sha256}")
}

/// Result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Objects under a root.
pub trait Store: Send + Sync {
    /// Identity of this store, made on first use and kept in it: tells two private disks apart.
    fn id(&self) -> &str;
    /// Where it is, for people: a folder or URL.
    fn location(&self) -> String;
    /// Creates the object with all its bytes, durable, unless the path exists: a compare-and-swap.
    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome>;
    /// Creates or replaces the object in one step, durable, whatever it holds. Never for data, nor for what another
    /// process may be replacing: that is [`replace`](Self::replace).
    fn put(&self, path: &str, bytes: &[u8]) -> Result<()>;
    /// The object's bytes and the version that [`replace`](Self::replace) expects; `None` when absent.
    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>>;
    /// Replaces the object in one step, durable, if it still has the expected version; with `None`, creates it if it is
    /// absent. Of several processes that expect the same version one succeeds. In a bucket, a write whose answer was lost
    /// and that another process has replaced since is a conflict too: what the object holds decides.
    fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Version>) -> Result<ReplaceOutcome>;
    /// Begins an object that will be visible at `target` after [`publish`](Self::publish).
    fn stage(&self, target: &str) -> Result<Box<dyn StagedWrite>>;
    /// Makes a staged object visible; idempotent, never replaces other content.
    fn publish(&self, staged: &Staged) -> Result<Published>;
    /// Drops a staged object; fine if it is missing.
    fn discard(&self, staged: &Staged) -> Result<()>;
    /// The object's bytes; `None` when absent.
    fn get(&self, path: &str) -> Result<Option<Bytes>>;
    /// Streams the object's bytes; `None` when absent.
    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>>;
    /// Objects below a folder, sorted by path; an absent folder is empty. Temporary names are not listed.
    fn list(&self, folder: &str) -> Result<Vec<Entry>>;
    /// Removes the object; fine if it is missing.
    fn delete(&self, path: &str) -> Result<()>;
    /// Staged objects, sorted by name ([`Staged::name_of`]), with their age: what [`sweep`](Self::sweep) would look at.
    fn staged(&self) -> Result<Vec<Entry>>;
    /// Removes staged objects last changed before `before_ms` unless `keep(name)`; returns how many.
    fn sweep(&self, before_ms: i64, keep: &dyn Fn(&str) -> bool) -> Result<u64>;
    /// Path on this machine, when the store is a local folder (lets readers open files without copying).
    fn local_path(&self, path: &str) -> Option<PathBuf>;
    /// A file on this machine with the object's bytes, for readers that open by path: the object's own in a local
    /// folder, else a copy, which stays as long as the lease. Each process compares it with size and digest before it hands it
    /// out for the first time.
    fn local_file(&self, object: Object<'_>, lease: &Lease) -> Result<PathBuf>;
}

/// An object being staged; dropped unfinished, it leaves nothing behind.
pub trait StagedWrite: std::io::Write + Send {
    /// Makes the bytes durable and returns what publishes them.
    fn finish(self: Box<Self>) -> Result<Staged>;
}
