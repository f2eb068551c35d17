//! What `finops run` says at its end, in numbers and money.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use contracts::run_manifest::{RunManifest, RunStatus};
use exporter::{LeftOut, PassReport};
use platform::exit::ExitCode;
use platform::terminal::escaped;
use runner::run::RunReport;
use rust_decimal::Decimal;
use serde::Serialize;

use super::billing::Billing;
use super::counts::by_name;
use super::coverage::Scopes;
use super::delivered::{Delivered, Potential};
use super::headline::{Headline, headlines, left_out_text};
use super::top_findings::{self, TopFinding};
use crate::failure::Result;
use crate::output::{Output, plain_table, print_text, print_value, quoted, rounded};
use crate::settings::Settings;

/// Tenants whose exported files are listed for people; programs get all.
const EXPORTS_SHOWN: usize = 3;

/// The end of a run.
#[derive(Debug, Serialize)]
pub struct Summary {
    run_id: String,
    tenant_id: String,
    workspace_id: String,
    status: RunStatus,
    billing: Option<Billing>,
    scopes: Scopes,
    published: u64,
    delivered: u64,
    complete: bool,
    valid: u64,
    dead_letters: u64,
    dead_letters_by_code: BTreeMap<String, u64>,
    dead_letter_example: Option<String>,
    lines_unpublished: Vec<String>,
    members_misspelt: Vec<String>,
    findings_files_empty: Vec<String>,
    judged: u64,
    duplicates: u64,
    files: u64,
    file_bytes: u64,
    rows: u64,
    /// Of all amounts below; null when they are of several currencies, or there is none.
    currency: Option<String>,
    /// Null unless there is one currency, and an estimate in it.
    potential_savings_monthly: Option<Decimal>,
    potential_savings: Vec<Headline>,
    left_out: LeftOut,
    by_severity: BTreeMap<String, Potential>,
    by_service: BTreeMap<String, Potential>,
    by_check: BTreeMap<String, Potential>,
    exports: Vec<Exported>,
    exports_failed: Vec<ExportFailed>,
    top_findings: Vec<TopFinding>,
    stages_ms: Vec<(&'static str, u64)>,
    /// Where the report of the job is; null when it has none.
    pub report: Option<PathBuf>,
    #[serde(skip)]
    next: String,
}

#[derive(Debug, Serialize)]
struct Exported {
    tenant_id: String,
    folder: PathBuf,
    files: Vec<(String, u64)>,
    /// Findings that `findings.json` would list without a limit.
    total: u64,
    truncated: bool,
    left_out: LeftOut,
    gold_rows: u64,
    changed: bool,
}

#[derive(Debug, Serialize)]
struct ExportFailed {
    tenant_id: String,
    error: String,
}

impl Summary {
    pub fn new(
        settings: &Settings,
        report: &RunReport,
        judged: &validator::ValidatorSnapshot,
        written: &sink::SinkSnapshot,
        exported: Option<&PassReport>,
        delivered: Delivered,
        stages: &[(&'static str, Duration)],
    ) -> Self {
        let manifest = &report.manifest;
        let dead = delivered.dead_by_code.values().sum();
        let exports = exported.map(exports).unwrap_or_default();
        let misspelt = report.members_misspelt.iter().map(|(member, n)| format!("{member} ({n} record(s))"));
        let months = report.billing.iter().flat_map(|load| &load.months);
        let bills_not_read = months.map(|month| month.beside).max().unwrap_or_default();
        let no_extracts = BTreeSet::new();
        let extracts = report.billing.as_ref().map_or(&no_extracts, |load| &load.extracts);
        let potential_savings = headlines(&delivered.savings, &delivered.spend, bills_not_read, extracts);
        let only = match &potential_savings[..] {
            [only] => Some(only),
            _ => None,
        };
        Self {
            next: next(settings, manifest, &delivered, &exports),
            report: None,
            run_id: manifest.run_id.clone(),
            tenant_id: manifest.tenant_id.clone(),
            workspace_id: manifest.workspace_id.clone(),
            status: manifest.status,
            billing: report.billing.as_ref().map(Billing::of),
            scopes: Scopes::of(manifest),
            published: manifest.published,
            delivered: delivered.records,
            complete: delivered.is_complete,
            valid: delivered.records.saturating_sub(dead),
            dead_letters: dead,
            dead_letters_by_code: delivered.dead_by_code,
            dead_letter_example: delivered.example,
            lines_unpublished: report.lines_unpublished.iter().map(ToString::to_string).collect(),
            members_misspelt: misspelt.collect(),
            findings_files_empty: report.findings_files_empty.clone(),
            judged: judged.read,
            duplicates: written.duplicates,
            files: written.files,
            file_bytes: written.file_bytes,
            rows: written.findings_rows + written.dead_letter_rows,
            currency: only.map(|headline| headline.currency.clone()),
            potential_savings_monthly: only.and_then(|headline| headline.savings_monthly),
            potential_savings,
            left_out: delivered.left_out,
            top_findings: delivered.top_findings,
            by_severity: delivered.by_severity,
            by_service: delivered.by_service,
            by_check: delivered.by_check,
            exports,
            exports_failed: exported.map(exports_failed).unwrap_or_default(),
            stages_ms: stages.iter().map(|(name, time)| (*name, millis(*time))).collect(),
        }
    }

    pub fn print(&self, output: Output) -> Result<()> {
        match output {
            Output::Table => print_text(&self.to_string())?,
            _ => print_value(&serde_json::to_value(self).unwrap_or_default(), output)?,
        }
        Ok(())
    }

    /// Why the run is bad input: its findings files brought records, and each of them is a dead letter.
    pub fn refused_whole(&self, report: &RunReport) -> Option<String> {
        let (lines, dead) = (report.lines_published, self.dead_letters);
        let is_whole = lines > 0 && dead >= lines && self.valid <= report.findings_published;
        let by_code = by_name(self.dead_letters_by_code.iter().map(|(code, n)| (code.as_str(), *n)));
        is_whole.then(|| {
            format!("no record of the findings files is valid; dead letters {by_code}; for the reasons: {}", self.next)
        })
    }

    /// A run whose input was refused in part, or that checked only a part, must not look like a whole one to a script.
    pub fn exit_code(&self, report: &RunReport) -> ExitCode {
        match self.status {
            _ if !self.lines_unpublished.is_empty() => ExitCode::BadInput,
            RunStatus::Complete if self.complete => ExitCode::Done,
            RunStatus::Complete => ExitCode::TryAgain,
            _ if report.lacks_credentials => ExitCode::CredentialsRefused,
            _ => ExitCode::TryAgain,
        }
    }
}

/// A command that has something to show: findings of the run's tenant, else what became of its records.
fn next(settings: &Settings, manifest: &RunManifest, delivered: &Delivered, exports: &[Exported]) -> String {
    let dead: u64 = delivered.dead_by_code.values().sum();
    let is_exported = |tenant: &str| exports.iter().any(|export| export.tenant_id == tenant);
    let what = match exports.first() {
        _ if dead > 0 && dead >= delivered.records => format!("dlq list --run {}", quoted(&manifest.run_id)),
        _ if is_exported(&manifest.tenant_id) => format!("findings list --tenant {}", quoted(&manifest.tenant_id)),
        Some(other) => format!("findings list --tenant {}", quoted(&other.tenant_id)),
        None => "status".to_owned(),
    };
    format!("finops {what} {}", settings.flags())
}

fn exports(report: &PassReport) -> Vec<Exported> {
    let exported = report.tenants.iter().filter_map(|tenant| {
        let export = tenant.export.as_ref()?;
        Some(Exported {
            tenant_id: tenant.tenant_id.clone(),
            folder: export.folder.clone(),
            files: export.manifest.files.iter().map(|file| (file.name.clone(), file.rows)).collect(),
            total: export.manifest.total,
            truncated: export.manifest.truncated,
            left_out: export.manifest.left_out,
            gold_rows: tenant.gold.as_ref().map_or(0, |gold| gold.rows),
            changed: export.changed,
        })
    });
    exported.collect()
}

fn exports_failed(report: &PassReport) -> Vec<ExportFailed> {
    let failed = |(tenant, error): (&str, &exporter::ExportError)| ExportFailed {
        tenant_id: tenant.to_owned(),
        error: error.to_string(),
    };
    report.errors().map(failed).collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = serde_json::to_value(self.status).ok().and_then(|v| v.as_str().map(str::to_owned));
        writeln!(f, "Run {} of {}/{}: {}", self.run_id, self.tenant_id, self.workspace_id, status.unwrap_or_default())?;
        if let Some(billing) = &self.billing {
            write!(f, "\n{billing}")?;
        }
        write!(f, "{}", self.scopes)?;
        self.write_records(f)?;
        self.write_money(f)?;
        for export in self.exports.iter().take(EXPORTS_SHOWN) {
            let files: Vec<_> = export.files.iter().map(|(name, rows)| format!("{name} ({rows})")).collect();
            let unchanged = if export.changed { "" } else { ", unchanged" };
            writeln!(f, "\nExported    {}{unchanged}\n            {}", export.folder.display(), files.join("  "))?;
            if export.truncated {
                let total = export.total;
                writeln!(
                    f,
                    "            findings.json has the first of {total}: raise exporter.findings_max or --limit"
                )?;
            }
            writeln!(f, "            {} KPI rows in {}", export.gold_rows, contracts::layout::KPI_GOLD)?;
        }
        if let Some(more @ 1..) = self.exports.len().checked_sub(EXPORTS_SHOWN) {
            writeln!(f, "            and {more} more tenant(s)")?;
        }
        if !self.top_findings.is_empty() {
            writeln!(f, "\nFindings that matter most\n{}", top_findings::table(&self.top_findings).trim_fmt())?;
        }
        let times: Vec<_> =
            self.stages_ms.iter().map(|(name, ms)| format!("{name} {}.{:03} s", ms / 1_000, ms % 1_000)).collect();
        writeln!(f)?;
        if let Some(report) = &self.report {
            writeln!(f, "Report      {}", report.display())?;
        }
        writeln!(f, "Time        {}\nNext        {}", times.join("  "), self.next)
    }
}

impl Summary {
    fn write_records(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_code = by_name(self.dead_letters_by_code.iter().map(|(code, n)| (code.as_str(), *n)));
        writeln!(f, "\nPublished   {}", self.published)?;
        writeln!(f, "Valid       {}", self.valid)?;
        writeln!(f, "Dead        {by_code}")?;
        if let Some(src) = &self.dead_letter_example {
            writeln!(f, "            for one of them: finops dlq show {src}")?;
        }
        for line in self.lines_unpublished.iter().chain(&self.members_misspelt) {
            writeln!(f, "            {line}")?;
        }
        for file in &self.findings_files_empty {
            writeln!(f, "            {file} has no record")?;
        }
        writeln!(f, "Duplicates  {}", self.duplicates)?;
        writeln!(f, "Written     {} rows in {} file(s), {} bytes", self.rows, self.files, self.file_bytes)?;
        if self.delivered < self.published {
            writeln!(f, "            {} record(s) have not arrived: finops verify", self.published - self.delivered)?;
        }
        if self.judged > self.published {
            writeln!(f, "            {} record(s) were left over from before", self.judged - self.published)?;
        }
        Ok(())
    }

    fn write_money(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.potential_savings.is_empty() || !self.by_check.is_empty() {
            writeln!(f)?;
        }
        for spend in self.potential_savings.iter().filter_map(Headline::spend_text) {
            writeln!(f, "Spend as billed: {spend}")?;
        }
        for headline in &self.potential_savings {
            writeln!(f, "Potential savings a month: {headline}")?;
        }
        if self.potential_savings.is_empty() && !self.by_check.is_empty() {
            writeln!(f, "Potential savings a month: no finding has an estimate")?;
        }
        if let Some(left_out) = left_out_text(self.left_out) {
            writeln!(f, "{left_out}")?;
        }
        if self.by_check.is_empty() {
            return Ok(());
        }
        for (what, map) in [("SEVERITY", &self.by_severity), ("SERVICE", &self.by_service), ("CHECK", &self.by_check)] {
            writeln!(f, "{}", potential_table(what, map, self.potential_savings.len() == 1).trim_fmt())?;
        }
        Ok(())
    }
}

/// Findings and savings by name: the largest savings first, or most findings when there are several currencies, because
/// amounts of two currencies have no order.
fn potential_table(what: &str, map: &BTreeMap<String, Potential>, has_one_currency: bool) -> comfy_table::Table {
    let mut rows: Vec<_> = map.iter().collect();
    rows.sort_by_key(|(_, potential)| {
        let only = potential.only().filter(|_| has_one_currency);
        std::cmp::Reverse((only.map(|amount| amount.savings_monthly), potential.findings))
    });
    let mut table = plain_table();
    table.set_header([what, "FINDINGS", "SAVINGS"]);
    for (name, potential) in rows {
        let amounts: Vec<String> = potential
            .amounts()
            .map(|amount| format!("{} {}", rounded(amount.savings_monthly), amount.currency))
            .collect();
        table.add_row([escaped(name).into_owned(), potential.findings.to_string(), amounts.join(", ")]);
    }
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    table
}

/// Stage times as milliseconds.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
