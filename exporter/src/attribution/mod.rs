//! What the resource of each finding really cost: billing lines are matched with findings, with the method and its
//! confidence (cur_attribution 6 to 10). Two datasets come out of it, listed by one manifest of the tenant: findings with their
//! prices, and the lines behind each price. A run date is priced again when its findings change, or a bill that its windows touch.

#[cfg(test)]
mod arrived_law;
mod compute;
mod enriched;
mod follow;
#[cfg(test)]
mod golden;
mod inputs;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod law;
mod options;
mod resolved;
mod session;

use std::collections::BTreeMap;

use contracts::layout::{self, COST_ATTRIBUTION, FINDINGS_ENRICHED};
use contracts::table_manifest::{PeriodTable, TableManifest, evidence_period, folder, priced_period};
use contracts::tenant_scope::TenantScope;
use lake::cut::Cut;
use platform::store::Store;

pub use options::{AttributionOptions, CostModel, CostSettings};

use self::inputs::{RunDate, run_dates};
use self::session::Session;
use crate::duck::DuckLimits;
use crate::error::{ExportError, Result};
use crate::tables::{Listed, Origin, Publication, TableBase};

/// Findings that one session holds: a tenant with years of runs is priced some run dates at a time.
const SESSION_ROWS_MAX: u64 = 300_000;

/// What became of a tenant's priced findings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AttributionReport {
    /// Tenant.
    pub tenant_id: String,
    /// Run dates that are priced now.
    pub run_dates: u64,
    /// Run dates that were priced by this build.
    pub changed: u64,
    /// Findings of all run dates.
    pub rows: u64,
    /// Rows of evidence.
    pub evidence_rows: u64,
    /// Findings without a cost, because an amount of theirs has more digits than it can hold.
    pub amount_overflows: u64,
    /// When another build of the same cut may do more: a retired file may go.
    pub again_at_ms: Option<i64>,
}

/// What a tenant's findings were priced to.
pub(crate) struct Priced {
    pub report: AttributionReport,
    pub manifest: TableManifest,
}

/// How tenants are priced.
pub(crate) struct Pricing<'a> {
    pub cut: &'a Cut,
    pub store: &'a dyn Store,
    pub options: &'a AttributionOptions,
    /// The currency that counts where a resource was billed in several.
    pub reporting_currency: &'a str,
    pub limits: &'a DuckLimits,
    pub now_ms: i64,
}

/// The tenant's manifest of priced findings, to be replaced.
///
/// # Errors
/// When the store refuses, or the manifest is unreadable or newer than this program.
pub(crate) fn attribution_base(store: &dyn Store, scope: &TenantScope) -> Result<TableBase> {
    TableBase::read(store, scope, FINDINGS_ENRICHED, u32::from(contracts::avro::NEWEST))
}

/// A tenant while it is priced.
struct Tenant<'a> {
    scope: &'a TenantScope,
    publication: Publication<'a>,
    dates: Vec<RunDate<'a>>,
    tables: BTreeMap<String, PeriodTable>,
    changed: u64,
}

impl<'a> Pricing<'a> {
    /// Prices the findings of tenants, each in the place of its base, which was read before the cut was taken: of each what it was
    /// priced to, or why not; nothing of one that has no bill and never had one.
    ///
    /// # Errors
    /// Whatever reading bills and findings, or writing files met; nothing is published then.
    pub fn price(&self, tenants: &'a [(&'a TenantScope, &'a TableBase)]) -> Result<Vec<Result<Option<Priced>>>> {
        let mut begun = Vec::new();
        for (scope, base) in tenants {
            begun.push(self.begin(scope, base)?);
        }
        let stale: Vec<(usize, usize)> = begun
            .iter()
            .enumerate()
            .filter_map(|(n, tenant)| Some((n, tenant.as_ref()?)))
            .flat_map(|(n, tenant)| (0..tenant.dates.len()).filter(|at| !tenant.has(*at)).map(move |at| (n, at)))
            .collect();
        for some in self.sessions(&begun, &stale) {
            self.write(&mut begun, some)?;
        }
        Ok(begun.into_iter().map(|tenant| tenant.map(|tenant| self.finish(tenant)).transpose()).collect())
    }

    fn begin(&self, scope: &'a TenantScope, base: &'a TableBase) -> Result<Option<Tenant<'a>>> {
        let has_bills = !self.cut.billing_of(scope).is_empty();
        if !has_bills && base.manifest().is_none_or(|manifest| manifest.periods.is_empty()) {
            return Ok(None);
        }
        self.cut.refuse_unreadable(scope)?;
        let datasets = [FINDINGS_ENRICHED, COST_ATTRIBUTION];
        let publication = Publication::begin(self.store, scope, base, &datasets, self.now_ms)?;
        // Without bills nothing is known of costs: readers read the findings as they were stored.
        let dates =
            if has_bills { run_dates(self.cut, scope, self.options, self.reporting_currency) } else { Vec::new() };
        let mut tenant = Tenant { scope, publication, dates, tables: BTreeMap::new(), changed: 0 };
        tenant.keep();
        Ok(Some(tenant))
    }

    /// Run dates that are priced together.
    fn sessions<'s>(&self, begun: &[Option<Tenant<'_>>], stale: &'s [(usize, usize)]) -> Vec<&'s [(usize, usize)]> {
        let rows_of = |(n, at): (usize, usize)| {
            let date = begun[n].as_ref().map(|tenant| &tenant.dates[at]);
            date.map_or(0, |date| date.files.iter().map(|file| file.rows).sum::<u64>())
        };
        let (mut sessions, mut from, mut rows) = (Vec::new(), 0, 0);
        for (at, date) in stale.iter().enumerate() {
            let more = rows_of(*date);
            if at > from && rows + more > SESSION_ROWS_MAX {
                sessions.push(&stale[from..at]);
                (from, rows) = (at, 0);
            }
            rows += more;
        }
        if from < stale.len() {
            sessions.push(&stale[from..]);
        }
        sessions
    }

    /// Prices run dates and writes their files; no manifest names them yet.
    fn write(&self, begun: &mut [Option<Tenant<'a>>], dates: &[(usize, usize)]) -> Result<()> {
        let mut written = Vec::new();
        {
            let tenants: Vec<&Tenant<'a>> = begun.iter().flatten().collect();
            let scopes: Vec<TenantScope> = tenants.iter().map(|tenant| tenant.scope.clone()).collect();
            let of = |(n, at): (usize, usize)| begun[n].as_ref().map(|tenant| (tenant, &tenant.dates[at]));
            let run_dates: Vec<&RunDate<'a>> =
                dates.iter().filter_map(|date| of(*date)).map(|(_, date)| date).collect();
            let session =
                Session::open(self.cut, &scopes, &run_dates, self.options, self.reporting_currency, self.limits)?;
            for (n, at) in dates {
                if let Some((tenant, date)) = of((*n, *at)) {
                    written.push((*n, tenant.write(&session, date)?));
                }
            }
        }
        for (n, tables) in written {
            if let Some(tenant) = &mut begun[n] {
                tenant.tables.extend(tables);
                tenant.changed += 1;
            }
        }
        Ok(())
    }

    fn finish(&self, tenant: Tenant<'a>) -> Result<Priced> {
        let Tenant { scope, publication, dates, tables, changed } = tenant;
        let origin = Origin { cut: &self.cut.digest_of(scope), positions: self.cut.positions_of(scope) };
        let count = |dataset: &str, of: fn(&PeriodTable) -> u64| {
            let is_of = |period: &str| period.split('/').next() == Some(dataset);
            tables.iter().filter(|(period, _)| is_of(period)).map(|(_, table)| of(table)).sum::<u64>()
        };
        let (rows, evidence_rows) = (count(FINDINGS_ENRICHED, |t| t.rows), count(COST_ATTRIBUTION, |t| t.rows));
        let amount_overflows = count(FINDINGS_ENRICHED, |t| t.amount_overflows);
        if amount_overflows > 0 {
            tracing::warn!(
                tenant = %scope, amount_overflows,
                "findings have no actual cost (amount_overflow): an amount has more than 12 digits before the point; \
                 correct the bill and load it again"
            );
        }
        let (manifest, again_at_ms) = publication.finish(&origin, Listed { periods: tables, ..Listed::default() })?;
        let run_dates = dates.len() as u64;
        tracing::info!(tenant = %scope, run_dates, changed, rows, evidence_rows, "costs attributed");
        let tenant_id = scope.to_string();
        let report =
            AttributionReport { tenant_id, run_dates, changed, rows, evidence_rows, amount_overflows, again_at_ms };
        Ok(Priced { report, manifest })
    }
}

impl Tenant<'_> {
    /// True when a run date is priced.
    fn has(&self, at: usize) -> bool {
        self.tables.contains_key(&priced_period(&self.dates[at].run_date))
    }

    /// Keeps the tables of run dates whose findings and bills are as they were.
    fn keep(&mut self) {
        for date in &self.dates {
            let periods = [priced_period(&date.run_date), evidence_period(&date.run_date)];
            let unchanged = periods.map(|period| {
                let table = self.publication.unchanged(&period, &date.generation);
                table.map(|table| (period, table))
            });
            if let [Some(priced), Some(evidence)] = unchanged {
                self.tables.extend([priced, evidence]);
            }
        }
    }

    /// Writes the two tables of a run date.
    fn write(&self, session: &Session<'_>, date: &RunDate<'_>) -> Result<[(String, PeriodTable); 2]> {
        let folder = |dataset: &str| {
            let run_date = layout::encode_segment(&date.run_date);
            format!("{}/run_date={run_date}", folder(dataset, self.scope.as_str()))
        };
        let write = |out: &mut (dyn std::io::Write + Send)| session.write_enriched(date, out);
        let priced = self.publication.write(&folder(FINDINGS_ENRICHED), date.generation.clone(), write)?;
        let findings: u64 = date.files.iter().map(|file| file.rows).sum();
        if priced.rows != findings {
            let detail = format!("{} rows for {findings} findings of {}", priced.rows, date.run_date);
            return Err(ExportError::Check { check: "one_priced_row_per_finding", detail });
        }
        let write = |out: &mut (dyn std::io::Write + Send)| session.write_evidence(date, out);
        let evidence = self.publication.write(&folder(COST_ATTRIBUTION), date.generation.clone(), write)?;
        let priced = PeriodTable { findings: Some(date.findings.clone()), ..priced };
        Ok([(priced_period(&date.run_date), priced), (evidence_period(&date.run_date), evidence)])
    }
}
