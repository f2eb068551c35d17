//! Runs each checker in each of its scopes, supervised, and tells what came of it. One that fails, panics or hangs never
//! stops the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use checkers::checker::{Checked, CheckerError, CheckerScope, Source};
use checkers::finding::Finding;
use checkers::registry::Registration;
use checkers::run_context::RunContext;
use contracts::run_manifest::{RunStatus, ScopeOutcome};
use inventories::bootstrap::Bootstrap;
use inventories::services::{Services, Unavailable, UnavailableKind};
use platform::lifecycle::Shutdown;

use super::supervise::supervise;

/// Findings one checker may have in one scope; more say nothing that a person could act on.
pub const FINDINGS_PER_SCOPE_MAX: usize = 100_000;

/// A finding and the checker that made it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Checker.
    pub registration: Registration,
    /// Finding.
    pub finding: Finding,
}

/// What all checkers run over.
#[derive(Clone)]
pub struct Inputs {
    /// Facts of the run.
    pub context: RunContext,
    /// Facts about its surroundings.
    pub bootstrap: Arc<Bootstrap>,
    /// Inventories.
    pub services: Arc<Services>,
    /// Time one checker has in one scope.
    pub deadline: Duration,
    /// Ends waiting for a checker.
    pub shutdown: Shutdown,
}

/// The regions a checker runs in.
#[must_use]
pub fn regions_of(registration: Registration, regions: &[String]) -> Vec<String> {
    match (registration.scope, registration.source) {
        (CheckerScope::Regional, _) => regions.to_vec(),
        (CheckerScope::Global, Source::Aws) => vec!["global".to_owned()],
        (CheckerScope::Global, Source::Billing) => vec!["*".to_owned()],
    }
}

/// Runs one checker in one scope.
#[must_use]
pub fn run_scope(inputs: &Inputs, registration: Registration, region: &str) -> (ScopeOutcome, Vec<Finding>) {
    let started = Instant::now();
    let work = {
        let (inputs, region) = (inputs.clone(), region.to_owned());
        move || {
            let checker = (registration.factory)(&inputs.context, &inputs.bootstrap)
                .map_err(|error| CheckerError::Failed(error.to_string()))?;
            checker.run(&inputs.services, &region)
        }
    };
    let outcome = supervise(registration.spec, inputs.deadline, &inputs.shutdown, work)
        .unwrap_or_else(|error| Err(CheckerError::Failed(error.to_string())))
        .and_then(|checked| declared_only(registration, checked));
    let mut report = outcome_of(registration, region, &outcome);
    if registration.source == Source::Aws
        && let Some(account) = &inputs.bootstrap.aws_account_id
    {
        report.account_id.clone_from(account);
    }
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let findings = outcome.map(|checked| checked.findings).unwrap_or_default();
    tracing::info!(
        checker = registration.spec,
        region,
        status = ?report.status,
        reason = report.reason,
        findings = findings.len(),
        "checker done"
    );
    (report, findings)
}

/// A checker that emits what it does not declare is wrong about itself: downstream could not tell what it covers.
fn declared_only(registration: Registration, mut checked: Checked) -> Result<Checked, CheckerError> {
    if let Some(finding) = checked.findings.iter().find(|f| registration.check(f.check_id).is_none()) {
        return Err(CheckerError::Failed(format!("bug: it emitted {}, which it does not declare", finding.check_id)));
    }
    if checked.findings.len() > FINDINGS_PER_SCOPE_MAX {
        let found = checked.findings.len();
        checked.findings.truncate(FINDINGS_PER_SCOPE_MAX);
        checked.gaps.push(format!("{found} findings, only the first {FINDINGS_PER_SCOPE_MAX} are published"));
    }
    Ok(checked)
}

fn outcome_of(registration: Registration, region: &str, outcome: &Result<Checked, CheckerError>) -> ScopeOutcome {
    let mut report = ScopeOutcome {
        checker: registration.spec.to_owned(),
        check_ids: registration.checks.iter().map(|check| check.check_id.to_owned()).collect(),
        account_id: "*".to_owned(),
        region: region.to_owned(),
        status: RunStatus::Complete,
        reason: String::new(),
        denied_operations: Vec::new(),
        throttled_operations: Vec::new(),
        api_calls: 0,
        findings: 0,
        duration_ms: 0,
    };
    match outcome {
        Ok(checked) => {
            report.denied_operations.clone_from(&checked.denied_operations);
            report.throttled_operations.clone_from(&checked.throttled_operations);
            report.api_calls = checked.api_calls;
            report.findings = checked.findings.len() as u64;
            report.reason = gaps_text(checked);
            if !report.reason.is_empty() {
                report.status = RunStatus::Partial;
            }
        }
        Err(CheckerError::Unavailable(why)) => {
            report.status = status_of(why);
            report.reason.clone_from(&why.reason);
            report.denied_operations.clone_from(&why.denied_operations);
            report.throttled_operations.clone_from(&why.throttled_operations);
        }
        Err(CheckerError::Failed(reason)) => {
            report.status = RunStatus::Failed;
            report.reason.clone_from(reason);
        }
    }
    report
}

fn status_of(why: &Unavailable) -> RunStatus {
    match why.kind {
        UnavailableKind::Skipped => RunStatus::Skipped,
        UnavailableKind::Refused | UnavailableKind::Failed => RunStatus::Failed,
    }
}

/// Gaps shown in a reason.
const GAPS_SHOWN: usize = 5;

fn gaps_text(checked: &Checked) -> String {
    let mut gaps: Vec<String> = Vec::new();
    for (what, operations) in [("denied", &checked.denied_operations), ("throttled", &checked.throttled_operations)] {
        if !operations.is_empty() {
            gaps.push(format!("{what}: {}", operations.join(", ")));
        }
    }
    gaps.extend(checked.gaps.iter().take(GAPS_SHOWN).cloned());
    if checked.gaps.len() > GAPS_SHOWN {
        gaps.push(format!("and {} more", checked.gaps.len() - GAPS_SHOWN));
    }
    gaps.join("; ")
}

/// Status of the run. What was skipped counts only when the user asked for it by name.
#[must_use]
pub fn run_status(scopes: &[ScopeOutcome], checkers_named: bool, imported: bool) -> RunStatus {
    let checked = |s: &ScopeOutcome| matches!(s.status, RunStatus::Complete | RunStatus::Partial);
    let whole =
        |s: &ScopeOutcome| s.status == RunStatus::Complete || (s.status == RunStatus::Skipped && !checkers_named);
    if !imported && !scopes.iter().any(checked) {
        RunStatus::Failed
    } else if scopes.iter().all(whole) {
        RunStatus::Complete
    } else {
        RunStatus::Partial
    }
}

#[cfg(test)]
mod tests {
    use checkers::checker::{CheckInfo, Checker, CheckerDocs, CheckerRegistration};
    use checkers::run_context::RunFacts;
    use checkers::severity;
    use contracts::draft::{Scope, Status};
    use contracts::identity::SaltMode;

    use super::*;

    struct Scripted(fn() -> Result<Checked, CheckerError>);

    impl Checker for Scripted {
        fn run(&self, _: &Services, _: &str) -> Result<Checked, CheckerError> {
            (self.0)()
        }
    }

    macro_rules! registration {
        ($script:expr) => {{
            static REGISTRATION: CheckerRegistration = CheckerRegistration {
                spec: "m.t:T",
                checker_id: "t",
                scope: CheckerScope::Global,
                source: Source::Billing,
                checks: &[CheckInfo { check_id: "t.one", name: "", category: "", sub_category: "" }],
                actions: &[],
                docs: &CheckerDocs::EMPTY,
                factory: |_, _| Ok(Box::new(Scripted($script))),
            };
            &REGISTRATION
        }};
    }

    fn context() -> RunContext {
        RunContext::new(RunFacts {
            tenant_id: "acme".into(),
            workspace_id: "prod".into(),
            run_id: "run-1".into(),
            run_ts: chrono::DateTime::UNIX_EPOCH,
            engine_name: "finops".into(),
            engine_version: "0.1.0".into(),
            schema_version: 1,
            default_currency: "USD".into(),
            finding_id_mode: SaltMode::Stable,
            rulepack: Arc::default(),
        })
        .unwrap()
    }

    fn inputs() -> Inputs {
        Inputs {
            context: context(),
            bootstrap: Arc::default(),
            services: Arc::default(),
            deadline: Duration::from_secs(3),
            shutdown: Shutdown::new(),
        }
    }

    fn finding(check_id: &'static str) -> Finding {
        Finding::new(check_id, Scope::default(), Status::Info, severity::INFO)
    }

    #[test]
    fn what_a_checker_does_becomes_its_outcome() {
        let cases: [(Registration, RunStatus, &str); 7] = [
            (registration!(|| Ok(Checked::default())), RunStatus::Complete, ""),
            (registration!(|| panic!("boom")), RunStatus::Failed, "bug: boom"),
            (
                registration!(|| {
                    std::thread::sleep(Duration::from_secs(60));
                    Ok(Checked::default())
                }),
                RunStatus::Failed,
                "not done within 3 s",
            ),
            (
                registration!(|| Ok(Checked { denied_operations: vec!["s3:X".into()], ..Checked::default() })),
                RunStatus::Partial,
                "denied: s3:X",
            ),
            (
                registration!(|| Err(Unavailable::new(UnavailableKind::Skipped, "no credentials").into())),
                RunStatus::Skipped,
                "no credentials",
            ),
            (
                registration!(|| Err(Unavailable::new(UnavailableKind::Refused, "expired").into())),
                RunStatus::Failed,
                "expired",
            ),
            (
                registration!(|| Ok(Checked { findings: vec![finding("t.other")], ..Checked::default() })),
                RunStatus::Failed,
                "bug: it emitted t.other, which it does not declare",
            ),
        ];
        for (registration, status, reason) in cases {
            let (outcome, findings) = run_scope(&inputs(), registration, "*");
            assert_eq!((outcome.status, &*outcome.reason), (status, reason));
            assert!(findings.is_empty());
        }
    }

    #[test]
    fn findings_come_with_a_complete_outcome() {
        let registration = registration!(|| Ok(Checked { findings: vec![finding("t.one")], ..Checked::default() }));
        let (outcome, findings) = run_scope(&inputs(), registration, "*");
        assert_eq!((outcome.findings, findings.len(), outcome.account_id.as_str()), (1, 1, "*"));
    }

    #[test]
    fn a_skip_matters_when_it_was_asked_for() {
        use RunStatus::{Complete, Failed, Partial, Skipped};
        let cases = [
            (vec![Complete, Skipped], false, false, Complete),
            (vec![Complete, Skipped], true, false, Partial),
            (vec![Complete, Failed], false, false, Partial),
            (vec![Skipped], false, false, Failed),
            (vec![Skipped], false, true, Complete),
            (vec![Failed], false, true, Partial),
            (vec![], false, true, Complete),
        ];
        for (statuses, named, imported, expected) in cases {
            let registration = registration!(|| Ok(Checked::default()));
            let scopes: Vec<_> = statuses
                .iter()
                .map(|status| ScopeOutcome {
                    status: *status,
                    ..outcome_of(registration, "*", &Ok(Checked::default()))
                })
                .collect();
            assert_eq!(run_status(&scopes, named, imported), expected, "{statuses:?} {named} {imported}");
        }
    }
}
