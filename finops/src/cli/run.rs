//! `finops run`: collect → check → publish → validate → sink → export, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use checkers::registry::Registry;
use checkers::rulepack::Rulepack;
use checkers::run_context::{RunContext, RunFacts, run_id};
use chrono::{DateTime, Utc};
use clap::Args;
use collectors::billing;
use collectors::registry::CollectorRegistry;
use contracts::identity::SaltMode;
use exporter::{ExportError, ExportOptions, PassReport};
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::lifecycle::Shutdown;
use platform::observe::Observer;
use platform::progress::Unit;
use platform::service::Until;
use platform::trace::Tracer;
use runner::publish::{FindingsInput, RECORD_BYTES_MAX, is_standard_input};
use runner::run::{RunError, RunPlan, RunReport, collectors_of};
use runner::selection::select;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bill::BillArgs;
use super::delivered::Delivered;
use super::report::NewReport;
use super::run_report;
use super::summary::Summary;
use crate::failure::{Failure, Result};
use crate::output::{Output, Rows};
use crate::ports::{self, OpenPorts};
use crate::progress::{self, Bars, watched};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Tenant the findings belong to
    #[arg(long)]
    pub tenant: String,
    /// Workspace of the tenant
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// Bills: AWS cost and usage reports (legacy and 2.0) or FOCUS 0.5 to 1.4, as CSV, CSV.gz or Parquet; files, folders or
    /// manifests, also in a bucket (s3://BUCKET/PREFIX); repeatable
    #[arg(long, visible_alias = "focus", num_args = 1.., value_name = "PATH")]
    pub bill: Vec<PathBuf>,
    #[command(flatten)]
    pub taken: BillArgs,
    /// Another producer's wire findings, one JSON object on each line, packed with gzip or not, published as they are; - is
    /// standard input; repeatable
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub findings: Vec<PathBuf>,
    /// Only these checkers, by SPEC or checker id; repeatable [default: all]
    #[arg(long, num_args = 1.., value_name = "SPEC")]
    pub checker: Vec<String>,
    /// All but these checkers; repeatable
    #[arg(long, num_args = 1.., value_name = "SPEC")]
    pub exclude_checker: Vec<String>,
    /// What a finding id is stable over
    #[arg(long, default_value = "stable", value_name = "MODE", value_parser = SaltMode::NAMES)]
    pub finding_id_mode: String,
    /// Thresholds of the checkers
    #[arg(long, value_name = "FILE")]
    pub rulepack: Option<PathBuf>,
    /// Rows in findings.json [default: exporter.findings_max]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Write the report of the job into this file [default: run_reports/TENANT/WORKSPACE/RUN/run_report.json in the data folder]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Say what would be checked, and stop
    #[arg(long)]
    pub dry_run: bool,
}

/// Version of the stored findings, as own checkers write it.
pub const SCHEMA_VERSION: u16 = 1;

pub fn run(args: &RunArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let plan = plan(args, settings)?;
    // What is missing is reported before anything is made.
    let inputs = inputs(&plan)?;
    if args.dry_run {
        return dry_run(&plan, &inputs, output);
    }
    // A place where nothing can be written is refused before anything is done.
    let named = args.report.as_deref().map(NewReport::begin).transpose()?;
    let usual = run_report::place(settings, &plan.context);
    let place = args.report.as_ref().unwrap_or(&usual);
    let write = |report: &Value| match named {
        Some(file) => file.write(report),
        None => run_report::write(&usual, report),
    };
    match deliver(&plan, settings, args.limit, &ports::stop_on_signals()?) {
        Ok(Delivery { mut summary, report, code }) => {
            let written = write(&report);
            summary.report = written.is_ok().then(|| place.clone());
            summary.print(output)?;
            written.and(code)
        }
        Err(failure) => {
            // Where not even the data folder is there, nothing has begun.
            if args.report.is_some() || settings.data.is_dir() {
                let written = write(&run_report::of_failure(&plan.context, &failure));
                written.inspect_err(|why| tracing::debug!(why = why.message(), "the run has no report")).ok();
            }
            Err(failure)
        }
    }
}

/// What a run has come to.
pub struct Delivery {
    pub summary: Summary,
    /// For the report file.
    pub report: Value,
    /// With what it ends once the summary is printed.
    pub code: Result<ExitCode>,
}

/// Runs the plan through all stages; `limit` is that of findings.json.
pub fn deliver(plan: &RunPlan, settings: &Settings, limit: Option<u64>, shutdown: &Shutdown) -> Result<Delivery> {
    let validator_config = ports::validator_config(settings, Until::Drained)?;
    let ports = OpenPorts::open(settings)?;
    let mut span = settings.traces.tracer().span("finops run");
    span.set("finops.run_id", || plan.context.run_id.clone());
    let tracer = settings.traces.tracer().within(&span);
    let mut job = Job { plan, settings, ports: &ports, shutdown, tracer, stages: Vec::new() };
    let done = job.run(limit, &validator_config);
    let failure = match &done {
        Ok(delivery) => delivery.code.as_ref().err(),
        Err(failure) => Some(failure),
    };
    if let Some(failure) = failure {
        span.fail(&failure.message());
    }
    done
}

/// A run that has begun.
struct Job<'a> {
    plan: &'a RunPlan,
    settings: &'a Settings,
    ports: &'a OpenPorts,
    shutdown: &'a Shutdown,
    tracer: Tracer,
    /// Wall time by stage.
    stages: Vec<(&'static str, Duration)>,
}

impl Job<'_> {
    fn run(&mut self, limit: Option<u64>, validator: &validator::ValidatorConfig) -> Result<Delivery> {
        let (settings, ports) = (self.settings, self.ports);
        let report = collect_check_publish(self.plan, ports, self.tracer.clone(), self.shutdown)?;
        self.stages.clone_from(&report.stages);
        let shutdown = self.shutdown;
        let judged = self.stage("validate", |observer| validate(validator, ports, shutdown, observer))?;
        let written = self.stage("sink", |observer| write(settings, ports, shutdown, observer))?;
        if shutdown.is_requested() {
            let why = stopped_behind_publishing(report.manifest.published, &judged, &written);
            return Err(Failure::new(ExitCode::TryAgain, why));
        }
        let exported = self.stage("export", |_| export(limit, settings, ports, shutdown))?;
        if let Some(left) = exported.as_ref().map(|pass| pass.left).filter(|left| *left > 0) {
            let why = format!(
                "stopped: all findings are written, the files of {left} tenant(s) are not exported; `finops exporter once` \
                 exports them"
            );
            return Err(Failure::new(ExitCode::TryAgain, why));
        }
        let delivered = Delivered::of_run(ports, settings, &report)?;
        let summary = Summary::new(settings, &report, &judged, &written, exported.as_ref(), delivered, &self.stages);
        let own = Some(&*report.manifest.tenant_id);
        let failed = exported.as_ref().map_or(ExitCode::Done, |pass| super::exporter::code(pass, own));
        let code = match summary.refused_whole(&report) {
            Some(why) => Err(Failure::bad_input(why)),
            None if failed == ExitCode::Done => Ok(summary.exit_code(&report)),
            None => Ok(failed),
        };
        Ok(Delivery { summary, report: run_report::of(&report, exported.as_ref()), code })
    }

    /// A stage, its time and its part of the trace.
    fn stage<T>(&mut self, name: &'static str, work: impl FnOnce(Observer) -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let mut span = self.tracer.span(name);
        let observer = Observer { tracer: self.tracer.within(&span), ..Observer::default() };
        let done = work(observer).inspect_err(|failure| span.fail(&failure.message()));
        self.stages.push((name, started.elapsed()));
        done
    }
}

fn plan(args: &RunArgs, settings: &Settings) -> Result<RunPlan> {
    if args.bill.is_empty() && args.findings.is_empty() && args.checker.is_empty() {
        let why = "nothing to do: give bills (--bill), findings (--findings) or a checker (--checker)";
        return Err(Failure::usage(why));
    }
    let registry = Registry::linked()?;
    let has_something_to_check = !args.bill.is_empty() || !args.checker.is_empty();
    let checkers = match has_something_to_check {
        true => select(&registry, &args.checker, &args.exclude_checker)?,
        false => Vec::new(),
    };
    let rulepack = match &args.rulepack {
        None => Rulepack::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                Failure::new(ExitCode::Configuration, format!("reading rulepack {}: {e}", path.display()))
            })?;
            Rulepack::parse(&text, &registry.thresholds())?
        }
    };
    let run_ts: DateTime<Utc> = DateTime::from_timestamp_millis(SystemClock.now_ms()).unwrap_or_default();
    let suffix = Uuid::new_v4().simple().to_string();
    let context = RunContext::new(RunFacts {
        tenant_id: args.tenant.clone(),
        workspace_id: args.workspace.clone(),
        run_id: run_id(run_ts, &suffix[..8]),
        run_ts,
        engine_name: "finops".to_owned(),
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_version: SCHEMA_VERSION,
        default_currency: settings.default_currency.clone(),
        finding_id_mode: args.finding_id_mode.parse()?,
        rulepack: Arc::new(rulepack),
    })?;
    Ok(RunPlan {
        context,
        checkers,
        checkers_named: !args.checker.is_empty(),
        collectors: CollectorRegistry::linked()?,
        billing_files: args.bill.clone(),
        billing_options: args.taken.options(settings),
        findings_files: args.findings.clone(),
        regions: settings.regions.clone(),
        deadline: settings.deadline,
        limits: settings.task_limits,
        given: Vec::new(),
        notes: BTreeMap::new(),
    })
}

/// Every file to be read, with its bytes.
fn inputs(plan: &RunPlan) -> Result<Vec<(PathBuf, u64)>> {
    let standard_input = plan.billing_files.iter().chain(&plan.findings_files).filter(|path| is_standard_input(path));
    if standard_input.count() > 1 {
        return Err(Failure::usage("standard input (-) can be read once only"));
    }
    let mut inputs = billing::find(&plan.billing_files).and_then(|found| found.sizes()).map_err(RunError::from)?;
    for path in &plan.findings_files {
        inputs.push((path.clone(), findings_bytes(path)?));
    }
    Ok(inputs)
}

/// Size of a findings file; one that is no such file is refused here.
fn findings_bytes(path: &Path) -> Result<u64> {
    // A pipe is opened once only: closing it would end the process that writes to it. It is looked at when the run reads it.
    let is_pipe = || std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir());
    if is_standard_input(path) || is_pipe() {
        return Ok(0);
    }
    FindingsInput::open(path, RECORD_BYTES_MAX)?;
    Ok(std::fs::metadata(path).map(|meta| meta.len()).unwrap_or_default())
}

fn dry_run(plan: &RunPlan, inputs: &[(PathBuf, u64)], output: Output) -> Result<ExitCode> {
    let mut rows = Rows::new(&["would", "what", "bytes"]);
    inputs.iter().for_each(|(path, bytes)| rows.push(vec![json!("read"), json!(path), json!(bytes)]));
    let in_accounts = collectors_of(plan).into_iter().filter(|collector| !collector.actions.is_empty());
    in_accounts.for_each(|collector| rows.push(vec![json!("collect"), json!(collector.id), json!(null)]));
    plan.checkers.iter().for_each(|checker| rows.push(vec![json!("check"), json!(checker.spec), json!(null)]));
    rows.print(output)?;
    Ok(ExitCode::Done)
}

fn collect_check_publish(plan: &RunPlan, ports: &OpenPorts, tracer: Tracer, shutdown: &Shutdown) -> Result<RunReport> {
    let (broker, store, progress) = (&*ports.broker, &*ports.store, Arc::new(Bars::default()));
    let shutdown = shutdown.clone();
    let clock = &SystemClock;
    Ok(runner::run::run(plan, &runner::run::Ports { broker, store, clock, progress, tracer, shutdown })?)
}

/// What is reported for a run that was stopped after it had published everything.
fn stopped_behind_publishing(
    published: u64,
    judged: &validator::ValidatorSnapshot,
    written: &sink::SinkSnapshot,
) -> String {
    format!(
        "stopped before everything was written. Published: {published} record(s) and the run manifest; judged since: {} \
         valid, {} dead; written: {} row(s) in {} file(s); not exported. The next `finops run`, or `finops up`, takes on \
         the rest",
        judged.valid,
        judged.dead,
        written.findings_rows + written.dead_letter_rows,
        written.files
    )
}

fn validate(
    config: &validator::ValidatorConfig,
    ports: &OpenPorts,
    shutdown: &Shutdown,
    observer: Observer,
) -> Result<validator::ValidatorSnapshot> {
    let counters = Arc::new(validator::ValidatorCounters::observed(observer));
    watched(
        "validating",
        Unit::Things("records"),
        None,
        || counters.snapshot().read,
        || {
            validator::run(
                config,
                validator::ValidatorDeps { broker: &*ports.broker, clock: &SystemClock, counters: &counters },
                shutdown,
            )
        },
    )?;
    Ok(counters.snapshot())
}

fn write(
    settings: &Settings,
    ports: &OpenPorts,
    shutdown: &Shutdown,
    observer: Observer,
) -> Result<sink::SinkSnapshot> {
    let counters = Arc::new(sink::SinkCounters::observed(observer));
    let config = ports::sink_config(settings, Until::Drained);
    watched(
        "writing",
        Unit::Things("records"),
        None,
        || counters.snapshot().read,
        || {
            sink::run(
                &config,
                sink::SinkDeps {
                    broker: &*ports.broker,
                    store: &*ports.store,
                    clock: &SystemClock,
                    counters: &counters,
                },
                shutdown,
            )
        },
    )?;
    // Not before: what an interrupted run has left is judged and written first, however old it is.
    ports::clean(&*ports.broker);
    Ok(counters.snapshot())
}

/// `None` when there is nothing to export.
fn export(
    limit: Option<u64>,
    settings: &Settings,
    ports: &OpenPorts,
    shutdown: &Shutdown,
) -> Result<Option<PassReport>> {
    let options = ExportOptions { limit: limit.unwrap_or(settings.findings_max), ..ExportOptions::default() };
    let config = ports::exporter_config(settings, options);
    let deps = ports::exporter_deps(ports.store.clone(), Observer::default());
    let bar = progress::bar("exporting", Unit::Things("tenants"), None);
    let outcome = exporter::refresh(&config, &deps, shutdown);
    bar.finish_and_clear();
    match outcome {
        Err(ExportError::NoInputFiles { .. }) => Ok(None),
        other => Ok(Some(other?)),
    }
}
