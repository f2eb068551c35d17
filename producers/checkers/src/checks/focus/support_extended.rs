//! Surcharges for versions past their standard support, of databases and clusters alike: all of the surcharge is saved by an upgrade.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;

use super::figures::monthly_of_resource;
use super::group::{Group, group_by};
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::is_visible;
use crate::finding::Finding;

/// What is past its standard support.
pub(super) struct Surcharge {
    pub(super) check_id: &'static str,
    pub(super) resource_type: ResourceType,
    /// `database`.
    pub(super) noun: &'static str,
    /// What its own price is for: `the instance`.
    pub(super) base: &'static str,
    pub(super) title: &'static str,
    pub(super) advice: &'static str,
    /// What runs past its support when the line is such a surcharge.
    pub(super) software: fn(&UsageLine) -> Option<&str>,
}

impl Surcharge {
    /// One finding for each resource and what it runs.
    pub(super) fn findings(&self, bill: &BillingInventory) -> Vec<Finding> {
        let charged =
            bill.current().filter(|l| l.is_charge() && (self.software)(l).is_some() && !l.key.resource.is_empty());
        let groups = group_by(charged, |line| (&line.key.region, &line.key.resource, (self.software)(line)));
        groups.iter().filter_map(|group| self.judge(bill, group)).collect()
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let software = (self.software)(line)?;
        if !is_visible(group.billed()) {
            return None;
        }
        let figures = monthly_of_resource(bill, group, Saved::all(bill, group), 95)?;
        let scope = resource_scope(line, self.resource_type, None);
        let message = format!(
            "{} {} runs {software} past its standard support, which on top of {} {}",
            self.noun,
            scope.resource_id,
            self.base,
            figures.cost_text(),
        );
        let mut finding = finding(self.check_id, group, scope, Status::Fail, &figures)
            .issue("engine", software)
            .dimension("engine", software)
            .text(self.title, message, self.advice);
        finding.tags = group.tags();
        Some(finding)
    }
}
