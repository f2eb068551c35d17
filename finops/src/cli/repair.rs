//! `finops repair`: brings back what `verify` finds missing.

use clap::Args;
use lake::verify::{Subject, verify_all};
use operations::{Operator, repair};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::progress::Unit;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Output, note, print_value};
use crate::ports::{self, OpenPorts};
use crate::progress;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Say what would be sent, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Who asks, for the audit record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
}

pub fn run(args: &RepairArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let OpenPorts { broker, store } =
        if args.dry_run { OpenPorts::to_look(settings)? } else { OpenPorts::existing(settings)? };
    let bar = progress::bar("verifying", Unit::Things("files"), None);
    let producers = ports::producer_policies(settings)?;
    let subject = Subject { store: &*store, broker: Some(&*broker), exports: None, producers: &producers };
    let report = verify_all(subject, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let plan = repair::plan(&report);
    for problem in &plan.blocked_by {
        note!("until this is mended nothing is sent: {}: {}", problem.object, problem.detail);
    }
    if plan.is_empty() {
        note!("there is nothing that can be brought back");
    }
    let mut done = repair::Repaired::default();
    if !args.dry_run {
        let shutdown = ports::stop_on_signals()?;
        let operator = Operator { by: &args.by, clock: &SystemClock, shutdown: &shutdown };
        done = repair::execute(&plan, &*broker, &*store, &operator)?;
    }
    print_value(&json!({ "plan": plan, "dry_run": args.dry_run, "done": done }), output)?;
    if done.sent > 0 {
        note!("{} record(s) were sent again; `finops up` or `finops run` takes them on", done.sent);
    }
    if done.commits > 0 {
        note!("{} commit record(s) were rebuilt from topic and files; `finops repair` does the rest", done.commits);
    }
    if done.manifests > 0 {
        note!("{} run manifest(s) were written again", done.manifests);
    }
    if done.checkpoints > 0 {
        note!(
            "{} checkpoint(s) were written again from their commit records; start the sinks again, then `finops repair`",
            done.checkpoints
        );
    }
    for failed in &done.failed {
        note!("error: {failed}");
    }
    let is_whole = plan.blocked_by.is_empty() && done.failed.is_empty();
    Ok(if is_whole { ExitCode::Done } else { ExitCode::TryAgain })
}
