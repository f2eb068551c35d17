//! The cost models of AWS reports, by line type, and what of a line FOCUS would have. Pure.

use inventories::billing::closed_lists::{ChargeCategory, LineType, ListCell, Pricing};
use inventories::billing::fact::RowPart;
use rust_decimal::Decimal;

use super::columns::Costs;
use crate::billing::fields::amount;
use crate::billing::rejects::{Reason, Refusal};
use crate::billing::row::Row;

/// The amounts of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amounts {
    /// As invoiced; covered usage at its on-demand price.
    pub unblended: Decimal,
    /// After private discounts; AWS has the column only where there are some.
    pub net: Option<Decimal>,
    /// At average rates; blank on lines of discounts.
    pub blended: Option<Decimal>,
    reservation_effective: Option<Decimal>,
    reservation_unused_upfront: Option<Decimal>,
    reservation_unused_recurring: Option<Decimal>,
    savings_plan_effective: Option<Decimal>,
    savings_plan_commitment: Option<Decimal>,
    savings_plan_used: Option<Decimal>,
    /// What the amortized cost is after private discounts.
    net_reservation_effective: Option<Decimal>,
    net_reservation_unused: [Option<Decimal>; 2],
    net_savings_plan_effective: Option<Decimal>,
}

impl Amounts {
    /// Of a row. One that is split off (`is_split`) charges nothing itself, and some exports leave its cost blank.
    ///
    /// # Errors
    /// There is no cost, or a cell of a cost is no decimal, whether a cost model needs it or not.
    pub fn of(row: Row<'_>, c: &Costs, is_split: bool) -> Result<Self, Refusal> {
        let unblended = "line_item_unblended_cost";
        amount(row, &[c.public_on_demand], "pricing_public_on_demand_cost")?;
        Ok(Self {
            unblended: amount(row, &[c.unblended], unblended)?
                .or(is_split.then_some(Decimal::ZERO))
                .ok_or_else(|| Refusal::blank(Reason::MissingCost, unblended))?,
            net: amount(row, &[c.net], "line_item_net_unblended_cost")?,
            blended: amount(row, &[c.blended], "line_item_blended_cost")?,
            reservation_effective: amount(row, &[c.reservation_effective], "reservation_effective_cost")?,
            reservation_unused_upfront: amount(
                row,
                &[c.reservation_unused_upfront],
                "reservation_unused_amortized_upfront_fee_for_billing_period",
            )?,
            reservation_unused_recurring: amount(
                row,
                &[c.reservation_unused_recurring],
                "reservation_unused_recurring_fee",
            )?,
            savings_plan_effective: amount(
                row,
                &[c.savings_plan_effective],
                "savings_plan_savings_plan_effective_cost",
            )?,
            savings_plan_commitment: amount(
                row,
                &[c.savings_plan_commitment],
                "savings_plan_total_commitment_to_date",
            )?,
            savings_plan_used: amount(row, &[c.savings_plan_used], "savings_plan_used_commitment")?,
            net_reservation_effective: amount(row, &[c.net_reservation_effective], "reservation_net_effective_cost")?,
            net_reservation_unused: [
                amount(
                    row,
                    &[c.net_reservation_unused_upfront],
                    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
                )?,
                amount(row, &[c.net_reservation_unused_recurring], "reservation_net_unused_recurring_fee")?,
            ],
            net_savings_plan_effective: amount(
                row,
                &[c.net_savings_plan_effective],
                "savings_plan_net_savings_plan_effective_cost",
            )?,
        })
    }

    /// Cost with upfront payments spread over their term; `None` when no input of the formula is there. A fee with a
    /// reservation is its upfront payment.
    #[must_use]
    pub fn amortized(&self, line_type: Option<LineType>, has_reservation: bool) -> Option<Decimal> {
        let zero = Some(Decimal::ZERO);
        match line_type {
            Some(LineType::DiscountedUsage) => self.reservation_effective,
            Some(LineType::RiFee) => {
                of_parts([self.reservation_unused_upfront, self.reservation_unused_recurring], |one, other| one + other)
            }
            Some(LineType::Fee) if has_reservation => zero,
            Some(LineType::SavingsPlanCoveredUsage) => self.savings_plan_effective,
            Some(LineType::SavingsPlanNegation | LineType::SavingsPlanUpfrontFee) => zero,
            Some(LineType::SavingsPlanRecurringFee) => {
                of_parts([self.savings_plan_commitment, self.savings_plan_used], |all, used| all - used)
            }
            _ => Some(self.unblended),
        }
    }

    /// The amortized cost of a commitment after private discounts, where the report has it: FOCUS has discounts inside the
    /// charges that they are for.
    fn net_amortized(&self, line_type: LineType) -> Option<Decimal> {
        match line_type {
            LineType::DiscountedUsage => self.net_reservation_effective,
            LineType::RiFee => of_parts(self.net_reservation_unused, |one, other| one + other),
            LineType::SavingsPlanCoveredUsage => self.net_savings_plan_effective,
            _ => None,
        }
    }

    /// What of the line FOCUS would have, when that is not the line as it is.
    #[must_use]
    pub fn parts(
        &self,
        line_type: Option<LineType>,
        amortized: Option<Decimal>,
        pricing: Pricing,
        quantity: Option<Decimal>,
    ) -> Option<Vec<RowPart>> {
        let zero = Decimal::ZERO;
        let part = |category, pricing, billed, amortized, quantity| RowPart {
            category: ListCell::Known(category),
            pricing,
            billed,
            amortized,
            quantity,
            is_unused: false,
            is_discount: false,
        };
        let net_amortized = self.net_amortized(line_type?);
        let amortized = net_amortized.or(amortized);
        match line_type? {
            LineType::DiscountedUsage => {
                let net = self.net.unwrap_or(self.unblended);
                Some(vec![part(ChargeCategory::Usage, pricing, net, net_amortized?, quantity)])
            }
            // It takes back the on-demand price of covered usage, which is not billed at that price here either.
            LineType::SavingsPlanNegation => Some(Vec::new()),
            LineType::SavingsPlanCoveredUsage => {
                Some(vec![part(ChargeCategory::Usage, pricing, zero, amortized.unwrap_or(self.unblended), quantity)])
            }
            LineType::RiFee | LineType::SavingsPlanRecurringFee => {
                // Without the inputs nothing says how much was unused.
                let unused = amortized?;
                let fee = part(ChargeCategory::Purchase, Pricing::Standard, self.unblended, zero, quantity);
                let rest = part(ChargeCategory::Usage, Pricing::Committed, zero, unused, None);
                let rest = RowPart { is_unused: true, ..rest };
                Some(if unused.is_zero() { vec![fee] } else { vec![fee, rest] })
            }
            // With net costs, a discount is inside the charges that it is for.
            LineType::Discount if self.net.is_some_and(|net| net.is_zero()) => Some(Vec::new()),
            // Without, it is one of the usage that the line names.
            LineType::Discount => {
                let off = self.net.unwrap_or(self.unblended);
                let discount = part(ChargeCategory::Usage, pricing, off, off, None);
                Some(vec![RowPart { is_discount: true, ..discount }])
            }
            LineType::Usage | LineType::Tax | LineType::Credit | LineType::Refund => {
                let net = self.net.filter(|net| *net != self.unblended)?;
                Some(vec![part(line_type?.category(), pricing, net, net, quantity)])
            }
            _ => None,
        }
    }
}

/// What AWS split off a shared resource for what runs on it: the cost of its own use and its share of what was left unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitAmounts {
    /// With upfront payments spread over their term.
    pub amortized: Decimal,
    /// After private discounts too; AWS has the columns only where there are some.
    pub net: Decimal,
}

impl SplitAmounts {
    /// Of a row; `None` when it says neither part.
    ///
    /// # Errors
    /// A cell is no decimal.
    pub fn of(row: Row<'_>, c: &Costs) -> Result<Option<Self>, Refusal> {
        let sum = |own, own_name, unused, unused_name| -> Result<Option<Decimal>, Refusal> {
            let parts = [amount(row, &[own], own_name)?, amount(row, &[unused], unused_name)?];
            Ok(of_parts(parts, |one, other| one + other))
        };
        let (own, unused) = ("split_line_item_split_cost", "split_line_item_unused_cost");
        let amortized = sum(c.split, own, c.split_unused, unused)?;
        let (own, unused) = ("split_line_item_net_split_cost", "split_line_item_net_unused_cost");
        let net = sum(c.split_net, own, c.split_net_unused, unused)?;
        Ok(amortized.map(|amortized| Self { amortized, net: net.unwrap_or(amortized) }))
    }
}

/// A value of two parts: an absent one is 0; `None` when both are.
fn of_parts(parts: [Option<Decimal>; 2], value: impl Fn(Decimal, Decimal) -> Decimal) -> Option<Decimal> {
    let is_there = parts.iter().any(Option::is_some);
    is_there.then(|| value(parts[0].unwrap_or_default(), parts[1].unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Amounts = Amounts {
        unblended: Decimal::TEN,
        net: None,
        blended: None,
        reservation_effective: None,
        reservation_unused_upfront: None,
        reservation_unused_recurring: None,
        savings_plan_effective: None,
        savings_plan_commitment: None,
        savings_plan_used: None,
        net_reservation_effective: None,
        net_reservation_unused: [None; 2],
        net_savings_plan_effective: None,
    };

    fn all() -> Amounts {
        let amount = |n: i64| Some(Decimal::from(n));
        Amounts {
            reservation_effective: amount(1),
            reservation_unused_upfront: amount(2),
            reservation_unused_recurring: amount(3),
            savings_plan_effective: amount(4),
            savings_plan_commitment: amount(5),
            savings_plan_used: amount(7),
            ..NONE
        }
    }

    #[test]
    fn every_line_type_has_its_amortized_cost() {
        // With all inputs, and with none: then a formula that needs one has no value.
        let cases = [
            (Some(LineType::Usage), 10, Some(10)),
            (Some(LineType::Tax), 10, Some(10)),
            (Some(LineType::Credit), 10, Some(10)),
            (Some(LineType::Discount), 10, Some(10)),
            (Some(LineType::Refund), 10, Some(10)),
            (None, 10, Some(10)),
            (Some(LineType::DiscountedUsage), 1, None),
            (Some(LineType::RiFee), 5, None),
            (Some(LineType::SavingsPlanCoveredUsage), 4, None),
            (Some(LineType::SavingsPlanNegation), 0, Some(0)),
            (Some(LineType::SavingsPlanRecurringFee), -2, None),
            (Some(LineType::SavingsPlanUpfrontFee), 0, Some(0)),
        ];
        for (line_type, with_all, with_none) in cases {
            assert_eq!(all().amortized(line_type, true), Some(with_all.into()), "{line_type:?}");
            assert_eq!(NONE.amortized(line_type, true), with_none.map(Decimal::from), "{line_type:?}");
        }
        let fee = |has_reservation| NONE.amortized(Some(LineType::Fee), has_reservation);
        assert_eq!((fee(true), fee(false)), (Some(Decimal::ZERO), Some(Decimal::TEN)));
    }

    #[test]
    fn an_absent_part_counts_as_zero() {
        let one = Amounts { reservation_unused_recurring: None, savings_plan_used: None, ..all() };
        assert_eq!(one.amortized(Some(LineType::RiFee), false), Some(2.into()));
        assert_eq!(one.amortized(Some(LineType::SavingsPlanRecurringFee), false), Some(5.into()));
    }

    #[test]
    fn checkers_see_what_focus_has() {
        let shown = |amounts: Amounts, line_type| {
            let amortized = amounts.amortized(Some(line_type), false);
            let parts = amounts.parts(Some(line_type), amortized, Pricing::Standard, None)?;
            let text = |p: &RowPart| format!("{} {} {} {}", p.category, p.billed, p.amortized, p.is_unused);
            Some(parts.iter().map(text).collect::<Vec<_>>())
        };
        let text = |lines: &[&str]| Some(lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert_eq!(shown(all(), LineType::SavingsPlanNegation), text(&[]));
        assert_eq!(shown(all(), LineType::SavingsPlanCoveredUsage), text(&["Usage 0 4 false"]));
        assert_eq!(shown(all(), LineType::RiFee), text(&["Purchase 10 0 false", "Usage 0 5 true"]));
        assert_eq!(shown(NONE, LineType::RiFee), None, "how much was unused is unknown");
        let used = Amounts { savings_plan_used: Some(5.into()), ..all() };
        assert_eq!(shown(used, LineType::SavingsPlanRecurringFee), text(&["Purchase 10 0 false"]));
        let net = |net: i64| Amounts { net: Some(net.into()), ..NONE };
        assert_eq!(shown(net(9), LineType::Usage), text(&["Usage 9 9 false"]));
        assert_eq!(shown(net(10), LineType::Usage), None);
        assert_eq!(shown(net(0), LineType::Discount), text(&[]), "it is inside the charges");
    }

    #[test]
    fn without_net_costs_a_discount_is_one_of_usage() {
        let off = Amounts { unblended: Decimal::NEGATIVE_ONE, ..NONE };
        let [part] = &off.parts(Some(LineType::Discount), Some(off.unblended), Pricing::Standard, None).unwrap()[..]
        else {
            panic!("one part expected")
        };
        let is_usage = part.category == ListCell::Known(ChargeCategory::Usage);
        assert_eq!(
            (is_usage, part.is_discount, part.billed, part.amortized),
            (true, true, off.unblended, off.unblended)
        );
    }

    #[test]
    fn what_commitments_cover_is_priced_after_private_discounts() {
        let discounted = Amounts {
            net: Some(Decimal::ZERO),
            net_reservation_effective: Some(Decimal::new(9, 1)),
            net_reservation_unused: [None, Some(Decimal::new(27, 1))],
            net_savings_plan_effective: Some(Decimal::new(36, 1)),
            ..all()
        };
        let amortized = |amounts: &Amounts, line_type| {
            let stored = amounts.amortized(Some(line_type), false);
            let parts = amounts.parts(Some(line_type), stored, Pricing::Committed, None);
            parts.map(|parts| parts.iter().map(|part| part.amortized).sum::<Decimal>())
        };
        let cases = [
            (LineType::DiscountedUsage, Some(Decimal::new(9, 1)), None),
            (LineType::RiFee, Some(Decimal::new(27, 1)), Some(Decimal::from(5))),
            (LineType::SavingsPlanCoveredUsage, Some(Decimal::new(36, 1)), Some(Decimal::from(4))),
        ];
        for (line_type, with, without) in cases {
            assert_eq!(
                (amortized(&discounted, line_type), amortized(&all(), line_type)),
                (with, without),
                "{line_type:?}"
            );
        }
        assert_eq!(
            discounted.amortized(Some(LineType::DiscountedUsage), false),
            Some(1.into()),
            "stored as the table says"
        );
    }
}
