//! `finops sink run|inspect`.

use std::sync::Arc;

use clap::Subcommand;
use contracts::topics;
use operations::inspect::{Inspection, inspect};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::service::Until;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Output, Rows, print_text, print_value};
use crate::ports::{self, Cleaner, OpenPorts};
use crate::settings::Settings;
use crate::watch::Watch;

#[derive(Debug, Subcommand)]
pub enum SinkVerb {
    /// Until stopped
    Run {
        /// Stop when everything on the topics has been committed
        #[arg(long)]
        drain: bool,
        /// Skip records that expired on the broker before they were written, instead of stopping there
        #[arg(long)]
        skip_expired: bool,
        /// Take the place of this store, which no sink writes to any more: its id is in the message that refuses this one
        #[arg(long, value_name = "ID")]
        replace_store: Option<String>,
    },
    /// What is written and what is not yet: commit chains with their lag, files by tenant and day
    Inspect {
        /// Only files of this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
}

pub fn run(verb: &SinkVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    match verb {
        SinkVerb::Run { drain, skip_expired, replace_store } => {
            let until = if *drain { Until::Drained } else { Until::Shutdown };
            let (skips_expired, replaced_store) = (*skip_expired, replace_store.clone());
            let config = sink::SinkConfig { skips_expired, replaced_store, ..ports::sink_config(settings, until) };
            service(&config, settings, output)
        }
        SinkVerb::Inspect { tenant } => {
            let OpenPorts { broker, store } = OpenPorts::to_look(settings)?;
            let found = inspect(&*store, Some(&*broker), tenant.as_deref())?;
            match output {
                Output::Table => print_table(&found)?,
                Output::Csv => folders(&found).print(output)?,
                _ => print_value(&serde_json::to_value(&found).unwrap_or_default(), output)?,
            }
            Ok(ExitCode::Done)
        }
    }
}

fn service(config: &sink::SinkConfig, settings: &Settings, output: Output) -> Result<ExitCode> {
    let mut ports = OpenPorts::open(settings)?;
    let watch = Watch::start(settings, &mut ports, &["sink"], &[topics::groups::SINK])?;
    let shutdown = ports::stop_on_signals()?;
    let _cleaner = Cleaner::start(ports.broker.clone())?;
    let counters = Arc::new(sink::SinkCounters::observed(watch.observer("sink")));
    sink::run(
        config,
        sink::SinkDeps { broker: &*ports.broker, store: &*ports.store, clock: &SystemClock, counters: &counters },
        &shutdown,
    )?;
    print_value(&serde_json::to_value(counters.snapshot()).unwrap_or_default(), output)?;
    Ok(ExitCode::Done)
}

fn print_table(found: &Inspection) -> Result<()> {
    let mut chains = Rows::new(&["topic", "partition", "commits", "end", "lag", "rows", "duplicates", "last commit"])
        .may_lack(&["duplicates", "end"]);
    for chain in &found.chains {
        chains.push(vec![
            json!(chain.topic),
            json!(chain.partition),
            json!(chain.commits),
            json!(chain.end),
            json!(chain.lag),
            json!(chain.rows),
            json!(chain.duplicates),
            json!(chain.committed_at),
        ]);
    }
    chains.print(Output::Table)?;
    for broken in found.chains.iter().filter_map(|chain| chain.broken.as_ref()) {
        print_text(&format!("{broken}; `finops verify` tells more\n"))?;
    }
    print_text("\n")?;
    Ok(folders(found).print(Output::Table)?)
}

fn folders(found: &Inspection) -> Rows {
    let mut rows = Rows::new(&["dataset", "tenant", "run date", "files", "rows", "bytes"]);
    for folder in &found.folders {
        rows.push(vec![
            json!(folder.dataset),
            json!(folder.tenant_id),
            json!(folder.run_date),
            json!(folder.files),
            json!(folder.rows),
            json!(folder.bytes),
        ]);
    }
    rows
}
