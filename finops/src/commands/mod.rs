//! One file per verb.

mod checkers;
mod config;
mod contract;
mod delivered;
mod dlq;
mod dlq_page;
mod doctor;
mod exporter_role;
pub mod findings;
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
use crate::{output, settings};

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
    output::set_width(global.width);
    let settings = settings::load(&global, is_service(&verb), only_looks(&verb))?;
    let form = global.output;
    match verb {
        Verb::Run(args) => run::run(&args, &settings, form),
        Verb::Up => up::run(&settings),
        Verb::Validator(verb) => validator_role::run(&verb, &settings, form),
        Verb::Sink(verb) => sink_role::run(&verb, &settings, form),
        Verb::Exporter(verb) => exporter_role::run(&verb, &settings, form),
        Verb::Checkers(verb) => checkers::run(&verb, form),
        Verb::Contract(verb) => contract::run(&verb, &settings, form),
        Verb::Findings(verb) => findings::run(&verb, &settings, form),
        Verb::Dlq(verb) => dlq::run(&verb, &settings, form),
        Verb::Verify(args) => verify::run(&args, &settings, form),
        Verb::Repair(args) => repair::run(&args, &settings, form),
        Verb::Status(args) => status::run(&args, &settings, form),
        Verb::Tap(args) => tap::run(&args, &settings, form),
        Verb::Topics(verb) => topics::run(&verb, &settings, form),
        Verb::Doctor(args) => doctor::run(&args, &settings, form),
        Verb::Replay(verb) => replay::run(&verb, &settings, form),
        Verb::Config(_) => config::show(&settings, form),
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
