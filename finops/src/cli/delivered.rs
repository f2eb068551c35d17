//! What became of a run's records, and what its workspace could save, as the datasets tell after the run.

use std::collections::BTreeMap;

use contracts::run_manifest::RunManifest;
use contracts::tenant_scope::TenantScope;
use exporter::{
    DeadLetterFilter, DeadLetterScope, LeftOut, Spend, WorkspacePotential, dead_letter_stats, potential_savings, spend,
};
use lake::cut::Cut;
use runner::run::RunReport;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::top_findings::{TopFinding, top_findings};
use crate::failure::Failure;
use crate::ports::OpenPorts;
use crate::settings::Settings;

/// Findings of one severity, service or check, and their savings by currency. A currency in which no finding has an
/// estimate is absent: unknown is not 0.
#[derive(Debug, Default, Clone)]
pub struct Potential {
    pub findings: u64,
    savings: BTreeMap<String, Decimal>,
}

/// An amount of one currency.
#[derive(Serialize)]
pub struct Amount<'a> {
    pub currency: &'a str,
    pub savings_monthly: Decimal,
}

impl Potential {
    /// The amount, when there is exactly one currency.
    pub fn only(&self) -> Option<Amount<'_>> {
        let mut amounts = self.amounts();
        amounts.next().filter(|_| amounts.next().is_none())
    }

    pub fn amounts(&self) -> impl Iterator<Item = Amount<'_>> {
        self.savings.iter().map(|(currency, amount)| Amount { currency, savings_monthly: *amount })
    }
}

/// With `currency` and `savings_monthly` for the usual case of one currency; with several both are null.
impl Serialize for Potential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            findings: u64,
            currency: Option<&'a str>,
            savings_monthly: Option<Decimal>,
            savings: Vec<Amount<'a>>,
        }
        let only = self.only();
        let form = Form {
            findings: self.findings,
            currency: only.as_ref().map(|amount| amount.currency),
            savings_monthly: only.as_ref().map(|amount| amount.savings_monthly),
            savings: self.amounts().collect(),
        };
        form.serialize(serializer)
    }
}

/// What became of one run's records, as the dataset tells.
#[derive(Debug, Default)]
pub struct Delivered {
    pub records: u64,
    pub is_complete: bool,
    pub dead_by_code: BTreeMap<String, u64>,
    pub example: Option<String>,
    pub by_severity: BTreeMap<String, Potential>,
    pub by_service: BTreeMap<String, Potential>,
    pub by_check: BTreeMap<String, Potential>,
    pub savings: BTreeMap<String, Decimal>,
    pub left_out: LeftOut,
    pub spend: Vec<Spend>,
    pub top_findings: Vec<TopFinding>,
}

impl Delivered {
    pub fn of_run(ports: &OpenPorts, settings: &Settings, report: &RunReport) -> Result<Self, Failure> {
        let manifest = &report.manifest;
        let cut = Cut::committed(ports.store.clone())?;
        let mut delivered = Self::default();
        let run = cut.runs.iter().find(|run| run.tenant_id == manifest.tenant_id && run.run_id == manifest.run_id);
        if let Some(run) = run {
            (delivered.records, delivered.is_complete) = (run.delivered, run.is_complete);
        }
        let of_run = DeadLetterFilter { run_id: vec![manifest.run_id.clone()], ..DeadLetterFilter::default() };
        // Records of the run that tell no tenant are among them.
        let all = DeadLetterScope::Operator(Vec::new());
        for stat in dead_letter_stats(&cut, &all, &of_run, &settings.duck)? {
            *delivered.dead_by_code.entry(stat.error_code.unwrap_or_default()).or_default() += stat.count;
        }
        if !delivered.dead_by_code.is_empty() {
            let first = DeadLetterFilter { limit: Some(1), ..of_run };
            let found = exporter::list_dead_letters(&cut, &all, &first, &settings.duck)?;
            delivered.example = found.items.into_iter().next().and_then(|letter| letter.src);
        }
        delivered.add_savings(&cut, settings, manifest)?;
        delivered.top_findings = top_findings(&cut, settings, manifest)?;
        delivered.add_spend(&cut, settings, report)?;
        Ok(delivered)
    }

    /// Savings of the failed checks: what the exports show for this workspace now.
    fn add_savings(&mut self, cut: &Cut, settings: &Settings, manifest: &RunManifest) -> Result<(), Failure> {
        let scope = TenantScope::new(&manifest.tenant_id)?;
        let (workspace, currency) = (&manifest.workspace_id, &settings.default_currency);
        let WorkspacePotential { parts, left_out } =
            match potential_savings(cut, &scope, workspace, currency, &settings.duck) {
                // Nothing of this tenant is there to be shown yet.
                Err(error) if error.code().is_some() => return Ok(()),
                other => other?,
            };
        self.left_out = left_out;
        for part in parts {
            let currency = part.currency.unwrap_or_else(|| "unknown".to_owned());
            let savings: Option<Decimal> = part.est_monthly_savings.and_then(|text| text.parse().ok());
            for (map, key) in [
                (&mut self.by_severity, part.severity_level),
                (&mut self.by_service, part.service),
                (&mut self.by_check, part.check_id),
            ] {
                let entry = map.entry(key.unwrap_or_else(|| "unknown".to_owned())).or_default();
                entry.findings += part.findings;
                if let Some(savings) = savings {
                    *entry.savings.entry(currency.clone()).or_default() += savings;
                }
            }
            if let Some(savings) = savings {
                *self.savings.entry(currency).or_default() += savings;
            }
        }
        Ok(())
    }

    /// What the tenant was billed in the months of the bill that was read.
    fn add_spend(&mut self, cut: &Cut, settings: &Settings, report: &RunReport) -> Result<(), Failure> {
        let Some(load) = &report.billing else { return Ok(()) };
        let scope = TenantScope::new(&report.manifest.tenant_id)?;
        let months: Vec<String> = load.months.iter().map(|month| month.billing_period.clone()).collect();
        self.spend = match spend(cut, &scope, &months, &settings.duck) {
            // The export has said what is wrong with the facts.
            Err(error) if error.code().is_some() => Vec::new(),
            other => other?,
        };
        Ok(())
    }
}
