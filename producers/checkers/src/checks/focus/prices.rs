//! List prices that the bill itself shows: what else is charged in the same region and currency, and at what price.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;

/// Public price of one unit by meter, place, currency and operating system.
pub(super) struct ListPrices<'a>(BTreeMap<Key<'a>, Decimal>);

type Key<'a> = (&'a Meter, &'a str, &'a str, Option<&'a str>);

impl<'a> ListPrices<'a> {
    /// Those of the current month, read once for all findings.
    pub(super) fn new(bill: &'a BillingInventory) -> Self {
        let mut prices = BTreeMap::new();
        // Rows of unknown regions may be of two.
        for line in bill.current().filter(|line| !line.key.region.is_empty()) {
            let system = operating_system(line);
            // An instance price without its operating system is no price to compare with.
            let is_reported = system.is_some() || !matches!(line.key.meter, Meter::InstanceHours(_));
            if let Some(price) = line.sums.unit_price.filter(|price| is_reported && *price > Decimal::ZERO) {
                prices.entry(key(&line.key.meter, line, system)).or_insert(price);
            }
        }
        Self(prices)
    }

    /// The price of `meter` where and how `line` is charged; `None` where either place is unknown.
    pub(super) fn beside(&self, line: &UsageLine, meter: &Meter) -> Option<Decimal> {
        self.0.get(&key(meter, line, operating_system(line))).copied()
    }
}

fn key<'a>(meter: &'a Meter, line: &'a UsageLine, system: Option<&'a str>) -> Key<'a> {
    (meter, &line.key.region, &line.key.currency, system)
}

/// `Linux` of `$2.00 per On Demand Linux m4.10xlarge Instance Hour`.
fn operating_system(line: &UsageLine) -> Option<&str> {
    let words = line.sums.description.split("On Demand ").nth(1)?.split(" Instance Hour").next()?;
    words.rsplit_once(' ').map(|(system, _)| system)
}
