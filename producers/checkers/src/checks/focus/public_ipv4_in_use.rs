//! What public IPv4 addresses in use cost.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::figures::monthly_of_many;
use super::group::{Group, by_region};
use super::subject::{finding, is_worth_telling, named_scope, place};
use super::text::counted;
use super::words::ByCloud;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.ipv4.in.use";
const CHECK_ID: &str = "billing.ipv4.in.use";

const DOCS: CheckerDocs = CheckerDocs {
    what: "charges for public IPv4 addresses in use (Azure: used or not), by account and region",
    why: "every public address costs by the hour; machines behind a load balancer or NAT gateway rarely need one",
    money: "cost = charges for addresses in use. Savings are unknown: a bill does not tell which addresses are needed",
    month: MonthRule::ByTime,
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

/// What the bill says of their use, and what to do.
const WORDS: ByCloud<(&str, &str)> = ByCloud {
    aws: (
        "in use",
        "Drop public addresses of machines that are reached through a load balancer; use IPv6 or endpoints for the rest.",
    ),
    azure: (
        "in use or not (the bill does not tell)",
        "List public IP addresses that are associated with nothing (ipConfiguration is empty) and delete them; reach machines through \
         a load balancer, Azure Bastion or private endpoints.",
    ),
    google: (
        "in use",
        "Drop external IP addresses of machines that are reached through a load balancer; use Cloud NAT and Private Google Access for \
         the rest.",
    ),
};

struct PublicIpv4InUse;

impl BillingCheck for PublicIpv4InUse {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let in_use =
            bill.current().filter(|l| l.is_charge() && matches!(l.key.meter, Meter::PublicIpInUse | Meter::PublicIp));
        by_region(in_use).iter().filter_map(|group| judge(bill, group)).collect()
    }
}

fn judge(bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
    if !is_worth_telling(group.billed(), group.currency()) {
        return None;
    }
    let line = group.first();
    let figures = monthly_of_many(bill, group, 95)?;
    let addresses = match group.resources() {
        Some(count) => counted(count, "public IPv4 address", "public IPv4 addresses"),
        None => "public IPv4 addresses".to_owned(),
    };
    let (state, advice) = WORDS.of(line);
    let message = format!("{addresses} {state} in {} {}", place(line), figures.cost_text());
    let scope = named_scope(line, ResourceType::PublicIpv4, "in-use");
    let finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
        .dimension("addresses", group.resources_text())
        .dimension("top_resources", group.top_resources(3));
    Some(finding.text("Spend on public IPv4 addresses", message, advice))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn addresses_of_a_region_are_one_finding() {
        let in_use =
            |resource| row("$0.005 per In-use public IPv4 address per hour").resource(resource).cost("3.6").hours(720);
        let findings =
            check_default(CHECKER_ID, [in_use("eni-1"), in_use("eni-2"), in_use("eni-3").region("eu-west-1")]);
        let seen: Vec<_> =
            findings.iter().map(|f| (&*f.scope.region, &*f.dimensions["addresses"], amounts(f))).collect();
        assert_eq!(seen, [("eu-west-1", "1", money_of("-", "3.6")), ("us-east-1", "2", money_of("-", "7.2"))]);
    }

    #[test]
    fn addresses_that_come_and_go_cost_what_they_cost_together() {
        let in_use = |resource| row("$0.005 per In-use public IPv4 address per hour").resource(resource);
        let rows = [in_use("eni-1").hours(720).cost("3.6"), in_use("eni-2").at_hour(360).hours(360).cost("1.8")];
        assert_eq!(amounts(&check_default(CHECKER_ID, rows)[0]), money_of("-", "5.4"));
        let began = in_use("eni-1").at_hour(360).hours(360).cost("1.8");
        let findings = check_default(CHECKER_ID, [began, row("x").resource("i-1").hours(720)]);
        assert_eq!(amounts(&findings[0]), money_of("-", "3.6"));
    }

    #[test]
    fn addresses_that_ended_add_nothing_to_a_month() {
        let in_use = |resource| row("$0.005 per In-use public IPv4 address per hour").resource(resource).cost("1.8");
        let going_on = (0..10).map(|n| row("x").resource(&format!("vol-{n}")).hours(720));
        let one_after_the_other = [in_use("eni-1").hours(360), in_use("eni-2").at_hour(360).hours(360)];
        let findings = check_default(CHECKER_ID, going_on.chain(one_after_the_other));
        assert_eq!(amounts(&findings[0]), money_of("-", "3.6"));
        assert_eq!(findings[0].dimensions["charged_cost"], "3.6");
    }

    #[test]
    fn what_the_bill_does_not_name_is_not_counted_as_none() {
        let nameless = row("$0.005 per In-use public IPv4 address per hour").region("").hours(720);
        let findings = check_default(CHECKER_ID, [nameless]);
        let finding = &findings[0];
        assert_eq!((&*finding.dimensions["addresses"], &*finding.scope.region), ("unknown", "unknown"));
        assert_eq!(
            finding.message,
            "public IPv4 addresses in use in a region the bill does not name cost 1 USD a month"
        );
    }
}
