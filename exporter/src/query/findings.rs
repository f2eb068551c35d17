//! `findings list` and `findings show`.

use std::path::PathBuf;
use std::slice::from_ref;

use contracts::tenant_scope::TenantScope;
use duckdb::{params, params_from_iter};
use lake::cut::Cut;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::filter::Conditions;
use super::identify::{Matched, identify};
use super::order::FindingOrder;
use super::record::record_json;
use crate::duck::{Duck, DuckLimits, literal, read_parquet};
use crate::error::Result;
use crate::export::{ExportedFinding, finding_columns, json_cell};
use crate::findings_db::{self, Held};
use crate::population::{LeftOut, Population, RunRef, sql_time};
use crate::priced::PricedFiles;

/// What to list. Empty lists and texts ask for nothing; several values of one member mean *or*, members mean *and*. Case
/// does not matter.
#[derive(Debug, Clone, Default)]
pub struct FindingFilter {
    /// Rows to choose from.
    pub population: Population,
    /// Workspaces.
    pub workspace_id: Vec<String>,
    /// Checks.
    pub check_id: Vec<String>,
    /// Categories.
    pub category: Vec<String>,
    /// Statuses.
    pub status: Vec<String>,
    /// Severity levels.
    pub severity: Vec<String>,
    /// Services.
    pub service: Vec<String>,
    /// Accounts.
    pub account_id: Vec<String>,
    /// Regions.
    pub region: Vec<String>,
    /// Resources: ids or ARNs, or parts of them.
    pub resource: Vec<String>,
    /// Of runs that started at or after, milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// Of runs that started before, milliseconds since the epoch.
    pub until_ms: Option<i64>,
    /// Words that must all occur in title, resource, check or message, ignoring case.
    pub text: String,
    /// Order of the list.
    pub order: FindingOrder,
    /// True for the opposite order.
    pub is_reversed: bool,
    /// Most rows; `None` for all.
    pub limit: Option<u64>,
    /// Currency of amounts that name none; `None` leaves it unknown.
    pub default_currency: Option<String>,
}

/// Findings that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingList {
    /// The first of them in the order asked for.
    pub items: Vec<ExportedFinding>,
    /// How many match in all.
    pub total: u64,
    /// Runs they were chosen from.
    pub runs: Vec<RunRef>,
    /// What the population leaves out, of all workspaces and whatever the filter.
    pub left_out: LeftOut,
}

/// One finding, whole.
#[derive(Debug, Clone, Serialize)]
pub struct FindingDetail {
    /// Its newest row as it is stored, every column.
    pub record: Box<RawValue>,
    /// What its resource cost, in the place of the stored `actual`; none without bills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Box<RawValue>>,
    /// Its dimensions and those that say what arrived of its savings, in the place of the stored ones; none without bills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<Box<RawValue>>,
    /// When it was seen, newest first.
    pub sightings: Vec<Sighting>,
}

/// A finding in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Workspace.
    pub workspace_id: Option<String>,
    /// Run.
    pub run_id: Option<String>,
    /// Start of the run.
    pub run_ts: Option<String>,
    /// Status in that run.
    pub status: Option<String>,
    /// Severity level in that run.
    pub severity_level: Option<String>,
    /// Estimated monthly savings in that run.
    pub est_monthly_savings: Option<String>,
    /// Their currency.
    pub currency: Option<String>,
}

/// What a workspace could save.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WorkspacePotential {
    /// By severity, service, check and currency.
    pub parts: Vec<CurrencyPotential>,
    /// What the latest runs leave out.
    pub left_out: LeftOut,
}

/// Findings and savings of one severity, service, check and currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrencyPotential {
    /// Severity level.
    pub severity_level: Option<String>,
    /// Service.
    pub service: Option<String>,
    /// Check.
    pub check_id: Option<String>,
    /// Currency of the savings.
    pub currency: Option<String>,
    /// Findings.
    pub findings: u64,
    /// Estimated monthly savings of the open failed ones, as in `summary.json`; `None` when none of them has an estimate.
    pub est_monthly_savings: Option<String>,
}

/// What the latest complete runs in a workspace of the tenant could save.
///
/// # Errors
/// The codes of R74, and whatever reading met.
pub fn potential_savings(
    cut: &Cut,
    scope: &TenantScope,
    workspace_id: &str,
    default_currency: &str,
    limits: &DuckLimits,
) -> Result<WorkspacePotential> {
    let duck = open(cut, scope, Some(default_currency), limits)?;
    Population::LatestRun.load_one(&duck, scope)?;
    let sql = "SELECT severity_level, service, check_id, currency, count(*), \
               CAST(sum(est_monthly_savings) FILTER \
               (is_potential(status, est_monthly_savings, source_ref, lifecycle_status)) AS VARCHAR) \
               FROM population WHERE coalesce(workspace_id, '') = ? GROUP BY ALL ORDER BY ALL";
    let parts = duck.rows("adding up savings", sql, [workspace_id], |row| {
        Ok(CurrencyPotential {
            severity_level: row.get(0)?,
            service: row.get(1)?,
            check_id: row.get(2)?,
            currency: row.get(3)?,
            findings: row.get(4)?,
            est_monthly_savings: row.get(5)?,
        })
    })?;
    let left_out = Population::LatestRun.left_out_of(&duck, scope, Some(workspace_id))?;
    Ok(WorkspacePotential { parts, left_out })
}

/// Findings of one tenant.
///
/// # Errors
/// The codes of R74, and whatever reading met.
pub fn list_findings(
    cut: &Cut,
    scope: &TenantScope,
    filter: &FindingFilter,
    limits: &DuckLimits,
) -> Result<FindingList> {
    let duck = open(cut, scope, filter.default_currency.as_deref(), limits)?;
    let runs = filter.population.load_one(&duck, scope)?;
    let conditions = conditions(filter);
    let clause = conditions.clause();
    let doing = "listing findings";
    let count = format!("SELECT count(*) FROM population WHERE {clause}");
    let total = duck.rows(doing, &count, params_from_iter(&conditions.params), |row| row.get(0))?;
    let limit = filter.limit.map_or_else(String::new, |n| format!("LIMIT {n}"));
    let list = format!(
        "SELECT {} FROM population WHERE {clause} ORDER BY {} {limit}",
        finding_columns(),
        filter.order.sql(filter.is_reversed)
    );
    let items = duck.rows(doing, &list, params_from_iter(&conditions.params), ExportedFinding::from_row)?;
    let left_out = filter.population.left_out_of(&duck, scope, None)?;
    Ok(FindingList { items, total: total.first().copied().unwrap_or_default(), runs, left_out })
}

/// One finding by its id or fingerprint, or by at least eight first characters of one; `None` when the tenant has none.
///
/// # Errors
/// `ambiguous_id` with the candidates when several begin so; the codes of R74.
pub fn show_finding(cut: &Cut, scope: &TenantScope, id: &str, limits: &DuckLimits) -> Result<Option<FindingDetail>> {
    let priced = PricedFiles::of_cut(cut, scope)?;
    let duck = open_with(cut, scope, None, &priced, limits)?;
    let Some(Matched { column, id }) = identify(&duck, id)? else { return Ok(None) };
    let doing = "reading a finding";
    let paths = cut.local(cut.findings_of(scope), &duck.lease)?;
    let files = read_parquet(paths.iter().map(PathBuf::as_path));
    let record = record_json(duck.schema(doing, &format!("FROM {files}"))?.fields());
    let tenant = literal(scope.as_str());
    let sql = format!(
        "SELECT {record} FROM {files} WHERE tenant_id = {tenant} AND {column} = ? \
         ORDER BY run_ts DESC, ingested_ts DESC LIMIT 1"
    );
    let record: Option<Box<RawValue>> =
        duck.rows(doing, &sql, params![id], |row| json_cell(0, &row.get::<_, String>(0)?))?.pop();
    let Some(record) = record else { return Ok(None) };
    let Priced { actual, dimensions } = priced_row(&duck, cut, scope, &priced, record.get())?;
    Ok(Some(FindingDetail { record, actual, dimensions, sightings: sightings(&duck, column, &id)? }))
}

/// What priced findings say of a stored row.
#[derive(Default, Deserialize)]
struct Priced {
    actual: Option<Box<RawValue>>,
    dimensions: Option<Box<RawValue>>,
}

/// Nothing where it is not priced.
fn priced_row(duck: &Duck, cut: &Cut, scope: &TenantScope, priced: &PricedFiles, record: &str) -> Result<Priced> {
    #[derive(Deserialize)]
    struct Row {
        workspace_id: Option<String>,
        run_id: Option<String>,
        finding_id: Option<String>,
    }
    let doing = "reading the costs of a finding";
    let Ok(row) = serde_json::from_str::<Row>(record) else { return Ok(Priced::default()) };
    if priced.files().is_empty() {
        return Ok(Priced::default());
    }
    let paths = cut.local(priced.files(), &duck.lease)?;
    let files = read_parquet(paths.iter().map(PathBuf::as_path));
    let schema = duck.schema(doing, &format!("SELECT actual, dimensions FROM {files}"))?;
    let sql = format!(
        "SELECT {} FROM {files} WHERE tenant_id = {} AND workspace_id IS NOT DISTINCT FROM ? AND run_id = ? \
         AND finding_id = ? ORDER BY 1 LIMIT 1",
        record_json(schema.fields()),
        literal(scope.as_str())
    );
    let params = params![row.workspace_id, row.run_id, row.finding_id];
    let found: Option<Priced> = duck.rows(doing, &sql, params, |row| json_cell(0, &row.get::<_, String>(0)?))?.pop();
    Ok(found.unwrap_or_default())
}

fn open(cut: &Cut, scope: &TenantScope, default_currency: Option<&str>, limits: &DuckLimits) -> Result<Duck> {
    open_with(cut, scope, default_currency, &PricedFiles::of_cut(cut, scope)?, limits)
}

fn open_with(
    cut: &Cut,
    scope: &TenantScope,
    default_currency: Option<&str>,
    priced: &PricedFiles,
    limits: &DuckLimits,
) -> Result<Duck> {
    let duck = findings_db::open(cut, from_ref(scope), default_currency, Held::InFiles, priced, limits)?;
    findings_db::refuse_unknown_tenant(&duck, cut, scope)?;
    Ok(duck)
}

fn conditions(filter: &FindingFilter) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.one_of_ignoring_case("workspace_id", &filter.workspace_id);
    conditions.one_of_ignoring_case("check_id", &filter.check_id);
    conditions.one_of_ignoring_case("category", &filter.category);
    conditions.one_of_ignoring_case("status", &filter.status);
    conditions.one_of_ignoring_case("severity_level", &filter.severity);
    conditions.one_of_ignoring_case("service", &filter.service);
    conditions.one_of_ignoring_case("account_id", &filter.account_id);
    conditions.one_of_ignoring_case("region", &filter.region);
    conditions.any_part(&["resource_id", "resource_arn"], &filter.resource);
    conditions.at_or_after("run_ts", filter.since_ms);
    conditions.before("run_ts", filter.until_ms);
    conditions.words(&["title", "resource_id", "resource_arn", "check_id", "message"], &filter.text);
    conditions
}

fn sightings(duck: &Duck, column: &str, id: &str) -> Result<Vec<Sighting>> {
    let sql = format!(
        "SELECT DISTINCT workspace_id, run_id, {}, status, severity_level, CAST(est_monthly_savings AS VARCHAR), currency \
         FROM findings WHERE {column} = ? ORDER BY 3 DESC NULLS LAST, 2, 1, 4, 5, 6, 7",
        sql_time("run_ts")
    );
    duck.rows("reading the history of a finding", &sql, params![id], |row| {
        Ok(Sighting {
            workspace_id: row.get(0)?,
            run_id: row.get(1)?,
            run_ts: row.get(2)?,
            status: row.get(3)?,
            severity_level: row.get(4)?,
            est_monthly_savings: row.get(5)?,
            currency: row.get(6)?,
        })
    })
}
