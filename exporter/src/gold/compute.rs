//! From the findings and cost facts of tenants to KPI rows, checked against each other. All of it happens in DuckDB over
//! exact decimals; nothing is published here.

use std::collections::BTreeMap;

use contracts::table_manifest::LeftOutKpis;
use contracts::tenant_scope::TenantScope;
use contracts::time::date_of;
use lake::cut::Cut;

use super::kpi::{CHECKS, KPIS, Kpi, KpiPopulation, KpiUnit};
use super::row::{KpiRow, dim_key, micro, sort_unique, source_ref};
use crate::by_tenant::ByTenant;
use crate::duck::{Duck, literal};
use crate::error::{ExportError, Result};
use crate::export::json_cell;
use crate::facts_db;
use crate::families;
use crate::findings_db::Held;

/// Day of the month from which a month has a forecast.
const FORECAST_FROM: &str = "04";

/// What one build has computed.
pub(crate) struct Computed {
    /// Sorted rows of every period that has a run or a cost fact.
    pub periods: BTreeMap<String, Vec<KpiRow>>,
    /// When the next snooze ends, and with it the state of a finding changes.
    pub snooze_end_ms: Option<i64>,
    /// KPIs without a value, because it has too many digits.
    pub left_out: Vec<LeftOutKpis>,
}

/// Computes the tenants of a database from [`crate::findings_db::open`]; one for each scope, in their order.
pub(crate) fn compute(
    duck: &Duck,
    cut: &Cut,
    scopes: &[TenantScope],
    held: Held,
    now_ms: i64,
) -> Result<Vec<Computed>> {
    load_snapshot(duck, now_ms)?;
    load_scopes(duck, cut, scopes)?;
    facts_db::load(duck, cut, scopes, held)?;
    load_running_month(duck, scopes, now_ms)?;
    duck.run("adding up cost facts", include_str!("../../sql/gold/cost.sql"))?;
    run_kpis(duck)?;
    run_checks(duck)?;
    let mut rows_of_kpis = KPIS.iter().map(|kpi| read_rows(duck, kpi)).collect::<Result<Vec<_>>>()?;
    let (mut snooze_ends, mut left_out) = (snooze_ends(duck, now_ms)?, left_out(duck)?);
    // Their memory is for what else is made of the tenants.
    duck.run("dropping snapshots", DROP)?;
    let computed = scopes.iter().map(|scope| {
        let mut periods: BTreeMap<String, Vec<KpiRow>> = BTreeMap::new();
        for row in rows_of_kpis.iter_mut().flat_map(|rows| rows.take(scope)) {
            periods.entry(row.period.clone()).or_default().push(row);
        }
        periods.values_mut().try_for_each(|rows| sort_unique(rows))?;
        let snooze_end_ms = snooze_ends.take(scope).pop().flatten();
        Ok(Computed { periods, snooze_end_ms, left_out: left_out.take(scope) })
    });
    computed.collect()
}

const DROP: &str =
    "DROP TABLE snapshot; DROP TABLE run_row; DROP TABLE best_of_resource; DROP TABLE cost; DROP TABLE kpi";

/// Periods and currencies of which there are no costs.
fn left_out(duck: &Duck) -> Result<ByTenant<LeftOutKpis>> {
    let of_facts = KPIS.iter().filter(|kpi| kpi.population == KpiPopulation::Facts && kpi.unit == KpiUnit::Money);
    let kpis: Vec<String> = of_facts.map(|kpi| kpi.name.to_owned()).collect();
    let sql = "SELECT tenant_id, period, currency FROM large_cost ORDER BY ALL";
    duck.rows_by_tenant("listing what is left out", sql, |row| {
        Ok(LeftOutKpis { kpis: kpis.clone(), period: row.get(1)?, currency: row.get(2)? })
    })
}

fn load_snapshot(duck: &Duck, now_ms: i64) -> Result<()> {
    let doing = "taking snapshots";
    duck.run(doing, include_str!("../../sql/gold/anchor.sql"))?;
    duck.run(doing, include_str!("../../sql/gold/run_row.sql"))?;
    families::load(duck, "run_row")?;
    let now = format!("make_timestamp({now_ms} * 1000)");
    duck.run(doing, &include_str!("../../sql/gold/snapshot.sql").replace("{now}", &now))?;
    duck.run("preparing keys of resources", include_str!("../../sql/attribution_keys.sql"))?;
    duck.run("choosing findings of resources", include_str!("../../sql/gold/resource.sql"))
}

/// How many scopes each run could not check as a whole.
fn load_scopes(duck: &Duck, cut: &Cut, scopes: &[TenantScope]) -> Result<()> {
    let doing = "loading scopes of runs";
    duck.run(
        doing,
        "CREATE TEMP TABLE run_scope (tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, failed BIGINT)",
    )?;
    let failed = scopes.iter().flat_map(|scope| cut.runs_of(scope)).filter(|run| run.scopes_failed > 0);
    let counted: Vec<_> = failed.map(|run| (run, run.scopes_failed.to_string())).collect();
    let rows: Vec<Vec<Option<&str>>> = counted
        .iter()
        .map(|(run, failed)| {
            [&run.tenant_id, &run.workspace_id, &run.run_id, failed].map(|cell| Some(cell.as_str())).to_vec()
        })
        .collect();
    duck.insert(doing, "run_scope", &rows)
}

/// The month of the build, which is not over.
fn load_running_month(duck: &Duck, scopes: &[TenantScope], now_ms: i64) -> Result<()> {
    let doing = "naming the running month";
    duck.run(doing, "CREATE TEMP TABLE running_month (tenant_id VARCHAR, period VARCHAR)")?;
    let today = date_of(now_ms);
    if today[8..] < *FORECAST_FROM {
        return Ok(());
    }
    let rows: Vec<_> = scopes.iter().map(|scope| vec![Some(scope.as_str()), Some(&today[..7])]).collect();
    duck.insert(doing, "running_month", &rows)
}

fn snooze_ends(duck: &Duck, now_ms: i64) -> Result<ByTenant<Option<i64>>> {
    let sql = format!(
        "SELECT tenant_id, epoch_ms(min(snooze_until_ts)) FROM run_row \
         WHERE lifecycle_status = 'snoozed' AND snooze_until_ts > make_timestamp({now_ms} * 1000) GROUP BY tenant_id"
    );
    duck.rows_by_tenant("looking for the end of snoozes", &sql, |row| row.get(1))
}

fn run_kpis(duck: &Duck) -> Result<()> {
    duck.run(
        "preparing KPIs",
        "CREATE TEMP TABLE kpi (kpi VARCHAR, tenant_id VARCHAR, workspace_id VARCHAR, period VARCHAR, \
         dimensions MAP(VARCHAR, VARCHAR), value DECIMAL(38,12), currency VARCHAR)",
    )?;
    for kpi in KPIS {
        let sql = format!(
            "INSERT INTO kpi SELECT {}, tenant_id, workspace_id, period, dimensions, value, currency FROM (\n{}\n)",
            literal(kpi.name),
            kpi.sql
        );
        duck.run(&format!("computing {}", kpi.name), &sql)?;
    }
    Ok(())
}

fn run_checks(duck: &Duck) -> Result<()> {
    for check in CHECKS {
        if let Some(detail) = duck.value(&format!("checking {}", check.name), check.sql)? {
            return Err(ExportError::Check { check: check.name, detail });
        }
    }
    Ok(())
}

fn read_rows(duck: &Duck, kpi: &Kpi) -> Result<ByTenant<KpiRow>> {
    let scope = match kpi.population {
        KpiPopulation::Snapshot => "snapshot_scope",
        KpiPopulation::Facts => "cost_scope",
    };
    let sql = format!(
        "SELECT tenant_id, workspace_id, period, period_type, CAST(to_json(dimensions) AS VARCHAR), \
         CAST(value AS VARCHAR), currency, CAST(to_json(sources) AS VARCHAR) \
         FROM kpi JOIN {scope} USING (tenant_id, workspace_id, period) WHERE kpi = {}",
        literal(kpi.name)
    );
    let read = |row: &duckdb::Row<'_>| -> duckdb::Result<(String, KpiRow, String)> {
        let dimensions: BTreeMap<String, String> = json_cell(4, &row.get::<_, String>(4)?)?;
        let sources: Vec<String> = json_cell(7, &row.get::<_, String>(7)?)?;
        let row_without_value = KpiRow {
            workspace_id: row.get(1)?,
            kpi_name: kpi.name.to_owned(),
            dim_key: dim_key(&dimensions),
            currency: row.get(6)?,
            dimensions,
            value_micro: 0,
            period: row.get(2)?,
            period_type: row.get(3)?,
            unit: kpi.unit.as_str(),
            source_ref: source_ref(&sources),
        };
        Ok((row.get(0)?, row_without_value, row.get(5)?))
    };
    let rows = duck.rows(&format!("reading {}", kpi.name), &sql, [], read)?;
    let rows = rows.into_iter().map(|(tenant, row, value)| Ok((tenant, with_value(row, &value)?)));
    Ok(ByTenant::new(rows.collect::<Result<Vec<_>>>()?))
}

fn with_value(row: KpiRow, value: &str) -> Result<KpiRow> {
    match micro(value) {
        Some(value_micro) => Ok(KpiRow { value_micro, ..row }),
        // A computed value is decimal(38,12), and that fits.
        None => {
            let detail = format!("{} {:?} of {}: {value} is no decimal(38,12)", row.kpi_name, row.dim_key, row.period);
            Err(ExportError::Check { check: "values_are_decimals", detail })
        }
    }
}
