//! `finops verify`: proves that nothing is lost, doubled or changed, and names what it could not compare.

use clap::Args;
use lake::verify::{AreaReport, LastRecords, NotCompared, Subject, VerifyReport, verify_all};
use platform::exit::ExitCode;
use platform::progress::Unit;
use serde_json::json;

use crate::failure::Result;
use crate::output::{Output, Rows, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::progress;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// End with 0 also when not everything could be compared
    #[arg(long)]
    pub allow_incomplete: bool,
}

pub fn run(args: &VerifyArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let store = OpenPorts::store_only(settings)?;
    // The rest can be compared without a broker, and the report names what could not.
    let broker = match ports::has_broker(settings) {
        true => Some(OpenPorts::broker_to_look(settings)?),
        false => None,
    };
    let producers = ports::producer_policies(settings)?;
    let bar = progress::bar("verifying", Unit::Things("files"), None);
    let (broker, exports) = (broker.as_deref(), Some(&*settings.export));
    let subject = Subject { store: &*store, broker, exports, producers: &producers };
    let report = verify_all(subject, &|| bar.inc(1))?;
    bar.finish_and_clear();
    match output {
        Output::Table => print_table(&report)?,
        Output::Csv => problems(&report).print(output)?,
        _ => print_value(&serde_json::to_value(&report).unwrap_or_default(), output)?,
    }
    Ok(match (report.is_clean(), report.is_complete()) {
        (false, _) => ExitCode::BadInput,
        (true, false) if !args.allow_incomplete => ExitCode::Incomplete,
        (true, _) => ExitCode::Done,
    })
}

fn problems(report: &VerifyReport) -> Rows {
    let mut rows = Rows::new(&["rule", "object", "detail"]);
    for problem in &report.problems {
        rows.push(vec![json!(problem.rule), json!(problem.object), json!(problem.detail)]);
    }
    rows
}

fn print_table(report: &VerifyReport) -> Result<()> {
    let mut chains = Rows::new(&["topic", "partition", "commits", "end", "rows", "duplicates", "last commit"])
        .may_lack(&["duplicates", "end"]);
    for chain in &report.chains {
        chains.push(vec![
            json!(chain.topic),
            json!(chain.partition),
            json!(chain.commits),
            json!(chain.end),
            json!(chain.rows),
            json!(chain.duplicates),
            json!(chain.committed_at),
        ]);
    }
    chains.print(Output::Table)?;
    let VerifyReport { files, findings_rows, dead_letter_rows, duplicates, in_flight, unpublished, .. } = report;
    print_text(&format!(
        "{files} file(s), {findings_rows} findings, {dead_letter_rows} dead letters, {duplicates} duplicates dropped\n\
         on their way: {} not judged, {} not written\n",
        in_flight.unjudged, in_flight.unwritten
    ))?;
    if unpublished.files > 0 {
        let (files, rows) = (unpublished.files, unpublished.rows);
        print_text(&format!(
            "committed, not published: {files} file(s) with {rows} row(s), which no reader sees; a sink that starts publishes them\n"
        ))?;
    }
    for expired in &report.unproven {
        print_text(&format!("no longer on the broker, and no row: {expired}\n"))?;
    }
    let LastRecords { expired, unknown, .. } = report.last_records;
    if expired + unknown > 0 {
        print_text(&format!(
            "whether the broker was rolled back is unknown for {} chain(s) or position(s): the last record of {expired} has \
             expired, {unknown} name none\n",
            expired + unknown
        ))?;
    }
    for run in &report.incomplete_runs {
        let lake::verify::IncompleteRun { run, published, arrived, on_the_way } = run;
        print_text(&format!(
            "run {run}: {arrived} of {published} records have arrived, {on_the_way} are on their way\n"
        ))?;
    }
    print_areas(report)?;
    if !report.is_clean() {
        print_text(&format!("{} problem(s):\n", report.problems.len()))?;
        return Ok(problems(report).print(Output::Table)?);
    }
    Ok(print_text(match (report.is_complete(), unpublished.files) {
        (true, _) => "nothing is lost, nothing is there twice, nothing was changed\n",
        (false, 0) => "what could be compared is as it must be; not everything could be compared, see above\n",
        (false, _) => {
            "what could be compared is as it must be; rows are committed that no reader sees yet, see above\n"
        }
    })?)
}

fn print_areas(report: &VerifyReport) -> Result<()> {
    let mut areas = Rows::new(&["compared with their records", "compared", "differing", "not compared"]);
    for AreaReport { area, compared, differing, not_compared } in &report.areas {
        let left_out: Option<u64> = not_compared.iter().map(|left_out| left_out.count).sum();
        let left_out = left_out.map_or_else(|| json!("unknown"), |count| json!(count));
        areas.push(vec![json!(area.to_string()), json!(compared), json!(differing), left_out]);
    }
    areas.print(Output::Table)?;
    for NotCompared { object, count, reason } in report.areas.iter().flat_map(|area| &area.not_compared) {
        let count = count.map(|count| format!(" ({count})")).unwrap_or_default();
        print_text(&format!("not compared: {object}{count}: {reason}\n"))?;
    }
    Ok(())
}
