//! What reversals leave of a charge. A refunded charge cannot be saved once more, so that savings never exceed the net cost.

use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use rust_decimal::Decimal;

use super::text::share_of;

/// What corrections and reversals left of the charges of the line's resource, as a share of them: those that name the resource, and those
/// that name none and are about all that its account uses of the service. Credits pay a charge, they do not lower it.
pub(super) fn kept_share(bill: &BillingInventory, line: &UsageLine) -> Decimal {
    let key = &line.key;
    let (mut charged, mut kept) = (Decimal::ZERO, Decimal::ZERO);
    let resource = if key.resource.is_empty() { &[] } else { bill.of_resource(line) };
    for other in resource.iter().filter(|other| other.is_cost_of_use() && other.key.currency == key.currency) {
        charged += other.sums.billed.max(Decimal::ZERO);
        kept += other.sums.billed;
    }
    // A commitment's usage has an effective cost only.
    let kept =
        if charged.is_zero() { Decimal::ONE } else { share_of(kept, charged).clamp(Decimal::ZERO, Decimal::ONE) };
    kept * bill.share_not_reversed(line)
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
        // Of the resource, and then of all that is left in its place.
        check(vec![named(charge()), named(row("x").cost("-4")), back("-3")], "0.3");
    }

    #[test]
    fn a_reversal_without_a_resource_is_about_its_place() {
        let charge = || row("").usage_type("NatGateway-Hours", "").cost("10");
        let refund = |usage_type: &str| row("").usage_type(usage_type, "").cost("-4").category("Adjustment");
        let other = || row("").usage_type("NatGateway-Bytes", "").cost("10").resource("nat-2");
        let check = |row: Row, expected: &str| check(vec![charge().resource("nat-1"), other(), row], expected);
        check(refund("NatGateway-Hours"), "0.6");
        check(refund("NatGateway-Bytes"), "1");
        check(refund("HeavyUsage"), "1");
        // It names no usage type: 4 of the 20 for both.
        check(refund(""), "0.8");
        check(refund("").region(""), "0.8");
        check(refund("").description("Refund of your case 1"), "0.8");
        check(refund("NatGateway-Hours").region(""), "0.6");
        check(refund("").cost("-40"), "0");
        let elsewhere: [fn(Row) -> Row; 5] = [
            |row| row.account("123412341234"),
            |row| row.payer("123412341234"),
            |row| row.region("eu-west-1"),
            |row| row.service("AmazonRDS"),
            |row| row.currency("EUR"),
        ];
        elsewhere.into_iter().for_each(|at| check(at(refund("")), "1"));
        check(refund("").at_hour(-2), "1");
        check(refund("").category("Credit"), "1");
    }
}
