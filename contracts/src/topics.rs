//! Topic names and the header names that travel with records. The topology is in `schemas/asyncapi.yaml`.

use crate::source::SrcPartition;

/// Wire findings of our own checkers; external producers get `finops.findings.wire.<producer>`.
pub const WIRE: &str = "finops.findings.wire";
/// Typed storage records (Avro, Confluent frame).
pub const VALID: &str = "finops.findings.valid";
/// Records the contract refused, bytes as received.
pub const DEAD_LETTERS: &str = "finops.findings.dlq";
/// Run manifests, compacted, keyed `tenant/workspace/run_id`.
pub const RUNS: &str = "finops.runs";
/// Lifecycle events from the API, keyed `tenant/key`.
pub const LIFECYCLE: &str = "finops.lifecycle";

/// One partition, no records: who has it in a group named after a lock holds that lock.
pub const LOCKS: &str = "finops.locks";

/// By group and wire partition: under which settings its records were judged. Compacted.
pub const ROUTING: &str = "finops.routing";

/// True for topics that keep the newest record of each key.
#[must_use]
pub fn is_compacted(topic: &str) -> bool {
    [RUNS, ROUTING].contains(&topic)
}

/// Key of a record of [`ROUTING`]: what a group of validators did with a wire partition.
#[must_use]
pub fn routing_key(group: &str, wire: &SrcPartition) -> String {
    format!("{group}/{wire}")
}

/// The wire topic of a producer: its name, or the topic itself.
#[must_use]
pub fn wire_of(producer: &str) -> String {
    if is_wire(producer) { producer.to_owned() } else { format!("{WIRE}.{producer}") }
}

/// The groups that judge and write, and the topics between them: the live ones, or those of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineTopics {
    /// Group of the validators.
    pub validators: String,
    /// Group of the sinks.
    pub sinks: String,
    /// Topic of valid records.
    pub valid: String,
    /// Topic of dead letters.
    pub dead_letters: String,
}

const REPLAY: &str = "finops.replay.";

impl PipelineTopics {
    /// The topics and groups of the live pipeline.
    #[must_use]
    pub fn live() -> Self {
        Self {
            validators: groups::VALIDATOR.to_owned(),
            sinks: groups::SINK.to_owned(),
            valid: VALID.to_owned(),
            dead_letters: DEAD_LETTERS.to_owned(),
        }
    }

    /// The topics and groups of one replay.
    #[must_use]
    pub fn replay(id: &str) -> Self {
        Self {
            validators: format!("{REPLAY}{id}"),
            sinks: format!("{REPLAY}{id}.sink"),
            valid: format!("{REPLAY}{id}.valid"),
            dead_letters: format!("{REPLAY}{id}.dlq"),
        }
    }

    /// The topics that its sinks write to files, in the order of [`crate::datasets::ALL`].
    #[must_use]
    pub fn written(&self) -> [&str; 2] {
        [&self.valid, &self.dead_letters]
    }
}

/// True for the topic of valid records, and for that of a replay.
#[must_use]
pub fn is_valid(topic: &str) -> bool {
    topic == VALID || is_of_replay(topic, ".valid")
}

/// True for the topic of dead letters, and for that of a replay.
#[must_use]
pub fn is_dead_letters(topic: &str) -> bool {
    topic == DEAD_LETTERS || is_of_replay(topic, ".dlq")
}

fn is_of_replay(topic: &str, ending: &str) -> bool {
    topic.starts_with(REPLAY) && topic.ends_with(ending)
}

/// True for the wire topic and every producer topic below it.
#[must_use]
pub fn is_wire(topic: &str) -> bool {
    topic.strip_prefix(WIRE).is_some_and(|rest| rest.is_empty() || (rest.len() > 1 && rest.starts_with('.')))
}

/// Consumer groups.
pub mod groups {
    /// Validators: what their group has passed is judged.
    pub const VALIDATOR: &str = "finops.validator";
    /// Sinks: their group's position is a hint, the commit chain the truth.
    pub const SINK: &str = "finops.sink";
    /// The lock of commands that send records again.
    pub const REDRIVE: &str = "finops.redrive";
}

/// Names of record headers.
pub mod headers {
    /// `<topic id>/<partition>/<offset>` of the wire record this one was made from.
    pub const SRC: &str = "src";
    /// The first `src` of a record that was sent again on purpose (redrive, replay, repair).
    pub const REPLAY_OF: &str = "replay.of";
    /// Run the record belongs to, so that even unreadable bytes are counted for their run.
    pub const RUN_ID: &str = "run_id";
    /// Tenant the producer sent for, a hint only: the payload decides.
    pub const TENANT_ID: &str = "tenant_id";
    /// Workspace of the record; on valid records as validated, elsewhere a hint.
    pub const WORKSPACE_ID: &str = "workspace_id";
    /// On valid records: UTC date of `run_ts`, `YYYY-MM-DD`; with `tenant_id` the partition the sink writes to.
    pub const RUN_DATE: &str = "run_date";
    /// On valid records: the run the record is counted for, `tenant/workspace/run_id`: as its producer's headers say,
    /// else as the finding says.
    pub const RUN: &str = "run";
    /// Salt mode of the finding id that the run asked for: `stable`, `per_run` or `per_day` (R39).
    pub const FINDING_ID_MODE: &str = "finding_id_mode";
    /// Prefix under which a dead letter keeps a header that its producer may not set, as evidence that counts for nothing.
    pub const REFUSED_PREFIX: &str = "refused.";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// Confluent schema id outside the payload.
    pub const VALUE_SCHEMA_ID: &str = "__value_schema_id";
}
