//! What a checker says: a finding without run facts, in the contract's words. Pure data; the runner adds the facts of the run.

use std::collections::BTreeMap;

use contracts::draft::{Estimated, Scope, Severity, Status};

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
    pub issue_key: BTreeMap<String, String>,
    /// Money.
    pub estimated: Estimated,
    /// Currency of the money, `None` for the run's default.
    pub currency: Option<String>,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
    /// Figures and facts behind it, as text.
    pub dimensions: BTreeMap<String, String>,
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
            estimated: Estimated::default(),
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
    pub fn issue(mut self, key: &str, value: impl Into<String>) -> Self {
        self.issue_key.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a figure or fact.
    #[must_use]
    pub fn dimension(mut self, key: &str, value: impl ToString) -> Self {
        self.dimensions.insert(key.to_owned(), value.to_string());
        self
    }

    /// Sets the money.
    #[must_use]
    pub fn estimated(mut self, estimated: Estimated) -> Self {
        self.estimated = estimated;
        self
    }
}
