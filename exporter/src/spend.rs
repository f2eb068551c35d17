//! What the bills of some months cost, per currency.

use std::slice::from_ref;

use contracts::tenant_scope::TenantScope;
use duckdb::params_from_iter;
use lake::cut::Cut;
use serde::Serialize;

use crate::duck::{Duck, DuckLimits};
use crate::error::Result;
use crate::facts_db;
use crate::findings_db::Held;

/// What a tenant was billed in one currency for one month, taxes and credits among it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spend {
    /// Currency.
    pub currency: Option<String>,
    /// Month, `YYYY-MM`.
    pub billing_period: String,
    /// Billed cost of all cost facts, twelve decimals.
    pub billed: String,
    /// Hours of the month that facts of any currency charge usage for; 0 when none does.
    pub hours_charged: u64,
    /// Hours of the month.
    pub hours: u64,
}

/// What the tenant was billed in these months (`YYYY-MM`), by currency and month.
///
/// # Errors
/// A file that cannot be read, or holds rows of another tenant.
pub fn spend(cut: &Cut, scope: &TenantScope, billing_periods: &[String], limits: &DuckLimits) -> Result<Vec<Spend>> {
    if billing_periods.is_empty() {
        return Ok(Vec::new());
    }
    cut.refuse_unreadable(scope)?;
    let duck = Duck::open(limits)?;
    facts_db::load(&duck, cut, from_ref(scope), Held::InFiles)?;
    let sql = include_str!("../sql/spend.sql").replace("{periods}", &vec!["?"; billing_periods.len()].join(", "));
    duck.rows("adding up bills", &sql, params_from_iter(billing_periods), |row| {
        Ok(Spend {
            currency: row.get(0)?,
            billing_period: row.get(1)?,
            billed: row.get(2)?,
            hours_charged: row.get(3)?,
            hours: row.get(4)?,
        })
    })
}
