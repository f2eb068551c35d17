//! Lines of the bill put together for one finding: by resource, or by account and region or service. Groups never mix
//! clouds, paying accounts or currencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventories::billing::hours::HourSet;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;
use inventories::billing::tags::Tags;
use rust_decimal::Decimal;

use super::text::short_id;

/// Lines that make up one finding, at least one.
#[derive(Debug, Clone)]
pub(super) struct Group<'a> {
    first: &'a UsageLine,
    lines: Vec<&'a UsageLine>,
}

/// Puts lines with equal keys together.
pub(super) fn group_by<'a, K: Ord>(
    lines: impl Iterator<Item = &'a UsageLine>,
    key: impl Fn(&'a UsageLine) -> K,
) -> Vec<Group<'a>> {
    put_together(lines, |line| (payer(line), &line.key.account, key(line)))
}

/// By paying account, all its accounts together.
pub(super) fn by_payer<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    put_together(lines, payer)
}

/// What a bill is of: cloud, paying account and currency.
pub(super) fn payer(line: &UsageLine) -> (&str, &str, &str) {
    (&line.key.cloud, &line.key.billing_account, &line.key.currency)
}

fn put_together<'a, K: Ord>(
    lines: impl Iterator<Item = &'a UsageLine>,
    key: impl Fn(&'a UsageLine) -> K,
) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<K, Group<'a>> = BTreeMap::new();
    for line in lines {
        groups.entry(key(line)).or_insert_with(|| Group { first: line, lines: Vec::new() }).lines.push(line);
    }
    groups.into_values().collect()
}

/// By resource. Lines without a resource are left out.
pub(super) fn by_resource<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    by_resource_or_none(lines.filter(|line| !line.key.resource.is_empty()))
}

/// By resource. Lines without a resource are one group for each region and service.
pub(super) fn by_resource_or_none<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    group_by(lines, |line| (&line.key.region, &line.key.service, &line.key.resource))
}

/// By resource. Where a bill of Google Cloud names no resource, which many of its SKUs do not, all of the account and region are one
/// group; such lines of other clouds are left out.
pub(super) fn by_resource_or_place<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    by_resource_or_none(lines.filter(|line| !line.key.resource.is_empty() || &*line.key.cloud == "gcp"))
}

/// By account and region.
pub(super) fn by_region<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    group_by(lines, |line| &line.key.region)
}

/// By account and service.
pub(super) fn by_service<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    group_by(lines, |line| line.service())
}

/// By account, region and service.
pub(super) fn by_region_and_service<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Vec<Group<'a>> {
    group_by(lines, |line| (&line.key.region, line.service()))
}

impl<'a> Group<'a> {
    /// Groups of one paying account and currency as one; `None` of none.
    pub(super) fn together(groups: Vec<Self>) -> Option<Self> {
        groups.into_iter().reduce(|mut all, group| {
            all.lines.extend(group.lines);
            all
        })
    }

    /// A line that stands for the group in everything all its lines share.
    pub(super) fn first(&self) -> &'a UsageLine {
        self.first
    }

    /// All lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &'a UsageLine> + Clone + '_ {
        self.lines.iter().copied()
    }

    /// Billing month of the group.
    pub(super) fn period(&self) -> &'a Arc<str> {
        &self.first.key.period
    }

    /// Currency of the group.
    pub(super) fn currency(&self) -> &'a str {
        &self.first.key.currency
    }

    /// Cost as invoiced.
    pub(super) fn billed(&self) -> Decimal {
        self.lines.iter().map(|line| line.sums.billed).sum()
    }

    /// Quantity, unless a line does not tell.
    pub(super) fn quantity(&self) -> Option<Decimal> {
        self.lines.iter().map(|line| line.sums.quantity).sum()
    }

    /// Price paid per unit: cost by quantity.
    pub(super) fn unit_cost(&self) -> Option<Decimal> {
        let quantity = self.quantity().filter(|quantity| *quantity > Decimal::ZERO)?;
        self.billed().checked_div(quantity).filter(|price| *price > Decimal::ZERO)
    }

    /// Rows of the bill.
    pub(super) fn rows(&self) -> u64 {
        self.lines.iter().map(|line| line.sums.rows).sum()
    }

    /// Hours charged for.
    pub(super) fn hours(&self) -> u32 {
        let mut hours = HourSet::default();
        self.lines.iter().for_each(|line| hours.merge(&line.sums.hours));
        hours.count()
    }

    /// The share of the billing month that was charged for; `None` when no row tells its end.
    pub(super) fn months(&self) -> Option<Decimal> {
        let hours = self.hours();
        (hours > 0).then(|| Decimal::from(hours) / Decimal::from(hours_of_month(self.period()).max(1)))
    }

    /// Tags: of the line with most of them, since a resource is tagged during the month. None where they are unknown.
    pub(super) fn tags(&self) -> Tags {
        let known = self.lines.iter().filter_map(|line| line.key.tags.known());
        known.max_by_key(|tags| tags.len()).cloned().unwrap_or_default()
    }

    /// Distinct resources; `None` when the bill names none, which does not mean that there is none.
    pub(super) fn resources(&self) -> Option<usize> {
        let named = self.lines.iter().filter(|line| !line.key.resource.is_empty());
        let count = named.map(|line| &line.key.resource).collect::<std::collections::BTreeSet<_>>().len();
        (count > 0).then_some(count)
    }

    /// Distinct resources, for dimensions.
    pub(super) fn resources_text(&self) -> String {
        self.resources().map_or_else(|| "unknown".to_owned(), |count| count.to_string())
    }

    /// The resources that cost most, most first, as text.
    pub(super) fn top_resources(&self, count: usize) -> String {
        let mut costs: BTreeMap<&str, Decimal> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| !line.key.resource.is_empty()) {
            *costs.entry(&line.key.resource).or_default() += line.sums.billed;
        }
        let mut costs: Vec<_> = costs.into_iter().collect();
        costs.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        costs.iter().take(count).map(|(resource, _)| short_id(resource)).collect::<Vec<_>>().join(", ")
    }
}

/// How many hours of each month the bill of each paying account covers: what `steady` and `growth` are measured against.
pub(super) struct HoursOfBill<'a>(BTreeMap<(&'a str, &'a str, &'a str), HourSet>);

impl<'a> HoursOfBill<'a> {
    /// Counts them, once for all findings.
    pub(super) fn new(bill: &'a BillingInventory) -> Self {
        let mut hours: BTreeMap<_, HourSet> = BTreeMap::new();
        for line in bill.lines() {
            hours.entry(Self::key(line)).or_default().merge(&line.sums.hours);
        }
        Self(hours)
    }

    /// Of the line's paying account and month.
    pub(super) fn of(&self, line: &UsageLine) -> u32 {
        self.0.get(&Self::key(line)).map_or(0, HourSet::count)
    }

    fn key(line: &UsageLine) -> (&str, &str, &str) {
        (&line.key.cloud, &line.key.billing_account, &line.key.period)
    }
}
