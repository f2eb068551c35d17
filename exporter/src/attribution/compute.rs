//! From the findings and billing lines of a session to what each finding's resource cost. All of it happens in DuckDB: lines are
//! matched by resource first, by tags and by service only for findings that have no line yet; those that match are added up by
//! day, and findings about one thing share one answer. What is held grows with the lines of resources that findings name and with
//! the findings, never with their product.

use contracts::resource_type::ResourceType;

use super::options::AttributionOptions;
use crate::duck::{Duck, literal};
use crate::error::Result;
use crate::families;

/// Statements in their order. Each keeps tenants apart by `tenant_id`.
const STATEMENTS: [(&str, &str); 8] = [
    ("collecting what findings are about", include_str!("../../sql/attribution/subject.sql")),
    ("reading the days that are billed", include_str!("../../sql/attribution/line.sql")),
    ("matching billing lines by resource", include_str!("../../sql/attribution/named.sql")),
    ("matching billing lines by tags", include_str!("../../sql/attribution/tag.sql")),
    ("matching billing lines by service", include_str!("../../sql/attribution/pool.sql")),
    ("adding up costs", include_str!("../../sql/attribution/outcome.sql")),
    ("pricing findings", include_str!("../../sql/attribution/evidence.sql")),
    ("comparing costs before and after", include_str!("../../sql/attribution/arrived.sql")),
];

/// Makes `attributed`, `evidence` and `arrived` of the relations `unpriced` (findings), `fact` (billing lines) and those of
/// [`super::resolved`] of a session. Where a resource was billed in several currencies, `reporting_currency` is the one that
/// counts, if it is among them.
pub(super) fn compute(duck: &Duck, options: &AttributionOptions, reporting_currency: &str) -> Result<()> {
    let doing = "preparing attribution";
    duck.run(doing, include_str!("../../sql/attribution_keys.sql"))?;
    families::load(duck, "unpriced")?;
    let model = options.model;
    let entry = include_str!("../../sql/attribution_entry.sql")
        .replace("{cost}", model.column())
        .replace("{split_cost}", model.split_column());
    duck.run(doing, &entry)?;
    load_excluded(duck, options)?;
    load_tag_keys(duck, options)?;
    let aggregates = ResourceType::ALL.iter().filter(|resource_type| resource_type.is_aggregate());
    let aggregates: Vec<String> = aggregates.map(|resource_type| literal(resource_type.as_str())).collect();
    for (doing, sql) in STATEMENTS {
        let sql = sql
            .replace("{aggregates}", &aggregates.join(", "))
            .replace("{cost_model}", &literal(model.as_str()))
            .replace("{reporting_currency}", &literal(reporting_currency))
            .replace("{resource_rollup}", if options.resource_rollup { "true" } else { "false" });
        duck.run(doing, &sql)?;
    }
    Ok(())
}

fn load_excluded(duck: &Duck, options: &AttributionOptions) -> Result<()> {
    let doing = "loading charge categories";
    duck.run(doing, "CREATE TEMP TABLE excluded_name (name VARCHAR)")?;
    let rows: Vec<_> = options.excluded_charge_categories.iter().map(|name| vec![Some(name.as_str())]).collect();
    duck.insert(doing, "excluded_name", &rows)?;
    duck.run(doing, "CREATE TEMP VIEW excluded_category AS SELECT canonical_key(name) AS category FROM excluded_name")
}

fn load_tag_keys(duck: &Duck, options: &AttributionOptions) -> Result<()> {
    let doing = "loading tag keys";
    duck.run(doing, "CREATE TEMP TABLE tag_name (position INTEGER, name VARCHAR)")?;
    let positions: Vec<String> = (1..=options.tag_keys.len()).map(|position| position.to_string()).collect();
    let rows = positions.iter().zip(&options.tag_keys).map(|(position, name)| vec![Some(&**position), Some(&**name)]);
    duck.insert(doing, "tag_name", &rows.collect::<Vec<_>>())?;
    duck.run(doing, include_str!("../../sql/attribution_tags.sql"))
}
