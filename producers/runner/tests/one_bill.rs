//! The same bill as AWS cost and usage report of both versions and as FOCUS: checkers see the same lines and say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::path::{Path, PathBuf};

use support::bill::Bill;
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

const GUID: &str = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";

/// A bill of Azure: a virtual machine that is charged daily, and its disk, each row spelled by one of these functions.
fn azure(spellings: &[&dyn Fn(&str) -> String]) -> Vec<String> {
    let days: Vec<_> =
        (1..=29).map(|n| [format!("2026-09-{n:02}T00:00:00Z"), format!("2026-09-{:02}T00:00:00Z", n + 1)]).collect();
    let payer = "/providers/Microsoft.Billing/billingAccounts/8a1b:9c2d_2019-05-31";
    let path = format!("/subscriptions/{GUID}");
    let rows: Vec<Vec<(&str, String)>> = days
        .iter()
        .enumerate()
        .map(|(number, [from, to])| {
            let spelled = spellings[number % spellings.len()];
            let resource = format!("{path}/resourceGroups/RG1/providers/Microsoft.Compute/disks/d1");
            vec![
                ("ProviderName", "Microsoft".to_owned()),
                ("PublisherName", "Microsoft".to_owned()),
                ("InvoiceIssuerName", "Microsoft".to_owned()),
                ("BillingAccountId", spelled(payer)),
                ("SubAccountId", spelled(&path)),
                ("ResourceId", spelled(&resource).replace(GUID, &spelled(GUID).replace("/subscriptions/", ""))),
                ("RegionId", spelled("westeurope")),
                // A service is spelled as its first row has it.
                ("ServiceName", if number == 0 { "Virtual Machines".to_owned() } else { spelled("Virtual Machines") }),
                ("ChargeDescription", "D2 v3".to_owned()),
                ("x_UsageType", String::new()),
                ("Tags", String::new()),
                ("BilledCost", if number == 3 { "-5".to_owned() } else { "10".to_owned() }),
                ("ChargePeriodStart", from.clone()),
                ("ChargePeriodEnd", to.clone()),
            ]
        })
        .collect();
    let rows: Vec<Vec<(&str, &str)>> =
        rows.iter().map(|row| row.iter().map(|(name, cell)| (*name, &**cell)).collect()).collect();
    let bill = Bill::of(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let world = World::new();
    world.run(&plan("run-1", vec![world.file("bill.csv", String::from_utf8(bill.csv()).unwrap())])).unwrap();
    accept(&world.values(contracts::topics::WIRE)).iter().map(said).collect()
}

#[test]
fn a_bill_of_azure_gives_the_same_findings_in_every_spelling() {
    let as_documented = |text: &str| text.to_owned();
    let upper = |text: &str| text.to_uppercase();
    let lower = |text: &str| text.to_lowercase() + if text.starts_with('/') { "/" } else { "" };
    let bare = |text: &str| if text == format!("/subscriptions/{GUID}") { GUID.to_owned() } else { text.to_owned() };
    let blank = |text: &str| if text == format!("/subscriptions/{GUID}") { String::new() } else { text.to_owned() };
    let portal = |text: &str| if text == "westeurope" { "West Europe".to_owned() } else { text.to_owned() };
    let expected = azure(&[&as_documented]);
    assert!(expected.len() >= 2, "{expected:?}");
    let text = expected.join(" ");
    for part in [&*format!("/subscriptions/{GUID} global Virtual Machines"), "billing.usage.negative"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let folded = |found: Vec<String>| found.join("\n").to_lowercase();
    let expected = folded(expected);
    for (name, spellings) in [
        ("upper", vec![&upper as &dyn Fn(&str) -> String]),
        ("lower", vec![&lower]),
        ("bare", vec![&bare]),
        ("blank", vec![&blank]),
        ("portal", vec![&portal]),
        ("mixed", vec![&as_documented, &upper, &lower, &bare, &blank, &portal]),
    ] {
        assert_eq!(folded(azure(&spellings)), expected, "{name}");
    }
}
