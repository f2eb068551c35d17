//! `finops findings list|show`: always of one tenant.

pub mod columns;
mod list;
mod show;

use exporter::{Cut, ExportError, TenantScope};
use platform::exit::ExitCode;

use crate::cli::Output;
use crate::cli::findings::FindingsVerb;
use crate::failure::{Failure, Result};
use crate::ports::Ports;
use crate::settings::Settings;

pub fn run(verb: &FindingsVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let tenant = match verb {
        FindingsVerb::List(args) => &args.tenant,
        FindingsVerb::Show { tenant, .. } => tenant,
    };
    let scope = TenantScope::new(tenant)?;
    let cut = Cut::committed(Ports::store_only(settings)?)?;
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
            format!("; `finops run --tenant TENANT --focus FILE {}` brings the first findings", settings.flags())
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
