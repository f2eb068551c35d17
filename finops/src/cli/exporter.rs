//! `finops exporter once|run`.

use clap::{Args, Subcommand};
use exporter::{CostCoverage, ExportError, ExportOptions, PassReport, Population};
use lake::cut::Cut;
use platform::exit::ExitCode;
use platform::observe::Observer;
use serde_json::json;

use super::findings::unknown_tenant;
use crate::failure::{self, Failure, Result};
use crate::output::{Output, Rows, note};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;
use crate::watch::Watch;

#[derive(Debug, Subcommand)]
pub enum ExporterVerb {
    /// Build the exports and KPI tables of all tenants once
    Once(ExportArgs),
    /// Build them all, then those of each tenant that gets something new, until stopped
    Run(ExportArgs),
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only this tenant [default: all]
    #[arg(long)]
    pub tenant: Option<String>,
    /// Rows in findings.json [default: exporter.findings_max]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Rows that count: of the latest complete run per workspace and producer, or of all runs
    #[arg(long, default_value = "latest_run", value_parser = ["latest_run", "all"])]
    pub population: String,
}

pub fn run(verb: &ExporterVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let (ExporterVerb::Once(args) | ExporterVerb::Run(args)) = verb;
    let ExportArgs { tenant, limit, population } = args;
    let population = if population == "all" { Population::All } else { Population::LatestRun };
    let limit = limit.unwrap_or(settings.findings_max);
    let options = ExportOptions { limit, population, ..ExportOptions::default() };
    let mut config = ports::exporter_config(settings, options);
    config.tenant.clone_from(tenant);
    if let ExporterVerb::Run(_) = verb {
        let mut ports = OpenPorts::open(settings)?;
        let watch = Watch::start(settings, &mut ports, &["exporter"], &[])?;
        let deps = ports::exporter_deps(ports.store.clone(), watch.observer("exporter"));
        exporter::run(&config, &deps, &ports::stop_on_signals()?)?;
        return Ok(ExitCode::Done);
    }
    let deps = ports::exporter_deps(OpenPorts::store_only(settings)?, Observer::default());
    let mut span = settings.traces.tracer().span("export");
    let report = exporter::once(&config, &deps).map_err(|error| {
        span.fail(&error);
        explain(error, settings)
    })?;
    drop(span);
    print(&report, output)?;
    Ok(code(&report, None))
}

/// With the tenants there are, when it is about one that is not.
fn explain(error: ExportError, settings: &Settings) -> Failure {
    match OpenPorts::store_only(settings).and_then(|store| Ok(Cut::committed(store)?)) {
        Ok(cut) => unknown_tenant(error, &cut, settings),
        Err(_) => error.into(),
    }
}

/// Codes of failed tenants, the one that counts most first: what an operator has to change before anything helps, then what
/// repeating may cure, then what is wrong for good.
const WORST_FIRST: [ExitCode; 5] =
    [ExitCode::CredentialsRefused, ExitCode::Configuration, ExitCode::TryAgain, ExitCode::Bug, ExitCode::BadInput];

/// Reports every tenant that failed, on stderr, and says how the command ends. When it is about one tenant, the data of
/// others is none of its business: their failures are warnings.
pub fn code(report: &PassReport, own: Option<&str>) -> ExitCode {
    let mut codes = Vec::new();
    for (tenant, error) in report.errors() {
        if own.is_some_and(|own| own != tenant) {
            note!("warning: exporting {tenant}: {error}; its earlier files stay");
            continue;
        }
        note!("error: exporting {tenant}: {error}");
        codes.push(match failure::export_code(error) {
            // What was to be exported is written, so only part of the work is missing.
            ExitCode::Io => ExitCode::TryAgain,
            other => other,
        });
    }
    WORST_FIRST.into_iter().find(|code| codes.contains(code)).unwrap_or(ExitCode::Done)
}

fn print(report: &PassReport, output: Output) -> Result<()> {
    let mut rows = Rows::new(&["tenant", "file", "rows", "bytes", "folder"]).may_lack(&["bytes"]);
    for tenant in &report.tenants {
        if let Some(export) = &tenant.export {
            for file in &export.manifest.files {
                let folder = export.folder.display().to_string();
                rows.push(vec![
                    json!(tenant.tenant_id),
                    json!(file.name),
                    json!(file.rows),
                    json!(file.bytes),
                    json!(folder),
                ]);
            }
        }
        if let (Some(export), Some(_)) = (&tenant.export, &tenant.attribution) {
            let CostCoverage { findings_by_method, findings_with_cost_30d, cost_30d_pct } = &export.manifest.costs;
            let what = format!("findings with an actual cost ({cost_30d_pct} %)");
            let methods =
                findings_by_method.iter().map(|(method, findings)| (format!("findings by {method}"), findings));
            for (what, findings) in std::iter::once((what, findings_with_cost_30d)).chain(methods) {
                let datasets = contracts::layout::FINDINGS_ENRICHED;
                rows.push(vec![json!(tenant.tenant_id), json!(what), json!(findings), json!(null), json!(datasets)]);
            }
        }
        if let Some(gold) = &tenant.gold {
            rows.push(vec![
                json!(tenant.tenant_id),
                json!(format!("gold tables of {} periods", gold.periods)),
                json!(gold.rows),
                json!(null),
                json!(contracts::layout::KPI_GOLD),
            ]);
        }
    }
    Ok(rows.print(output)?)
}

#[cfg(test)]
mod tests {
    use exporter::{ExportError, TenantReport};
    use platform::store::StoreError;

    use super::*;

    fn report(errors: Vec<(&str, ExportError)>) -> PassReport {
        let tenant = |(tenant, error): (&str, ExportError)| TenantReport {
            tenant_id: tenant.to_owned(),
            export: None,
            gold: None,
            attribution: None,
            errors: vec![error],
            not_yet: None,
        };
        PassReport { tenants: errors.into_iter().map(tenant).collect(), left: 0 }
    }

    fn bad_data() -> ExportError {
        ExportError::BadData { doing: "reading findings".into(), problem: "Conversion Error".into() }
    }

    fn out_of_memory() -> ExportError {
        ExportError::OutOfMemory { doing: "reading findings".into(), problem: "Out of Memory Error".into() }
    }

    fn disk() -> ExportError {
        StoreError::io("reading", "a", std::io::Error::other("disk")).into()
    }

    #[test]
    fn a_pass_ends_by_what_would_cure_its_errors() {
        let check = |errors: Vec<(&str, ExportError)>, own, expected| {
            assert_eq!(code(&report(errors), own), expected, "{own:?}");
        };
        check(vec![], None, ExitCode::Done);
        check(vec![("acme", bad_data())], None, ExitCode::BadInput);
        check(vec![("acme", disk())], None, ExitCode::TryAgain);
        check(vec![("acme", bad_data()), ("globex", disk())], None, ExitCode::TryAgain);
        check(vec![("acme", bad_data()), ("globex", out_of_memory())], None, ExitCode::Configuration);
        check(vec![("globex", bad_data()), ("initech", disk())], Some("acme"), ExitCode::Done);
        check(vec![("acme", bad_data()), ("globex", disk())], Some("acme"), ExitCode::BadInput);
    }
}
