//! What reversals leave of a charge. A refunded charge cannot be saved once more, so that savings never exceed the net cost.

use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use rust_decimal::Decimal;

use super::text::share_of;

/// What corrections and reversals left of the charges of the line's resource, as a share of them; where the bill names no
/// resource, of the charges of its meter in its account, region and service. Credits pay a charge, they do not lower it.
pub(super) fn kept_share(bill: &BillingInventory, line: &UsageLine) -> Decimal {
    let key = &line.key;
    let (mut charged, mut kept) = (Decimal::ZERO, Decimal::ZERO);
    for other in bill.of_resource(line).iter().filter(|other| other.is_cost_of_use()) {
        let is_same = !key.resource.is_empty() || other.key.meter == key.meter;
        if is_same && other.key.currency == key.currency {
            charged += other.sums.billed.max(Decimal::ZERO);
            kept += other.sums.billed;
        }
    }
    // A commitment's usage has an effective cost only.
    if charged.is_zero() { Decimal::ONE } else { share_of(kept, charged).clamp(Decimal::ZERO, Decimal::ONE) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, bill, row};
    use super::*;

    #[track_caller]
    fn check(rows: Vec<Row>, expected: &str) {
        let bill = bill(rows);
        let line = bill.lines().iter().find(|line| line.is_charge()).unwrap();
        assert_eq!(kept_share(&bill, line).normalize().to_string(), expected);
    }

    #[test]
    fn reversals_lower_a_charge_and_credits_do_not() {
        let charge = || row("$0.045 per NAT Gateway Hour").cost("10");
        let back = |cost| charge().cost(cost);
        check(vec![charge()], "1");
        check(vec![charge(), back("-4")], "0.6");
        check(vec![charge(), back("-4").category("Adjustment")], "0.6");
        check(vec![charge(), back("-14")], "0");
        check(vec![charge(), back("-4").category("Credit")], "1");
        // Of another meter, and of an earlier month.
        check(vec![charge(), row("x").cost("-4")], "1");
        check(vec![charge(), back("-4").at_hour(-2)], "1");
        let named = |row: Row| row.resource("nat-1");
        check(vec![named(charge()), named(row("x").cost("-4"))], "0.6");
    }
}
