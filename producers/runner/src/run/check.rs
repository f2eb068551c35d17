//! Runs the chosen checkers over what was collected, some at a time, and tells what came of each. The outcome is the same
//! whatever runs at the same time.

use std::sync::Arc;

use checkers::finding::Finding;
use checkers::registry::Registration;
use contracts::run_manifest::{RunStatus, ScopeOutcome};
use inventories::services::Services;
use platform::progress::Unit;
use platform::trace::Tracer;

use super::collect::{Collections, Target};
use super::pool::run_all;
use super::scope::{Inputs, ScopeRun, run_scope};
use super::{Ports, RunPlan};

/// A finding, the checker that made it and the place of its scope in the manifest.
#[derive(Debug, Clone)]
pub struct Found {
    /// Checker.
    pub registration: Registration,
    /// Index of its scope.
    pub scope: usize,
    /// Finding.
    pub finding: Finding,
}

/// One checker in one account and region.
struct Task {
    registration: Registration,
    target: Target,
    services: Arc<Services>,
}

/// Runs all checkers. When a stop is requested, scopes that were not begun are missing.
pub fn check(
    plan: &RunPlan,
    ports: &Ports<'_>,
    collections: &Collections,
    tracer: &Tracer,
) -> (Vec<ScopeOutcome>, Vec<Found>) {
    let inputs = Inputs { context: plan.context.clone(), deadline: plan.deadline, shutdown: ports.shutdown.clone() };
    let of_checker = |registration: &Registration| {
        let registration = *registration;
        collections.targets(registration, &plan.regions).into_iter().map(move |target| {
            let services = Arc::new(collections.services(registration, &target));
            Task { registration, target, services }
        })
    };
    let tasks: Vec<Task> = plan.checkers.iter().flat_map(of_checker).collect();
    ports.progress.begin("running checkers", Unit::Things("checkers"), Some(tasks.len() as u64));
    let work = |task: &Task| run_task(&inputs, task, tracer);
    let results = run_all(&tasks, plan.limits.checkers, &ports.shutdown, || ports.progress.advance(1), work);
    ports.progress.end();
    let mut scopes = Vec::new();
    let mut found = Vec::new();
    for (task, run) in tasks.iter().zip(results).filter_map(|(task, result)| Some((task, result?))) {
        let (registration, first) = (task.registration, scopes.len());
        let at = |(place, finding)| Found { registration, scope: first + place, finding };
        found.extend(run.findings.into_iter().map(at));
        scopes.extend(run.outcomes);
    }
    sort(&mut found);
    (scopes, found)
}

fn run_task(inputs: &Inputs, task: &Task, tracer: &Tracer) -> ScopeRun {
    let Task { registration, target, services } = task;
    let mut span = tracer.span(format!("check {}", registration.spec));
    span.set("finops.region", || target.region.clone());
    let run = run_scope(inputs, registration, target, services);
    if let Some(failed) = run.outcomes.iter().find(|outcome| outcome.status == RunStatus::Failed) {
        span.fail(&failed.reason);
    }
    run
}

/// The order in which findings are published: the same inputs give the same sequence.
fn sort(found: &mut [Found]) {
    found.sort_by(|a, b| {
        let key = |f: &Found| {
            let Found { registration, finding, .. } = f;
            let scope = &finding.scope;
            (
                scope.region.clone(),
                registration.spec,
                finding.check_id,
                scope.resource_id.clone(),
                scope.account_id.clone(),
                scope.service.clone(),
                finding.issue_key.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
}
