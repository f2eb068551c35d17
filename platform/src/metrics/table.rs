//! Every metric of every service. `docs/metrics.md` is made from here; dashboard and alerts may use nothing else.
//!
//! `stage` is `validator` or `sink`; `work` what was tried again: `poll`, `step` or `write`; `group` a consumer group; `code` a
//! code of the contract's closed list; `dataset` a folder of the layout; `part` a service, `broker` or `store`. Topics and
//! partitions are as many as the broker has. `folder` is a setting that names a folder; `operation` a call of the store seam,
//! `outcome` `done` or `failed`.

use super::{Counter, Definition, Gauge, Histogram, SecondsCounter};

/// From a millisecond to a minute.
const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From a second to an hour.
const BUILD_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];
/// Records of a step or file.
const RECORDS: &[f64] = &[1.0, 10.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0, 50_000.0, 100_000.0, 200_000.0];
/// From 4 KiB to 512 MiB.
const BYTES: &[f64] =
    &[4_096.0, 65_536.0, 1_048_576.0, 8_388_608.0, 33_554_432.0, 67_108_864.0, 134_217_728.0, 536_870_912.0];

/// Each row is a constant whose type says how many labels it has.
macro_rules! table {
    ($($name:ident = $kind:ident($metric:literal, $($bounds:ident,)? [$($label:literal),*], $help:literal);)+) => {
        $(#[doc = concat!("See [`ALL`]: ", stringify!($name), ".")]
        pub const $name: $kind<{ <[&str]>::len(&[$($label),*]) }> =
            $kind::new($metric, $($bounds,)? &[$($label),*], $help);)+

        /// All of them.
        pub const ALL: &[Definition] = &[$($name.0),+];
    };
}

table! {
    RECORDS_IN = Counter("finops_records_in_total", ["stage"], "Records a service has read and dealt with; read again after a rebalance, they count again");
    RECORDS_OUT = Counter("finops_records_out_total", ["stage"], "Records a validator has passed on as valid, rows a sink has committed");
    DEAD_LETTERS = Counter("finops_dead_letters_total", ["code"], "Records the validator refused, by the code of their first violation");
    DUPLICATES = Counter("finops_duplicates_dropped_total", [], "Records the sink dropped because their source offset is not above the source watermark");
    RETRIES = Counter("finops_retries_total", ["stage", "work"], "Work that had to be tried again: the start of a service, a poll, a validator's atomic step (on Kafka a transaction), what a sink writes");
    BATCH_RECORDS = Histogram("finops_batch_records", RECORDS, ["stage"], "Records of a validator's atomic step, or of a sink's committed batch");
    STEP_SECONDS = Histogram("finops_step_seconds", SECONDS, [], "Time of a validator's atomic step on the broker, with its tries");
    STAGE_SECONDS = Histogram("finops_stage_seconds", SECONDS, [], "Time to encode a batch and write its files where no reader looks");
    COMMIT_SECONDS = Histogram("finops_commit_seconds", SECONDS, [], "Time to create a commit record");
    PUBLISH_SECONDS = Histogram("finops_publish_seconds", SECONDS, [], "Time to make one committed file visible");
    COMMITS = Counter("finops_commits_total", ["dataset"], "Commit records this sink has written");
    RACES_LOST = Counter("finops_commit_races_lost_total", [], "Batches another sink had committed first");
    FILES = Counter("finops_files_total", ["dataset"], "Committed files");
    FILE_BYTES = Histogram("finops_file_bytes", BYTES, ["dataset"], "Sizes of committed files");
    FILE_ROWS = Histogram("finops_file_rows", RECORDS, ["dataset"], "Rows of committed files");
    BUFFER_BYTES = Gauge("finops_buffer_bytes", ["stage"], "Bytes of records in open batches");
    ASSIGNED = Gauge("finops_assigned_partitions", ["stage"], "Partitions that are assigned to this process");
    LAG = Gauge("finops_lag_records", ["group", "topic", "partition"], "Records a group has not passed yet; for the sinks: not written yet");
    OLDEST = Gauge("finops_oldest_unread_age_seconds", ["group", "topic", "partition"], "Age of the oldest record a group has not passed yet, 0 when there is none; for the sinks: of the oldest unwritten record");
    TOPIC_END = Gauge("finops_topic_end_offset", ["topic", "partition"], "Next offset to be written; of the wire topics its rate is what producers publish");
    SAMPLE_FAILURES = Counter("finops_lag_sample_failures_total", [], "Times lag could not be read from the broker");
    EXPORT_SECONDS = Histogram("finops_export_build_seconds", BUILD_SECONDS, [], "Time of an exporter's pass over the changed tenants");
    EXPORT_FAILURES = Counter("finops_export_failures_total", [], "Tenants, or whole passes, that could not be exported; their old files stand");
    EXPORT_FAILING = Gauge("finops_export_failing", [], "Failures that stand, of tenants or of the whole pass; bad data is not tried again before something of the tenant changes");
    EXPORT_LAST = Gauge("finops_export_last_success_timestamp_seconds", [], "When the last pass without a failure ended, in seconds since the epoch");
    EXPORT_CHECKED = Gauge("finops_export_last_look_timestamp_seconds", [], "When the exporter last looked for changed tenants and left nothing to be tried again, in seconds since the epoch");
    STORE_REQUESTS = Counter("finops_store_requests_total", ["operation", "outcome"], "Calls of the store; in a bucket a call may be several requests, repeated ones included");
    STORE_SECONDS = Histogram("finops_store_request_seconds", SECONDS, ["operation"], "Time of a call of the store, with its tries");
    BROKER_FILE = Gauge("finops_broker_file_bytes", [], "Size on disk of the embedded broker's file with what lies beside it; absent on Kafka");
    BROKER_FREE = Gauge("finops_broker_free_bytes", [], "Bytes of the embedded broker's file that hold nothing: used by the next records, or given back; absent on Kafka");
    DISK_FREE = Gauge("finops_disk_free_bytes", ["folder"], "Room left for this user on the disk of a folder that is written to");
    PROCESS_CPU = SecondsCounter("process_cpu_seconds_total", [], "Time that this process has spent on processors, in user and system mode");
    PROCESS_MEMORY = Gauge("process_resident_memory_bytes", [], "Memory of this process that is in RAM");
    READY = Gauge("finops_ready", ["part"], "1 when this service, or what it depends on, works");
    BUILD_INFO = Gauge("finops_build_info", ["version"], "1; the version of the program is the label");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::metrics::Kind;

    #[test]
    fn names_say_unit_and_kind_and_labels_are_bounded() {
        let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name is there twice");
        for metric in ALL {
            // Every Prometheus client names those of the process the same.
            let is_ours = ["finops_", "process_"].iter().any(|start| metric.name.starts_with(start));
            assert!(is_ours, "{}", metric.name);
            let is_counter = matches!(metric.kind, Kind::Counter | Kind::SecondsCounter);
            assert_eq!(is_counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert!(!metric.help.is_empty() && !metric.help.ends_with('.'), "{}", metric.name);
            for label in metric.labels {
                let closed = [
                    "stage",
                    "work",
                    "code",
                    "dataset",
                    "group",
                    "topic",
                    "partition",
                    "part",
                    "version",
                    "folder",
                    "operation",
                    "outcome",
                ];
                assert!(closed.contains(label), "{}: {label} may grow without limit", metric.name);
            }
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted(), "{}", metric.name);
            }
        }
    }
}
