//! All chains of a store, commit by commit. Works while sinks are writing: a listing is no snapshot, so the next commit is asked
//! for by its name, which the commit before it tells.

use std::collections::{BTreeMap, BTreeSet};

use contracts::chain::{BrokenChain, ChainHead, checkpoint_end, commit_start};
use contracts::commit_record::CommitRecord;
use contracts::layout;
use platform::store::{Store, StoreError};

/// What lies in the folder of a chain.
pub struct Folder {
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    commits: BTreeSet<u64>,
    /// Where its checkpoints end.
    pub checkpoints: BTreeSet<u64>,
}

/// A commit that continues its chain.
pub struct Step<'a> {
    /// Path of its record.
    pub path: &'a str,
    /// The record.
    pub commit: &'a CommitRecord,
    /// What the chain adds up to with it.
    pub head: &'a ChainHead,
    /// No later commit was listed.
    pub is_last: bool,
}

/// How far a chain could be followed.
pub struct Walked {
    /// What the chain adds up to so far.
    pub head: ChainHead,
    /// The last commit that continues it.
    pub last: Option<CommitRecord>,
    /// Where and why it ends before its time.
    pub broken: Option<BrokenChain>,
    /// Commits that were not reached, or are not of this chain.
    pub unread: Vec<String>,
}

/// The folders of all chains, and objects that lie in none.
pub fn folders(store: &dyn Store) -> Result<(Vec<Folder>, Vec<String>), StoreError> {
    let mut folders: BTreeMap<(String, u32), Folder> = BTreeMap::new();
    let mut strays = Vec::new();
    for entry in store.list(layout::CHAIN)? {
        let Some((topic_id, partition)) = chain_of(&entry.path) else {
            strays.push(entry.path);
            continue;
        };
        let folder = folders.entry((topic_id.clone(), partition)).or_insert_with(|| Folder {
            topic_id,
            partition,
            commits: BTreeSet::new(),
            checkpoints: BTreeSet::new(),
        });
        folder.commits.extend(commit_start(&entry.path));
        folder.checkpoints.extend(checkpoint_end(&entry.path));
    }
    Ok((folders.into_values().collect(), strays))
}

fn chain_of(path: &str) -> Option<(String, u32)> {
    let mut segments = path.strip_prefix(layout::CHAIN)?.strip_prefix('/')?.split('/');
    let topic_id = layout::decode_segment(segments.next()?)?;
    let partition = segments.next()?.parse().ok()?;
    let is_canonical = path.rsplit_once('/')?.0 == layout::chain_dir(&topic_id, partition);
    is_canonical.then_some((topic_id, partition))
}

impl Folder {
    /// Its path in the store.
    pub fn path(&self) -> String {
        layout::chain_dir(&self.topic_id, self.partition)
    }

    /// Follows the chain from its first commit to the last one that was listed, or to where it breaks.
    pub fn walk<E: From<StoreError>>(
        &self,
        store: &dyn Store,
        mut each: impl FnMut(Step<'_>) -> Result<(), E>,
    ) -> Result<Walked, E> {
        let mut unread = self.commits.clone();
        let mut walked = Walked {
            head: ChainHead::empty(&self.topic_id, self.partition),
            last: None,
            broken: None,
            unread: Vec::new(),
        };
        let last_listed = self.commits.last().copied().unwrap_or_default();
        let until = self.checkpoints.last().copied().unwrap_or_default().max(last_listed + 1);
        let mut next = self.commits.first().copied();
        while let Some(start) = next {
            let (path, bytes) = match self.get(store, start)? {
                Some(found) => found,
                // A hole: the commit after it tells what is wrong.
                None => match unread.range(start..).next() {
                    Some(after) => match self.get(store, *after)? {
                        Some(found) => found,
                        None => break,
                    },
                    None => break,
                },
            };
            let mut followed = walked.head.follow(&path, &bytes);
            if followed.is_err()
                && let Some((_, again)) = self.get(store, start)?
                && again != bytes
            {
                followed = walked.head.follow(&path, &again);
            }
            match followed {
                Ok(commit) => {
                    each(Step { path: &path, commit: &commit, head: &walked.head, is_last: start >= last_listed })?;
                    walked.last = Some(commit);
                }
                Err(broken) => {
                    walked.broken = Some(broken);
                    break;
                }
            }
            unread.remove(&start);
            next = (walked.head.end < until).then_some(walked.head.end);
        }
        walked.unread = unread.iter().map(|start| self.commit_path(*start)).collect();
        Ok(walked)
    }

    fn commit_path(&self, start: u64) -> String {
        layout::chain_record(&self.topic_id, self.partition, start)
    }

    fn get(&self, store: &dyn Store, start: u64) -> Result<Option<(String, bytes::Bytes)>, StoreError> {
        let path = self.commit_path(start);
        Ok(store.get(&path)?.map(|bytes| (path, bytes)))
    }
}
