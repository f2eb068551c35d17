//! One file per verb.

mod checkers;
mod config;
mod contract;
mod delivered;
mod dlq;
mod doctor;
mod exporter_role;
mod findings;
mod headline;
mod redrive;
mod repair;
mod replay;
mod run;
mod sink_role;
mod status;
mod summary;
mod tap;
pub mod topics;
mod up;
mod validator_role;
mod verify;

use std::io::Write;

use clap::CommandFactory;
use platform::exit::ExitCode;

use crate::cli::{Cli, Verb};
use crate::failure::Result;
use crate::settings;

/// Does what was asked.
pub fn dispatch(cli: Cli) -> Result<ExitCode> {
    let Cli { global, verb } = cli;
    if let Verb::Completions { shell } = verb {
        // In memory first: the generators panic when a reader goes away.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "finops", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        return Ok(ExitCode::Done);
    }
    let settings = settings::load(&global, is_service(&verb), only_looks(&verb))?;
    let output = global.output;
    match verb {
        Verb::Run(args) => run::run(&args, &settings, output),
        Verb::Up => up::run(&settings),
        Verb::Validator(verb) => validator_role::run(&verb, &settings, output),
        Verb::Sink(verb) => sink_role::run(&verb, &settings, output),
        Verb::Exporter(verb) => exporter_role::run(&verb, &settings, output),
        Verb::Checkers(verb) => checkers::run(&verb, output),
        Verb::Contract(verb) => contract::run(&verb, &settings, output),
        Verb::Findings(verb) => findings::run(&verb, &settings, output),
        Verb::Dlq(verb) => dlq::run(&verb, &settings, output),
        Verb::Verify(args) => verify::run(&args, &settings, output),
        Verb::Repair(args) => repair::run(&args, &settings, output),
        Verb::Status(args) => status::run(&args, &settings, output),
        Verb::Tap(args) => tap::run(&args, &settings, output),
        Verb::Topics(verb) => topics::run(&verb, &settings, output),
        Verb::Doctor(args) => doctor::run(&args, &settings, output),
        Verb::Replay(verb) => replay::run(&verb, &settings, output),
        Verb::Config(_) => config::show(&settings, output),
        Verb::Completions { .. } => Ok(ExitCode::Done),
    }
}

fn is_service(verb: &Verb) -> bool {
    use crate::cli::{ExporterVerb, SinkVerb, ValidatorVerb};
    matches!(
        verb,
        Verb::Up
            | Verb::Validator(ValidatorVerb::Run { drain: false, .. })
            | Verb::Sink(SinkVerb::Run { drain: false, .. })
            | Verb::Exporter(ExporterVerb::Run(_))
    )
}

/// True of verbs that write nothing but their answer. They do so without the right to write, too.
fn only_looks(verb: &Verb) -> bool {
    use crate::cli::{DlqVerb, ReplayVerb, SinkVerb};
    use topics::TopicsVerb;
    match verb {
        Verb::Findings(_) | Verb::Verify(_) | Verb::Status(_) | Verb::Tap(_) | Verb::Doctor(_) => true,
        Verb::Sink(SinkVerb::Inspect { .. }) | Verb::Topics(TopicsVerb::List) => true,
        Verb::Dlq(DlqVerb::Redrive(args)) => args.dry_run,
        Verb::Dlq(_) => true,
        Verb::Topics(TopicsVerb::Alter(args)) => args.dry_run,
        Verb::Repair(args) => args.dry_run,
        Verb::Replay(ReplayVerb::Compare { .. }) => true,
        _ => false,
    }
}

/// A time or a date on the command line, as milliseconds since the epoch.
pub fn instant(text: &str) -> std::result::Result<i64, String> {
    const DAY_MS: i64 = 86_400_000;
    let date = contracts::time::date(text).map(|days| i64::from(days) * DAY_MS);
    let time = date.or_else(|_| contracts::time::timestamp(text));
    time.map_err(|_| "expected a time such as 2026-01-20T06:00:00Z, or a date".to_owned())
}
