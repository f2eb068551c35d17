//! `finops exporter once|run`.

use exporter::{ExportOptions, PassReport, Population};
use platform::exit::ExitCode;
use serde_json::json;

use crate::cli::{ExportArgs, ExporterVerb, Output};
use crate::failure::Result;
use crate::output::Rows;
use crate::ports::{self, Ports};
use crate::settings::Settings;
use crate::watch::Watch;

pub fn run(verb: &ExporterVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let (ExporterVerb::Once(args) | ExporterVerb::Run(args)) = verb;
    let ExportArgs { tenant, limit, population } = args;
    let population = if population == "all" { Population::All } else { Population::LatestRun };
    let options = ExportOptions { limit: *limit, population, ..ExportOptions::default() };
    if let ExporterVerb::Run(_) = verb {
        let ports = Ports::open(settings)?;
        let watch = Watch::start(settings, &ports, &["exporter"], &[])?;
        let mut config = ports::exporter_config(settings, ports.store.clone(), options);
        config.tenant.clone_from(tenant);
        exporter::run(&config, &watch.observer("exporter"), &ports::stop_on_signals()?);
        return Ok(ExitCode::Done);
    }
    let mut config = ports::exporter_config(settings, Ports::store_only(settings)?, options);
    config.tenant.clone_from(tenant);
    let mut span = settings.traces.tracer().span("export");
    let report = exporter::once(&config).inspect_err(|error| span.fail(error))?;
    drop(span);
    print(&report, output)?;
    Ok(code(&report))
}

/// Reports every tenant that failed, on stderr; done in part then.
pub fn code(report: &PassReport) -> ExitCode {
    let mut code = ExitCode::Done;
    for (tenant, error) in report.errors() {
        eprintln!("error: exporting {tenant}: {error}");
        code = ExitCode::TryAgain;
    }
    code
}

fn print(report: &PassReport, output: Output) -> Result<()> {
    let mut rows = Rows::new(&["tenant", "file", "rows", "bytes", "folder"]);
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
