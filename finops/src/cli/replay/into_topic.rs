//! `finops replay run --into-topic`: wire records once more through their own topic.

use operations::Operator;
use operations::resend::wire::{WireReport, WireRequest, execute, plan};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use serde_json::json;

use super::ReplayRunArgs;
use super::records::{check, request};
use crate::failure::Result;
use crate::output::{Output, Rows, note, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;

pub fn run(args: &ReplayRunArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let request = WireRequest { replay: request(args)?, id: args.id.clone(), rate: args.rate };
    let OpenPorts { broker, store } = OpenPorts::existing(settings)?;
    check(&request.replay, &*broker)?;
    let producers = ports::producer_policies(settings)?;
    let mut report = plan(&request, &*broker, &*store, &producers)?;
    if !args.dry_run {
        let shutdown = ports::stop_on_signals()?;
        let operator = Operator { by: &args.by, clock: &SystemClock, shutdown: &shutdown };
        report = execute(&request, &report, &*broker, &*store, &producers, &operator)?;
    }
    print(&report, args.dry_run, output)?;
    Ok(if report.is_stopped { ExitCode::TryAgain } else { ExitCode::Done })
}

fn print(report: &WireReport, dry_run: bool, output: Output) -> Result<()> {
    if matches!(output, Output::Json | Output::Ndjson) {
        let mut value = serde_json::to_value(report).unwrap_or_default();
        value["dry_run"] = json!(dry_run);
        return Ok(print_value(&value, output)?);
    }
    let mut rows = Rows::new(&["topic", "partition", "from", "until", "records"]);
    for count in &report.partitions {
        rows.push(vec![
            json!(count.topic),
            json!(count.partition),
            json!(count.from),
            json!(count.until),
            json!(count.matching),
        ]);
    }
    rows.print(output)?;
    if output == Output::Csv {
        return Ok(());
    }
    if dry_run {
        return Ok(print_text(&format!("\n{} record(s) would be sent again\n", report.matching))?);
    }
    let WireReport { sent, sent_before, .. } = report;
    print_text(&format!(
        "\n{sent} record(s) were sent again, {sent_before} had been before; `finops up` or `finops run` takes them on\n"
    ))?;
    if report.is_stopped {
        note!("it was stopped: the same command goes on");
    }
    Ok(())
}
