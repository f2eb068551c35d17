//! `finops sink run|inspect`.

use std::sync::Arc;

use contracts::topics;
use operations::inspect::{Inspection, inspect};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use serde_json::json;
use sink::Until;

use crate::cli::{Output, SinkVerb};
use crate::failure::Result;
use crate::output::{Rows, print_text, print_value};
use crate::ports::{self, Cleaner, Ports};
use crate::settings::Settings;
use crate::watch::Watch;

pub fn run(verb: &SinkVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    match verb {
        SinkVerb::Run { drain, skip_expired, replace_store } => {
            let until = if *drain { Until::Drained } else { Until::Shutdown };
            let (skips_expired, replaced_store) = (*skip_expired, replace_store.clone());
            let config = sink::Config { skips_expired, replaced_store, ..ports::sink_config(settings, until) };
            service(&config, settings, output)
        }
        SinkVerb::Inspect { tenant } => {
            let Ports { broker, store } = Ports::to_look(settings)?;
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

fn service(config: &sink::Config, settings: &Settings, output: Output) -> Result<ExitCode> {
    let mut ports = Ports::open(settings)?;
    let watch = Watch::start(settings, &mut ports, &["sink"], &[topics::groups::SINK])?;
    let shutdown = ports::stop_on_signals()?;
    let _cleaner = Cleaner::start(ports.broker.clone())?;
    let counters = Arc::new(sink::Counters::observed(watch.observer("sink")));
    sink::run(config, &*ports.broker, &*ports.store, &SystemClock, &counters, &shutdown)?;
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
