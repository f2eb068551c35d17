//! From a tenant's findings and cost facts to KPI rows, checked against each other. All of it happens in DuckDB over
//! exact decimals; nothing is published here.

use std::collections::BTreeMap;

use contracts::gold_manifest::LeftOutKpis;
use duckdb::params;

use super::kpi::{CHECKS, KPIS, Kpi, KpiPopulation};
use super::row::{KpiRow, dim_key, micro, sort_unique, source_ref};
use crate::cut::Cut;
use crate::duck::{Duck, DuckLimits, literal};
use crate::error::{ExportError, Result};
use crate::export::json_cell;
use crate::tenant::TenantScope;
use crate::{facts_db, findings_db};

/// What one build has computed.
pub(super) struct Computed {
    /// Sorted rows of every period that has a run or a cost fact.
    pub periods: BTreeMap<String, Vec<KpiRow>>,
    /// When the next snooze ends, and with it the state of a finding changes.
    pub snooze_end_ms: Option<i64>,
    /// KPIs without a value, because it has too many digits.
    pub left_out: Vec<LeftOutKpis>,
}

pub(super) fn compute(
    cut: &Cut,
    scope: &TenantScope,
    default_currency: &str,
    now_ms: i64,
    limits: &DuckLimits,
) -> Result<Computed> {
    let duck = findings_db::open(cut, scope, Some(default_currency), limits)?;
    load_snapshot(&duck, now_ms)?;
    load_costs(&duck, cut, scope)?;
    run_kpis(&duck)?;
    run_checks(&duck)?;
    let mut periods: BTreeMap<String, Vec<KpiRow>> = BTreeMap::new();
    for kpi in KPIS {
        for row in read_rows(&duck, kpi)? {
            periods.entry(row.period.clone()).or_default().push(row);
        }
    }
    periods.values_mut().try_for_each(|rows| sort_unique(rows))?;
    Ok(Computed { periods, snooze_end_ms: snooze_end_ms(&duck, now_ms)?, left_out: left_out(&duck)? })
}

/// Periods and currencies of which there are no costs.
fn left_out(duck: &Duck) -> Result<Vec<LeftOutKpis>> {
    let of_facts = KPIS.iter().filter(|kpi| kpi.population == KpiPopulation::Facts);
    let kpis: Vec<String> = of_facts.map(|kpi| kpi.name.to_owned()).collect();
    duck.rows("listing what is left out", "SELECT period, currency FROM large_cost ORDER BY ALL", [], |row| {
        Ok(LeftOutKpis { kpis: kpis.clone(), period: row.get(0)?, currency: row.get(1)? })
    })
}

fn load_snapshot(duck: &Duck, now_ms: i64) -> Result<()> {
    let doing = "taking snapshots";
    duck.run(doing, include_str!("../../sql/gold/anchor.sql"))?;
    duck.run(doing, include_str!("../../sql/gold/run_row.sql"))?;
    load_families(duck)?;
    let now = format!("make_timestamp({now_ms} * 1000)");
    duck.run(doing, &include_str!("../../sql/gold/snapshot.sql").replace("{now}", &now))
}

fn snooze_end_ms(duck: &Duck, now_ms: i64) -> Result<Option<i64>> {
    let sql = format!(
        "SELECT epoch_ms(min(snooze_until_ts)) FROM run_row \
         WHERE lifecycle_status = 'snoozed' AND snooze_until_ts > make_timestamp({now_ms} * 1000)"
    );
    Ok(duck.value::<Option<i64>>("looking for the end of snoozes", &sql)?.flatten())
}

/// Checkers spell services in many ways; KPIs use the family, as cost facts do.
fn load_families(duck: &Duck) -> Result<()> {
    let doing = "naming service families";
    duck.run(doing, "CREATE TEMP TABLE family (raw_service VARCHAR, service VARCHAR)")?;
    let sql = "SELECT DISTINCT raw_service FROM run_row WHERE raw_service IS NOT NULL";
    for service in duck.rows(doing, sql, [], |row| row.get::<_, String>(0))? {
        let family = Some(contracts::service_family::family_of(&service)).filter(|family| !family.is_empty());
        duck.run_with(doing, "INSERT INTO family VALUES (?, ?)", params![service, family])?;
    }
    Ok(())
}

fn load_costs(duck: &Duck, cut: &Cut, scope: &TenantScope) -> Result<()> {
    facts_db::load(duck, cut, scope)?;
    duck.run("adding up cost facts", include_str!("../../sql/gold/cost.sql"))
}

fn run_kpis(duck: &Duck) -> Result<()> {
    duck.run(
        "preparing KPIs",
        "CREATE TEMP TABLE kpi (kpi VARCHAR, workspace_id VARCHAR, period VARCHAR, dimensions MAP(VARCHAR, VARCHAR), \
         value DECIMAL(38,12), currency VARCHAR)",
    )?;
    for kpi in KPIS {
        let sql = format!(
            "INSERT INTO kpi SELECT {}, workspace_id, period, dimensions, value, currency FROM (\n{}\n)",
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

fn read_rows(duck: &Duck, kpi: &Kpi) -> Result<Vec<KpiRow>> {
    let scope = match kpi.population {
        KpiPopulation::Snapshot => "snapshot_scope",
        KpiPopulation::Facts => "cost_scope",
    };
    let sql = format!(
        "SELECT workspace_id, period, period_type, CAST(to_json(dimensions) AS VARCHAR), \
         CAST(value AS VARCHAR), currency, CAST(to_json(sources) AS VARCHAR) \
         FROM kpi JOIN {scope} USING (workspace_id, period) WHERE kpi = {}",
        literal(kpi.name)
    );
    let read = |row: &duckdb::Row<'_>| -> duckdb::Result<(KpiRow, String)> {
        let dimensions: BTreeMap<String, String> = json_cell(3, &row.get::<_, String>(3)?)?;
        let sources: Vec<String> = json_cell(6, &row.get::<_, String>(6)?)?;
        let row_without_value = KpiRow {
            workspace_id: row.get(0)?,
            kpi_name: kpi.name.to_owned(),
            dim_key: dim_key(&dimensions),
            currency: row.get(5)?,
            dimensions,
            value_micro: 0,
            period: row.get(1)?,
            period_type: row.get(2)?,
            unit: kpi.unit.as_str(),
            source_ref: source_ref(&sources),
        };
        Ok((row_without_value, row.get(4)?))
    };
    let rows = duck.rows(&format!("reading {}", kpi.name), &sql, [], read)?;
    rows.into_iter().map(|(row, value)| with_value(row, &value)).collect()
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
