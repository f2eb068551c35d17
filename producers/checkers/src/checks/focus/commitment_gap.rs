//! On-demand compute that runs steadily enough for a commitment.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::{Figures, at_run_rate, monthly_of_many};
use super::group::{Group, by_resource, by_resource_or_none, group_by};
use super::instance_generation_previous::InstanceGenerationPrevious;
use super::kept::kept_share;
use super::pool::{Base, Pool};
use super::prices::ListPrices;
use super::run_rate::{RunRate, share_of as share_of_charge};
use super::saved::Saved;
use super::software::{Software, instance_type};
use super::subject::{finding, named_scope};
use super::text::{counted, figure, is_visible, money, share_of};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Rulepack, Threshold, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.compute.commitment.gap";
const CHECK_ID: &str = "billing.compute.commitment.gap";
/// Family of serverless containers.
const FARGATE: &str = "fargate";

const DOCS: CheckerDocs = CheckerDocs {
    what: "compute charged at on-demand rates that a Savings Plan or reservation would cover, by account, region and \
           instance family",
    why: "compute that runs all month costs a quarter to a third less under a one-year commitment",
    money: "cost = on-demand charges of the family; savings = those of the commitment of c an hour that saves most: the sum over \
            all hours of min(on-demand cost of the hour, c) − c × (1 − discount) × hours. The hours are those that the bill of the \
            paying account covers with usage; instances may come and go, the pool is judged. c is at most what ran in the last 48 hours. \
            Not discounted: licences (a Windows, SQL Server or paid Linux instance counts with the price of the instance alone, as \
            this bill shows it or as list price less licence; else not at all), and what moving to the successor of a previous \
            generation saves, which is another finding. Unknown when nothing is steady or the bill covers fewer than hours_min \
            hours",
    month: MonthRule::ByBill,
    verdict: "fail when a commitment to steady on-demand compute saves; info when there is on-demand compute and nothing shows it is \
              steady",
    thresholds: &[
        Threshold {
            key: "discount",
            default: DefaultValue::Number("0.25"),
            meaning: "assumed discount of a one-year commitment without upfront payment",
        },
        Threshold {
            key: "steady_ratio",
            default: DefaultValue::Number("0.80"),
            meaning: "instance hours by hours of the rows, from which an instance counts as running in each of these hours: rows by \
                      the day show 8 hours of 24",
        },
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "hours a bill must cover before it can show that anything is steady",
        },
    ],
    data: "rows of instance and container hours with price category, resource, quantity and charge period",
    limits: "containers in rows by the day, and rows without a resource, do not show in which hours they run; the discount \
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
        |context, _| Ok(Box::new(OverBill(CommitmentGap::of(&context.rulepack)?))),
    )
}

struct CommitmentGap {
    discount: Decimal,
    steady_ratio: Decimal,
    hours_min: Decimal,
    generations: InstanceGenerationPrevious,
}

/// What a commitment to a family's steady base would save.
struct Gap {
    base: Base,
    /// Hours that the bill covers.
    hours: usize,
    /// On-demand charges less licences and what a successor saves.
    discountable: Decimal,
}

impl CommitmentGap {
    fn of(rulepack: &Rulepack) -> Result<Self, UndeclaredThreshold> {
        let thresholds = rulepack.of(CHECKER_ID, DOCS.thresholds);
        Ok(Self {
            discount: thresholds.number("discount")?,
            steady_ratio: thresholds.number("steady_ratio")?,
            hours_min: thresholds.number("hours_min")?,
            generations: InstanceGenerationPrevious::of(rulepack)?,
        })
    }

    fn gap(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Gap> {
        let costs: Vec<_> = by_resource_or_none(group.lines())
            .iter()
            .flat_map(|one| {
                let share = self.discountable(bill, prices, one);
                one.lines().map(|line| (line, line.sums.billed * share)).collect::<Vec<_>>()
            })
            .collect();
        let pool = Pool::of(bill, costs.iter().copied(), self.steady_ratio)?;
        let base = pool.base(self.discount);
        let can_tell = Decimal::from(pool.hours()) >= self.hours_min && bill.current_month(group.first())?.tells_ends();
        let discountable = costs.iter().map(|(_, cost)| cost).sum();
        (can_tell && is_visible(base.savings)).then_some(Gap { base, hours: pool.hours(), discountable })
    }

    /// The share of an instance's charges that a commitment discounts.
    fn discountable(&self, bill: &BillingInventory, prices: &ListPrices<'_>, one: &Group<'_>) -> Decimal {
        let kept = kept_share(bill, one.first());
        let instance = share_of_instance(prices, one.first()).unwrap_or_default();
        let moved = self.generations.savings(prices, one).unwrap_or_default();
        kept * instance * (Decimal::ONE - share_of(moved, one.billed()))
    }

    fn judge(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let family = family_of(line)?;
        let figures = self.cost(bill, group)?;
        let gap = self.gap(bill, prices, group);
        let confidence_max = if gap.is_some() { 50 } else { 0 };
        let figures = match &gap {
            Some(gap) => self.with_savings(bill, group, figures, gap)?,
            None => figures,
        }
        .with_confidence_max(confidence_max);
        let status = if figures.savings().is_some() { Status::Fail } else { Status::Info };
        let finding =
            finding(CHECK_ID, group, named_scope(line, ResourceType::InstanceFamily, family), status, &figures)
                .dimension("instance_family", family)
                .dimension("instances", group.resources_text())
                .dimension("instance_types", instance_types(group))
                .dimension("assumed_discount", figure(self.discount, 4));
        let finding = match &gap {
            Some(gap) => finding
                .dimension("base_hour", figure(gap.base.per_hour, 6))
                .dimension("bill_hours", gap.hours)
                .dimension("discountable_cost", figure(gap.discountable, 6)),
            None => finding,
        };
        Some(finding.text(
            format!("On-demand {family} compute without commitment"),
            message(group, family, &figures, gap.as_ref()),
            "Compare with the provider's commitment recommendations before buying: rightsize first, commit to the base only.",
        ))
    }

    fn cost(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Figures> {
        if bill.current_month(group.first())?.tells_ends() {
            at_run_rate(group, &RunRate::of(bill, group.lines()), 100)
        } else {
            monthly_of_many(bill, group, 100)
        }
    }

    fn with_savings(&self, bill: &BillingInventory, group: &Group<'_>, figures: Figures, gap: &Gap) -> Option<Figures> {
        let share = share_of_charge(bill, group.first());
        let monthly = share.map_or(Some(gap.base.savings), |share| share.monthly(gap.base.savings))?;
        let how = format!(
            "savings out of what was charged = the sum over {} hours of min(cost of the hour, {c}) − {c} × (1 − {}) × {} hours = {}",
            gap.hours,
            figure(self.discount, 4),
            gap.hours,
            figure(gap.base.savings, 6),
            c = figure(gap.base.per_hour, 6),
        );
        Some(figures.with_savings(Saved::part(bill, group, gap.base.savings), monthly, &how))
    }
}

impl BillingCheck for CommitmentGap {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let compute = bill.current().filter(|l| l.is_charge() && l.is_on_demand() && family_of(l).is_some());
        let groups = group_by(compute, |line| (&line.key.region, line.service(), family_of(line)));
        let prices = ListPrices::new(bill);
        groups.iter().filter_map(|group| self.judge(bill, &prices, group)).collect()
    }
}

fn message(group: &Group<'_>, family: &str, figures: &Figures, gap: Option<&Gap>) -> String {
    let instances = by_resource(group.lines()).len();
    match gap.filter(|_| figures.savings().is_some()) {
        Some(gap) => format!(
            "{family} on demand {} for {}; a steady base of {} an hour ran in the {} hours of the bill: a commitment to it {}",
            figures.cost_text(),
            counted(instances, "instance", "instances"),
            money(gap.base.per_hour, group.currency()),
            gap.hours,
            figures.savings_text(),
        ),
        None => format!(
            "{family} on demand {}, and no commitment covered it; the bill does not show {} running steadily",
            figures.cost_text(),
            match instances {
                0 | 1 => "it".to_owned(),
                count => format!("any of its {count} instances"),
            },
        ),
    }
}

/// The share of the price that is the instance's own, without licences; `None` when nothing tells it.
fn share_of_instance(prices: &ListPrices<'_>, line: &UsageLine) -> Option<Decimal> {
    let (Some(instance_type), Some(software)) = (instance_type(line), Software::of(line)) else {
        return Some(Decimal::ONE);
    };
    if software.is_none() {
        return Some(Decimal::ONE);
    }
    let paid = line.sums.quantity.and_then(|quantity| line.sums.billed.checked_div(quantity));
    let price = line.sums.unit_price.or(paid).filter(|price| *price > Decimal::ZERO)?;
    let licence = || software.licence_hour_usd(instance_type).filter(|_| &*line.key.currency == "USD");
    let own = prices.without_licence(line).or_else(|| Some(price - licence()?))?;
    own.checked_div(price).filter(|share| (Decimal::ZERO..=Decimal::ONE).contains(share))
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
    let types: std::collections::BTreeSet<_> = group.lines().filter_map(instance_type).collect();
    types.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    /// One row that is charged for so many hours.
    fn on_demand(instance: &str, hours: i64, cost: &str) -> Row {
        let row = row("$0.10 per On Demand Linux m5.large Instance Hour").resource(instance).hours(hours).cost(cost);
        row.quantity(&hours.to_string())
    }

    #[test]
    fn the_steady_base_makes_the_savings() {
        let cases = [
            // Hours of two instances, savings and cost a month.
            (720, 720, "50", "200"),
            // The other one ran in the first half of the month only.
            (720, 360, "25", "200"),
            // One ended six days ago, the other one half a month: nothing is left to commit to.
            (576, 360, "-", "200"),
            // It ran for a part of the last two days: 0.139 an hour in 719 hours, less 0.104 in 720.
            (719, 360, "24.9", "200"),
        ];
        for (one, other, savings, cost) in cases {
            let rows = [on_demand("i-1", one, "100"), on_demand("i-2", other, "100"), row("x").hours(720)];
            let findings = check_default(CHECKER_ID, rows);
            assert_eq!(findings.len(), 1);
            let (found_savings, found_cost) = amounts(&findings[0]);
            let rounded =
                found_savings.map(|text| text.parse::<Decimal>().unwrap().round_dp(2).normalize().to_string());
            assert_eq!((rounded, found_cost), money_of(savings, cost), "{one} {other}");
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
        for (findings, cost) in [(short_bill, "431.137725"), (not_steady, "100")] {
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
