//! Usage that costs much though a bill cannot tell what of it could be saved: a finding for each account and place, worth a look from an
//! amount on.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;

use super::figures::at_run_rate;
use super::group::Group;
use super::run_rate::RunRate;
use super::subject::{finding, named_scope};
use super::text::figure;
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};
use contracts::ranking::in_usd_for_ranking;
use rust_decimal::Decimal;

/// What all are judged by.
pub(super) const THRESHOLDS: &[Threshold] = &[Threshold {
    key: "cost_min",
    default: DefaultValue::Number("100"),
    meaning: "charges in a month, at the rate so far, in US dollars or about as much in another currency, from which it is worth a look",
}];

/// Less than this a month, in US dollars, is not worth a line: nothing is saved for certain.
const WORTH_A_LINE_USD: Decimal = Decimal::ONE;

/// True when a cost whose savings are unknown is worth a line.
pub(super) fn is_worth_a_line(monthly: Decimal, currency: &str) -> bool {
    in_usd_for_ranking(monthly, currency).unwrap_or(monthly) >= WORTH_A_LINE_USD
}

/// What is said of such usage.
pub(super) struct Spend {
    pub(super) check_id: &'static str,
    pub(super) resource_type: ResourceType,
    /// Stands for all of it.
    pub(super) resource_id: &'static str,
    pub(super) title: &'static str,
    pub(super) advice: &'static str,
}

/// Value of [`THRESHOLDS`].
pub(super) struct CostMin(Decimal);

impl CostMin {
    pub(super) fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self(thresholds.number("cost_min")?))
    }

    /// Fail from the amount on, info from a dollar on. `what` is the sentence up to its amount: `account 1 sent data, which`.
    pub(super) fn judge(&self, bill: &BillingInventory, group: &Group<'_>, of: &Spend, what: &str) -> Option<Finding> {
        let rate = RunRate::of(bill, group.lines());
        if !is_worth_a_line(rate.monthly(), group.currency()) {
            return None;
        }
        let ranked = in_usd_for_ranking(rate.monthly(), group.currency());
        let status = if ranked.is_some_and(|usd| usd >= self.0) { Status::Fail } else { Status::Info };
        let figures = at_run_rate(group, &rate, 95)?;
        let scope = named_scope(group.first(), of.resource_type, of.resource_id);
        let finding = finding(of.check_id, group, scope, status, &figures)
            .dimension("resources", group.resources_text())
            .dimension("top_resources", group.top_resources(3));
        Some(finding.text(of.title, format!("{what} {}", figures.cost_text()), of.advice))
    }
}

/// A quantity for dimensions.
pub(super) fn quantity_text(quantity: Option<Decimal>) -> String {
    quantity.map_or_else(|| "unknown".to_owned(), |quantity| figure(quantity, 6))
}
