//! The same bill as AWS cost and usage report of both versions and as FOCUS: checkers see the same lines and say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::path::{Path, PathBuf};

use support::{Published, World, accept, plan};

/// The golden bill of the collectors, as a folder.
fn input(name: &str) -> PathBuf {
    let collectors = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../collectors");
    collectors.join("tests/golden/cur/input").join(name)
}

fn findings(name: &str) -> Vec<Published> {
    let world = World::new();
    world.run(&plan("run-1", vec![input(name)])).unwrap();
    accept(&world.values(contracts::topics::WIRE))
}

/// What a finding says.
fn said(finding: &Published) -> String {
    let texts = ["/check_id", "/status", "/scope/account_id", "/scope/region", "/scope/service", "/scope/resource_id"];
    let texts = texts.map(|pointer| finding.text(pointer)).join(" ");
    let estimated = &finding.json["estimated"];
    format!("{texts} {} {} {}", estimated["monthly_savings"], estimated["monthly_cost"], finding.fingerprint)
}

/// Checks that need the quantity in pricing units, which only the AWS reports of this bill have.
const OF_QUANTITY: [&str; 4] =
    ["billing.object.storage.untiered", "billing.ebs.gp2.to.gp3", "billing.logs.ingestion", "billing.compute.plan.gap"];

#[test]
fn every_dialect_of_one_bill_gives_the_same_findings() {
    let all = |name: &str| {
        let of_both = |finding: &&Published| !OF_QUANTITY.contains(&finding.text("/check_id"));
        findings(name).iter().filter(of_both).map(said).collect::<Vec<_>>()
    };
    let expected = all("focus12_csv");
    let checks: std::collections::BTreeSet<_> = expected.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(checks.len() >= 5, "{checks:?}");
    assert!(checks.contains("billing.commitment.unused"), "{checks:?}");
    for name in ["focus10_parquet", "legacy_csv", "legacy_parquet", "cur2_csv", "cur2_parquet"] {
        assert_eq!(all(name), expected, "{name}");
    }
    let of_quantity = |name: &str| {
        let is_one = |finding: &&Published| OF_QUANTITY.contains(&finding.text("/check_id"));
        findings(name).iter().filter(is_one).map(said).collect::<Vec<_>>()
    };
    let reports = ["legacy_csv", "legacy_parquet", "cur2_csv", "cur2_parquet"].map(of_quantity);
    assert!(!reports[0].is_empty() && reports.iter().all(|found| *found == reports[0]), "{reports:?}");
}
