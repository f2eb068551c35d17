//! What a checker says: a finding without run facts. Pure data; [`crate::draft`] turns it into the wire form.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

/// What the check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Something can be done.
    Fail,
    /// Worth knowing; no action follows by itself.
    Info,
    /// It could not be told.
    Unknown,
}

impl Status {
    /// The wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Info => "info",
            Self::Unknown => "unknown",
        }
    }
}

/// How much it matters: a level and a score of 0..=1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Severity {
    /// `info`, `low`, `medium`, `high` or `critical`.
    pub level: &'static str,
    /// Score.
    pub score: u16,
}

/// What the finding is about. Empty text means not told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Cloud.
    pub cloud: String,
    /// Partition of the provider, such as `aws-cn`.
    pub provider_partition: String,
    /// Paying account.
    pub billing_account_id: String,
    /// Account.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// Billing product code.
    pub service: String,
    /// Kind of resource.
    pub resource_type: String,
    /// Resource.
    pub resource_id: String,
    /// ARN, where one is known.
    pub resource_arn: String,
}

/// Money of a finding, per month, in the finding's currency. Unknown is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Estimate {
    /// What acting on it would have saved.
    pub savings_monthly: Option<Decimal>,
    /// What the thing costs.
    pub cost_monthly: Option<Decimal>,
    /// How sure the figures are, 0..=100.
    pub confidence: u8,
    /// How the figures came about.
    pub notes: String,
}

/// One finding of one checker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check; must be one that the checker declares.
    pub check_id: &'static str,
    /// What it is about.
    pub scope: Scope,
    /// What it came to.
    pub status: Status,
    /// How much it matters.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What was seen, with figures.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// What makes it this issue and no other, beyond check and scope. Stable facts only: a measured number here
    /// would make it a new issue each run.
    pub issue_key: BTreeMap<&'static str, String>,
    /// Money.
    pub estimate: Estimate,
    /// Currency of the money, `None` for the run's default.
    pub currency: Option<String>,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
    /// Figures and facts behind it, as text.
    pub dimensions: BTreeMap<&'static str, String>,
}

impl Finding {
    /// A finding with nothing but what every finding has.
    #[must_use]
    pub fn new(check_id: &'static str, scope: Scope, status: Status, severity: Severity) -> Self {
        Self {
            check_id,
            scope,
            status,
            severity,
            title: String::new(),
            message: String::new(),
            advice: String::new(),
            issue_key: BTreeMap::new(),
            estimate: Estimate::default(),
            currency: None,
            tags: BTreeMap::new(),
            dimensions: BTreeMap::new(),
        }
    }

    /// Title, message and advice.
    #[must_use]
    pub fn text(mut self, title: impl Into<String>, message: impl Into<String>, advice: impl Into<String>) -> Self {
        self.title = title.into();
        self.message = message.into();
        self.advice = advice.into();
        self
    }

    /// Adds a stable fact to the issue key.
    #[must_use]
    pub fn issue(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.issue_key.insert(key, value.into());
        self
    }

    /// Adds a figure or fact.
    #[must_use]
    pub fn dimension(mut self, key: &'static str, value: impl ToString) -> Self {
        self.dimensions.insert(key, value.to_string());
        self
    }

    /// Sets the money.
    #[must_use]
    pub fn estimate(mut self, estimate: Estimate) -> Self {
        self.estimate = estimate;
        self
    }
}
