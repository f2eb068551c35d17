//! All checkers over the real sample: what they publish keeps the contract, repeats exactly, and says what the bill says.
//! The figures are worked out again here from the CSV's text with whole numbers, sharing nothing with the checkers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use checkers::checker::MonthRule;
use checkers::registry::Registry;
use collectors::billing::LiveMonth;
use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::topics;
use runner::run::RunPlan;
use support::{Published, World, accept, plan, sample};

fn publish(plan: &RunPlan) -> Vec<Published> {
    let world = World::new();
    world.run(plan).unwrap();
    accept(&world.values(topics::WIRE))
}

fn findings() -> Vec<Published> {
    publish(&plan("run-1", vec![sample()]))
}

/// A decimal text in units of 10^-12; more digits are an error of the test.
fn pico(text: &str) -> i128 {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 12, "{text}");
    let value = format!("{whole}{fraction:0<12}").parse::<i128>().unwrap();
    if negative { -value } else { value }
}

/// Rounded half-even to six places, in units of 10^-6.
fn micro(pico: i128) -> i128 {
    let (whole, rest) = (pico.div_euclid(1_000_000), pico.rem_euclid(1_000_000));
    whole + i128::from(rest > 500_000 || (rest == 500_000 && whole % 2 == 1))
}

fn amount(finding: &Published, name: &str) -> Option<i128> {
    let text = finding.json["estimated"].get(name)?.as_str()?;
    Some(pico(text) / 1_000_000)
}

type CsvRow = BTreeMap<String, String>;

fn csv_rows() -> Vec<CsvRow> {
    let mut reader = csv::Reader::from_path(sample()).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// Billed cost by a column, of the rows that are of interest.
fn billed_by(column: &str, is_wanted: impl Fn(&CsvRow) -> bool) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for row in csv_rows().iter().filter(|row| is_wanted(row)) {
        *sums.entry(row[column].clone()).or_default() += pico(&row["BilledCost"]);
    }
    sums
}

fn describes(row: &CsvRow, words: &str) -> bool {
    row["ChargeDescription"].contains(words)
}

fn of<'a>(findings: &'a [Published], check_id: &'a str) -> impl Iterator<Item = &'a Published> {
    findings.iter().filter(move |finding| finding.text("/check_id") == check_id)
}

#[test]
fn the_kinds_of_findings_and_their_money() {
    let mut kinds: BTreeMap<(String, String), (usize, i128, i128)> = BTreeMap::new();
    for finding in findings() {
        let kind = (finding.text("/check_id").to_owned(), finding.text("/status").to_owned());
        let (count, savings, cost) = kinds.entry(kind).or_default();
        *count += 1;
        *savings += amount(&finding, "monthly_savings").unwrap_or_default();
        *cost += amount(&finding, "monthly_cost").unwrap_or_default();
    }
    let check_ids: BTreeSet<_> = kinds.keys().map(|(check_id, _)| check_id).collect();
    assert!(check_ids.len() >= 10, "{check_ids:?}");
    let line = |((check, status), (count, savings, cost)): (&(String, String), &(usize, i128, i128))| {
        format!("{check:<40} {status:<5} {count:>3} findings  savings {savings:>8} µ  cost {cost:>9} µ")
    };
    insta::assert_snapshot!(kinds.iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn what_the_findings_say() {
    let said: BTreeMap<_, _> = findings()
        .iter()
        .map(|f| {
            (f.text("/check_id").to_owned(), [f.text("/title"), f.text("/message"), f.text("/advice")].join("\n  "))
        })
        .collect();
    let texts: Vec<_> = said.iter().map(|(check, text)| format!("{check}\n  {text}")).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn every_finding_names_resource_account_region_and_service() {
    let mut fingerprints = BTreeSet::new();
    for finding in findings() {
        for member in ["resource_id", "resource_type", "account_id", "billing_account_id", "region", "service", "cloud"]
        {
            assert!(!finding.text(&format!("/scope/{member}")).is_empty(), "{member} of {:#}", finding.json);
        }
        let service = finding.text("/scope/service");
        let is_code = finding.text("/scope/cloud") != "aws" || !service.contains(' ');
        assert!(is_code, "{service} is a name, not a product code");
        assert!(fingerprints.insert(finding.fingerprint.clone()), "two findings are one issue: {:#}", finding.json);
    }
}

/// Hours of September, the month of all findings of the sample.
const MONTH_HOURS: i128 = 720;

/// What each resource of the rows of interest costs in a month: its charge × 720 / the hours it was charged for.
fn monthly_by_resource(is_wanted: impl Fn(&CsvRow) -> bool) -> BTreeMap<String, i128> {
    let mut resources: BTreeMap<String, (BTreeSet<String>, i128)> = BTreeMap::new();
    for row in csv_rows().iter().filter(|row| is_wanted(row) && pico(&row["BilledCost"]) > 0) {
        let (hours, billed) = resources.entry(row["ResourceId"].clone()).or_default();
        // Rows of AWS are by the hour.
        hours.insert(row["ChargePeriodStart"].clone());
        *billed += pico(&row["BilledCost"]);
    }
    let monthly = |(resource, (hours, billed)): (String, (BTreeSet<String>, i128))| {
        (resource, billed * MONTH_HOURS / i128::try_from(hours.len()).unwrap())
    };
    resources.into_iter().map(monthly).collect()
}

/// A figure among the dimensions, in units of 10^-12.
fn figure(finding: &Published, name: &str) -> Option<i128> {
    finding.json["dimensions"].get(name)?.as_str().map(pico)
}

#[test]
fn gp2_savings_are_a_fifth_of_what_a_month_of_the_volume_costs() {
    let findings = findings();
    let is_gp2 = |row: &CsvRow| describes(row, "(gp2) provisioned storage");
    let (volumes, charged) = (monthly_by_resource(is_gp2), billed_by("ResourceId", is_gp2));
    let found: Vec<_> = of(&findings, "billing.ebs.gp2.to.gp3").collect();
    // Small volumes of an account are one finding; accounts with one have one of its own.
    let counts: Vec<_> = found.iter().map(|f| figure(f, "findings").map_or(1, |count| count / pico("1"))).collect();
    assert_eq!((counts.iter().sum::<i128>(), volumes.len()), (24, 24));
    let sums = |name: &str| found.iter().filter_map(|f| amount(f, name)).sum::<i128>();
    // All volumes are small: gp3 costs four fifths in every region of the sample and no extra speed is needed.
    // The bill's own figures are rounded to ten places, and a month has 720 times as much of that.
    let monthly = volumes.values().sum::<i128>();
    assert!((sums("monthly_cost") - micro(monthly)).abs() <= 24, "{}", sums("monthly_cost"));
    assert!((sums("monthly_savings") - micro(monthly / 5)).abs() <= 24, "{}", sums("monthly_savings"));
    for (finding, _) in found.iter().zip(&counts).filter(|(_, count)| **count == 1) {
        let volume = finding.text("/scope/resource_id");
        assert_eq!(amount(finding, "monthly_cost"), Some(micro(volumes[volume])), "{:#}", finding.json);
        let savings = amount(finding, "monthly_savings").unwrap();
        assert!((savings - micro(volumes[volume] / 5)).abs() <= 1, "{savings}: {:#}", finding.json);
        assert_eq!(figure(finding, "charged_cost"), Some(charged[volume]));
        assert!((figure(finding, "charged_savings").unwrap() - charged[volume] / 5).abs() <= 1_000);
    }
}

#[test]
fn idle_addresses_and_extended_support_are_saved_whole() {
    let findings = findings();
    let cases = [
        ("billing.ipv4.idle", "Idle public IPv4 address", 3),
        ("billing.database.support.extended", "Extended Support", 2),
    ];
    for (check_id, words, count) in cases {
        let monthly = monthly_by_resource(|row| describes(row, words));
        let found: BTreeMap<_, _> = of(&findings, check_id)
            .map(|f| {
                (f.text("/scope/resource_arn").to_owned(), (amount(f, "monthly_savings"), amount(f, "monthly_cost")))
            })
            .collect();
        let expected: BTreeMap<_, _> =
            monthly.into_iter().map(|(arn, cost)| (arn, (Some(micro(cost)), Some(micro(cost))))).collect();
        assert_eq!((found.len(), &found), (count, &expected), "{check_id}");
    }
}

#[test]
fn an_extract_says_nothing_of_what_runs_steadily() {
    assert_eq!(of(&findings(), "billing.compute.commitment.gap").count(), 0);
}

#[test]
fn both_figures_are_kept_and_the_formula_leads_from_one_to_the_other() {
    let registry = Registry::linked().unwrap();
    for finding in findings() {
        let month = registry.find(finding.text("/check_id")).unwrap().docs.month;
        for (charged, monthly) in [("charged_cost", "monthly_cost"), ("charged_savings", "monthly_savings")] {
            let (charged, monthly) = (figure(&finding, charged), amount(&finding, monthly));
            assert_eq!(charged.is_some(), monthly.is_some(), "{:#}", finding.json);
            let (Some(charged), Some(monthly)) = (charged, monthly) else { continue };
            let share = figure(&finding, "month_hours").zip(figure(&finding, "share_hours"));
            match (month, share) {
                // A sum over resources: each has its own share.
                (MonthRule::ByTime, None) => assert!(monthly >= micro(charged), "{:#}", finding.json),
                (MonthRule::ByTime, Some((month_hours, hours))) => {
                    let expected = micro(charged * month_hours / hours);
                    assert!((monthly - expected).abs() <= 1, "{expected}: {:#}", finding.json);
                    let hours = finding.text("/dimensions/share_hours");
                    let formula = format!(" × 720 hours of 2024-09 / {hours} hour");
                    assert!(finding.text("/estimated/notes").contains(&formula), "{:#}", finding.json);
                }
                (MonthRule::ByBill, None) => assert!(monthly >= micro(charged), "{:#}", finding.json),
                (MonthRule::ByBill, Some((month_hours, hours))) => {
                    let expected = micro(charged * month_hours / hours);
                    assert!((monthly - expected).abs() <= 1, "{expected}: {:#}", finding.json);
                }
                (rule, share) => panic!("{rule:?} {share:?}: {:#}", finding.json),
            }
            // An hour of a month is a guess at all of it, and so is a day.
            let limit = if finding.text("/dimensions/charged_hours") == "24" { 60 } else { 30 };
            assert!(month != MonthRule::ByTime || finding.json["estimated"]["confidence"].as_u64() <= Some(limit));
        }
    }
}

#[test]
fn findings_of_a_resource_save_no_more_than_a_month_of_it_costs() {
    let mut saved: BTreeMap<String, i128> = BTreeMap::new();
    for finding in findings().iter().filter(|f| f.text("/scope/resource_type") != "small_findings") {
        let Some(savings) = amount(finding, "monthly_savings") else { continue };
        *saved.entry(finding.text("/scope/resource_id").to_owned()).or_default() += savings;
    }
    let monthly = monthly_by_resource(|row| row["ProviderName"] == "AWS" && row["ChargeCategory"] == "Usage");
    assert!(saved.len() >= 8, "{saved:?}");
    for (resource, savings) in saved {
        let cost: i128 = monthly.iter().filter(|(id, _)| id.ends_with(&resource)).map(|(_, cost)| cost).sum();
        assert!(savings <= micro(cost), "{resource} saves {savings} of {}", micro(cost));
    }
}

#[test]
fn the_readme_of_the_sample_says_what_it_is() {
    let readme = std::fs::read_to_string(sample().with_file_name("README.md")).unwrap();
    let rows = csv_rows();
    let count = |provider: &str| rows.iter().filter(|row| row["ProviderName"] == provider).count();
    let counts = ["AWS", "Microsoft", "Oracle"].map(count);
    assert_eq!((rows.len(), counts, rows[0].len()), (700, [663, 34, 3], 44));
    for said in
        ["holds 700 rows", "300 of its 1,000 rows are left out", "663, 34 and 3", "CC BY 4.0", "FinOps Foundation"]
    {
        assert!(readme.contains(said), "{said}");
    }
    assert!(!readme.contains("unchanged"), "rows are left out, so it is not unchanged");
}

#[test]
fn savings_are_never_more_than_the_cost_and_never_a_mere_claim() {
    for finding in findings() {
        let (savings, cost) = (amount(&finding, "monthly_savings"), amount(&finding, "monthly_cost"));
        if let Some(savings) = savings {
            assert!(savings > 0 && Some(savings) <= cost, "{:#}", finding.json);
            assert_eq!(finding.text("/status"), "fail");
        }
    }
}

fn ids(findings: &[Published]) -> Vec<(&str, &str)> {
    findings.iter().map(|f| (f.fingerprint.as_str(), f.finding_id.as_str())).collect()
}

#[test]
fn the_same_bill_gives_the_same_findings_in_the_same_order() {
    let (one, other) = (findings(), publish(&plan("run-2", vec![sample()])));
    assert_eq!(ids(&one), ids(&other));
    for (one, mut other) in one.into_iter().zip(other) {
        other.json["run_id"] = one.json["run_id"].clone();
        assert_eq!(one.json, other.json);
    }
}

#[test]
fn a_second_run_stores_the_bill_once() {
    let world = World::new();
    world.run(&plan("run-1", vec![sample()])).unwrap();
    let first = world.stored("cur_facts");
    let report = world.run(&plan("run-2", vec![sample()])).unwrap();
    assert_eq!(world.stored("cur_facts"), first);
    assert!(report.billing.unwrap().months.iter().all(LiveMonth::is_unchanged));
    assert_eq!(world.values(topics::WIRE).len() as u64, 2 * report.manifest.published);
}

#[test]
fn the_manifest_tells_what_was_checked_and_published() {
    let world = World::new();
    let report = world.run(&plan("run-1", vec![sample()])).unwrap();
    let records = world.values(topics::RUNS);
    let [record] = records.as_slice() else { panic!("one manifest expected") };
    let manifest: RunManifest = serde_json::from_slice(record).unwrap();
    assert_eq!(manifest, report.manifest);
    assert_eq!(world.stored("_runs"), [contracts::layout::run_manifest("acme", "prod", "run-1")]);
    assert_eq!(manifest.status, RunStatus::Complete);
    assert_eq!(manifest.published, world.values(topics::WIRE).len() as u64);
    assert_eq!(manifest.scopes.iter().map(|scope| scope.findings).sum::<u64>(), manifest.published);
    assert!(manifest.scopes.iter().all(|scope| scope.status == RunStatus::Complete && scope.reason.is_empty()));
    let accounts = manifest.billed_accounts.as_ref().unwrap();
    assert!(accounts.contains("/subscriptions/73c0021f-a37d-433f-8baa-7450cb54eea6"), "{accounts:?}");
    let usage = manifest.billed_usage.as_ref().unwrap();
    let one = &usage["/subscriptions/73c0021f-a37d-433f-8baa-7450cb54eea6"];
    assert!(usage.keys().all(|account| accounts.contains(account)) && usage.values().any(|usage| usage.is_extract));
    assert!(one.from < one.until && one.until.as_str() <= "2024-10-02" && !one.services.is_empty(), "{one:?}");
    let found = accept(&world.values(topics::WIRE));
    assert!(found.iter().all(|finding| accounts.contains(finding.text("/scope/account_id"))));
    let mut months = BTreeMap::new();
    for delivery in &manifest.billing_deliveries {
        *months.entry(&*delivery.billing_period).or_insert(0) += delivery.accepted;
        assert_eq!((delivery.effect.as_str(), delivery.replaced.len()), ("added", 0));
    }
    assert_eq!(months, BTreeMap::from([("2024-09", 699), ("2024-10", 1)]));
    assert!(
        manifest.billing_deliveries.iter().any(|delivery| delivery.source.starts_with("azure/")),
        "each source has its own"
    );
    assert!(manifest.billing_deliveries.iter().all(|delivery| delivery.rejected.is_empty()));
}
