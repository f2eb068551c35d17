//! Collectors and checkers that only this test registers, over two accounts with three regions each: what is collected, what a
//! run says of what could not be, and that nothing depends on what runs at the same time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use checkers::checker::{CheckInfo, Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope};
use checkers::finding::Finding;
use checkers::registry::{Registration, Registry};
use checkers::severity;
use collectors::collector::{
    Account, AccountTask, Collect, CollectorRegistration, ConnectOptions, ProviderRegistration,
};
use collectors::registry::{Collector, CollectorRegistry};
use contracts::draft::{Scope, Status};
use contracts::resource_type::ResourceType;
use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::topics;
use inventories::bootstrap::Bootstrap;
use inventories::collected::{Collected, CollectionReport, Unavailable, UnavailableKind};
use inventories::kind::{Extent, Inventory, InventoryKind, Source};
use inventories::services::Services;
use platform::lifecycle::Shutdown;
use runner::run::{RunPlan, TaskLimits};
use rust_decimal::Decimal;
use support::{World, accept, plan};

const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];
const REGIONS: [&str; 3] = ["eu-west-1", "eu-west-3", "us-east-1"];

/// Disks of one region of an account.
struct Disks(Vec<String>);

impl Inventory for Disks {
    const KIND: InventoryKind = InventoryKind { name: "disks", source: Source::Aws, extent: Extent::Region };
}

/// What an account calls its disks.
struct Names(String);

impl Inventory for Names {
    const KIND: InventoryKind = InventoryKind { name: "disk names", source: Source::Aws, extent: Extent::Account };
}

fn connect(options: &ConnectOptions) -> Result<Vec<Account>, Unavailable> {
    let account = |id: &&str| {
        let facts =
            Bootstrap { account_id: Some((*id).into()), regions: options.regions.clone(), ..Bootstrap::default() };
        Account { id: (*id).into(), facts, session: Arc::new(()) }
    };
    Ok(ACCOUNTS.iter().map(account).collect())
}

static PROVIDER: ProviderRegistration =
    ProviderRegistration { source: Source::Aws, actions: &["sts:GetCallerIdentity"], connect };

/// What goes wrong in the second account.
fn disks(task: &AccountTask) -> Result<Collected, Unavailable> {
    let (account, region) = (&task.account.id, &task.region);
    let inventory = Disks(vec![format!("vol-{account}-{region}")]);
    let mut report = CollectionReport { api_calls: 2, ..CollectionReport::default() };
    match (account == ACCOUNTS[1], region.as_str()) {
        (true, "eu-west-1") => {
            report.throttled_operations.insert("ec2:DescribeTags".into());
        }
        (true, "eu-west-3") => {
            let denied_operations = ["ec2:DescribeVolumes".to_owned()].into();
            return Err(Unavailable { denied_operations, ..Unavailable::failed("access denied") });
        }
        (true, _) => panic!("index out of bounds"),
        _ => {}
    }
    Ok(Collected::new(inventory, report))
}

fn names(task: &AccountTask) -> Result<Collected, Unavailable> {
    let report = CollectionReport { api_calls: 1, ..CollectionReport::default() };
    Ok(Collected::new(Names(format!("disk of {}", task.account.id)), report))
}

static DISKS: CollectorRegistration = CollectorRegistration {
    id: "test.disks",
    fills: Disks::KIND,
    what: "disks",
    actions: &["ec2:DescribeVolumes"],
    collect: Collect::Account(disks),
};
static NAMES: CollectorRegistration = CollectorRegistration {
    id: "test.names",
    fills: Names::KIND,
    what: "names",
    actions: &["ec2:DescribeTags"],
    collect: Collect::Account(names),
};

const CHECKS: &[CheckInfo] = &[CheckInfo { check_id: "test.disk", name: "Disk", category: "cost", sub_category: "" }];

fn finding(account: &str, region: &str, disk: &str) -> Finding {
    let scope = Scope {
        cloud: "aws".into(),
        account_id: account.into(),
        region: region.into(),
        service: "AmazonEC2".into(),
        resource_type: ResourceType::EbsVolume.into(),
        resource_id: disk.into(),
        ..Scope::default()
    };
    Finding::new("test.disk", scope, Status::Fail, severity::UNKNOWN)
        .text("Disk", "a disk", "Look at it.")
        .metric("read_ops_p95", "0.0000015".parse::<Decimal>().unwrap())
        .metric("gib", 100)
        .label("confidence", "measured")
        .link("console", "https://console.example.com/disks")
        .remediation("1. Take a snapshot.\n2. Delete the disk.")
}

/// Once for each region. In the run of that name the first task ends last.
struct InRegion {
    facts: Bootstrap,
    waits: bool,
}

static LAST_DONE: LazyLock<Shutdown> = LazyLock::new(Shutdown::new);

impl Checker for InRegion {
    fn run(&self, services: &Services, region: &str) -> Result<Checked, CheckerError> {
        let account = self.facts.account_id.clone().unwrap_or_default();
        match (self.waits, account == ACCOUNTS[0], region) {
            (true, true, "eu-west-1") => assert!(LAST_DONE.wait_timeout(Duration::from_secs(60))),
            (true, false, "us-east-1") => LAST_DONE.request("done"),
            _ => {}
        }
        let (disks, _): (&Disks, &Names) = (services.get()?, services.get()?);
        let findings = disks.0.iter().map(|disk| finding(&account, region, disk)).collect();
        Ok(Checked { findings, ..Checked::default() })
    }
}

/// Once for each account, over all its regions.
struct InAccount;

impl Checker for InAccount {
    fn run(&self, services: &Services, _: &str) -> Result<Checked, CheckerError> {
        let regions = services.by_region::<Disks>()?.len();
        Ok(Checked { gaps: vec![format!("saw {regions} regions")], ..Checked::default() })
    }
}

struct OfNames;

impl Checker for OfNames {
    fn run(&self, services: &Services, _: &str) -> Result<Checked, CheckerError> {
        services.get::<Names>()?.0.starts_with("disk of").then(Checked::default).ok_or(CheckerError::Failed("?".into()))
    }
}

macro_rules! checker {
    ($name:literal, $scope:ident, $needs:expr, $factory:expr) => {{
        static REGISTRATION: CheckerRegistration = CheckerRegistration {
            spec: concat!("checks.test.", $name, ":Checker"),
            checker_id: $name,
            scope: CheckerScope::$scope,
            needs: $needs,
            checks: CHECKS,
            docs: &CheckerDocs::EMPTY,
            is_on_request: false,
            together: None,
            factory: $factory,
        };
        &REGISTRATION
    }};
}

fn in_region() -> Registration {
    checker!("in_region", Regional, &[Disks::KIND, Names::KIND], |context, facts| {
        let waits = context.run_id == "run-waits";
        Ok(Box::new(InRegion { facts: facts.clone(), waits }))
    })
}

fn in_account() -> Registration {
    checker!("in_account", Global, &[Disks::KIND], |_, _| Ok(Box::new(InAccount)))
}

fn of_names() -> Registration {
    checker!("of_names", Global, &[Names::KIND], |_, _| Ok(Box::new(OfNames)))
}

fn plan_of(run_id: &str, checkers: Vec<Registration>, collectors: &[Collector]) -> RunPlan {
    RunPlan {
        checkers,
        collectors: CollectorRegistry::new(collectors.iter().copied(), [&PROVIDER]).unwrap(),
        regions: REGIONS.map(str::to_owned).to_vec(),
        ..plan(run_id, Vec::new())
    }
}

fn lines(manifest: &RunManifest) -> Vec<String> {
    let line = |s: &contracts::run_manifest::ScopeOutcome| {
        let checker = s.checker.trim_start_matches("checks.test.").trim_end_matches(":Checker");
        let status = format!("{:?}", s.status).to_lowercase();
        let line = format!("{checker} {} {}: {status} {} calls {}", s.account_id, s.region, s.api_calls, s.reason);
        line.trim_end().to_owned()
    };
    manifest.scopes.iter().map(line).collect()
}

#[test]
fn each_account_and_region_is_looked_at_and_what_could_not_be_is_in_the_manifest() {
    let world = World::new();
    let report = world.run(&plan_of("run-1", vec![in_account(), in_region(), of_names()], &[&DISKS, &NAMES])).unwrap();
    assert_eq!(
        lines(&report.manifest),
        [
            "in_account 111122223333 global: partial 6 calls saw 3 regions",
            "in_account 444455556666 global: partial 2 calls denied: ec2:DescribeVolumes; throttled: ec2:DescribeTags; \
             disks of eu-west-3: access denied; disks of us-east-1: bug: index out of bounds; saw 1 regions",
            "in_region 111122223333 eu-west-1: complete 3 calls",
            "in_region 111122223333 eu-west-3: complete 3 calls",
            "in_region 111122223333 us-east-1: complete 3 calls",
            "in_region 444455556666 eu-west-1: partial 3 calls throttled: ec2:DescribeTags",
            "in_region 444455556666 eu-west-3: failed 1 calls access denied",
            "in_region 444455556666 us-east-1: failed 1 calls bug: index out of bounds",
            "of_names 111122223333 global: complete 1 calls",
            "of_names 444455556666 global: complete 1 calls",
        ]
    );
    assert_eq!((report.manifest.status, report.lacks_credentials), (RunStatus::Partial, false));
    assert_eq!(report.manifest.scopes[6].denied_operations, ["ec2:DescribeVolumes"]);
    assert_eq!(report.manifest.published, 4);
}

#[test]
fn a_finding_brings_metrics_links_remediation_and_labels() {
    let world = World::new();
    world.run(&plan_of("run-1", vec![in_region()], &[&DISKS, &NAMES])).unwrap();
    let published = accept(&world.values(topics::WIRE));
    let json = &published[0].json;
    assert_eq!(json["metrics"], serde_json::json!({ "gib": "100", "read_ops_p95": "0.0000015" }));
    assert_eq!(json["labels"], serde_json::json!({ "confidence": "measured" }));
    let link = serde_json::json!([{ "label": "console", "url": "https://console.example.com/disks" }]);
    assert_eq!(json["links"], link);
    assert_eq!(json["remediation"], "1. Take a snapshot.\n2. Delete the disk.");
}

#[test]
fn the_outcome_is_the_same_whatever_runs_at_the_same_time() {
    let outcome = |run_id: &str, at_once: usize| {
        let world = World::new();
        let mut plan = plan_of(run_id, vec![in_account(), in_region(), of_names()], &[&DISKS, &NAMES]);
        plan.limits = TaskLimits { collectors: at_once, checkers: at_once };
        let report = world.run(&plan).unwrap();
        let text = |value: &bytes::Bytes| String::from_utf8(value.to_vec()).unwrap().replace(run_id, "RUN");
        (lines(&report.manifest), world.values(topics::WIRE).iter().map(text).collect::<Vec<_>>())
    };
    let one_by_one = outcome("run-1", 1);
    assert_eq!(one_by_one.1.len(), 4);
    // All at once, and what comes first in the order ends last.
    assert_eq!(outcome("run-waits", 16), one_by_one);
}

static CALLS: AtomicU64 = AtomicU64::new(0);

#[test]
fn only_what_a_chosen_checker_needs_is_collected() {
    static COUNTED: CollectorRegistration = CollectorRegistration {
        id: "test.counted",
        fills: Disks::KIND,
        what: "",
        actions: &["ec2:DescribeVolumes"],
        collect: Collect::Account(|task| {
            CALLS.fetch_add(1, Ordering::SeqCst);
            disks(task)
        }),
    };
    let world = World::new();
    world.run(&plan_of("run-1", vec![of_names()], &[&COUNTED, &NAMES])).unwrap();
    assert_eq!(CALLS.load(Ordering::SeqCst), 0);
    world.run(&plan_of("run-2", vec![in_account(), in_region()], &[&COUNTED, &NAMES])).unwrap();
    assert_eq!(
        CALLS.load(Ordering::SeqCst),
        6,
        "once for each account and region, whatever number of checkers needs it"
    );
}

#[test]
fn one_that_hangs_is_left_behind() {
    static HANGS: CollectorRegistration = CollectorRegistration {
        id: "test.hangs",
        fills: Disks::KIND,
        what: "",
        actions: &["ec2:DescribeVolumes"],
        collect: Collect::Account(|task| match task.region.as_str() {
            "eu-west-3" => {
                Shutdown::new().wait_timeout(Duration::from_secs(600));
                disks(task)
            }
            region => Ok(Collected::new(Disks(vec![region.to_owned()]), CollectionReport::default())),
        }),
    };
    let world = World::new();
    let mut plan = plan_of("run-1", vec![in_region(), of_names()], &[&HANGS, &NAMES]);
    plan.deadline = Duration::from_secs(1);
    let report = world.run(&plan).unwrap();
    let by_status = report.manifest.scopes.iter().fold(BTreeMap::<_, u64>::new(), |mut all, scope| {
        *all.entry(scope.status).or_default() += 1;
        all
    });
    assert_eq!(by_status, [(RunStatus::Complete, 6), (RunStatus::Failed, 2)].into());
    assert!(lines(&report.manifest)[1].contains("eu-west-3: failed 1 calls not done within"), "{:?}", report.manifest);
}

#[test]
fn without_credentials_all_checkers_of_the_provider_say_so() {
    static CLOSED: ProviderRegistration = ProviderRegistration {
        source: Source::Aws,
        actions: &[],
        connect: |_| Err(Unavailable::new(UnavailableKind::NoCredentials, "no credentials are configured")),
    };
    let world = World::new();
    let mut plan = plan_of("run-1", vec![in_account(), in_region()], &[&DISKS, &NAMES]);
    plan.collectors = CollectorRegistry::new([&DISKS, &NAMES], [&CLOSED]).unwrap();
    plan.regions = vec!["eu-west-1".into()];
    let report = world.run(&plan).unwrap();
    assert_eq!(
        lines(&report.manifest),
        [
            "in_account * global: skipped 0 calls no credentials are configured",
            "in_region * eu-west-1: skipped 0 calls no credentials are configured",
        ]
    );
    assert!(report.lacks_credentials);
}

#[test]
fn what_a_checker_needs_a_collector_records() {
    let (checkers, collectors) = (Registry::linked().unwrap(), CollectorRegistry::linked().unwrap());
    for checker in checkers.all() {
        assert!(!checker.needs.is_empty(), "{checker:?} needs nothing");
        for kind in checker.needs {
            assert!(collectors.filling(*kind).is_some(), "no collector records the {} of {checker:?}", kind.name);
        }
        let in_accounts = checker.needs.iter().filter(|kind| kind.extent != Extent::Run);
        assert!(in_accounts.clone().all(|kind| Some(kind.source) == checker.provider()), "{checker:?}: two providers");
    }
}
