//! What earlier cuts of a store have read, so that a running exporter reads only what is new.

use std::collections::BTreeMap;

use platform::store::many::{OBJECTS_AT_ONCE, get_all};
use platform::store::{Entry, Store};

use super::error::Result;
use super::unreadable::Unreadable;
use super::{BillingPeriod, RunFact, chain};

/// An object that changed this shortly before it was read may change again and look the same in a list: times of buckets
/// are in seconds, and their clock is not ours.
const UNSETTLED_MS: i64 = 60_000;

/// What was read. It holds what the last cut held, and needs no limit of its own.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) chains: chain::Known,
    pub(super) runs: Objects<Checked<RunFact>>,
    pub(super) billing: Objects<Checked<BillingPeriod>>,
}

/// What an object says, or why it is unreadable.
pub(super) type Checked<T> = std::result::Result<T, Unreadable>;

/// What objects said that are replaced as a whole or not at all, by path, and how they were listed.
#[derive(Debug)]
pub(super) struct Objects<T>(BTreeMap<String, (Entry, T)>);

impl<T> Default for Objects<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Objects<T> {
    /// What the listed objects say, by path; a removed object says nothing. Reads only those that are new or may have changed.
    pub(super) fn read(
        &mut self,
        store: &dyn Store,
        listed: Vec<Entry>,
        now_ms: i64,
        parse: impl Fn(&str, &[u8]) -> Result<T>,
    ) -> Result<impl Iterator<Item = &T>> {
        let mut before = std::mem::take(&mut self.0);
        let mut changed = Vec::new();
        for entry in listed {
            match before.remove(&entry.path) {
                Some(known) if known.0 == entry && entry.modified_ms < now_ms.saturating_sub(UNSETTLED_MS) => {
                    self.0.insert(entry.path, known);
                }
                _ => changed.push(entry),
            }
        }
        for some in changed.chunks(OBJECTS_AT_ONCE) {
            let paths: Vec<&str> = some.iter().map(|entry| entry.path.as_str()).collect();
            for (entry, bytes) in some.iter().zip(get_all(store, &paths)?) {
                if let Some(bytes) = bytes {
                    self.0.insert(entry.path.clone(), (entry.clone(), parse(&entry.path, &bytes)?));
                }
            }
        }
        Ok(self.0.values().map(|(_, said)| said))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use contracts::layout;
    use platform::store::local::LocalStore;

    use super::*;

    /// What the objects below `a` say at `now_ms`, and which of them were read for it.
    fn read(store: &LocalStore, known: &mut Objects<String>, now_ms: i64) -> (Vec<String>, Vec<String>) {
        let reads = RefCell::new(Vec::new());
        let parse = |path: &str, bytes: &[u8]| {
            reads.borrow_mut().push(path.to_owned());
            Ok(String::from_utf8_lossy(bytes).into_owned())
        };
        let said = known.read(store, store.list("a").unwrap(), now_ms, parse).unwrap().cloned().collect();
        (said, reads.into_inner())
    }

    #[test]
    fn only_what_may_have_changed_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let mut known = Objects::default();
        let mut check = |now_ms, said: &[&str], reads: &[&str]| {
            let (found, read) = read(&store, &mut known, now_ms);
            assert_eq!(
                (found, read),
                (said.iter().map(|s| (*s).into()).collect(), reads.iter().map(|s| (*s).into()).collect())
            );
        };
        store.put("a/1", b"one").unwrap();
        store.put("a/2", b"two").unwrap();
        let changed_ms = store.list("a").unwrap().iter().map(|entry| entry.modified_ms).max().unwrap();
        check(changed_ms, &["one", "two"], &["a/1", "a/2"]);
        check(changed_ms, &["one", "two"], &["a/1", "a/2"]);
        check(changed_ms + UNSETTLED_MS + 1, &["one", "two"], &[]);
        store.put("a/1", b"three").unwrap();
        store.put("a/3", b"four").unwrap();
        check(i64::MAX, &["three", "two", "four"], &["a/1", "a/3"]);
        store.delete("a/2").unwrap();
        check(i64::MAX, &["three", "four"], &[]);
    }
}
