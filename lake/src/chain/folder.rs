//! The one reader of commits: what lies in the folders of all chains, and a chain followed commit by commit. Works while sinks are
//! writing: a listing is no snapshot, so the next commit is asked for by its name, which the commit before it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use bytes::Bytes;
use contracts::chain::{BrokenChain, ChainHead, checkpoint_end, commit_start};
use contracts::commit_record::CommitRecord;
use contracts::layout;
use platform::store::many::{OBJECTS_AT_ONCE, get_all};
use platform::store::{Entry, Store, StoreError};
use tracing::warn;

use super::READS_MAX;

/// Records that are read ahead of the one that is followed.
const AHEAD_BYTES_MAX: u64 = 8 << 20;

/// What was listed in the folder of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// Its commits, by where they start.
    pub commits: BTreeMap<u64, Entry>,
    /// Where its checkpoints end.
    pub checkpoints: BTreeSet<u64>,
}

/// A commit that continues its chain.
pub struct ChainStep<'a> {
    /// Path of its record.
    pub path: &'a str,
    /// The record.
    pub commit: &'a CommitRecord,
    /// What the chain adds up to with it.
    pub head: &'a ChainHead,
    /// No later commit was listed.
    pub is_last: bool,
}

/// Where following a chain has come to.
pub(crate) struct Followed {
    /// What the chain adds up to so far.
    pub head: ChainHead,
    /// The last commit that continues it.
    pub last: Option<CommitRecord>,
    pub end: End,
}

/// Why a chain is followed no further.
pub(crate) enum End {
    /// All that was listed is read, or the caller has read enough.
    Read,
    /// A commit that was listed is not there any more.
    Missing(String),
    /// A commit does not continue the chain.
    Broken(BrokenChain),
}

/// How far a chain could be followed from its first commit on.
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

/// The folders of all chains, by topic id and partition, and objects that lie in none.
///
/// # Errors
/// The store refuses.
pub fn folders(store: &dyn Store) -> Result<(Vec<Folder>, Vec<String>), StoreError> {
    let mut folders: BTreeMap<(String, u32), Folder> = BTreeMap::new();
    let mut strays = Vec::new();
    for entry in store.list(layout::CHAIN)? {
        match chain_of(&entry.path) {
            Some(id) => folders.entry(id).or_insert_with_key(|id| Folder::empty(&id.0, id.1)).add(entry),
            None => strays.push(entry.path),
        }
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
    fn empty(topic_id: &str, partition: u32) -> Self {
        Self { topic_id: topic_id.to_owned(), partition, commits: BTreeMap::new(), checkpoints: BTreeSet::new() }
    }

    fn add(&mut self, entry: Entry) {
        self.checkpoints.extend(checkpoint_end(&entry.path));
        self.commits.extend(commit_start(&entry.path).map(|start| (start, entry)));
    }

    /// The folder of one chain, which may be empty.
    ///
    /// # Errors
    /// The store refuses.
    pub fn of(store: &dyn Store, topic_id: &str, partition: u32) -> Result<Self, StoreError> {
        let mut folder = Self::empty(topic_id, partition);
        store.list(&folder.path())?.into_iter().for_each(|entry| folder.add(entry));
        Ok(folder)
    }

    /// Its path in the store.
    #[must_use]
    pub fn path(&self) -> String {
        layout::chain_dir(&self.topic_id, self.partition)
    }

    /// Path of the commit that starts there.
    #[must_use]
    pub fn commit_path(&self, start: u64) -> String {
        layout::chain_record(&self.topic_id, self.partition, start)
    }

    /// Follows the chain from its first commit to the last one that was listed, or to where it breaks.
    ///
    /// # Errors
    /// The store refuses, or `each`.
    pub fn walk<E: From<StoreError>>(
        &self,
        store: &dyn Store,
        mut each: impl FnMut(ChainStep<'_>) -> Result<(), E>,
    ) -> Result<Walked, E> {
        let mut unread: BTreeSet<u64> = self.commits.keys().copied().collect();
        let Followed { head, last, end } =
            self.follow(store, ChainHead::empty(&self.topic_id, self.partition), |step| {
                unread.remove(&step.commit.start);
                each(step).map(ControlFlow::Continue)
            })?;
        let unread = unread.into_iter().map(|start| self.commit_path(start)).collect();
        Ok(Walked { head, last, broken: end.broken(), unread })
    }

    /// Follows the chain from `head` on, until `each` has enough or all that was listed is read. The commit that was enough counts
    /// in the head.
    pub(crate) fn follow<E: From<StoreError>>(
        &self,
        store: &dyn Store,
        mut head: ChainHead,
        mut each: impl FnMut(ChainStep<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<Followed, E> {
        let last_listed = self.commits.keys().next_back().copied().unwrap_or_default();
        let until = self.checkpoints.last().copied().unwrap_or_default().max(last_listed + 1);
        let (mut last, mut end, mut ahead) = (None, End::Read, BTreeMap::new());
        let mut next = head.position().or_else(|| self.commits.keys().next().copied());
        while let Some(start) = next.filter(|start| *start < until) {
            let mut path = self.commit_path(start);
            let mut bytes = self.read(store, start, &mut ahead)?;
            if bytes.is_none()
                && !self.commits.contains_key(&start)
                && let Some((after, entry)) = self.commits.range(start..).next()
            {
                // A hole: the commit after it tells what is wrong.
                path.clone_from(&entry.path);
                bytes = self.read(store, *after, &mut ahead)?;
            }
            let Some(bytes) = bytes else {
                if commit_start(&path).is_some_and(|start| self.commits.contains_key(&start)) {
                    end = End::Missing(path);
                }
                break;
            };
            match follow_one(store, &mut head, &path, bytes)? {
                Ok(commit) => {
                    let step = ChainStep { path: &path, commit: &commit, head: &head, is_last: start >= last_listed };
                    let has_enough = each(step)?.is_break();
                    let inside = self.commits.range(commit.start + 1..commit.end).next();
                    last = Some(commit);
                    if let Some((_, stray)) = inside {
                        end = End::Broken(BrokenChain {
                            path: stray.path.clone(),
                            problem: format!("it starts inside the record {path}, which ends at {}", head.end),
                        });
                        break;
                    }
                    if has_enough {
                        break;
                    }
                }
                Err(broken) => {
                    end = End::Broken(broken);
                    break;
                }
            }
            next = head.position();
        }
        Ok(Followed { head, last, end })
    }

    /// A commit by its start, and those that were listed after it, in one go.
    fn read(
        &self,
        store: &dyn Store,
        start: u64,
        ahead: &mut BTreeMap<u64, Option<Bytes>>,
    ) -> Result<Option<Bytes>, StoreError> {
        if !ahead.contains_key(&start) {
            let mut bytes = 0;
            let is_room = |(_, entry): &(&u64, &Entry)| {
                bytes += entry.bytes;
                bytes <= AHEAD_BYTES_MAX
            };
            let listed = self.commits.range(start + 1..).take_while(is_room).map(|(start, _)| *start);
            let starts: Vec<u64> = std::iter::once(start).chain(listed).take(OBJECTS_AT_ONCE).collect();
            let paths: Vec<String> = starts.iter().map(|start| self.commit_path(*start)).collect();
            *ahead = starts.into_iter().zip(get_all(store, &paths)?).collect();
        }
        Ok(ahead.remove(&start).flatten())
    }
}

impl End {
    /// Why the chain is not whole, for readers that need it whole.
    pub fn broken(self) -> Option<BrokenChain> {
        match self {
            Self::Read => None,
            Self::Missing(path) => {
                Some(BrokenChain { path, problem: "listed, but missing when it was read".to_owned() })
            }
            Self::Broken(broken) => Some(broken),
        }
    }
}

/// Follows a commit; one that does not continue the chain may have been read wrongly.
fn follow_one(
    store: &dyn Store,
    head: &mut ChainHead,
    path: &str,
    mut bytes: Bytes,
) -> Result<Result<CommitRecord, BrokenChain>, StoreError> {
    for _ in 1..READS_MAX {
        let error = match head.follow(path, &bytes) {
            Ok(commit) => return Ok(Ok(commit)),
            Err(error) => error,
        };
        match store.get(path)? {
            Some(again) if again != bytes => {
                warn!(%error, "another read of it gives other bytes");
                bytes = again;
            }
            _ => return Ok(Err(error)),
        }
    }
    Ok(head.follow(path, &bytes))
}

#[cfg(test)]
mod tests {
    use platform::store::local::LocalStore;

    use super::super::tests::chain;
    use super::*;

    /// A chain [0, 10), [10, 20), … as it was listed, and what its commits add up to.
    fn listed(store: &LocalStore, commits: u64) -> (Folder, Vec<ChainHead>) {
        let heads = chain(store, commits);
        let folder = Folder::of(store, "id", 0).unwrap();
        assert_eq!(folders(store).unwrap(), (vec![folder.clone()], Vec::new()));
        (folder, heads)
    }

    fn follow(folder: &Folder, store: &LocalStore, head: ChainHead) -> (u64, End) {
        let followed = folder.follow(store, head, |_| Ok::<_, StoreError>(ControlFlow::Continue(()))).unwrap();
        assert_eq!(followed.last.map(|commit| commit.end), (followed.head.end > 0).then_some(followed.head.end));
        (followed.head.end, followed.end)
    }

    #[test]
    fn a_commit_that_a_listing_has_missed_is_asked_for_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let (mut folder, heads) = listed(&store, 200);
        for missed in [70, 80, 1_500] {
            folder.commits.remove(&missed);
        }
        let empty = || ChainHead::empty("id", 0);
        assert!(matches!(follow(&folder, &store, empty()), (2_000, End::Read)));
        assert!(matches!(follow(&folder, &store, heads[150].clone()), (2_000, End::Read)));
        let walked = folder.walk(&store, |_| Ok::<_, StoreError>(())).unwrap();
        assert_eq!((&walked.head, walked.broken, walked.unread), (&heads[199], None, Vec::new()));
    }

    #[test]
    fn a_commit_that_is_missing_is_distinguished_from_one_that_was_never_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let (mut folder, _) = listed(&store, 5);
        let empty = || ChainHead::empty("id", 0);
        store.delete(&folder.commit_path(20)).unwrap();
        let (end, why) = follow(&folder, &store, empty());
        assert!(end == 20 && matches!(&why, End::Missing(path) if *path == folder.commit_path(20)));
        folder.commits.remove(&20);
        let (end, why) = follow(&folder, &store, empty());
        let End::Broken(broken) = why else { panic!("it is whole") };
        assert_eq!((end, broken.path.as_str()), (20, folder.commit_path(30).as_str()));
        assert_eq!(broken.problem, "the record before it ends at 20, this one starts at 30");
        let walked = folder.walk(&store, |_| Ok::<_, StoreError>(())).unwrap();
        assert_eq!((walked.broken, walked.unread.len()), (Some(broken), 2));
    }

    /// Two sinks on a store that has stopped keeping put-if-absent.
    #[test]
    fn a_commit_that_starts_inside_another_breaks_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let (mut folder, _) = listed(&store, 5);
        let stray = Entry { path: folder.commit_path(25), ..folder.commits[&20].clone() };
        folder.commits.insert(25, stray);
        let (end, why) = follow(&folder, &store, ChainHead::empty("id", 0));
        let End::Broken(broken) = why else { panic!("it is whole") };
        assert_eq!((end, &broken.path), (30, &folder.commit_path(25)));
        assert!(broken.problem.starts_with("it starts inside the record "), "{}", broken.problem);
    }

    #[test]
    fn a_chain_is_followed_until_the_caller_has_enough() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let (folder, heads) = listed(&store, 5);
        let mut steps = Vec::new();
        let followed = folder.follow::<StoreError>(&store, heads[0].clone(), |step| {
            steps.push((step.commit.start, step.is_last));
            Ok(if step.commit.start == 30 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        assert!(matches!(followed.unwrap().end, End::Read));
        assert_eq!(steps, [(10, false), (20, false), (30, false)]);
    }
}
