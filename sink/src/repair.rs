//! Brings back what `verify` finds missing, as far as the broker still holds it: lost wire records are sent again under a
//! new source position that names the first one, committed files that are gone are made again from the topic, byte for
//! byte. Running it twice does nothing twice: what was sent again is on its way, so it is not missing any more.

use std::collections::{BTreeMap, BTreeSet};

use contracts::commit_record::CommitRecord;
use platform::broker::{Broker, TopicPartition};
use platform::store::Store;
use serde::Serialize;

use crate::resend::missing::{self, Operator};
use crate::service;
use crate::verify::{Missing, Problem, Report, VerifyError};

/// What can be brought back.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Wire records to be sent again.
    pub send: Vec<Missing>,
    /// Files to be made again.
    pub rebuild: Vec<String>,
    /// What must be mended by hand first: until then it cannot be told what is missing, so nothing is sent.
    pub blocked_by: Vec<Problem>,
    /// Offsets without a row that the broker no longer holds: if they were records, only their source has them.
    pub gone: Vec<Missing>,
    #[serde(skip)]
    links: Vec<CommitRecord>,
    #[serde(skip)]
    wire_ends: BTreeMap<TopicPartition, u64>,
}

/// What was brought back.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Wire records that were sent again.
    pub sent: u64,
    /// Wire records that were not: sent again by somebody else since the plan was made, or gone from the broker.
    pub not_sent: u64,
    /// Files that were made again.
    pub files: u64,
    /// What could not be made again, and why.
    pub failed: Vec<String>,
}

/// What a report says can be brought back.
#[must_use]
pub fn plan(report: &Report) -> Plan {
    let links = report.links_with_missing_files.clone();
    let is_missing: BTreeSet<&str> = report.problems.iter().map(|problem| problem.object.as_str()).collect();
    let files = links.iter().flat_map(|link| &link.files).map(|file| file.path.clone());
    let blocked_by: Vec<_> = report.problems.iter().filter(|p| p.rule.hides_what_is_missing()).cloned().collect();
    Plan {
        send: if blocked_by.is_empty() { report.missing.clone() } else { Vec::new() },
        rebuild: files.filter(|path| is_missing.contains(path.as_str())).collect(),
        blocked_by,
        gone: report.unproven.clone(),
        links,
        wire_ends: report.wire_ends.clone(),
    }
}

impl Plan {
    /// There is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.send.is_empty() && self.links.is_empty()
    }
}

/// Carries the plan out. What has been sent again since it was made is not sent once more.
///
/// # Errors
/// Broker or store refused. A file that cannot be made again as it was is no error but in the answer.
pub fn execute(
    plan: &Plan,
    broker: &dyn Broker,
    store: &dyn Store,
    operator: &Operator<'_>,
) -> Result<Repaired, VerifyError> {
    let mut repaired = Repaired::default();
    for link in &plan.links {
        let at = TopicPartition { topic: link.topic.as_str().into(), partition: link.partition };
        match service::rebuild(broker, store, &at, link) {
            Ok(()) => {
                repaired.files += link.files.iter().filter(|file| plan.rebuild.contains(&file.path)).count() as u64
            }
            Err(error) if error.is_retriable() => return Err(error.into()),
            Err(error) => repaired.failed.push(error.to_string()),
        }
    }
    let done = missing::send(&plan.send, &plan.wire_ends, broker, store, operator)?;
    (repaired.sent, repaired.not_sent) = (done.sent, done.not_sent);
    Ok(repaired)
}
