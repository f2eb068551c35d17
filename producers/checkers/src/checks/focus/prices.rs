//! Prices that the bill itself shows: what else is charged in the same region and currency, and at what price.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;

use super::software::Software;

/// Public price of one unit by meter, place, currency and what software it pays for.
pub(super) struct ListPrices<'a> {
    bill: &'a BillingInventory,
    list: BTreeMap<Key<'a>, Decimal>,
    /// By paying account and account, a line on demand: its account may pay less than the public price.
    on_demand: BTreeMap<(&'a str, &'a str, Key<'a>), &'a UsageLine>,
}

type Key<'a> = (&'a Meter, &'a str, &'a str, Option<Software>);

impl<'a> ListPrices<'a> {
    /// Those of the current month, read once for all findings.
    pub(super) fn new(bill: &'a BillingInventory) -> Self {
        let (mut list, mut on_demand) = (BTreeMap::new(), BTreeMap::new());
        // Rows of unknown regions may be of two.
        for line in bill.current().filter(|line| !line.key.region.is_empty()) {
            let software = Software::of(line);
            // An instance price without its operating system is no price to compare with.
            let is_reported = software.is_some() || !matches!(line.key.meter, Meter::InstanceHours(_));
            if !is_reported {
                continue;
            }
            let key = key(&line.key.meter, line);
            if let Some(price) = line.sums.unit_price.filter(|price| *price > Decimal::ZERO) {
                list.entry(key).or_insert(price);
            }
            if line.is_on_demand() {
                on_demand.entry((&*line.key.billing_account, &*line.key.account, key)).or_insert(line);
            }
        }
        Self { bill, list, on_demand }
    }

    /// The price of `meter` where and how `line` is charged; `None` where either place is unknown.
    pub(super) fn beside(&self, line: &UsageLine, meter: &Meter) -> Option<Decimal> {
        self.list.get(&key(meter, line)).copied()
    }

    /// The price of the line's instance type without any licence, in the same place.
    pub(super) fn without_licence(&self, line: &UsageLine) -> Option<Decimal> {
        let (meter, region, currency, _) = key(&line.key.meter, line);
        self.list.get(&(meter, region, currency, Some(Software::NONE))).copied()
    }

    /// What the line's account pays for `meter` on demand where and how `line` is charged; `None` where it pays for none.
    pub(super) fn effective_beside(&self, line: &UsageLine, meter: &Meter) -> Option<Decimal> {
        let key = key(meter, line);
        let other = self.on_demand.get(&(&*line.key.billing_account, &*line.key.account, key))?;
        self.bill.unit_prices().of_line(other).effective
    }
}

fn key<'a>(meter: &'a Meter, line: &'a UsageLine) -> Key<'a> {
    let software = matches!(meter, Meter::InstanceHours(_)).then(|| Software::of(line)).flatten();
    (meter, &line.key.region, &line.key.currency, software)
}
