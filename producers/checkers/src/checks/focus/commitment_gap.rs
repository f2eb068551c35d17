//! On-demand compute that runs steadily enough for a commitment.

use std::borrow::Cow;
use std::collections::BTreeMap;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::{Meter, PriceOf};
use rust_decimal::Decimal;

use super::committed::{Assumed, Discount, Discounts, family_of, sustained_use};
use super::figures::{Figures, at_run_rate, monthly_of_many};
use super::group::{Group, by_resource, group_by, payer};
use super::instance_generation_previous::InstanceGenerationPrevious;
use super::kept::kept_share;
use super::off_hours::OffHours;
use super::pool::{Base, Pool, runs_now};
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
/// Hours of a bill below which nothing is said of what ran in them.
const HOURS_SAID_MIN: usize = 24;

const DOCS: CheckerDocs = CheckerDocs {
    what: "compute charged at on-demand rates that a Savings Plan, reservation or committed use discount would cover, by account, region and \
           family: instance types, containers and functions of AWS, virtual machines of Azure whatever their size, cores and memory of Google Cloud",
    why: "compute that runs all month costs a quarter to a third less under a one-year commitment",
    money: "cost = on-demand charges of the family; savings = those of the commitment of c an hour that saves most: the sum over \
            all hours of min(on-demand cost of the hour, c) − c × (1 − discount) × hours. The hours are those that the bill of the \
            paying account covers with usage; instances may come and go, the pool is judged. c is at most what ran in the last 48 hours, of the next month where the \
            bill shows its first day. The discount is what commitments to the same family cost less than the public price in this bill, else \
            `discount`; it is taken off the public price where this bill shows it or sustained use is discounted (Google Cloud, where that ends with a \
            commitment), else off what is paid. \
            Not discounted: licences (a Windows, SQL Server or paid Linux instance counts with the price of the instance alone, as \
            this bill shows it or as list price less licence; else not at all), and what moving to the successor of a previous \
            generation saves, which is another finding. Unknown when nothing is steady or the bill covers fewer than hours_min \
            hours; nothing is said where it covers less than a day or leaves out rows",
    month: MonthRule::ByBill,
    verdict: "fail when a commitment to steady on-demand compute saves; info when there is on-demand compute and nothing shows it is \
              steady",
    thresholds: &[
        Threshold {
            key: "discount",
            default: DefaultValue::Number("0.25"),
            meaning: "assumed discount of a one-year commitment without upfront payment, where the bill shows none",
        },
        Threshold {
            key: "discount_functions",
            default: DefaultValue::Number("0.12"),
            meaning: "the same of the run time of functions",
        },
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "hours a bill must cover before it can show that anything is steady",
        },
    ],
    data: "rows of instance and container hours with price category, resource, quantity and charge period",
    limits: "rows by the day of containers, and of compute without a resource, do not show in which hours it runs; an instance that \
             runs for a part of the day in such rows is taken to do so at the same hours as all others; an assumed discount is not an offer. \
             Rows by the day of cores and memory do not tell how many they are, and functions seldom run steadily: nothing is said of them without \
             savings",
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

pub(super) struct CommitmentGap {
    pub(super) assumed: Assumed,
    hours_min: Decimal,
    generations: InstanceGenerationPrevious,
    off_hours: OffHours,
}

/// What a commitment to a family's steady base would save.
struct Gap {
    base: Base,
    discount: Discount,
    /// Hours that the bill covers.
    hours: usize,
    /// On-demand charges less licences and what a successor saves.
    discountable: Decimal,
}

impl CommitmentGap {
    /// With the thresholds of the checker.
    pub(super) fn of(rulepack: &Rulepack) -> Result<Self, UndeclaredThreshold> {
        let thresholds = rulepack.of(CHECKER_ID, DOCS.thresholds);
        Ok(Self {
            assumed: Assumed {
                machines: thresholds.number("discount")?,
                functions: thresholds.number("discount_functions")?,
            },
            hours_min: thresholds.number("hours_min")?,
            generations: InstanceGenerationPrevious::of(rulepack)?,
            off_hours: OffHours::of(rulepack)?,
        })
    }

    /// The on-demand compute of each paying account that commitments by family leave, in the hours of the bill; none where too few hours
    /// are shown.
    pub(super) fn rests<'a>(&self, bill: &'a BillingInventory) -> Vec<(Group<'a>, Pool)> {
        let prices = ListPrices::new(bill);
        let discounts = self.discounts(bill, &prices);
        let mut by_payer: BTreeMap<_, Vec<(Group<'a>, Pool)>> = BTreeMap::new();
        for (group, now) in self.kinds(bill, &prices) {
            // What a plan takes off depends on the series on Google Cloud, and is less for functions.
            let key = &group.first().key;
            if &*key.cloud == "gcp" || key.meter == Meter::FunctionTime {
                continue;
            }
            let Some((pool, _)) = self.pool(bill, &prices, &group) else { continue };
            if Decimal::from(pool.hours()) >= self.hours_min {
                let discount = discounts.of_group(bill, &group);
                let rest = pool.above(pool.base(discount.rate, now).per_hour, now);
                by_payer.entry(payer(group.first())).or_default().push((group, rest));
            }
        }
        let together = |all: Vec<(Group<'a>, Pool)>| {
            let (groups, pools): (Vec<_>, Vec<_>) = all.into_iter().unzip();
            Some((Group::together(groups)?, pools.into_iter().reduce(|one, other| one.with(&other))?))
        };
        by_payer.into_values().filter_map(together).collect()
    }

    fn discounts<'a>(&self, bill: &'a BillingInventory, prices: &ListPrices<'_>) -> Discounts<'a> {
        Discounts::of(bill, self.assumed, |line| share_of_instance(prices, line) == Some(Decimal::ONE))
    }

    /// On-demand compute by region, service and family, with what of it runs now where that is known.
    fn kinds<'a>(&self, bill: &'a BillingInventory, prices: &ListPrices<'_>) -> Vec<(Group<'a>, Option<Decimal>)> {
        let is_compute = |line: &&UsageLine| line.is_charge() && line.is_on_demand() && family_of(line).is_some();
        let begun: Vec<_> = bill.begun().filter(is_compute).collect();
        let groups =
            group_by(bill.current().filter(is_compute), |line| (&line.key.region, line.service(), family_of(line)));
        let own = |line: &UsageLine| line.sums.billed * share_of_instance(prices, line).unwrap_or_default();
        let with_now = |group: Group<'a>| {
            let first = group.first();
            let of_kind = begun.iter().copied().filter(|begun| kind_of(begun) == kind_of(first));
            let now = runs_now(bill, &group, of_kind, own);
            (group, now)
        };
        groups.into_iter().map(with_now).collect()
    }

    /// What of a group a commitment discounts, by the hour and in all; `None` where the bill leaves out rows.
    fn pool(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<(Pool, Decimal)> {
        bill.current_month(group.first()).filter(|month| month.tells_ends())?;
        // What has no resource is one by its SKU: sizes and licences differ.
        let ones = group_by(group.lines(), |line| {
            let resource = &line.key.resource;
            (resource, resource.is_empty().then_some(&line.key.sku))
        });
        let costs: Vec<_> = ones
            .iter()
            .flat_map(|one| {
                let share = self.discountable(bill, prices, one);
                one.lines().map(|line| (line, line.sums.billed * share)).collect::<Vec<_>>()
            })
            .collect();
        Some((Pool::of(bill, costs.iter().copied())?, costs.iter().map(|(_, cost)| cost).sum()))
    }

    /// What a commitment would save, or why nothing tells it; `None` where the bill leaves out rows, or shows less than a day: it cannot show
    /// what runs steadily, and what its hours would come to in a month is no figure.
    fn gap(
        &self,
        bill: &BillingInventory,
        (prices, discounts): (&ListPrices<'_>, &Discounts<'_>),
        group: &Group<'_>,
        now: Option<Decimal>,
    ) -> Option<Result<Gap, String>> {
        let (pool, discountable) = self.pool(bill, prices, group)?;
        // Rows by the day of cores and memory do not tell how many there are, nor when they run.
        if pool.hours() < HOURS_SAID_MIN || (pool.is_empty() && &*group.first().key.cloud == "gcp") {
            return None;
        }
        let is_short = Decimal::from(pool.hours()) < self.hours_min;
        let discount = discounts.of_group(bill, group);
        let base = if is_short { Base::default() } else { pool.base(discount.rate, now) };
        // Functions seldom run steadily: that they do not is not worth a line.
        if group.first().key.meter == Meter::FunctionTime && !is_visible(base.savings) {
            return None;
        }
        if is_short {
            let covered = counted(pool.hours(), "hour", "hours");
            return Some(Err(format!("the bill covers {covered}, too few to show what runs steadily")));
        }
        if is_visible(base.savings) {
            return Some(Ok(Gap { base, discount, hours: pool.hours(), discountable }));
        }
        let instances = by_resource(group.lines());
        let is_cheaper_now = discount.rate.is_zero();
        let has_unknown_price = group.lines().any(|line| share_of_instance(prices, line).is_none());
        let is_test = instances.iter().any(|one| self.off_hours.savings(bill, prices, one).is_some());
        Some(Err(match instances.len() {
            _ if has_unknown_price => {
                "nothing tells how much of its price is the instance and how much a licence, which no commitment discounts".to_owned()
            }
            _ if is_cheaper_now => "what is paid now is no more than a commitment would cost".to_owned(),
            _ if is_test => "what of it runs steadily is of a test environment, which can be stopped at night instead".to_owned(),
            0 | 1 => "the bill does not show it running steadily".to_owned(),
            count => format!("the bill does not show any of its {count} instances running steadily"),
        }))
    }

    /// The share of an instance's charges that a commitment discounts.
    fn discountable(&self, bill: &BillingInventory, prices: &ListPrices<'_>, one: &Group<'_>) -> Decimal {
        // What should not run all the time is no base of a commitment.
        if self.off_hours.savings(bill, prices, one).is_some() {
            return Decimal::ZERO;
        }
        let kept = kept_share(bill, one.first());
        let instance = share_of_instance(prices, one.first()).unwrap_or_default();
        let moved = share_of(self.generations.savings(bill, prices, one).unwrap_or_default(), one.billed());
        let sustained = share_of(sustained_use(bill, one).abs(), one.billed());
        // What a successor saves is of the instance, never of its licences, and after discounts for sustained use.
        kept * (instance - sustained - moved).max(Decimal::ZERO)
    }

    fn judge(
        &self,
        bill: &BillingInventory,
        (prices, discounts): (&ListPrices<'_>, &Discounts<'_>),
        group: &Group<'_>,
        now: Option<Decimal>,
    ) -> Option<Finding> {
        let line = group.first();
        let family = &*family_of(line)?;
        if now.is_some_and(|now| now.is_zero()) && share_of_instance(prices, line).is_some() {
            return None;
        }
        let figures = match line.key.meter.price_of() {
            PriceOf::Use => at_run_rate(group, &RunRate::of(bill, group.lines()), 100)?,
            _ => monthly_of_many(bill, group, 100)?,
        };
        let (gap, why_none) = match self.gap(bill, (prices, discounts), group, now)? {
            Ok(gap) => (Some(gap), String::new()),
            Err(why) => (None, why),
        };
        let confidence_max = if gap.is_some() { 50 } else { 0 };
        let figures = match &gap {
            Some(gap) => with_savings(bill, group, figures, gap)?,
            None => figures,
        }
        .with_confidence_max(confidence_max);
        let status = if figures.savings().is_some() { Status::Fail } else { Status::Info };
        let finding =
            finding(CHECK_ID, group, named_scope(line, ResourceType::InstanceFamily, family), status, &figures)
                .dimension("instance_family", family)
                .dimension("instances", group.resources_text())
                .dimension("instance_types", instance_types(group));
        let finding = match &gap {
            Some(gap) => finding
                .dimension("discount", figure(gap.discount.rate, 4))
                .dimension("discount_source", gap.discount.source)
                .dimension("base_hour", figure(gap.base.per_hour, 6))
                .dimension("bill_hours", gap.hours)
                .dimension("discountable_cost", figure(gap.discountable, 6)),
            None => finding,
        };
        Some(finding.text(
            format!("On-demand {family} compute without commitment"),
            message(group, family, &figures, gap.as_ref().ok_or(why_none)),
            "Compare with the provider's commitment recommendations before buying: rightsize first, commit to the base only.",
        ))
    }
}

fn with_savings(bill: &BillingInventory, group: &Group<'_>, figures: Figures, gap: &Gap) -> Option<Figures> {
    let share = share_of_charge(bill, group.first());
    let monthly = share.map_or(Some(gap.base.savings), |share| share.monthly(gap.base.savings))?;
    let how = gap.base.formula("cost", gap.hours, gap.discount.rate);
    Some(figures.with_savings(Saved::part(bill, group, gap.base.savings), monthly, &how))
}

impl BillingCheck for CommitmentGap {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let prices = ListPrices::new(bill);
        let discounts = self.discounts(bill, &prices);
        let kinds = self.kinds(bill, &prices);
        kinds.into_iter().filter_map(|(group, now)| self.judge(bill, (&prices, &discounts), &group, now)).collect()
    }
}

/// Region, service and family, in an account and currency of a paying account.
fn kind_of(line: &UsageLine) -> ([&str; 6], Cow<'_, str>) {
    let key = &line.key;
    let place = [&key.cloud, &key.billing_account, &key.account, &key.currency, &key.region, line.service()];
    (place, family_of(line).unwrap_or_default())
}

fn message(group: &Group<'_>, family: &str, figures: &Figures, gap: Result<&Gap, String>) -> String {
    let instances = by_resource(group.lines()).len();
    match gap {
        Ok(gap) => format!(
            "{family} on demand {} for {}; a steady base of {} an hour ran in the {} hours of the bill: a commitment to it {}",
            figures.cost_text(),
            counted(instances, "instance", "instances"),
            money(gap.base.per_hour, group.currency()),
            gap.hours,
            figures.savings_text(),
        ),
        Err(why) => format!("{family} on demand {}, and no commitment covered it; {why}", figures.cost_text()),
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
        let twice = [on_demand("i-1", 100, "50"), on_demand("i-1", 1, "50").at_hour(719)];
        let not_steady =
            check_default(CHECKER_ID, twice.into_iter().chain((0..720).map(|hour| row("x").at_hour(hour))));
        let said =
            [("covers 167 hours, too few", short_bill, "431.137725"), ("does not show it running", not_steady, "100")];
        for (why, findings, cost) in said {
            assert_eq!((findings[0].status, amounts(&findings[0])), (Status::Info, money_of("-", cost)));
            assert!(findings[0].message.contains(why), "{}", findings[0].message);
        }
    }

    #[test]
    fn what_has_ended_is_not_said() {
        let ended = [on_demand("i-1", 576, "100"), on_demand("i-2", 360, "100"), row("x").hours(720)];
        assert_eq!(check_default(CHECKER_ID, ended), []);
    }

    /// Until a month is a week old findings speak of the one before, and not of what has ended since.
    #[test]
    fn what_runs_now_is_all_that_is_committed_to() {
        let august = |instance| on_demand(instance, 744, "74.4").in_august();
        let now = |rows: Vec<Row>| {
            let month = [august("i-1"), august("i-2"), row("x").hours(744).in_august(), row("x").hours(72)];
            let findings = check_default(CHECKER_ID, month.into_iter().chain(rows));
            findings.first().map(amounts)
        };
        let hours = |instance| (0..72).map(move |hour| on_demand(instance, 1, "0.1").at_hour(hour));
        assert_eq!(now(hours("i-1").chain(hours("i-2")).collect()), Some(money_of("37.2", "148.8")));
        assert_eq!(now(hours("i-1").collect()), Some(money_of("18.6", "148.8")));
        assert_eq!(now(hours("i-1").map(|row| row.committed("plan", "Used")).collect()), None);
        assert_eq!(now(vec![]), None);
    }

    #[test]
    fn covered_compute_is_left_out() {
        assert_eq!(check_default(CHECKER_ID, [on_demand("i-1", 720, "100").committed("plan", "Used")]), []);
    }

    #[test]
    fn families_regions_and_accounts_are_issues_of_their_own() {
        let other = row("$1 per On Demand Linux c5.large Instance Hour");
        let fargate = row("AWS Fargate - vCPU  - US West 2 (Oregon)").service("AmazonECS");
        let rows = [on_demand("i-1", 24, "1"), on_demand("i-2", 24, "1").region("eu-west-1"), other, fargate];
        let findings = check_default(CHECKER_ID, rows);
        let mut seen: Vec<_> = findings.iter().map(|f| (&*f.scope.resource_id, &*f.scope.region)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [("c5", "us-east-1"), ("fargate", "us-east-1"), ("m5", "eu-west-1"), ("m5", "us-east-1")]);
    }
}
