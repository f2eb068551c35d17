//! One pass over all tenants, and the loop that repeats it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::layout;
use contracts::run_manifest::RunStatus;
use exporter::{ExportError, ExportOptions, ExporterConfig, ExporterDeps, once, refresh, run};
use platform::clock::ManualClock;
use platform::lifecycle::Shutdown;
use platform::metrics::Metrics;
use platform::observe::Observer;
use platform::store::local::LocalStore;
use platform::store::observed::ObservedStore;
use platform::store::{Store, StoreError};

use support::{FACT, FINDING, Finding, NOW_MS, World};

#[test]
fn a_pass_serves_every_tenant_and_one_failure_stops_no_other() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.commit_rows_of("broken", "acme", &[FINDING]);
    world.commit("globex", &[FINDING]);
    world.deliver("only-bills", "2026-01", "d", &[FACT]);
    world.commit("waiting", &[FINDING]);
    world.run_manifest("waiting", "r1", FINDING.run_ts, RunStatus::Complete, 9);
    let report = once(&world.config(), &world.deps()).unwrap();
    let outcome: Vec<_> = report
        .tenants
        .iter()
        .map(|t| (t.tenant_id.as_str(), t.export.is_some(), t.gold.is_some(), t.errors.len()))
        .collect();
    assert_eq!(
        outcome,
        [
            ("acme", true, true, 0),
            ("broken", false, false, 2),
            ("globex", true, true, 0),
            ("only-bills", false, true, 0),
            ("waiting", false, true, 0),
        ]
    );
    assert!(report.errors().all(|(tenant, error)| tenant == "broken" && error.code() == Some("tenant_mismatch")));
}

/// Once a pass: what is in the folder of all tenants is not looked through for each of them.
#[test]
fn a_pass_removes_what_a_crashed_build_left() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let config = world.config();
    let left = [".building-old", ".building-new"].map(|name| config.export_dir.join(name));
    left.iter().for_each(|left| std::fs::create_dir_all(left).unwrap());
    let hours_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 3_600);
    std::fs::File::open(&left[0]).unwrap().set_modified(hours_ago).unwrap();
    assert_eq!(once(&config, &world.deps()).unwrap().tenants.len(), 1);
    assert_eq!(left.map(|left| left.exists()), [false, true]);
}

#[test]
fn a_tenant_asked_for_must_succeed() {
    let mut world = World::new();
    assert_eq!(once(&world.config(), &world.deps()).unwrap_err().code(), Some("no_input_files"));
    world.commit("acme", &[FINDING]);
    let of = |tenant: &str| ExporterConfig { tenant: Some(tenant.into()), ..world.config() };
    assert_eq!(once(&of("ACME "), &world.deps()).unwrap().tenants.len(), 1);
    assert_eq!(once(&of("globex"), &world.deps()).unwrap_err().code(), Some("tenant_not_found"));
    assert_eq!(once(&of("../x"), &world.deps()).unwrap_err().code(), Some("tenant_invalid"));
    let without_gold = ExporterConfig { gold: false, ..of("acme") };
    assert!(once(&without_gold, &world.deps()).unwrap().tenants[0].gold.is_none());
}

#[test]
fn a_tenant_asked_for_is_refreshed_alone() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.deliver("only-bills", "2026-01", "d", &[FACT]);
    world.run_manifest("only-a-run", "r1", FINDING.run_ts, RunStatus::Complete, 9);
    let of = |tenant: &str| {
        refresh(&ExporterConfig { tenant: Some(tenant.into()), ..world.config() }, &world.deps(), &Shutdown::new())
            .unwrap()
            .tenants
            .len()
    };
    let found: Vec<_> = ["acme", "only-bills", "only-a-run", "globex"].into_iter().map(of).collect();
    assert_eq!(found, [1, 1, 1, 0]);
    assert_eq!(world.cut().tenants().len(), 3);
}

#[test]
fn a_stop_leaves_the_tenants_that_are_not_begun() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.commit("globex", &[FINDING]);
    let stopping = Shutdown::new();
    stopping.request("test");
    let report = refresh(&world.config(), &world.deps(), &stopping).unwrap();
    assert_eq!((report.tenants.len(), report.left), (0, 2));
    assert!(!world.export_dir().join("acme").exists());
    let report = refresh(&world.config(), &world.deps(), &Shutdown::new()).unwrap();
    assert_eq!((report.tenants.len(), report.left), (2, 0));
}

/// What a build would replace is read before, of all tenants: that takes a while where there are many.
#[test]
fn a_stop_is_obeyed_while_it_is_read_what_the_builds_would_replace() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.commit("globex", &[FINDING]);
    let metrics = Metrics::registered();
    let store = Arc::new(ObservedStore::new(world.store.clone(), metrics.clone()));
    let (config, deps) = (world.config(), ExporterDeps { store, ..world.deps() });
    let has_read_gold = || metrics.render().contains("get_versioned");
    let stopping = Shutdown::new();
    stopping.request("test");
    assert_eq!((refresh(&config, &deps, &stopping).unwrap().left, has_read_gold()), (2, false));
    assert_eq!((refresh(&config, &deps, &Shutdown::new()).unwrap().left, has_read_gold()), (0, true));
}

#[test]
fn only_stale_files_are_refreshed() {
    let mut world = World::new();
    let (config, deps) = (world.config(), world.deps());
    assert_eq!(refresh(&config, &deps, &Shutdown::new()).unwrap_err().code(), Some("no_input_files"));
    let refreshed = |config: &ExporterConfig| -> Vec<String> {
        refresh(config, &deps, &Shutdown::new()).unwrap().tenants.into_iter().map(|tenant| tenant.tenant_id).collect()
    };
    world.commit("acme", &[FINDING]);
    world.commit("globex", &[FINDING]);
    assert_eq!(refreshed(&config), ["acme", "globex"]);
    assert_eq!(refreshed(&config), [""; 0]);
    world.deliver("globex", "2026-01", "d", &[FACT]);
    assert_eq!(refreshed(&config), ["globex"]);
    std::fs::remove_file(world.export_dir().join("acme/manifest.json")).unwrap();
    assert_eq!(refreshed(&config), ["acme"]);
    let options = ExportOptions { limit: 7, ..ExportOptions::default() };
    assert_eq!(refreshed(&ExporterConfig { options, ..world.config() }), ["acme", "globex"]);
    assert_eq!(refreshed(&config), ["acme", "globex"], "they were made with other options");
    let manifest = world.export_dir().join("acme/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let of_another_version = text.replace(env!("CARGO_PKG_VERSION"), "0.0.0");
    assert_ne!(of_another_version, text);
    std::fs::write(&manifest, of_another_version).unwrap();
    assert_eq!(refreshed(&config), ["acme"]);
    // Its tables cannot be replaced.
    let tables = world.store.local_path(&format!("{}/tenant_id=acme/_manifest.json", layout::KPI_GOLD)).unwrap();
    std::fs::write(&tables, "no manifest").unwrap();
    world.commit("acme", &[Finding { fingerprint: "f2", finding_id: "id-f2", ..FINDING }]);
    let report = refresh(&config, &deps, &Shutdown::new()).unwrap();
    assert_eq!((report.tenants[0].export.is_some(), report.errors().count()), (true, 1));
    assert_eq!(refresh(&config, &deps, &Shutdown::new()).unwrap().errors().count(), 1, "it is tried again");
    std::fs::remove_file(&tables).unwrap();
    assert_eq!(refreshed(&config), ["acme"]);
    assert_eq!(refreshed(&config), [""; 0]);
}

/// Waits for what a running exporter is to do.
fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Does something beside a running exporter, which ends with it.
fn beside(config: &ExporterConfig, deps: &ExporterDeps, act: impl FnOnce()) {
    let shutdown = Shutdown::new();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| run(config, deps, &shutdown));
        let outcome = catch_unwind(AssertUnwindSafe(act));
        shutdown.request("the test is over");
        outcome
    });
    outcome.unwrap_or_else(|panic| resume_unwind(panic));
}

#[test]
fn it_exports_again_when_something_was_committed() {
    let mut world = World::new();
    let (config, deps) = (world.config(), world.deps());
    let findings = world.export_dir().join("acme/findings.json");
    let wait_for =
        |text: &str| wait_for(text, || std::fs::read_to_string(&findings).unwrap_or_default().contains(text));
    beside(&config, &deps, || {
        world.commit("acme", &[Finding { title: "first", ..FINDING }]);
        wait_for("first");
        world.commit("acme", &[Finding { title: "second", run_id: "r2", run_ts: "2026-01-21T10:00:00Z", ..FINDING }]);
        wait_for("second");
    });
}

#[test]
fn only_changed_tenants_are_exported_again() {
    let mut world = World::new();
    let (config, deps) = (world.config(), world.deps());
    let (acme, globex) = (world.export_dir().join("acme"), world.export_dir().join("globex"));
    world.commit("acme", &[FINDING]);
    beside(&config, &deps, || {
        wait_for("acme", || acme.exists());
        let before = std::fs::read(acme.join("manifest.json")).unwrap();
        std::fs::remove_dir_all(&acme).unwrap();
        world.commit("globex", &[FINDING]);
        wait_for("globex", || globex.exists());
        // The next pass takes both for done.
        world.deliver("initech", "2026-01", "d", &[FACT]);
        wait_for("initech", || gold_manifest(&world, "initech").is_some());
        assert!(!acme.exists(), "nothing of acme has changed");
        world.deliver("acme", "2026-01", "d", &[FACT]);
        wait_for("acme", || acme.exists());
        assert_ne!(std::fs::read(acme.join("manifest.json")).unwrap(), before, "it names another cut");
    });
}

#[test]
fn a_snooze_ends_without_a_new_commit() {
    let mut world = World::new();
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let (config, deps) = (world.config(), ExporterDeps { clock: clock.clone(), ..world.deps() });
    let snoozed = Finding {
        run_ts: "2026-03-15T10:00:00Z",
        state: "snoozed",
        snooze_until: Some("2026-03-15T13:00:00Z"),
        ..FINDING
    };
    world.commit("acme", &[snoozed]);
    let generation =
        || gold_manifest(&world, "acme").map(|manifest| manifest["periods"]["2026-03-15"]["generation"].clone());
    beside(&config, &deps, || {
        wait_for("the tables", || generation().is_some());
        let snoozed = generation();
        clock.advance(Duration::from_secs(3599));
        std::thread::sleep(10 * config.poll_interval);
        assert_eq!(generation(), snoozed);
        clock.advance(Duration::from_secs(1));
        wait_for("the end of the snooze", || generation() != snoozed);
    });
}

#[test]
fn retired_tables_go_without_a_new_commit() {
    let mut world = World::new();
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let (config, deps) = (world.config(), ExporterDeps { clock: clock.clone(), ..world.deps() });
    world.commit("acme", &[FINDING]);
    let store = world.store.clone();
    let tables = || store.list(&format!("{}/tenant_id=acme", layout::KPI_GOLD)).unwrap().len();
    beside(&config, &deps, || {
        wait_for("two tables and their manifest", || tables() == 3);
        world.commit("acme", &[Finding { fingerprint: "f2", finding_id: "id-f2", ..FINDING }]);
        wait_for("two more tables", || tables() == 5);
        clock.advance(Duration::from_secs(15 * 60));
        wait_for("the end of the old tables", || tables() == 3);
    });
}

#[test]
fn what_fails_is_reported_as_long_as_it_does() {
    let mut world = World::new();
    let (config, observer) = (world.config(), Observer { metrics: Metrics::registered(), ..Observer::default() });
    let deps = ExporterDeps { observer: observer.clone(), ..world.deps() };
    let wait_for_line = |line: &str| wait_for(line, || observer.metrics.render().contains(line));
    world.commit("acme", &[FINDING]);
    world.commit_rows_of("broken", "acme", &[FINDING]);
    let export_dir = world.export_dir();
    beside(&config, &deps, || {
        wait_for_line("finops_export_failing{} 2.0\n");
        for tenant in ["globex", "initech"] {
            world.commit(tenant, &[FINDING]);
            wait_for(tenant, || export_dir.join(tenant).exists());
        }
        let after_globex = observer.metrics.render();
        assert!(after_globex.contains("finops_export_failing{} 2.0\n"), "{after_globex}");
        assert!(after_globex.contains("finops_export_failures_total{} 2\n"), "{after_globex}");
        world.commit_rows_of("broken", "acme", &[FINDING]);
        wait_for_line("finops_export_failures_total{} 4\n");
        // What keeps failing is not built again, and neither is what has not changed.
        wait_for_line("finops_export_builds_total{} 5\n");
        wait_for_line("finops_export_failing{} 2.0\n");
    });
}

fn gold_manifest(world: &World, tenant: &str) -> Option<serde_json::Value> {
    let path = format!("{}/tenant_id={tenant}/_manifest.json", layout::KPI_GOLD);
    world.store.get(&path).unwrap().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

/// One exporter is at other tenants while a second one exports what has just come for one of them: the first, whose cut is older,
/// must not have the last word.
#[test]
fn an_older_cut_never_takes_the_place_of_a_newer_one() {
    let mut world = World::new();
    for tenant in ["a", "b", "c", "d", "z"] {
        world.commit(tenant, &[FINDING]);
    }
    let one_by_one =
        ExporterConfig { limits: exporter::DuckLimits { threads: 1, ..Default::default() }, ..world.config() };
    let deps = world.deps();
    let slow = std::thread::spawn(move || once(&one_by_one, &deps).unwrap());
    let first = world.export_dir().join("a/manifest.json");
    wait_for("the first tenant", || first.is_file());
    world.commit("z", &[Finding { fingerprint: "f2", finding_id: "id-f2", ..FINDING }]);
    once(&ExporterConfig { tenant: Some("z".into()), ..world.config() }, &world.deps()).unwrap();
    let report = slow.join().unwrap();
    assert_eq!(report.errors().count(), 0, "{:?}", report.errors().collect::<Vec<_>>());
    let scope = contracts::tenant_scope::TenantScope::new("z").unwrap();
    let newest = world.cut().digest_of(&scope);
    let exported = std::fs::read(world.export_dir().join("z/manifest.json")).unwrap();
    let exported: exporter::ExportManifest = serde_json::from_slice(&exported).unwrap();
    assert_eq!((exported.cut, exported.rows_read), (newest.clone(), 2));
    assert_eq!(exporter::gold_manifest(&*world.store, &scope).unwrap().unwrap().cut, newest);
}

#[test]
fn a_missing_exported_file_is_rebuilt() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let (config, deps) = (world.config(), world.deps());
    let refreshed = || refresh(&config, &deps, &Shutdown::new()).unwrap().tenants.len();
    assert_eq!((refreshed(), refreshed()), (1, 0));
    std::fs::remove_file(world.export_dir().join("acme/summary.json")).unwrap();
    assert_eq!((refreshed(), refreshed()), (1, 0));
}

#[test]
fn a_running_exporter_ends_when_its_store_was_exchanged() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let config = world.config();
    let away = tempfile::tempdir().unwrap();
    LocalStore::fence(Path::new(&world.store.location()), layout::SINK, away.path()).unwrap();
    let error = run(&config, &world.deps(), &Shutdown::new()).unwrap_err();
    assert!(matches!(error, ExportError::Store(StoreError::Exchanged { .. })), "{error}");
}
