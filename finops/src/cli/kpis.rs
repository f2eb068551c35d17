//! `finops kpis list`.

use clap::Subcommand;
use exporter::KPIS;
use platform::exit::ExitCode;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Column, Kind, Output, Rows};

#[derive(Debug, Subcommand)]
pub enum KpisVerb {
    /// All KPIs: the unit of each, what it looks at and what it says
    List,
}

pub fn run(verb: &KpisVerb, output: Output) -> Result<ExitCode> {
    match verb {
        KpisVerb::List => list(output)?,
    }
    Ok(ExitCode::Done)
}

fn list(output: Output) -> Result<()> {
    let mut rows = Rows::of(vec![
        Column::sized("kpi_name", Kind::Id, 28, 0),
        Column::sized("unit", Kind::Text, 5, 1),
        Column::sized("looks_at", Kind::Text, 24, 2),
        Column::sized("meaning", Kind::Text, 60, 0),
    ]);
    for kpi in KPIS {
        rows.push(vec![
            json!(kpi.name),
            json!(kpi.unit.as_str()),
            json!(kpi.population.as_str()),
            json!(kpi.meaning()),
        ]);
    }
    Ok(rows.print(output)?)
}
