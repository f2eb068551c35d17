//! The canonical finding: a wire message with every member read by the rules of its type (contract.md 5, 6),
//! amounts still exact. Reading collects the violations of kind; meaning is judged in [`crate::rules`].

mod read;

use std::borrow::Cow;

use crate::number::{self, Decimal};

pub(crate) use read::read;

pub(crate) type Text<'a> = Option<Cow<'a, str>>;

/// An amount that is a decimal by R15, still spelled as it came.
#[derive(Debug, Clone)]
pub(crate) struct Amount<'a>(Cow<'a, str>);

impl Amount<'_> {
    pub fn decimal(&self) -> Result<Decimal<'_>, number::NotADecimal> {
        Decimal::parse(&self.0)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct ReadFinding<'a> {
    pub tenant_id: Text<'a>,
    pub workspace_id: Text<'a>,
    pub finding_id: Text<'a>,
    pub fingerprint: Text<'a>,
    pub run_id: Text<'a>,
    pub run_ts: Option<i64>,
    pub ingested_ts: Option<i64>,
    pub engine_name: Text<'a>,
    pub engine_version: Text<'a>,
    pub rulepack_version: Text<'a>,
    pub scope: Option<Scope<'a>>,
    pub check_id: Text<'a>,
    pub check_name: Text<'a>,
    pub category: Text<'a>,
    pub sub_category: Text<'a>,
    pub frameworks: Option<Vec<Text<'a>>>,
    pub status: Text<'a>,
    pub severity: Option<Severity<'a>>,
    pub priority: Option<i64>,
    pub title: Text<'a>,
    pub message: Text<'a>,
    pub advice: Text<'a>,
    pub recommendation: Text<'a>,
    pub remediation: Text<'a>,
    pub links: Option<Vec<Option<Link<'a>>>>,
    pub estimated: Option<Estimated<'a>>,
    pub actual: Option<Actual<'a>>,
    pub lifecycle: Option<Lifecycle<'a>>,
    pub tags: Option<Vec<(Cow<'a, str>, Text<'a>)>>,
    pub labels: Option<Vec<(Cow<'a, str>, Text<'a>)>>,
    pub dimensions: Option<Vec<(Cow<'a, str>, Text<'a>)>>,
    pub metrics: Option<Vec<(Cow<'a, str>, Option<Amount<'a>>)>>,
    pub metadata_json: Text<'a>,
    pub source: Option<Source<'a>>,
    pub allocation: Option<Allocation<'a>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scope<'a> {
    pub cloud: Text<'a>,
    pub provider_partition: Text<'a>,
    pub organization_id: Text<'a>,
    pub billing_account_id: Text<'a>,
    pub account_id: Text<'a>,
    pub region: Text<'a>,
    pub availability_zone: Text<'a>,
    pub service: Text<'a>,
    pub resource_type: Text<'a>,
    pub resource_id: Text<'a>,
    pub resource_arn: Text<'a>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Severity<'a> {
    pub level: Text<'a>,
    pub score: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Link<'a> {
    pub label: Text<'a>,
    pub url: Text<'a>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Estimated<'a> {
    pub monthly_savings: Option<Amount<'a>>,
    pub monthly_cost: Option<Amount<'a>>,
    pub one_time_savings: Option<Amount<'a>>,
    pub confidence: Option<i64>,
    pub notes: Text<'a>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Actual<'a> {
    pub cost_7d: Option<Amount<'a>>,
    pub cost_30d: Option<Amount<'a>>,
    pub cost_mtd: Option<Amount<'a>>,
    pub cost_prev_month: Option<Amount<'a>>,
    pub savings_7d: Option<Amount<'a>>,
    pub savings_30d: Option<Amount<'a>>,
    pub model: Option<Model<'a>>,
    pub attribution: Option<Attribution<'a>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model<'a> {
    pub currency: Text<'a>,
    /// R47 asks for a JSON string, not for its text.
    pub currency_is_text: bool,
    pub cost_model: Text<'a>,
    pub granularity: Text<'a>,
    pub period_start: Option<i32>,
    pub period_end: Option<i32>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Attribution<'a> {
    pub method: Text<'a>,
    pub confidence: Option<i64>,
    pub matched_keys: Option<Vec<Text<'a>>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Lifecycle<'a> {
    pub status: Text<'a>,
    pub first_seen_ts: Option<i64>,
    pub last_seen_ts: Option<i64>,
    pub resolved_ts: Option<i64>,
    pub snooze_until_ts: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Source<'a> {
    pub source_type: Text<'a>,
    pub source_ref: Text<'a>,
    pub schema_version: Option<i64>,
    pub engine: Text<'a>,
    pub refreshed_ts: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Allocation<'a> {
    pub owner: Text<'a>,
    pub cost_center: Text<'a>,
    pub product: Text<'a>,
    pub environment: Text<'a>,
}

/// How a message is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A draft: defaults of section 6, run and producer shortcuts.
    Draft,
    /// A record, brought to canonical spelling (R25, R26, R20).
    Record,
    /// A record exactly as it is: what the storage cast alone does.
    AsIs,
}

/// What [`Code::CurrencyUnknown`](crate::violation::Code::CurrencyUnknown) says.
pub(crate) const CURRENCY_RULE: &str = "must be the code of a currency by ISO 4217, such as USD or EUR";
