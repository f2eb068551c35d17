//! The findings that matter most, at the end of a run's summary.

use contracts::run_manifest::RunManifest;
use contracts::tenant_scope::TenantScope;
use exporter::{ExportedFinding, FindingFilter, FindingOrder, list_findings};
use lake::cut::Cut;
use platform::terminal::escaped;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{amount, plain_table};
use crate::settings::Settings;

/// How many there are at most: what a person reads.
const COUNT_MAX: u64 = 10;

/// One of them.
#[derive(Debug, Serialize)]
pub struct TopFinding {
    finding_id: Option<String>,
    severity: Option<String>,
    status: Option<String>,
    check_id: Option<String>,
    account_id: Option<String>,
    resource_id: Option<String>,
    title: Option<String>,
    savings_monthly: Option<String>,
    cost_monthly: Option<String>,
    currency: Option<String>,
}

/// Those of the workspace's latest runs, in the order of `finops findings list`. What passed does not matter.
pub fn top_findings(cut: &Cut, settings: &Settings, manifest: &RunManifest) -> Result<Vec<TopFinding>, Failure> {
    let filter = FindingFilter {
        workspace_id: vec![manifest.workspace_id.clone()],
        status: ["fail", "info", "unknown"].map(str::to_owned).to_vec(),
        order: FindingOrder::Priority,
        limit: Some(COUNT_MAX),
        default_currency: Some(settings.default_currency.clone()),
        ..FindingFilter::default()
    };
    let scope = TenantScope::new(&manifest.tenant_id)?;
    match list_findings(cut, &scope, &filter, &settings.duck) {
        Ok(found) => Ok(found.items.into_iter().map(TopFinding::of).collect()),
        // Nothing of this tenant is there to be shown yet.
        Err(error) if error.code().is_some() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

impl TopFinding {
    fn of(finding: ExportedFinding) -> Self {
        Self {
            finding_id: finding.finding_id,
            severity: finding.severity_level,
            status: finding.status,
            check_id: finding.check_id,
            account_id: finding.account_id,
            resource_id: finding.resource_id,
            title: finding.title,
            savings_monthly: finding.est_monthly_savings,
            cost_monthly: finding.est_monthly_cost,
            currency: finding.currency,
        }
    }

    fn cells(&self) -> [String; 6] {
        let text = |text: &Option<String>| escaped(text.as_deref().unwrap_or_default()).into_owned();
        let currency = self.currency.as_deref().unwrap_or_default();
        let money = |cell: &Option<String>| cell.as_ref().map_or_else(String::new, |cell| amount(cell, currency));
        [
            text(&self.severity),
            money(&self.savings_monthly),
            money(&self.cost_monthly),
            text(&self.account_id),
            text(&self.resource_id),
            text(&self.title),
        ]
    }
}

/// One line each, for people.
pub fn table(findings: &[TopFinding]) -> comfy_table::Table {
    let mut table = plain_table();
    table.set_header(["SEVERITY", "SAVINGS/MO", "COST/MO", "ACCOUNT", "RESOURCE", "TITLE"]);
    for finding in findings {
        table.add_row(finding.cells());
    }
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    table
}
