//! A bucket, or a prefix of one, as a store. Objects are created by `PutObject` with `If-None-Match: *`: that is the
//! compare-and-swap, and `If-Match: <tag>` replaces what is replaced conditionally; a service that does not know both is
//! refused when the store is opened. Staged objects are multipart uploads to their final key: no reader sees them until they
//! are completed.
//!
//! Every write carries an id of its own in the object's metadata, so that a request whose answer was lost can be distinguished
//! from another writer's. The prefix must be the store's alone: old uploads below it are swept.

mod blocking;
mod bucket;
mod client;
mod failure;
mod publish;
mod put;
mod reader;
mod settings;
mod upload;

use std::io::{ErrorKind, Read};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::cache::FileCache;
use super::identity::{NOT_EMPTY, PATH as IDENTITY, StoreIdentity};
use super::{
    Entry, Lease, Object, Published, PutOutcome, ReplaceOutcome, Result, Staged, StagedWrite, Store, StoreError,
    Version,
};
use blocking::Blocking;
use bucket::Bucket;
use publish::Token;
use reader::Reader;
use upload::StagedUpload;

pub use settings::{PROVE_EVERY, S3Settings, SETTINGS};

/// Parts on their way at a time, over all uploads of a store: bounds memory to this many parts of
/// [`upload::PART_BYTES`] and one more for each upload.
const PARTS_IN_FLIGHT_MAX: usize = 8;

/// A bucket, or a prefix of one.
#[derive(Debug)]
pub struct S3Store {
    remote: Arc<Remote>,
    id: String,
    cache: FileCache,
    proof: Proof,
}

/// When the service has last shown that it keeps the conditions of writes, and what it takes to see that again.
#[derive(Debug)]
struct Proof {
    endpoint: String,
    identity: Bytes,
    every: Duration,
    made: Mutex<Instant>,
}

/// What readers and writers of the store keep alive.
#[derive(Debug)]
struct Remote {
    bucket: Bucket,
    blocking: Blocking,
    parts_in_flight: Arc<Semaphore>,
    /// False once the service has said that it completes uploads without conditions only.
    completes_if_absent: Arc<AtomicBool>,
}

impl S3Store {
    /// Opens a bucket as a store and makes it one if it is not yet. Proves first that the service keeps put-if-absent
    /// and conditional replace. Where something is below `own`, the store's own folder, there was a store before.
    ///
    /// # Errors
    /// Credentials or bucket are refused, the service ignores conditions of writes, or the store has a newer format.
    pub fn open(settings: S3Settings, own: &str) -> Result<Self> {
        let mut store = Self::at(&settings)?;
        let (bytes, id) = match store.identity()? {
            Some(identity) => identity,
            None => store.make_identity(own)?,
        };
        (store.id, store.proof.identity) = (id, bytes);
        store.prove()?;
        Ok(store)
    }

    /// Opens a bucket that is a store already and writes nothing to it: a mistyped prefix is an error, not an empty
    /// store.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it is not a store.
    pub fn open_existing(settings: S3Settings) -> Result<Self> {
        let mut store = Self::at(&settings)?;
        let (bytes, id) = store.identity()?.ok_or_else(|| {
            let reason = std::io::Error::new(ErrorKind::NotFound, format!("not a store: it has no {IDENTITY}"));
            StoreError::io("opening store", store.location(), reason)
        })?;
        (store.id, store.proof.identity) = (id, bytes);
        Ok(store)
    }

    fn at(settings: &S3Settings) -> Result<Self> {
        let cache = FileCache::new(&settings.cache_dir, settings.cache_bytes_max);
        let blocking = Blocking::start()?;
        let owned = settings.clone();
        let client = blocking.run(async move { Ok(client::build(&owned).await) })?;
        let remote = Remote {
            bucket: Bucket::new(client, settings),
            blocking,
            parts_in_flight: Arc::new(Semaphore::new(PARTS_IN_FLIGHT_MAX)),
            completes_if_absent: Arc::new(AtomicBool::new(true)),
        };
        let proof = Proof {
            endpoint: settings.endpoint.clone().unwrap_or_else(|| "AWS".to_owned()),
            identity: Bytes::new(),
            every: settings.prove_every,
            made: Mutex::new(Instant::now()),
        };
        Ok(Self { remote: Arc::new(remote), id: String::new(), cache, proof })
    }

    /// Proves that the service keeps put-if-absent and conditional replace.
    fn prove(&self) -> Result<()> {
        let (bucket, endpoint) = (self.remote.bucket.clone(), self.proof.endpoint.clone());
        let identity = self.proof.identity.clone();
        self.remote.blocking.run(async move { put::prove_conditions(&bucket, IDENTITY, identity, &endpoint).await })?;
        *self.proof.made.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }

    /// The same when the last proof is old: what comes next relies on it.
    fn prove_again_if_due(&self) -> Result<()> {
        let made = *self.proof.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.elapsed() >= self.proof.every { self.prove() } else { Ok(()) }
    }

    /// The identity's bytes, and the id they hold.
    fn identity(&self) -> Result<Option<(Bytes, String)>> {
        let Some(bytes) = self.get(IDENTITY)? else { return Ok(None) };
        let refused = |reason: String| StoreError::Refused {
            doing: "reading the identity of the store,",
            path: self.remote.bucket.show(IDENTITY),
            reason,
        };
        let id = StoreIdentity::parse(&bytes).map_err(refused)?.store_id;
        Ok(Some((bytes, id)))
    }

    /// Two processes may open a new store at once: the first identity wins, both read it.
    fn make_identity(&self, own: &str) -> Result<(Bytes, String)> {
        let (bucket, own) = (self.remote.bucket.clone(), own.to_owned());
        if !self.remote.blocking.run(async move { bucket.is_empty(&own).await })? {
            let (path, reason) = (self.location(), NOT_EMPTY.to_owned());
            return self.identity()?.ok_or(StoreError::Refused { doing: "making a store of", path, reason });
        }
        let identity = StoreIdentity::new();
        let bytes = Bytes::from(identity.to_bytes());
        self.create(IDENTITY, bytes.clone())?;
        Ok(self.identity()?.unwrap_or((bytes, identity.store_id)))
    }

    fn create(&self, path: &str, bytes: Bytes) -> Result<PutOutcome> {
        let (bucket, path) = (self.remote.bucket.clone(), path.to_owned());
        self.remote.blocking.run(async move { put::create(&bucket, &path, bytes).await })
    }

    /// What callers may write or remove.
    fn writable(&self, path: &str) -> Result<()> {
        if path == IDENTITY {
            return Err(StoreError::BadPath { path: path.to_owned(), reason: "it holds the store's identity" });
        }
        self.remote.bucket.check(path)
    }

    fn abort(&self, path: String, upload: String) -> Result<()> {
        let bucket = self.remote.bucket.clone();
        self.remote.blocking.run(async move { bucket.abort_upload(&path, &upload).await })
    }
}

impl Store for S3Store {
    fn id(&self) -> &str {
        &self.id
    }

    fn location(&self) -> String {
        self.remote.bucket.url()
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome> {
        self.writable(path)?;
        self.prove_again_if_due()?;
        self.create(path, Bytes::copy_from_slice(bytes))
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.writable(path)?;
        let (bucket, path, bytes) = (self.remote.bucket.clone(), path.to_owned(), Bytes::copy_from_slice(bytes));
        self.remote.blocking.run(async move { put::replace(&bucket, &path, bytes).await })
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>> {
        self.remote.bucket.check(path)?;
        let (bucket, path) = (self.remote.bucket.clone(), path.to_owned());
        let found = self.remote.blocking.run(async move { bucket.get_tagged(&path).await })?;
        Ok(found.map(|(bytes, tag)| (bytes, Version(tag))))
    }

    fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Version>) -> Result<ReplaceOutcome> {
        self.writable(path)?;
        self.prove_again_if_due()?;
        let (bucket, path, bytes) = (self.remote.bucket.clone(), path.to_owned(), Bytes::copy_from_slice(bytes));
        let tag = expected.map(|version| version.0.clone());
        self.remote.blocking.run(async move { put::replace_expected(&bucket, &path, bytes, tag.as_deref()).await })
    }

    fn stage(&self, target: &str) -> Result<Box<dyn StagedWrite>> {
        self.writable(target)?;
        Ok(Box::new(StagedUpload::new(Arc::clone(&self.remote), target)))
    }

    fn publish(&self, staged: &Staged) -> Result<Published> {
        self.writable(&staged.target)?;
        let token = Token::of(staged)?;
        let (bucket, staged) = (self.remote.bucket.clone(), staged.clone());
        let if_absent = Arc::clone(&self.remote.completes_if_absent);
        self.remote.blocking.run(async move { publish::publish(&bucket, &staged, &token, &if_absent).await })
    }

    fn discard(&self, staged: &Staged) -> Result<()> {
        let token = Token::of(staged)?;
        self.abort(staged.target.clone(), token.upload)
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>> {
        self.remote.bucket.check(path)?;
        let (bucket, path) = (self.remote.bucket.clone(), path.to_owned());
        self.remote.blocking.run(async move { bucket.get(&path).await })
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        self.remote.bucket.check(path)?;
        Ok(Reader::open(Arc::clone(&self.remote), path)?.map(|reader| Box::new(reader) as _))
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        let beginning = if folder.is_empty() {
            String::new()
        } else {
            self.remote.bucket.check(folder)?;
            format!("{folder}/")
        };
        let bucket = self.remote.bucket.clone();
        let mut found = self.remote.blocking.run(async move { bucket.list(&beginning).await })?;
        // Not every service lists in order.
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.writable(path)?;
        let (bucket, path) = (self.remote.bucket.clone(), path.to_owned());
        self.remote.blocking.run(async move { bucket.delete(&path).await })
    }

    /// Sizes are not reported: the service does not add up the parts.
    fn staged(&self) -> Result<Vec<Entry>> {
        let bucket = self.remote.bucket.clone();
        let uploads = self.remote.blocking.run(async move { bucket.uploads().await })?;
        let entry = |upload: &bucket::Upload| Entry {
            path: publish::staged_name(&upload.path, &upload.id),
            bytes: 0,
            modified_ms: upload.initiated_ms,
        };
        let mut entries: Vec<Entry> = uploads.iter().map(entry).collect();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn sweep(&self, before_ms: i64, keep: &dyn Fn(&str) -> bool) -> Result<u64> {
        let bucket = self.remote.bucket.clone();
        let mut removed = 0;
        for upload in self.remote.blocking.run(async move { bucket.uploads().await })? {
            if upload.initiated_ms < before_ms && !keep(&publish::staged_name(&upload.path, &upload.id)) {
                self.abort(upload.path, upload.id)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }

    fn local_file(&self, object: Object<'_>, lease: &Lease) -> Result<PathBuf> {
        self.remote.bucket.check(object.path)?;
        self.cache.file(self, object, lease)
    }
}
