//! `finops collectors list`.

use checkers::registry::Registry;
use clap::Subcommand;
use collectors::registry::{Collector, CollectorRegistry};
use platform::exit::ExitCode;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Column, Kind, Output, Rows};

#[derive(Debug, Subcommand)]
pub enum CollectorsVerb {
    /// All collectors: what each records, once for what, the permissions it uses and the checkers that need it
    List,
}

pub fn run(verb: &CollectorsVerb, output: Output) -> Result<ExitCode> {
    let (collectors, checkers) = (CollectorRegistry::linked()?, Registry::linked()?);
    match verb {
        CollectorsVerb::List => list(&collectors, &checkers, output)?,
    }
    Ok(ExitCode::Done)
}

fn list(collectors: &CollectorRegistry, checkers: &Registry, output: Output) -> Result<()> {
    let mut rows = Rows::of(vec![
        Column::sized("collector_id", Kind::Id, 24, 0),
        Column::sized("what", Kind::Text, 36, 0),
        Column::sized("once_for", Kind::Text, 16, 1),
        Column::sized("permissions", Kind::Id, 32, 1),
        Column::sized("checkers", Kind::Id, 36, 2),
        Column::sized("source", Kind::Text, 13, 3),
    ]);
    for collector in collectors.all() {
        let actions: Vec<_> = collectors.actions(&[collector.fills]).into_iter().collect();
        rows.push(vec![
            json!(collector.id),
            json!(collector.what),
            json!(collector.fills.extent.as_str()),
            json!(actions.join(" ")),
            json!(needed_by(collector, checkers).join(" ")),
            json!(collector.fills.source.as_str()),
        ]);
    }
    Ok(rows.print(output)?)
}

fn needed_by(collector: Collector, checkers: &Registry) -> Vec<&'static str> {
    let needing = checkers.all().iter().filter(|checker| checker.needs.contains(&collector.fills));
    needing.map(|checker| checker.checker_id).collect()
}
