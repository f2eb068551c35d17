//! A store that lets something else happen at the moment before an object is read, as another process would.

use std::io::Read;
use std::path::PathBuf;

use bytes::Bytes;
use platform::store::{
    Entry, Lease, Object, Published, PutOutcome, ReplaceOutcome, Result, Staged, StagedWrite, Store, Version,
};

/// Passes every call on to `store`; before it reads an object, `before` is called with the path.
pub struct ReadHook<'a> {
    /// The real store.
    pub store: &'a dyn Store,
    /// What happens before a read.
    pub before: &'a (dyn Fn(&str) + Sync),
}

impl Store for ReadHook<'_> {
    fn id(&self) -> &str {
        self.store.id()
    }

    fn location(&self) -> String {
        self.store.location()
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome> {
        self.store.put_if_absent(path, bytes)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.store.put(path, bytes)
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>> {
        (self.before)(path);
        self.store.get_versioned(path)
    }

    fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Version>) -> Result<ReplaceOutcome> {
        self.store.replace(path, bytes, expected)
    }

    fn stage(&self, target: &str) -> Result<Box<dyn StagedWrite>> {
        self.store.stage(target)
    }

    fn publish(&self, staged: &Staged) -> Result<Published> {
        self.store.publish(staged)
    }

    fn discard(&self, staged: &Staged) -> Result<()> {
        self.store.discard(staged)
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>> {
        (self.before)(path);
        self.store.get(path)
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        (self.before)(path);
        self.store.open(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        self.store.list(folder)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.store.delete(path)
    }

    fn staged(&self) -> Result<Vec<Entry>> {
        self.store.staged()
    }

    fn sweep(&self, before_ms: i64, keep: &dyn Fn(&str) -> bool) -> Result<u64> {
        self.store.sweep(before_ms, keep)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.store.local_path(path)
    }

    fn local_file(&self, object: Object<'_>, lease: &Lease) -> Result<PathBuf> {
        self.store.local_file(object, lease)
    }
}
