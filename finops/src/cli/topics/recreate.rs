//! `finops topics recreate`: the way out of a broker that was rolled back.

use std::time::Duration;

use clap::Args;
use operations::{Operator, recreate};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Output, Rows, print_text};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub struct RecreateArgs {
    /// Who asks, for the audit record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
    /// Say how many records each topic would carry over, and stop
    #[arg(long)]
    pub dry_run: bool,
}

pub fn run(args: &RecreateArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let OpenPorts { broker, store } =
        if args.dry_run { OpenPorts::to_look(settings)? } else { OpenPorts::existing(settings)? };
    let shutdown = ports::stop_on_signals()?;
    let operator = Operator { by: &args.by, clock: &SystemClock, shutdown: &shutdown };
    let done = match args.dry_run {
        true => recreate::plan(&*broker, &*store, &operator)?,
        // A service that was killed keeps its partitions for a session.
        false => recreate::execute(&*broker, &*store, &operator, settings.session_timeout + Duration::from_secs(5))?,
    };
    let mut rows = Rows::new(&["topic", "partitions", "records", "carried over"]);
    for of in &done.topics {
        rows.push(vec![json!(of.topic), json!(of.partitions), json!(of.held), json!(of.carried)]);
    }
    rows.print(output)?;
    if output == Output::Table {
        print_text(match args.dry_run {
            true => "nothing was changed: --dry-run\n",
            false => "the topics were created again; start the services and producers\n",
        })?;
    }
    Ok(ExitCode::Done)
}
