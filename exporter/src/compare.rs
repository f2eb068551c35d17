//! Two states of the datasets side by side: the current root, and one that a replay has made. An operator's view over all
//! tenants, or one of them. The newest row of each finding counts; when a row was ingested is no difference.

use contracts::datasets;
use contracts::layout::UNKNOWN_TENANT;
use contracts::tenant_scope::TenantScope;
use duckdb::Row;
use lake::cut::{Cut, DataFile};
use serde::Serialize;

use crate::columns::{DEAD_LETTERS, FINDINGS, Table};
use crate::duck::{Duck, DuckLimits, literal};
use crate::error::Result;

/// Columns that two judgings of one record need not share.
const IGNORED: &[&str] = &["ingested_ts"];

/// Findings of one tenant, check, severity and currency in both roots. Amounts are decimal text; absent where none is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each pair is the same count or sum, of the current and of the fresh root")]
pub struct Sums {
    pub tenant_id: Option<String>,
    pub check_id: Option<String>,
    pub severity_level: Option<String>,
    pub currency: Option<String>,
    pub rows_current: u64,
    pub rows_fresh: u64,
    pub findings_current: u64,
    pub findings_fresh: u64,
    pub savings_current: Option<String>,
    pub savings_fresh: Option<String>,
    pub cost_current: Option<String>,
    pub cost_fresh: Option<String>,
}

impl Sums {
    /// Both roots say the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.rows_current == self.rows_fresh
            && self.findings_current == self.findings_fresh
            && self.savings_current == self.savings_fresh
            && self.cost_current == self.cost_fresh
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingRef {
    /// Tenant.
    pub tenant_id: Option<String>,
    /// Id.
    pub finding_id: Option<String>,
    /// Check.
    pub check_id: Option<String>,
}

/// A finding that both roots have, otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Which.
    #[serde(flatten)]
    pub finding: FindingRef,
    /// Columns that differ.
    pub columns: Vec<String>,
}

/// Dead letters of one tenant and code in both roots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "as in `Sums`")]
pub struct DeadCounts {
    pub tenant_id: Option<String>,
    pub error_code: Option<String>,
    pub current: u64,
    pub fresh: u64,
}

/// What two roots have in common and what not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Nothing differs.
    pub is_same: bool,
    /// By tenant, check, severity and currency, also where both are the same.
    pub sums: Vec<Sums>,
    /// By tenant and code, also where both are the same.
    pub dead_letters: Vec<DeadCounts>,
    /// How many findings only the current root has.
    pub only_current_total: u64,
    /// The first of them.
    pub only_current: Vec<FindingRef>,
    /// How many findings only the fresh root has.
    pub only_fresh_total: u64,
    /// The first of them.
    pub only_fresh: Vec<FindingRef>,
    /// How many findings differ.
    pub changed_total: u64,
    /// The first of them.
    pub changed: Vec<Changed>,
}

/// Compares; lists at most `listed_max` findings of each kind.
///
/// # Errors
/// Whatever reading met.
pub fn compare(
    current: &Cut,
    fresh: &Cut,
    tenant: Option<&TenantScope>,
    listed_max: u64,
    limits: &DuckLimits,
) -> Result<Comparison> {
    let duck = Duck::open(limits)?;
    for (cut, name) in [(current, "current"), (fresh, "fresh")] {
        view(&duck, &FINDINGS, cut, cut.files(&datasets::FINDINGS), tenant, name)?;
        view(&duck, &DEAD_LETTERS, cut, cut.files(&datasets::DEAD_LETTERS), tenant, &format!("dead_{name}"))?;
    }
    let doing = "comparing findings";
    duck.run(doing, include_str!("../sql/compare/newest.sql"))?;
    for name in ["current", "fresh"] {
        duck.run(doing, &format!("CREATE TEMP TABLE newest_{name} AS FROM newest_of('{name}')"))?;
    }
    let sums = duck.rows(doing, include_str!("../sql/compare/sums.sql"), [], read_sums)?;
    let dead_letters =
        duck.rows("comparing dead letters", include_str!("../sql/compare/dead_letters.sql"), [], |row| {
            Ok(DeadCounts { tenant_id: row.get(0)?, error_code: row.get(1)?, current: row.get(2)?, fresh: row.get(3)? })
        })?;
    let (only_current_total, only_current) = only(&duck, "newest_current", "newest_fresh", listed_max)?;
    let (only_fresh_total, only_fresh) = only(&duck, "newest_fresh", "newest_current", listed_max)?;
    let (changed_total, changed) = changed(&duck, listed_max)?;
    Ok(Comparison {
        is_same: only_current_total + only_fresh_total + changed_total == 0
            && sums.iter().all(Sums::is_same)
            && dead_letters.iter().all(|count| count.current == count.fresh),
        sums,
        dead_letters,
        only_current_total,
        only_current,
        only_fresh_total,
        only_fresh,
        changed_total,
        changed,
    })
}

fn view(
    duck: &Duck,
    table: &Table,
    cut: &Cut,
    files: &[DataFile],
    tenant: Option<&TenantScope>,
    name: &str,
) -> Result<()> {
    let is_meant = |file: &&DataFile| match (tenant, &file.path_tenant) {
        (Some(tenant), Some(owner)) => owner == tenant.as_str(),
        _ => true,
    };
    let query = table.query(duck, &cut.local(files.iter().filter(is_meant), &duck.lease)?)?;
    let only = match tenant {
        Some(tenant) => format!("coalesce(tenant_id, '{UNKNOWN_TENANT}') = {}", literal(tenant.as_str())),
        None => "true".to_owned(),
    };
    duck.run(&format!("opening {name}"), &format!("CREATE TEMP VIEW {name} AS SELECT * FROM ({query}) WHERE {only}"))
}

fn read_sums(row: &Row<'_>) -> duckdb::Result<Sums> {
    Ok(Sums {
        tenant_id: row.get(0)?,
        check_id: row.get(1)?,
        severity_level: row.get(2)?,
        currency: row.get(3)?,
        rows_current: row.get(4)?,
        rows_fresh: row.get(5)?,
        findings_current: row.get(6)?,
        findings_fresh: row.get(7)?,
        savings_current: row.get(8)?,
        savings_fresh: row.get(9)?,
        cost_current: row.get(10)?,
        cost_fresh: row.get(11)?,
    })
}

fn read_finding(row: &Row<'_>) -> duckdb::Result<FindingRef> {
    Ok(FindingRef { tenant_id: row.get(0)?, finding_id: row.get(1)?, check_id: row.get(2)? })
}

fn only(duck: &Duck, one: &str, other: &str, listed_max: u64) -> Result<(u64, Vec<FindingRef>)> {
    let from = format!("FROM {one} ANTI JOIN {other} USING (tenant_id, finding_id)");
    let doing = "looking for findings of one side";
    let total = duck.value(doing, &format!("SELECT count(*) {from}"))?.unwrap_or_default();
    let list = format!("SELECT tenant_id, finding_id, check_id {from} ORDER BY ALL LIMIT {listed_max}");
    Ok((total, duck.rows(doing, &list, [], read_finding)?))
}

fn changed(duck: &Duck, listed_max: u64) -> Result<(u64, Vec<Changed>)> {
    let differs = |name: &str| format!("CASE WHEN a.{name} IS DISTINCT FROM b.{name} THEN '{name}' END");
    let columns: Vec<String> = FINDINGS.names().filter(|name| !IGNORED.contains(name)).map(differs).collect();
    let doing = "comparing columns";
    duck.run(
        doing,
        &format!(
            "CREATE TEMP TABLE changed AS SELECT * FROM (SELECT a.tenant_id, a.finding_id, b.check_id, \
             concat_ws(' ', {}) AS columns FROM newest_current AS a JOIN newest_fresh AS b USING (tenant_id, finding_id)) \
             WHERE columns <> ''",
            columns.join(", ")
        ),
    )?;
    let total = duck.value(doing, "SELECT count(*) FROM changed")?.unwrap_or_default();
    let list = format!("SELECT tenant_id, finding_id, check_id, columns FROM changed ORDER BY ALL LIMIT {listed_max}");
    let read = |row: &Row<'_>| {
        let columns: String = row.get(3)?;
        Ok(Changed { finding: read_finding(row)?, columns: columns.split(' ').map(str::to_owned).collect() })
    };
    Ok((total, duck.rows(doing, &list, [], read)?))
}
