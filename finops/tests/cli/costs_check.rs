//! `finops costs check`: what of a FOCUS file does not keep the specification, as a report and as findings.

use serde_json::Value;

use super::place::{Place, repo};

const BILL: &str = "bill.csv";

/// A bill of one account with a negative price in `bad` of its 6 rows.
fn bill(bad: usize) -> String {
    let header = "BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,\
                  ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,ContractedCost,EffectiveCost,\
                  InvoiceIssuerName,ListCost,ListUnitPrice,PricingQuantity,PricingUnit,ProviderName,PublisherName,ServiceCategory,\
                  ServiceName,AvailabilityZone,SubAccountId\n";
    let row = |n: usize| {
        let sign = if n < bad { "-" } else { "" };
        format!(
            "3,999988887777,Main,USD,2026-02-01T00:00:00Z,2026-01-01T00:00:00Z,Usage,,hours,Usage-Based,2026-01-02T00:00:00Z,\
             2026-01-01T00:00:00Z,3,3,AWS,{sign}3,{sign}0.5,6,Hours,AWS,AWS,Compute,EC2,,111122223333\n"
        )
    };
    format!("{header}{}", (0..6).map(row).collect::<String>())
}

fn rules(report: &Value) -> Vec<String> {
    let violations = report["violations"].as_array().unwrap().iter();
    violations
        .map(|v| format!("{} {} {}", v["keyword"].as_str().unwrap(), v["rule"].as_str().unwrap(), v["count"]))
        .collect()
}

#[test]
fn a_file_is_checked_and_nothing_is_loaded() {
    let place = Place::new();
    place.write(BILL, bill(0));
    let good = place.finops(&format!("costs check {BILL} --output json"));
    assert_eq!(rules(&good.json(0)), [""; 0], "{good}");
    assert_eq!(place.names(), [BILL], "nothing is made");
    place.write(BILL, bill(2));
    let bad = place.finops(&format!("costs check {BILL} --output json"));
    let report = bad.json(65);
    assert_eq!(rules(&report), ["MUST ListUnitPrice.not_negative 2"]);
    let violation = &report["violations"][0];
    assert_eq!((violation["first"][1]["line"].as_u64(), &violation["first"][1]["cell"]), (Some(3), &"-0.5".into()));
    assert_eq!(violation["section"], "Columns, List Unit Price");
    assert_eq!(violation["by_source"][0]["source"], "aws/999988887777");
    let table = place.finops(&format!("costs check {BILL} --width 120"));
    assert_eq!(table.code, Some(65), "{table}");
    assert!(table.text().contains("line 2: \"-0.5\""), "{table}");
    assert!(table.stderr.contains("bill.csv: 6 rows, checked by FOCUS 1.0"), "{table}");
    let other = place.finops(&format!("costs check {BILL} --focus-version 1.2 --output json")).json(65);
    assert!(rules(&other).contains(&"SHOULD InvoiceId.present 1".to_owned()), "{:?}", rules(&other));
}

#[test]
fn what_cannot_be_checked_is_said() {
    let place = Place::new();
    let legacy = repo("producers/collectors/tests/golden/cur/input/legacy_csv/");
    let refused = place.finops(&format!("costs check {}", legacy.display()));
    assert_eq!(refused.code, Some(65), "{refused}");
    let said = "is an AWS cost and usage report (legacy); only FOCUS cost and usage exports can be checked";
    assert!(refused.stderr.contains(said), "{refused}");
    assert_eq!(place.finops("costs check none.csv").code, Some(65));
    assert_eq!(place.finops("costs check --focus-version 2 bill.csv").code, Some(64));
    assert_eq!(place.finops("costs check --findings bill.csv").code, Some(64), "whose findings they are must be said");
}

fn findings(place: &Place) -> Vec<(String, String, String)> {
    let listed = place.finops("findings list --tenant acme --output ndjson").lines(0);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    listed.iter().map(|row| (text(row, "fingerprint"), text(row, "check_id"), text(row, "status"))).collect()
}

/// Findings live on: the same violation in the next delivery is the same finding, and one that is corrected is in no later run.
#[test]
fn what_is_found_becomes_findings_of_one_identity() {
    let place = Place::new();
    place.write(BILL, bill(2));
    let check = format!("costs check --findings --tenant acme --output json {BILL}");
    let first = place.finops(&check).json(65);
    assert_eq!((&first["run"]["published"], &first["run"]["dead_letters"]), (&1.into(), &0.into()), "{first:#}");
    let one = findings(&place);
    assert_eq!((one.len(), one[0].1.as_str()), (1, "billing.data.focus.nonconformant"));
    place.write(BILL, bill(5));
    place.finops(&check).json(65);
    assert_eq!(findings(&place), one, "another count is no other finding");
    place.write(BILL, bill(0));
    let clean = place.finops(&check).json(0);
    assert_eq!((&clean["run"]["published"], &clean["run"]["status"]), (&0.into(), &"complete".into()), "{clean:#}");
    assert!(!place.path().join("data/cur_facts").exists(), "no bill is loaded");
    assert_eq!(place.finops("verify --output json").json(0)["problems"], Value::Array(Vec::new()));
}

fn manifests(place: &Place) -> Vec<Value> {
    let folder = place.path().join("data/_runs/acme/default");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort_by_key(|path| std::fs::metadata(path).unwrap().modified().unwrap());
    paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

/// What a check did not look at it does not resolve: its manifest names the accounts of its files, and each export is a producer.
#[test]
fn a_check_says_whose_bills_it_looked_at() {
    let place = Place::new();
    place.write(BILL, bill(2));
    let other = bill(0).replace("999988887777", "444455556666");
    place.write("other.csv", other);
    place.finops(&format!("costs check --findings --tenant acme --output json {BILL}")).json(65);
    place.finops("costs check --findings --tenant acme --output json other.csv").json(0);
    place.finops("costs check --findings --tenant acme --source daily --output json other.csv").json(0);
    let said = |manifest: &Value| {
        let scopes = manifest["scopes"].as_array().unwrap().iter();
        let scopes: Vec<String> =
            scopes.map(|scope| format!("{} {}", scope["account_id"].as_str().unwrap(), scope["findings"])).collect();
        format!("{}: {}", manifest["engine_name"].as_str().unwrap(), scopes.join(", "))
    };
    assert_eq!(
        manifests(&place).iter().map(said).collect::<Vec<_>>(),
        [
            "finops-costs-check: 999988887777 1",
            "finops-costs-check: 444455556666 0",
            "finops-costs-check/daily: 444455556666 0",
        ]
    );
}

/// A run of the checker by name loads the bill, too; without its name it does not run.
#[test]
fn a_run_checks_it_only_where_it_is_named() {
    let place = Place::new();
    place.write(BILL, bill(2));
    let named =
        place.finops(&format!("run --tenant acme --bill {BILL} --checker focus.conformance --output json")).json(0);
    assert_eq!((&named["published"], &named["status"]), (&1.into(), &"complete".into()), "{named:#}");
    let dry = place.finops(&format!("run --tenant acme --bill {BILL} --dry-run --output ndjson")).lines(0);
    assert!(!dry.iter().any(|row| row["what"] == "checks.focus.conformance:FocusConformanceChecker"), "{dry:?}");
}
