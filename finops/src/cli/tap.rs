//! `finops tap`: shows the records of a topic as they come.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use platform::exit::ExitCode;
use platform::terminal::escaped;

use crate::failure::{Failure, Result};
use crate::output::{Output, write_json, write_json_line};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;
use crate::tap::Tap;
use crate::tap::decode::{Decoder, summary, tenant};

#[derive(Debug, Args)]
pub struct TapArgs {
    /// Topic
    pub topic: String,
    /// Where to begin: earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or an age such as 1h
    #[arg(long, default_value = "latest", value_name = "WHERE")]
    pub from: crate::tap::From,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Only records of this tenant, by header or key
    #[arg(long)]
    pub tenant: Option<String>,
    /// Stop after this many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Stop at the end of what is there
    #[arg(long)]
    pub no_follow: bool,
}

/// How long to wait for new records at the end of a topic.
const WAIT: Duration = Duration::from_millis(200);

pub fn run(args: &TapArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    if output == Output::Csv {
        return Err(Failure::usage("a record is no row: ask for table, json or ndjson instead of csv"));
    }
    let OpenPorts { broker, .. } = OpenPorts::to_look(settings)?;
    let decoder = Decoder::new()
        .map_err(|e| Failure::new(ExitCode::Bug, format!("reading the schema of the valid topic: {e}")))?;
    let mut tap = Tap::new(&*broker, &args.topic, args.from, args.partition)?;
    let shutdown = ports::stop_on_signals()?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 && !shutdown.is_requested() {
        let messages = match tap.read() {
            // Who asks for all that is there must not take less for it; who waits for new records goes on waiting.
            Err(error) if error.is_retriable() && !args.no_follow => {
                tracing::warn!(%error, "trying again");
                Vec::new()
            }
            read => read?,
        };
        if messages.is_empty() && (args.no_follow || shutdown.wait_timeout(WAIT)) {
            break;
        }
        let mut out = io::stdout().lock();
        let wanted = messages.iter().filter(|m| args.tenant.is_none() || tenant(m) == args.tenant);
        for message in wanted.take(usize::try_from(left).unwrap_or(usize::MAX)) {
            let record = decoder.record(message);
            match output {
                Output::Table => writeln!(out, "{}", escaped(&summary(&record)))?,
                // There may be no end, so no brackets either: one object after the other.
                Output::Json => write_json(&mut out, &record)?,
                _ => write_json_line(&mut out, &record)?,
            }
            left -= 1;
        }
        out.flush()?;
    }
    Ok(ExitCode::Done)
}
