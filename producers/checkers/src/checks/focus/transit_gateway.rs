//! What transit gateways cost.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::group::{Group, by_region};
use super::spend::{CostMin, Spend, THRESHOLDS, quantity_text};
use super::subject::place;
use super::text::round;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.transit.gateway";
const CHECK_ID: &str = "billing.transit.gateway";

const DOCS: CheckerDocs = CheckerDocs {
    what: "attachments to transit gateways and the data through them, by account and region",
    why: "each attachment costs by the hour, and each GB once more for passing; networks that talk much may be peered for less",
    money: "cost = charges for attachments and data. Savings are unknown: a bill does not tell which networks talk to each other",
    month: MonthRule::ByBill,
    verdict: "fail from cost_min on; info from a dollar on",
    thresholds: THRESHOLDS,
    data: "rows of transit gateway hours and data",
    limits: "a gateway is the price of one routing domain for many networks",
};

const SPEND: Spend = Spend {
    check_id: CHECK_ID,
    resource_type: ResourceType::TransitGateway,
    resource_id: "transit-gateways",
    title: "Spend on transit gateways",
    advice: "Detach networks that no longer talk to others, and peer the few that exchange most of the data.",
};

inventory::submit! {
    over_bill(
        "checks.focus.transit_gateway:TransitGatewayChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Transit gateway spend", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(TransitGateway(CostMin::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?)))),
    )
}

struct TransitGateway(CostMin);

impl TransitGateway {
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let of = |meter: Meter| group.lines().filter(move |l| l.key.meter == meter);
        let what = format!("transit gateway attachments and data of account {} in {}", line.key.account, place(line));
        let finding = self.0.judge(bill, group, &SPEND, &what)?;
        let hours: Decimal = of(Meter::TransitHours).map(|l| l.sums.billed).sum();
        let gib = of(Meter::TransitData).map(|l| l.sums.quantity).sum();
        Some(finding.dimension("cost_hours", round(hours)).dimension("gib", quantity_text(gib)))
    }
}

impl BillingCheck for TransitGateway {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let is_transit = |meter: &Meter| matches!(meter, Meter::TransitHours | Meter::TransitData);
        let transit = bill.current().filter(|l| l.is_charge() && is_transit(&l.key.meter));
        by_region(transit).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contracts::draft::Status;

    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn hours_and_data_are_one_finding() {
        let transit = |kind: &str, cost: &str| {
            row("")
                .usage_type(&format!("USE1-TransitGateway-{kind}"), "TransitGatewayVPC")
                .service("AmazonVPC")
                .cost(cost)
                .hours(720)
        };
        for (data, total, status) in [("64", "100", Status::Fail), ("63.9", "99.9", Status::Info)] {
            let findings = check_default(CHECKER_ID, [transit("Hours", "36"), transit("Bytes", data).quantity("3200")]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", total)));
            assert_eq!((&*finding.dimensions["cost_hours"], &*finding.dimensions["gib"]), ("36", "3200"));
        }
    }
}
