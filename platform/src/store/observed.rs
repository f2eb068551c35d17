//! A store whose calls are counted and timed.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::{Entry, Lease, Object, Published, PutOutcome, ReplaceOutcome, Result, Staged, StagedWrite, Store, Version};
use crate::metrics::{Metrics, table};

/// Passes every call on.
pub struct ObservedStore {
    inner: Arc<dyn Store>,
    metrics: Metrics,
}

impl ObservedStore {
    /// Counts the calls of `inner` there.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }

    fn count<T>(&self, operation: &str, call: impl FnOnce(&dyn Store) -> Result<T>) -> Result<T> {
        counted(&self.metrics, operation, || call(&*self.inner))
    }
}

fn counted<T>(metrics: &Metrics, operation: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let answer = call();
    let outcome = if answer.is_ok() { "done" } else { "failed" };
    metrics.add(&table::STORE_REQUESTS, [operation, outcome], 1);
    metrics.observe(&table::STORE_SECONDS, [operation], started.elapsed().as_secs_f64());
    answer
}

/// Its bytes may go to the store while they are written, and do so when it is finished: that is the call that counts.
struct ObservedWrite {
    inner: Box<dyn StagedWrite>,
    metrics: Metrics,
}

impl Write for ObservedWrite {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

impl StagedWrite for ObservedWrite {
    fn finish(self: Box<Self>) -> Result<Staged> {
        let Self { inner, metrics } = *self;
        counted(&metrics, "stage", || inner.finish())
    }
}

impl Store for ObservedStore {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome> {
        self.count("put_if_absent", |store| store.put_if_absent(path, bytes))
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.count("put", |store| store.put(path, bytes))
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>> {
        self.count("get_versioned", |store| store.get_versioned(path))
    }

    fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Version>) -> Result<ReplaceOutcome> {
        self.count("replace", |store| store.replace(path, bytes, expected))
    }

    fn stage(&self, target: &str) -> Result<Box<dyn StagedWrite>> {
        let inner = self.inner.stage(target)?;
        Ok(Box::new(ObservedWrite { inner, metrics: self.metrics.clone() }))
    }

    fn publish(&self, staged: &Staged) -> Result<Published> {
        self.count("publish", |store| store.publish(staged))
    }

    fn discard(&self, staged: &Staged) -> Result<()> {
        self.count("discard", |store| store.discard(staged))
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>> {
        self.count("get", |store| store.get(path))
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        self.count("open", |store| store.open(path))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        self.count("list", |store| store.list(folder))
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.count("delete", |store| store.delete(path))
    }

    fn staged(&self) -> Result<Vec<Entry>> {
        self.count("list_staged", |store| store.staged())
    }

    fn sweep(&self, before_ms: i64, keep: &dyn Fn(&str) -> bool) -> Result<u64> {
        self.count("sweep", |store| store.sweep(before_ms, keep))
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.inner.local_path(path)
    }

    fn local_file(&self, object: Object<'_>, lease: &Lease) -> Result<PathBuf> {
        self.count("local_file", |store| store.local_file(object, lease))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::CASES;
    use crate::store::local::LocalStore;

    #[test]
    fn keeps_every_promise_of_a_store_and_counts_its_calls() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Metrics::registered();
        let store = ObservedStore::new(Arc::new(LocalStore::open(folder.path(), "_own").unwrap()), metrics.clone());
        CASES.iter().for_each(|case| case.run(&store));
        store.put("some/object", b"{}").unwrap();
        assert!(store.open("some/object").unwrap().is_some());
        store.local_file(Object { path: "some/object", bytes: 2, sha256: "" }, &Lease::default()).unwrap();
        assert_eq!((store.staged().unwrap().len(), store.sweep(0, &|_| false).unwrap()), (0, 0));
        assert!(store.put("../outside", b"{}").is_err());
        let text = metrics.render();
        let operations = [
            "put_if_absent",
            "put",
            "stage",
            "publish",
            "discard",
            "get",
            "open",
            "list",
            "delete",
            "list_staged",
            "sweep",
            "local_file",
        ];
        for operation in operations {
            let line = format!("finops_store_requests_total{{operation=\"{operation}\",outcome=\"done\"}} ");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        assert!(text.contains("finops_store_requests_total{operation=\"put\",outcome=\"failed\"} "), "{text}");
    }
}
