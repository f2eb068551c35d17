//! What public IPv4 addresses in use cost.

use super::group::{Group, by_region};
use super::subject::{as_billed, counted, finding, is_worth_telling, money, named_scope};
use super::{BillingCheck, OverBill, over_bill};
use crate::billing::inventory::BillingInventory;
use crate::billing::meter::Meter;
use crate::checker::{CheckInfo, CheckerDocs};
use crate::finding::{Finding, Status};

const CHECKER_ID: &str = "focus.ipv4.in.use";
const CHECK_ID: &str = "billing.ipv4.in.use";

const DOCS: CheckerDocs = CheckerDocs {
    what: "charges for public IPv4 addresses in use, by account and region",
    why: "every public address costs by the hour; machines behind a load balancer or NAT gateway rarely need one",
    money: "cost = charges for addresses in use. Savings are unknown: a bill does not tell which addresses are needed",
    verdict: "info for each account and region, from a cent on",
    thresholds: &[],
    data: "rows of in-use address hours with resource",
    limits: "addresses of managed services cannot be given back one by one",
};

inventory::submit! {
    over_bill(
        "checks.focus.public_ipv4_in_use:PublicIpv4InUseChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Public IPv4 spend", category: "cost", sub_category: "network" }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(PublicIpv4InUse))),
    )
}

struct PublicIpv4InUse;

impl BillingCheck for PublicIpv4InUse {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let in_use = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::PublicIpInUse);
        by_region(in_use).iter().filter_map(judge).collect()
    }
}

fn judge(group: &Group<'_>) -> Option<Finding> {
    let cost = group.billed();
    if !is_worth_telling(cost) {
        return None;
    }
    let line = group.first();
    let message = format!(
        "{} in use in {} cost {}",
        counted(group.resources(), "public IPv4 address", "public IPv4 addresses"),
        line.key.region,
        money(cost, group.currency()),
    );
    let scope = named_scope(line, "public-ipv4", "in-use");
    let finding = finding(CHECK_ID, group, scope, Status::Info, as_billed(group, None, 95))
        .dimension("addresses", group.resources())
        .dimension("top_resources", group.top_resources(3));
    Some(finding.text(
        "Spend on public IPv4 addresses",
        message,
        "Drop public addresses of machines that are reached through a load balancer; use IPv6 or endpoints for the rest.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn addresses_of_a_region_are_one_finding() {
        let in_use = |resource| row("$0.005 per In-use public IPv4 address per hour").resource(resource).cost("3.6");
        let findings =
            check_default(CHECKER_ID, [in_use("eni-1"), in_use("eni-2"), in_use("eni-3").region("eu-west-1")]);
        let seen: Vec<_> =
            findings.iter().map(|f| (&*f.scope.region, &*f.dimensions["addresses"], amounts(f))).collect();
        assert_eq!(seen, [("eu-west-1", "1", money_of("-", "3.6")), ("us-east-1", "2", money_of("-", "7.2"))]);
    }
}
