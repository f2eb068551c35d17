//! `finops findings list|show`: always of one tenant.

pub mod columns;
mod list;
mod show;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use contracts::tenant_scope::TenantScope;
use contracts::vocabulary;
use exporter::{ExportError, FindingOrder};
use lake::cut::Cut;
use platform::exit::ExitCode;

use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::ports::OpenPorts;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum FindingsVerb {
    /// Findings of a tenant
    List(Box<FindingsList>),
    /// Everything about one finding
    Show {
        /// Tenant
        #[arg(long)]
        tenant: String,
        /// finding_id or fingerprint, or the first 8 or more characters of one
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct FindingsList {
    /// Tenant
    #[arg(long)]
    pub tenant: String,
    #[command(flatten)]
    pub filter: FindingsFilter,
    /// What the list is sorted by: priority is severity, then savings, then cost; amounts, severities and times largest
    /// first, names in alphabetical order
    #[arg(long, default_value = "priority", value_name = "COLUMN", ignore_case = true, value_parser = order())]
    pub sort: FindingOrder,
    /// The opposite order
    #[arg(long)]
    pub reverse: bool,
    /// Columns to show, with commas between [default: as many as there is room for]
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', ignore_case = true, value_parser = PossibleValuesParser::new(columns::names()))]
    pub columns: Vec<String>,
    /// At most this many; 0 for all
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: u64,
}

/// Which findings. Case does not matter.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which findings (an option may be repeated: any of its values matches)")]
pub struct FindingsFilter {
    /// Only of this workspace
    #[arg(long, value_name = "NAME")]
    pub workspace: Vec<String>,
    /// Only this check_id
    #[arg(long, value_name = "CHECK_ID")]
    pub check: Vec<String>,
    /// Only this status
    #[arg(long, ignore_case = true, value_parser = vocabulary::STATUS)]
    pub status: Vec<String>,
    /// Only this severity
    #[arg(long, ignore_case = true, value_parser = vocabulary::SEVERITY)]
    pub severity: Vec<String>,
    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub service: Vec<String>,
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Vec<String>,
    /// Only in this region
    #[arg(long, value_name = "NAME")]
    pub region: Vec<String>,
    /// Only of this resource: its id or ARN, or a part of one
    #[arg(long, value_name = "ID")]
    pub resource: Vec<String>,
    /// Only of runs that started at or after: a time such as 2026-01-20T06:00:00Z, a date, or an age such as 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub since: Option<i64>,
    /// Only of runs that started before
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub until: Option<i64>,
    /// All runs, not only the latest complete one per workspace and producer
    #[arg(long)]
    pub all_runs: bool,
}

fn order() -> impl TypedValueParser<Value = FindingOrder> {
    let named = |name: String| FindingOrder::ALL.into_iter().find(|order| name.eq_ignore_ascii_case(order.as_str()));
    PossibleValuesParser::new(FindingOrder::ALL.map(FindingOrder::as_str))
        .map(move |name| named(name).unwrap_or_default())
}

pub fn run(verb: &FindingsVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let tenant = match verb {
        FindingsVerb::List(args) => &args.tenant,
        FindingsVerb::Show { tenant, .. } => tenant,
    };
    let scope = TenantScope::new(tenant)?;
    let cut = Cut::committed(OpenPorts::store_only(settings)?)?;
    match verb {
        FindingsVerb::List(args) => list::run(args, &scope, &cut, settings, output),
        FindingsVerb::Show { id, .. } => show::run(id, &scope, &cut, settings, output),
    }
}

/// Adds what an operator does next; who may see only one tenant never comes here.
pub fn unknown_tenant(error: ExportError, cut: &Cut, settings: &Settings) -> Failure {
    let next = match &error {
        ExportError::TenantNotFound { .. } => there_are(cut),
        ExportError::NoRows | ExportError::NoInputFiles { .. } => {
            format!("; `finops run --tenant TENANT --bill PATH {}` brings the first findings", settings.flags())
        }
        _ => String::new(),
    };
    let failure = Failure::from(error);
    Failure::new(failure.code(), format!("{}{next}", failure.message()))
}

/// Tenants that are named at most.
const TENANTS_SHOWN: usize = 10;

fn there_are(cut: &Cut) -> String {
    let all = cut.tenants();
    let shown: Vec<_> = all.iter().take(TENANTS_SHOWN).map(TenantScope::as_str).collect();
    match all.len().checked_sub(TENANTS_SHOWN) {
        Some(more @ 1..) => format!("; tenants here: {} and {more} more", shown.join(", ")),
        _ if shown.is_empty() => String::new(),
        _ => format!("; tenants here: {}", shown.join(", ")),
    }
}
