//! What a run has looked at as a whole, by its manifest: which checks it completed where, and how far the bills went that it read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::time::timestamp;

/// What a run has looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Where checks were complete, each set of targets once.
    targets: Vec<BTreeSet<ScopeKey>>,
    /// Checks, and the number of their targets.
    checks: BTreeMap<String, usize>,
    /// What it read of bills.
    pub bill: BillsRead,
}

/// Account and region of a scope; each may be `*`.
pub type ScopeKey = (String, String);

/// The bills that a run read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BillsRead {
    /// It read none: a scope of account `*` is all that there is.
    #[default]
    None,
    /// Its manifest does not say how far they went.
    Unknown,
    /// How far each account was read; bills spell an account in one way.
    Read(BTreeMap<String, Reach>),
}

/// How far a bill shows an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Start of the first usage.
    pub from_ms: i64,
    /// End of the last usage.
    pub until_ms: i64,
    /// Rows are missing.
    pub is_extract: bool,
    /// Families of the services that have a row.
    pub services: Vec<Arc<str>>,
}

impl Looked {
    /// Of a manifest.
    ///
    /// # Errors
    /// A time that is none.
    pub fn of(run: &RunManifest) -> Result<Self, String> {
        let mut of_check: BTreeMap<&String, BTreeSet<ScopeKey>> = BTreeMap::new();
        for scope in run.scopes.iter().filter(|scope| scope.status == RunStatus::Complete) {
            for check_id in &scope.check_ids {
                let target = (scope.account_id.clone(), scope.region.clone());
                of_check.entry(check_id).or_default().insert(target);
            }
        }
        let mut looked = Self { bill: bill(run)?, ..Self::default() };
        for (check_id, targets) in of_check {
            let number = looked.targets.iter().position(|known| *known == targets).unwrap_or_else(|| {
                looked.targets.push(targets);
                looked.targets.len() - 1
            });
            looked.checks.insert(check_id.clone(), number);
        }
        Ok(looked)
    }

    /// Checks that it completed anywhere.
    pub fn check_ids(&self) -> impl Iterator<Item = &str> {
        self.checks.keys().map(String::as_str)
    }

    /// The number of the targets at which it completed a check.
    #[must_use]
    pub fn number(&self, check_id: &str) -> Option<usize> {
        self.checks.get(check_id).copied()
    }

    /// Targets of a number.
    pub fn targets(&self, number: usize) -> impl Iterator<Item = &ScopeKey> {
        self.targets.get(number).into_iter().flatten()
    }
}

fn bill(run: &RunManifest) -> Result<BillsRead, String> {
    let Some(usage) = &run.billed_usage else {
        let has_none = run.billed_accounts.is_none() && run.billing_deliveries.is_empty();
        return Ok(if has_none { BillsRead::None } else { BillsRead::Unknown });
    };
    // Accounts have few distinct services between them.
    let mut shared: HashMap<&str, Arc<str>> = HashMap::new();
    let mut accounts = BTreeMap::new();
    for (account, of) in usage {
        let ms = |text: &str| timestamp(text).map_err(|_| format!("{text:?} is no time"));
        let services =
            of.services.iter().map(|service| shared.entry(service).or_insert_with(|| (&**service).into()).clone());
        let (from_ms, until_ms) = (ms(&of.from)?, ms(&of.until)?);
        let reach = Reach { from_ms, until_ms, is_extract: of.is_extract, services: services.collect() };
        accounts.insert(account.clone(), reach);
    }
    Ok(BillsRead::Read(accounts))
}
