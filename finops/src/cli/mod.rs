//! The command line: one file per verb, with its arguments and what it does. Help texts are the doc comments; completions are
//! generated from here.

mod bill;
mod billing;
mod checkers;
mod collectors;
mod config;
mod contract;
mod costs;
mod counts;
mod coverage;
mod delivered;
mod dlq;
mod doctor;
mod exporter;
mod findings;
mod headline;
mod kpis;
mod repair;
mod replay;
mod report;
mod run;
mod run_report;
mod sink;
mod status;
mod summary;
mod tap;
mod top_findings;
mod topics;
mod up;
mod validator;
mod verify;

use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};
use platform::exit::ExitCode;

use crate::failure::Result;
use crate::global::Global;
use crate::{output, settings};

/// Cloud-cost findings from checkers to Parquet, JSON and KPI tables: nothing lost, nothing counted twice.
#[derive(Debug, Parser)]
#[command(name = "finops", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The main job, once: collect, check, publish, validate, sink, export; then exit
    Run(Box<run::RunArgs>),
    /// All services in one process, until stopped
    Up,
    /// The validator as a service
    #[command(subcommand)]
    Validator(validator::ValidatorVerb),
    /// The sink as a service
    #[command(subcommand)]
    Sink(sink::SinkVerb),
    /// The exporter: once, or as a service
    #[command(subcommand)]
    Exporter(exporter::ExporterVerb),
    /// What the checkers are and what they look for
    #[command(subcommand)]
    Checkers(checkers::CheckersVerb),
    /// What the collectors record, where, and with which permissions
    #[command(subcommand)]
    Collectors(collectors::CollectorsVerb),
    /// The contract, for producers
    #[command(subcommand)]
    Contract(contract::ContractVerb),
    /// Bills as cost facts: load them, and see what is live
    #[command(subcommand)]
    Costs(costs::CostsVerb),
    /// Findings of one tenant, from the dataset
    #[command(subcommand)]
    Findings(findings::FindingsVerb),
    /// KPIs of the gold tables
    #[command(subcommand)]
    Kpis(kpis::KpisVerb),
    /// Dead letters: what was refused and why
    #[command(subcommand)]
    Dlq(dlq::DlqVerb),
    /// Proves that nothing is lost, doubled or changed, and names what it could not compare
    #[command(
        after_help = "Ends with 0 when everything was compared and is as it must be, 65 when something is not, 4 when what \
                      could be compared is as it must be, but not everything could be."
    )]
    Verify(verify::VerifyArgs),
    /// Brings back what `verify` found missing, as far as the broker still holds it
    Repair(repair::RepairArgs),
    /// How far every service is: lag, commits, files, dead letters, runs
    Status(status::StatusArgs),
    /// Shows the records of a topic as they come; joins no group and leaves no trace
    Tap(tap::TapArgs),
    /// Topics of the broker, and how they are kept
    #[command(subcommand)]
    Topics(topics::TopicsVerb),
    /// Says what is wrong with configuration and environment, and what to do about it
    #[command(
        after_help = "Ends with 0 when nothing fails, 75 when something around it does (mend it and try again), \
                      78 when the configuration has to change."
    )]
    Doctor(doctor::DoctorArgs),
    /// Judges wire records once more: into a fresh root that is compared and swapped in, or into the same dataset
    #[command(subcommand)]
    Replay(replay::ReplayVerb),
    /// The configuration in force
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Completions for a shell, to stdout
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

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
        Verb::Validator(verb) => validator::run(&verb, &settings, form),
        Verb::Sink(verb) => sink::run(&verb, &settings, form),
        Verb::Exporter(verb) => exporter::run(&verb, &settings, form),
        Verb::Checkers(verb) => checkers::run(&verb, form),
        Verb::Collectors(verb) => collectors::run(&verb, form),
        Verb::Contract(verb) => contract::run(&verb, &settings, form),
        Verb::Costs(verb) => costs::run(&verb, &settings, form),
        Verb::Findings(verb) => findings::run(&verb, &settings, form),
        Verb::Kpis(verb) => kpis::run(&verb, form),
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
    matches!(
        verb,
        Verb::Up
            | Verb::Validator(validator::ValidatorVerb::Run { drain: false, .. })
            | Verb::Sink(sink::SinkVerb::Run { drain: false, .. })
            | Verb::Exporter(exporter::ExporterVerb::Run(_))
    )
}

/// True of verbs that write nothing but their answer. They do so without the right to write, too.
fn only_looks(verb: &Verb) -> bool {
    match verb {
        Verb::Findings(_) | Verb::Verify(_) | Verb::Status(_) | Verb::Tap(_) | Verb::Doctor(_) => true,
        Verb::Costs(costs::CostsVerb::Status(_)) => true,
        Verb::Sink(sink::SinkVerb::Inspect { .. }) | Verb::Topics(topics::TopicsVerb::List) => true,
        Verb::Dlq(dlq::DlqVerb::Redrive(args)) => args.dry_run,
        Verb::Dlq(_) => true,
        Verb::Topics(topics::TopicsVerb::Alter(args)) => args.dry_run,
        Verb::Repair(args) => args.dry_run,
        Verb::Replay(replay::ReplayVerb::Compare { .. }) => true,
        _ => false,
    }
}
