//! Which later run tells whether a run's findings are resolved: of each account, region and service the next one of the same series
//! that looked at it, and at least as far.

use std::collections::{BTreeMap, BTreeSet};

use contracts::tenant_scope::TenantScope;
use lake::cut::{BillsRead, Cut, Reach, RunFact};
use serde::Serialize;

/// An account or region that is not bound to one, and any service.
const ANY: &str = "*";
/// Later runs that are looked at, a month of daily ones: a finding that none of them looked for again stays as it is.
const FOLLOWERS_MAX: usize = 31;
/// Usage from which a bill says enough of what it no longer has, though it begins later than the one before: a week.
const SPAN_MS_MIN: i64 = 7 * 24 * 3_600_000;
/// Other services that a bill must show, and as many as before, before one without a row counts as ended.
const OTHER_SERVICES_MIN: usize = 3;

/// A run and a later one that made some of its checks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct NextRun<'c> {
    /// Run.
    pub run_id: &'c str,
    /// The checks.
    pub check_ids: Vec<&'c str>,
    /// How many runs of the series came before it.
    pub place: usize,
    /// The later run: whole, so nothing is added to it any more.
    pub next: &'c RunFact,
    /// What of the run's findings it looked for first.
    pub areas: Vec<Area>,
    /// Runs of the series behind the run, up to the later one: what they still found is theirs.
    #[serde(skip)]
    pub between: Vec<&'c RunFact>,
}

/// Where a run looked; each may be `*`. An empty family is that of findings that name no service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Area {
    /// Account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Family of the service.
    pub family: String,
}

impl NextRun<'_> {
    /// Day of the later run, `YYYY-MM-DD`.
    pub fn day(&self) -> &str {
        day_of(self.next)
    }

    /// Days of the runs up to it.
    pub fn days(&self) -> impl Iterator<Item = &str> {
        self.between.iter().map(|run| day_of(run))
    }
}

fn day_of(run: &RunFact) -> &str {
    run.run_ts.get(..10).unwrap_or(&run.run_ts)
}

/// The tenant's runs that were followed by another one, by their day.
pub(super) fn next_runs<'c>(cut: &'c Cut, scope: &TenantScope) -> BTreeMap<&'c str, Vec<NextRun<'c>>> {
    of_runs(cut.runs_of(scope).iter().filter(|run| run.is_complete && !run.is_import))
}

fn of_runs<'c>(runs: impl Iterator<Item = &'c RunFact>) -> BTreeMap<&'c str, Vec<NextRun<'c>>> {
    let mut series: BTreeMap<(&str, &str), Vec<&RunFact>> = BTreeMap::new();
    for run in runs {
        series.entry((&run.workspace_id, run.engine_name.trim())).or_default().push(run);
    }
    let mut by_day: BTreeMap<&str, Vec<NextRun<'c>>> = BTreeMap::new();
    for mut runs in series.into_values() {
        runs.sort_by_key(|run| (&run.run_ts, &run.run_id));
        for (at, run) in runs.iter().enumerate() {
            let later = runs.get(at + 1..).unwrap_or_default();
            by_day.entry(day_of(run)).or_default().extend(followers(run, later));
        }
    }
    by_day
}

/// Numbers of the targets at which a run and the later ones made a check.
type Looks = (Option<usize>, Vec<Option<usize>>);

/// The runs that tell of the findings of a run, out of the later ones of its series.
fn followers<'c>(run: &'c RunFact, later: &[&'c RunFact]) -> Vec<NextRun<'c>> {
    let later = later.get(..FOLLOWERS_MAX).unwrap_or(later);
    // Checks for which all of them looked at the same places are followed together.
    let mut alike: BTreeMap<Looks, Vec<&'c str>> = BTreeMap::new();
    for check_id in run.looked.check_ids() {
        let numbers = later.iter().map(|next| next.looked.number(check_id)).collect();
        alike.entry((run.looked.number(check_id), numbers)).or_default().push(check_id);
    }
    let mut all = Vec::new();
    for ((own, numbers), check_ids) in alike {
        let mut missing: BTreeSet<Area> = own.map(|number| own_areas(run, number)).unwrap_or_default();
        let mut taken = BTreeSet::new();
        for (place, (next, number)) in later.iter().zip(numbers).enumerate() {
            let Some(number) = number else { continue };
            let areas: Vec<Area> = areas(run, next, number).into_iter().filter(|area| !taken.contains(area)).collect();
            if areas.is_empty() {
                continue;
            }
            missing.retain(|own| !areas.iter().any(|area| area.holds(own)));
            taken.extend(areas.iter().cloned());
            let between = later.get(..=place).unwrap_or_default().to_vec();
            all.push(NextRun { run_id: &run.run_id, check_ids: check_ids.clone(), place, next, areas, between });
            if missing.is_empty() {
                break;
            }
        }
    }
    all
}

impl Area {
    fn new(account: &str, region: &str, family: &str) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), family: family.to_owned() }
    }

    fn holds(&self, other: &Self) -> bool {
        let is_of = |all: &str, one: &str| all == ANY || all == one;
        is_of(&self.account, &other.account) && is_of(&self.region, &other.region) && is_of(&self.family, &other.family)
    }
}

/// Where findings of a run may be.
fn own_areas(run: &RunFact, number: usize) -> BTreeSet<Area> {
    let mut areas = BTreeSet::new();
    for (account, region) in run.looked.targets(number) {
        match &run.looked.bill {
            BillsRead::Read(accounts) if account == ANY => {
                for (account, reach) in accounts {
                    areas.extend(families(reach).map(|family| Area::new(account, region, family)));
                }
            }
            _ => drop(areas.insert(Area::new(account, region, ANY))),
        }
    }
    areas
}

/// Services of an account, and none.
fn families(reach: &Reach) -> impl Iterator<Item = &str> {
    reach.services.iter().map(|service| &**service).chain([""])
}

/// Where a later run looked for what a run has found.
fn areas(run: &RunFact, next: &RunFact, number: usize) -> Vec<Area> {
    let mut areas = Vec::new();
    for (account, region) in next.looked.targets(number) {
        if account != ANY {
            areas.push(Area::new(account, region, ANY));
            continue;
        }
        match (&run.looked.bill, &next.looked.bill) {
            (_, BillsRead::None) => areas.push(Area::new(ANY, region, ANY)),
            (_, BillsRead::Unknown) | (BillsRead::Unknown, _) => {}
            (BillsRead::None, BillsRead::Read(accounts)) => {
                let whole = accounts.iter().filter(|(_, reach)| !reach.is_extract);
                areas.extend(whole.map(|(account, _)| Area::new(account, region, ANY)));
            }
            (BillsRead::Read(before), BillsRead::Read(after)) => {
                for (account, before) in before {
                    let Some(after) = after.get(account).filter(|after| goes_as_far(before, after)) else { continue };
                    let shown = families(before).filter(|family| shows(before, after, family));
                    areas.extend(shown.map(|family| Area::new(account, region, family)));
                }
            }
        }
    }
    areas
}

/// True when a bill that lacks a resource tells that it ended, however long the bill before showed it.
fn goes_as_far(before: &Reach, after: &Reach) -> bool {
    let is_long = after.from_ms <= before.from_ms || after.until_ms.saturating_sub(after.from_ms) >= SPAN_MS_MIN;
    !after.is_extract && after.until_ms >= before.until_ms && is_long
}

/// True when a bill shows a service, or shows enough of the account to tell that the service has ended there.
fn shows(before: &Reach, after: &Reach, family: &str) -> bool {
    let has = |family: &str| after.services.iter().any(|service| **service == *family);
    let mut others = before.services.iter().filter(|service| ***service != *family);
    family.is_empty() || has(family) || (others.clone().count() >= OTHER_SERVICES_MIN && others.all(|other| has(other)))
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
