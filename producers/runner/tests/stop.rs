//! A run that is asked to stop ends soon, says what was and was not published, and leaves nothing half done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use checkers::checker::{Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope};
use contracts::topics;
use inventories::services::Services;
use platform::lifecycle::Shutdown;
use platform::progress::{Progress, Silent, Unit};
use runner::run::{RunError, RunPlan, Stage, StoppedRun};
use support::{World, plan, sample};

/// Asks for a stop once so many units are done.
struct StopAt {
    done: AtomicU64,
    at: u64,
    shutdown: Shutdown,
}

impl Progress for StopAt {
    fn begin(&self, _: &str, _: Unit, _: Option<u64>) {}

    fn advance(&self, units: u64) {
        if self.done.fetch_add(units, Ordering::SeqCst) + units >= self.at {
            self.shutdown.request("test");
        }
    }

    fn end(&self) {}
}

/// Runs until so many units are done; returns how far the run had come, and the units that were done.
fn stopped_at(world: &World, plan: &RunPlan, at: u64) -> (StoppedRun, u64) {
    let stop = Arc::new(StopAt { done: AtomicU64::new(0), at, shutdown: Shutdown::new() });
    match world.run_until(plan, stop.clone(), &stop.shutdown).unwrap_err() {
        RunError::Stopped(so_far) => (so_far, stop.done.load(Ordering::SeqCst)),
        other => panic!("{other}"),
    }
}

fn check_no_manifest(world: &World) {
    assert!(world.values(topics::RUNS).is_empty(), "a stopped run has no manifest");
}

#[test]
fn a_stop_while_a_bill_is_read_comes_long_before_its_end_and_stores_nothing() {
    let world = World::new();
    let content = std::fs::read_to_string(sample()).unwrap();
    let (header, rows) = content.split_once('\n').unwrap();
    let bill = world.file("large.csv", format!("{header}\n{}", rows.repeat(20)));
    let bytes = std::fs::metadata(&bill).unwrap().len();
    let (so_far, read) = stopped_at(&world, &plan("run-1", vec![bill]), 1);
    assert_eq!((so_far.stage, so_far.published(), so_far.cost_facts), (Stage::Collect, 0, 0));
    assert!(read < bytes / 2, "{read} of {bytes} bytes were read");
    assert!(world.stored("cur_facts").iter().all(|path| !path.ends_with("_manifest.json")), "no month is live");
    assert!(world.values(topics::WIRE).is_empty());
    check_no_manifest(&world);
}

#[test]
fn a_stop_while_a_bill_is_identified_reads_none_of_it() {
    let world = World::new();
    let shutdown = Shutdown::new();
    shutdown.request("test");
    let error = world.run_until(&plan("run-1", vec![sample()]), Arc::new(Silent), &shutdown).unwrap_err();
    assert!(matches!(error, RunError::Stopped(StoppedRun { stage: Stage::Collect, .. })), "{error}");
    assert!(world.stored("cur_facts").is_empty());
}

static STOP: LazyLock<Shutdown> = LazyLock::new(Shutdown::new);

/// Asks for a stop, and does not end by itself.
struct Hangs;

impl Checker for Hangs {
    fn run(&self, _: &Services, _: &str) -> Result<Checked, CheckerError> {
        STOP.request("test");
        Shutdown::new().wait_timeout(Duration::from_secs(600));
        Ok(Checked::default())
    }
}

static HANGS: CheckerRegistration = CheckerRegistration {
    spec: "checks.test.hangs:Checker",
    checker_id: "hangs",
    scope: CheckerScope::Global,
    needs: &[],
    checks: &[],
    docs: &CheckerDocs::EMPTY,
    is_on_request: false,
    together: None,
    factory: |_, _| Ok(Box::new(Hangs)),
};

#[test]
fn a_stop_does_not_wait_for_a_checker() {
    let world = World::new();
    let mut plan = plan("run-1", vec![sample()]);
    plan.checkers.insert(1, &HANGS);
    let started = Instant::now();
    let error = world.run_until(&plan, Arc::new(Silent), &STOP).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(60), "it waited for the checker");
    let RunError::Stopped(so_far) = error else { panic!("{error}") };
    assert_eq!((so_far.stage, so_far.published()), (Stage::Check, 0));
    assert!(so_far.cost_facts > 0, "{so_far:?}");
    assert!(so_far.to_string().contains("Nothing was published"), "{so_far}");
    assert!(world.values(topics::WIRE).is_empty());
    check_no_manifest(&world);
}

#[test]
fn a_stop_while_publishing_comes_between_two_batches() {
    let world = World::new();
    let line = "{\"a\":1}\n";
    let mut plan = plan("run-1", Vec::new());
    plan.findings_files = vec![world.file("theirs.ndjson", line.repeat(20_000))];
    // A file is read 64 KiB at a time: some 8,000 lines, more than the first batch of 5,000 and less than two.
    let (so_far, _) = stopped_at(&world, &plan, 100_000);
    assert_eq!((so_far.stage, so_far.lines_published, so_far.findings_published), (Stage::Publish, 5_000, 0));
    assert_eq!(world.values(topics::WIRE).len(), 5_000);
    check_no_manifest(&world);
}
