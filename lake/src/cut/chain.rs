//! The committed files: every partition's commit chain up to the last record whose files are all published.
//!
//! A record is committed only when all files of the record before it are published. So only the last record of a chain may
//! name files that are not there yet. Anywhere else an absent file is lost: that stops the exports of its tenant, and of no
//! other tenant.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use contracts::chain::{BrokenChain, ChainHead};
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::datasets;
use contracts::source::{self, ChainPosition, SrcSet};
use platform::store::{Entry, Staged, Store};

use super::error::{CutError, Result};
use super::unreadable::Unreadable;
use super::{DataFile, DatasetFiles, tenant_of_path};
use crate::chain::{End, Folder, folders};

/// What all chains together say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chains {
    /// Per tenant, the last record of each chain that holds findings of it.
    pub positions: BTreeMap<String, Vec<ChainPosition>>,
    pub files: DatasetFiles,
    /// First source positions per run key, over valid and dead records.
    pub delivered: BTreeMap<String, SrcSet>,
    /// Files that are absent, or of another size than their commit says.
    pub unreadable: Vec<Unreadable>,
}

/// The chains as far as earlier cuts have read them, by topic id and partition. A commit never changes, so each is read once.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<(String, u32), Chain>);

/// A chain as far as it was read: all its files were published.
#[derive(Debug)]
struct Chain {
    head: ChainHead,
    topic: String,
    /// The commits, as they were listed.
    commits: BTreeMap<u64, Entry>,
    files: Vec<DataFile>,
    /// Where the last record ends that holds findings of a tenant, by tenant.
    ends: BTreeMap<String, u64>,
    delivered: BTreeMap<String, SrcSet>,
}

/// Sizes of published files, by path.
type Sizes = BTreeMap<String, u64>;

/// Names of staged objects: listed only when a record names a file that is not published.
type StagedNames = OnceCell<BTreeSet<String>>;

pub(super) fn read(store: &dyn Store, known: &mut Known) -> Result<Chains> {
    // In this order: when a record has a successor in the first list, its files are in the second.
    let (listed, _) = folders(store)?;
    let sizes = published_sizes(store)?;
    let (mut chains, staged) = (Chains::default(), StagedNames::new());
    let mut before = std::mem::take(&mut known.0);
    for folder in listed {
        let id = (folder.topic_id.clone(), folder.partition);
        let mut chain =
            before.remove(&id).filter(|chain| chain.is_part_of(&folder)).unwrap_or_else(|| Chain::empty(&folder));
        let read = chain.read_on(store, &folder, &sizes, &staged).and_then(|()| chain.add_to(&mut chains, &sizes));
        known.0.insert(id, chain);
        if let Err(error) = read {
            // What was read need not be read again when it is tried again.
            known.0.append(&mut before);
            return Err(error);
        }
    }
    chains.files.sort();
    Ok(chains)
}

fn published_sizes(store: &dyn Store) -> Result<Sizes> {
    let mut sizes = Sizes::new();
    for dataset in datasets::ALL {
        sizes.extend(store.list(dataset.name)?.into_iter().map(|Entry { path, bytes, .. }| (path, bytes)));
    }
    Ok(sizes)
}

impl Chain {
    fn empty(folder: &Folder) -> Self {
        let head = ChainHead::empty(&folder.topic_id, folder.partition);
        let (topic, commits, files, ends, delivered) = Default::default();
        Self { head, topic, commits, files, ends, delivered }
    }

    /// True when all that was read is listed still, as it was.
    fn is_part_of(&self, folder: &Folder) -> bool {
        folder.commits.range(..self.head.position().unwrap_or_default()).eq(&self.commits)
    }

    fn read_on(&mut self, store: &dyn Store, folder: &Folder, sizes: &Sizes, staged: &StagedNames) -> Result<()> {
        let followed = folder.follow::<CutError>(store, self.head.clone(), |step| {
            if step.is_last && is_being_published(store, step.commit, sizes, staged)? {
                return Ok(ControlFlow::Break(()));
            }
            self.take(step.commit);
            self.head = step.head.clone();
            let start = step.commit.start;
            self.commits.extend(folder.commits.get(&start).map(|entry| (start, entry.clone())));
            Ok(ControlFlow::Continue(()))
        })?;
        match followed.end {
            End::Broken(BrokenChain { path, problem }) => Err(CutError::BadObject { path, problem }),
            // A swap of roots takes the chains out first: what is there up to here is a state that was.
            End::Read | End::Missing(_) => Ok(()),
        }
    }

    fn take(&mut self, commit: &CommitRecord) {
        self.topic.clone_from(&commit.topic);
        add(&mut self.delivered, &commit.runs);
        for file in &commit.files {
            let path_tenant = tenant_of_path(&file.path);
            if let Some(tenant) = &path_tenant
                && datasets::FINDINGS.holds(&file.path)
            {
                self.ends.insert(tenant.clone(), commit.end);
            }
            let (path, sha256) = (file.path.clone(), file.sha256.clone());
            let CommittedFile { bytes, rows, .. } = *file;
            self.files.push(DataFile { path, sha256, path_tenant, bytes, rows, local: None });
        }
    }

    fn add_to(&self, chains: &mut Chains, sizes: &Sizes) -> Result<()> {
        for (tenant, &end) in &self.ends {
            let (topic, topic_id) = (self.topic.clone(), self.head.topic_id.clone());
            let position = ChainPosition { topic, topic_id, partition: self.head.partition, end };
            chains.positions.entry(tenant.clone()).or_default().push(position);
        }
        add(&mut chains.delivered, &self.delivered);
        for file in &self.files {
            if let Some(problem) = problem_of(file, sizes) {
                chains.unreadable.push(Unreadable::of(CutError::BadObject { path: file.path.clone(), problem })?);
            }
            chains.files.add(file.clone());
        }
        Ok(())
    }
}

fn add(all: &mut BTreeMap<String, SrcSet>, runs: &BTreeMap<String, SrcSet>) {
    for (run, src) in runs {
        source::union(all.entry(run.clone()).or_default(), src);
    }
}

/// True when files of the last record of a chain are not published yet. A file that is absent and no longer staged, either,
/// was published and is lost since: the record counts then, so that tenants whose files are there keep them.
fn is_being_published(store: &dyn Store, last: &CommitRecord, sizes: &Sizes, staged: &StagedNames) -> Result<bool> {
    for file in last.files.iter().filter(|file| !sizes.contains_key(&file.path)) {
        let names = if let Some(names) = staged.get() {
            names
        } else {
            let listed = store.staged()?;
            staged.get_or_init(|| listed.into_iter().map(|entry| entry.path).collect())
        };
        let is_lost = Staged::name_of(&file.staged).is_some_and(|name| !names.contains(name));
        // It may have been published between the two lists: the next cut has it.
        if !is_lost || store.open(&file.path)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Why a file of a published record cannot be read.
fn problem_of(file: &DataFile, sizes: &Sizes) -> Option<String> {
    match sizes.get(&file.path) {
        Some(bytes) if *bytes == file.bytes => None,
        Some(bytes) => Some(format!("it has {bytes} bytes, its commit record says {}", file.bytes)),
        None => Some(
            "it is absent, but its commit record names it; `finops verify` names all files that are missing, \
             `finops repair` rebuilds them from the topic"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use contracts::commit_record::FORMAT_VERSION;
    use contracts::layout;
    use contracts::source::OffsetSet;
    use platform::store::local::LocalStore;

    use super::*;

    struct World {
        store: LocalStore,
        head: ChainHead,
        known: Known,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
            Self { store, head: ChainHead::empty("id", 0), known: Known::default(), _folder: folder }
        }

        /// Commits one record; returns the path of its file, which is not published.
        fn commit(&mut self) -> String {
            self.commit_for(&["acme"], &serde_json::Value::Null).remove(0)
        }

        /// Commits one record with a file of each tenant; returns the paths of the files, which are not published.
        fn commit_for(&mut self, tenants: &[&str], staged: &serde_json::Value) -> Vec<String> {
            let start = self.head.end;
            let mut offsets = OffsetSet::default();
            assert!(offsets.insert(start));
            let file = |tenant: &&str| CommittedFile {
                path: format!("{}/part-{start}.parquet", layout::partition_dir(layout::FINDINGS, tenant, "2026-01-20")),
                tenant_id: (*tenant).into(),
                run_date: "2026-01-20".into(),
                rows: 1,
                bytes: 4,
                sha256: String::new(),
                schema_version: 1,
                staged: staged.clone(),
            };
            let files: Vec<CommittedFile> = tenants.iter().map(file).collect();
            let paths = files.iter().map(|file| file.path.clone()).collect();
            let commit = CommitRecord {
                format_version: FORMAT_VERSION,
                code_version: String::new(),
                dataset: layout::FINDINGS.into(),
                topic: "t".into(),
                topic_id: "id".into(),
                partition: 0,
                start,
                end: start + 1,
                rows: files.len() as u64,
                duplicates: 0,
                files,
                src: SrcSet::new(),
                runs: BTreeMap::from([("acme/w/r".into(), SrcSet::from([("w/0".parse().unwrap(), offsets)]))]),
                source_watermarks: BTreeMap::new(),
                last_record: None,
                writer_id: String::new(),
                nonce: String::new(),
                previous_sha256: self.head.last_sha256.clone(),
                committed_at: String::new(),
            };
            let (name, bytes) = (layout::chain_record("id", 0, start), serde_json::to_vec(&commit).unwrap());
            self.store.put_if_absent(&name, &bytes).unwrap();
            self.head.follow(&name, &bytes).unwrap();
            paths
        }

        /// Commits one record with a file of each tenant, and publishes them.
        fn publish_for(&mut self, tenants: &[&str]) -> Vec<String> {
            let paths = self.commit_for(tenants, &serde_json::json!({"name": "_sink/staging/removed"}));
            paths.iter().for_each(|path| self.store.put(path, b"rows").unwrap());
            paths
        }

        /// Per tenant, how far it is read; and the tenants whose files are missing.
        fn state(&mut self) -> (BTreeMap<String, u64>, Vec<String>) {
            let read_on = read(&self.store, &mut self.known).unwrap();
            assert_eq!(read_on, read(&self.store, &mut Known::default()).unwrap());
            let ends = read_on.positions.into_iter().map(|(tenant, positions)| (tenant, positions[0].end)).collect();
            assert!(read_on.unreadable.iter().all(|file| file.problem.starts_with("it is absent")));
            (ends, read_on.unreadable.into_iter().map(|file| file.tenant).collect())
        }

        /// Where the cut ends, read on; the same as read from the start.
        fn end(&mut self) -> Option<u64> {
            let read_on = read(&self.store, &mut self.known).unwrap();
            assert_eq!(read_on, read(&self.store, &mut Known::default()).unwrap());
            let end = read_on.positions.get("acme").map(|positions| positions[0].end);
            let delivered: u64 = read_on.delivered.values().flatten().map(|(_, offsets)| offsets.count()).sum();
            assert_eq!(
                (read_on.files.of(&datasets::FINDINGS).len() as u64, delivered),
                (end.unwrap_or(0), end.unwrap_or(0))
            );
            end
        }
    }

    #[test]
    fn a_cut_that_reads_on_is_the_one_from_the_start() {
        let mut world = World::new();
        assert_eq!(world.end(), None);
        let first = world.commit();
        assert_eq!(world.end(), None, "its file is not published yet");
        world.store.put(&first, b"rows").unwrap();
        assert_eq!(world.end(), Some(1));
        for end in 2..5 {
            let path = world.commit();
            world.store.put(&path, b"rows").unwrap();
            assert_eq!(world.end(), Some(end));
        }
        world.store.delete(&first).unwrap();
        assert_eq!(
            (world.end(), world.state().1),
            (Some(4), vec!["acme".to_owned()]),
            "a file with successors is lost"
        );
        world.store.put(&first, b"rows").unwrap();
        assert_eq!((world.end(), world.state().1), (Some(4), Vec::new()));
        world.store.delete(&layout::chain_record("id", 0, 1)).unwrap();
        let error = read(&world.store, &mut world.known).unwrap_err().to_string();
        assert!(error.ends_with("the record before it ends at 1, this one starts at 2"), "{error}");
    }

    #[test]
    fn missing_files_of_one_tenant_concern_no_other_tenant() {
        let mut world = World::new();
        let mut leavers = Vec::new();
        for _ in 0..3 {
            leavers.push(world.publish_for(&["acme", "leaver"]).remove(1));
        }
        let ends = BTreeMap::from([("acme".to_owned(), 3), ("leaver".to_owned(), 3)]);
        assert_eq!(world.state(), (ends.clone(), Vec::new()));
        for (n, path) in leavers.iter().enumerate() {
            world.store.delete(path).unwrap();
            assert_eq!(world.state(), (ends.clone(), vec!["leaver".to_owned(); n + 1]), "{path}");
        }
        leavers.iter().for_each(|path| world.store.put(path, b"rows").unwrap());
        assert_eq!(world.state(), (ends, Vec::new()));
    }

    #[test]
    fn a_last_record_with_a_staged_file_is_not_published_yet() {
        let mut world = World::new();
        world.publish_for(&["acme"]);
        let mut writing = world.store.stage("x").unwrap();
        std::io::Write::write_all(&mut writing, b"rows").unwrap();
        let staged = writing.finish().unwrap();
        let paths = world.commit_for(&["acme", "globex"], &staged.token);
        world.store.put(&paths[0], b"rows").unwrap();
        let before = (BTreeMap::from([("acme".to_owned(), 1)]), Vec::new());
        assert_eq!(world.state(), before);
        world.store.put(&paths[1], b"rows").unwrap();
        assert_eq!(world.state().0, BTreeMap::from([("acme".to_owned(), 2), ("globex".to_owned(), 2)]));
    }

    /// By a second sink, where the store does not keep put-if-absent.
    #[test]
    fn a_record_that_was_overwritten_is_noticed() {
        let mut world = World::new();
        (0..3).for_each(|_| drop(world.publish_for(&["acme"])));
        assert_eq!(world.end(), Some(3));
        let path = layout::chain_record("id", 0, 1);
        let mut other: CommitRecord = serde_json::from_slice(&world.store.get(&path).unwrap().unwrap()).unwrap();
        other.nonce = "another".into();
        world.store.put(&path, &other.to_bytes().unwrap()).unwrap();
        let error = read(&world.store, &mut world.known).unwrap_err().to_string();
        assert!(error.ends_with("it does not carry the digest of the record before it"), "{error}");
    }

    #[test]
    fn a_commit_of_another_chain_is_refused() {
        let mut world = World::new();
        let path = world.commit();
        world.store.put(&path, b"rows").unwrap();
        let commit = world.store.get(&layout::chain_record("id", 0, 0)).unwrap().unwrap();
        world.store.put(&layout::chain_record("id", 1, 0), &commit).unwrap();
        let error = read(&world.store, &mut world.known).unwrap_err().to_string();
        assert!(error.ends_with("it belongs to id/0"), "{error}");
    }
}
