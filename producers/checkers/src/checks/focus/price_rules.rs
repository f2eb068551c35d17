//! The rules of docs/prices.md one by one: what is in a unit price and what is not, and what savings at each price are.

use inventories::billing::closed_lists::Pricing;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::unit_prices::UnitPrice;
use rust_decimal::Decimal;

use super::group::by_resource;
use super::saved::{Saved, unit_price_of};
use super::testing::{Row, bill, check_default, row};

const HOURS: &str = "$0.0225 per Application LoadBalancer-hour (or partial hour)";

/// A unit costs 1, at any price.
fn one() -> Row {
    balancer("a").unit_price("1").cost("10")
}

/// A unit costs 3; together with as many of [`one`] it would cost 2.
fn three() -> Row {
    balancer("b").unit_price("3").cost("30")
}

fn balancer(name: &str) -> Row {
    row(HOURS).service("AWSELB").resource(name).quantity("10")
}

fn unit_price(bill: &BillingInventory, resource: &str) -> UnitPrice {
    let line = bill.current().find(|line| &*line.key.resource == resource).unwrap();
    bill.unit_prices().of_line(line)
}

/// List and effective price of the first row's unit; `-` for an unknown one.
#[track_caller]
fn check(first: Row, other: Row, expected: [&str; 2]) {
    let bill = bill([first.resource("a"), other]);
    let UnitPrice { list, effective } = unit_price(&bill, "a");
    let text = |price: Option<Decimal>| price.map_or("-".to_owned(), |price| price.normalize().to_string());
    assert_eq!([text(list), text(effective)], expected);
}

#[test]
fn a_unit_price_is_that_of_all_usage_charged_alike() {
    check(one(), three(), ["2", "2"]);
    check(one(), three().category("Credit"), ["1", "1"]);
    check(one(), three().correction(), ["1", "1"]);
    let used = |row: Row| row.committed("plan", "Used");
    check(used(one()), used(three()), ["2", "2"]);
    check(used(one()), three().committed("plan", "Unused"), ["1", "1"]);
    // A public price of 0 beside a charge is none.
    check(one().unit_price("0"), three(), ["3", "2"]);
    check(one().unit_price("0"), three().category("Credit"), ["-", "1"]);
    // What does not tell its effective cost, or charges at none, says nothing of it.
    check(one(), three().fallback(), ["2", "1"]);
    check(one(), three().amortized("0"), ["2", "1"]);
}

#[test]
fn what_is_charged_otherwise_has_another_unit_price() {
    let others = [
        three().committed("plan", "Used"),
        three().committed("plan", "Used").pricing(Pricing::Standard),
        three().pricing(Pricing::Dynamic),
        three().payer("123412341234"),
        three().account("123412341234"),
        three().region("eu-west-1"),
        three().service("AmazonVPC"),
        three().currency("EUR"),
        three().cloud("gcp"),
        row("$0.025 per Application LoadBalancer-hour")
            .service("AWSELB")
            .resource("b")
            .quantity("10")
            .cost("30")
            .unit_price("3"),
    ];
    for other in others {
        check(one(), other, ["1", "1"]);
    }
}

#[test]
fn what_tells_no_sku_place_or_quantity_has_no_unit_price() {
    check(one().region(""), three(), ["-", "-"]);
    check(row("").quantity("10").unit_price("1").cost("10"), three(), ["-", "-"]);
    check(one().quantity("-10").cost("-10"), three().account("123412341234"), ["-", "-"]);
}

/// What was not used costs nothing at any price; the unit prices of two kinds of usage are none of both.
#[test]
fn a_resource_is_charged_for_several_things() {
    let unused = row("$0.008 per used Application load balancer capacity unit-hour (or partial hour)");
    let units = |quantity: &str| unused.clone().service("AWSELB").resource("a").quantity(quantity).cost(quantity);
    let bill_of = |other: Row| bill([one(), other]);
    let bill = bill_of(units("0"));
    let group = &by_resource(bill.current())[0];
    let saved = Saved::all(&bill, group);
    assert_eq!((saved.list, saved.effective), (Some(Decimal::TEN), Some(Decimal::TEN)));
    assert_eq!(unit_price_of(&bill, group), None);
    let bill = bill_of(units("5"));
    assert_eq!(Saved::all(&bill, &by_resource(bill.current())[0]).list, None, "its public price is unknown");
}

/// Savings a month: out of the charge, at the public price, at the own price.
#[track_caller]
fn savings(checker: &str, rows: Vec<Row>, expected: [&str; 3]) {
    let findings = check_default(checker, rows);
    let [finding] = findings.as_slice() else { panic!("one finding expected: {findings:?}") };
    let charged = finding.estimated.monthly_savings.map(|savings| savings.normalize().to_string());
    let dimension = |name: &str| finding.dimensions.get(name).map(ToString::to_string);
    let all = [charged, dimension("monthly_savings_list"), dimension("monthly_savings_effective")];
    assert_eq!(all.map(|text| text.unwrap_or("-".to_owned())), expected);
}

#[test]
fn a_change_is_worked_out_at_each_price() {
    let hours = |kind: &str| {
        row(&format!("$1 per On Demand Linux {kind} Instance Hour")).quantity("2").hours(720).cost("2").unit_price("1")
    };
    let old = || hours("m4.large").resource("i-1");
    let new = || hours("m5.large").resource("i-2").unit_price("0.75").cost("1.2");
    let change = |old: Row, new: Row, expected| savings("focus.compute.generation.previous", vec![old, new], expected);
    change(old(), new(), ["0.5", "0.5", "0.8"]);
    // The account pays less already than the other one would cost.
    change(old().amortized("1"), new(), ["0.5", "0.5", "0"]);
    // What it pays for the other one on demand is not known.
    change(old(), new().account("123412341234"), ["0.5", "0.5", "-"]);
    change(old(), new().payer("123412341234"), ["0.5", "0.5", "-"]);
    change(old(), new().committed("plan", "Used"), ["0.5", "0.5", "-"]);
    // Without their operating systems two prices are not those of one thing.
    let unsaid = |kind: &str| hours(kind).description(&format!("$1 per On Demand {kind} Instance Hour"));
    let new_unsaid = unsaid("m5.large").resource("i-2").unit_price("0.75").cost("1.2");
    change(unsaid("m4.large").resource("i-1"), new_unsaid, ["-", "-", "-"]);
    // A public price of 0 is none.
    change(old(), new().unit_price("0"), ["-", "-", "-"]);
}

#[test]
fn savings_of_many_resources_add_up_at_each_price() {
    let instance = |name: &str| {
        let hours = row("$0.1 per On Demand Linux m5.large Instance Hour").resource(name).hours(720).quantity("720");
        hours.unit_price("0.1").cost("60")
    };
    savings("focus.compute.commitment.gap", vec![instance("i-1"), instance("i-2")], ["30", "36", "30"]);
}
