//! `finops costs status`.

use collectors::billing::live;
use contracts::cost_manifest::UsageLengths;
use contracts::tenant_scope::TenantScope;
use platform::exit::ExitCode;
use runner::run::RunError;

use super::StatusArgs;
use super::rows::{CostRow, rounded_rows, rows};
use crate::failure::Result;
use crate::output::{Output, note};
use crate::ports::OpenPorts;
use crate::settings::Settings;

pub fn run(args: &StatusArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let scope = TenantScope::new(&args.tenant)?;
    let store = OpenPorts::store_only(settings)?;
    let mut found = Vec::new();
    for (period, manifest) in live(&*store, scope.as_str()).map_err(RunError::from)? {
        let granularity = UsageLengths::granularity_of(manifest.deliveries.iter());
        found.extend(manifest.deliveries.iter().map(|delivery| CostRow::of_live(&period, granularity, delivery)));
    }
    if found.is_empty() && output == Output::Table {
        note!("no cost facts of {}; `finops costs load --tenant {0} PATH` brings some", scope.as_str());
        return Ok(ExitCode::Done);
    }
    let shown = if output == Output::Table { rounded_rows(&found) } else { rows(&found) };
    shown.print(output)?;
    Ok(ExitCode::Done)
}
