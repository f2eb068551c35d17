//! Sends parts: each in one atomic step under the lock, recorded in the journal before and after, not faster than allowed.

use std::time::{Duration, Instant};

use contracts::source::Src;
use lake::ledger;
use platform::broker::{Appended, OutRecord};
use platform::failpoint;
use platform::lifecycle::Shutdown;

use super::ResendError;
use super::journal::Journal;
use super::lock::Lock;

/// Records of one atomic step, at most: what is unknown for a moment after a crash.
pub(super) const PART_RECORDS_MAX: usize = 500;
/// Bytes of one atomic step, about.
pub(super) const PART_BYTES_MAX: usize = 8 << 20;

pub(super) struct Sender<'a> {
    pub journal: Journal<'a>,
    lock: Lock,
    rate: Option<u32>,
    started: Instant,
    sent: u64,
    shutdown: &'a Shutdown,
}

impl<'a> Sender<'a> {
    pub fn new(journal: Journal<'a>, lock: Lock, rate: Option<u32>, shutdown: &'a Shutdown) -> Self {
        Self { journal, lock, rate, started: Instant::now(), sent: 0, shutdown }
    }

    /// False: stop here.
    pub fn may_go_on(&self) -> Result<bool, ResendError> {
        self.lock.check()?;
        Ok(!self.shutdown.is_requested())
    }

    /// Sends a part; `sources` are the positions its records had, and each record names the one that it stands for. Returns
    /// where they are now.
    pub fn send(&mut self, sources: &[Src], records: &[OutRecord]) -> Result<Vec<String>, ResendError> {
        self.wait_for_the_rate();
        self.lock.check()?;
        let sent_as = sources.iter().zip(records).map(|(source, record)| ledger::sent_as(source, record)).collect();
        let (part, mark) = self.journal.intend(sources, sent_as)?;
        failpoint::hit!("operator.redrive.intended");
        let appended = self.lock.step(records, &mark)?;
        failpoint::hit!("operator.redrive.sent");
        let position = |(record, Appended { partition, offset }): (&OutRecord, &Appended)| {
            format!("{}/{partition}/{offset}", record.topic)
        };
        let positions: Vec<String> = records.iter().zip(&appended).map(position).collect();
        self.sent += records.len() as u64;
        self.journal.sent(part, sources, positions.clone())?;
        failpoint::hit!("operator.redrive.noted");
        Ok(positions)
    }

    /// A part is at most what may go in a second, so that the rate is kept from one second to the next.
    pub fn part_records_max(&self) -> usize {
        self.rate.map_or(PART_RECORDS_MAX, |rate| PART_RECORDS_MAX.min(rate as usize)).max(1)
    }

    /// What is sent already has had its time. After a requested stop it does not wait.
    fn wait_for_the_rate(&self) {
        if let Some(rate) = self.rate {
            let due = Duration::from_secs(self.sent) / rate.max(1);
            self.shutdown.wait_timeout(due.saturating_sub(self.started.elapsed()));
        }
    }
}
