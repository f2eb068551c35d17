//! The run manifest: what a run published and what it covered. Value of topic `finops.runs`, and
//! `_runs/<tenant>/<workspace>/<run_id>.json` beside the datasets (R72).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::cost_manifest::CostTotals;

/// Version of this format.
pub const FORMAT_VERSION: u32 = 1;

/// What one run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunManifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Canonical tenant.
    pub tenant_id: String,
    /// Workspace.
    pub workspace_id: String,
    /// Run.
    pub run_id: String,
    /// Start of the run, `…Z` with milliseconds.
    pub run_ts: String,
    /// When the manifest was made.
    pub created_at: String,
    /// `complete`: every scope complete or skipped on purpose; `partial`: at least one partial, failed or skipped
    /// for lack of access; `failed`: nothing could be checked. Downstream counts `complete` and `partial` as finished.
    pub status: RunStatus,
    /// Salt mode of finding ids.
    pub finding_id_mode: String,
    /// Engine.
    pub engine_name: String,
    /// Engine version.
    pub engine_version: String,
    /// Rulepack.
    pub rulepack_version: String,
    /// Schema version of the findings.
    pub schema_version: u16,
    /// Wire records published, over all topics.
    pub published: u64,
    /// Outcome per (checker, account, region).
    pub scopes: Vec<ScopeOutcome>,
    /// Accounts that its billing files charge or bill: those that a scope of account `*` looked at. `None` without billing files, and
    /// in manifests of earlier versions of the program: then such a scope looked at all accounts.
    #[serde(default)]
    pub billed_accounts: Option<BTreeSet<String>>,
    /// What its billing files show of each account that has usage of its own, by account. `None` without billing files, and in manifests
    /// of earlier versions of the program: then it is unknown how far the files went.
    #[serde(default)]
    pub billed_usage: Option<BTreeMap<String, BilledUsage>>,
    /// Billing deliveries read, by delivery id.
    pub billing_deliveries: Vec<BillingDelivery>,
    /// Other facts (output folders, pricing version), text by name.
    pub notes: BTreeMap<String, String>,
}

/// How far billing files show one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledUsage {
    /// Start of its first usage, `…Z` with milliseconds.
    pub from: String,
    /// End of its last usage, in the same form. Usage longer than a day tells an end only where there is no other.
    pub until: String,
    /// True for an extract: rows are missing, so what has no row may still exist.
    pub is_extract: bool,
    /// Families of the services that have a row.
    pub services: BTreeSet<String>,
}

/// Status of a run or scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// All of it was checked.
    Complete,
    /// Some of it was checked.
    Partial,
    /// None of it was checked.
    Failed,
    /// It was not attempted, for a reason.
    Skipped,
}

impl RunStatus {
    /// As manifests and tables spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What happened to one checker in one scope. "Not checked" is never read as "fixed".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeOutcome {
    /// Registry SPEC of the checker.
    pub checker: String,
    /// check_ids this checker may emit.
    pub check_ids: Vec<String>,
    /// Account, `*` when the checker is not bound to one: see [`RunManifest::billed_accounts`].
    pub account_id: String,
    /// Region, `global` or `*`.
    pub region: String,
    /// Outcome.
    pub status: RunStatus,
    /// Why it is not complete; empty when complete.
    pub reason: String,
    /// Operations refused by the provider.
    pub denied_operations: Vec<String>,
    /// Operations that ran into throttling.
    pub throttled_operations: Vec<String>,
    /// Provider API calls made.
    pub api_calls: u64,
    /// Findings published.
    pub findings: u64,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
}

/// A billing delivery that a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingDelivery {
    /// Digest over the unpacked contents of its files (cur_attribution 2.4).
    pub delivery_id: String,
    /// Billing period `YYYY-MM`.
    pub billing_period: String,
    /// Provider and billing account; empty in manifests of earlier versions of the program.
    #[serde(default)]
    pub source: String,
    /// `focus`, `legacy` or `cur2`; empty as above.
    #[serde(default)]
    pub source_format: String,
    /// `added`, `replaced` or `unchanged`; empty as above.
    #[serde(default)]
    pub effect: String,
    /// Accepted lines.
    pub accepted: u64,
    /// Rejected lines by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Sums by currency; empty as above.
    #[serde(default)]
    pub totals: BTreeMap<String, CostTotals>,
    /// What of the unblended total is on an invoice, by currency and invoice id; empty when the export names none.
    #[serde(default)]
    pub invoiced: BTreeMap<String, BTreeMap<String, String>>,
    /// `hourly`, `daily` or `monthly`: what most charges of usage of its billing period are, over all that is live of it; empty when
    /// unknown, and in manifests of earlier versions of the program.
    #[serde(default)]
    pub granularity: String,
    /// Facts with a flag, by the name of its column.
    #[serde(default)]
    pub flagged: BTreeMap<String, u64>,
    /// What was live of its source and is not any more.
    #[serde(default)]
    pub replaced: Vec<ReplacedDelivery>,
}

/// A billing delivery that another one replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedDelivery {
    /// As it was loaded.
    pub delivery_id: String,
    /// Provider and billing account.
    pub source: String,
    /// Lines it had.
    pub rows: u64,
    /// Billed cost it had by currency, as decimal text.
    pub billed: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_spell_a_status_as_manifests_do() {
        for status in [RunStatus::Complete, RunStatus::Partial, RunStatus::Failed, RunStatus::Skipped] {
            assert_eq!(serde_json::to_value(status).ok(), Some(status.as_str().into()));
        }
    }
}
