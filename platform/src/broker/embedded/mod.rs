//! The embedded log: topics, groups and offsets in one SQLite file that several processes of one machine
//! share. WAL with full sync: what an append acknowledged survives power loss.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use super::{
    Broker, BrokerError, Consumer, ConsumerConfig, FileSize, GroupOffset, Message, Processor, Producer,
    RECORD_BYTES_MAX, Result, TopicChange, TopicInfo, TopicPartition, TopicSettings, TopicSpec, Watermarks,
    cleaning_interval,
};

mod consumer;
mod errors;
mod groups;
mod holder;
mod log;
mod process;
mod reading;
mod retention;
mod schema;
mod vacuum;

pub use holder::Holder;
pub use reading::EmbeddedReader;

/// Settings of the embedded log.
#[derive(Debug, Clone)]
pub struct EmbeddedSettings {
    /// Largest record. Above the limit of those who read it, so that they can say of what is too large that it is.
    pub record_bytes_max: usize,
    /// Largest size of the file; appends beyond fail with [`BrokerError::NoSpace`]. `None` leaves it to the disk.
    pub bytes_max: Option<u64>,
    /// How long a writer waits for another one before the call is [`BrokerError::Retriable`].
    pub busy_timeout: Duration,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self { record_bytes_max: RECORD_BYTES_MAX, bytes_max: None, busy_timeout: Duration::from_secs(20) }
    }
}

/// A broker in a file.
#[derive(Clone)]
pub struct EmbeddedBroker {
    path: Arc<PathBuf>,
    settings: EmbeddedSettings,
    admin: Arc<Mutex<Connection>>,
}

impl EmbeddedBroker {
    /// Opens or creates the file; its folder must exist.
    ///
    /// # Errors
    /// [`BrokerError::Fatal`] when the file is not such a log or of a newer version.
    pub fn open(path: &Path, settings: EmbeddedSettings) -> Result<Self> {
        let mut connection = schema::connect(path, &settings)?;
        if !vacuum::gives_back(&connection).map_err(|e| errors::of(&e, "opening the broker file", path))? {
            drop(connection);
            // A file of an earlier version works as it is; there is another time.
            if let Err(error) = vacuum::convert_if_alone(path, &settings) {
                tracing::warn!(%error, "the broker file stays as it is and gives no free pages back");
            }
            connection = schema::connect(path, &settings)?;
        }
        let admin = Arc::new(Mutex::new(connection));
        Ok(Self { path: Arc::new(path.to_owned()), settings, admin })
    }

    fn admin(&self) -> MutexGuard<'_, Connection> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> Result<log::Log> {
        Ok(log::Log::new(schema::connect(&self.path, &self.settings)?, &self.path, self.settings.record_bytes_max))
    }

    fn member(&self, config: ConsumerConfig) -> Result<consumer::Member> {
        consumer::Member::join(self.connect()?, config)
    }
}

impl Broker for EmbeddedBroker {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        let mut connection = self.admin();
        let doing = || format!("creating topic {}", spec.name);
        schema::ensure_topic(&mut connection, spec).map_err(|e| errors::of(&e, &doing(), &self.path))
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        schema::topics(&self.admin()).map_err(|e| errors::of(&e, "listing topics", &self.path))
    }

    fn topic_settings(&self, name: &str) -> Result<TopicSettings> {
        let settings = schema::topic_settings(&self.admin(), name, self.settings.record_bytes_max)
            .map_err(|e| errors::of(&e, &format!("looking at topic {name}"), &self.path))?;
        settings.ok_or_else(|| BrokerError::UnknownTopic(name.to_owned()))
    }

    fn alter_topic(&self, name: &str, change: &TopicChange) -> Result<()> {
        let doing = format!("changing topic {name}");
        match schema::alter_topic(&mut self.admin(), name, change).map_err(|e| errors::of(&e, &doing, &self.path))? {
            schema::Altered::Done => Ok(()),
            schema::Altered::NoTopic => Err(BrokerError::UnknownTopic(name.to_owned())),
            schema::Altered::Refused(reason) => Err(BrokerError::Fatal { doing, reason }),
        }
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        let mut connection = self.admin();
        schema::delete_topic(&mut connection, name)
            .map_err(|e| errors::of(&e, &format!("deleting topic {name}"), &self.path))
    }

    fn producer(&self) -> Result<Box<dyn Producer>> {
        Ok(Box::new(self.connect()?))
    }

    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(self.member(config)?))
    }

    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>> {
        Ok(Box::new(self.member(config)?))
    }

    fn read(&self, at: &TopicPartition, offset: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Message>> {
        let connection = self.admin();
        let part = log::part(&connection, at, &self.path)?;
        log::read(&connection, &part, offset, records_max, bytes_max, &self.path)
    }

    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        let part = log::part(&self.admin(), at, &self.path)?;
        Ok(Watermarks { low: part.low, high: part.next })
    }

    fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        let connection = self.admin();
        let part = log::part(&connection, at, &self.path)?;
        log::offset_for_time(&connection, &part, timestamp_ms)
            .map_err(|e| errors::of(&e, "looking up an offset by time", &self.path))
    }

    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>> {
        groups::offsets(&self.admin(), group)
            .map_err(|e| errors::of(&e, &format!("reading offsets of group {group}"), &self.path))
    }

    fn clean(&self) -> Result<u64> {
        // A connection of its own: others need that of the administration meanwhile.
        let mut connection = self.connect()?.connection;
        let mut clean = || -> rusqlite::Result<u64> {
            let removed = retention::clean(&mut connection, now_ms())?;
            vacuum::give_back(&connection, &self.path)?;
            Ok(removed)
        };
        clean().map_err(|e| errors::of(&e, "cleaning the log", &self.path))
    }

    fn cleaning_interval(&self) -> Result<Option<Duration>> {
        let retention_min = retention::retention_min_ms(&self.admin())
            .map_err(|e| errors::of(&e, "looking for the shortest retention", &self.path))?;
        Ok(Some(cleaning_interval(retention_min.map(Duration::from_millis))))
    }

    fn file_size(&self) -> Result<Option<FileSize>> {
        let size = vacuum::size(&self.admin(), &self.path);
        size.map(Some).map_err(|e| errors::of(&e, "looking at the size of the broker file", &self.path))
    }
}

/// A file that SQLite keeps beside the broker's: `-wal` or `-shm`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The broker stamps records and times members out, so it reads the wall clock, as Kafka's does.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
