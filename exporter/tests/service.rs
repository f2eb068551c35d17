//! One pass over all tenants, and the loop that repeats it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use std::time::{Duration, Instant};

use contracts::run_manifest::RunStatus;
use exporter::{ExporterConfig, once, run};
use platform::lifecycle::Shutdown;
use platform::metrics::Metrics;
use platform::observe::Observer;
use support::{FACT, FINDING, Finding, World};

#[test]
fn a_pass_serves_every_tenant_and_one_failure_stops_nobody() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.commit_rows_of("broken", "acme", &[FINDING]);
    world.commit("globex", &[FINDING]);
    world.deliver("only-bills", "2026-01", "d", &[FACT]);
    world.commit("waiting", &[FINDING]);
    world.run_manifest("waiting", "r1", FINDING.run_ts, RunStatus::Complete, 9);
    let report = once(&world.config()).unwrap();
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

#[test]
fn a_tenant_asked_for_must_succeed() {
    let mut world = World::new();
    assert_eq!(once(&world.config()).unwrap_err().code(), Some("no_input_files"));
    world.commit("acme", &[FINDING]);
    let of = |tenant: &str| ExporterConfig { tenant: Some(tenant.into()), ..world.config() };
    assert_eq!(once(&of("ACME ")).unwrap().tenants.len(), 1);
    assert_eq!(once(&of("globex")).unwrap_err().code(), Some("tenant_not_found"));
    assert_eq!(once(&of("../x")).unwrap_err().code(), Some("tenant_invalid"));
    let without_gold = ExporterConfig { gold: false, ..of("acme") };
    assert!(once(&without_gold).unwrap().tenants[0].gold.is_none());
}

#[test]
fn it_exports_again_when_something_was_committed() {
    let mut world = World::new();
    let (config, shutdown) = (world.config(), Shutdown::new());
    let findings = world.export_dir().join("acme/findings.json");
    let wait_for = |text: &str| {
        let started = Instant::now();
        while !std::fs::read_to_string(&findings).unwrap_or_default().contains(text) {
            assert!(started.elapsed() < Duration::from_secs(60), "{text} never came");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&config, &Observer::default(), &shutdown));
        world.commit("acme", &[Finding { title: "first", ..FINDING }]);
        wait_for("first");
        world.commit("acme", &[Finding { title: "second", run_id: "r2", run_ts: "2026-01-21T10:00:00Z", ..FINDING }]);
        wait_for("second");
        shutdown.request("the test is over");
        running.join().unwrap();
    });
}

#[test]
fn what_fails_is_told_as_long_as_it_does() {
    let mut world = World::new();
    let (config, shutdown) = (world.config(), Shutdown::new());
    let observer = Observer { metrics: Metrics::registered(), ..Observer::default() };
    let wait_for = |line: &str| {
        let started = Instant::now();
        while !observer.metrics.render().contains(line) {
            assert!(started.elapsed() < Duration::from_secs(60), "{line} never came: {}", observer.metrics.render());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    world.commit("acme", &[FINDING]);
    world.commit_rows_of("broken", "acme", &[FINDING]);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&config, &observer, &shutdown));
        wait_for("finops_export_failing{} 2.0\n");
        world.commit("globex", &[FINDING]);
        wait_for("finops_export_failures_total{} 4\n");
        wait_for("finops_export_failing{} 2.0\n");
        shutdown.request("the test is over");
        running.join().unwrap();
    });
}
