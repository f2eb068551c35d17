//! The report of one job as a file: what was read of bills, and how far it priced the findings. What is unknown is null.

use std::path::PathBuf;

use checkers::run_context::RunContext;
use contracts::layout::encode_segment;
use exporter::{CostCoverage, PassReport};
use runner::run::RunReport;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::billing::Billing;
use super::report::{FORMAT_VERSION, NewReport, lines, quality, totals};
use crate::failure::{Failure, Result};
use crate::settings::Settings;

/// Folder of the data folder that holds the reports, and the name of each.
const FOLDER: &str = "run_reports";
const NAME: &str = "run_report.json";
/// Digits of a share behind the point.
const SHARE_DIGITS: u32 = 4;

/// Where the report of a run is, unless its user names another place.
pub fn place(settings: &Settings, context: &RunContext) -> PathBuf {
    let parts = [&context.tenant_id, &context.workspace_id, &context.run_id].map(|part| encode_segment(part));
    parts.iter().fold(settings.data.join(FOLDER), |folder, part| folder.join(part)).join(NAME)
}

/// Writes a report at its usual place.
pub fn write(place: &std::path::Path, report: &Value) -> Result<()> {
    if let Some(folder) = place.parent() {
        let failed = |e| Failure::new(platform::exit::ExitCode::Io, format!("creating {}: {e}", folder.display()));
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    NewReport::begin(place)?.write(report)
}

/// Of a run that came to its end.
pub fn of(report: &RunReport, exported: Option<&PassReport>) -> Value {
    let manifest = &report.manifest;
    let load = report.billing.as_ref();
    let export = exported.and_then(|pass| {
        let own = pass.tenants.iter().find(|tenant| tenant.tenant_id == manifest.tenant_id)?;
        own.export.as_ref()
    });
    json!({
        "format_version": FORMAT_VERSION,
        "run_id": manifest.run_id,
        "run_ts": manifest.run_ts,
        "tenant_id": manifest.tenant_id,
        "workspace_id": manifest.workspace_id,
        "result": manifest.status,
        "error": null,
        "lines": load.map(|load| lines(&load.rejects)),
        "billing": load.map(Billing::of),
        "quality": load.map(quality),
        "totals": load.map(|load| load.deliveries().iter().flat_map(totals).collect::<Vec<_>>()),
        "attribution": export.map(|export| attribution(&export.manifest.costs)),
    })
}

/// Of a run that failed.
pub fn of_failure(context: &RunContext, failure: &Failure) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "run_id": context.run_id,
        "run_ts": context.run_ts_text(),
        "tenant_id": context.tenant_id,
        "workspace_id": context.workspace_id,
        "result": "failed",
        "error": failure.message(),
        "lines": null,
        "billing": null,
        "quality": null,
        "totals": null,
        "attribution": null,
    })
}

fn attribution(costs: &CostCoverage) -> Value {
    let findings: u64 = costs.findings_by_method.values().sum();
    let share = Decimal::from(costs.findings_with_cost_30d).checked_div(Decimal::from(findings));
    json!({
        "findings": findings,
        "findings_by_method": costs.findings_by_method,
        "findings_with_cost_30d": costs.findings_with_cost_30d,
        "coverage": share.map(|share| share.round_dp(SHARE_DIGITS).normalize().to_string()),
    })
}
