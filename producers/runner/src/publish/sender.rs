//! Appends wire records of one run in batches, with the headers that tie them to the run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contracts::topics::{self, headers};
use platform::broker::{BrokerError, Headers, OutRecord, Producer};
use platform::lifecycle::{Shutdown, Stopped};
use platform::retry::Backoff;

use checkers::run_context::RunContext;

/// Records of one append.
const BATCH_RECORDS: usize = 5_000;
/// Bytes of one append.
const BATCH_BYTES: usize = 4 << 20;
/// Tries again of an append that may work later: some ten seconds in all.
const RETRIES_MAX: u32 = 7;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_millis(6_400);

/// Publishing failed. Records before it are published and counted.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The broker did not take a record.
    #[error("publishing to {topic}: {source}")]
    Broker {
        /// Topic.
        topic: String,
        /// Why.
        source: BrokerError,
    },
    /// A file of findings cannot be used.
    #[error(transparent)]
    Input(#[from] super::input::InputError),
    /// Something cannot be written as JSON.
    #[error("encoding {what}: {source}")]
    Encode {
        /// What.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The run was asked to stop; the batch that was being filled is not published.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The run manifest cannot be stored.
    #[error("storing the run manifest: {0}")]
    Store(#[from] platform::store::StoreError),
    /// Another run has this id, and a manifest never changes.
    #[error("storing the run manifest: {path} is that of another run; run again: each run gets an id of its own")]
    ManifestTaken {
        /// Where it lies in the store.
        path: String,
    },
}

/// The headers of a run's wire records.
#[derive(Debug, Clone)]
pub struct RunHeaders(Headers);

impl RunHeaders {
    /// Of this run, and of its trace.
    #[must_use]
    pub fn new(context: &RunContext, traceparent: Option<Bytes>) -> Self {
        let mut all = Headers::from_iter([
            (headers::RUN_ID, context.run_id.as_str()),
            (headers::TENANT_ID, &context.tenant_id),
            (headers::WORKSPACE_ID, &context.workspace_id),
            (headers::FINDING_ID_MODE, context.finding_id_mode.as_str()),
        ]);
        all.extend(traceparent.map(|value| (headers::TRACEPARENT, value)));
        Self(all)
    }
}

/// A record the broker's size limit keeps out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// The caller's name for the record.
    pub tag: u64,
    /// Its value.
    pub value: Bytes,
}

/// Sends wire records of one run.
pub struct Sender<'a> {
    producer: &'a mut dyn Producer,
    topic: Arc<str>,
    headers: RunHeaders,
    shutdown: Shutdown,
    batch: Vec<(u64, OutRecord)>,
    batch_bytes: usize,
    published: u64,
    too_large: Vec<TooLarge>,
}

impl<'a> Sender<'a> {
    /// To the wire topic of our own producers; a stop is looked for between two batches.
    #[must_use]
    pub fn new(producer: &'a mut dyn Producer, headers: RunHeaders, shutdown: Shutdown) -> Self {
        Self {
            producer,
            topic: Arc::from(topics::WIRE),
            headers,
            shutdown,
            batch: Vec::new(),
            batch_bytes: 0,
            published: 0,
            too_large: Vec::new(),
        }
    }

    /// Adds a record; `tag` is the caller's name for it, should the broker refuse its size.
    ///
    /// # Errors
    /// The broker does not take a batch, or a stop is requested.
    pub fn send(&mut self, tenant: &str, value: Bytes, tag: u64) -> Result<(), PublishError> {
        if !self.batch.is_empty() && (self.batch.len() >= BATCH_RECORDS || self.batch_bytes + value.len() > BATCH_BYTES)
        {
            self.flush()?;
        }
        self.batch_bytes += value.len();
        let record = OutRecord {
            topic: Arc::clone(&self.topic),
            partition: None,
            key: Some(Bytes::copy_from_slice(tenant.as_bytes())),
            value: value.into(),
            headers: self.headers.0.clone(),
            timestamp_ms: None,
        };
        self.batch.push((tag, record));
        Ok(())
    }

    /// Makes all records sent so far durable.
    ///
    /// # Errors
    /// The broker does not take a batch, or a stop is requested.
    pub fn flush(&mut self) -> Result<(), PublishError> {
        if !self.batch.is_empty() && self.shutdown.is_requested() {
            return Err(Stopped.into());
        }
        let batch = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let (tags, records): (Vec<u64>, Vec<OutRecord>) = batch.into_iter().unzip();
        match append(self.producer, &records, &self.shutdown) {
            Ok(()) => self.published += records.len() as u64,
            Err(BrokerError::TooLarge { .. }) => self.append_singly(tags, records)?,
            Err(source) => return Err(self.error(source)),
        }
        Ok(())
    }

    /// One record of the batch is over the broker's limit: find out which, send the others.
    fn append_singly(&mut self, tags: Vec<u64>, records: Vec<OutRecord>) -> Result<(), PublishError> {
        for (tag, record) in tags.into_iter().zip(records) {
            match append(self.producer, std::slice::from_ref(&record), &self.shutdown) {
                Ok(()) => self.published += 1,
                Err(BrokerError::TooLarge { .. }) => {
                    self.too_large.push(TooLarge { tag, value: record.value.into_bytes() })
                }
                Err(source) => return Err(self.error(source)),
            }
        }
        Ok(())
    }

    /// What ends the sending.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Records published so far.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Takes the records that were over the broker's limit and are not published.
    pub fn take_too_large(&mut self) -> Vec<TooLarge> {
        std::mem::take(&mut self.too_large)
    }

    fn error(&self, source: BrokerError) -> PublishError {
        PublishError::Broker { topic: self.topic.to_string(), source }
    }
}

/// Appends, trying again what may work later, until a stop is requested. A full disk is reported at once: room does not come by
/// waiting.
pub(super) fn append(
    producer: &mut dyn Producer,
    records: &[OutRecord],
    shutdown: &Shutdown,
) -> Result<(), BrokerError> {
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    loop {
        match producer.append(records) {
            Ok(_) => return Ok(()),
            Err(error @ BrokerError::Retriable { .. }) if backoff.attempts() < RETRIES_MAX => {
                let delay = backoff.next_delay();
                tracing::warn!(%error, ?delay, "append failed, trying again");
                if shutdown.wait_timeout(delay) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
}
