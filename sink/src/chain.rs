//! Commit chains as they lie in the store.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use contracts::chain::{BrokenChain, ChainHead, checkpoint_end, link_start};
use contracts::commit_record::CommitRecord;
use contracts::layout;
use platform::store::many::{OBJECTS_AT_ONCE, get_all};
use platform::store::{Staged, Store};

use crate::error::SinkError;

/// A partition's chain.
#[derive(Debug)]
pub(crate) struct Chain {
    /// What it adds up to.
    pub head: ChainHead,
    /// Its last link.
    pub last: Option<Box<CommitRecord>>,
    /// Links that its newest checkpoint adds up; 0 without one.
    pub checkpointed: u64,
}

/// Reads a partition's chain, from its newest checkpoint on; returns what it adds up to and its last link.
///
/// # Errors
/// The chain is broken, or the store refuses.
pub fn load(
    store: &dyn Store,
    topic_id: &str,
    partition: u32,
) -> Result<(ChainHead, Option<Box<CommitRecord>>), SinkError> {
    read(store, topic_id, partition).map(|chain| (chain.head, chain.last))
}

/// The same, and where its newest checkpoint is.
pub(crate) fn read(store: &dyn Store, topic_id: &str, partition: u32) -> Result<Chain, SinkError> {
    let paths: Vec<String> =
        store.list(&layout::chain_dir(topic_id, partition))?.into_iter().map(|entry| entry.path).collect();
    let newest = paths.iter().filter(|path| checkpoint_end(path).is_some()).max_by_key(|path| checkpoint_end(path));
    let mut head = match newest {
        Some(path) => checkpoint(store, path)?,
        None => ChainHead::empty(topic_id, partition),
    };
    let checkpointed = head.records;
    let from = if head.records == 0 { 0 } else { head.end };
    let mut links: Vec<(u64, &String)> = paths.iter().filter_map(|path| Some((link_start(path)?, path))).collect();
    links.sort_unstable();
    let links: Vec<&String> = links.into_iter().filter(|(start, _)| *start >= from).map(|(_, path)| path).collect();
    let mut last = None;
    for some in links.chunks(OBJECTS_AT_ONCE) {
        for (path, bytes) in some.iter().zip(get_all(store, some)?) {
            last = Some(Box::new(head.follow(path, &found(path, bytes)?)?));
        }
    }
    if last.is_none() && head.records > 0 {
        last = link(store, &layout::chain_record(topic_id, partition, head.last_start))?;
    }
    Ok(Chain { head, last, checkpointed })
}

/// One link; `None` when there is none of that name.
///
/// # Errors
/// It is no commit record, or the store refuses.
pub fn link(store: &dyn Store, path: &str) -> Result<Option<Box<CommitRecord>>, SinkError> {
    let Some(bytes) = store.get(path)? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&bytes).map_err(|e| broken(path, e.to_string()))?))
}

/// Names of staged files that the last link of some chain still needs. Links before it are published.
///
/// # Errors
/// A link cannot be read, or the store refuses.
pub(crate) fn staged_names_in_use(store: &dyn Store) -> Result<HashSet<String>, SinkError> {
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for path in store.list(layout::CHAIN)?.into_iter().map(|entry| entry.path) {
        if let (Some((folder, _)), Some(_)) = (path.rsplit_once('/'), link_start(&path)) {
            last.insert(folder.to_owned(), path);
        }
    }
    let mut names = HashSet::new();
    for path in last.values() {
        let files = link(store, path)?.map(|link| link.files).unwrap_or_default();
        names.extend(files.iter().filter_map(|file| Staged::name_of(&file.staged)).map(str::to_owned));
    }
    Ok(names)
}

fn checkpoint(store: &dyn Store, path: &str) -> Result<ChainHead, SinkError> {
    Ok(serde_json::from_slice(&found(path, store.get(path)?)?).map_err(|e| broken(path, e.to_string()))?)
}

fn found(path: &str, bytes: Option<Bytes>) -> Result<Bytes, BrokenChain> {
    bytes.ok_or_else(|| broken(path, "listed, but gone when it was read".into()))
}

fn broken(path: &str, problem: String) -> BrokenChain {
    BrokenChain { path: path.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::commit_record::FORMAT_VERSION;
    use platform::store::local::LocalStore;
    use std::collections::BTreeMap;

    /// Puts links [0, 10), [10, 20), … into the store; returns the heads after each.
    fn chain(store: &dyn Store, links: u64) -> Vec<ChainHead> {
        let mut head = ChainHead::empty("id", 0);
        let heads = (0..links).map(|n| {
            let link = CommitRecord {
                format_version: FORMAT_VERSION,
                code_version: "0".into(),
                dataset: layout::FINDINGS.into(),
                topic: "t".into(),
                topic_id: "id".into(),
                partition: 0,
                start: n * 10,
                end: n * 10 + 10,
                rows: 0,
                duplicates: 10,
                files: Vec::new(),
                src: BTreeMap::new(),
                runs: BTreeMap::new(),
                heights: BTreeMap::new(),
                writer_id: "w".into(),
                nonce: n.to_string(),
                previous_sha256: head.last_sha256.clone(),
                committed_at: String::new(),
            };
            let (path, bytes) = (layout::chain_record("id", 0, link.start), serde_json::to_vec(&link).unwrap());
            store.put_if_absent(&path, &bytes).unwrap();
            head.follow(&path, &bytes).unwrap();
            head.clone()
        });
        heads.collect()
    }

    #[test]
    fn a_checkpoint_saves_reading_what_is_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        assert_eq!(load(&store, "id", 0).unwrap().0, ChainHead::empty("id", 0));
        let heads = chain(&store, 5);
        let (head, last) = load(&store, "id", 0).unwrap();
        assert_eq!((&head, last.map(|link| link.start)), (&heads[4], Some(40)));

        let checkpoint = |n: usize| {
            let path = layout::chain_checkpoint("id", 0, heads[n].end);
            store.put(&path, &serde_json::to_vec(&heads[n]).unwrap()).unwrap();
        };
        checkpoint(2);
        store.delete(&layout::chain_record("id", 0, 0)).unwrap();
        let (head, last) = load(&store, "id", 0).unwrap();
        assert_eq!((&head, last.map(|link| link.start)), (&heads[4], Some(40)), "the first link was not needed");
        assert_eq!(read(&store, "id", 0).unwrap().checkpointed, 3);
        checkpoint(4);
        let (head, last) = load(&store, "id", 0).unwrap();
        assert_eq!(
            (&head, last.map(|link| link.start)),
            (&heads[4], Some(40)),
            "the last link is, to be rolled forward"
        );
        store.delete(&layout::chain_checkpoint("id", 0, heads[4].end)).unwrap();
        store.delete(&layout::chain_checkpoint("id", 0, heads[2].end)).unwrap();
        assert!(load(&store, "id", 0).is_err(), "without checkpoints the first link is missed");
    }
}
