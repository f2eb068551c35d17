//! What a checker emits: the wire draft (contract.md 3) as an owned type that serialises to wire JSON.
//! Money is exact and written as text; what is not set is left out.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Serialize;

/// A finding before the contract: no ids, self-contained run facts. Required members are plain fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FindingDraft {
    /// Tenant.
    pub tenant_id: String,
    /// Workspace.
    pub workspace_id: String,
    /// Run.
    pub run_id: String,
    /// Start of the run, RFC 3339 UTC.
    pub run_ts: String,
    /// Engine.
    pub engine_name: String,
    /// Engine version.
    pub engine_version: String,
    /// Rulepack.
    pub rulepack_version: String,
    /// Version of this schema.
    pub schema_version: u16,
    /// Currency of the amounts.
    pub default_currency: String,
    /// Producer of the finding, kept as lineage.
    pub checker_id: String,
    /// `scanner`, `import` or `api`.
    pub source_type: String,
    /// What was checked.
    pub check_id: String,
    /// Its name for people.
    pub check_name: String,
    /// Category, lower case.
    pub category: String,
    /// Sub-category, lower case.
    pub sub_category: String,
    /// Frameworks the check belongs to.
    pub frameworks: Vec<String>,
    /// `pass`, `fail`, `info` or `unknown`.
    pub status: Status,
    /// How bad it is.
    pub severity: Severity,
    /// Rank among findings, lower first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// One line.
    pub title: String,
    /// What was seen, with numbers.
    pub message: String,
    /// What to do about it.
    pub advice: String,
    /// How to do it, step by step.
    pub remediation: String,
    /// Where to look further.
    pub links: Vec<Link>,
    /// Where it is.
    pub scope: Scope,
    /// What tells this issue from others of the same check and resource: stable facts only.
    pub issue_key: BTreeMap<String, String>,
    /// What it may cost and save.
    pub estimated: Estimated,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
    /// Labels of the finding.
    pub labels: BTreeMap<String, String>,
    /// Facts to group by.
    pub dimensions: BTreeMap<String, String>,
    /// Measured numbers.
    pub metrics: BTreeMap<String, Decimal>,
    /// Anything else, JSON as text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata_json: String,
}

/// Outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is as it should be.
    Pass,
    /// It is not.
    #[default]
    Fail,
    /// Worth knowing.
    Info,
    /// It could not be determined.
    Unknown,
}

/// Level and score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Severity {
    /// Level.
    pub level: Level,
    /// 0..=1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u16>,
}

/// Severity levels, rising.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For information.
    #[default]
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

/// A link with its text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Link {
    /// Text.
    pub label: String,
    /// Address.
    pub url: String,
}

/// Where a finding is. `service` holds the billing product code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Scope {
    /// `aws`, `azure`, `gcp`, …
    pub cloud: String,
    /// Partition of the provider.
    pub provider_partition: String,
    /// Organization.
    pub organization_id: String,
    /// Payer account.
    pub billing_account_id: String,
    /// Account.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// Zone.
    pub availability_zone: String,
    /// Billing product code.
    pub service: String,
    /// Kind of resource.
    pub resource_type: String,
    /// Resource.
    pub resource_id: String,
    /// ARN or full name.
    pub resource_arn: String,
}

/// Estimates; unknown money is absent, never 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Estimated {
    /// Per month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_savings: Option<Decimal>,
    /// Per month, as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_cost: Option<Decimal>,
    /// Once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time_savings: Option<Decimal>,
    /// 0..=100.
    pub confidence: u8,
    /// How the numbers came about.
    pub notes: String,
}
