//! What every service counts, and what the broker, the store, the disk and the process use. What one service alone counts is in
//! the `metrics` module of its crate.
//!
//! `stage` is a service that reads a topic; `work` what was tried again: `poll`, `step` or `write`; `group` a consumer group; `part`
//! a service, `broker` or `store`. Topics and partitions are as many as the broker has. `folder` is a setting that names a folder;
//! `operation` a call of the store seam, `outcome` `done` or `failed`.

use super::bounds::{RECORDS, SECONDS};

super::declare! {
    RECORDS_IN = Counter("finops_records_in_total", ["stage"], "Records a service has read and dealt with; read again after a rebalance, they count again");
    RECORDS_OUT = Counter("finops_records_out_total", ["stage"], "Records a service has passed on: appended to its topics, or committed as rows");
    RETRIES = Counter("finops_retries_total", ["stage", "work"], "Work that had to be tried again: the start of a service, a poll, an atomic step (on Kafka a transaction), a write to the store");
    BATCH_RECORDS = Histogram("finops_batch_records", RECORDS, ["stage"], "Records of an atomic step, or of a committed batch");
    ASSIGNED = Gauge("finops_assigned_partitions", ["stage"], "Partitions that are assigned to this process");
    LAG = Gauge("finops_lag_records", ["group", "topic", "partition"], "Records a group has not passed yet; of a group that writes batches: not written yet");
    OLDEST = Gauge("finops_oldest_unread_age_seconds", ["group", "topic", "partition"], "Age of the oldest record a group has not passed yet, 0 when there is none; of a group that writes batches: of the oldest unwritten record");
    TOPIC_END = Gauge("finops_topic_end_offset", ["topic", "partition"], "Next offset to be written; its rate is what is appended to the topic");
    SAMPLE_FAILURES = Counter("finops_lag_sample_failures_total", [], "Times lag could not be read from the broker");
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
