//! What is worth less than a dollar a month has no line of its own, and what is worth a few cents none at all.

use super::{Case, check, findings, issues, rows_of};
use crate::finding::Finding;

#[test]
fn small_findings_have_no_line_of_their_own() {
    check(&[
        Case {
            name: "a volume of 10 GiB in each of 20 accounts",
            why: "0.02 a month each: no person reads 20 lines of that; together 0.40 of 20 × 0.10",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.003333333333 qty=0.033333333333 account=222233334401 copies=10
                AmazonEC2 EBS:VolumeUsage.gp2 vol-2 0..720/24 cost=0.003333333333 qty=0.033333333333 account=222233334402 copies=10",
            findings: "ebs.gp2.to.gp3 small-findings fail 0.40 2.00",
        },
        Case {
            name: "one volume of 1 GiB",
            why: "gp3 saves 2 cents a month",
            bill: "
                AWSLambda Lambda-GB-Second f 0..720/24 cost=0.48 qty=28800
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.003333333333 qty=0.033333333333",
            findings: "",
        },
        Case {
            name: "one volume of 10 GiB",
            why: "gp3 saves 20 cents a month: no line of its own, though it is the only one",
            bill: "
                AWSLambda Lambda-GB-Second f 0..720/24 cost=0.48 qty=28800
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.033333333333 qty=0.333333333333",
            findings: "ebs.gp2.to.gp3 small-findings fail 0.20 1.00",
        },
        Case {
            name: "snapshots for five cents",
            why: "they are most of the storage, which costs six cents",
            bill: "
                AmazonEC2 EBS:SnapshotUsage snap-1 0..720/24 cost=0.001666666667 qty=0.033333333333
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.000333333333 qty=0.003333333333",
            findings: "",
        },
    ]);
}

/// What the finding is, with its place in the account.
fn issue(bill: &str) -> Vec<String> {
    issues(&found(bill))
}

fn found(bill: &str) -> Vec<Finding> {
    findings(&bill.lines().filter(|line| !line.trim().is_empty()).flat_map(rows_of).collect::<Vec<_>>())
}

/// A second volume is no other problem than the first, and the first is not resolved by it.
#[test]
fn how_many_small_ones_there_are_makes_no_other_finding() {
    let volume =
        |name: &str| format!("AmazonEC2 EBS:VolumeUsage.gp2 {name} 0..720/24 cost=0.033333333333 qty=0.333333333333\n");
    let one = issue(&volume("vol-1"));
    assert_eq!(one.len(), 1);
    assert_eq!(issue(&(volume("vol-1") + &volume("vol-2"))), one);
    assert_eq!(issue(&volume("vol-2")), one);
}

/// 0.975 in the 30 days of September are 1.0075 in the 31 of August: the same cost an hour.
#[test]
fn a_longer_month_makes_nothing_larger() {
    let addresses = "
        AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.0325 qty=6.5
        AmazonVPC PublicIPv4:IdleAddress ip-2 0..720/24 cost=0.0325 qty=6.5";
    let september = found(addresses);
    let august =
        addresses.lines().filter(|line| !line.trim().is_empty()).flat_map(|line| rows_of(&line.replace("720", "744")));
    let august = findings(&august.map(super::Row::in_august).collect::<Vec<_>>());
    let sums =
        [&september, &august].map(|found| found.iter().filter_map(|f| f.estimated.monthly_cost).collect::<Vec<_>>());
    let amounts = sums.map(|sum| sum.iter().map(|cost| cost.normalize().to_string()).collect::<Vec<_>>());
    assert_eq!(amounts, [["1.95"], ["2.015"]]);
    assert_eq!(issues(&september), issues(&august));
}
