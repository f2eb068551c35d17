//! Service families in a session: checkers and bills spell services in many ways.

use contracts::service_family::family_of;

use crate::duck::Duck;
use crate::error::Result;

/// Makes table `family (raw_service, service)`: of each `raw_service` of a relation its family, null where it names none.
pub(crate) fn load(duck: &Duck, relation: &str) -> Result<()> {
    let doing = "naming service families";
    duck.run(doing, "CREATE TEMP TABLE family (raw_service VARCHAR, service VARCHAR)")?;
    let sql = format!("SELECT DISTINCT raw_service FROM {relation} WHERE raw_service IS NOT NULL");
    let services = duck.rows(doing, &sql, [], |row| row.get::<_, String>(0))?;
    let families: Vec<_> = services.iter().map(|service| family_of(service)).collect();
    let mut rows: Vec<Vec<Option<&str>>> = Vec::new();
    for (service, family) in services.iter().zip(&families) {
        let family: &str = family;
        rows.push(vec![Some(service), Some(family).filter(|family| !family.is_empty())]);
    }
    duck.insert(doing, "family", &rows)
}
