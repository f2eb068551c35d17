//! What a checker is: a pure function from recorded inventories to findings, and its entry in the registry. Checkers
//! do no I/O and know nothing of topics or storage.

use std::collections::BTreeSet;

use inventories::bootstrap::Bootstrap;
use inventories::collected::Unavailable;
use inventories::kind::{Extent, InventoryKind, Source};
use inventories::services::Services;

use crate::finding::Finding;
use crate::rulepack::{Threshold, Thresholds, UndeclaredThreshold};
use crate::run_context::RunContext;

/// One checker.
pub trait Checker: Send {
    /// Looks at what was collected for one account and region (`global` or `*` for checkers that are not regional).
    ///
    /// # Errors
    /// What the checker needs was not collected, or it cannot go on.
    fn run(&self, services: &Services, region: &str) -> Result<Checked, CheckerError>;
}

/// What a checker found, and what it could not judge. What its collectors could not see is added by the runner.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Findings, in any order.
    pub findings: Vec<Finding>,
    /// What it could not judge, for people; empty when that is nothing.
    pub gaps: Vec<String>,
    /// The accounts that it looked at, for a checker that is bound to none and looks at what it is given: it says nothing of
    /// other accounts. `None` for all that there are.
    pub accounts: Option<BTreeSet<String>>,
}

/// A checker did not finish.
#[derive(Debug, thiserror::Error)]
pub enum CheckerError {
    /// Its input was not collected.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// It cannot go on.
    #[error("{0}")]
    Failed(String),
}

/// A checker cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// It asks for a threshold that it does not declare.
    #[error(transparent)]
    Threshold(#[from] UndeclaredThreshold),
}

/// How often a checker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckerScope {
    /// Once for each account; once, if it needs none.
    Global,
    /// Once for each region of each account.
    Regional,
}

/// A check that a checker may emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckInfo {
    /// Id, lower case.
    pub check_id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Category, such as `cost`.
    pub category: &'static str,
    /// Sub-category.
    pub sub_category: &'static str,
}

/// How the amounts of a checker become monthly figures, when only a part of a month was charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthRule {
    /// By the share of the month that each resource was charged for.
    ByTime,
    /// By the share of the month that the bill shows.
    ByBill,
    /// There are none.
    NoMoney,
}

impl MonthRule {
    /// For people.
    #[must_use]
    pub fn explained(self) -> &'static str {
        match self {
            Self::ByTime => {
                "a month = charged × hours of the billing month / hours charged, for each resource. Hours are distinct hours, \
                 not rows; a daily or monthly row counts all its hours. Storage, gateways and load balancers exist in each \
                 hour charged. Instances, databases and addresses may pause: for them the hours from the first charge to the \
                 last count. Corrections and reversals of the resource are taken off first. A resource charged all month is not scaled. The \
                 finding keeps what was charged (dimensions charged_cost, charged_savings, charged_hours, share_hours, \
                 month_hours) and the formula with its numbers (estimated.notes). Confidence is at most 30 for less than a \
                 day, 60 for less than a week. A resource that is not charged any more in the last 48 hours of the bill (a week, \
                 if it paused before), or is away for as long as it lived, has ended and saves nothing; where the bill shows less than half of the hours of what \
                 does not pause, it is an extract: then it is named all the same, with a confidence of \
                 30 at most"
            }
            Self::ByBill => {
                "a month = charged × hours of the billing month / hours from the first to the last that the bill shows of usage, \
                 in rows of a day at most: taxes, fees, purchases and charges by the month do not tell how far it is. Of a \
                 resource that began later (its storage, gateway or load balancer is charged since then), the hours since. \
                 A charge for more than that is scaled by its own time. Corrections and reversals are taken off first. The \
                 finding keeps what was charged (charged_cost) and the formula with its numbers (estimated.notes)"
            }
            Self::NoMoney => "no monthly figure",
        }
    }
}

/// What a checker says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckerDocs {
    /// What it looks for.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// How cost and savings are worked out, with what makes them unknown.
    pub money: &'static str,
    /// How they become monthly figures.
    pub month: MonthRule,
    /// When a finding is `fail` or `info`.
    pub verdict: &'static str,
    /// Thresholds, with defaults.
    pub thresholds: &'static [Threshold],
    /// What it reads.
    pub data: &'static str,
    /// Where it stays silent or can be wrong.
    pub limits: &'static str,
}

impl CheckerDocs {
    /// Says nothing: for checkers that only tests register.
    pub const EMPTY: Self = Self {
        what: "",
        why: "",
        money: "",
        month: MonthRule::NoMoney,
        verdict: "",
        thresholds: &[],
        data: "",
        limits: "",
    };
}

/// Builds a checker for one run.
pub type Factory = fn(&RunContext, &Bootstrap) -> Result<Box<dyn Checker>, FactoryError>;

/// A checker's entry in the registry, submitted where the checker is written.
pub struct CheckerRegistration {
    /// Stable name: `module:Type`. Opaque; nothing is loaded by it.
    pub spec: &'static str,
    /// Lineage of its findings, and the table of its thresholds.
    pub checker_id: &'static str,
    /// How often it runs.
    pub scope: CheckerScope,
    /// Kinds of inventories it reads. Of a provider's accounts, all are of one provider.
    pub needs: &'static [InventoryKind],
    /// Every check it may emit.
    pub checks: &'static [CheckInfo],
    /// Documentation.
    pub docs: &'static CheckerDocs,
    /// True for one that runs only where it is named: it costs much, or few want its findings.
    pub is_on_request: bool,
    /// What becomes of its findings as a whole; `None` for nothing.
    pub together: Option<&'static Together>,
    /// Builds it.
    pub factory: Factory,
}

/// What becomes of the findings of some checkers as a whole, with thresholds of its own.
#[derive(Debug, Clone, Copy)]
pub struct Together {
    /// The table of its thresholds in a rulepack.
    pub table: &'static str,
    /// Thresholds, with defaults.
    pub thresholds: &'static [Threshold],
    /// Findings into findings.
    pub put: fn(&Thresholds<'_>, Vec<Finding>) -> Result<Vec<Finding>, UndeclaredThreshold>,
}

inventory::collect!(CheckerRegistration);

impl CheckerRegistration {
    /// Builds the checker and runs it.
    ///
    /// # Errors
    /// It asks for a threshold that it does not declare; those of [`Checker::run`].
    pub fn run(
        &self,
        context: &RunContext,
        facts: &Bootstrap,
        services: &Services,
        region: &str,
    ) -> Result<Checked, CheckerError> {
        let failed = |error: &dyn std::fmt::Display| CheckerError::Failed(error.to_string());
        let checker = (self.factory)(context, facts).map_err(|error| failed(&error))?;
        let checked = checker.run(services, region)?;
        let Some(together) = self.together else { return Ok(checked) };
        let thresholds = context.rulepack.of(together.table, together.thresholds);
        let findings = (together.put)(&thresholds, checked.findings).map_err(|error| failed(&error))?;
        Ok(Checked { findings, ..checked })
    }

    /// The declared check of that id.
    #[must_use]
    pub fn check(&self, check_id: &str) -> Option<&'static CheckInfo> {
        self.checks.iter().find(|check| check.check_id == check_id)
    }

    /// The provider whose accounts it looks at; `None` for a checker that reads only what was given to the run.
    #[must_use]
    pub fn provider(&self) -> Option<Source> {
        self.needs.iter().find(|kind| kind.extent != Extent::Run).map(|kind| kind.source)
    }

    /// Where its inventories come from, for people.
    #[must_use]
    pub fn sources_text(&self) -> String {
        let sources: BTreeSet<Source> = self.needs.iter().map(|kind| kind.source).collect();
        sources.into_iter().map(Source::as_str).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Debug for CheckerRegistration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec)
    }
}
