//! A store that dies: after so many writes nothing succeeds any more, as when the process was killed there.

use std::io::{Error, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use platform::store::{
    Entry, Lease, Object, Published, PutOutcome, ReplaceOutcome, Result, Staged, StagedWrite, Store, StoreError,
    Version,
};

/// Counts writes down; at 0 the store is dead.
pub struct Faulty<'a> {
    store: &'a dyn Store,
    left: Arc<AtomicI64>,
    /// The last write that succeeds happens, but its answer is lost.
    loses_answer: bool,
}

impl<'a> Faulty<'a> {
    pub fn dies_after(store: &'a dyn Store, writes: i64, loses_answer: bool) -> Self {
        Self { store, left: Arc::new(AtomicI64::new(writes)), loses_answer }
    }

    fn write<T>(&self, write: impl FnOnce() -> Result<T>) -> Result<T> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            ..=0 => Err(dead()),
            1 if self.loses_answer => write().and(Err(dead())),
            _ => write(),
        }
    }

    fn read<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.left.load(Ordering::SeqCst) < 0 { Err(dead()) } else { read() }
    }
}

fn dead() -> StoreError {
    StoreError::io("reaching", "the store", Error::other("it is dead"))
}

/// A staged object of a dead process is neither finished nor dropped: it is left.
struct FaultyWrite {
    write: Option<Box<dyn StagedWrite>>,
    left: Arc<AtomicI64>,
}

impl std::io::Write for FaultyWrite {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.write.as_mut().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.write.as_mut().unwrap().flush()
    }
}

impl StagedWrite for FaultyWrite {
    fn finish(mut self: Box<Self>) -> Result<Staged> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(dead());
        }
        self.write.take().unwrap().finish()
    }
}

impl Drop for FaultyWrite {
    fn drop(&mut self) {
        if self.left.load(Ordering::SeqCst) < 0 {
            std::mem::forget(self.write.take());
        }
    }
}

impl Store for Faulty<'_> {
    fn id(&self) -> &str {
        self.store.id()
    }

    fn location(&self) -> String {
        self.store.location()
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome> {
        self.write(|| self.store.put_if_absent(path, bytes))
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.write(|| self.store.put(path, bytes))
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>> {
        self.read(|| self.store.get_versioned(path))
    }

    fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Version>) -> Result<ReplaceOutcome> {
        self.write(|| self.store.replace(path, bytes, expected))
    }

    fn stage(&self, target: &str) -> Result<Box<dyn StagedWrite>> {
        let write = self.write(|| self.store.stage(target))?;
        Ok(Box::new(FaultyWrite { write: Some(write), left: Arc::clone(&self.left) }))
    }

    fn publish(&self, staged: &Staged) -> Result<Published> {
        self.write(|| self.store.publish(staged))
    }

    fn discard(&self, staged: &Staged) -> Result<()> {
        self.write(|| self.store.discard(staged))
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>> {
        self.read(|| self.store.get(path))
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        self.read(|| self.store.open(path))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        self.read(|| self.store.list(folder))
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.write(|| self.store.delete(path))
    }

    fn staged(&self) -> Result<Vec<Entry>> {
        self.read(|| self.store.staged())
    }

    fn sweep(&self, before_ms: i64, keep: &dyn Fn(&str) -> bool) -> Result<u64> {
        self.write(|| self.store.sweep(before_ms, keep))
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.store.local_path(path)
    }

    fn local_file(&self, object: Object<'_>, lease: &Lease) -> Result<PathBuf> {
        self.read(|| self.store.local_file(object, lease))
    }
}
