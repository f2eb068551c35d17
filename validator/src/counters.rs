//! What a validator has done so far, readable while it works.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use platform::metrics::{number, table};
use platform::observe::Observer;
use platform::trace::Tracer;

use crate::metrics;

const STAGE: &str = "validator";

/// Shared counters of one validator; they rise only after a step was committed.
#[derive(Debug, Default)]
pub struct ValidatorCounters {
    read: AtomicU64,
    valid: AtomicU64,
    dead: AtomicU64,
    retries: AtomicU64,
    dead_by_code: Mutex<BTreeMap<String, u64>>,
    observer: Observer,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValidatorSnapshot {
    /// Wire records judged.
    pub read: u64,
    /// Valid records written.
    pub valid: u64,
    /// Dead letters written.
    pub dead: u64,
    /// Steps that had to be tried again.
    pub retries: u64,
    /// Dead letters by the code of their first violation.
    pub dead_by_code: BTreeMap<String, u64>,
}

impl ValidatorCounters {
    /// Counters of a validator that is observed.
    #[must_use]
    pub fn observed(observer: Observer) -> Self {
        Self { observer, ..Self::default() }
    }

    /// Reads them.
    #[must_use]
    pub fn snapshot(&self) -> ValidatorSnapshot {
        ValidatorSnapshot {
            read: self.read.load(Relaxed),
            valid: self.valid.load(Relaxed),
            dead: self.dead.load(Relaxed),
            retries: self.retries.load(Relaxed),
            dead_by_code: self.dead_by_code.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.observer.tracer
    }

    /// `work` is one of those that the metric knows.
    pub(crate) fn retried(&self, work: &'static str) {
        self.retries.fetch_add(1, Relaxed);
        self.observer.metrics.add(&table::RETRIES, [STAGE, work], 1);
        self.observer.pulse.waits();
    }

    pub(crate) fn loop_iterated(&self) {
        self.observer.pulse.works();
    }

    pub(crate) fn owns(&self, partitions: usize) {
        self.observer.metrics.set(&table::ASSIGNED, [STAGE], number(partitions as u64));
    }

    pub(crate) fn committed(&self, valid: u64, dead_by_code: &BTreeMap<&'static str, u64>, took: Duration) {
        let dead: u64 = dead_by_code.values().sum();
        self.valid.fetch_add(valid, Relaxed);
        self.dead.fetch_add(dead, Relaxed);
        self.read.fetch_add(valid + dead, Relaxed);
        let metrics = &self.observer.metrics;
        metrics.add(&table::RECORDS_IN, [STAGE], valid + dead);
        metrics.add(&table::RECORDS_OUT, [STAGE], valid);
        metrics.observe(&table::BATCH_RECORDS, [STAGE], number(valid + dead));
        metrics.observe(&metrics::STEP_SECONDS, [], took.as_secs_f64());
        if dead > 0 {
            let mut by_code = self.dead_by_code.lock().unwrap_or_else(PoisonError::into_inner);
            for (code, n) in dead_by_code {
                metrics.add(&metrics::DEAD_LETTERS, [code], *n);
                *by_code.entry((*code).to_owned()).or_default() += n;
            }
        }
    }
}
