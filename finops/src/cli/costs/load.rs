//! `finops costs load`.

use std::path::PathBuf;
use std::sync::Arc;

use collectors::billing::{LoadError, LoadOptions, Loaded, Rejects, load_counting};
use contracts::tenant_scope::TenantScope;
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::progress::Progress;
use runner::run::RunError;
use serde_json::json;

use super::LoadArgs;
use super::report::of_load;
use super::rows::{CostRow, rounded_rows};
use crate::cli::billing::Billing;
use crate::cli::report::NewReport;
use crate::failure::Result;
use crate::output::{Output, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::progress::Bars;
use crate::settings::Settings;

pub fn run(args: &LoadArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let scope = TenantScope::new(&args.tenant)?;
    let report = args.report.as_deref().map(NewReport::begin).transpose()?;
    let mut lines = Rejects::new(0);
    let outcome = read(args, settings, &scope, &mut lines)?;
    if let Some(report) = report {
        report.write(&of_load(scope.as_str(), &outcome, &lines))?;
    }
    let loaded = outcome.map_err(RunError::from)?;
    let billing = Billing::of(&loaded.report);
    if output == Output::Table {
        let rows: Vec<_> = loaded.report.deliveries().iter().map(CostRow::of_load).collect();
        print_text(&format!("{billing}\n{}\n", rounded_rows(&rows).table(None).0))?;
    } else {
        print_value(&json!({"tenant_id": scope.as_str(), "billing": billing}), output)?;
    }
    Ok(ExitCode::Done)
}

/// Reads the bills; what is wrong with them goes into the report, too.
fn read(
    args: &LoadArgs,
    settings: &Settings,
    scope: &TenantScope,
    lines: &mut Rejects,
) -> Result<std::result::Result<Loaded, LoadError>> {
    // What is missing is reported before anything is made.
    if let Err(error) = are_there(&args.paths) {
        return Ok(Err(error));
    }
    let store = OpenPorts::store_to_write(settings)?;
    let shutdown = ports::stop_on_signals()?;
    let progress: Arc<dyn Progress> = Arc::new(Bars::default());
    let options = LoadOptions { now_ms: SystemClock.now_ms(), with_inventory: false, ..args.taken.options(settings) };
    Ok(load_counting(scope.as_str(), &args.paths, &options, &*store, &progress, &shutdown, lines))
}

fn are_there(paths: &[PathBuf]) -> std::result::Result<(), LoadError> {
    collectors::billing::find(paths)?.sizes().map(drop)
}
