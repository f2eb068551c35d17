//! What of a charge would be saved, three ways: out of what was charged, at public prices, and at the unit prices that the account
//! really pays (docs/prices.md).

use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::unit_prices::UnitPrice;
use rust_decimal::Decimal;

use super::group::Group;
use super::prices::ListPrices;
use inventories::billing::meter::Meter;

/// Savings of a charge; `None` is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// Out of what was charged.
    pub(super) charged: Option<Decimal>,
    /// The same usage at public prices.
    pub(super) list: Option<Decimal>,
    /// The same usage at the unit prices that the account pays.
    pub(super) effective: Option<Decimal>,
}

impl Saved {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self { charged: None, list: None, effective: None };

    /// All of what was charged for the group.
    pub(super) fn all(bill: &BillingInventory, group: &Group<'_>) -> Self {
        Self::part(bill, group, group.billed())
    }

    /// A part of what was charged for the group: the same share of what its usage costs at other prices.
    pub(super) fn part(bill: &BillingInventory, group: &Group<'_>, charged: Decimal) -> Self {
        let billed = group.billed();
        let share = |cost: Option<Decimal>| cost?.checked_mul(charged)?.checked_div(billed);
        Self {
            charged: Some(charged),
            list: share(cost_at(bill, group, |price| price.list)),
            effective: share(cost_at(bill, group, |price| price.effective)),
        }
    }

    /// What another meter would cost less for the same quantity: `charged` of what was charged. Of what the group costs at other
    /// prices the other meter's price is taken off; below 0, nothing is saved at these prices.
    pub(super) fn by_change(
        bill: &BillingInventory,
        prices: &ListPrices<'_>,
        group: &Group<'_>,
        other: &Meter,
        charged: Option<Decimal>,
    ) -> Self {
        let less = |cost: Option<Decimal>, price: Option<Decimal>| {
            let saved = cost?.checked_sub(group.quantity()?.checked_mul(price?)?)?;
            Some(saved.max(Decimal::ZERO))
        };
        let line = group.first();
        Self {
            charged,
            list: less(cost_at(bill, group, |price| price.list), prices.beside(line, other)),
            effective: less(cost_at(bill, group, |price| price.effective), prices.effective_beside(line, other)),
        }
    }

    /// Another amount for the same savings, at each price.
    pub(super) fn scaled(self, charged: Option<Decimal>) -> Self {
        let scale = |amount: Option<Decimal>| amount?.checked_mul(charged?)?.checked_div(self.charged?);
        Self { charged, list: scale(self.list), effective: scale(self.effective) }
    }
}

/// What the group's usage costs at a price of each of its lines; `None` where a quantity or price is unknown.
fn cost_at(
    bill: &BillingInventory,
    group: &Group<'_>,
    price: impl Fn(UnitPrice) -> Option<Decimal>,
) -> Option<Decimal> {
    let cost = |line: &UsageLine| {
        let quantity = line.sums.quantity?;
        // What was not used costs nothing at any price.
        if quantity.is_zero() {
            return Some(Decimal::ZERO);
        }
        quantity.checked_mul(price(bill.unit_prices().of_line(line))?)
    };
    group.lines().try_fold(Decimal::ZERO, |sum, line| sum.checked_add(cost(line)?))
}

/// What the group's quantity costs less at the list price of its successor. A discount on the old one is taken to hold for the
/// new one: it is a contract about a service, not about one type.
pub(super) fn saved_by(group: &Group<'_>, list_price: Decimal) -> Option<Decimal> {
    let list: Option<Decimal> = group.lines().map(|line| line.sums.list).sum();
    let paid = match list.filter(|list| *list > group.billed()) {
        Some(list) => group.billed().checked_div(list)?,
        None => Decimal::ONE,
    };
    group.billed().checked_sub(list_price.checked_mul(group.quantity()?)?.checked_mul(paid)?)
}

/// The unit prices of a group whose lines all have the same.
pub(super) fn unit_price_of(bill: &BillingInventory, group: &Group<'_>) -> Option<UnitPrice> {
    let mut prices = group.lines().map(|line| bill.unit_prices().of_line(line));
    let first = prices.next()?;
    prices.all(|price| price == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::group::by_resource;
    use super::super::testing::{Row, bill, check_default, row};
    use super::*;

    const VOLUME: &str = "$0.10 per GB-month of General Purpose SSD (gp2) provisioned storage - X";
    const HOURS: &str = "$0.0225 per Application LoadBalancer-hour (or partial hour)";

    /// A row of a random bill, in thousandths.
    #[derive(Debug, Clone)]
    struct Charge {
        account: usize,
        is_volume: bool,
        resource: usize,
        is_committed: bool,
        quantity: i64,
        price: Option<i64>,
        billed: i64,
        effective: i64,
    }

    fn charge() -> impl Strategy<Value = Charge> {
        let what = (0..2_usize, any::<bool>(), 0..3_usize, prop::bool::weighted(0.3));
        let amounts = (1..5_000_i64, prop::option::weighted(0.8, 1..200_i64), 1..9_000_i64, 1..9_000_i64);
        (what, amounts).prop_map(
            |((account, is_volume, resource, is_committed), (quantity, price, billed, effective))| Charge {
                account,
                is_volume,
                resource,
                is_committed,
                quantity,
                price,
                billed,
                effective,
            },
        )
    }

    fn thousandths(amount: i64) -> String {
        Decimal::new(amount, 3).to_string()
    }

    impl Charge {
        fn row(&self) -> Row {
            let row = row(if self.is_volume { VOLUME } else { HOURS })
                .account(["1", "2"][self.account])
                .resource(["r-0", "r-1", "r-2"][self.resource])
                .quantity(&thousandths(self.quantity))
                .cost(&thousandths(self.billed))
                .amortized(&thousandths(self.effective));
            let row = if self.is_committed { row.committed("plan", "Used") } else { row };
            self.price.map_or(row.clone(), |price| row.unit_price(&thousandths(price)))
        }

        /// What its row shares a line of the bill with.
        fn line(&self) -> (usize, bool, usize, bool) {
            (self.account, self.is_volume, self.resource, self.is_committed)
        }

        fn has_price_of(&self, other: &Self) -> bool {
            (self.account, self.is_volume, self.is_committed) == (other.account, other.is_volume, other.is_committed)
        }
    }

    /// The rules over single rows: unit price = cost / quantity over all that is charged alike; a line of which a row tells no
    /// public price says nothing of it.
    fn model(charges: &[Charge], own: &[&Charge], charged: Decimal) -> (Option<Decimal>, Option<Decimal>) {
        let sum = |amounts: &mut dyn Iterator<Item = i64>| Decimal::from(amounts.sum::<i64>());
        let unit_price = |charge: &Charge, is_list: bool| {
            let tells = |line| charges.iter().filter(|c| c.line() == line).all(|c| c.price.is_some());
            let alike = || charges.iter().filter(|c| c.has_price_of(charge) && (!is_list || tells(c.line())));
            let cost = |c: &Charge| if is_list { c.quantity * c.price.unwrap_or(0) } else { c.effective * 1_000 };
            let quantity = sum(&mut alike().map(|c| c.quantity));
            let cost = sum(&mut alike().map(cost)) / Decimal::from(1_000);
            (quantity > Decimal::ZERO).then(|| cost / quantity)
        };
        let billed = sum(&mut own.iter().map(|c| c.billed)) / Decimal::from(1_000);
        let saved = |is_list: bool| {
            let costs = own.iter().map(|c| Some(Decimal::new(c.quantity, 3) * unit_price(c, is_list)?));
            Some(costs.sum::<Option<Decimal>>()? * charged / billed)
        };
        (saved(true), saved(false))
    }

    fn is_near(found: Option<Decimal>, expected: Option<Decimal>) -> bool {
        match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < Decimal::new(1, 12),
            (found, expected) => found == expected,
        }
    }

    proptest! {
        #[test]
        fn savings_at_other_prices_are_those_of_the_rules(
            charges in prop::collection::vec(charge(), 1..20),
            share in 1..=100_i64,
        ) {
            let bill = bill(charges.iter().map(Charge::row));
            let groups = by_resource(bill.current());
            let resources: BTreeSet<_> = charges.iter().map(|c| (c.account, c.resource)).collect();
            prop_assert_eq!(groups.len(), resources.len());
            for group in &groups {
                let key = &group.first().key;
                let is_own = |c: &&Charge| *key.account == *["1", "2"][c.account] && key.resource.ends_with(&c.resource.to_string());
                let own: Vec<&Charge> = charges.iter().filter(is_own).collect();
                let charged = group.billed() * Decimal::new(share, 2);
                let saved = Saved::part(&bill, group, charged);
                let (list, effective) = model(&charges, &own, charged);
                prop_assert!(is_near(saved.list, list), "list {:?}, expected {list:?}", saved.list);
                prop_assert!(is_near(saved.effective, effective), "effective {:?}, expected {effective:?}", saved.effective);
            }
        }
    }

    /// Half a month of an idle load balancer at a public price of 0.0225 an hour, less a discount of a fifth; another one of the
    /// account is covered by a commitment, and says nothing of this price.
    fn discounted() -> Vec<Row> {
        let arn =
            |name: &str| format!("arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/{name}/50dc");
        let idle = row(HOURS)
            .service("AWSELB")
            .resource(&arn("idle"))
            .hours(360)
            .quantity("360")
            .unit_price("0.0225")
            .cost("6.48");
        let other = row(HOURS).service("AWSELB").resource(&arn("busy")).hours(360).quantity("360").unit_price("0.0225");
        vec![idle, other.cost("0").amortized("1").committed("plan", "Used")]
    }

    fn money(rows: Vec<Row>) -> [Option<String>; 5] {
        let findings = check_default("focus.load.balancer.idle", rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected: {findings:?}") };
        let dimension = |name: &str| finding.dimensions.get(name).map(ToString::to_string);
        let savings = finding.estimated.monthly_savings.map(|savings| savings.normalize().to_string());
        let names = ["monthly_savings_list", "monthly_savings_effective", "unit_price_list", "unit_price_effective"];
        let [list, effective, unit_list, unit_effective] = names.map(dimension);
        [savings, list, effective, unit_list, unit_effective]
    }

    #[test]
    fn a_finding_tells_its_savings_at_the_public_price_and_at_the_own_one() {
        let texts = |texts: [&str; 5]| texts.map(|text| (text != "-").then(|| text.to_owned()));
        assert_eq!(money(discounted()), texts(["12.96", "16.2", "12.96", "0.0225", "0.018"]));
        // An effective cost of 0 for what is charged is none.
        let mut rows = discounted();
        rows[0] = rows[0].clone().amortized("0");
        assert_eq!(money(rows), texts(["12.96", "16.2", "-", "0.0225", "-"]));
        // What the bill does not tell is not there.
        let mut rows = discounted();
        rows[0] = rows[0].clone().region("");
        assert_eq!(money(rows), texts(["12.96", "-", "-", "-", "-"]));
    }
}
