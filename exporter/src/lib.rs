//! From the datasets to what people read: JSON files, gold tables and answers to queries, all through DuckDB over one
//! consistent [`lake::cut::Cut`]. Every question starts from a [`contracts::tenant_scope::TenantScope`]. This crate never writes findings and knows
//! nothing of topics beyond the positions a cut names.

mod attribution;
mod batch;
mod build;
mod by_tenant;
mod columns;
mod compare;
mod duck;
mod error;
mod export;
mod facts_db;
mod families;
mod files;
mod findings_db;
mod gold;
mod metrics;
mod population;
mod priced;
mod producer;
mod query;
mod ranking;
mod service;
mod spend;
mod tables;
mod time;

pub use attribution::{AttributionOptions, AttributionReport, CostModel, CostSettings};
pub use build::{ExporterConfig, ExporterDeps, TenantReport};
pub use compare::{Changed, Comparison, DeadCounts, FindingRef, Sums, compare};
pub use duck::DuckLimits;
pub use error::{ExportError, IdCandidate, Result};
pub use export::{
    CorrelatedFinding, CostCoverage, Coverage, DEFAULT_CURRENCY, DEFAULT_FINDINGS_MAX, DatasetLabel, ExportManifest,
    ExportOptions, ExportReport, ExportSummary, ExportedFile, ExportedFinding, MatrixCell, PotentialSavings, TopSaving,
    export_tenant, folder_of,
};
pub use files::cut_of_files;
pub use gold::{
    GoldReport, KPIS, Kpi, KpiPopulation, KpiRow, KpiUnit, LeftOutKpis, PeriodTable, TableManifest, build_gold,
    dim_key, gold_manifest,
};
pub use population::{LeftOut, Population, RunRef};
pub use query::{
    CurrencyPotential, DeadLetterDetail, DeadLetterFilter, DeadLetterList, DeadLetterRow, DeadLetterScope,
    DeadLetterStat, FindingDetail, FindingFilter, FindingList, FindingOrder, ID_PREFIX_MIN, Payload, Sighting,
    WorkspacePotential, dead_letter_stats, list_dead_letters, list_findings, potential_savings, show_dead_letter,
    show_finding,
};
pub use service::{DEFAULT_POLL_INTERVAL, PassReport, once, refresh, run};
pub use spend::{Spend, spend};
