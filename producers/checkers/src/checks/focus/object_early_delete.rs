//! Objects that are deleted before the minimum time of their storage class.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::ended::resource_has_ended;
use super::figures::at_run_rate;
use super::group::{Group, by_resource_or_none};
use super::run_rate::RunRate;
use super::spend::is_worth_a_line;
use super::subject::{finding, named_scope, resource_scope};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold};
use contracts::ranking::in_usd_for_ranking;

const CHECKER_ID: &str = "focus.object.early.delete";
const CHECK_ID: &str = "billing.object.early.delete";

// Source: Amazon S3 User Guide, "Understanding your AWS billing and usage reports for Amazon S3", November 2026: minimum times of 30 days
// (Standard-IA, One Zone-IA), 90 (Glacier Instant and Flexible Retrieval) and 180 (Deep Archive).
const DOCS: CheckerDocs = CheckerDocs {
    what: "buckets that are charged for objects deleted or moved before the minimum time of their storage class",
    why: "colder classes charge for 30, 90 or 180 days at least: what lives shorter costs more there than in the class for frequent access",
    money: "cost = charges for early deletes. Savings are unknown: kept where they were, the objects would have cost something as well",
    month: MonthRule::ByBill,
    verdict: "fail from cost_min on; info from a dollar on",
    thresholds: &[Threshold {
        key: "cost_min",
        default: DefaultValue::Number("10"),
        meaning: "charges in a month, at the rate so far, in US dollars or about as much in another currency, from which it is worth a look",
    }],
    data: "rows of early deletes of object storage",
    limits: "a one-time clean-up ends by itself",
};

inventory::submit! {
    over_bill(
        "checks.focus.object_early_delete:ObjectEarlyDeleteChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Early deletes in cold storage", category: "cost", sub_category: "storage" }],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(ObjectEarlyDelete { cost_min: thresholds.number("cost_min")? })))
        },
    )
}

struct ObjectEarlyDelete {
    cost_min: Decimal,
}

impl ObjectEarlyDelete {
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let rate = RunRate::of(bill, group.lines());
        let line = group.first();
        let is_named = !line.key.resource.is_empty();
        if !is_worth_a_line(rate.monthly(), group.currency()) || (is_named && resource_has_ended(bill, group)) {
            return None;
        }
        let ranked = in_usd_for_ranking(rate.monthly(), group.currency());
        let status = if ranked.is_some_and(|usd| usd >= self.cost_min) { Status::Fail } else { Status::Info };
        let figures = at_run_rate(group, &rate, 90)?;
        let (what, scope) = match is_named {
            true => ("bucket", resource_scope(line, ResourceType::S3Bucket, None)),
            false => ("buckets of account", named_scope(line, ResourceType::BucketPortfolio, "all-buckets")),
        };
        let name = if is_named { &scope.resource_id } else { &scope.account_id };
        let message = format!("{what} {name}: objects deleted before their minimum time {}", figures.cost_text());
        let mut finding = finding(CHECK_ID, group, scope, status, &figures).text(
            "Objects deleted early from cold storage",
            message,
            "Let lifecycle rules move only what lives longer than the class's minimum time, and expire short-lived objects from the \
             class for frequent access.",
        );
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for ObjectEarlyDelete {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let deleted = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::ObjectEarlyDelete);
        by_resource_or_none(deleted).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_amount_of_a_bucket_makes_the_verdict() {
        let early = |class: &str, cost: &str| {
            row("")
                .usage_type(&format!("EUW1-EarlyDelete-{class}"), "DeleteObject")
                .service("AmazonS3")
                .cost(cost)
                .hours(360)
        };
        let cases = [("3", "2", Status::Fail, "10"), ("3", "1.99", Status::Info, "9.98")];
        for (one, other, status, monthly) in cases {
            let rows = [early("SIA", one).resource("logs"), early("GDA", other).resource("logs")];
            let findings = check_default(CHECKER_ID, rows);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", monthly)));
            assert_eq!(finding.scope.resource_id, "logs");
        }
        assert_eq!(check_default(CHECKER_ID, [early("ByteHrs", "9")])[0].scope.resource_id, "all-buckets");
    }
}
