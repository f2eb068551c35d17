//! What a validator has to know.

use std::time::Duration;

use contracts::topics::PipelineTopics;
use platform::service::Until;

use crate::policy::ProducerPolicies;
use crate::selection::Selection;

/// Settings.
#[derive(Debug, Clone)]
pub struct ValidatorConfig {
    /// Name of this member.
    pub member: String,
    /// What it writes, and as which group.
    pub pipeline_topics: PipelineTopics,
    /// Only these wire records; `None` for all there are and will be.
    pub selection: Option<Selection>,
    /// Who may send what.
    pub policies: ProducerPolicies,
    /// Partitions of the valid topic, when it has to be created.
    pub valid_partitions: u32,
    /// Partitions of the dead-letter topic, when it has to be created: as many as the wire topic has.
    pub dead_partitions: u32,
    /// Valid partitions one tenant may use.
    pub tenant_spread: u32,
    /// Records per step, at most.
    pub step_records_max: usize,
    /// Bytes per step, about.
    pub step_bytes_max: usize,
    /// A member silent for this long loses its partitions.
    pub session_timeout: Duration,
    /// When to stop.
    pub until: Until,
    /// Skip records that expired on the broker before they were judged, instead of stopping at them.
    pub skips_expired: bool,
    /// Resume after records that may have been judged under other settings, instead of refusing.
    pub skips_judged: bool,
}
