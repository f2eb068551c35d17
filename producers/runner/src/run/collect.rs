//! Collects what the chosen checkers need, and nothing else: billing files first, then one supervised task for each collector,
//! account and region, some at a time. One that fails, panics or hangs never stops the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use checkers::registry::Registration;
use collectors::billing::{LoadError, LoadOptions, LoadReport};
use collectors::collector::{
    Account, AccountTask, BillTask, BilledScope, Collect, CollectedBill, ConnectOptions, FilesTask,
};
use collectors::registry::{Collector, Provider};
use inventories::collected::{Collected, Unavailable, UnavailableKind};
use inventories::kind::{ANY, Extent, GLOBAL, InventoryKind, Source};
use inventories::services::Services;
use platform::lifecycle::Shutdown;
use platform::progress::Unit;
use platform::trace::Tracer;

use super::pool::run_all;
use super::supervise::supervise;
use super::{Given, Ports, RunPlan};

/// A collector ends its calls at its deadline, and says more about it than the thread that only waits.
const GRACE: Duration = Duration::from_secs(5);

type Outcome = Result<Arc<Collected>, Unavailable>;

/// What was collected, and what was not, with the reasons.
#[derive(Default)]
pub struct Collections {
    /// Accounts to look at, by provider.
    accounts: BTreeMap<Source, Result<Vec<Arc<Account>>, Unavailable>>,
    /// By kind of inventory, account and region.
    outcomes: BTreeMap<(&'static str, String, String), Outcome>,
    /// Whose billing files were read, when there are any.
    pub billed: Option<BilledScope>,
}

/// The account and region in which a checker runs.
#[derive(Debug, Clone)]
pub struct Target {
    /// `None` for a checker that needs none, and when none is known.
    pub account: Option<Arc<Account>>,
    /// `global` or `*` for a checker that is not regional.
    pub region: String,
}

impl Target {
    /// Id of the account; `*` for none.
    #[must_use]
    pub fn account_id(&self) -> &str {
        self.account.as_ref().map_or(ANY, |account| &account.id)
    }
}

/// The collectors of a run, by id: those that its checkers need, and the one that stores the bills that it was given.
#[must_use]
pub fn collectors_of(plan: &RunPlan) -> Vec<Collector> {
    let is_wanted = |collector: Collector| plan.checkers.iter().any(|checker| checker.needs.contains(&collector.fills));
    let is_needed = |collector: Collector| match collector.collect {
        // Facts are stored even when no checker reads billing rows: costs and attribution need them.
        Collect::Bill(_) => !plan.billing_files.is_empty(),
        Collect::Files(_) => !plan.billing_files.is_empty() && is_wanted(collector),
        Collect::Account(_) => is_wanted(collector),
    };
    plan.collectors.all().iter().copied().filter(|collector| is_needed(collector)).collect()
}

/// Collects all that the run needs.
///
/// # Errors
/// A billing file cannot be used.
pub fn collect(
    plan: &RunPlan,
    ports: &Ports<'_>,
    tracer: &Tracer,
) -> Result<(Collections, Option<LoadReport>), LoadError> {
    let mut collections = Collections::default();
    for Given { kind, collected } in &plan.given {
        let key = (kind.name, ANY.to_owned(), ANY.to_owned());
        collections.outcomes.insert(key, Ok(Arc::clone(collected)));
    }
    let mut report = None;
    let mut in_accounts = Vec::new();
    for collector in collectors_of(plan) {
        match collector.collect {
            Collect::Bill(load) => {
                let options = LoadOptions { now_ms: ports.clock.now_ms(), ..plan.billing_options.clone() };
                let (tenant, files) = (&plan.context.tenant_id, &plan.billing_files);
                let Ports { store, progress, shutdown, .. } = ports;
                let task = BillTask { tenant, files, options: &options, store: *store, progress, shutdown };
                let CollectedBill { outcome, billed, report: read } = load(&task)?;
                collections.add(collector.fills, ANY, ANY, outcome);
                collections.billed = Some(billed);
                report = Some(read);
            }
            Collect::Files(ask) => {
                let (files, source_name) = (&plan.billing_files, plan.billing_options.source_name.as_deref());
                let Ports { progress, shutdown, .. } = ports;
                collections.add(collector.fills, ANY, ANY, ask(&FilesTask { files, source_name, progress, shutdown }));
            }
            Collect::Account(ask) => in_accounts.push((collector, ask)),
        }
    }
    if !in_accounts.is_empty() {
        ports.progress.begin("connecting to accounts", Unit::Things("providers"), None);
        collections.accounts = connect(plan, &ports.shutdown, &in_accounts);
        ports.progress.end();
        collect_in_accounts(plan, ports, tracer, &in_accounts, &mut collections);
    }
    Ok((collections, report))
}

type Ask = fn(&AccountTask) -> Result<Collected, Unavailable>;
type Accounts = Result<Vec<Arc<Account>>, Unavailable>;

fn connect(plan: &RunPlan, shutdown: &Shutdown, collectors: &[(Collector, Ask)]) -> BTreeMap<Source, Accounts> {
    let sources: BTreeSet<Source> = collectors.iter().map(|(collector, _)| collector.fills.source).collect();
    let providers = sources.into_iter().filter_map(|source| plan.collectors.provider(source));
    providers.map(|provider| (provider.source, connect_one(provider, plan, shutdown))).collect()
}

fn connect_one(provider: Provider, plan: &RunPlan, shutdown: &Shutdown) -> Accounts {
    let options = ConnectOptions { regions: plan.regions.clone(), deadline: plan.deadline };
    let name = format!("connect to {}", provider.source.as_str());
    let connected =
        supervise(&name, plan.deadline.saturating_add(GRACE), shutdown, move || (provider.connect)(&options));
    let accounts = connected.unwrap_or_else(|error| Err(Unavailable::failed(error.to_string())))?;
    let once = |mut account: Account| {
        let mut seen = BTreeSet::new();
        account.facts.regions.retain(|region| seen.insert(region.clone()));
        Arc::new(account)
    };
    Ok(accounts.into_iter().map(once).collect())
}

/// One call of a collector.
struct Task {
    collector: Collector,
    ask: Ask,
    account: Arc<Account>,
    region: String,
}

fn collect_in_accounts(
    plan: &RunPlan,
    ports: &Ports<'_>,
    tracer: &Tracer,
    collectors: &[(Collector, Ask)],
    collections: &mut Collections,
) {
    let mut tasks = Vec::new();
    for &(collector, ask) in collectors {
        let Some(Ok(accounts)) = collections.accounts.get(&collector.fills.source) else { continue };
        for account in accounts {
            for region in regions_of(collector.fills, account) {
                tasks.push(Task { collector, ask, account: account.clone(), region: region.to_owned() });
            }
        }
    }
    ports.progress.begin("collecting", Unit::Things("inventories"), Some(tasks.len() as u64));
    let work = |task: &Task| run_task(task, plan.deadline, &ports.shutdown, tracer);
    let outcomes = run_all(&tasks, plan.limits.collectors, &ports.shutdown, || ports.progress.advance(1), work);
    ports.progress.end();
    for (task, outcome) in tasks.iter().zip(outcomes) {
        let outcome = outcome.unwrap_or_else(|| Err(Unavailable::failed("stopped")));
        collections.add(task.collector.fills, &task.account.id, &task.region, outcome);
    }
}

/// Regions for which an account has an inventory of this kind each.
fn regions_of(kind: InventoryKind, account: &Account) -> Vec<&str> {
    match kind.extent {
        Extent::Run => vec![ANY],
        Extent::Account => vec![GLOBAL],
        Extent::Region => account.facts.regions.iter().map(String::as_str).collect(),
    }
}

fn run_task(task: &Task, deadline: Duration, shutdown: &Shutdown, tracer: &Tracer) -> Result<Collected, Unavailable> {
    let Task { collector, ask, account, region } = task;
    let started = Instant::now();
    let mut span = tracer.span(format!("collect {}", collector.id));
    span.set("finops.region", || region.clone());
    let (ask, call) = (*ask, AccountTask { account: account.clone(), region: region.clone(), deadline });
    let outcome = supervise(collector.id, deadline.saturating_add(GRACE), shutdown, move || ask(&call))
        .unwrap_or_else(|error| Err(Unavailable::failed(error.to_string())));
    let (id, account, elapsed_ms) = (collector.id, &account.id, started.elapsed().as_millis());
    match &outcome {
        Ok(collected) => {
            let report = &collected.report;
            tracing::info!(
                collector = id,
                account,
                region,
                api_calls = report.api_calls,
                denied = ?report.denied_operations,
                throttled = ?report.throttled_operations,
                elapsed_ms,
                "inventory collected"
            );
        }
        Err(why) => {
            span.fail(&why.reason);
            tracing::info!(collector = id, account, region, reason = why.reason, elapsed_ms, "inventory not collected");
        }
    }
    outcome
}

impl Collections {
    fn add(&mut self, kind: InventoryKind, account: &str, region: &str, outcome: Result<Collected, Unavailable>) {
        self.outcomes.insert((kind.name, account.to_owned(), region.to_owned()), outcome.map(Arc::new));
    }

    /// Where a checker runs: in each account of its provider and, if it is regional, in each region of it.
    #[must_use]
    pub fn targets(&self, checker: Registration, regions: &[String]) -> Vec<Target> {
        use checkers::checker::CheckerScope::{Global, Regional};
        let accounts = checker.provider().map(|source| self.accounts.get(&source));
        if let Some(Some(Ok(accounts))) = accounts {
            let of_account = |account: &Arc<Account>| {
                let regions = match checker.scope {
                    Global => vec![GLOBAL.to_owned()],
                    Regional => account.facts.regions.clone(),
                };
                let target = |region| Target { account: Some(account.clone()), region };
                regions.into_iter().map(target).collect::<Vec<_>>()
            };
            return accounts.iter().flat_map(of_account).collect();
        }
        let regions = match checker.scope {
            Global if accounts.is_some() => vec![GLOBAL.to_owned()],
            Regional if !regions.is_empty() => regions.to_vec(),
            _ => vec![ANY.to_owned()],
        };
        regions.into_iter().map(|region| Target { account: None, region }).collect()
    }

    /// What a checker may look at in one account and region.
    #[must_use]
    pub fn services(&self, checker: Registration, target: &Target) -> Services {
        let mut services = Services::default();
        for kind in checker.needs {
            let is_regional = kind.extent == Extent::Region;
            let regions = match &target.account {
                _ if kind.extent == Extent::Run => vec![ANY],
                Some(account) if !is_regional || target.region == GLOBAL => regions_of(*kind, account),
                _ => vec![target.region.as_str()],
            };
            for region in regions {
                services.add(*kind, region, self.outcome(*kind, target, region));
            }
        }
        services
    }

    fn outcome(&self, kind: InventoryKind, target: &Target, region: &str) -> Outcome {
        let account = if kind.extent == Extent::Run { ANY } else { target.account_id() };
        if let Some(outcome) = self.outcomes.get(&(kind.name, account.to_owned(), region.to_owned())) {
            return outcome.clone();
        }
        Err(match (kind.extent, self.accounts.get(&kind.source)) {
            (Extent::Run, _) => Unavailable::new(UnavailableKind::Skipped, format!("no {} given", kind.name)),
            (_, Some(Err(why))) => why.clone(),
            _ => Unavailable::failed(format!("bug: no collector is registered that records {}", kind.name)),
        })
    }

    /// True when an account or inventory is missing that other credentials would have opened.
    #[must_use]
    pub fn lacks_credentials(&self) -> bool {
        let of_accounts = self.accounts.values().filter_map(|accounts| accounts.as_ref().err());
        let of_inventories = self.outcomes.values().filter_map(|outcome| outcome.as_ref().err());
        of_accounts.chain(of_inventories).any(|why| why.kind.is_about_credentials())
    }
}
