//! Gateways and endpoints that are charged by the hour and pass next to no data.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::hours::HourSet;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::meter::Meter;
use inventories::billing::monthly::MonthShare;
use rust_decimal::Decimal;

use super::figures::{Figures, monthly_of_resource};
use super::group::{Group, by_resource};
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::{figure, is_visible};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

/// Confidence that what passes no data for a week is not needed: it may stand by.
const CONFIDENCE: u8 = 75;

/// What both kinds are judged by.
pub(super) const THRESHOLDS: &[Threshold] = &[
    Threshold {
        key: "hours_min",
        default: DefaultValue::Number("168"),
        meaning: "charged hours before a verdict; fewer cannot show that it is idle",
    },
    Threshold {
        key: "gib_month_max",
        default: DefaultValue::Number("1"),
        meaning: "GB passed in a month, at the rate so far, up to which it does next to nothing",
    },
];

/// Values of [`THRESHOLDS`].
pub(super) struct Limits {
    hours_min: Decimal,
    gib_month_max: Decimal,
}

/// One that does next to nothing.
pub(super) struct Idle<'a> {
    group: Group<'a>,
    figures: Figures,
    /// GB passed.
    gib: Decimal,
    /// Hours charged for.
    hours: u32,
}

/// What is said of one kind.
pub(super) struct Kind {
    pub(super) check_id: &'static str,
    pub(super) resource_type: ResourceType,
    /// Path kind of its ARN.
    pub(super) arn_kind: &'static str,
    /// `NAT gateway`.
    pub(super) noun: &'static str,
    pub(super) advice: &'static str,
}

impl Idle<'_> {
    /// The finding about it.
    pub(super) fn tell(&self, kind: &Kind) -> Finding {
        let scope = resource_scope(self.group.first(), kind.resource_type, Some(("ec2", kind.arn_kind)));
        let message = format!(
            "{} {} passed {} GB in {} charged hours and {}",
            kind.noun,
            scope.resource_id,
            figure(self.gib, 3),
            self.hours,
            self.figures.cost_text(),
        );
        let mut finding = finding(kind.check_id, &self.group, scope, Status::Fail, &self.figures)
            .dimension("gib_processed", figure(self.gib, 6))
            .text(format!("Idle {}", kind.noun), message, kind.advice);
        finding.tags = self.group.tags();
        finding
    }
}

impl Limits {
    pub(super) fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { hours_min: thresholds.number("hours_min")?, gib_month_max: thresholds.number("gib_month_max")? })
    }

    /// All that exist by one meter and pass next to nothing by another.
    pub(super) fn idle<'a>(&self, bill: &'a BillingInventory, existing: &Meter, data: &Meter) -> Vec<Idle<'a>> {
        let lines = bill.current().filter(|l| l.is_usage() && (l.key.meter == *existing || l.key.meter == *data));
        by_resource(lines).into_iter().filter_map(|group| self.judge(bill, group, existing)).collect()
    }

    fn judge<'a>(&self, bill: &BillingInventory, group: Group<'a>, existing: &Meter) -> Option<Idle<'a>> {
        // An extract of a bill leaves out rows: what it lacks may have been charged.
        if !bill.current_month(group.first())?.tells_ends() {
            return None;
        }
        let mut hours = HourSet::default();
        group.lines().filter(|l| l.key.meter == *existing).for_each(|l| hours.merge(&l.sums.hours));
        let hours = hours.count();
        let gib: Decimal =
            group.lines().filter(|l| l.key.meter != *existing).map(|l| l.sums.quantity).sum::<Option<_>>()?;
        let gib_month = MonthShare::new(hours, hours_of_month(group.period()))?.monthly(gib)?;
        if Decimal::from(hours) < self.hours_min || gib_month > self.gib_month_max || !is_visible(group.billed()) {
            return None;
        }
        let figures = monthly_of_resource(bill, &group, Saved::all(bill, &group), CONFIDENCE)?;
        Some(Idle { figures, gib, hours, group })
    }
}
