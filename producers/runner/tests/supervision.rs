//! Checkers that go wrong, beside others that do not: the run goes on and the manifest tells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::process::Command;
use std::time::Duration;

use checkers::checker::{Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope};
use checkers::registry::Registry;
use contracts::run_manifest::{RunManifest, RunStatus, ScopeOutcome};
use contracts::topics;
use inventories::services::Services;
use runner::selection::select;
use support::{World, accept, plan, sample};

struct Does(fn(&str) -> Result<Checked, CheckerError>);

impl Checker for Does {
    fn run(&self, _: &Services, region: &str) -> Result<Checked, CheckerError> {
        (self.0)(region)
    }
}

macro_rules! checker {
    ($name:literal, $scope:expr, $does:expr) => {{
        static REGISTRATION: CheckerRegistration = CheckerRegistration {
            spec: concat!("checks.test.", $name, ":Checker"),
            checker_id: $name,
            scope: $scope,
            needs: &[],
            checks: &[],
            docs: &CheckerDocs::EMPTY,
            is_on_request: false,
            together: None,
            factory: |_, _| Ok(Box::new(Does($does))),
        };
        &REGISTRATION
    }};
}

fn outcomes(manifest: &RunManifest) -> Vec<(&str, &str, RunStatus, &str)> {
    let of = |s: &ScopeOutcome| s.checker.starts_with("checks.test.");
    let scopes = manifest.scopes.iter().filter(|s| of(s));
    scopes.map(|s| (s.checker.as_str(), s.region.as_str(), s.status, s.reason.as_str())).collect()
}

fn hang(_: &str) -> Result<Checked, CheckerError> {
    std::thread::sleep(Duration::from_secs(60));
    Ok(Checked::default())
}

fn in_one_only(region: &str) -> Result<Checked, CheckerError> {
    match region {
        "eu-west-1" => Ok(Checked::default()),
        other => Err(CheckerError::Failed(format!("no access to {other}"))),
    }
}

#[test]
fn a_panic_a_failure_and_a_hang_stop_no_other_task() {
    let world = World::new();
    let alone = world.run(&plan("run-1", vec![sample()])).unwrap().manifest.published;
    let mut plan = plan("run-2", vec![sample()]);
    plan.deadline = Duration::from_secs(2);
    let bad = [
        checker!("panics", CheckerScope::Global, |_| panic!("index out of bounds")),
        checker!("fails", CheckerScope::Global, |_| Err(CheckerError::Failed("no idea".into()))),
        checker!("hangs", CheckerScope::Global, hang),
    ];
    plan.checkers.splice(0..0, bad);
    let report = world.run(&plan).unwrap();
    assert_eq!(report.manifest.published, alone);
    assert_eq!(report.manifest.status, RunStatus::Partial);
    assert_eq!(accept(&world.values(topics::WIRE)).len() as u64, 2 * alone);
    assert_eq!(
        outcomes(&report.manifest),
        [
            ("checks.test.panics:Checker", "*", RunStatus::Failed, "bug: index out of bounds"),
            ("checks.test.fails:Checker", "*", RunStatus::Failed, "no idea"),
            ("checks.test.hangs:Checker", "*", RunStatus::Failed, "not done within 2 s"),
        ]
    );
}

#[test]
fn a_regional_checker_runs_in_each_region() {
    let world = World::new();
    let mut plan = plan("run-1", vec![sample()]);
    plan.checkers = vec![checker!("regional", CheckerScope::Regional, in_one_only)];
    plan.regions = vec!["eu-west-1".into(), "us-east-1".into()];
    let report = world.run(&plan).unwrap();
    assert_eq!(
        outcomes(&report.manifest),
        [
            ("checks.test.regional:Checker", "eu-west-1", RunStatus::Complete, ""),
            ("checks.test.regional:Checker", "us-east-1", RunStatus::Failed, "no access to us-east-1"),
        ]
    );
}

#[test]
fn without_billing_files_their_checkers_are_skipped_with_the_reason() {
    let world = World::new();
    let report = world.run(&plan("run-1", Vec::new())).unwrap();
    assert_eq!((report.manifest.status, report.manifest.published), (RunStatus::Failed, 0));
    for scope in report.manifest.scopes {
        assert_eq!((scope.status, &*scope.reason), (RunStatus::Skipped, "no billing files given"));
    }
}

/// Set in the copy of this test that runs without credentials.
const CHILD: &str = "RUNNER_TEST_CHILD";

/// Looks for credentials where every AWS program does, so it must run in an environment that has none: a process of its
/// own.
#[test]
fn without_credentials_the_s3_checker_is_skipped_with_the_reason() {
    if std::env::var_os(CHILD).is_none() {
        let home = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "without_credentials_the_s3_checker_is_skipped_with_the_reason", "--nocapture"])
            .env_clear()
            .env(CHILD, "1")
            .env("HOME", home.path())
            .env("CARGO_MANIFEST_DIR", std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    let spec = "checks.aws.s3_lifecycle_missing:S3LifecycleMissingChecker".to_owned();
    let world = World::new();
    let mut plan = plan("run-1", vec![sample()]);
    plan.checkers.extend(select(&Registry::linked().unwrap(), std::slice::from_ref(&spec), &[]).unwrap());
    let report = world.run(&plan).unwrap();
    let scope = report.manifest.scopes.iter().find(|scope| scope.checker == spec).unwrap();
    assert_eq!((scope.status, &*scope.reason), (RunStatus::Skipped, "no AWS credentials are configured"));
    assert_eq!((&*scope.region, scope.findings), ("global", 0));
    // The user did not ask for it by name: the run is complete all the same.
    assert_eq!(report.manifest.status, RunStatus::Complete);
}
