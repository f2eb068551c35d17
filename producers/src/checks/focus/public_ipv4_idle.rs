//! Public IPv4 addresses that are paid for and used by nothing.

use super::group::{Group, by_resource};
use super::subject::{as_billed, counted, finding, is_visible, money, resource_scope};
use super::{BillingCheck, OverBill, over_bill};
use crate::billing::inventory::BillingInventory;
use crate::billing::meter::Meter;
use crate::checker::{CheckInfo, CheckerDocs};
use crate::finding::{Finding, Status};

const CHECKER_ID: &str = "focus.ipv4.idle";
const CHECK_ID: &str = "billing.ipv4.idle";

const DOCS: CheckerDocs = CheckerDocs {
    what: "public IPv4 addresses charged as idle",
    why: "an address that nothing uses costs as much as one in use",
    money: "cost = savings = charges for idle hours",
    verdict: "fail for each address with idle hours",
    thresholds: &[],
    data: "rows of idle address hours with resource",
    limits: "an address may be kept on purpose, for instance because others allow it in their firewalls",
};

inventory::submit! {
    over_bill(
        "checks.focus.public_ipv4_idle:PublicIpv4IdleChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Idle public IPv4 address", category: "cost", sub_category: "network" }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(PublicIpv4Idle))),
    )
}

struct PublicIpv4Idle;

impl BillingCheck for PublicIpv4Idle {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let idle = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::PublicIpIdle);
        by_resource(idle).iter().filter_map(judge).collect()
    }
}

fn judge(group: &Group<'_>) -> Option<Finding> {
    let cost = group.billed();
    if !is_visible(cost) {
        return None;
    }
    let scope = resource_scope(group.first(), "elastic-ip", Some(("ec2", "elastic-ip")));
    let message = format!(
        "public IPv4 address {} was idle for {} and cost {}",
        scope.resource_id,
        counted(group.hours(), "charged hour", "charged hours"),
        money(cost, group.currency()),
    );
    let mut finding = finding(CHECK_ID, group, scope, Status::Fail, as_billed(group, Some(cost), 95)).text(
        "Idle public IPv4 address",
        message,
        "Release the address, or use it, if nobody outside relies on it.",
    );
    finding.tags = group.tags();
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn idle_hours_are_savings_as_billed() {
        let address = "arn:aws:ec2:us-west-2:111122223333:elastic-ip/eipalloc-0a";
        let idle = row("$0.005 per Idle public IPv4 address per hour").resource(address).service("AmazonVPC");
        let in_use = row("$0.005 per In-use public IPv4 address per hour").resource(address).service("AmazonVPC");
        let findings = check_default(CHECKER_ID, [idle.clone().cost("0.005"), in_use.cost("9")]);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(amounts(finding), money_of("0.005", "0.005"));
        assert_eq!((&*finding.scope.resource_id, &*finding.scope.service), ("eipalloc-0a", "AmazonVPC"));
        assert_eq!(finding.severity.level, crate::finding::Level::Low);
    }

    #[test]
    fn free_idle_hours_are_no_finding() {
        let free = row("$0.005 per Idle public IPv4 address per hour").resource("eipalloc-0a").cost("0");
        assert_eq!(check_default(CHECKER_ID, [free]), []);
    }
}
