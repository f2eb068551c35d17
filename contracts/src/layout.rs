//! Where data lies below the store root, and how tenant text becomes a path (R66–R68).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

/// Dataset of valid findings.
pub const FINDINGS: &str = "finops_findings";
/// Dataset of dead letters.
pub const DEAD_LETTERS: &str = "finops_dead_letters";
/// Dataset of cost facts, `tenant_id=<t>/billing_period=<YYYY-MM>/part-<id>.parquet`.
pub const COST_FACTS: &str = "cur_facts";
/// Dataset of findings with the costs that were attributed to them.
pub const FINDINGS_ENRICHED: &str = "finops_findings_enriched";
/// Dataset of the billing lines behind attributed costs.
pub const COST_ATTRIBUTION: &str = "finops_cost_attribution";
/// Dataset of KPI gold tables.
pub const KPI_GOLD: &str = "finops_kpi_gold";
/// Dataset of runs, `tenant_id=<t>/month=<YYYY-MM>/part-<id>.parquet`.
pub const RUN_TABLE: &str = "finops_runs";
/// Run manifests, `_runs/<tenant>/<workspace>/<run_id>.json`, all segments encoded.
pub const RUNS: &str = "_runs";
/// Audit records of what operators sent again, one folder each.
pub const AUDIT_REDRIVE: &str = "_audit/redrive";
/// Audit records of wire records that were sent once more, by the replay's id.
pub const AUDIT_REPLAY: &str = "_audit/replay";
/// Audit records of `repair`: what was sent because it was missing.
pub const AUDIT_REPAIR: &str = "_audit/repair";
/// All audit records of what was sent again.
pub const AUDITS: [&str; 3] = [AUDIT_REDRIVE, AUDIT_REPLAY, AUDIT_REPAIR];
/// Commit records that were damaged, as they were when a repair rebuilt them.
pub const AUDIT_DAMAGED: &str = "_audit/damaged";
/// Below this is what topics were created again after a broker was rolled back, and with what.
pub const AUDIT_RECREATE: &str = "_audit/recreate";
/// In a root that a replay makes: whose it is.
pub const REPLAY: &str = "_replay.json";
/// The store's own folder, never matched by a glob for data: commit chains, and in `_sink/staging` what is staged.
pub const SINK: &str = "_sink";
/// Commit chains.
pub const CHAIN: &str = "_sink/v1";
/// Tenant segment of dead letters whose tenant is unknown. Not a legal tenant (R66), so it never collides.
pub const UNKNOWN_TENANT: &str = "_unknown";

/// Longest encoded name of a workspace or run: with `.json` behind it, it is a file name that every file system takes.
pub const NAME_BYTES_MAX: usize = 250;

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// Percent-encodes a path segment: every byte outside `A-Z a-z 0-9 . _ -` becomes `%XX` (R67). The
/// segments `.` and `..` are encoded too, so a segment never walks.
#[must_use]
pub fn encode_segment(text: &str) -> String {
    if text == "." || text == ".." {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Reverses [`encode_segment`]; `None` when the bytes are not UTF-8.
#[must_use]
pub fn decode_segment(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// True when a canonical tenant id matches `[a-z0-9][a-z0-9._-]{0,62}` (R66).
#[must_use]
pub fn is_tenant_slug(tenant: &str) -> bool {
    let ok = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = tenant.as_bytes();
    bytes.first().is_some_and(ok) && bytes.len() <= 63 && bytes.iter().all(|b| ok(b) || matches!(b, b'.' | b'_' | b'-'))
}

/// `<dataset>/tenant_id=<t>/run_date=<d>`.
#[must_use]
pub fn partition_dir(dataset: &str, tenant: &str, run_date: &str) -> String {
    format!("{dataset}/tenant_id={}/run_date={}", encode_segment(tenant), encode_segment(run_date))
}

/// Name of a data file, derived from the input range so that a retry makes the same name (DESIGN 5.3).
#[must_use]
pub fn part_name(topic_id: &str, partition: u32, start: u64, end: u64, tenant: &str, run_date: &str) -> String {
    /// Namespace of part names, fixed for ever.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3c6e_9a54_4c0b_8d55_50f1_96c4_2d10);
    let seed = format!("{topic_id}/{partition}/{start}/{end}/{tenant}/{run_date}");
    format!("part-{}.parquet", Uuid::new_v5(&NAMESPACE, seed.as_bytes()).simple())
}

/// Folder of a partition's commit chain.
#[must_use]
pub fn chain_dir(topic_id: &str, partition: u32) -> String {
    format!("{CHAIN}/{}/{partition}", encode_segment(topic_id))
}

/// Path of the commit record that starts at `start`.
#[must_use]
pub fn chain_record(topic_id: &str, partition: u32, start: u64) -> String {
    format!("{}/{start:020}.json", chain_dir(topic_id, partition))
}

/// Path of the checkpoint of a chain at `end`.
#[must_use]
pub fn chain_checkpoint(topic_id: &str, partition: u32, end: u64) -> String {
    format!("{}/checkpoint-{end:020}.json", chain_dir(topic_id, partition))
}

/// Path of a run manifest.
#[must_use]
pub fn run_manifest(tenant: &str, workspace: &str, run_id: &str) -> String {
    format!("{RUNS}/{}/{}/{}.json", encode_segment(tenant), encode_segment(workspace), encode_segment(run_id))
}

/// Folder of a tenant's cost facts of one billing period.
#[must_use]
pub fn cost_facts_dir(tenant: &str, billing_period: &str) -> String {
    format!("{COST_FACTS}/tenant_id={}/billing_period={}", encode_segment(tenant), encode_segment(billing_period))
}
