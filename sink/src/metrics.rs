//! What the sink counts beside what every service does. `stage` is `sink`, `dataset` a folder of the layout.

use platform::metrics::bounds::{BYTES, RECORDS, SECONDS};

platform::metrics::declare! {
    DUPLICATES = Counter("finops_duplicates_dropped_total", [], "Records the sink dropped because their source offset is not above the source watermark");
    BUFFER_BYTES = Gauge("finops_buffer_bytes", ["stage"], "Bytes of records in open batches");
    STAGE_SECONDS = Histogram("finops_stage_seconds", SECONDS, [], "Time to encode a batch and write its files where no reader looks");
    COMMIT_SECONDS = Histogram("finops_commit_seconds", SECONDS, [], "Time to create a commit record");
    PUBLISH_SECONDS = Histogram("finops_publish_seconds", SECONDS, [], "Time to make one committed file visible");
    COMMITS = Counter("finops_commits_total", ["dataset"], "Commit records this sink has written");
    RACES_LOST = Counter("finops_commit_races_lost_total", [], "Batches another sink had committed first");
    FILES = Counter("finops_files_total", ["dataset"], "Committed files");
    FILE_BYTES = Histogram("finops_file_bytes", BYTES, ["dataset"], "Sizes of committed files");
    FILE_ROWS = Histogram("finops_file_rows", RECORDS, ["dataset"], "Rows of committed files");
}
