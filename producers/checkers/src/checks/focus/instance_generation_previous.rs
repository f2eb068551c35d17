//! Instances of a previous generation.

use std::collections::BTreeSet;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::monthly_of_resource;
use super::group::{Group, by_resource};
use super::prices::ListPrices;
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::is_visible;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Rulepack, Threshold, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.compute.generation.previous";
const CHECK_ID: &str = "billing.compute.generation.previous";

/// A family of a previous generation.
struct Family {
    name: &'static str,
    successor: &'static str,
    /// Sizes that the successor has too, for the same work. Others have no counterpart to compare prices with.
    sizes: &'static [&'static str],
}

impl Family {
    /// The successor of the same size, where there is one.
    fn same_size(&self, size: &str) -> Option<String> {
        self.sizes.contains(&size).then(|| format!("{}.{size}", self.successor))
    }
}

const fn family(name: &'static str, successor: &'static str, sizes: &'static [&'static str]) -> Family {
    Family { name, successor, sizes }
}

/// Families AWS calls previous generation, or that have a direct successor.
const FAMILIES: [Family; 18] = [
    family("c1", "c5", &[]),
    family("c3", "c5", &["large", "xlarge", "2xlarge", "4xlarge"]),
    family("c4", "c5", &["large", "xlarge", "2xlarge", "4xlarge"]),
    family("cc2", "c5", &[]),
    family("cr1", "r5", &["8xlarge"]),
    family("d2", "d3", &["xlarge", "2xlarge", "4xlarge"]),
    family("g2", "g4dn", &[]),
    family("g3", "g4dn", &["4xlarge"]),
    family("i2", "i3", &["xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    family("m1", "m5", &["large", "xlarge"]),
    family("m2", "r5", &[]),
    family("m3", "m5", &["large", "xlarge", "2xlarge"]),
    family("m4", "m5", &["large", "xlarge", "2xlarge", "4xlarge", "16xlarge"]),
    family("p2", "g4dn", &[]),
    family("r3", "r5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    family("r4", "r5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge"]),
    family("t1", "t3", &["micro"]),
    family("t2", "t3", &["nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"]),
];

const DOCS: CheckerDocs = CheckerDocs {
    what: "EC2 instances on demand of a family that has a newer successor",
    why: "a newer generation mostly does the same work for less money, and old ones run out of spare capacity",
    money: "cost = on-demand charges of the instance. Savings = instance hours × (price paid − price of the same size \
            of the successor: its list price, less the discount that the old type has); known only where that size exists and this bill shows its price in the same region for the same operating \
            system, and only when it is lower",
    month: MonthRule::ByTime,
    verdict: "fail for each such instance",
    thresholds: &[Threshold {
        key: "families_ignored",
        default: DefaultValue::List(&[]),
        meaning: "instance families that stay",
    }],
    data: "rows of instance hours with instance type, resource, quantity and list price",
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

    /// Instance type, its family and its size.
    fn old<'a>(&self, line: &'a UsageLine) -> Option<(&'a str, &'static Family, &'a str)> {
        let Meter::InstanceHours(instance_type) = &line.key.meter else { return None };
        let (name, size) = instance_type.split_once('.')?;
        let family = FAMILIES.iter().find(|family| family.name == name)?;
        (!self.ignored.contains(name)).then_some((&**instance_type, family, size))
    }

    /// What of the charge the successor would save; `None` where that is unknown or nothing.
    pub(super) fn savings(&self, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Decimal> {
        let (_, family, size) = self.old(group.first())?;
        let successor = Meter::InstanceHours(family.same_size(size)?.as_str().into());
        let price = prices.beside(group.first(), &successor)?;
        saved_by(group, price).filter(|savings| is_visible(*savings))
    }

    fn judge(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let (instance_type, family, size) = self.old(line)?;
        let cost = group.billed();
        if !is_visible(cost) {
            return None;
        }
        let same_size = family.same_size(size);
        let savings = self.savings(prices, group);
        let scope = resource_scope(line, ResourceType::Instance, Some(("ec2", "instance")));
        let saved = match &same_size {
            Some(successor) => {
                let successor = Meter::InstanceHours(successor.as_str().into());
                Saved::by_change(bill, prices, group, &successor, savings)
            }
            None => Saved::UNKNOWN,
        };
        let successor = same_size.unwrap_or_else(|| format!("the {} family", family.successor));
        let figures = monthly_of_resource(bill, group, saved, if savings.is_some() { 75 } else { 0 })?;
        let saves = match figures.savings() {
            Some(_) => format!(", which {}", figures.savings_text()),
            None => String::new(),
        };
        let message = format!(
            "instance {} of type {instance_type} on demand {}; its successor is {successor}{saves}",
            scope.resource_id,
            figures.cost_text(),
        );
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .issue("instance_type", instance_type)
            .dimension("instance_type", instance_type)
            .dimension("successor", &successor)
            .text(
                "Instance of a previous generation",
                message,
                format!("Compare prices and move to {successor} after a test; newer drivers may be needed."),
            );
        finding.tags = group.tags();
        Some(finding)
    }
}

/// What the instance's hours cost less at the list price of its successor. A discount on the old type is taken to hold for the
/// new one: it is a contract about instances, not about one type.
fn saved_by(group: &Group<'_>, list_price: Decimal) -> Option<Decimal> {
    let list: Option<Decimal> = group.lines().map(|line| line.sums.list).sum();
    let paid = match list.filter(|list| *list > group.billed()) {
        Some(list) => group.billed().checked_div(list)?,
        None => Decimal::ONE,
    };
    group.billed().checked_sub(list_price.checked_mul(group.quantity()?)?.checked_mul(paid)?)
}

impl BillingCheck for InstanceGenerationPrevious {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let old = bill.current().filter(|l| l.is_charge() && l.is_on_demand() && self.old(l).is_some());
        let prices = ListPrices::new(bill);
        by_resource(old).iter().filter_map(|group| self.judge(bill, &prices, group)).collect()
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
