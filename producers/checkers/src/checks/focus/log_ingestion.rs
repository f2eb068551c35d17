//! Log groups that take in much data.

use contracts::draft::Status;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::ended::resource_has_ended;
use super::figures::at_run_rate;
use super::group::{Group, by_resource_or_place};
use super::run_rate::{RunRate, monthly_quantity};
use super::subject::{finding, resource_or_all_scope};
use super::text::{figure, quantity_text};
use super::words::{ByCloud, LOGS, Words};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.logs.ingestion";
const CHECK_ID: &str = "billing.logs.ingestion";

const DOCS: CheckerDocs = CheckerDocs {
    what: "log groups that are charged for taking in data",
    why: "taking in a GB of logs costs as much as storing it for more than a year; most of it is never read",
    money: "cost = ingestion charges. Savings are unknown: a bill does not tell what could be left out, or whether the \
            infrequent-access class at half the price would do",
    month: MonthRule::ByBill,
    verdict: "fail from gib_min on; info below",
    thresholds: &[Threshold {
        key: "gib_min",
        default: DefaultValue::Number("100"),
        meaning: "GB taken in a month, at the rate so far, from which it is worth a look at what is logged",
    }],
    data: "rows of log ingestion with resource and quantity in GB",
    limits: "does not know what the logs say",
};

inventory::submit! {
    over_bill(
        "checks.focus.log_ingestion:LogIngestionChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Log ingestion", category: "cost", sub_category: "observability" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(LogIngestion::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

const WORDS: ByCloud<Words> = ByCloud {
    aws: Words {
        noun: "log group",
        title: "Log group takes in data",
        advice: "Log less (levels, sampling), leave out what is never read, or use the infrequent-access class.",
    },
    azure: Words {
        noun: "Log Analytics workspace",
        title: "Log Analytics workspace takes in data",
        advice: "Log less (diagnostic settings, data collection rules), keep verbose tables as Basic Logs, and compare a commitment \
                 tier from 100 GB a day on.",
    },
    google: Words {
        noun: "Cloud Logging",
        title: "Cloud Logging takes in data",
        advice: "Log less (levels, sampling), add exclusion filters to the _Default sink, and turn off VPC flow logs and data access \
                 logs that are never read.",
    },
};

struct LogIngestion {
    gib_min: Decimal,
}

impl LogIngestion {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { gib_min: thresholds.number("gib_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        if resource_has_ended(bill, group) {
            return None;
        }
        let figures = at_run_rate(group, &RunRate::of(bill, group.lines()), 95)?;
        let gib_monthly = monthly_quantity(bill, group.lines());
        let status = if gib_monthly.is_some_and(|gib| gib >= self.gib_min) { Status::Fail } else { Status::Info };
        let (gib, monthly) = (gib_text(group.quantity()), gib_text(gib_monthly));
        let scope = resource_or_all_scope(group.first(), LOGS.of(group.first()), None, "all-log-buckets");
        let words = WORDS.of(group.first());
        let (noun, amount) = (words.noun, quantity_text(&gib, &monthly));
        let message = format!("{noun} {} took in {amount}, which {}", scope.resource_id, figures.cost_text());
        let mut finding = finding(CHECK_ID, group, scope, status, &figures)
            .dimension("gib_ingested", gib)
            .dimension("gib_monthly", monthly)
            .text(words.title, message, words.advice);
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for LogIngestion {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let ingestion = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::LogIngestion);
        by_resource_or_place(ingestion).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

fn gib_text(gib: Option<Decimal>) -> String {
    gib.map_or_else(|| "unknown".to_owned(), |gib| figure(gib, 6))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_amount_of_data_makes_the_verdict() {
        let group = "arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/prod/cluster";
        for (gib, status) in [("99.999", Status::Info), ("100", Status::Fail)] {
            let ingestion = row("$0.50 per GB custom log data ingested in Standard log class - US East (Ohio)");
            let ingestion = ingestion.service("AmazonCloudWatch").resource(group).quantity(gib).cost("50").hours(720);
            let findings =
                check_default(CHECKER_ID, [ingestion, row("$0.03 per GB-mo of log storage").resource(group)]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", "50")));
            assert_eq!(finding.scope.resource_id, "/aws/eks/prod/cluster");
        }
    }
}
