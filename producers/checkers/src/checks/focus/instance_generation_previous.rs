//! Instances of a previous generation.

use std::collections::BTreeSet;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::closed_lists::ChargeCategory;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::monthly_of_group;
use super::generations::{self, Succession};
use super::group::{Group, by_resource_or_place};
use super::prices::ListPrices;
use super::saved::{Saved, saved_by};
use super::subject::{finding, resource_or_all_scope};
use super::text::is_visible;
use super::words::ByCloud;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Rulepack, Threshold, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.compute.generation.previous";
const CHECK_ID: &str = "billing.compute.generation.previous";

const DOCS: CheckerDocs = CheckerDocs {
    what: "virtual machines on demand of a family that has a newer successor",
    why: "a newer generation mostly does the same work for less money, and old ones run out of spare capacity",
    money: "cost = on-demand charges of the instance. Savings = instance hours × (price paid − price of the same size \
            of the successor: its list price, less the discount that the old type has); known only where that size exists and this bill shows its price in the same region for the same operating \
            system, and only when it is lower. Google Cloud charges by core and GiB: savings = charges, less credits such as those for \
            sustained use − quantity × list price of the successor's cores and GiB",
    month: MonthRule::ByTime,
    verdict: "fail for each such instance",
    thresholds: &[Threshold {
        key: "families_ignored",
        default: DefaultValue::List(&[]),
        meaning: "instance families that stay",
    }],
    data: "rows of instance hours with instance type, resource, quantity and list price; of Google Cloud rows of cores and memory",
    limits: "instances under a commitment are left out: the commitment would not follow; whether the software runs on the \
             successor is not in a bill",
};

inventory::submit! {
    over_bill(
        "checks.focus.instance_generation_previous:InstanceGenerationPreviousChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Instance of a previous generation",
            category: "cost",
            sub_category: "compute",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(InstanceGenerationPrevious::of(&context.rulepack)?))),
    )
}

pub(super) struct InstanceGenerationPrevious {
    ignored: BTreeSet<String>,
}

impl InstanceGenerationPrevious {
    /// With the thresholds of the checker.
    pub(super) fn of(rulepack: &Rulepack) -> Result<Self, UndeclaredThreshold> {
        let thresholds = rulepack.of(CHECKER_ID, DOCS.thresholds);
        Ok(Self { ignored: thresholds.list("families_ignored")?.into_iter().collect() })
    }

    /// Instance type, and what succeeds it.
    fn old<'a>(&self, line: &'a UsageLine) -> Option<(&'a str, Succession)> {
        let Meter::InstanceHours(instance_type) = &line.key.meter else { return None };
        let succession = generations::of(&line.key.cloud, instance_type)?;
        (!self.ignored.contains(&succession.family)).then_some((&**instance_type, succession))
    }

    /// The family of a machine of Google Cloud whose cores and memory are charged, and what succeeds it.
    fn old_parts<'a>(&self, line: &'a UsageLine) -> Option<(&'a str, &'static str)> {
        let family = family_of_parts(line)?;
        Some((family, generations::google_family(family).filter(|_| !self.ignored.contains(family))?))
    }

    /// What of the charge the successor would save; `None` where that is unknown or nothing.
    pub(super) fn savings(
        &self,
        bill: &BillingInventory,
        prices: &ListPrices<'_>,
        group: &Group<'_>,
    ) -> Option<Decimal> {
        if let Some((_, successor)) = self.old_parts(group.first()) {
            return saved_on_parts(bill, prices, group, successor);
        }
        let (_, succession) = self.old(group.first())?;
        let (_, price) = counterpart(prices, group.first(), &succession)?;
        saved_by(group, price).filter(|savings| is_visible(*savings))
    }

    fn judge(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let (instance_type, succession) = self.old(line)?;
        let savings = self.savings(bill, prices, group);
        let saved = match counterpart(prices, line, &succession) {
            Some((successor, _)) => Saved::by_change(bill, prices, group, &successor, savings),
            None => Saved::UNKNOWN,
        };
        let same_work = succession.same_work.first().cloned();
        let successor = same_work.unwrap_or_else(|| format!("the {} family", succession.successor));
        finding_of(bill, group, instance_type, &successor, saved)
    }

    /// Machines of Google Cloud, whose cores and memory are charged.
    fn judge_parts(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
        let (family, successor) = self.old_parts(group.first())?;
        let saved = Saved { charged: self.savings(bill, prices, group), ..Saved::UNKNOWN };
        finding_of(bill, group, &format!("{family} machine"), &format!("the {successor} family"), saved)
    }
}

fn finding_of(
    bill: &BillingInventory,
    group: &Group<'_>,
    instance_type: &str,
    successor: &str,
    saved: Saved,
) -> Option<Finding> {
    if !is_visible(group.billed()) {
        return None;
    }
    let line = group.first();
    let scope = resource_or_all_scope(line, ResourceType::Instance, Some(("ec2", "instance")), "all-machines");
    let figures = monthly_of_group(bill, group, saved, if saved.charged.is_some() { 75 } else { 0 })?;
    let saves = match figures.savings() {
        Some(_) => format!(", which {}", figures.savings_text()),
        None => String::new(),
    };
    let noun = NOUNS.of(line);
    let message = format!(
        "{noun} {} of type {instance_type} on demand {}; its successor is {successor}{saves}",
        scope.resource_id,
        figures.cost_text(),
    );
    let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
        .issue("instance_type", instance_type)
        .dimension("instance_type", instance_type)
        .dimension("successor", successor)
        .text(
            match noun {
                "instance" => "Instance of a previous generation",
                _ => "Virtual machine of a previous generation",
            },
            message,
            format!("Compare prices and move to {successor} after a test; newer drivers may be needed."),
        );
    finding.tags = group.tags();
    Some(finding)
}

/// What each cloud calls an instance.
const NOUNS: ByCloud<&str> = ByCloud { aws: "instance", azure: "virtual machine", google: "virtual machine" };

/// The successor's meter for the same work, and its public price where the line is charged.
fn counterpart(prices: &ListPrices<'_>, line: &UsageLine, succession: &Succession) -> Option<(Meter, Decimal)> {
    succession.same_work.iter().find_map(|name| {
        let meter = Meter::InstanceHours(name.as_str().into());
        let price = prices.beside(line, &meter)?;
        Some((meter, price))
    })
}

fn family_of_parts(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::MachineCores(family) | Meter::MachineMemory(family) => Some(family),
        _ => None,
    }
}

/// What cores and memory cost less at the public prices of the successor; `None` where the bill does not show them, or nothing is saved.
/// Discounts for sustained use, which come as credits, are taken off: the successor has none.
fn saved_on_parts(
    bill: &BillingInventory,
    prices: &ListPrices<'_>,
    group: &Group<'_>,
    successor: &str,
) -> Option<Decimal> {
    let cost_after = group.lines().try_fold(Decimal::ZERO, |sum, line| {
        let meter = match line.key.meter {
            Meter::MachineCores(_) => Meter::MachineCores(successor.into()),
            _ => Meter::MachineMemory(successor.into()),
        };
        sum.checked_add(prices.beside(line, &meter)?.checked_mul(line.sums.quantity?)?)
    })?;
    let of_resource = bill.of_resource(group.first()).iter();
    let is_credit =
        |line: &&UsageLine| line.key.category.is(ChargeCategory::Credit) && *line.key.currency == *group.currency();
    let credits: Decimal = of_resource.filter(is_credit).map(|line| line.sums.billed.min(Decimal::ZERO)).sum();
    Some(group.billed() + credits - cost_after).filter(|saved| is_visible(*saved))
}

impl BillingCheck for InstanceGenerationPrevious {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let on_demand = || bill.current().filter(|l| l.is_charge() && l.is_on_demand());
        let old = on_demand().filter(|l| self.old(l).is_some());
        let parts = on_demand().filter(|l| family_of_parts(l).and_then(generations::google_family).is_some());
        let prices = ListPrices::new(bill);
        let by_type = by_resource_or_place(old);
        let by_part = by_resource_or_place(parts);
        let of_type = by_type.iter().filter_map(|group| self.judge(bill, &prices, group));
        of_type.chain(by_part.iter().filter_map(|group| self.judge_parts(bill, &prices, group))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn instance(instance_type: &str, system: &str) -> Row {
        row(&format!("$1 per On Demand {system} {instance_type} Instance Hour"))
            .resource("i-1")
            .cost("2")
            .quantity("2")
            .hours(720)
    }

    #[test]
    fn old_families_are_distinguished_from_new_ones() {
        let cases =
            [("m4.large", true), ("t2.micro", true), ("g3.4xlarge", true), ("m5.large", false), ("c7g.xlarge", false)];
        for (instance_type, is_old) in cases {
            let findings = check_default(CHECKER_ID, [instance(instance_type, "Linux")]);
            assert_eq!(findings.len(), usize::from(is_old), "{instance_type}");
        }
    }

    #[test]
    fn savings_need_the_successors_price_in_this_bill() {
        let successor = |system, price: &str| instance("m5.large", system).resource("i-2").unit_price(price);
        let cases = [
            (successor("Linux", "0.75"), money_of("0.5", "2")),
            (successor("Windows", "0.75"), money_of("-", "2")),
            (successor("Linux", "0.75").region("eu-west-1"), money_of("-", "2")),
            (successor("Linux", "0.75").region(""), money_of("-", "2")),
            (successor("Linux", "1.5"), money_of("-", "2")),
        ];
        for (other, expected) in cases {
            let findings = check_default(CHECKER_ID, [instance("m4.large", "Linux"), other]);
            assert_eq!(findings.iter().map(amounts).collect::<Vec<_>>(), [expected]);
        }
    }

    #[test]
    fn prices_of_unknown_regions_are_not_compared() {
        let successor = instance("m5.large", "Linux").resource("i-2").unit_price("0.75").region("");
        let findings = check_default(CHECKER_ID, [instance("m4.large", "Linux").region(""), successor]);
        assert_eq!(amounts(&findings[0]), money_of("-", "2"));
        assert_eq!((&*findings[0].scope.region, &*findings[0].scope.resource_arn), ("unknown", ""));
    }

    #[test]
    fn an_instance_of_office_hours_costs_what_it_cost() {
        // Ten hours on 22 days of the month: pauses are free, and stay free.
        let day = |day: i64| instance("m4.large", "Linux").cost("1").at_hour(24 * day + 8).hours(10);
        let findings = check_default(CHECKER_ID, (0..30).filter(|day| day % 7 < 5).map(day));
        let finding = &findings[0];
        let share = ["charged_hours", "share_hours", "month_hours"].map(|name| &*finding.dimensions[name]);
        assert_eq!(share, ["220", "706", "720"]);
        assert_eq!(amounts(finding), money_of("-", "22.436261"));
    }

    #[test]
    fn only_sizes_that_exist_are_named() {
        for (instance_type, successor) in [("m4.4xlarge", "m5.4xlarge"), ("m4.10xlarge", "the m5 family")] {
            let findings = check_default(CHECKER_ID, [instance(instance_type, "Linux")]);
            assert_eq!(findings[0].dimensions["successor"], successor);
        }
    }

    #[test]
    fn covered_instances_stay_unsaid() {
        assert_eq!(check_default(CHECKER_ID, [instance("m4.large", "Linux").committed("plan", "Used")]), []);
    }
}
