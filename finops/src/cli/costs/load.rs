//! `finops costs load`.

use std::sync::Arc;

use collectors::billing::{LoadOptions, load};
use contracts::tenant_scope::TenantScope;
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::progress::Progress;
use runner::run::RunError;
use serde_json::json;

use super::LoadArgs;
use super::rows::{CostRow, table};
use crate::cli::billing::Billing;
use crate::failure::Result;
use crate::output::{Output, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::progress::Bars;
use crate::settings::Settings;

pub fn run(args: &LoadArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let scope = TenantScope::new(&args.tenant)?;
    // What is missing is reported before anything is made.
    for path in collectors::billing::find(&args.paths).map_err(RunError::from)?.files() {
        collectors::billing::open(path).map_err(RunError::from)?;
    }
    let store = OpenPorts::store_to_write(settings)?;
    let shutdown = ports::stop_on_signals()?;
    let progress: Arc<dyn Progress> = Arc::new(Bars::default());
    let options = LoadOptions { now_ms: SystemClock.now_ms(), ..args.taken.options(settings) };
    let loaded = load(scope.as_str(), &args.paths, &options, &*store, &progress, &shutdown).map_err(RunError::from)?;
    let billing = Billing::of(&loaded.report);
    if output == Output::Table {
        let rows: Vec<_> = loaded.report.deliveries().iter().map(CostRow::of_load).collect();
        print_text(&format!("{billing}\n{}\n", table(&rows)))?;
    } else {
        print_value(&json!({"tenant_id": scope.as_str(), "billing": billing}), output)?;
    }
    Ok(ExitCode::Done)
}
