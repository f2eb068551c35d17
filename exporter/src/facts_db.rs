//! A tenant's cost facts in a DuckDB: view `fact` (flat columns) and table `delivery`.

use duckdb::params;

use crate::columns::COST_FACTS;
use crate::cut::{Cut, DataFile};
use crate::duck::{Duck, literal};
use crate::error::Result;
use crate::findings_db;
use crate::tenant::TenantScope;

/// Makes both.
pub(crate) fn load(duck: &Duck, cut: &Cut, scope: &TenantScope) -> Result<()> {
    let doing = "opening cost facts";
    duck.run(doing, "CREATE TEMP TABLE delivery (billing_period VARCHAR, delivery_id VARCHAR)")?;
    for period in cut.billing_of(scope) {
        for delivery in &period.deliveries {
            let values = params![period.billing_period, delivery.delivery_id];
            duck.run_with(doing, "INSERT INTO delivery VALUES (?, ?)", values)?;
        }
    }
    let files: Vec<&DataFile> = cut.billing_of(scope).iter().flat_map(|period| &period.files).collect();
    let paths = cut.local(files.iter().copied(), &duck.lease)?;
    findings_db::check_paths(duck, scope, &files, &paths)?;
    let query = COST_FACTS.query(duck, &paths)?;
    let tenant = literal(scope.as_str());
    duck.run(doing, &format!("CREATE TEMP VIEW fact AS SELECT * FROM ({query}) WHERE tenant_id = {tenant}"))
}
