//! Commit chains as they lie in the store.

mod folder;

use std::collections::HashSet;
use std::ops::ControlFlow;

use contracts::chain::{BrokenChain, ChainHead};
use contracts::commit_record::CommitRecord;
use contracts::layout;
use contracts::seal::{self, DIGEST_DIFFERS, Seal};
use platform::store::many::get_all;
use platform::store::{Staged, Store};
use sha2::{Digest, Sha256};
use tracing::warn;

pub use folder::{ChainStep, Folder, Walked, folders};
pub(crate) use folder::{End, Followed};

use crate::error::LakeError;

/// Reads of a commit before it counts as damaged: a single read may have failed on its way.
const READS_MAX: u32 = 3;

/// A partition's chain.
#[derive(Debug)]
pub struct Chain {
    /// What it adds up to.
    pub head: ChainHead,
    /// Its last commit.
    pub last: Option<Box<CommitRecord>>,
    /// Commits that its newest checkpoint adds up; 0 without one.
    pub checkpointed: u64,
}

/// What lies at the end of a chain. A store that keeps its promises makes this superfluous; one that stops keeping them is noticed
/// before anything is built upon it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// The last commit is what it was, and the next name is free.
    Ready,
    /// The last commit is what it was, and there is another one after it.
    NameTaken,
    /// The last commit is not there.
    LastMissing,
    /// The last commit holds other bytes.
    LastChanged,
}

/// Reads a partition's chain, from its newest checkpoint on; returns what it adds up to and its last commit.
///
/// # Errors
/// The chain is broken, or the store refuses.
pub fn load(
    store: &dyn Store,
    topic_id: &str,
    partition: u32,
) -> Result<(ChainHead, Option<Box<CommitRecord>>), LakeError> {
    read(store, topic_id, partition).map(|chain| (chain.head, chain.last))
}

/// The same, and where its newest checkpoint is. A checkpoint only saves reading: one that is not, by its own digest and by
/// that of its last commit, what this chain adds up to is passed over.
///
/// # Errors
/// The chain is broken, or the store refuses.
pub fn read(store: &dyn Store, topic_id: &str, partition: u32) -> Result<Chain, LakeError> {
    let folder = Folder::of(store, topic_id, partition)?;
    let sealed = newest(store, &folder, Seal::Intact)?;
    let is_sealed = sealed.is_some();
    let empty = || Chain { head: ChainHead::empty(topic_id, partition), last: None, checkpointed: 0 };
    match read_on(store, sealed.unwrap_or_else(empty), &folder) {
        // Its first commits may have been removed since a version wrote checkpoints without a digest.
        Err(LakeError::Chain(broken)) if !is_sealed => match newest(store, &folder, Seal::Absent)? {
            Some(begin) => read_on(store, begin, &folder),
            None => Err(broken.into()),
        },
        read => read,
    }
}

/// The newest checkpoint with that seal which is of this chain, and its last commit.
fn newest(store: &dyn Store, folder: &Folder, wanted: Seal) -> Result<Option<Chain>, LakeError> {
    for end in folder.checkpoints.iter().rev() {
        let path = layout::chain_checkpoint(&folder.topic_id, folder.partition, *end);
        let Some(bytes) = store.get(&path)? else { continue };
        match ChainHead::from_checkpoint(&path, &bytes) {
            Ok((mut head, seal)) if seal == wanted => {
                let last_path = layout::chain_record(&head.topic_id, head.partition, head.last_start);
                let commit = store.get(&last_path)?;
                match commit.filter(|bytes| sha256(bytes) == head.last_sha256) {
                    Some(bytes) => {
                        let last: Box<CommitRecord> =
                            serde_json::from_slice(&bytes).map_err(|e| broken(&last_path, e.to_string()))?;
                        // A version that did not keep it may have written the checkpoint.
                        head.last_record = head.last_record.or_else(|| last.last_record.clone());
                        let checkpointed = if seal == Seal::Intact { head.records } else { 0 };
                        return Ok(Some(Chain { head, last: Some(last), checkpointed }));
                    }
                    None => warn!(path, "not the checkpoint of this chain's commit records: passed over"),
                }
            }
            // Those before it are of the same version of the program, or older.
            Ok((_, Seal::Absent)) => return Ok(None),
            Ok(_) => {}
            Err(error) => warn!(%error, "a checkpoint cannot be used: passed over"),
        }
    }
    Ok(None)
}

/// Follows the commits behind what is known already.
fn read_on(store: &dyn Store, chain: Chain, folder: &Folder) -> Result<Chain, LakeError> {
    let Followed { head, last, end } =
        folder.follow(store, chain.head, |_| Ok::<_, LakeError>(ControlFlow::Continue(())))?;
    if let Some(broken) = end.broken() {
        return Err(broken.into());
    }
    let Some(last) = last.map(Box::new) else { return Ok(Chain { head, ..chain }) };
    // No commit after it vouches for the last one. Where it carries no digest, a second read has to agree.
    let path = folder.commit_path(last.start);
    if store.get(&path)?.is_some_and(|bytes| sha256(&bytes) != head.last_sha256) {
        return Err(broken(&path, "two reads of it differ".into()).into());
    }
    Ok(Chain { head, last: Some(last), ..chain })
}

/// One commit; `None` when there is none of that name.
///
/// # Errors
/// It is no commit record, or the store refuses.
pub fn read_commit(store: &dyn Store, path: &str) -> Result<Option<Box<CommitRecord>>, LakeError> {
    let mut problem = String::new();
    for _ in 0..READS_MAX {
        let Some(bytes) = store.get(path)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(_) if seal::check(&bytes) == Seal::Broken => problem = DIGEST_DIFFERS.to_owned(),
            Ok(commit) => return Ok(Some(commit)),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(broken(path, problem).into())
}

/// What lies at the end of a chain, `last` with its digest and what may be behind it. A commit that is there with other bytes may
/// have been read wrongly.
pub fn look(store: &dyn Store, last: Option<(&str, &str)>, next: &str) -> Result<Looked, LakeError> {
    let mut found = Looked::Ready;
    for _ in 0..READS_MAX {
        // At once: the way to the store is paid for once.
        let paths: Vec<&str> = last.iter().map(|(path, _)| *path).chain([next]).collect();
        let mut read = get_all(store, &paths)?.into_iter().rev();
        let is_taken = read.next().flatten().is_some();
        found = match (last, read.next().flatten()) {
            (Some(_), None) => Looked::LastMissing,
            (Some((_, digest)), Some(bytes)) if sha256(&bytes) != digest => Looked::LastChanged,
            _ if is_taken => Looked::NameTaken,
            _ => Looked::Ready,
        };
        if found != Looked::LastChanged {
            break;
        }
    }
    Ok(found)
}

/// Names of staged files that the last commit of some chain still needs. Commits before it are published.
///
/// # Errors
/// A commit cannot be read, or the store refuses.
pub fn staged_names_in_use(store: &dyn Store) -> Result<HashSet<String>, LakeError> {
    let mut names = HashSet::new();
    for folder in folders(store)?.0 {
        let Some((_, last)) = folder.commits.last_key_value() else { continue };
        let files = read_commit(store, &last.path)?.map(|commit| commit.files).unwrap_or_default();
        names.extend(files.iter().filter_map(|file| Staged::name_of(&file.staged)).map(str::to_owned));
    }
    Ok(names)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn broken(path: &str, problem: String) -> BrokenChain {
    BrokenChain { path: path.to_owned(), problem }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use contracts::commit_record::FORMAT_VERSION;
    use platform::store::local::LocalStore;

    use super::*;

    /// Puts commits [0, 10), [10, 20), … into the store; returns the heads after each.
    pub(crate) fn chain(store: &dyn Store, commits: u64) -> Vec<ChainHead> {
        let mut head = ChainHead::empty("id", 0);
        let heads = (0..commits).map(|n| {
            let commit = CommitRecord {
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
                source_watermarks: BTreeMap::new(),
                last_record: None,
                writer_id: "w".into(),
                nonce: n.to_string(),
                previous_sha256: head.last_sha256.clone(),
                committed_at: String::new(),
            };
            let (path, bytes) = (layout::chain_record("id", 0, commit.start), commit.to_bytes().unwrap());
            store.put_if_absent(&path, &bytes).unwrap();
            head.follow(&path, &bytes).unwrap();
            head.clone()
        });
        heads.collect()
    }

    #[test]
    fn a_checkpoint_saves_reading_what_is_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        assert_eq!(load(&store, "id", 0).unwrap().0, ChainHead::empty("id", 0));
        let heads = chain(&store, 5);
        let (head, last) = load(&store, "id", 0).unwrap();
        assert_eq!((&head, last.map(|commit| commit.start)), (&heads[4], Some(40)));

        let checkpoint = |n: usize| {
            let path = layout::chain_checkpoint("id", 0, heads[n].end);
            store.put(&path, &heads[n].to_checkpoint().unwrap()).unwrap();
        };
        checkpoint(2);
        store.delete(&layout::chain_record("id", 0, 0)).unwrap();
        let (head, last) = load(&store, "id", 0).unwrap();
        assert_eq!((&head, last.map(|commit| commit.start)), (&heads[4], Some(40)), "the first commit was not needed");
        assert_eq!(read(&store, "id", 0).unwrap().checkpointed, 3);
        checkpoint(4);
        let (head, last) = load(&store, "id", 0).unwrap();
        assert_eq!(
            (&head, last.map(|commit| commit.start)),
            (&heads[4], Some(40)),
            "the last commit is, to be rolled forward"
        );
        store.delete(&layout::chain_checkpoint("id", 0, heads[4].end)).unwrap();
        store.delete(&layout::chain_checkpoint("id", 0, heads[2].end)).unwrap();
        assert!(load(&store, "id", 0).is_err(), "without checkpoints the first commit is missed");
    }

    fn first_source_watermark(head: &ChainHead) -> Option<u64> {
        head.source_watermarks.values().next().copied()
    }

    #[test]
    fn a_checkpoint_that_is_not_of_the_chain_is_passed_over() {
        let check = |what: &str, checkpointed: u64, bytes: &dyn Fn(&ChainHead) -> Vec<u8>| {
            let folder = tempfile::tempdir().unwrap();
            let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
            let heads = chain(&store, 5);
            store.put(&layout::chain_checkpoint("id", 0, heads[2].end), &bytes(&heads[2])).unwrap();
            let read = read(&store, "id", 0).unwrap();
            assert_eq!((&read.head, first_source_watermark(&read.head)), (&heads[4], None), "{what}");
            assert_eq!(read.checkpointed, checkpointed, "{what}: it is to be written again");
        };
        // Source watermarks that are too high drop records as duplicates.
        let raised = |head: &ChainHead| {
            let mut head = head.clone();
            head.source_watermarks.insert("wire/0".parse().unwrap(), 4_096);
            head
        };
        check("right", 3, &|head| head.to_checkpoint().unwrap());
        check("of an earlier version", 0, &|head| serde_json::to_vec(head).unwrap());
        check("of an earlier version, changed", 0, &|head| serde_json::to_vec(&raised(head)).unwrap());
        check("of another chain", 0, &|head| {
            ChainHead { last_sha256: "0".repeat(64), ..raised(head) }.to_checkpoint().unwrap()
        });
        check("changed", 0, &|head| {
            let text = String::from_utf8(raised(head).to_checkpoint().unwrap()).unwrap();
            text.replace("4096", "8192").into_bytes()
        });
        check("another's", 0, &|head| ChainHead { partition: 1, ..raised(head) }.to_checkpoint().unwrap());
        check("cut", 0, &|head| head.to_checkpoint().unwrap()[..20].to_vec());
    }

    #[test]
    fn the_end_of_a_chain_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let at = |start| layout::chain_record("id", 0, start);
        assert_eq!(look(&store, None, &at(0)).unwrap(), Looked::Ready);
        let heads = chain(&store, 3);
        let look = |n: usize| {
            let digest = heads[n].last_sha256.as_str();
            look(&store, Some((&at(heads[n].last_start), digest)), &at(heads[n].end)).unwrap()
        };
        assert_eq!((look(2), look(1)), (Looked::Ready, Looked::NameTaken));
        let right = store.get(&at(20)).unwrap().unwrap();
        store.put(&at(20), b"{}").unwrap();
        assert_eq!(look(2), Looked::LastChanged);
        store.delete(&at(20)).unwrap();
        assert_eq!((look(2), look(1)), (Looked::LastMissing, Looked::Ready));
        store.put(&at(20), &right).unwrap();
        assert_eq!(look(2), Looked::Ready);
    }

    #[test]
    fn a_damaged_last_commit_is_noticed_without_a_successor() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        chain(&store, 3);
        let path = layout::chain_record("id", 0, 20);
        let right = String::from_utf8(store.get(&path).unwrap().unwrap().to_vec()).unwrap();
        store.put(&path, right.replace("\"duplicates\":10", "\"duplicates\":11").as_bytes()).unwrap();
        let read = load(&store, "id", 0).unwrap_err().to_string();
        assert!(read.contains(DIGEST_DIFFERS), "{read}");
        assert!(read_commit(&store, &path).is_err());
        store.put(&path, right.as_bytes()).unwrap();
        assert!(load(&store, "id", 0).is_ok());
    }
}
