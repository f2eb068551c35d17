//! Runs one checker in one account and region, supervised, and tells what came of it, with what its collectors could not see.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use checkers::checker::{Checked, CheckerError};
use checkers::finding::Finding;
use checkers::registry::Registration;
use checkers::run_context::RunContext;
use contracts::ranking::in_usd_for_ranking;
use contracts::run_manifest::{RunStatus, ScopeOutcome};
use inventories::bootstrap::Bootstrap;
use inventories::collected::{CollectionReport, Unavailable, UnavailableKind};
use inventories::services::Services;
use platform::lifecycle::Shutdown;
use rust_decimal::Decimal;

use super::collect::Target;
use super::supervise::supervise;

/// Findings one checker may have in one scope; more say nothing that a person could act on.
pub const FINDINGS_PER_SCOPE_MAX: usize = 100_000;

/// The account of a checker that looked at none.
const NO_ACCOUNT: &str = "unknown";

/// What all checkers run with.
#[derive(Clone)]
pub struct Inputs {
    /// Facts of the run.
    pub context: RunContext,
    /// Time one checker has in one scope.
    pub deadline: Duration,
    /// Ends waiting for a checker.
    pub shutdown: Shutdown,
}

/// What came of one checker in one account and region: one outcome, or one for each account that it says it looked at.
pub struct ScopeRun {
    /// In order of accounts.
    pub outcomes: Vec<ScopeOutcome>,
    /// With the place of its outcome.
    pub findings: Vec<(usize, Finding)>,
}

/// Runs one checker in one account and region.
#[must_use]
pub fn run_scope(inputs: &Inputs, registration: Registration, target: &Target, services: &Arc<Services>) -> ScopeRun {
    let started = Instant::now();
    let work = {
        let (context, target, services) = (inputs.context.clone(), target.clone(), services.clone());
        move || {
            let of_none = Bootstrap::default();
            let facts = target.account.as_ref().map_or(&of_none, |account| &account.facts);
            registration.run(&context, facts, &services, &target.region)
        }
    };
    let outcome = supervise(registration.spec, inputs.deadline, &inputs.shutdown, work)
        .unwrap_or_else(|error| Err(CheckerError::Failed(error.to_string())))
        .and_then(|checked| publishable(registration, checked));
    let mut report = outcome_of(registration, target, &outcome, services.unseen());
    report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Checked { findings, accounts, .. } = outcome.unwrap_or_default();
    tracing::info!(
        checker = registration.spec,
        account = report.account_id,
        region = report.region,
        status = ?report.status,
        reason = report.reason,
        findings = findings.len(),
        "checker done"
    );
    by_account(report, accounts, findings)
}

/// One outcome for each account that was looked at. A checker that names none has looked at no account, which is no outcome about all of
/// them. Calls and time are those of the first.
fn by_account(whole: ScopeOutcome, accounts: Option<BTreeSet<String>>, findings: Vec<Finding>) -> ScopeRun {
    let Some(mut accounts) = accounts else {
        return ScopeRun {
            outcomes: vec![whole],
            findings: findings.into_iter().map(|finding| (0, finding)).collect(),
        };
    };
    accounts.extend(findings.iter().map(|finding| finding.scope.account_id.clone()));
    if accounts.is_empty() {
        accounts.insert(NO_ACCOUNT.to_owned());
    }
    let places: BTreeMap<&str, usize> = accounts.iter().map(String::as_str).zip(0..).collect();
    let place = |finding: &Finding| places.get(finding.scope.account_id.as_str()).copied().unwrap_or_default();
    let findings: Vec<_> = findings.into_iter().map(|finding| (place(&finding), finding)).collect();
    let outcome = |(at, account): (usize, &String)| {
        let found = findings.iter().filter(|(place, _)| *place == at).count() as u64;
        let (api_calls, duration_ms) = if at == 0 { (whole.api_calls, whole.duration_ms) } else { (0, 0) };
        ScopeOutcome { account_id: account.clone(), findings: found, api_calls, duration_ms, ..whole.clone() }
    };
    ScopeRun { outcomes: accounts.iter().enumerate().map(outcome).collect(), findings }
}

/// What is published of what a checker found. A checker that emits what it does not declare is wrong about itself: downstream
/// could not tell what it covers. A finding with a member that the contract does not store leaves a gap.
fn publishable(registration: Registration, mut checked: Checked) -> Result<Checked, CheckerError> {
    if let Some(finding) = checked.findings.iter().find(|f| registration.check(f.check_id).is_none()) {
        return Err(CheckerError::Failed(format!("bug: it emitted {}, which it does not declare", finding.check_id)));
    }
    let Checked { findings, gaps, .. } = &mut checked;
    findings.retain(|finding| {
        let Err(error) = finding.check() else { return true };
        let (check_id, resource) = (finding.check_id, &finding.scope.resource_id);
        gaps.push(format!("bug: {check_id} of {resource:?} is not published: {error}"));
        false
    });
    publish_once(findings, gaps);
    if findings.len() > FINDINGS_PER_SCOPE_MAX {
        gaps.push(format!(
            "{} findings, only the {FINDINGS_PER_SCOPE_MAX} of most worth are published",
            findings.len()
        ));
        // The sort is stable: equal amounts stay in the order of the checker.
        findings.sort_by_cached_key(|finding| Reverse(worth(finding)));
        findings.truncate(FINDINGS_PER_SCOPE_MAX);
    }
    Ok(checked)
}

/// Two findings with one fingerprint are one row of every export: the one of most worth is published. A checker that emits both is
/// wrong about what makes its findings one.
fn publish_once(findings: &mut Vec<Finding>, gaps: &mut Vec<String>) {
    let mut best: HashMap<Vec<String>, usize> = HashMap::with_capacity(findings.len());
    let mut dropped = BTreeSet::new();
    for (number, finding) in findings.iter().enumerate() {
        let kept = best.entry(finding.identity()).or_insert(number);
        if *kept != number {
            let is_better = findings.get(*kept).is_some_and(|other| worth(finding) > worth(other));
            dropped.insert(if is_better { std::mem::replace(kept, number) } else { number });
            let (check_id, resource) = (finding.check_id, &finding.scope.resource_id);
            gaps.push(format!("bug: {check_id} of {resource:?} was found twice, it is published once"));
        }
    }
    let mut number = 0..;
    findings.retain(|_| number.next().is_none_or(|number| !dropped.contains(&number)));
}

/// Savings and cost, comparable across currencies.
fn worth(finding: &Finding) -> [Option<Decimal>; 2] {
    let currency = finding.currency.as_deref().unwrap_or_default();
    [finding.estimated.monthly_savings, finding.estimated.monthly_cost]
        .map(|amount| amount.map(|amount| in_usd_for_ranking(amount, currency).unwrap_or(amount)))
}

fn outcome_of(
    registration: Registration,
    target: &Target,
    outcome: &Result<Checked, CheckerError>,
    mut unseen: CollectionReport,
) -> ScopeOutcome {
    let (status, reason) = match outcome {
        Ok(checked) => {
            unseen.gaps.extend(checked.gaps.iter().cloned());
            match gaps_text(&unseen) {
                whole if whole.is_empty() => (RunStatus::Complete, whole),
                gaps => (RunStatus::Partial, gaps),
            }
        }
        Err(CheckerError::Unavailable(why)) => (status_of(why), why.reason.clone()),
        Err(CheckerError::Failed(reason)) => (RunStatus::Failed, reason.clone()),
    };
    ScopeOutcome {
        checker: registration.spec.to_owned(),
        check_ids: registration.checks.iter().map(|check| check.check_id.to_owned()).collect(),
        account_id: target.account_id().to_owned(),
        region: target.region.clone(),
        status,
        reason,
        denied_operations: unseen.denied_operations.into_iter().collect(),
        throttled_operations: unseen.throttled_operations.into_iter().collect(),
        api_calls: unseen.api_calls,
        findings: outcome.as_ref().map_or(0, |checked| checked.findings.len() as u64),
        duration_ms: 0,
    }
}

fn status_of(why: &Unavailable) -> RunStatus {
    match why.kind {
        UnavailableKind::Skipped | UnavailableKind::NoCredentials => RunStatus::Skipped,
        UnavailableKind::Refused | UnavailableKind::Failed => RunStatus::Failed,
    }
}

/// Gaps shown in a reason.
const GAPS_SHOWN: usize = 5;

fn gaps_text(unseen: &CollectionReport) -> String {
    let mut gaps: Vec<String> = Vec::new();
    for (what, operations) in [("denied", &unseen.denied_operations), ("throttled", &unseen.throttled_operations)] {
        if !operations.is_empty() {
            let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
            gaps.push(format!("{what}: {}", operations.join(", ")));
        }
    }
    gaps.extend(unseen.gaps.iter().take(GAPS_SHOWN).cloned());
    if unseen.gaps.len() > GAPS_SHOWN {
        gaps.push(format!("and {} more", unseen.gaps.len() - GAPS_SHOWN));
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
    use checkers::checker::{CheckInfo, Checker, CheckerDocs, CheckerRegistration, CheckerScope};
    use checkers::run_context::RunFacts;
    use checkers::severity;
    use contracts::draft::{Scope, Status};
    use contracts::identity::SaltMode;
    use inventories::collected::Collected;
    use inventories::kind::{Extent, Inventory, InventoryKind, Source};

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
                needs: &[],
                checks: &[CheckInfo { check_id: "t.one", name: "", category: "", sub_category: "" }],
                docs: &CheckerDocs::EMPTY,
                is_on_request: false,
                together: None,
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

    fn run_all(registration: Registration, services: Services) -> ScopeRun {
        let inputs = Inputs { context: context(), deadline: Duration::from_secs(3), shutdown: Shutdown::new() };
        run_scope(&inputs, registration, &target(), &Arc::new(services))
    }

    fn run(registration: Registration, services: Services) -> (ScopeOutcome, Vec<Finding>) {
        let mut all = run_all(registration, services);
        (all.outcomes.pop().unwrap(), all.findings.into_iter().map(|(_, finding)| finding).collect())
    }

    fn target() -> Target {
        Target { account: None, region: "*".into() }
    }

    fn finding(check_id: &'static str) -> Finding {
        Finding::new(check_id, Scope::default(), Status::Info, severity::INFO)
    }

    #[test]
    fn what_a_checker_does_becomes_its_outcome() {
        let cases: [(Registration, RunStatus, &str); 8] = [
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
                registration!(|| Ok(Checked { gaps: vec!["bucket a: timeout".into()], ..Checked::default() })),
                RunStatus::Partial,
                "bucket a: timeout",
            ),
            (
                registration!(|| {
                    let finding = finding("t.one").link("script", "javascript:alert(1)");
                    Ok(Checked { findings: vec![finding], ..Checked::default() })
                }),
                RunStatus::Partial,
                "bug: t.one of \"\" is not published: links[0].url is \"javascript:alert(1)\": it must begin with https://",
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
            let (outcome, findings) = run(registration, Services::default());
            assert_eq!((outcome.status, &*outcome.reason), (status, reason));
            assert!(findings.is_empty());
        }
    }

    #[test]
    fn findings_come_with_a_complete_outcome() {
        let registration = registration!(|| Ok(Checked { findings: vec![finding("t.one")], ..Checked::default() }));
        let (outcome, findings) = run(registration, Services::default());
        assert_eq!((outcome.findings, findings.len(), outcome.account_id.as_str()), (1, 1, "*"));
    }

    #[test]
    fn two_findings_of_one_fingerprint_are_published_once() {
        let registration = registration!(|| {
            let of = |region: &str, resource_id: &str, cost: i64| {
                let scope = Scope { region: region.into(), resource_id: resource_id.into(), ..Scope::default() };
                let mut found = Finding { scope, ..finding("t.one") };
                found.estimated.monthly_cost = Some(cost.into());
                found
            };
            let findings = vec![
                of("US-East-1 ", "a", 1),
                of("us-east-1", "A", 5),
                of("us-east-1", "a", 2),
                of("us-east-1", "a", 1),
            ];
            Ok(Checked { findings, ..Checked::default() })
        });
        let (outcome, found) = run(registration, Services::default());
        let costs: Vec<_> = found.iter().map(|f| f.estimated.monthly_cost.unwrap()).collect();
        assert_eq!(costs, [Decimal::from(5), Decimal::from(2)], "of each the one of most worth");
        assert_eq!((outcome.status, outcome.findings), (RunStatus::Partial, 2));
        assert!(
            outcome.reason.contains("bug: t.one of \"a\" was found twice, it is published once"),
            "{}",
            outcome.reason
        );
    }

    #[test]
    fn of_too_many_findings_those_of_least_worth_are_left_out() {
        let registration = registration!(|| {
            let of = |number: usize, savings: Option<Decimal>, currency: &str| {
                let mut finding = finding("t.one");
                finding.scope.resource_id = number.to_string();
                finding.estimated.monthly_savings = savings;
                finding.currency = Some(currency.to_owned());
                finding
            };
            let few = [of(0, None, "USD"), of(1, Some(100.into()), "JPY")];
            let many = (2..FINDINGS_PER_SCOPE_MAX + 2).map(|number| of(number, Some(2.into()), "USD"));
            Ok(Checked { findings: few.into_iter().chain(many).collect(), ..Checked::default() })
        });
        let (outcome, findings) = run(registration, Services::default());
        assert!(findings.iter().all(|finding| finding.currency.as_deref() == Some("USD")));
        assert_eq!((outcome.status, outcome.findings), (RunStatus::Partial, 100_000));
        assert_eq!(outcome.reason, "100002 findings, only the 100000 of most worth are published");
    }

    /// Of other accounts nothing is said: a run over one bill resolves nothing in another one.
    #[test]
    fn a_checker_that_names_accounts_has_an_outcome_for_each() {
        let of = |account: &str| Finding {
            scope: Scope { account_id: account.to_owned(), ..Scope::default() },
            ..finding("t.one")
        };
        let split = |accounts: Option<&[&str]>, findings: Vec<Finding>| {
            let registration = registration!(|| Ok(Checked::default()));
            let whole = outcome_of(registration, &target(), &Ok(Checked::default()), CollectionReport::default());
            let whole = ScopeOutcome { duration_ms: 7, ..whole };
            let accounts = accounts.map(|accounts| accounts.iter().map(|account| (*account).to_owned()).collect());
            let run = by_account(whole, accounts, findings);
            let shown =
                run.outcomes.iter().map(|one| format!("{} {} {}", one.account_id, one.findings, one.duration_ms));
            (shown.collect::<Vec<_>>(), run.findings.iter().map(|(place, _)| *place).collect::<Vec<_>>())
        };
        let named = split(Some(&["b", "a"]), vec![of("b"), of("b"), of("c")]);
        assert_eq!(named, (vec!["a 0 7".into(), "b 2 0".into(), "c 1 0".into()], vec![1, 1, 2]));
        assert_eq!(split(Some(&[]), vec![]), (vec!["unknown 0 7".into()], vec![]));
        assert_eq!(split(None, vec![of("b")]), (vec!["* 0 7".into()], vec![0]));
    }

    /// Whatever the checker says of it.
    #[test]
    fn what_its_collectors_could_not_see_makes_an_outcome_partial() {
        struct Disks;
        impl Inventory for Disks {
            const KIND: InventoryKind = InventoryKind { name: "disks", source: Source::Aws, extent: Extent::Region };
        }
        let report = CollectionReport {
            denied_operations: ["ec2:DescribeTags".to_owned()].into(),
            throttled_operations: ["ec2:DescribeVolumes".to_owned()].into(),
            gaps: vec!["one page".into()],
            api_calls: 3,
        };
        let mut services = Services::default();
        services.add(Disks::KIND, "a", Ok(Arc::new(Collected::new(Disks, report))));
        let why = Unavailable {
            denied_operations: ["ec2:DescribeVolumes".to_owned()].into(),
            ..Unavailable::failed("access denied")
        };
        services.add(Disks::KIND, "b", Err(why));
        let (outcome, _) = run(registration!(|| Ok(Checked::default())), services);
        assert_eq!((outcome.status, outcome.api_calls), (RunStatus::Partial, 3));
        assert_eq!(outcome.denied_operations, ["ec2:DescribeTags", "ec2:DescribeVolumes"]);
        assert_eq!(outcome.throttled_operations, ["ec2:DescribeVolumes"]);
        let reason = "denied: ec2:DescribeTags, ec2:DescribeVolumes; throttled: ec2:DescribeVolumes; one page; disks of b: \
                      access denied";
        assert_eq!(outcome.reason, reason);
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
                    ..outcome_of(registration, &target(), &Ok(Checked::default()), CollectionReport::default())
                })
                .collect();
            assert_eq!(run_status(&scopes, named, imported), expected, "{statuses:?} {named} {imported}");
        }
    }
}
