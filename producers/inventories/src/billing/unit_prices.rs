//! Unit prices that a bill shows: what an account pays for a unit of something in a region, and what the public price of it is.
//! Both are averages over the current month: cost divided by quantity.

use std::collections::HashMap;
use std::sync::Arc;

use rust_decimal::Decimal;

use super::closed_lists::Pricing;
use super::line::UsageLine;
use super::meter::Meter;

/// How usage is covered by commitments: the same thing has another price under one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Coverage {
    OnDemand,
    Committed,
    Spot,
    Unknown,
}

/// What has one price: a SKU as one account uses it in one region, under a commitment or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PriceKey {
    cloud: Arc<str>,
    billing_account: Arc<str>,
    account: Arc<str>,
    region: Arc<str>,
    service: Arc<str>,
    meter: Meter,
    sku: Arc<str>,
    product: Arc<str>,
    coverage: Coverage,
    currency: Arc<str>,
}

/// A quantity and its cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Charged {
    quantity: Decimal,
    cost: Decimal,
}

/// Prices of one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitPrice {
    /// Public price; `None` when no row tells it together with its quantity.
    pub list: Option<Decimal>,
    /// Price after discounts and commitments; `None` when no row tells its effective cost together with its quantity.
    pub effective: Option<Decimal>,
}

/// Prices by what is charged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UnitPrices(HashMap<PriceKey, (Charged, Charged)>);

impl UnitPrices {
    /// Learned from the usage of these lines. Lines that name no region may be of two, and tell no price.
    #[must_use]
    pub fn of<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Self {
        let mut prices = Self::default();
        for line in lines.filter(|line| line.is_usage() && !line.key.is_unused) {
            let (Some(key), Some(quantity)) = (PriceKey::of(line), line.sums.quantity) else { continue };
            let (list, effective) = prices.0.entry(key).or_default();
            if let Some(cost) = line.sums.list {
                list.add(quantity, cost);
            }
            // An export that charges something at an effective cost of 0 does not fill that column in.
            let is_filled_in = line.sums.billed.is_zero() || !line.sums.amortized.is_zero();
            if line.sums.is_effective_known && is_filled_in {
                effective.add(quantity, line.sums.amortized);
            }
        }
        prices
    }

    /// Of a unit as the line is charged for it.
    #[must_use]
    pub fn of_line(&self, line: &UsageLine) -> UnitPrice {
        let learned = PriceKey::of(line).and_then(|key| self.0.get(&key));
        learned.map_or_else(UnitPrice::default, |(list, effective)| UnitPrice {
            list: list.unit_price(),
            effective: effective.unit_price(),
        })
    }
}

impl PriceKey {
    /// `None` when the line does not tell what it is the price of.
    fn of(line: &UsageLine) -> Option<Self> {
        let key = &line.key;
        let coverage = match key.pricing {
            Pricing::Committed => Coverage::Committed,
            _ if !key.commitment.is_empty() => Coverage::Committed,
            Pricing::Dynamic => Coverage::Spot,
            Pricing::Standard => Coverage::OnDemand,
            Pricing::Unknown => Coverage::Unknown,
        };
        (!key.sku.is_empty() && !key.region.is_empty()).then(|| Self {
            cloud: Arc::clone(&key.cloud),
            billing_account: Arc::clone(&key.billing_account),
            account: Arc::clone(&key.account),
            region: Arc::clone(&key.region),
            service: Arc::clone(&key.service),
            meter: key.meter.clone(),
            sku: Arc::clone(&key.sku),
            product: Arc::clone(&key.product),
            coverage,
            currency: Arc::clone(&key.currency),
        })
    }
}

impl Charged {
    /// Sums too large to be held say nothing any more.
    fn add(&mut self, quantity: Decimal, cost: Decimal) {
        let sums = self.quantity.checked_add(quantity).zip(self.cost.checked_add(cost));
        *self = sums.map_or_else(Self::default, |(quantity, cost)| Self { quantity, cost });
    }

    fn unit_price(self) -> Option<Decimal> {
        (self.quantity > Decimal::ZERO).then(|| self.cost.checked_div(self.quantity))?
    }
}
