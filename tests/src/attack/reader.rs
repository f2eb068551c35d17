//! A reader that globs for data and reads what is there, again and again, while services are attacked. Knows the layout
//! of the datasets and nothing of commit records.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use contracts::layout;
use platform::store::Store;

use super::parquet::{self, Key};
use super::site::{Site, SiteKind};

/// Files that were read before and are read again each time round.
const READ_AGAIN: usize = 3;

/// Finds data files as a stranger does.
#[derive(Clone)]
pub enum Glob {
    /// In a folder.
    Folder(PathBuf),
    /// Below the prefix of a bucket.
    Bucket(Arc<dyn Store>),
}

impl Glob {
    /// Of that site's store.
    #[must_use]
    pub fn of(site: &Site) -> Self {
        match site.kind {
            SiteKind::EmbeddedLocal | SiteKind::KafkaLocal => Self::Folder(site.folder().join("data")),
            SiteKind::EmbeddedS3 | SiteKind::KafkaS3 => Self::Bucket(site.store.clone()),
        }
    }

    /// All data files there are, by their path below the store's root.
    ///
    /// # Panics
    /// When they cannot be listed.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        for dataset in [layout::FINDINGS, layout::DEAD_LETTERS] {
            match self {
                Self::Folder(root) => walk(root, &root.join(dataset), &mut files),
                Self::Bucket(store) => files.extend(store.list(dataset).unwrap().into_iter().map(|entry| entry.path)),
            }
        }
        files.retain(|path| path.ends_with(".parquet"));
        files
    }

    /// Content of a file.
    ///
    /// # Errors
    /// It is missing.
    pub fn read(&self, path: &str) -> Result<Bytes, String> {
        match self {
            Self::Folder(root) => std::fs::read(root.join(path)).map(Bytes::from).map_err(|e| format!("{path}: {e}")),
            Self::Bucket(store) => store.get(path).unwrap().ok_or_else(|| format!("{path} is missing")),
        }
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, files);
        } else if let Ok(inside) = path.strip_prefix(root) {
            files.push(inside.display().to_string());
        }
    }
}

/// What a reader has seen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Keys of each file.
    pub files: BTreeMap<String, Vec<Key>>,
    /// How often each key was seen.
    pub rows: HashMap<Key, u64>,
    /// Everything that must never be seen.
    pub outrages: Vec<String>,
    rounds: usize,
}

impl Seen {
    /// Looks once at everything: files not seen before, and some that were.
    pub fn look(&mut self, glob: &Glob, unique: bool) {
        let listed = glob.files();
        for missing in self.files.keys().filter(|path| !listed.contains(path)) {
            self.outrages.push(format!("{missing} was there and is missing"));
        }
        for path in &listed {
            if !self.files.contains_key(path) {
                match self.keys(glob, path) {
                    Some(keys) => self.add(path, keys, unique),
                    None => return,
                }
            }
        }
        for n in 0..READ_AGAIN.min(listed.len()) {
            let path = &listed[(self.rounds * READ_AGAIN + n) % listed.len()];
            let again = self.keys(glob, path);
            if again.is_some_and(|keys| keys != self.files[path]) {
                self.outrages.push(format!("{path} has changed"));
            }
        }
        self.rounds += 1;
    }

    fn keys(&mut self, glob: &Glob, path: &str) -> Option<Vec<Key>> {
        match glob.read(path).and_then(|bytes| parquet::keys(path, bytes)) {
            Ok(keys) => Some(keys),
            Err(outrage) => {
                self.outrages.push(outrage);
                None
            }
        }
    }

    fn add(&mut self, path: &str, keys: Vec<Key>, unique: bool) {
        for key in &keys {
            let times = self.rows.entry(key.clone()).or_default();
            *times += 1;
            if unique && *times > 1 {
                let others: Vec<_> = self.files.iter().filter(|(_, held)| held.contains(key)).map(|(p, _)| p).collect();
                self.outrages.push(format!("{key} is in {path} and was seen before, in {others:?}"));
            }
        }
        self.files.insert(path.to_owned(), keys);
    }
}

/// A reader on a thread of its own.
pub struct Reader {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Begins to read. With `unique`, no row may ever be seen twice.
    #[must_use]
    pub fn start(site: &Site, unique: bool) -> Self {
        let (glob, seen, stop) =
            (Glob::of(site), Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        // A bucket answers all of us from one small server.
        let pause = Duration::from_millis(if matches!(glob, Glob::Bucket(_)) { 100 } else { 10 });
        let (shared, stopped) = (seen.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                shared.lock().unwrap().look(&glob, unique);
                std::thread::sleep(pause);
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// How many rows it has seen by now.
    ///
    /// # Panics
    /// When it has seen what must never be seen.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let seen = self.seen.lock().expect("the reader lives");
        assert!(seen.outrages.is_empty(), "a reader saw: {:#?}", seen.outrages);
        seen.rows.values().sum()
    }

    /// Ends it; returns what it has seen.
    ///
    /// # Panics
    /// When it has seen what must never be seen.
    #[must_use]
    pub fn end(mut self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().expect("the reader lives");
        let seen = self.seen.lock().unwrap().clone();
        assert!(seen.outrages.is_empty(), "a reader saw: {:#?}", seen.outrages);
        seen
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
