//! What a bill does not tell is unknown: no finding reads it as absent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeSet;

use contracts::topics;
use support::{World, accept, plan};

const COLUMNS: [&str; 17] = [
    "BilledCost",
    "EffectiveCost",
    "BillingCurrency",
    "BillingAccountId",
    "SubAccountId",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ProviderName",
    "RegionId",
    "ResourceId",
    "ServiceName",
    "Tags",
];

/// Two rows, one of them negative, with these cells instead of the usual ones, and without these columns.
fn checks(cells: &[(&str, &str)], without: &[&str]) -> BTreeSet<String> {
    let kept: Vec<_> = COLUMNS.into_iter().filter(|column| !without.contains(column)).collect();
    let mut csv = kept.join(",");
    for cost in ["10", "-1"] {
        let cell = |column: &str| match cells.iter().find(|(name, _)| *name == column) {
            Some((_, cell)) => (*cell).to_owned(),
            None => usual(column, cost).to_owned(),
        };
        let line: Vec<_> = kept.iter().map(|column| format!("\"{}\"", cell(column).replace('"', "\"\""))).collect();
        csv += &format!("\n{}", line.join(","));
    }
    let world = World::new();
    let bill = world.file("bill.csv", csv + "\n");
    world.run(&plan("run-1", vec![bill])).unwrap();
    accept(&world.values(topics::WIRE)).iter().map(|finding| finding.text("/check_id").to_owned()).collect()
}

fn usual<'a>(column: &str, cost: &'a str) -> &'a str {
    match column {
        "BilledCost" | "EffectiveCost" => cost,
        "BillingCurrency" => "USD",
        "BillingAccountId" | "SubAccountId" => "111122223333",
        "BillingPeriodStart" | "ChargePeriodStart" => "2026-09-01T00:00:00Z",
        "BillingPeriodEnd" | "ChargePeriodEnd" => "2026-10-01T00:00:00Z",
        "ChargeCategory" => "Usage",
        "ProviderName" => "AWS",
        "RegionId" => "us-east-1",
        "ResourceId" => "i-1",
        "ServiceName" => "AmazonEC2",
        _ => "",
    }
}

#[track_caller]
fn check(check_id: &str, cells: &[(&str, &str)], without: &[&str], is_found: bool) {
    let found = checks(cells, without);
    assert_eq!(found.contains(check_id), is_found, "{check_id} with {cells:?}, without {without:?}: {found:?}");
}

#[test]
fn tags_that_cannot_be_read_are_not_missing() {
    let check = |tags, is_found| check("billing.tags.missing", &[("Tags", tags)], &[], is_found);
    for none in ["", "{}", "NULL", r#"{"aws:createdBy":"x"}"#] {
        check(none, true);
    }
    check(r#"{"team":"a"}"#, false);
    for unreadable in [r#"{"team":"a","env"#, "\"team\": \"a", "team is a"] {
        check(unreadable, false);
    }
}

#[test]
fn an_export_without_a_column_does_not_say_that_its_cells_are_empty() {
    for (check_id, column) in [
        ("billing.tags.missing", "Tags"),
        ("billing.spend.without.resource", "ResourceId"),
        ("billing.usage.negative", "ChargeClass"),
    ] {
        check(check_id, &[], &[column], false);
    }
    check("billing.usage.negative", &[], &[], true);
    check("billing.tags.missing", &[], &[], true);
}
