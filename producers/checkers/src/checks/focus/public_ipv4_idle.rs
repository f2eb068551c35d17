//! Public IPv4 addresses that are paid for and used by nothing.

use contracts::draft::Status;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::figures::monthly_of_group;
use super::group::{Group, by_resource_or_place};
use super::saved::Saved;
use super::subject::{finding, resource_or_all_scope};
use super::text::is_visible;
use super::words::{ADDRESS, ByCloud, Words};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.ipv4.idle";
const CHECK_ID: &str = "billing.ipv4.idle";

const DOCS: CheckerDocs = CheckerDocs {
    what: "public IPv4 addresses charged as idle",
    why: "an address that nothing uses costs as much as one in use",
    money: "cost = savings = charges for idle hours",
    month: MonthRule::ByTime,
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

/// A bill of Azure does not tell whether an address is used.
const WORDS: ByCloud<Words> = {
    let aws = Words {
        noun: "public IPv4 address",
        title: "Idle public IPv4 address",
        advice: "Release the address, or use it, if no outside client relies on it.",
    };
    let google = Words {
        noun: "static external IP address",
        title: "Static external IP address that nothing uses",
        advice: "Release the static external IP address, or attach it, if no outside client relies on it.",
    };
    ByCloud { aws, azure: aws, google }
};

struct PublicIpv4Idle;

impl BillingCheck for PublicIpv4Idle {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let idle = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::PublicIpIdle);
        by_resource_or_place(idle).iter().filter_map(|group| judge(bill, group)).collect()
    }
}

fn judge(bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
    let cost = group.billed();
    if !is_visible(cost) {
        return None;
    }
    let figures = monthly_of_group(bill, group, Saved::all(bill, group), 95)?;
    let words = WORDS.of(group.first());
    let arn = Some(("ec2", "elastic-ip"));
    let scope = resource_or_all_scope(group.first(), ADDRESS.of(group.first()), arn, "idle-addresses");
    let message = format!("{} {} was idle and {}", words.noun, scope.resource_id, figures.cost_text());
    let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures).text(words.title, message, words.advice);
    finding.tags = group.tags();
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn one_idle_hour_is_a_month_of_them() {
        let idle = row("$0.005 per Idle public IPv4 address per hour").resource("eipalloc-0a").cost("0.005");
        let findings = check_default(CHECKER_ID, [idle]);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(amounts(finding), money_of("3.6", "3.6"));
        assert_eq!(
            finding.message,
            "public IPv4 address eipalloc-0a was idle and cost 0.005 USD in 1 charged hour, 3.6 USD a month"
        );
    }

    #[test]
    fn idle_hours_are_savings() {
        let address = "arn:aws:ec2:us-west-2:111122223333:elastic-ip/eipalloc-0a";
        let idle = row("$0.005 per Idle public IPv4 address per hour").resource(address).service("AmazonVPC");
        let in_use = row("$0.005 per In-use public IPv4 address per hour").resource(address).service("AmazonVPC");
        // Idle in the first hour of each day, in use in the last: it exists all month.
        let days = |row: Row, hour: i64| (0..30).map(move |day| row.clone().at_hour(24 * day + hour));
        let rows = days(idle.cost("0.05"), 0).chain(days(in_use.cost("0.05"), 23));
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(amounts(finding), money_of("1.5", "1.5"));
        assert_eq!((&*finding.scope.resource_id, &*finding.scope.service), ("eipalloc-0a", "AmazonVPC"));
        assert_eq!(finding.severity.level, contracts::draft::Level::Low);
    }

    #[test]
    fn free_idle_hours_are_no_finding() {
        let free = row("$0.005 per Idle public IPv4 address per hour").resource("eipalloc-0a").cost("0");
        assert_eq!(check_default(CHECKER_ID, [free]), []);
    }
}
