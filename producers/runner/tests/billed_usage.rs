//! What a run says of how far its bill went: by it a later run tells what has ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeMap;

use contracts::run_manifest::BilledUsage;
use support::{World, plan};

const HEADER: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,BillingPeriodStart,BillingPeriodEnd,\
    ChargeCategory,ChargeClass,ChargePeriodStart,ChargePeriodEnd,ServiceName,ResourceId,ProviderName";

/// One row of September; `days` are those of its start and end.
fn row(account: &str, category: &str, class: &str, days: (&str, &str), service: &str) -> String {
    format!(
        "1,1,USD,1,{account},2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,{category},{class},{}T00:00:00Z,{}T00:00:00Z,\
         {service},r,AWS",
        days.0, days.1
    )
}

fn usage_of(rows: &[String]) -> BTreeMap<String, BilledUsage> {
    let world = World::new();
    let file = world.dir.path().join("bill.csv");
    std::fs::write(&file, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    let report = world.run(&plan("run-1", vec![file])).unwrap();
    report.manifest.billed_usage.unwrap()
}

fn check(rows: &[String], expected: &[(&str, &str, &str, &[&str])]) {
    let found = usage_of(rows);
    let shown: Vec<_> = found
        .iter()
        .map(|(account, usage)| {
            let services: Vec<&str> = usage.services.iter().map(String::as_str).collect();
            (account.as_str(), &usage.from[..10], &usage.until[..10], services)
        })
        .collect();
    let expected: Vec<_> =
        expected.iter().map(|(a, from, until, services)| (*a, *from, *until, services.to_vec())).collect();
    assert_eq!(shown, expected);
}

#[test]
fn only_accounts_with_usage_of_their_own_were_looked_at() {
    let (ec2, day) = ("AmazonEC2", ("2026-09-03", "2026-09-04"));
    let rows = [
        row("222222222222", "Usage", "", day, ec2),
        row("222222222222", "Usage", "", ("2026-09-07", "2026-09-08"), "AmazonS3"),
        // The payer has a tax, another account a purchase, and a third a correction.
        row("1", "Tax", "", day, ec2),
        row("333333333333", "Purchase", "", day, ec2),
        row("444444444444", "Usage", "Correction", day, ec2),
    ];
    check(&rows, &[("222222222222", "2026-09-03", "2026-09-08", &["ec2", "s3"])]);
}

#[test]
fn a_row_for_the_whole_month_tells_no_end_on_its_first_day() {
    let month = row("222222222222", "Usage", "", ("2026-09-01", "2026-10-01"), "AmazonS3");
    let day = row("222222222222", "Usage", "", ("2026-09-02", "2026-09-03"), "AmazonEC2");
    check(&[month.clone(), day], &[("222222222222", "2026-09-01", "2026-09-03", &["ec2", "s3"])]);
    check(&[month], &[("222222222222", "2026-09-01", "2026-10-01", &["s3"])]);
}
