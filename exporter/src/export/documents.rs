//! The five documents as types and bytes. Member names and their order are public (contract §12).

use std::collections::BTreeMap;

use contracts::tenant_scope::TenantScope;
use duckdb::Row;
use serde::{Deserialize, Serialize};

use super::{DatasetLabel, ExportOptions};
use crate::by_tenant::ByTenant;
use crate::duck::Duck;
use crate::error::Result;
use crate::population::{LeftOut, Population, sql_time};

/// Name of the file of findings.
pub(super) const FINDINGS: &str = "findings.json";
/// Name of the file of correlated findings.
pub(super) const CORRELATED: &str = "correlated_findings.json";
/// Rows that correlation made.
const IS_CORRELATED: &str = "starts_with(source_ref, 'correlation:')";

/// A finding as exported and listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "members are those of contract §12.2")]
pub struct ExportedFinding {
    pub tenant_id: String,
    pub workspace_id: Option<String>,
    pub finding_id: Option<String>,
    pub fingerprint: Option<String>,
    pub run_id: Option<String>,
    pub run_ts: Option<String>,
    pub check_id: Option<String>,
    pub check_name: Option<String>,
    pub category: Option<String>,
    pub status: Option<String>,
    pub severity_level: Option<String>,
    pub severity_score: Option<i64>,
    pub cloud: Option<String>,
    pub account_id: Option<String>,
    pub region: Option<String>,
    pub service: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub title: Option<String>,
    pub message: Option<String>,
    pub recommendation: Option<String>,
    pub est_monthly_cost: Option<String>,
    pub est_monthly_savings: Option<String>,
    pub est_confidence: Option<i64>,
    pub actual_cost_30d: Option<String>,
    pub attribution_method: Option<String>,
    pub tags: Option<BTreeMap<String, Option<String>>>,
    pub source_ref: Option<String>,
    /// Currency of every amount of the finding but its actual cost.
    pub currency: Option<String>,
    /// Currency of the actual cost, if there is one: bills may be in another one than estimates.
    #[serde(default)]
    pub actual_currency: Option<String>,
}

/// A finding that correlation made, as exported: an [`ExportedFinding`] without `cloud` and `tags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "members are those of contract §12.6")]
pub struct CorrelatedFinding {
    pub tenant_id: String,
    pub workspace_id: Option<String>,
    pub finding_id: Option<String>,
    pub fingerprint: Option<String>,
    pub run_id: Option<String>,
    pub run_ts: Option<String>,
    pub check_id: Option<String>,
    pub check_name: Option<String>,
    pub category: Option<String>,
    pub status: Option<String>,
    pub severity_level: Option<String>,
    pub severity_score: Option<i64>,
    pub account_id: Option<String>,
    pub region: Option<String>,
    pub service: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub title: Option<String>,
    pub message: Option<String>,
    pub recommendation: Option<String>,
    pub est_monthly_cost: Option<String>,
    pub est_monthly_savings: Option<String>,
    pub est_confidence: Option<i64>,
    pub actual_cost_30d: Option<String>,
    pub attribution_method: Option<String>,
    pub source_ref: Option<String>,
    /// Currency of every amount of the finding but its actual cost.
    pub currency: Option<String>,
    /// Currency of the actual cost, if there is one: bills may be in another one than estimates.
    #[serde(default)]
    pub actual_currency: Option<String>,
}

impl From<ExportedFinding> for CorrelatedFinding {
    fn from(finding: ExportedFinding) -> Self {
        Self {
            tenant_id: finding.tenant_id,
            workspace_id: finding.workspace_id,
            finding_id: finding.finding_id,
            fingerprint: finding.fingerprint,
            run_id: finding.run_id,
            run_ts: finding.run_ts,
            check_id: finding.check_id,
            check_name: finding.check_name,
            category: finding.category,
            status: finding.status,
            severity_level: finding.severity_level,
            severity_score: finding.severity_score,
            account_id: finding.account_id,
            region: finding.region,
            service: finding.service,
            resource_type: finding.resource_type,
            resource_id: finding.resource_id,
            title: finding.title,
            message: finding.message,
            recommendation: finding.recommendation,
            est_monthly_cost: finding.est_monthly_cost,
            est_monthly_savings: finding.est_monthly_savings,
            est_confidence: finding.est_confidence,
            actual_cost_30d: finding.actual_cost_30d,
            attribution_method: finding.attribution_method,
            source_ref: finding.source_ref,
            currency: finding.currency,
            actual_currency: finding.actual_currency,
        }
    }
}

/// Rows per status and severity level, and what they could save.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportSummary {
    /// Tenant.
    pub tenant_id: String,
    /// Rows per status; the key of no status is `null`.
    pub by_status: BTreeMap<String, u64>,
    /// Rows of all statuses per severity level; the key of no level is `null`.
    pub by_severity: BTreeMap<String, u64>,
    /// Rows per pair.
    pub matrix: Vec<MatrixCell>,
    /// Rows that count.
    pub total: u64,
    /// True when `findings.json` does not list them all.
    pub truncated: bool,
    /// What the population leaves out.
    pub left_out: LeftOut,
    /// What could be saved, one entry per currency.
    pub potential_savings: Vec<PotentialSavings>,
}

/// Estimated savings of the open failed checks in one currency; only estimates above 0, and nothing that correlation made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PotentialSavings {
    /// Currency.
    pub currency: Option<String>,
    /// Findings with an estimate.
    pub findings: u64,
    /// Their sum, a month.
    pub savings_monthly: String,
}

/// Rows of one status and severity level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// Status.
    pub status: Option<String>,
    /// Severity level.
    pub severity_level: Option<String>,
    /// Rows.
    pub count: u64,
}

/// One of the failed checks with the largest estimated savings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "members are those of contract §12.4")]
pub struct TopSaving {
    pub finding_id: Option<String>,
    pub check_id: Option<String>,
    pub check_name: Option<String>,
    pub severity_level: Option<String>,
    pub service: Option<String>,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub title: Option<String>,
    pub est_monthly_savings: String,
    pub est_confidence: Option<i64>,
    /// Currency of the savings.
    pub currency: Option<String>,
}

/// How many findings carry an actual cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Tenant.
    pub tenant_id: String,
    /// What was read.
    pub dataset: DatasetLabel,
    /// Rows.
    pub findings_total: u64,
    /// Rows with `actual.cost_30d`.
    pub findings_with_actual_cost: u64,
    /// Their share in percent, half up to two places; a percentage, never money.
    pub actual_cost_coverage_pct: f64,
    /// Why no finding carries one.
    pub reason: Option<String>,
}

/// How findings came by their actual costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CostCoverage {
    /// Rows per attribution method; `none` for those that have none.
    pub findings_by_method: BTreeMap<String, u64>,
    /// Rows with `actual.cost_30d`.
    pub findings_with_cost_30d: u64,
    /// Their share in percent, half up to two places.
    pub cost_30d_pct: f64,
}

/// Why `coverage.json` is all 0.
const NOT_ATTRIBUTED: &str =
    "no finding carries an actual cost: no bill of the tenant is loaded, or none of its lines is of a finding";
/// Why `correlated_findings.json` is empty.
const NOT_CORRELATED: &str =
    "no finding is a correlated one: this version has no correlation rules, and no producer sent any";
/// Why `findings.json` is empty.
const NO_FINDINGS: &str = "the runs that count reported nothing";
/// Why `top_savings.json` is empty.
const NO_SAVINGS: &str = "no failed check has an estimate above 0";

/// One file to be written.
pub(super) struct Document {
    pub name: &'static str,
    pub rows: u64,
    /// Rows there would be without a limit.
    pub total: u64,
    /// Why it is empty.
    pub reason: Option<String>,
    pub bytes: Vec<u8>,
}

/// All files of a tenant but the manifest.
pub(super) struct Documents {
    pub files: Vec<Document>,
    pub rows_read: u64,
    pub left_out: LeftOut,
    pub costs: CostCoverage,
}

/// What the documents of tenants are made from.
pub(super) struct Answers {
    listed: ByTenant<ExportedFinding>,
    top_savings: ByTenant<(TopSaving, u64)>,
    coverage: ByTenant<(u64, u64)>,
    methods: ByTenant<(String, u64)>,
    left_out: ByTenant<LeftOut>,
    matrix: ByTenant<MatrixCell>,
    potential_savings: ByTenant<PotentialSavings>,
    correlated: Option<Correlated>,
}

/// Findings that correlation made, and how many there are without a limit.
struct Correlated {
    listed: ByTenant<ExportedFinding>,
    totals: ByTenant<u64>,
}

impl Answers {
    /// Asks for all tenants of `population`. A limit of rows is one of the statement, so a tenant with more rows than
    /// [`ExportOptions::limit`] has to be alone in it.
    pub fn read(duck: &Duck, tenants: usize, options: &ExportOptions) -> Result<Self> {
        let listed = findings(duck, tenants, options, "true")?;
        let top_savings = top_savings(duck, options.population)?;
        let coverage = include_str!("../../sql/export/coverage.sql");
        let coverage = duck.rows_by_tenant("measuring coverage", coverage, |row| Ok((row.get(1)?, row.get(2)?)))?;
        let methods = include_str!("../../sql/export/methods.sql");
        let methods = duck.rows_by_tenant("counting methods", methods, |row| Ok((row.get(1)?, row.get(2)?)))?;
        let left_out = options.population.left_out(duck, None)?;
        let matrix = include_str!("../../sql/export/summary.sql");
        let matrix = duck.rows_by_tenant("counting findings", matrix, |row| {
            Ok(MatrixCell { status: row.get(1)?, severity_level: row.get(2)?, count: row.get(3)? })
        })?;
        let potential = include_str!("../../sql/export/potential.sql");
        let potential_savings = duck.rows_by_tenant("adding up savings", potential, |row| {
            Ok(PotentialSavings { currency: row.get(1)?, findings: row.get(2)?, savings_monthly: row.get(3)? })
        })?;
        let correlated = options.correlated.then(|| correlated(duck, tenants, options)).transpose()?;
        Ok(Self { listed, top_savings, coverage, methods, left_out, matrix, potential_savings, correlated })
    }

    /// Makes the documents of one tenant.
    pub fn documents_of(&mut self, scope: &TenantScope, options: &ExportOptions) -> Documents {
        let listed = self.listed.take(scope);
        let top_savings = self.top_savings.take(scope);
        let savings_total = top_savings.first().map_or(0, |(_, total)| *total);
        let top_savings: Vec<TopSaving> = top_savings.into_iter().map(|(saving, _)| saving).collect();
        let coverage = self.coverage_of(scope, options.dataset);
        let (rows, total) = (listed.len() as u64, coverage.findings_total);
        let left_out = self.left_out.take(scope).pop().unwrap_or_default();
        let summary = ExportSummary { total, truncated: rows < total, left_out, ..self.summary_of(scope) };
        let mut files = vec![
            list(FINDINGS, &listed, total, NO_FINDINGS),
            object("summary.json", &summary),
            list("top_savings.json", &top_savings, savings_total, NO_SAVINGS),
            Document { reason: coverage.reason.clone(), ..object("coverage.json", &coverage) },
        ];
        if let Some(correlated) = &mut self.correlated {
            let total = correlated.totals.take(scope).pop().unwrap_or_default();
            let listed: Vec<CorrelatedFinding> =
                correlated.listed.take(scope).into_iter().map(CorrelatedFinding::from).collect();
            files.push(list(CORRELATED, &listed, total, NOT_CORRELATED));
        }
        let costs = CostCoverage {
            findings_by_method: self.methods.take(scope).into_iter().collect(),
            findings_with_cost_30d: coverage.findings_with_actual_cost,
            cost_30d_pct: coverage.actual_cost_coverage_pct,
        };
        Documents { files, rows_read: total, left_out, costs }
    }

    fn summary_of(&mut self, scope: &TenantScope) -> ExportSummary {
        let matrix = self.matrix.take(scope);
        let (mut by_status, mut by_severity) = (BTreeMap::new(), BTreeMap::new());
        let key = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
        for cell in &matrix {
            *by_status.entry(key(&cell.status)).or_default() += cell.count;
            *by_severity.entry(key(&cell.severity_level)).or_default() += cell.count;
        }
        let potential_savings = self.potential_savings.take(scope);
        let (total, truncated, left_out) = Default::default();
        let tenant_id = scope.to_string();
        ExportSummary { tenant_id, by_status, by_severity, matrix, total, truncated, left_out, potential_savings }
    }

    fn coverage_of(&mut self, scope: &TenantScope, dataset: DatasetLabel) -> Coverage {
        let (total, with_cost) = self.coverage.take(scope).pop().unwrap_or_default();
        Coverage {
            tenant_id: scope.to_string(),
            dataset,
            findings_total: total,
            findings_with_actual_cost: with_cost,
            actual_cost_coverage_pct: percent(with_cost, total),
            reason: (with_cost == 0).then(|| NOT_ATTRIBUTED.to_owned()),
        }
    }
}

fn correlated(duck: &Duck, tenants: usize, options: &ExportOptions) -> Result<Correlated> {
    let count = format!("SELECT tenant_id, count(*) FROM population WHERE {IS_CORRELATED} GROUP BY tenant_id");
    let totals = duck.rows_by_tenant("counting correlated findings", &count, |row| row.get(1))?;
    Ok(Correlated { listed: findings(duck, tenants, options, IS_CORRELATED)?, totals })
}

/// UTF-8, indent 2, one line feed at the end (R77).
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Plain structs with text keys: serialising them cannot fail.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn list<T: Serialize>(name: &'static str, entries: &[T], total: u64, why_empty: &str) -> Document {
    let reason = (total == 0).then(|| why_empty.to_owned());
    Document { name, rows: entries.len() as u64, total, reason, bytes: json(entries) }
}

fn object<T: Serialize>(name: &'static str, value: &T) -> Document {
    Document { name, rows: 1, total: 1, reason: None, bytes: json(value) }
}

/// The select list behind an [`ExportedFinding`], over any relation with the flat columns.
pub(crate) fn finding_columns() -> String {
    let run_ts = sql_time("run_ts");
    format!(
        "tenant_id, workspace_id, finding_id, fingerprint, run_id, {run_ts}, check_id, check_name, category, status, \
         severity_level, severity_score, cloud, account_id, region, service, resource_type, resource_id, title, message, \
         recommendation, CAST(est_monthly_cost AS VARCHAR), CAST(est_monthly_savings AS VARCHAR), est_confidence, \
         CAST(actual_cost_30d AS VARCHAR), attribution_method, CAST(to_json(tags) AS VARCHAR), source_ref, currency, \
         CASE WHEN actual_cost_30d IS NOT NULL THEN actual_currency END"
    )
}

impl ExportedFinding {
    /// Reads a row of [`finding_columns`].
    pub(crate) fn from_row(row: &Row<'_>) -> duckdb::Result<Self> {
        let tags: Option<String> = row.get(26)?;
        Ok(Self {
            tenant_id: row.get(0)?,
            workspace_id: row.get(1)?,
            finding_id: row.get(2)?,
            fingerprint: row.get(3)?,
            run_id: row.get(4)?,
            run_ts: row.get(5)?,
            check_id: row.get(6)?,
            check_name: row.get(7)?,
            category: row.get(8)?,
            status: row.get(9)?,
            severity_level: row.get(10)?,
            severity_score: row.get(11)?,
            cloud: row.get(12)?,
            account_id: row.get(13)?,
            region: row.get(14)?,
            service: row.get(15)?,
            resource_type: row.get(16)?,
            resource_id: row.get(17)?,
            title: row.get(18)?,
            message: row.get(19)?,
            recommendation: row.get(20)?,
            est_monthly_cost: row.get(21)?,
            est_monthly_savings: row.get(22)?,
            est_confidence: row.get(23)?,
            actual_cost_30d: row.get(24)?,
            attribution_method: row.get(25)?,
            tags: tags.map(|text| json_cell(26, &text)).transpose()?,
            source_ref: row.get(27)?,
            currency: row.get(28)?,
            actual_currency: row.get(29)?,
        })
    }
}

/// A cell that holds JSON text.
pub(crate) fn json_cell<T: serde::de::DeserializeOwned>(index: usize, text: &str) -> duckdb::Result<T> {
    serde_json::from_str(text)
        .map_err(|e| duckdb::Error::FromSqlConversionFailure(index, duckdb::types::Type::Text, Box::new(e)))
}

/// The rows of a list: those of all runs in the order of contract §12, those of the latest runs by savings.
fn findings(
    duck: &Duck,
    tenants: usize,
    options: &ExportOptions,
    condition: &str,
) -> Result<ByTenant<ExportedFinding>> {
    let sql = match options.population {
        Population::All => include_str!("../../sql/export/findings.sql"),
        Population::LatestRun => include_str!("../../sql/export/findings_by_savings.sql"),
    };
    let limit = match tenants {
        1 => format!("LIMIT {}", options.limit.min(i64::MAX.unsigned_abs())),
        _ => String::new(),
    };
    let sql = sql.replace("{columns}", &finding_columns()).replace("{condition}", condition).replace("{limit}", &limit);
    duck.rows_by_tenant("reading findings", &sql, ExportedFinding::from_row)
}

/// The largest savings, each with how many its tenant has in all.
fn top_savings(duck: &Duck, population: Population) -> Result<ByTenant<(TopSaving, u64)>> {
    let by_currency = (population == Population::LatestRun).to_string();
    let sql = include_str!("../../sql/export/top_savings.sql").replace("{by_currency}", &by_currency);
    duck.rows_by_tenant("reading top savings", &sql, |row| {
        let saving = TopSaving {
            finding_id: row.get(1)?,
            check_id: row.get(2)?,
            check_name: row.get(3)?,
            severity_level: row.get(4)?,
            service: row.get(5)?,
            resource_type: row.get(6)?,
            resource_id: row.get(7)?,
            title: row.get(8)?,
            est_monthly_savings: row.get(9)?,
            est_confidence: row.get(10)?,
            currency: row.get(11)?,
        };
        Ok((saving, row.get(12)?))
    })
}

/// 100·part/whole, half up to two places; 0 of nothing.
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let hundredths = (20_000 * u128::from(part) + u128::from(whole)) / (2 * u128::from(whole));
    hundredths as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_rounds_half_up() {
        let cases = [(22, 66, 33.33), (1, 8, 12.5), (1, 32, 3.13), (2, 3, 66.67), (5, 5, 100.0), (0, 0, 0.0)];
        for (part, whole, expected) in cases {
            assert_eq!(percent(part, whole).to_string(), expected.to_string(), "{part} of {whole}");
        }
    }
}
