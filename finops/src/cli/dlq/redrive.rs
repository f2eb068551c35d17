//! `finops dlq redrive`: dead letters back to the topic they came from.

use std::path::{Path, PathBuf};

use clap::Args;
use contracts::source::Src;
use contracts::topics;
use operations::resend::letters::Filter;
use operations::resend::patch::Patch;
use operations::resend::redrive::{RedriveRefusal, RedriveReport, RedriveRequest, execute, plan};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::terminal::escaped;
use serde_json::json;

use super::DlqFilter;
use crate::failure::{Failure, Result};
use crate::output::{Output, Rows, note, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub struct RedriveArgs {
    /// All dead letters; without it a filter is needed
    #[arg(long)]
    pub all: bool,
    /// Say what would be sent, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// JSON Patch (RFC 6902) to apply to each record; a record it does not fit is left alone
    #[arg(long, value_name = "FILE")]
    pub patch: Option<PathBuf>,
    /// Send at most this many records a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Send at most this many records
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
    /// Leave alone what was redriven this often
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub replays_max: u32,
    /// Who asks, for the audit record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
    #[command(flatten)]
    pub filter: DlqFilter,
}

/// Refusals that a person is shown; programs get more.
const SHOWN_MAX: usize = 20;

pub fn run(args: &RedriveArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let filter = filter(&args.filter)?;
    if filter.is_empty() != args.all {
        let why = if args.all { "--all and a filter exclude each other" } else { "give a filter, or --all" };
        return Err(Failure::usage(why));
    }
    let request = RedriveRequest {
        filter,
        patch: args.patch.as_deref().map(read_patch).transpose()?,
        rate: args.rate,
        max: args.max,
        replays_max: args.replays_max,
        by: args.by.clone(),
    };
    let OpenPorts { broker, store } =
        if args.dry_run { OpenPorts::to_look(settings)? } else { OpenPorts::existing(settings)? };
    let mut report = plan(&request, &*broker, &*store)?;
    // What was left unanswered may have to be sent yet.
    let has_work = report.sent > 0 || report.refused.contains_key(&RedriveRefusal::Unanswered);
    if !args.dry_run && has_work {
        let shutdown = ports::stop_on_signals()?;
        report = execute(&request, &report, &*broker, &*store, &SystemClock, &shutdown)?;
    }
    print(&report, args.dry_run, output)?;
    Ok(if report.is_stopped { ExitCode::TryAgain } else { ExitCode::Done })
}

fn filter(args: &DlqFilter) -> Result<Filter> {
    let positions = args.src.iter().map(|text| text.parse::<Src>().map_err(|e| Failure::usage(e.to_string())));
    Ok(Filter {
        tenant_id: args.tenant.clone(),
        run_id: args.run.clone(),
        error_code: args.code.clone(),
        src_topic: args.producer.iter().map(|name| topics::wire_of(name)).collect(),
        src: positions.collect::<Result<_>>()?,
        since_ms: args.since,
        until_ms: args.until,
    })
}

fn read_patch(path: &Path) -> Result<Patch> {
    let bad = |why: String| Failure::bad_input(format!("reading patch {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|e| bad(e.to_string()))?;
    Patch::parse(&text).map_err(|e| bad(e.to_string()))
}

fn print(report: &RedriveReport, dry_run: bool, output: Output) -> Result<()> {
    let listed = |rows: &mut Rows| {
        for letter in &report.first {
            rows.push(vec![
                json!(letter.src),
                json!(letter.tenant_id),
                json!(letter.error_code),
                json!(letter.topic),
                json!(letter.replays),
                json!(letter.position),
            ]);
        }
    };
    match output {
        Output::Table => {}
        Output::Csv => {
            let mut rows = Rows::new(&["src", "tenant", "code", "topic", "replays", "position"]);
            listed(&mut rows);
            return Ok(rows.print(output)?);
        }
        _ => {
            let mut value = serde_json::to_value(report).unwrap_or_default();
            value["dry_run"] = json!(dry_run);
            return Ok(print_value(&value, output)?);
        }
    }
    let mut groups = Rows::new(&["count", "code", "tenant", "topic"]);
    for group in &report.groups {
        groups.push(vec![json!(group.count), json!(group.error_code), json!(group.tenant_id), json!(group.topic)]);
    }
    groups.print(output)?;
    let RedriveReport { sent, matching, .. } = report;
    let outcome = if dry_run { "would be sent" } else { "were sent; `finops up` or `finops run` takes them on" };
    print_text(&format!("\n{sent} of {matching} matching dead letters {outcome}\n"))?;
    for (reason, count) in &report.refused {
        print_text(&format!("{count} left alone: {}\n", json!(reason).as_str().unwrap_or_default()))?;
    }
    for refused in report.refusals.iter().take(SHOWN_MAX) {
        let reason = json!(refused.reason);
        print_text(&format!(
            "  {} {}: {}\n",
            refused.src,
            reason.as_str().unwrap_or_default(),
            escaped(&refused.detail)
        ))?;
    }
    if report.refusals.len() > SHOWN_MAX {
        let total = report.refusals.len();
        print_text(&format!("  showing {SHOWN_MAX} of {total} that are left alone; --output json has them\n"))?;
    }
    if let Some(audit) = &report.audit {
        print_text(&format!("audit record: {audit}\n"))?;
    }
    for (is_so, why) in [(report.is_capped, "--max was reached"), (report.is_stopped, "it was stopped")] {
        if is_so {
            note!("{why}: there may be more, the same command goes on");
        }
    }
    Ok(())
}
