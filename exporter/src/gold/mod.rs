//! Gold tables: KPIs of one tenant per day and month, rebuilt from one cut (kpi_gold.md). No KPI knows anything that
//! is not in a dataset.

mod compute;
mod kpi;
mod manifest;
mod publish;
mod row;
mod table;

pub use contracts::gold_manifest::{GoldManifest, LeftOutKpis, PeriodTable};
pub use kpi::{KPIS, Kpi, KpiPopulation, Unit};
pub(crate) use manifest::GoldBase;
pub use manifest::gold_manifest;
pub use publish::GoldReport;
pub use row::{KpiRow, dim_key};

use platform::store::Store;

use self::compute::Computed;
use crate::cut::Cut;
use crate::duck::DuckLimits;
use crate::error::{ExportError, Result};
use crate::tenant::TenantScope;

/// As [`build_gold_on`], in the place of what is there now: for a caller that knows that no other exporter is at work.
///
/// # Errors
/// As [`build_gold_on`].
pub fn build_gold(
    cut: &Cut,
    scope: &TenantScope,
    store: &dyn Store,
    default_currency: &str,
    now_ms: i64,
    limits: &DuckLimits,
) -> Result<GoldReport> {
    build_gold_on(&GoldBase::read(store, scope)?, cut, scope, store, default_currency, now_ms, limits)
}

/// Rebuilds the gold tables of one tenant: every day and month that has a complete run or a cost fact. They take the place
/// of `base`, which was read before the cut was taken.
/// `now_ms` is the build time; it decides whether a snooze of a running period is over, and nothing else.
///
/// # Errors
/// [`ExportError::Superseded`] when another exporter has replaced the base;
/// `no_input_files`, `tenant_not_found` when the cut has nothing, or nothing of the tenant; a failed check; a store that refuses. The tables from
/// before stay then.
pub(crate) fn build_gold_on(
    base: &GoldBase,
    cut: &Cut,
    scope: &TenantScope,
    store: &dyn Store,
    default_currency: &str,
    now_ms: i64,
    limits: &DuckLimits,
) -> Result<GoldReport> {
    cut.refuse_empty()?;
    if !cut.has(scope) {
        return Err(ExportError::TenantNotFound { tenant: scope.to_string() });
    }
    let Computed { periods, snooze_end_ms, left_out } = compute::compute(cut, scope, default_currency, now_ms, limits)?;
    for LeftOutKpis { kpis, period, currency } in &left_out {
        let currency = currency.as_deref().unwrap_or("an unknown currency");
        tracing::warn!(
            tenant = %scope,
            "{} of {period} in {currency} are left out of the KPI tables: the costs have more than 26 digits before the \
             point, more than a sum can hold; correct the bill and load it again",
            kpis.join(", ")
        );
    }
    let origin = publish::Origin { cut: &cut.digest_of(scope), positions: cut.positions_of(scope) };
    let mut report = publish::publish(store, scope, base, &origin, &periods, left_out, now_ms)?;
    report.again_at_ms = report.again_at_ms.into_iter().chain(snooze_end_ms).min();
    tracing::info!(tenant = %scope, periods = report.periods, changed = report.changed, rows = report.rows, "gold built");
    Ok(report)
}
