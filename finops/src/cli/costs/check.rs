//! `finops costs check`.

use std::collections::BTreeMap;
use std::sync::Arc;

use checkers::registry::Registry;
use checkers::rulepack::Rulepack;
use checkers::run_context::{RunContext, RunFacts, run_id};
use chrono::{DateTime, Utc};
use collectors::billing::LoadOptions;
use collectors::billing::conformance::{
    CheckOptions, FocusConformance, FocusVersion, RuleViolation, ViolationSample, check,
};
use collectors::registry::CollectorRegistry;
use contracts::identity::SaltMode;
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::progress::Progress;
use runner::run::{Given, RunError, RunPlan};
use runner::selection::select;
use serde_json::{Value, json};
use uuid::Uuid;

use super::CheckArgs;
use crate::cli::run::{Delivery, SCHEMA_VERSION, deliver};
use crate::failure::Result;
use crate::output::{Column, Kind, Output, Rows, note, print_text, print_value};
use crate::ports;
use crate::progress::Bars;
use crate::settings::Settings;

/// Checker of what is found here.
const CHECKER_ID: &str = "focus.conformance";
/// Producer of the findings: another one than that of `finops run`, whose findings stay in the exports of a workspace. Each export of a
/// billing account (`--source`) is one of its own: a check of one says nothing about another.
const ENGINE_NAME: &str = "finops-costs-check";

pub fn run(args: &CheckArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let options = CheckOptions {
        version: args.focus_version.as_deref().and_then(FocusVersion::named),
        source_name: args.source.clone(),
    };
    // What is missing is reported before an hour of work.
    let context = args.tenant.as_deref().map(|tenant| context(tenant, args, settings)).transpose()?;
    collectors::billing::find(&args.paths).and_then(|found| found.sizes()).map_err(RunError::from)?;
    let shutdown = ports::stop_on_signals()?;
    let progress: Arc<dyn Progress> = Arc::new(Bars::default());
    let checked = check(&args.paths, &options, &progress, &shutdown).map_err(RunError::from)?;
    let code = if checked.is_conformant() { ExitCode::Done } else { ExitCode::BadInput };
    let report = json!(checked);
    if output == Output::Table {
        rows(&checked).print(output)?;
        summarize(&checked);
    }
    let Some(context) = context else {
        if output != Output::Table {
            print_report(&report, &checked, output)?;
        }
        return Ok(code);
    };
    let Delivery { summary, code: delivered, .. } =
        deliver(&plan(context, args, settings, checked)?, settings, None, &shutdown)?;
    match output {
        Output::Table => print_text(&format!("\n{summary}"))?,
        _ => print_value(&json!({"conformance": report, "run": summary}), output)?,
    }
    Ok(match delivered? {
        ExitCode::Done => code,
        other => other,
    })
}

fn print_report(report: &Value, checked: &FocusConformance, output: Output) -> Result<()> {
    match output {
        Output::Json => print_value(report, output)?,
        _ => rows(checked).print(output)?,
    }
    Ok(())
}

fn context(tenant: &str, args: &CheckArgs, settings: &Settings) -> Result<RunContext> {
    let run_ts: DateTime<Utc> = DateTime::from_timestamp_millis(SystemClock.now_ms()).unwrap_or_default();
    let suffix = Uuid::new_v4().simple().to_string();
    Ok(RunContext::new(RunFacts {
        tenant_id: tenant.to_owned(),
        workspace_id: args.workspace.clone(),
        run_id: run_id(run_ts, &suffix[..8]),
        run_ts,
        engine_name: args.source.as_ref().map_or(ENGINE_NAME.to_owned(), |name| format!("{ENGINE_NAME}/{name}")),
        engine_version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_version: SCHEMA_VERSION,
        default_currency: settings.default_currency.clone(),
        finding_id_mode: SaltMode::default(),
        rulepack: Arc::new(Rulepack::default()),
    })?)
}

/// A run of the one checker over what was found: no bill is loaded.
fn plan(context: RunContext, args: &CheckArgs, settings: &Settings, checked: FocusConformance) -> Result<RunPlan> {
    Ok(RunPlan {
        context,
        checkers: select(&Registry::linked()?, &[CHECKER_ID.to_owned()], &[])?,
        checkers_named: true,
        collectors: CollectorRegistry::linked()?,
        billing_files: Vec::new(),
        billing_options: LoadOptions { source_name: args.source.clone(), ..LoadOptions::default() },
        findings_files: Vec::new(),
        regions: settings.regions.clone(),
        deadline: settings.deadline,
        limits: settings.task_limits,
        given: vec![Given::new(checked)],
        notes: BTreeMap::new(),
    })
}

fn rows(checked: &FocusConformance) -> Rows {
    let mut rows = Rows::of(vec![
        Column::sized("keyword", Kind::Text, 6, 0),
        Column::sized("rule", Kind::Id, 24, 0),
        Column::sized("count", Kind::Number, 5, 0),
        Column::sized("requirement", Kind::Text, 32, 0),
        Column::sized("first", Kind::Text, 24, 1),
        Column::sized("section", Kind::Text, 20, 2),
        Column::sized("sources", Kind::Number, 7, 3),
    ]);
    let is_one_file = checked.files.len() == 1;
    for RuleViolation { rule, keyword, section, requirement, count, first, by_source } in &checked.violations {
        let first: Vec<String> = first.iter().map(|sample| place(sample, is_one_file)).collect();
        rows.push(vec![
            json!(keyword),
            json!(rule),
            json!(count),
            json!(requirement),
            json!(first.join("; ")),
            json!(section),
            json!(by_source.len()),
        ]);
    }
    rows
}

/// `line 3: "x"`, with the file when there are several.
fn place(sample: &ViolationSample, is_one_file: bool) -> String {
    let file = if is_one_file { String::new() } else { format!("{} ", sample.file) };
    let cell = if sample.cell.is_empty() { "null".to_owned() } else { format!("{:?}", sample.cell) };
    match (sample.line, sample.row) {
        (Some(line), _) => format!("{file}line {line}: {cell}"),
        (None, Some(row)) => format!("{file}row {row}: {cell}"),
        (None, None) => format!("{file}{cell}"),
    }
}

fn summarize(checked: &FocusConformance) {
    for file in &checked.files {
        note!("{}: {} rows, checked by FOCUS {}", file.file, file.rows, file.version);
    }
    note!(
        "{} requirements tested, {} not, because a column that they are about is absent; {} are not kept",
        checked.rules_tested,
        checked.rules_untested.len(),
        checked.violations.len()
    );
    if !checked.absent_columns.is_empty() {
        note!(
            "absent, which is right only where the provider has nothing of it: {}",
            checked.absent_columns.join(", ")
        );
    }
    if !checked.rules_tested_in_part.is_empty() {
        note!(
            "not compared in all rows, because there are too many different values: {}",
            checked.rules_tested_in_part.join(", ")
        );
    }
}
