//! The broker file for commands that only look: nothing in its folder is created or changed, so the right to read is enough.
//!
//! SQLite reads a file with a write-ahead log through an index beside it (`-shm`), which even a reader creates where it can.
//! Which way is right depends on what lies beside the file now:
//!
//! | `-wal` | `-shm` | the file is | it is opened |
//! |---|---|---|---|
//! | yes | yes | in use, or was left by a killed process | read-only with the index as it is (`readonly_shm`) |
//! | no, or empty | any | whole and at rest | as a file that does not change (`immutable`), and looked at again after each question: when a writer came, the answer is thrown away |
//! | yes | no | copied without its index | as a copy in a folder for temporary files |
//!
//! A reader that SQLite would let create its files is a trap: they belong to its user, and the services cannot write them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::{EmbeddedSettings, beside, errors, groups, log, schema, vacuum};
use crate::broker::{
    Broker, BrokerError, Consumer, ConsumerConfig, FileSize, GroupOffset, Message, Processor, Producer, Result,
    TopicInfo, TopicPartition, TopicSettings, TopicSpec, Watermarks,
};

/// How often a question is asked again because the file changed meanwhile.
const ATTEMPTS: u32 = 10;
/// Two changes within a tick of the file system's clock look like one.
const CLOCK_TICK: Duration = Duration::from_millis(20);

/// The embedded log, to look at.
pub struct EmbeddedReader {
    path: PathBuf,
    settings: EmbeddedSettings,
    opened: Mutex<Option<Opened>>,
}

impl EmbeddedReader {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// [`BrokerError::Fatal`] when it is no such log, is of a newer version, or this user may not read it.
    pub fn open(path: &Path, settings: EmbeddedSettings) -> Result<Self> {
        let reader = Self { path: path.to_owned(), settings, opened: Mutex::default() };
        reader.ask(|_| Ok(()))?;
        Ok(reader)
    }

    /// Asks the file as it is now.
    fn ask<T>(&self, question: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let state = State::of(&self.path).map_err(|e| self.unreadable(&e.to_string()))?;
            if opened.as_ref().is_none_or(|opened| !opened.is_good_for(&state)) {
                // The old one goes first: it may hold a lock.
                *opened = None;
                *opened = Some(Opened::open(&self.path, state, &self.settings).map_err(|e| self.refused(&e))?);
            }
            let Some(open) = opened.as_ref() else { continue };
            if open.is_new {
                schema::check_version(&open.connection, &self.path)?;
            }
            let answer = question(&open.connection);
            let is_current = open.state.way() == Way::InUse || State::of(&self.path).is_ok_and(|now| now == open.state);
            if is_current {
                if let Some(open) = opened.as_mut() {
                    open.is_new = false;
                }
                return answer;
            }
            *opened = None;
        }
        let reason = format!("{} changes all the time", self.path.display());
        Err(BrokerError::Retriable { doing: "reading the broker file".to_owned(), reason })
    }

    fn sql<T>(&self, doing: &str, question: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.ask(|connection| question(connection).map_err(|e| errors::of(&e, doing, &self.path)))
    }

    fn unreadable(&self, why: &str) -> BrokerError {
        let doing = format!("reading the broker file {}", self.path.display());
        BrokerError::Fatal { doing, reason: why.to_owned() }
    }

    fn refused(&self, error: &OpenError) -> BrokerError {
        match error {
            OpenError::Sql(error) if errors::is_unopened(error) => {
                self.unreadable(&format!("{error}; this user needs the right to read it and what lies beside it"))
            }
            OpenError::Sql(error) => errors::of(error, "opening the broker file to read", &self.path),
            OpenError::Copy(error) => self.unreadable(&format!("copying it to read it: {error}")),
        }
    }

    fn only_reads<T>(&self, doing: &str) -> Result<T> {
        let reason = format!("{} was opened to be read only", self.path.display());
        Err(BrokerError::Fatal { doing: doing.to_owned(), reason })
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    InUse,
    AtRest,
    Copy,
}

/// What tells a file from a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl From<Metadata> for Version {
    fn from(found: Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino(), bytes: found.len(), modified: found.modified().ok() }
    }
}

/// What lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    file: Version,
    wal: Option<Version>,
    has_index: bool,
}

impl State {
    /// Looks; waits until a change of the files could be distinguished from this state.
    fn of(path: &Path) -> io::Result<Self> {
        loop {
            let wal = found(&beside(path, "-wal"))?;
            let has_index = found(&beside(path, "-shm"))?.is_some();
            let state = Self { file: fs::metadata(path)?.into(), wal, has_index };
            let newest = state.file.modified.max(wal.and_then(|wal| wal.modified));
            let age = newest.and_then(|newest| SystemTime::now().duration_since(newest).ok());
            match age {
                Some(age) if age < CLOCK_TICK && state.way() != Way::InUse => std::thread::sleep(CLOCK_TICK - age),
                _ => return Ok(state),
            }
        }
    }

    fn way(&self) -> Way {
        match (self.wal.is_some_and(|wal| wal.bytes > 0), self.wal.is_some() && self.has_index) {
            (_, true) => Way::InUse,
            (true, false) => Way::Copy,
            (false, false) => Way::AtRest,
        }
    }
}

fn found(path: &Path) -> io::Result<Option<Version>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some(found.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// An open file.
struct Opened {
    connection: Connection,
    state: State,
    /// Its version was not looked at.
    is_new: bool,
    /// Dropped after the connection.
    _copy: Option<Copy>,
}

enum OpenError {
    Sql(rusqlite::Error),
    Copy(io::Error),
}

impl Opened {
    fn open(path: &Path, state: State, settings: &EmbeddedSettings) -> std::result::Result<Self, OpenError> {
        let (copy, connection) = match state.way() {
            Way::InUse => (None, connect(path, "mode=ro&readonly_shm=1")),
            Way::AtRest => (None, connect(path, "mode=ro&immutable=1")),
            Way::Copy => {
                let copy = Copy::of(path).map_err(OpenError::Copy)?;
                let connection = Connection::open(copy.0.join(COPY));
                (Some(copy), connection)
            }
        };
        let connection = connection.map_err(OpenError::Sql)?;
        connection.busy_timeout(settings.busy_timeout).map_err(OpenError::Sql)?;
        connection.set_prepared_statement_cache_capacity(64);
        // The first access opens the index.
        schema::pragma(&connection, "schema_version").map_err(OpenError::Sql)?;
        Ok(Self { connection, state, is_new: true, _copy: copy })
    }

    /// In use, the same file is enough: SQLite sees what is written to it.
    fn is_good_for(&self, state: &State) -> bool {
        let is_same_file = |a: &Version, b: &Version| (a.device, a.inode) == (b.device, b.inode);
        match self.state.way() {
            Way::InUse => {
                let same_wal = self.state.wal.zip(state.wal).is_some_and(|(ours, now)| is_same_file(&ours, &now));
                state.way() == Way::InUse && same_wal && is_same_file(&self.state.file, &state.file)
            }
            Way::AtRest | Way::Copy => self.state == *state,
        }
    }
}

fn connect(path: &Path, parameters: &str) -> rusqlite::Result<Connection> {
    const READ: OpenFlags =
        OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_URI).union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let encoded = percent_encoding::percent_encode(absolute.as_os_str().as_encoded_bytes(), UNSAFE_IN_URI);
    Connection::open_with_flags(format!("file:{encoded}?{parameters}"), READ)
}

/// All that could end a path in a URI, or is not ASCII.
const UNSAFE_IN_URI: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'?').add(b'#').add(b'%').add(b' ');

/// Name of the copy.
const COPY: &str = "broker.sqlite";

/// A folder with a copy of file and write-ahead log, removed when dropped.
struct Copy(PathBuf);

impl Copy {
    fn of(path: &Path) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("finops-{}", Uuid::new_v4().simple()));
        fs::create_dir(&folder)?;
        let copy = Self(folder);
        fs::copy(path, copy.0.join(COPY))?;
        fs::copy(beside(path, "-wal"), beside(&copy.0.join(COPY), "-wal"))?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Broker for EmbeddedReader {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        let there = self.topics()?.into_iter().find(|topic| *topic.name == *spec.name);
        there.map_or_else(|| self.only_reads(&format!("creating topic {}", spec.name)), Ok)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.sql("listing topics", schema::topics)
    }

    fn topic_settings(&self, name: &str) -> Result<TopicSettings> {
        let limit = self.settings.record_bytes_max;
        let settings = self.sql(&format!("looking at topic {name}"), |c| schema::topic_settings(c, name, limit))?;
        settings.ok_or_else(|| BrokerError::UnknownTopic(name.to_owned()))
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        self.only_reads(&format!("deleting topic {name}"))
    }

    fn producer(&self) -> Result<Box<dyn Producer>> {
        self.only_reads("appending")
    }

    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        self.only_reads(&format!("joining group {}", config.group))
    }

    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>> {
        self.only_reads(&format!("joining group {}", config.group))
    }

    fn read(&self, at: &TopicPartition, offset: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Message>> {
        self.ask(|connection| {
            let part = log::part(connection, at, &self.path)?;
            log::read(connection, &part, offset, records_max, bytes_max, &self.path)
        })
    }

    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        let part = self.ask(|connection| log::part(connection, at, &self.path))?;
        Ok(Watermarks { low: part.low, high: part.next })
    }

    fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        self.ask(|connection| {
            let part = log::part(connection, at, &self.path)?;
            log::offset_for_time(connection, &part, timestamp_ms)
                .map_err(|e| errors::of(&e, "looking up an offset by time", &self.path))
        })
    }

    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>> {
        self.sql(&format!("reading offsets of group {group}"), |connection| groups::offsets(connection, group))
    }

    fn clean(&self) -> Result<u64> {
        self.only_reads("cleaning the log")
    }

    fn file_size(&self) -> Result<Option<FileSize>> {
        self.sql("looking at the size of the broker file", |connection| vacuum::size(connection, &self.path)).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_the_file_decides_how_it_is_read() {
        let version = |bytes| Version { device: 1, inode: 2, bytes, modified: None };
        let check = |wal: Option<u64>, has_index, expected| {
            let state = State { file: version(9), wal: wal.map(version), has_index };
            assert_eq!(state.way(), expected, "{state:?}");
        };
        check(Some(4), true, Way::InUse);
        check(Some(0), true, Way::InUse);
        check(None, false, Way::AtRest);
        check(None, true, Way::AtRest);
        check(Some(0), false, Way::AtRest);
        check(Some(4), false, Way::Copy);
    }
}
