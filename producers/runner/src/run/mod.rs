//! One run: collect, check, publish, say what happened. The only place where collectors, checkers and publishing meet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use checkers::checker::Source;
use checkers::registry::Registration;
use checkers::run_context::RunContext;
use collectors::aws;
use collectors::billing::{self, LoadError, LoadOptions, LoadReport};
use contracts::members::Misspelt;
use contracts::run_manifest::{self, RunManifest, ScopeOutcome};
use contracts::time::format_timestamp;
use contracts::topics;
use inventories::bootstrap::Bootstrap;
use inventories::services::{Collected, Services, Unavailable, UnavailableKind};
use platform::broker::{Broker, BrokerError};
use platform::clock::Clock;
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::{Progress, Unit};
use platform::store::Store;
use platform::trace::Tracer;

mod scope;
mod stopped;
mod supervise;

pub use self::scope::{FINDINGS_PER_SCOPE_MAX, Found};
pub use self::stopped::{Stage, StoppedRun};

use self::scope::{Inputs, regions_of, run_scope, run_status};
use self::supervise::supervise;
use crate::draft::draft;
use crate::publish::{
    FileReport, FindingsInput, InputError, PublishError, RECORD_BYTES_MAX, RunHeaders, Sender, UnpublishedLine,
    publish_file, publish_manifest,
};

/// Time one checker has in one scope, and one collector for all it does.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(300);

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct RunPlan {
    /// Facts of the run.
    pub context: RunContext,
    /// Checkers to run, as [`crate::selection::select`] gave them.
    pub checkers: Vec<Registration>,
    /// True when the user named the checkers: then one that is skipped makes the run partial.
    pub checkers_named: bool,
    /// Billing files, read as one delivery.
    pub billing_files: Vec<PathBuf>,
    /// How they are loaded.
    pub billing_options: LoadOptions,
    /// Files of another producer's wire findings; `-` is standard input.
    pub findings_files: Vec<PathBuf>,
    /// Regions of regional checkers.
    pub regions: Vec<String>,
    /// Time one checker has in one scope.
    pub deadline: Duration,
    /// Further facts for the manifest.
    pub notes: BTreeMap<String, String>,
}

/// What a run works with. The topics `finops.findings.wire` and `finops.runs` must exist.
#[derive(Clone)]
pub struct Ports<'a> {
    /// Log.
    pub broker: &'a dyn Broker,
    /// Datasets.
    pub store: &'a dyn Store,
    /// Wall clock, for the manifests.
    pub clock: &'a dyn Clock,
    /// Listener.
    pub progress: Arc<dyn Progress>,
    /// What the run is a trace of.
    pub tracer: Tracer,
    /// Ends the run: within a second while it collects and checks, between two batches while it publishes.
    pub shutdown: Shutdown,
}

/// What a run did.
#[derive(Debug)]
pub struct RunReport {
    /// As published.
    pub manifest: RunManifest,
    /// The billing files, when there were any.
    pub billing: Option<LoadReport>,
    /// Findings of own checkers.
    pub findings_published: u64,
    /// Lines of findings files.
    pub lines_published: u64,
    /// Lines that no record can hold: never silent, never published.
    pub lines_unpublished: Vec<UnpublishedLine>,
    /// Members of findings files that the contract ignores and that are probably meant to be others, with the records that
    /// have them.
    pub members_misspelt: BTreeMap<Misspelt, u64>,
    /// Findings files without a record.
    pub findings_files_empty: Vec<String>,
    /// Wall time by stage, in order.
    pub stages: Vec<(&'static str, Duration)>,
}

/// A run ended without a manifest. What it published before is not counted as a finished run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A billing file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A findings file, the broker or the store.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The broker gives no producer.
    #[error("connecting to the broker: {0}")]
    Connect(#[from] BrokerError),
    /// The run was asked to stop.
    #[error("{0}")]
    Stopped(StoppedRun),
}

/// Runs the plan.
///
/// # Errors
/// Input that cannot be read, a broker or store that does not take what is published, or a stop request. Whatever happens
/// to a checker is no error: the manifest tells.
pub fn run(plan: &RunPlan, ports: &Ports<'_>) -> Result<RunReport, RunError> {
    let mut so_far = StoppedRun {
        stage: Stage::Collect,
        cost_facts: 0,
        findings_found: 0,
        findings_published: 0,
        lines_published: 0,
    };
    run_until_stopped(plan, ports, &mut so_far).map_err(|error| match error {
        error if ports.shutdown.is_requested() => {
            tracing::debug!(%error, "stopped");
            RunError::Stopped(so_far)
        }
        error => error,
    })
}

/// A run that writes down how far it has come.
fn run_until_stopped(plan: &RunPlan, ports: &Ports<'_>, so_far: &mut StoppedRun) -> Result<RunReport, RunError> {
    let mut stages = Stages { tracer: ports.tracer.clone(), times: Vec::new() };
    // A findings file that is not there, or is none, is reported before an hour of work, not after.
    let mut findings_files = open_files(&plan.findings_files, &ports.shutdown).map_err(PublishError::from)?;
    let (services, bootstrap, billing) = stages.time("collect", |_| collect(plan, ports))?;
    so_far.stage = Stage::Check;
    so_far.cost_facts = billing.iter().map(|report| report.currencies.values().sum::<u64>()).sum();
    let (mut scopes, mut found) = stages.time("check", |tracer| check(plan, ports, services, bootstrap, tracer));
    so_far.findings_found = found.len() as u64;
    if ports.shutdown.is_requested() {
        return Err(PublishError::from(Stopped).into());
    }
    sort(&mut found);
    so_far.stage = Stage::Publish;

    let mut producer = ports.broker.producer()?;
    let started = Instant::now();
    let mut span = ports.tracer.send(topics::WIRE);
    let headers = RunHeaders::new(&plan.context, span.traceparent());
    let mut sender = Sender::new(producer.as_mut(), headers, ports.shutdown.clone());
    let kept_out = publish_findings(plan, &found, &mut sender);
    let findings_published = sender.published();
    so_far.findings_published = findings_published;
    mark_kept_out(&mut scopes, &kept_out.inspect_err(|error| span.fail(error))?);
    let files = publish_files(&mut findings_files, plan, ports, &mut sender);
    let published = sender.published();
    so_far.lines_published = published - findings_published;
    let files = files.inspect_err(|error| span.fail(error))?;
    span.set_records(published);
    drop(span);
    let created_at = format_timestamp(ports.clock.now_ms());
    let manifest = manifest(plan, created_at, scopes, billing.as_ref(), published, &files.unpublished);
    publish_manifest(&manifest, producer.as_mut(), ports.store, &ports.shutdown)?;
    stages.times.push(("publish", started.elapsed()));
    Ok(RunReport {
        manifest,
        billing,
        findings_published,
        lines_published: published - findings_published,
        lines_unpublished: files.unpublished,
        members_misspelt: files.misspelt,
        findings_files_empty: files.empty,
        stages: stages.times,
    })
}

struct Stages {
    tracer: Tracer,
    times: Vec<(&'static str, Duration)>,
}

impl Stages {
    fn time<T>(&mut self, stage: &'static str, work: impl FnOnce(&Tracer) -> T) -> T {
        let started = Instant::now();
        let span = self.tracer.span(stage);
        let outcome = work(&self.tracer.within(&span));
        self.times.push((stage, started.elapsed()));
        outcome
    }
}

fn open_files(paths: &[PathBuf], shutdown: &Shutdown) -> Result<Vec<FindingsInput>, InputError> {
    paths.iter().map(|path| FindingsInput::open_until(path, RECORD_BYTES_MAX, shutdown)).collect()
}

type CollectedAll = (Services, Bootstrap, Option<LoadReport>);

fn collect(plan: &RunPlan, ports: &Ports<'_>) -> Result<CollectedAll, LoadError> {
    let needs = |source| plan.checkers.iter().any(|checker| checker.source == source);
    let mut services = Services::default();
    let mut bootstrap = Bootstrap::default();
    let mut report = None;
    if !plan.billing_files.is_empty() {
        // Facts are stored even when no checker reads billing rows: costs and attribution need them.
        let (tenant, files) = (&plan.context.tenant_id, &plan.billing_files);
        let options = LoadOptions { now_ms: ports.clock.now_ms(), ..plan.billing_options.clone() };
        let loaded = billing::load(tenant, files, &options, ports.store, &ports.progress, &ports.shutdown)?;
        services.billing = match loaded.inventory.dropped_rows() {
            0 => Collected::Ready(loaded.inventory),
            dropped => Collected::Unavailable(Unavailable::new(
                UnavailableKind::Failed,
                format!("the bill charges too many distinct things: {dropped} rows found no room"),
            )),
        };
        report = Some(loaded.report);
    }
    if needs(Source::Aws) {
        ports.progress.begin("asking AWS", Unit::Things("requests"), None);
        let deadline = plan.deadline;
        // Its own deadline comes first, and says more.
        let waited = deadline.saturating_add(Duration::from_secs(5));
        match supervise("collect aws", waited, &ports.shutdown, move || aws::collect(deadline)) {
            Ok(Ok((facts, inventory))) => {
                bootstrap = facts;
                services.s3 = Collected::Ready(inventory);
            }
            Ok(Err(why)) => services.s3 = Collected::Unavailable(why),
            Err(error) => {
                let why = Unavailable::new(UnavailableKind::Failed, error.to_string());
                services.s3 = Collected::Unavailable(why);
            }
        }
        ports.progress.end();
    }
    Ok((services, bootstrap, report))
}

fn check(
    plan: &RunPlan,
    ports: &Ports<'_>,
    services: Services,
    bootstrap: Bootstrap,
    tracer: &Tracer,
) -> (Vec<ScopeOutcome>, Vec<Found>) {
    let inputs = Inputs {
        context: plan.context.clone(),
        bootstrap: Arc::new(bootstrap),
        services: Arc::new(services),
        deadline: plan.deadline,
        shutdown: ports.shutdown.clone(),
    };
    let tasks: Vec<_> = plan
        .checkers
        .iter()
        .flat_map(|checker| regions_of(checker, &plan.regions).into_iter().map(move |region| (*checker, region)))
        .collect();
    ports.progress.begin("running checkers", Unit::Things("checkers"), Some(tasks.len() as u64));
    let mut scopes = Vec::new();
    let mut found = Vec::new();
    for (registration, region) in tasks {
        if ports.shutdown.is_requested() {
            break;
        }
        let mut span = tracer.span(format!("check {}", registration.spec));
        span.set("finops.region", || region.clone());
        let (outcome, findings) = run_scope(&inputs, registration, &region);
        if outcome.status == run_manifest::RunStatus::Failed {
            span.fail(&outcome.reason);
        }
        scopes.push(outcome);
        found.extend(findings.into_iter().map(|finding| Found { registration, finding }));
        ports.progress.advance(1);
    }
    ports.progress.end();
    (scopes, found)
}

/// The order in which findings are published: the same inputs give the same sequence.
fn sort(found: &mut [Found]) {
    found.sort_by(|a, b| {
        let key = |f: &Found| {
            let Found { registration, finding } = f;
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

/// Publishes findings of own checkers; returns the SPECs of those that no record can hold.
fn publish_findings(
    plan: &RunPlan,
    found: &[Found],
    sender: &mut Sender<'_>,
) -> Result<Vec<&'static str>, PublishError> {
    for (tag, Found { registration, finding }) in (0..).zip(found) {
        let Some(check) = registration.check(finding.check_id) else { continue };
        let bytes = serde_json::to_vec(&draft(&plan.context, registration, check, finding))
            .map_err(|source| PublishError::Encode { what: format!("a finding of {}", registration.spec), source })?;
        sender.send(&plan.context.tenant_id, Bytes::from(bytes), tag)?;
    }
    sender.flush()?;
    let spec = |tag: u64| found.get(usize::try_from(tag).ok()?).map(|f| f.registration.spec);
    Ok(sender.take_too_large().into_iter().filter_map(|record| spec(record.tag)).collect())
}

/// A finding over the broker's limit leaves a gap in its checker's scope.
fn mark_kept_out(scopes: &mut [ScopeOutcome], specs: &[&str]) {
    for spec in specs {
        let Some(scope) = scopes.iter_mut().find(|scope| scope.checker == *spec) else { continue };
        scope.findings = scope.findings.saturating_sub(1);
        scope.status = run_manifest::RunStatus::Partial;
        scope.reason = "a finding is larger than a record may be and was not published".into();
    }
}

fn publish_files(
    inputs: &mut [FindingsInput],
    plan: &RunPlan,
    ports: &Ports<'_>,
    sender: &mut Sender<'_>,
) -> Result<FileReport, PublishError> {
    let mut all = FileReport::default();
    if inputs.is_empty() {
        return Ok(all);
    }
    let size = |path: &PathBuf| std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default();
    let bytes = plan.findings_files.iter().map(size).sum();
    ports.progress.begin("publishing findings files", Unit::Bytes, Some(bytes));
    for input in inputs {
        let report = publish_file(input, &plan.context.tenant_id, sender, ports.progress.as_ref())?;
        all.unpublished.extend(report.unpublished);
        all.empty.extend(report.empty);
        report.misspelt.into_iter().for_each(|(member, n)| *all.misspelt.entry(member).or_default() += n);
    }
    ports.progress.end();
    for line in &all.unpublished {
        tracing::error!(file = line.file, line = line.line, bytes = line.bytes, "line is too large to publish");
    }
    for file in &all.empty {
        tracing::warn!(file, "findings file has no record");
    }
    for (member, records) in &all.misspelt {
        tracing::info!(%member, records, "member of findings files is ignored");
    }
    Ok(all)
}

fn manifest(
    plan: &RunPlan,
    created_at: String,
    scopes: Vec<ScopeOutcome>,
    billing: Option<&LoadReport>,
    published: u64,
    unpublished: &[UnpublishedLine],
) -> RunManifest {
    let context = &plan.context;
    let mut notes = plan.notes.clone();
    if !unpublished.is_empty() {
        notes.insert("lines_unpublished".into(), unpublished.len().to_string());
    }
    RunManifest {
        format_version: run_manifest::FORMAT_VERSION,
        tenant_id: context.tenant_id.clone(),
        workspace_id: context.workspace_id.clone(),
        run_id: context.run_id.clone(),
        run_ts: context.run_ts_text(),
        created_at,
        status: run_status(&scopes, plan.checkers_named, !plan.findings_files.is_empty()),
        finding_id_mode: context.finding_id_mode.as_str().to_owned(),
        engine_name: context.engine_name.clone(),
        engine_version: context.engine_version.clone(),
        rulepack_version: context.rulepack.version(),
        schema_version: context.schema_version,
        published,
        scopes,
        billing_deliveries: billing.map(LoadReport::deliveries).unwrap_or_default(),
        notes,
    }
}
