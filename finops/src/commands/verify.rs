//! `finops verify`: proves that nothing is lost, doubled or changed.

use platform::exit::ExitCode;
use serde_json::json;
use sink::verify::{Report, verify};

use crate::cli::Output;
use crate::failure::Result;
use crate::output::{Rows, print_text, print_value};
use crate::ports::Ports;
use crate::progress;
use crate::settings::Settings;

pub fn run(settings: &Settings, output: Output) -> Result<ExitCode> {
    let Ports { broker, store } = Ports::existing(settings)?;
    let bar = progress::bar("verifying files", None);
    let report = verify(&*store, Some(&*broker), &|| bar.inc(1))?;
    bar.finish_and_clear();
    match output {
        Output::Table => print_table(&report)?,
        Output::Csv => problems(&report).print(output)?,
        _ => print_value(&serde_json::to_value(&report).unwrap_or_default(), output)?,
    }
    Ok(if report.is_clean() { ExitCode::Done } else { ExitCode::BadInput })
}

fn problems(report: &Report) -> Rows {
    let mut rows = Rows::new(&["rule", "object", "detail"]);
    for problem in &report.problems {
        rows.push(vec![json!(problem.rule), json!(problem.object), json!(problem.detail)]);
    }
    rows
}

fn print_table(report: &Report) -> Result<()> {
    let mut chains = Rows::new(&["topic", "partition", "commits", "end", "rows", "duplicates", "last commit"]);
    for chain in &report.chains {
        chains.push(vec![
            json!(chain.topic),
            json!(chain.partition),
            json!(chain.links),
            json!(chain.end),
            json!(chain.rows),
            json!(chain.duplicates),
            json!(chain.committed_at),
        ]);
    }
    chains.print(Output::Table)?;
    let Report { files, findings_rows, dead_letter_rows, duplicates, in_flight, .. } = report;
    print_text(&format!(
        "{files} file(s), {findings_rows} findings, {dead_letter_rows} dead letters, {duplicates} duplicates dropped\n\
         on their way: {} not judged, {} not written\n",
        in_flight.unjudged, in_flight.unwritten
    ))?;
    for gone in &report.unproven {
        print_text(&format!("no longer on the broker, and no row: {gone}\n"))?;
    }
    for run in &report.incomplete_runs {
        let sink::verify::IncompleteRun { run, published, arrived, on_the_way } = run;
        print_text(&format!(
            "run {run}: {arrived} of {published} records have arrived, {on_the_way} are on their way\n"
        ))?;
    }
    if report.is_clean() {
        return Ok(print_text("nothing is lost, nothing is there twice, nothing was changed\n")?);
    }
    print_text(&format!("{} problem(s):\n", report.problems.len()))?;
    Ok(problems(report).print(Output::Table)?)
}
