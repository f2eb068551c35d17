//! Brings back what `verify` finds missing, as far as the broker still holds it: lost wire records are sent again under a
//! new source position that names the first one, missing committed files are rebuilt from the topic, byte for
//! byte. Running it twice does nothing twice: what was sent again is on its way, so it is not missing any more.

use std::collections::{BTreeMap, BTreeSet};

use contracts::chain::ChainHead;
use contracts::commit_record::CommitRecord;
use lake::LakeError;
use lake::repair::{close, commit, rebuild};
use lake::verify::{Announced, Missing, OpenEnd, Rule, VerifyProblem, VerifyReport};
use platform::broker::{Broker, BrokerError, READ_BYTES, TopicPartition};
use platform::store::{PutOutcome, Store, StoreError};
use serde::Serialize;

use crate::Operator;
use crate::resend::{ResendError, missing};

/// Repairing could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The store refused.
    #[error("repair: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("repair: {0}")]
    Broker(#[from] BrokerError),
    /// Files or commits could not be read or rebuilt.
    #[error("repair: {0}")]
    Rebuild(#[from] LakeError),
    /// Missing records could not be sent again.
    #[error("repair: {0}")]
    Send(#[from] ResendError),
}

/// What can be brought back.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Wire records to be sent again.
    pub send: Vec<Missing>,
    /// Files to be rebuilt.
    pub rebuild: Vec<String>,
    /// Checkpoints to be written again from their commit records.
    pub checkpoints: Vec<String>,
    /// Last commit records that are damaged, or folders of chains that lack theirs: to be rebuilt from topic and files.
    pub commits: Vec<String>,
    /// Run manifests to be written again from the topic of runs.
    pub manifests: Vec<String>,
    /// What must be mended first: until then it is unknown what is missing, so nothing is sent.
    pub blocked_by: Vec<VerifyProblem>,
    /// Offsets without a row that the broker no longer holds: if they were records, only their source has them.
    pub expired: Vec<Missing>,
    #[serde(skip)]
    commits_to_rebuild: Vec<CommitRecord>,
    #[serde(skip)]
    heads: Vec<(String, Option<ChainHead>)>,
    #[serde(skip)]
    wire_ends: BTreeMap<TopicPartition, u64>,
    #[serde(skip)]
    open_ends: Vec<OpenEnd>,
    /// Data files that no commit record names.
    #[serde(skip)]
    foreign: BTreeSet<String>,
    #[serde(skip)]
    announced: Vec<Announced>,
    /// What the chains added up to.
    #[serde(skip)]
    chain_heads: BTreeMap<(String, u32), ChainHead>,
    /// Files are committed and not published: if no sink will, this does.
    #[serde(skip)]
    has_unpublished: bool,
}

/// What was brought back.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Wire records that were sent again.
    pub sent: u64,
    /// Wire records that were not: sent again by another process since the plan was made, or expired on the broker.
    pub not_sent: u64,
    /// Files that were rebuilt.
    pub files: u64,
    /// Checkpoints that were written again.
    pub checkpoints: u64,
    /// Commit records that were rebuilt.
    pub commits: u64,
    /// Run manifests that were written again.
    pub manifests: u64,
    /// What could not be repaired, and why.
    pub failed: Vec<String>,
}

/// What a report says can be brought back.
#[must_use]
pub fn plan(report: &VerifyReport) -> Plan {
    let commits_to_rebuild = report.commits_with_missing_files.clone();
    let is_missing: BTreeSet<&str> = report.problems.iter().map(|problem| problem.object.as_str()).collect();
    let files = commits_to_rebuild.iter().flat_map(|commit| &commit.files).map(|file| file.path.clone());
    let blocked_by: Vec<_> = report.problems.iter().filter(|p| p.rule.hides_what_is_missing()).cloned().collect();
    let foreign = report.problems.iter().filter(|problem| problem.rule == Rule::FileForeign);
    Plan {
        send: if blocked_by.is_empty() { report.missing.clone() } else { Vec::new() },
        rebuild: files.filter(|path| is_missing.contains(path.as_str())).collect(),
        checkpoints: report.damaged_checkpoints.iter().map(|(path, _)| path.clone()).collect(),
        blocked_by,
        expired: report.unproven.clone(),
        commits_to_rebuild,
        heads: report.damaged_checkpoints.clone(),
        wire_ends: report.wire_ends.clone(),
        commits: report.open_ends.iter().filter(|end| end.is_certain()).map(OpenEnd::object).collect(),
        manifests: report.lost_manifests.iter().map(|lost| lost.path.clone()).collect(),
        open_ends: report.open_ends.clone(),
        foreign: foreign.map(|problem| problem.object.clone()).collect(),
        announced: report.lost_manifests.clone(),
        chain_heads: report.chain_heads.clone(),
        has_unpublished: report.unpublished.files > 0,
    }
}

impl Plan {
    /// There is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.send.is_empty()
            && self.commits_to_rebuild.is_empty()
            && self.heads.is_empty()
            && self.open_ends.is_empty()
            && self.announced.is_empty()
            && !self.has_unpublished
    }
}

/// Carries the plan out. What has been sent again since it was made is not sent once more.
///
/// # Errors
/// Broker or store refused. A file that cannot be rebuilt as it was is no error but in the answer.
pub fn execute(
    plan: &Plan,
    broker: &dyn Broker,
    store: &dyn Store,
    operator: &Operator<'_>,
) -> Result<Repaired, RepairError> {
    let mut repaired = Repaired::default();
    for end in &plan.open_ends {
        match commit::bring_back(broker, store, end, &plan.foreign, operator.clock) {
            Ok(made) => repaired.commits += u64::from(made.is_some()),
            Err(error) if error.is_retriable() => return Err(error.into()),
            Err(error) => repaired.failed.push(error.to_string()),
        }
    }
    for announced in &plan.announced {
        repaired.manifests += u64::from(write_manifest(broker, store, announced)?);
    }
    for commit in &plan.commits_to_rebuild {
        let at = TopicPartition { topic: commit.topic.as_str().into(), partition: commit.partition };
        match rebuild::rebuild(broker, store, &at, commit) {
            Ok(()) => {
                repaired.files += commit.files.iter().filter(|file| plan.rebuild.contains(&file.path)).count() as u64
            }
            Err(error) if error.is_retriable() => return Err(error.into()),
            Err(error) => repaired.failed.push(error.to_string()),
        }
    }
    for (path, head) in &plan.heads {
        match head {
            Some(head) => store.put(path, &head.to_checkpoint().map_err(LakeError::from)?)?,
            None => store.delete(path)?,
        }
        repaired.checkpoints += 1;
    }
    if !plan.send.is_empty() || plan.has_unpublished {
        close::close(broker, store, &plan.chain_heads, operator.clock)?;
    }
    let done = missing::send(&plan.send, &plan.wire_ends, broker, store, operator)?;
    (repaired.sent, repaired.not_sent) = (done.sent, done.not_sent);
    Ok(repaired)
}

/// Stores what the run has announced. False when the broker does not hold it any more, or a run has stored it meanwhile.
fn write_manifest(broker: &dyn Broker, store: &dyn Store, announced: &Announced) -> Result<bool, RepairError> {
    let Announced { path, at, offset } = announced;
    let found = broker.read(at, *offset, 1, READ_BYTES)?.into_iter().find(|message| message.offset == *offset);
    let Some(message) = found else { return Ok(false) };
    Ok(store.put_if_absent(path, &message.value)? == PutOutcome::Created)
}
