//! Metrics that an account publishes itself.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::group::{Group, by_region};
use super::run_rate::monthly_quantity;
use super::spend::{CostMin, Spend, THRESHOLDS, quantity_text};
use super::subject::place;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.metrics.custom";
const CHECK_ID: &str = "billing.metrics.custom";

const DOCS: CheckerDocs = CheckerDocs {
    what: "custom metrics of CloudWatch, by account and region",
    why: "each combination of dimensions is a metric of its own: one label with many values, such as a user or a pod, makes thousands",
    money: "cost = charges for metrics. Savings are unknown: a bill does not tell which metrics are looked at",
    month: MonthRule::ByBill,
    verdict: "fail from cost_min on; info from a dollar on",
    thresholds: THRESHOLDS,
    data: "rows of custom metrics with quantity in metric-months",
    limits: "detailed monitoring and Container Insights are charged as custom metrics as well",
};

const SPEND: Spend = Spend {
    check_id: CHECK_ID,
    resource_type: ResourceType::CustomMetrics,
    resource_id: "custom-metrics",
    title: "Spend on custom metrics",
    advice: "Drop dimensions with many values and metrics that no dashboard or alarm reads; write high-cardinality data as logs.",
};

inventory::submit! {
    over_bill(
        "checks.focus.metrics_custom:MetricsCustomChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Custom metrics spend", category: "cost", sub_category: "observability" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(MetricsCustom(CostMin::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?)))),
    )
}

struct MetricsCustom(CostMin);

impl MetricsCustom {
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let what = format!("custom metrics of account {} in {}", line.key.account, place(line));
        let metrics = quantity_text(monthly_quantity(bill, group.lines()));
        Some(self.0.judge(bill, group, &SPEND, &what)?.dimension("metrics_monthly", metrics))
    }
}

impl BillingCheck for MetricsCustom {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let metrics = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::CustomMetrics);
        by_region(metrics).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contracts::draft::Status;

    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_amount_makes_the_verdict() {
        for (cost, status) in [("50", Status::Fail), ("49.99", Status::Info)] {
            let metrics = row("").usage_type("CW:MetricMonitorUsage", "MetricStorage").service("AmazonCloudWatch");
            let findings = check_default(CHECKER_ID, [metrics.cost(cost).quantity("166.5").hours(360)]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            let monthly = if status == Status::Fail { "100" } else { "99.98" };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", monthly)));
            assert_eq!(finding.dimensions["metrics_monthly"], "333");
        }
    }
}
