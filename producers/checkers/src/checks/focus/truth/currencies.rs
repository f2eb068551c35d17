//! Amounts of several currencies are never added, and severity does not depend on the unit of money.

use contracts::draft::Level;

use super::{Case, check, findings, rows_of};

#[test]
fn currencies_stay_apart() {
    check(&[Case {
        name: "idle addresses in three currencies",
        why: "each is a finding of its own, with its own amount",
        bill: "
            AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12 qty=24
            AmazonVPC PublicIPv4:IdleAddress ip-2 0..720/24 cost=0.11 qty=24 currency=EUR
            AmazonVPC PublicIPv4:IdleAddress ip-3 0..720/24 cost=18 qty=24 currency=JPY",
        findings: "
            ipv4.idle ip-1 fail 3.60 3.60
            ipv4.idle ip-2 fail 3.30 3.30
            ipv4.idle ip-3 fail 540.00 540.00",
    }]);
}

#[test]
fn severity_is_that_of_the_money_not_of_its_unit() {
    let cases = [
        // 139,500 JPY are about 1,000 USD, 300 JPY about 2.
        ("4650", "JPY", Level::Medium),
        ("10", "JPY", Level::Low),
        ("4650", "USD", Level::Critical),
        ("10", "USD", Level::Medium),
        // Not in the table: it cannot be ranked.
        ("4650", "XTS", Level::Low),
    ];
    for (a_day, currency, level) in cases {
        let line = format!("AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost={a_day} qty=24 currency={currency}");
        let found = findings(&rows_of(&line));
        assert_eq!(found.iter().map(|f| f.severity.level).collect::<Vec<_>>(), [level], "{line}");
    }
}

#[test]
fn a_bill_whose_effective_cost_is_missing_is_a_serious_error() {
    let found = findings(&rows_of("AmazonEC2 Other i-1 0..720/24 cost=3333.333333 effective=0"));
    let seen: Vec<_> = found.iter().map(|f| (f.check_id, f.severity.level)).collect();
    assert_eq!(seen, [("billing.data.effective.cost.mismatch", Level::Critical)]);
}
