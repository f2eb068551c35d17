//! Reversals that name no resource: refunds and corrections of all that an account uses of a service, in a region where they name one,
//! and of a usage type where they name one. They lower all charges of their place in proportion.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rust_decimal::Decimal;

use super::line::UsageLine;
use super::meter::Meter;

/// Cloud, paying account, month, account, service and currency.
type Place = [Arc<str>; 6];

/// The same meter in one region.
type Where = (Arc<str>, Meter);

/// Shares left of charges, by place, region and meter. Charges that nothing took back are not in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reversals(BTreeMap<(Place, Where), Decimal>);

/// What takes charges back in one place.
#[derive(Debug, Default)]
struct Reversed {
    /// By region, empty for all of them, and meter, `None` for all of them.
    amounts: BTreeMap<(Arc<str>, Option<Meter>), Decimal>,
    /// Charges less what reversals of their own resource took back.
    charges: BTreeMap<Where, Decimal>,
}

impl Reversals {
    /// Of lines sorted by key.
    pub(super) fn of(lines: &[UsageLine]) -> Self {
        let mut places: BTreeMap<Place, Reversed> = BTreeMap::new();
        for line in lines.iter().filter(|line| is_reversal(line)) {
            let meter = (!line.key.is_general).then(|| line.key.meter.clone());
            let amounts = &mut places.entry(place(line)).or_default().amounts;
            *amounts.entry((Arc::clone(&line.key.region), meter)).or_default() -= line.sums.billed;
        }
        if places.is_empty() {
            return Self::default();
        }
        for resource in lines.chunk_by(|one, other| one.key.of_resource() == other.key.of_resource()) {
            let currencies: BTreeSet<_> = resource.iter().map(|line| &line.key.currency).collect();
            for currency in currencies {
                let lines = || resource.iter().filter(|line| line.key.currency == *currency && line.is_cost_of_use());
                let left = share_of_resource(lines());
                for line in lines().filter(|line| line.sums.billed > Decimal::ZERO) {
                    let Some(reversed) = places.get_mut(&place(line)) else { continue };
                    *reversed.charges.entry(place_of_charge(line)).or_default() += line.sums.billed * left;
                }
            }
        }
        let shares = |(place, reversed): (Place, Reversed)| {
            reversed.shares_left().into_iter().map(move |(at, share)| ((place.clone(), at), share))
        };
        Self(places.into_iter().flat_map(shares).collect())
    }

    /// What is left of the charges that the line is one of.
    pub(super) fn share_left(&self, line: &UsageLine) -> Decimal {
        if self.0.is_empty() {
            return Decimal::ONE;
        }
        self.0.get(&(place(line), place_of_charge(line))).copied().unwrap_or(Decimal::ONE)
    }
}

impl Reversed {
    /// The narrowest reversals first; each takes back what is left at most.
    fn shares_left(self) -> BTreeMap<Where, Decimal> {
        let mut left = self.charges.clone();
        let mut amounts: Vec<_> = self.amounts.into_iter().collect();
        amounts.sort_by_key(|((region, meter), _)| (region.is_empty(), meter.is_none()));
        for ((region, meter), amount) in amounts {
            let is_about =
                |at: &Where| (region.is_empty() || region == at.0) && meter.as_ref().is_none_or(|meter| *meter == at.1);
            let sum: Decimal = left.iter().filter(|(at, _)| is_about(at)).map(|(_, charge)| charge).sum();
            let share = Decimal::ONE - amount.min(sum).checked_div(sum).unwrap_or_default();
            left.iter_mut().filter(|(at, _)| is_about(at)).for_each(|(_, charge)| *charge *= share);
        }
        let share = |(at, charge): (Where, Decimal)| {
            let left = left.get(&at)?.checked_div(charge)?;
            Some((at, left))
        };
        self.charges.into_iter().filter_map(share).collect()
    }
}

/// What corrections that name the resource leave of its charges.
fn share_of_resource<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Decimal {
    let (mut charged, mut kept) = (Decimal::ZERO, Decimal::ZERO);
    for line in lines.filter(|line| !is_reversal(line)) {
        charged += line.sums.billed.max(Decimal::ZERO);
        kept += line.sums.billed;
    }
    kept.max(Decimal::ZERO).checked_div(charged).unwrap_or(Decimal::ONE)
}

fn is_reversal(line: &UsageLine) -> bool {
    line.key.resource.is_empty() && line.is_cost_of_use() && line.sums.billed < Decimal::ZERO
}

fn place(line: &UsageLine) -> Place {
    let key = &line.key;
    [&key.cloud, &key.billing_account, &key.period, &key.account, &key.service, &key.currency].map(Arc::clone)
}

fn place_of_charge(line: &UsageLine) -> Where {
    (Arc::clone(&line.key.region), line.key.meter.clone())
}
