//! Small tenants are built together: each gets exactly what it gets when it is built alone, and what is wrong with one of them
//! fails that one only.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contracts::layout;
use contracts::run_manifest::RunStatus;
use contracts::tenant_scope::TenantScope;
use exporter::{
    ExportOptions, ExporterConfig, ExporterDeps, GoldReport, Population, TenantReport, build_gold, export_tenant, once,
};
use lake::cut::Cut;
use platform::clock::Clock;
use platform::lifecycle::Shutdown;
use platform::store::Store;

use support::{FACT, FINDING, Fact, Finding, NOW_MS, World};

/// Every file below a folder, by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The JSON files and the gold tables of all tenants, by path.
fn outputs(world: &World) -> BTreeMap<String, Vec<u8>> {
    let gold = world.store.local_path(layout::KPI_GOLD).unwrap();
    let of = |kind: &'static str, folder: &Path| {
        files(folder).into_iter().map(move |(path, bytes)| (format!("{kind}/{path}"), bytes)).collect::<Vec<_>>()
    };
    of("export", &world.export_dir()).into_iter().chain(of("gold", &gold)).collect()
}

fn remove_outputs(world: &World) {
    for folder in [world.export_dir(), world.store.local_path(layout::KPI_GOLD).unwrap()] {
        if folder.exists() {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}

/// What became of a tenant.
#[derive(Debug, PartialEq)]
struct Outcome {
    tenant_id: String,
    rows_exported: Option<u64>,
    gold: Option<GoldReport>,
    /// Of the tables, then of the files.
    errors: Vec<String>,
}

fn together(config: &ExporterConfig, deps: &ExporterDeps) -> Vec<Outcome> {
    let of_tenant = |tenant: TenantReport| Outcome {
        tenant_id: tenant.tenant_id,
        rows_exported: tenant.export.map(|export| export.rows_read),
        gold: tenant.gold,
        errors: tenant.errors.iter().chain(&tenant.not_yet).map(ToString::to_string).collect(),
    };
    once(config, deps).unwrap().tenants.into_iter().map(of_tenant).collect()
}

fn alone(config: &ExporterConfig, store: &dyn Store, cut: &Cut, scope: &TenantScope) -> Outcome {
    let ExporterConfig { default_currency, limits, export_dir, .. } = config;
    let gold = config.gold.then(|| build_gold(cut, scope, store, default_currency, NOW_MS, limits)).transpose();
    let options = ExportOptions { gold: matches!(gold, Ok(Some(_))), ..config.options.clone() };
    let export = export_tenant(cut, scope, export_dir, &options, limits);
    let errors = gold.as_ref().err().into_iter().chain(export.as_ref().err());
    Outcome {
        tenant_id: scope.to_string(),
        errors: errors.map(ToString::to_string).collect(),
        rows_exported: export.ok().map(|export| export.rows_read),
        gold: gold.ok().flatten(),
    }
}

/// All tenants in one pass, and each by itself: the same outcome, the same bytes.
fn check_as_alone(world: &World, config: &ExporterConfig) -> Vec<Outcome> {
    let together = together(config, &world.deps());
    let bytes_together = outputs(world);
    remove_outputs(world);
    let cut = world.cut();
    let alone: Vec<Outcome> = cut.tenants().iter().map(|scope| alone(config, &*world.store, &cut, scope)).collect();
    let bytes_alone = outputs(world);
    assert_eq!(together, alone);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&bytes_together), names(&bytes_alone));
    for (name, bytes) in &bytes_together {
        assert!(bytes == &bytes_alone[name], "{name} differs: {}", String::from_utf8_lossy(bytes));
    }
    remove_outputs(world);
    together
}

/// Ids that are easily taken for each other: by prefix, pattern, number, or when they are joined with what follows them.
const TENANTS: [&str; 12] =
    ["a", "a-", "a-prod", "a.b", "a_b", "aa", "0", "00", "1", "null", "true", "a-very-long-id-beyond-twelve-bytes"];

/// The same workspaces, runs, checks, fingerprints, finding ids, accounts and deliveries in every tenant, with other amounts,
/// times and texts in each.
fn world_of_look_alikes() -> World {
    let mut world = World::new();
    for (n, tenant) in TENANTS.into_iter().enumerate() {
        let texts = ["0.5", "1", "1.000001", "7", "70", "700", "7000", "12", "13", "14", "15", "16"];
        let title: &'static str = Box::leak(format!("seen by {tenant}").into_boxed_str());
        let of = Finding { savings: Some(texts[n]), title, source_ref: tenant, ..FINDING };
        let nameless = Finding { engine: "", workspace: ["prod", "dev", "*"][n % 3], ..of.clone() };
        let mut findings = vec![
            of.clone(),
            Finding {
                fingerprint: "f2",
                finding_id: "id-f2",
                level: "high",
                category: ["cost", ""][n % 2],
                ..of.clone()
            },
            Finding { fingerprint: "f3", finding_id: "id-f3", currency: ["EUR", "", "usd "][n % 3], ..of.clone() },
            Finding {
                fingerprint: "f4",
                finding_id: "id-f4",
                run_id: "r0",
                run_ts: "2026-01-19T10:00:00Z",
                ..of.clone()
            },
            Finding {
                fingerprint: "f5",
                finding_id: "id-f5",
                run_id: "r5",
                source_ref: "checker.a",
                ..nameless.clone()
            },
            Finding {
                fingerprint: "f6",
                finding_id: "id-f6",
                run_id: "r5",
                source_ref: "checker.b",
                ..nameless.clone()
            },
            Finding { fingerprint: "f7", finding_id: "id-f7", source_ref: "correlation:rule", ..of.clone() },
        ];
        if n % 4 == 0 {
            let snoozed = Finding { state: "snoozed", snooze_until: Some("2026-03-15T13:00:00Z"), ..of.clone() };
            findings.push(Finding { fingerprint: "f8", finding_id: "id-f8", ..snoozed });
        }
        if n % 2 == 0 {
            // Another run joins checkers of this tenant that its neighbours keep apart.
            let later = Finding { run_id: "r6", run_ts: "2026-01-21T10:00:00Z", ..nameless };
            findings.push(Finding { fingerprint: "f9", finding_id: "id-f9", source_ref: "checker.b", ..later.clone() });
            findings.push(Finding { fingerprint: "f10", finding_id: "id-f10", source_ref: "checker.c", ..later });
        }
        world.commit(tenant, &findings);
        if n % 3 == 0 {
            world.run_manifest(tenant, "r1", FINDING.run_ts, RunStatus::Complete, 4);
        }
        if n % 5 == 0 {
            world.run_manifest(tenant, "r0", "2026-01-19T10:00:00.000Z", RunStatus::Failed, 1);
        }
        if n % 2 == 1 {
            let large = ["1.25", "90000000000000000000000000"][usize::from(n == 3)];
            let fact = Fact { amortized: large, service: [Some("ec2"), None][n % 3 % 2], ..FACT };
            world.deliver(tenant, "2026-01", "d", &[fact, Fact { category: "Tax", unblended: texts[n], ..FACT }]);
        }
    }
    world
}

#[test]
fn tenants_that_are_built_together_get_what_they_get_alone() {
    let world = world_of_look_alikes();
    world.deliver("only-bills", "2026-01", "d", &[FACT]);
    world.run_manifest("only-a-run", "r1", FINDING.run_ts, RunStatus::Complete, 0);
    world.run_manifest("under-way", "r1", FINDING.run_ts, RunStatus::Complete, 3);
    let outcomes = check_as_alone(&world, &world.config());
    assert_eq!(outcomes.len(), TENANTS.len() + 3);
    for Outcome { tenant_id, rows_exported, gold, errors } in outcomes {
        let is_not_yet = ["only-bills", "under-way"].contains(&tenant_id.as_str());
        assert!(gold.is_some() && rows_exported.is_none() == is_not_yet, "{tenant_id}: {errors:?}");
    }
    let all = ExportOptions { population: Population::All, ..ExportOptions::default() };
    check_as_alone(&world, &ExporterConfig { options: all, gold: false, ..world.config() });
}

/// A list that is cut off is cut off for each tenant, not for all of them.
#[test]
fn the_limit_of_a_list_is_one_of_each_tenant() {
    let world = world_of_look_alikes();
    for (limit, population) in [(3, Population::LatestRun), (3, Population::All), (8, Population::All)] {
        let options = ExportOptions { limit, population, ..ExportOptions::default() };
        check_as_alone(&world, &ExporterConfig { options, ..world.config() });
    }
}

/// Each of these is met somewhere else: at the paths, the columns, the values, the runs, the store.
#[test]
fn what_is_wrong_with_one_tenant_fails_that_one_only() {
    let mut world = World::new();
    for tenant in ["a1", "b1", "c1", "d1", "e1", "f1", "g1"] {
        world.commit(tenant, &[FINDING]);
    }
    world.commit_rows_of("b2-mismatch", "b1", &[FINDING]);
    let damaged = world.commit("c2-damaged", &[FINDING]);
    let damaged = world.store.local_path(&damaged).unwrap();
    std::fs::write(&damaged, vec![b'x'; std::fs::read(&damaged).unwrap().len()]).unwrap();
    world.run_manifest("d2-bad-run", "r1", "once upon a time", RunStatus::Complete, 0);
    world.commit("d2-bad-run", &[FINDING]);
    let missing = world.commit("e2-missing", &[FINDING]);
    std::fs::remove_file(world.store.local_path(&missing).unwrap()).unwrap();
    // The sinks have continued since.
    world.commit("f2", &[FINDING]);
    world.deliver_rows_of("g2-foreign-bill", "g1", "2026-01", "d", &[FACT]);
    let outcomes = check_as_alone(&world, &world.config());
    let failed = |outcome: &&Outcome| outcome.errors.len() == 2;
    let bad: Vec<&str> = outcomes.iter().filter(failed).map(|outcome| outcome.tenant_id.as_str()).collect();
    // The last one has no findings, so it has no files in any case.
    assert_eq!(bad, ["b2-mismatch", "c2-damaged", "d2-bad-run", "e2-missing", "g2-foreign-bill"]);
    for Outcome { tenant_id, errors, .. } in &outcomes {
        assert_eq!(errors.is_empty(), !tenant_id.contains('-'), "{tenant_id}: {errors:?}");
    }
}

/// A clock that lets something happen when it is read for the n-th time.
struct AtReading {
    readings: AtomicUsize,
    at: usize,
    happens: Box<dyn Fn() + Send + Sync>,
}

impl Clock for AtReading {
    fn now_ms(&self) -> i64 {
        if self.readings.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            (self.happens)();
        }
        NOW_MS
    }
}

/// A tenant that another exporter publishes while its batch is being made is not overwritten with what the batch saw.
#[test]
fn a_tenant_that_was_published_meanwhile_is_built_again() {
    let world = Arc::new(std::sync::Mutex::new(World::new()));
    for tenant in ["a", "b", "z"] {
        world.lock().unwrap().commit(tenant, &[FINDING]);
    }
    let config = world.lock().unwrap().config();
    let deps = world.lock().unwrap().deps();
    let (of_other, other) = (Arc::clone(&world), ExporterConfig { tenant: Some("b".into()), ..config.clone() });
    let deps_of_other = deps.clone();
    let happens = move || {
        let newer = Finding { fingerprint: "f2", finding_id: "id-f2", ..FINDING };
        of_other.lock().unwrap().commit("b", &[newer]);
        assert_eq!(once(&other, &deps_of_other).unwrap().errors().count(), 0);
    };
    // The first two readings are those of the cuts: before the tenants are known, and after it is known what they replace.
    let clock = AtReading { readings: AtomicUsize::new(0), at: 3, happens: Box::new(happens) };
    let slow = ExporterDeps { clock: Arc::new(clock), ..deps };
    let report = once(&config, &slow).unwrap();
    assert_eq!(report.errors().count(), 0, "{:?}", report.errors().collect::<Vec<_>>());
    let rows: Vec<_> = report.tenants.iter().map(|t| t.export.as_ref().unwrap().rows_read).collect();
    assert_eq!(rows, [1, 2, 1]);
    let world = world.lock().unwrap();
    let scope = TenantScope::new("b").unwrap();
    let manifest = exporter::gold_manifest(&*world.store, &scope).unwrap().unwrap();
    assert_eq!(manifest.cut, world.cut().digest_of(&scope));
}

/// A stop that comes while a batch is being made ends nothing that is begun.
#[test]
fn a_batch_that_is_begun_when_a_stop_is_requested_is_published() {
    let mut world = World::new();
    ["a", "b", "c"].iter().for_each(|tenant| drop(world.commit(tenant, &[FINDING])));
    let stop = Shutdown::new();
    let stops = stop.clone();
    let clock = AtReading { readings: AtomicUsize::new(0), at: 3, happens: Box::new(move || stops.request("a test")) };
    let deps = ExporterDeps { clock: Arc::new(clock), ..world.deps() };
    let report = exporter::refresh(&world.config(), &deps, &stop).unwrap();
    assert!(stop.is_requested());
    let published = report.tenants.iter().filter(|tenant| tenant.export.is_some() && tenant.gold.is_some());
    assert_eq!((published.count(), report.left), (3, 0));
}
