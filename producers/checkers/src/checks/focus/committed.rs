//! Commitments to compute: what one is bought for, and what it costs less, as this bill shows it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use inventories::billing::closed_lists::ChargeCategory;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::group::{Group, payer};

/// Family of serverless containers.
const FARGATE: &str = "fargate";
/// Family of functions.
pub(super) const LAMBDA: &str = "lambda";
/// Machines of Google Cloud that share a core: no commitment covers them.
const SHARED_CORE: [&str; 2] = ["f1-micro", "g1-small"];

/// What a commitment is bought for in a region: a family of instance types (AWS), a series of virtual machines whatever their size (Azure),
/// a series of machines (Google Cloud).
pub(super) fn family_of(line: &UsageLine) -> Option<Cow<'_, str>> {
    match (&*line.key.cloud, &line.key.meter) {
        ("aws", Meter::InstanceHours(name)) => Some(name.split('.').next().unwrap_or(name).into()),
        ("aws", Meter::ContainerHours) => Some(FARGATE.into()),
        ("aws", Meter::FunctionTime) => Some(LAMBDA.into()),
        ("azure", Meter::InstanceHours(name)) => azure_series(name).map(Cow::Owned),
        ("gcp", Meter::MachineCores(series) | Meter::MachineMemory(series)) => Some((&**series).into()),
        ("gcp", Meter::InstanceHours(name)) if !SHARED_CORE.contains(&&**name) => {
            let series = name.split(['-', ' ']).next().filter(|series| !series.is_empty())?;
            Some(series.to_uppercase().into())
        }
        _ => None,
    }
}

/// `Dsv3` of `D4s v3`; of `D4 v3/D4s v3`, which have one price, the one with the faster disks. A reservation of a series covers its sizes.
fn azure_series(name: &str) -> Option<String> {
    let name = name.rsplit('/').next()?;
    let (size, version) = name.split_once(' ').unwrap_or((name, ""));
    let first_digit = size.find(|c: char| c.is_ascii_digit())?;
    let (letters, rest) = size.split_at(first_digit);
    let features = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    let is_series = !letters.is_empty() && letters.chars().all(|c| c.is_ascii_uppercase());
    is_series.then(|| format!("{letters}{features}{}", version.replace(' ', "")))
}

/// What commitments cost less than on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Discount {
    /// Share of what the on-demand usage costs now.
    pub(super) rate: Decimal,
    /// `bill` or `assumed`.
    pub(super) source: &'static str,
}

/// Public price of covered usage, and what the commitment costs for it.
#[derive(Debug, Clone, Copy, Default)]
struct Covered {
    list: Decimal,
    paid: Decimal,
}

/// Cloud, paying account and currency, and family.
type Kind<'a> = ((&'a str, &'a str, &'a str), Cow<'a, str>);

/// Discounts of families of which the bill shows no commitment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Assumed {
    /// Of machines and containers.
    pub(super) machines: Decimal,
    /// Of functions.
    pub(super) functions: Decimal,
}

/// Discounts by family, of the commitments that a bill shows.
pub(super) struct Discounts<'a> {
    assumed: Assumed,
    covered: BTreeMap<Kind<'a>, Covered>,
}

impl<'a> Discounts<'a> {
    /// `is_bare` tells usage whose price has no licence in it.
    pub(super) fn of(bill: &'a BillingInventory, assumed: Assumed, is_bare: impl Fn(&UsageLine) -> bool) -> Self {
        let mut covered: BTreeMap<Kind<'a>, Covered> = BTreeMap::new();
        let is_covered = |line: &&UsageLine| line.is_usage() && !line.key.commitment.is_empty() && !line.key.is_unused;
        for line in bill.current().filter(is_covered) {
            let (Some(family), Some(list)) = (family_of(line), list_of(line)) else { continue };
            if line.sums.is_effective_known && is_bare(line) {
                let of_kind = covered.entry((payer(line), family)).or_default();
                of_kind.list += list;
                of_kind.paid += line.sums.amortized;
            }
        }
        Self { assumed, covered }
    }

    /// Of a family on demand, against what it costs now. A commitment's price is a share of the public one: who pays less than that
    /// on demand saves less.
    pub(super) fn of_group(&self, bill: &BillingInventory, group: &Group<'_>) -> Discount {
        let line = group.first();
        let kind = family_of(line).and_then(|family| self.covered.get(&(payer(line), family)));
        let learned = kind
            .filter(|covered| covered.paid > Decimal::ZERO && covered.paid < covered.list)
            .and_then(|covered| covered.paid.checked_div(covered.list));
        match learned {
            Some(price) => Discount { rate: against_paid(bill, group, price), source: "bill" },
            // Its discounts for sustained use end where a commitment begins.
            None if &*line.key.cloud == "gcp" => {
                Discount { rate: against_paid(bill, group, Decimal::ONE - self.assumed.machines), source: "assumed" }
            }
            None if line.key.meter == Meter::FunctionTime => {
                Discount { rate: self.assumed.functions, source: "assumed" }
            }
            None => Discount { rate: self.assumed.machines, source: "assumed" },
        }
    }
}

/// What a commitment saves of what is paid, at a price that is a share of the public one. Where the bill does not tell the public price,
/// what is paid is taken for it.
fn against_paid(bill: &BillingInventory, group: &Group<'_>, price: Decimal) -> Decimal {
    let paid = group.billed() + sustained_use(bill, group);
    let list: Option<Decimal> = group.lines().map(list_of).sum();
    let list = list.filter(|list| *list > Decimal::ZERO).unwrap_or(paid);
    let price_of_paid = list.checked_mul(price).and_then(|cost| cost.checked_div(paid)).unwrap_or(Decimal::ONE);
    (Decimal::ONE - price_of_paid).max(Decimal::ZERO)
}

/// Discounts for sustained use of Google Cloud, which come as credits of the resource; 0 or less.
pub(super) fn sustained_use(bill: &BillingInventory, group: &Group<'_>) -> Decimal {
    let mut resources: BTreeMap<[&str; 7], &UsageLine> = BTreeMap::new();
    for line in group.lines().filter(|line| &*line.key.cloud == "gcp" && !line.key.resource.is_empty()) {
        resources.insert(line.key.of_resource(), line);
    }
    let credits = resources.into_values().flat_map(|line| bill.of_resource(line)).filter(|line| {
        line.key.category.is(ChargeCategory::Credit) && *line.key.currency == *group.currency() && !line.key.is_earlier
    });
    credits.map(|line| line.sums.billed.min(Decimal::ZERO)).sum()
}

fn list_of(line: &UsageLine) -> Option<Decimal> {
    let priced = || line.sums.quantity?.checked_mul(line.sums.unit_price?);
    line.sums.list.filter(|list| *list > Decimal::ZERO).or_else(priced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_azure_leave_out_the_size() {
        let cases = [
            ("D4s v3", Some("Dsv3")),
            ("D4 v3/D4s v3", Some("Dsv3")),
            ("D3 v2/DS3 v2", Some("DSv2")),
            ("E4-2s v5", Some("Esv5")),
            ("M128ms", Some("Mms")),
            ("NC24ads A100 v4", Some("NCadsA100v4")),
            ("v3", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(azure_series(name).as_deref(), expected, "{name}");
        }
    }
}
