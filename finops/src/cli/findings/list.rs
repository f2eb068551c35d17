//! `finops findings list`.

use contracts::tenant_scope::TenantScope;
use exporter::{ExportedFinding, FindingFilter, FindingOrder, Population, list_findings};
use lake::cut::Cut;
use platform::exit::ExitCode;
use serde_json::Value;

use super::{FindingsList, columns};
use crate::cli::headline::left_out_text;
use crate::failure::Result;
use crate::output::{Output, Rows, note, quoted};
use crate::settings::Settings;

pub fn run(
    args: &FindingsList,
    scope: &TenantScope,
    cut: &Cut,
    settings: &Settings,
    output: Output,
) -> Result<ExitCode> {
    let found = list_findings(cut, scope, &filter(args, settings), &settings.duck)
        .map_err(|error| super::unknown_tenant(error, cut, settings))?;
    if let Some(left_out) = left_out_text(found.left_out) {
        note!("{left_out}");
    }
    let rows = match output {
        Output::Table => table(args, &found.items),
        _ => members(args, &found.items),
    };
    let lacking = rows.print_quietly(output)?;
    let shown = rows.len() as u64;
    if output == Output::Table {
        let tenant = quoted(scope.as_str());
        let show = format!("`finops findings show --tenant {tenant} {} ID` shows one", settings.flags());
        note!("{}; {show}", counted(shown, found.total, args));
        if !lacking.is_empty() && args.columns.is_empty() {
            note!("columns without room: {}; --columns chooses", lacking.join(", "));
        }
    } else if shown < found.total {
        note!("{}", counted(shown, found.total, args));
    }
    Ok(ExitCode::Done)
}

fn filter(args: &FindingsList, settings: &Settings) -> FindingFilter {
    let of = &args.filter;
    FindingFilter {
        population: if of.all_runs { Population::All } else { Population::LatestRun },
        workspace_id: of.workspace.clone(),
        check_id: of.check.clone(),
        status: of.status.clone(),
        severity: of.severity.clone(),
        service: of.service.clone(),
        account_id: of.account.clone(),
        region: of.region.clone(),
        resource: of.resource.clone(),
        since_ms: of.since,
        until_ms: of.until,
        order: args.sort,
        is_reversed: args.reverse,
        limit: (args.limit > 0).then_some(args.limit),
        default_currency: Some(settings.default_currency.clone()),
        ..FindingFilter::default()
    }
}

fn table(args: &FindingsList, findings: &[ExportedFinding]) -> Rows {
    let columns = columns::of_table(&args.columns);
    let mut rows = Rows::of(columns.iter().map(|(_, column)| column.clone()).collect());
    for finding in findings {
        rows.push(columns.iter().map(|(column, _)| column.cell(finding)).collect());
    }
    rows
}

fn members(args: &FindingsList, findings: &[ExportedFinding]) -> Rows {
    let members = columns::members(&args.columns);
    let mut rows = Rows::new(&members);
    for finding in findings {
        let all = serde_json::to_value(finding).unwrap_or_default();
        rows.push(members.iter().map(|member| all.get(*member).cloned().unwrap_or(Value::Null)).collect());
    }
    rows
}

/// How much of the list is there: what is cut says so.
fn counted(shown: u64, total: u64, args: &FindingsList) -> String {
    if shown >= total {
        return format!("{shown} of {total} findings");
    }
    let first = match (args.sort, args.reverse) {
        (FindingOrder::Priority, false) => "what matters most first".to_owned(),
        (FindingOrder::Savings, false) => "largest savings first".to_owned(),
        (FindingOrder::Cost, false) => "largest cost first".to_owned(),
        (FindingOrder::Severity, false) => "most severe first".to_owned(),
        (FindingOrder::RunTs, false) => "newest runs first".to_owned(),
        (order, false) => format!("sorted by {}", order.as_str()),
        (order, true) => format!("sorted by {}, reversed", order.as_str()),
    };
    format!("showing {shown} of {total} findings, {first}; --limit 0 shows all")
}
