//! Gold tables: KPIs of one tenant per day and month, rebuilt from one cut (kpi_gold.md). No KPI knows anything that
//! is not in a dataset.

mod compute;
mod kpi;
mod publish;
mod row;
mod runs;
mod table;

pub(crate) use compute::{Computed, compute as compute_gold};
pub use contracts::table_manifest::{LeftOutKpis, PeriodTable, TableManifest};
pub use kpi::{KPIS, Kpi, KpiPopulation, KpiUnit};
use publish::Contents;
pub use publish::GoldReport;
pub use row::{KpiRow, dim_key};

use std::slice::from_ref;

use contracts::layout::KPI_GOLD;
use contracts::tenant_scope::TenantScope;
use lake::cut::Cut;
use platform::store::Store;

use crate::duck::{Duck, DuckLimits};
use crate::error::{ExportError, Result};
use crate::files::refuse_empty;
use crate::findings_db::{self, Held};
use crate::priced::PricedFiles;
use crate::tables::{Origin, TableBase};

/// The tenant's manifest of gold tables, to be replaced.
///
/// # Errors
/// When the store refuses, or the manifest is unreadable or newer than this program.
pub(crate) fn gold_base(store: &dyn Store, scope: &TenantScope) -> Result<TableBase> {
    TableBase::read(store, scope, KPI_GOLD, row::SCHEMA_VERSION)
}

/// The tenant's manifest of gold tables as it is in the store.
///
/// # Errors
/// When the store refuses, or the manifest is unreadable or newer than this program.
pub fn gold_manifest(store: &dyn Store, scope: &TenantScope) -> Result<Option<TableManifest>> {
    Ok(gold_base(store, scope)?.into_manifest())
}

/// Rebuilds the gold tables of one tenant, in the place of what is there now: for a caller that knows that no other exporter is at
/// work. They have every day and month that has a complete run or a cost fact. `now_ms` is the build time; it decides whether a
/// snooze of a running period is over, and nothing else.
///
/// # Errors
/// `no_input_files`, `tenant_not_found` when the cut has nothing, or nothing of the tenant; a failed check; a store that refuses. The
/// tables from before stay then.
pub fn build_gold(
    cut: &Cut,
    scope: &TenantScope,
    store: &dyn Store,
    default_currency: &str,
    now_ms: i64,
    limits: &DuckLimits,
) -> Result<GoldReport> {
    let base = gold_base(store, scope)?;
    let priced = PricedFiles::of_cut(cut, scope)?;
    let (computed, _) = compute_gold_alone(cut, scope, default_currency, &priced, now_ms, limits)?;
    publish_gold(&base, computed, cut, scope, store, now_ms)
}

/// Computes the gold tables of one tenant, whatever its size; returns also the database, for what else is to be made of the tenant.
///
/// # Errors
/// `no_input_files`, `tenant_not_found` when the cut has nothing, or nothing of the tenant; a failed check.
pub(crate) fn compute_gold_alone(
    cut: &Cut,
    scope: &TenantScope,
    default_currency: &str,
    priced: &PricedFiles,
    now_ms: i64,
    limits: &DuckLimits,
) -> Result<(Computed, Duck)> {
    refuse_empty(cut)?;
    let unknown = || ExportError::TenantNotFound { tenant: scope.to_string() };
    if !cut.has(scope) {
        return Err(unknown());
    }
    let (held, scopes) = (Held::InFiles, from_ref(scope));
    let duck = findings_db::open(cut, scopes, Some(default_currency), held, priced, limits)?;
    // One for each scope.
    let computed = compute_gold(&duck, cut, scopes, held, now_ms)?.pop().ok_or_else(unknown)?;
    Ok((computed, duck))
}

/// Publishes what [`compute_gold`] has made of the cut, in the place of `base`, which was read before the cut was taken.
///
/// # Errors
/// [`ExportError::Superseded`] when another exporter has replaced the base; a store that refuses. The tables from before stay then.
pub(crate) fn publish_gold(
    base: &TableBase,
    computed: Computed,
    cut: &Cut,
    scope: &TenantScope,
    store: &dyn Store,
    now_ms: i64,
) -> Result<GoldReport> {
    let Computed { periods, snooze_end_ms, left_out } = computed;
    for LeftOutKpis { kpis, period, currency } in &left_out {
        let currency = currency.as_deref().unwrap_or("an unknown currency");
        tracing::warn!(
            tenant = %scope,
            "{} of {period} in {currency} are left out of the KPI tables: the costs have more than 26 digits before the \
             point, more than a sum can hold; correct the bill and load it again",
            kpis.join(", ")
        );
    }
    let origin = Origin { cut: &cut.digest_of(scope), positions: cut.positions_of(scope) };
    let contents = Contents { periods: &periods, left_out, runs: cut.runs_of(scope) };
    let mut report = publish::publish(store, scope, base, &origin, contents, now_ms)?;
    report.again_at_ms = report.again_at_ms.into_iter().chain(snooze_end_ms).min();
    tracing::info!(tenant = %scope, periods = report.periods, changed = report.changed, rows = report.rows, "gold built");
    Ok(report)
}
