//! Which bills resolve a finding: those that would have shown it.

use std::collections::BTreeMap;

use contracts::run_manifest::BilledUsage;
use serde_json::Value;

use super::{FIRST, SECOND, VOLUMES, a_volume_is_changed, arrived_of, found};

/// What a bill shows of an account, between two days of January.
fn shown_of(account: &str, days: (u32, u32), services: &[&str]) -> (String, BilledUsage) {
    let at = |day: u32| format!("2026-01-{day:02}T00:00:00.000Z");
    let services = services.iter().map(|service| (*service).to_owned()).collect();
    (account.to_owned(), BilledUsage { from: at(days.0), until: at(days.1), is_extract: false, services })
}

const MINE: &str = "055413496693";

/// What arrived in a week of the changed volume, when the second run was over this bill. The first one read ten days.
fn week_after(second: &[(String, BilledUsage)]) -> Value {
    let world = a_volume_is_changed();
    let first = [shown_of(MINE, (1, 10), &["ec2", "s3"])];
    world.run_manifest_over("acme", FIRST, &[VOLUMES], BTreeMap::from(first));
    world.run_manifest_over("acme", SECOND, &[VOLUMES], second.iter().cloned().collect());
    arrived_of(&world)[0]["week"].clone()
}

#[test]
fn a_bill_resolves_what_it_would_have_shown() {
    let (nothing, week) = (Value::Null, Value::from("3.500000"));
    let mine = |days, services| shown_of(MINE, days, services);
    for (second, expected) in [
        // A restated bill, and the next one.
        (vec![mine((1, 10), &["ec2", "s3"])], &week),
        (vec![mine((5, 12), &["ec2"])], &week),
        // Another account, which shares the payer; an older bill, a part of this one, and days of the next.
        (vec![shown_of("111122223333", (1, 12), &["ec2", "s3"])], &nothing),
        (vec![mine((1, 9), &["ec2", "s3"])], &nothing),
        (vec![mine((9, 12), &["ec2", "s3"])], &nothing),
        // Other services only.
        (vec![mine((1, 12), &["s3"])], &nothing),
    ] {
        assert_eq!(week_after(&second), *expected, "{second:?}");
    }
    let (account, whole) = mine((1, 12), &["ec2", "s3"]);
    assert_eq!(week_after(&[(account, BilledUsage { is_extract: true, ..whole })]), nothing);
}

/// A run between over another account neither resolves a finding nor hides that the next one does; one that still has it, does.
#[test]
fn the_next_run_over_the_account_resolves_a_finding() {
    for (found_between, week) in [("vol-0000000c", Value::from("3.500000")), ("vol-0000000a", Value::Null)] {
        let mut world = a_volume_is_changed();
        let between = ("r1b", "2026-01-11T10:00:00Z");
        world.commit_query("acme", "2026-01-11", 1, &found(between, "AmazonEC2", &[found_between]));
        let mine = BTreeMap::from([shown_of(MINE, (1, 10), &["ec2"])]);
        world.run_manifest_over("acme", FIRST, &[VOLUMES], mine.clone());
        let other = BTreeMap::from([shown_of("111122223333", (1, 11), &["ec2"])]);
        world.run_manifest_over("acme", between, &[VOLUMES], other);
        world.run_manifest_over("acme", SECOND, &[VOLUMES], mine);
        assert_eq!(arrived_of(&world)[0]["week"], week, "{found_between}");
    }
}
