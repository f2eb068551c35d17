//! NAT gateways that pass next to no data.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::idle::{Kind, Limits, THRESHOLDS};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.nat.idle";
const CHECK_ID: &str = "billing.nat.idle";

const DOCS: CheckerDocs = CheckerDocs {
    what: "NAT gateways charged by the hour that pass next to no data",
    why: "a gateway costs its hours whether it is used or not, and its public address on top; empty subnets often keep one in each zone",
    money: "cost = savings = charges for the gateway's hours and data. Its public address is a finding of its own once it is idle",
    month: MonthRule::ByTime,
    verdict: "fail when, over at least hours_min charged hours, data stays at or below gib_month_max a month",
    thresholds: THRESHOLDS,
    data: "rows of NAT gateway hours and data with resource and quantity in GB; silent on an extract of a bill",
    limits: "a gateway may stand by for another zone",
};

inventory::submit! {
    over_bill(
        "checks.focus.nat_gateway_idle:NatGatewayIdleChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Idle NAT gateway", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(NatGatewayIdle(Limits::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?)))),
    )
}

struct NatGatewayIdle(Limits);

impl BillingCheck for NatGatewayIdle {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        self.0.idle(bill, &Meter::NatHours, &Meter::NatData).iter().map(|idle| idle.tell(&KIND)).collect()
    }
}

const KIND: Kind = Kind {
    check_id: CHECK_ID,
    resource_type: ResourceType::NatGateway,
    arn_kind: "natgateway",
    noun: "NAT gateway",
    advice: "Check which subnets route to it; delete it and release its address, or share one gateway between zones.",
};

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    const NAT: &str = "arn:aws:ec2:us-west-2:111122223333:natgateway/nat-0a";

    fn hours(hours: i64) -> Row {
        row("$0.045 per NAT Gateway Hour").resource(NAT).hours(hours).cost("32.4").quantity(&hours.to_string())
    }

    fn data(gib: &str) -> Row {
        row("$0.045 per GB Data Processed by NAT Gateways").resource(NAT).hours(720).quantity(gib).cost("0.03")
    }

    #[test]
    fn hours_and_data_make_the_verdict() {
        let cases = [
            (vec![hours(720)], Some(money_of("32.4", "32.4"))),
            (vec![hours(720), data("1")], Some(money_of("32.43", "32.43"))),
            (vec![hours(720), data("1.001")], None),
            (vec![hours(167)], None),
            (vec![hours(720), data("0").unknown_quantity()], None),
            (vec![data("0.5")], None),
        ];
        for (rows, expected) in cases {
            let findings = check_default(CHECKER_ID, rows);
            assert_eq!(findings.first().map(amounts), expected);
        }
        assert_eq!(check_default(CHECKER_ID, [hours(720)])[0].scope.resource_id, "nat-0a");
    }

    #[test]
    fn an_extract_of_a_bill_shows_no_idleness() {
        let picked = (0..240).map(|n| hours(1).at_hour(n * 3));
        assert_eq!(check_default(CHECKER_ID, picked), []);
    }
}
