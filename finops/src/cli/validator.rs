//! `finops validator run`.

use std::sync::Arc;

use clap::Subcommand;
use contracts::topics;
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::service::Until;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Output, print_value};
use crate::ports::{self, Cleaner, OpenPorts};
use crate::settings::Settings;
use crate::watch::Watch;

#[derive(Debug, Subcommand)]
pub enum ValidatorVerb {
    /// Until stopped
    Run {
        /// Stop when everything on the wire topics has been judged
        #[arg(long)]
        drain: bool,
        /// Skip records that expired on the broker before they were judged, instead of stopping there
        #[arg(long)]
        skip_expired: bool,
        /// Resume after records that may have been judged under other settings, instead of stopping there
        #[arg(long)]
        skip_judged: bool,
    },
}

pub fn run(verb: &ValidatorVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let ValidatorVerb::Run { drain, skip_expired, skip_judged } = verb;
    let until = if *drain { Until::Drained } else { Until::Shutdown };
    let (skips_expired, skips_judged) = (*skip_expired, *skip_judged);
    let config =
        validator::ValidatorConfig { skips_expired, skips_judged, ..ports::validator_config(settings, until)? };
    let mut ports = OpenPorts::open(settings)?;
    let watch = Watch::start(settings, &mut ports, &["validator"], &[topics::groups::VALIDATOR])?;
    let shutdown = ports::stop_on_signals()?;
    let _cleaner = Cleaner::start(ports.broker.clone())?;
    let counters = Arc::new(validator::ValidatorCounters::observed(watch.observer("validator")));
    validator::run(
        &config,
        validator::ValidatorDeps { broker: &*ports.broker, clock: &SystemClock, counters: &counters },
        &shutdown,
    )?;
    let done = counters.snapshot();
    print_value(
        &json!({ "read": done.read, "valid": done.valid, "dead": done.dead, "retries": done.retries }),
        output,
    )?;
    Ok(ExitCode::Done)
}
