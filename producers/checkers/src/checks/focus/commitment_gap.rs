//! On-demand compute that runs steadily enough for a commitment.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::ended::Ended;
use super::figures::monthly_of_many;
use super::group::{Group, HoursOfBill, by_resource, group_by};
use super::saved::Saved;
use super::subject::{finding, named_scope};
use super::text::{counted, figure, is_visible, money};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.compute.commitment.gap";
const CHECK_ID: &str = "billing.compute.commitment.gap";
/// Family of serverless containers.
const FARGATE: &str = "fargate";

const DOCS: CheckerDocs = CheckerDocs {
    what: "compute charged at on-demand rates that a Savings Plan or reservation would cover, by account, region and \
           instance family",
    why: "compute that runs all month costs a quarter to a third less under a one-year commitment",
    money: "cost = on-demand charges of the family; savings = discount × charges of its steady instances: those charged \
            for at least steady_ratio of the hours that the paying account's bill covers, and until it ends. Unknown when none is steady \
            or the bill covers fewer than hours_min hours",
    month: MonthRule::ByTime,
    verdict: "fail when steady on-demand compute is seen; info when there is on-demand compute and nothing shows it is steady",
    thresholds: &[
        Threshold {
            key: "discount",
            default: DefaultValue::Number("0.25"),
            meaning: "assumed discount of a one-year commitment without upfront payment",
        },
        Threshold {
            key: "steady_ratio",
            default: DefaultValue::Number("0.80"),
            meaning: "share of the bill's hours from which an instance counts as steady",
        },
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "hours a bill must cover before it can show that anything is steady",
        },
    ],
    data: "rows of instance and container hours with price category, resource and charge period",
    limits: "groups whose members change (autoscaling) have a steady base that single instances do not show; the discount \
             is an assumption, not an offer",
};

inventory::submit! {
    over_bill(
        "checks.focus.commitment_gap:CommitmentGapChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "On-demand compute without commitment",
            category: "cost",
            sub_category: "commitments",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(CommitmentGap::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct CommitmentGap {
    discount: Decimal,
    steady_ratio: Decimal,
    hours_min: Decimal,
}

impl CommitmentGap {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self {
            discount: thresholds.number("discount")?,
            steady_ratio: thresholds.number("steady_ratio")?,
            hours_min: thresholds.number("hours_min")?,
        })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>, bill_hours: u32) -> Option<Finding> {
        let line = group.first();
        let family = family_of(line)?;
        let cost = group.billed();
        if !is_visible(cost) {
            return None;
        }
        let bill_hours = Decimal::from(bill_hours);
        let hours_needed = (bill_hours * self.steady_ratio).max(Decimal::ONE);
        let can_tell = bill_hours >= self.hours_min;
        let instances = by_resource(group.lines());
        let is_steady = |one: &Group<'_>| {
            can_tell && Decimal::from(one.hours()) >= hours_needed && Ended::of(bill, one) != Ended::Yes
        };
        let steady: Vec<_> = instances.iter().filter(|one| is_steady(one)).collect();
        let steady_cost: Decimal = steady.iter().map(|instance| instance.billed()).sum();
        let saved = |one: &Group<'_>| {
            let is_steady = !one.first().key.resource.is_empty() && is_steady(one);
            if is_steady { Saved::part(bill, one, one.billed() * self.discount) } else { Saved::UNKNOWN }
        };
        let figures = monthly_of_many(bill, group, saved, if steady.is_empty() { 0 } else { 50 })?;
        let status = if figures.savings().is_some() { Status::Fail } else { Status::Info };
        let message = match figures.savings() {
            Some(_) => format!(
                "{family} on demand {}; {} of {} ran steadily and cost {} of what was charged: a commitment {}",
                figures.cost_text(),
                steady.len(),
                counted(instances.len(), "instance", "instances"),
                money(steady_cost, group.currency()),
                figures.savings_text(),
            ),
            None => format!(
                "{family} on demand {}, and no commitment covered it; the bill does not show {} running steadily",
                figures.cost_text(),
                match instances.len() {
                    0 | 1 => "it".to_owned(),
                    count => format!("any of its {count} instances"),
                },
            ),
        };
        let finding =
            finding(CHECK_ID, group, named_scope(line, ResourceType::InstanceFamily, family), status, &figures)
                .dimension("instance_family", family)
                .dimension("instances", group.resources_text())
                .dimension("instances_steady", steady.len())
                .dimension("instance_types", instance_types(group))
                .dimension("bill_hours", bill_hours)
                .dimension("assumed_discount", figure(self.discount, 4));
        Some(finding.text(
            format!("On-demand {family} compute without commitment"),
            message,
            "Compare with the provider's commitment recommendations before buying: rightsize first, commit to the base only.",
        ))
    }
}

impl BillingCheck for CommitmentGap {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let compute = bill.current().filter(|l| l.is_charge() && l.is_on_demand() && family_of(l).is_some());
        let groups = group_by(compute, |line| (&line.key.region, line.service(), family_of(line)));
        let hours = HoursOfBill::new(bill);
        groups.iter().filter_map(|group| self.judge(bill, group, hours.of(group.first()))).collect()
    }
}

/// `m5` of `m5.large`.
fn family_of(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::InstanceHours(instance_type) => Some(instance_type.split('.').next().unwrap_or(instance_type)),
        Meter::ContainerHours => Some(FARGATE),
        _ => None,
    }
}

fn instance_types(group: &Group<'_>) -> String {
    let types: std::collections::BTreeSet<_> = group
        .lines()
        .filter_map(|line| match &line.key.meter {
            Meter::InstanceHours(instance_type) => Some(&**instance_type),
            _ => None,
        })
        .collect();
    types.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn on_demand(instance: &str, hours: i64, cost: &str) -> Row {
        row("$0.10 per On Demand Linux m5.large Instance Hour").resource(instance).hours(hours).cost(cost)
    }

    #[test]
    fn steady_instances_make_the_savings() {
        let cases = [
            // Hours of two instances, savings and cost a month.
            (720, 720, "50", "200"),
            (720, 360, "25", "300"),
            (576, 360, "31.25", "325"),
            (575, 720, "25", "225.217391"),
        ];
        for (one, other, savings, cost) in cases {
            let rows = [on_demand("i-1", one, "100"), on_demand("i-2", other, "100"), row("x").hours(720)];
            let findings = check_default(CHECKER_ID, rows);
            assert_eq!(findings.len(), 1);
            assert_eq!(amounts(&findings[0]), money_of(savings, cost), "{one} {other}");
        }
    }

    #[test]
    fn a_month_in_progress_is_a_part_of_one() {
        let findings = check_default(CHECKER_ID, [on_demand("i-1", 240, "100"), row("x").hours(240)]);
        assert_eq!(amounts(&findings[0]), money_of("75", "300"));
    }

    #[test]
    fn nothing_steady_is_reported_without_savings() {
        let short_bill = check_default(CHECKER_ID, [on_demand("i-1", 167, "100")]);
        let not_steady = check_default(CHECKER_ID, [on_demand("i-1", 200, "100"), row("x").hours(720)]);
        for (findings, cost) in [(short_bill, "431.137725"), (not_steady, "360")] {
            assert_eq!((findings[0].status, amounts(&findings[0])), (Status::Info, money_of("-", cost)));
        }
    }

    #[test]
    fn covered_compute_is_left_out() {
        assert_eq!(check_default(CHECKER_ID, [on_demand("i-1", 720, "100").committed("plan", "Used")]), []);
    }

    #[test]
    fn families_regions_and_accounts_are_issues_of_their_own() {
        let other = row("$1 per On Demand Linux c5.large Instance Hour");
        let fargate = row("AWS Fargate - vCPU  - US West 2 (Oregon)").service("AmazonECS");
        let rows = [on_demand("i-1", 1, "1"), on_demand("i-2", 1, "1").region("eu-west-1"), other, fargate];
        let findings = check_default(CHECKER_ID, rows);
        let mut seen: Vec<_> = findings.iter().map(|f| (&*f.scope.resource_id, &*f.scope.region)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [("c5", "us-east-1"), ("fargate", "us-east-1"), ("m5", "eu-west-1"), ("m5", "us-east-1")]);
    }
}
