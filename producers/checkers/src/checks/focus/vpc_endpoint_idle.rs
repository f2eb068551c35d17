//! Endpoints for private access that pass next to no data.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::idle::{Kind, Limits, THRESHOLDS};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.endpoint.idle";
const CHECK_ID: &str = "billing.endpoint.idle";

const DOCS: CheckerDocs = CheckerDocs {
    what: "interface and Gateway Load Balancer endpoints charged by the hour that pass next to no data",
    why: "each endpoint costs its hours in each zone, used or not; templates create a set of them in every network",
    money: "cost = savings = charges for the endpoint's hours and data",
    month: MonthRule::ByTime,
    verdict: "fail when, over at least hours_min charged hours, data stays at or below gib_month_max a month",
    thresholds: THRESHOLDS,
    data: "rows of endpoint hours and data with resource and quantity in GB; silent on an extract of a bill",
    limits: "rare calls, such as those to a key store, may need the endpoint all the same where a network has no other way out",
};

inventory::submit! {
    over_bill(
        "checks.focus.vpc_endpoint_idle:VpcEndpointIdleChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Idle VPC endpoint", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(VpcEndpointIdle(Limits::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?)))),
    )
}

struct VpcEndpointIdle(Limits);

impl BillingCheck for VpcEndpointIdle {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        self.0.idle(bill, &Meter::EndpointHours, &Meter::EndpointData).iter().map(|idle| idle.tell(&KIND)).collect()
    }
}

const KIND: Kind = Kind {
    check_id: CHECK_ID,
    resource_type: ResourceType::VpcEndpoint,
    arn_kind: "vpc-endpoint",
    noun: "VPC endpoint",
    advice: "Delete it if nothing calls the service from this network, or share one endpoint between networks.",
};

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn endpoint(usage_type: &str, hours: i64) -> Row {
        row("").usage_type(usage_type, "VpcEndpoint").service("AmazonVPC").resource("vpce-0a").hours(hours)
    }

    #[test]
    fn zones_cost_together_and_hours_count_once() {
        let hours = |hours| endpoint("USE1-VpcEndpoint-Hours", hours).cost("7.2").quantity("720");
        let data = |gib| endpoint("USE1-VpcEndpoint-Bytes", 720).cost("0.01").quantity(gib);
        let findings = check_default(CHECKER_ID, [hours(720), hours(720), hours(720), data("1")]);
        assert_eq!(findings.iter().map(amounts).collect::<Vec<_>>(), [money_of("21.61", "21.61")]);
        assert_eq!(findings[0].scope.resource_arn, "arn:aws:ec2:us-east-1:111122223333:vpc-endpoint/vpce-0a");
        assert_eq!(check_default(CHECKER_ID, [hours(720), data("1.1")]), []);
        assert_eq!(check_default(CHECKER_ID, [hours(167)]), []);
    }
}
