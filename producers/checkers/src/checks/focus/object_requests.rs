//! Buckets whose requests cost more than what they store.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::ended::resource_has_ended;
use super::figures::at_run_rate;
use super::group::{Group, by_resource_or_none};
use super::run_rate::RunRate;
use super::spend::quantity_text;
use super::subject::{finding, named_scope, resource_scope};
use super::text::{money, round};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};
use contracts::ranking::in_usd_for_ranking;

const CHECKER_ID: &str = "focus.object.requests";
const CHECK_ID: &str = "billing.object.requests";

const DOCS: CheckerDocs = CheckerDocs {
    what: "buckets (where the bill does not name them: accounts and regions) whose requests cost more than their storage",
    why: "many small objects, listing in a loop and polling cost by the request; larger objects and fewer calls do the same for less",
    money: "cost = request charges. Savings are unknown: a bill does not tell which requests are needed",
    month: MonthRule::ByBill,
    verdict: "fail when requests cost at least cost_min a month and ratio_min times the storage",
    thresholds: &[
        Threshold {
            key: "ratio_min",
            default: DefaultValue::Number("1"),
            meaning: "request charges by storage charges, from which a bucket is named",
        },
        Threshold {
            key: "cost_min",
            default: DefaultValue::Number("10"),
            meaning: "request charges in a month, at the rate so far, in US dollars or about as much in another currency, from which it is \
                      worth a look",
        },
    ],
    data: "rows of object storage and of requests to it",
    limits: "an application that lives on small objects is meant to be so; retrieval and transfer are not counted",
};

inventory::submit! {
    over_bill(
        "checks.focus.object_requests:ObjectRequestsChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Requests cost more than storage",
            category: "cost",
            sub_category: "storage",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(ObjectRequests::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct ObjectRequests {
    ratio_min: Decimal,
    cost_min: Decimal,
}

impl ObjectRequests {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { ratio_min: thresholds.number("ratio_min")?, cost_min: thresholds.number("cost_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let requests = by_resource_or_none(group.lines().filter(|l| is_request(l))).into_iter().next()?;
        let rate = RunRate::of(bill, requests.lines());
        let storage = RunRate::of(bill, group.lines().filter(|l| !is_request(l))).monthly();
        let ranked = in_usd_for_ranking(rate.monthly(), group.currency())?;
        if ranked < self.cost_min || rate.monthly() < storage.checked_mul(self.ratio_min)? {
            return None;
        }
        let line = requests.first();
        let is_named = !line.key.resource.is_empty();
        // An extract of a bill leaves out rows: a bucket without storage may have some.
        let is_storage_known = !storage.is_zero() || bill.current_month(line)?.tells_ends();
        if !is_storage_known || (is_named && resource_has_ended(bill, &requests)) {
            return None;
        }
        let figures = at_run_rate(&requests, &rate, 90)?;
        let (what, scope) = match is_named {
            true => ("bucket", resource_scope(line, ResourceType::S3Bucket, None)),
            false => ("buckets of account", named_scope(line, ResourceType::BucketPortfolio, "all-buckets")),
        };
        let name = if is_named { &scope.resource_id } else { &scope.account_id };
        let message = format!(
            "{what} {name}: requests {}, and the storage itself {}",
            figures.cost_text(),
            money(round(storage), group.currency()),
        );
        let mut finding = finding(CHECK_ID, &requests, scope, Status::Fail, &figures)
            .dimension("requests", quantity_text(requests.quantity()))
            .dimension("monthly_cost_storage", round(storage))
            .text(
                "Requests cost more than storage",
                message,
                "Find who calls (server access logs, Storage Lens); write larger objects, list less often, and cache what is read again.",
            );
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for ObjectRequests {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let is_storage = |meter: &Meter| matches!(meter, Meter::ObjectStandard | Meter::ObjectTiered);
        let lines = bill.current().filter(|l| l.is_charge() && (is_request(l) || is_storage(&l.key.meter)));
        by_resource_or_none(lines).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

fn is_request(line: &UsageLine) -> bool {
    line.key.meter == Meter::ObjectRequests
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn bucket(usage_type: &str, cost: &str) -> Row {
        row("").usage_type(usage_type, "").service("AmazonS3").resource("events").cost(cost).hours(720)
    }

    #[test]
    fn amount_and_ratio_make_the_verdict() {
        let cases = [("10", "10", true), ("9.99", "1", false), ("10", "10.01", false), ("30", "0", true)];
        for (requests, storage, is_found) in cases {
            let half = bucket("Requests-Tier1", requests).hours(360);
            let found = check_default(CHECKER_ID, [half, bucket("TimedStorage-ByteHrs", storage)]);
            assert_eq!(found.len(), usize::from(is_found), "{requests} {storage}");
        }
    }

    #[test]
    fn requests_of_all_classes_count() {
        let rows = [
            bucket("Requests-Tier1", "6").quantity("1200000"),
            bucket("Requests-SIA-Tier2", "4").quantity("10000000"),
            bucket("TimedStorage-SIA-ByteHrs", "2"),
            bucket("DataTransfer-Out-Bytes", "50"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((&*finding.scope.resource_id, amounts(finding)), ("events", money_of("-", "10")));
        assert_eq!(finding.message, "bucket events: requests cost 10 USD a month, and the storage itself 2 USD");
    }
}
