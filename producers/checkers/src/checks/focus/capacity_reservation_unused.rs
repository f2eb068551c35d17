//! Reserved capacity that no instance uses.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::monthly_of_resource;
use super::group::{Group, by_resource};
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::{figure, is_visible};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.capacity.reservation.unused";
const CHECK_ID: &str = "billing.capacity.reservation.unused";

const DOCS: CheckerDocs = CheckerDocs {
    what: "on-demand capacity reservations that are charged for capacity no instance uses",
    why: "reserved capacity costs as much as running instances, used or not; reservations outlive the launch or the test they were made for",
    money: "cost = savings = charges for unused capacity: instances run on without a reservation",
    month: MonthRule::ByTime,
    verdict: "fail for each reservation with at least hours_min unused hours",
    thresholds: &[Threshold {
        key: "hours_min",
        default: DefaultValue::Number("24"),
        meaning: "hours with unused capacity before a verdict; instances that are replaced leave some",
    }],
    data: "rows of unused reserved capacity with resource",
    limits: "capacity may be held on purpose, for a failover or a launch; what a commitment covers of it is sunk and not counted",
};

inventory::submit! {
    over_bill(
        "checks.focus.capacity_reservation_unused:CapacityReservationUnusedChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Unused capacity reservation",
            category: "cost",
            sub_category: "compute",
        }],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(CapacityReservationUnused::new(thresholds)?)))
        },
    )
}

struct CapacityReservationUnused {
    hours_min: Decimal,
}

impl CapacityReservationUnused {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { hours_min: thresholds.number("hours_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let instance_type = unused_type(line)?;
        if Decimal::from(group.hours()) < self.hours_min || !is_visible(group.billed()) {
            return None;
        }
        let figures = monthly_of_resource(bill, group, Saved::all(bill, group), 85)?;
        let scope = resource_scope(line, ResourceType::CapacityReservation, Some(("ec2", "capacity-reservation")));
        let hours = group.quantity().map_or_else(|| "an unknown number of".to_owned(), |hours| figure(hours, 1));
        let message = format!(
            "capacity reservation {} for {instance_type} stood unused for {hours} instance hours, which {}",
            scope.resource_id,
            figures.cost_text(),
        );
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .dimension("instance_type", instance_type)
            .dimension("unused_hours", hours)
            .text(
                "Unused capacity reservation",
                message,
                "Cancel the reservation or lower its instance count; ask who relies on the guarantee first.",
            );
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for CapacityReservationUnused {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let unused = bill.current().filter(|l| l.is_charge() && l.is_on_demand() && unused_type(l).is_some());
        by_resource(unused).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

fn unused_type(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::CapacityUnused(instance_type) => Some(instance_type),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn a_day_of_unused_capacity_makes_the_verdict() {
        let unused = |hours: i64| {
            let reservation = "arn:aws:ec2:us-east-1:111122223333:capacity-reservation/cr-0be443example1db6f";
            row("")
                .usage_type("UnusedBox:m5.large", "RunInstances")
                .resource(reservation)
                .hours(hours)
                .cost("2.304")
                .quantity("24")
        };
        assert_eq!(check_default(CHECKER_ID, [unused(23)]), []);
        let findings = check_default(CHECKER_ID, [unused(24)]);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(
            (&*finding.scope.resource_id, amounts(finding)),
            ("cr-0be443example1db6f", money_of("69.12", "69.12"))
        );
        assert_eq!(finding.dimensions["instance_type"], "m5.large");
        assert_eq!(check_default(CHECKER_ID, [unused(24).committed("plan", "Used")]), []);
    }
}
