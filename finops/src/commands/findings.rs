//! `finops findings list|show`: always of one tenant.

use exporter::{Cut, FindingFilter, Population, TenantScope, list_findings, show_finding};
use platform::exit::ExitCode;
use serde_json::json;

use super::headline::left_out_text;
use crate::cli::{FindingsFilter, FindingsVerb, Output};
use crate::failure::{Failure, Result};
use crate::output::{Rows, print_value};
use crate::ports::Ports;
use crate::settings::Settings;

pub fn run(verb: &FindingsVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let store = Ports::store_only(settings)?;
    let cut = Cut::committed(store)?;
    match verb {
        FindingsVerb::List(args) => list(args, &cut, settings, output),
        FindingsVerb::Show { tenant, id } => {
            let scope = TenantScope::new(tenant)?;
            if id.len() < exporter::ID_PREFIX_MIN {
                let least = exporter::ID_PREFIX_MIN;
                return Err(Failure::bad_input(format!(
                    "finding id {id:?} is too short: give its first {least} characters or more"
                )));
            }
            let Some(found) = show_finding(&cut, &scope, id, &settings.duck)? else {
                return Err(Failure::bad_input(format!("tenant {tenant} has no finding {id}")));
            };
            print_value(&serde_json::to_value(found).unwrap_or_default(), output)?;
            Ok(ExitCode::Done)
        }
    }
}

fn list(args: &FindingsFilter, cut: &Cut, settings: &Settings, output: Output) -> Result<ExitCode> {
    let one = |value: &Option<String>| value.iter().cloned().collect();
    let filter = FindingFilter {
        population: if args.all_runs { Population::All } else { Population::LatestRun },
        check_id: one(&args.check),
        status: one(&args.status),
        severity: one(&args.severity),
        service: one(&args.service),
        account_id: one(&args.account),
        limit: Some(args.limit),
        default_currency: Some(settings.default_currency.clone()),
        ..FindingFilter::default()
    };
    let scope = TenantScope::new(&args.tenant)?;
    let found = list_findings(cut, &scope, &filter, &settings.duck)?;
    if let Some(left_out) = left_out_text(found.left_out) {
        eprintln!("{left_out}");
    }
    if output != Output::Table {
        let mut rows = Rows::new(&[
            "finding_id",
            "fingerprint",
            "run_id",
            "check_id",
            "status",
            "severity_level",
            "service",
            "account_id",
            "region",
            "resource_id",
            "est_monthly_cost",
            "est_monthly_savings",
            "title",
            "message",
            "recommendation",
        ]);
        for f in &found.items {
            rows.push(vec![
                json!(f.finding_id),
                json!(f.fingerprint),
                json!(f.run_id),
                json!(f.check_id),
                json!(f.status),
                json!(f.severity_level),
                json!(f.service),
                json!(f.account_id),
                json!(f.region),
                json!(f.resource_id),
                json!(f.est_monthly_cost),
                json!(f.est_monthly_savings),
                json!(f.title),
                json!(f.message),
                json!(f.recommendation),
            ]);
        }
        rows.print(output)?;
        return Ok(ExitCode::Done);
    }
    let mut rows = Rows::new(&["id", "severity", "status", "savings/month", "service", "region", "title"]);
    for f in &found.items {
        let id = f.finding_id.as_deref().unwrap_or_default();
        rows.push(vec![
            json!(id.get(..12).unwrap_or(id)),
            json!(f.severity_level),
            json!(f.status),
            json!(f.est_monthly_savings),
            json!(f.service),
            json!(f.region),
            json!(f.title),
        ]);
    }
    let shown = rows.len();
    rows.print(output)?;
    eprintln!(
        "{shown} of {} findings; `finops findings show --tenant {} ID` tells all about one",
        found.total, args.tenant
    );
    Ok(ExitCode::Done)
}
