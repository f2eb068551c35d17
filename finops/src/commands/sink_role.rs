//! `finops sink run`.

use std::sync::Arc;

use platform::clock::SystemClock;
use platform::exit::ExitCode;
use sink::Until;

use crate::cli::{Output, SinkVerb};
use crate::failure::Result;
use crate::output::print_value;
use crate::ports::{self, Ports};
use crate::settings::Settings;

pub fn run(verb: &SinkVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let SinkVerb::Run { drain } = verb;
    let until = if *drain { Until::Drained } else { Until::Shutdown };
    let Ports { broker, store } = Ports::open(settings)?;
    let shutdown = ports::stop_on_signals()?;
    let counters = Arc::new(sink::Counters::default());
    sink::run(&ports::sink_config(settings, until), &broker, &*store, &SystemClock, &counters, &shutdown)?;
    print_value(&serde_json::to_value(counters.snapshot()).unwrap_or_default(), output)?;
    Ok(ExitCode::Done)
}
