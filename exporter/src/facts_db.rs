//! Cost facts of the tenants of a session: `fact` (flat columns) and table `delivery`.

use contracts::tenant_scope::TenantScope;
use lake::cut::{Cut, DataFile};

use crate::columns::COST_FACTS;
use crate::duck::Duck;
use crate::error::Result;
use crate::findings_db::{self, Held, tenant_list};

/// Makes both.
pub(crate) fn load(duck: &Duck, cut: &Cut, scopes: &[TenantScope], held: Held) -> Result<()> {
    let doing = "opening cost facts";
    duck.run(doing, "CREATE TEMP TABLE delivery (tenant_id VARCHAR, billing_period VARCHAR, delivery_id VARCHAR)")?;
    let (mut deliveries, mut files) = (Vec::new(), Vec::<&DataFile>::new());
    for period in scopes.iter().flat_map(|scope| cut.billing_of(scope)) {
        let row =
            |id| [&period.tenant_id, &period.billing_period, id].map(|cell: &String| Some(cell.as_str())).to_vec();
        deliveries.extend(period.deliveries.iter().map(|delivery| row(&delivery.delivery_id)));
        files.extend(&period.files);
    }
    duck.insert(doing, "delivery", &deliveries)?;
    let paths = cut.local(files.iter().copied(), &duck.lease)?;
    findings_db::check_paths(duck, &files, &paths)?;
    let query = COST_FACTS.query(duck, &paths)?;
    let (relation, tenants) = (held.relation(), tenant_list(scopes));
    duck.run(doing, &format!("CREATE TEMP {relation} fact AS SELECT * FROM ({query}) WHERE tenant_id IN ({tenants})"))
}
