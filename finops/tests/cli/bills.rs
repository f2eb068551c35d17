//! Bills loaded one after another, at once, and by programs that are killed: what counts, and what is reported.

use std::collections::BTreeMap;
use std::thread;

use platform::failpoint;
use serde_json::Value;
use tests::declared;

use super::place::{FINOPS, Place};

const HEADER: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,ProviderName,ChargePeriodStart,\
                      ChargePeriodEnd,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ServiceName,ResourceId";
const RUN: &str = "run --tenant acme --workspace prod --checker focus.ebs.gp2.to.gp3 --output json";

/// A bill of some days of September that costs so much a day.
fn bill(provider: &str, account: &str, days: std::ops::Range<u32>, cost: i64) -> String {
    let row = |day: u32| {
        format!(
            "{cost},{cost},USD,{account},111122223333,{provider},2026-09-{day:02}T00:00:00Z,2026-09-{:02}T00:00:00Z,\
             2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,Usage,Compute,vm-1\n",
            day + 1
        )
    };
    days.fold(format!("{HEADER}\n"), |text, day| text + &row(day))
}

fn month(place: &Place) -> std::path::PathBuf {
    place.path().join("data/cur_facts/tenant_id=acme/billing_period=2026-09")
}

/// Live billed cost by source, as the manifest says; the files it names are there.
fn billed(place: &Place) -> BTreeMap<String, i64> {
    let Ok(bytes) = std::fs::read(month(place).join("_manifest.json")) else { return BTreeMap::new() };
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let size = std::fs::metadata(month(place).join(manifest["part"].as_str().unwrap())).unwrap().len();
    assert_eq!(manifest["bytes"], size);
    let delivery = |delivery: &Value| {
        let account = delivery["source"]["billing_account"].as_str().unwrap().to_owned();
        (account, delivery["totals"]["USD"]["unblended"].as_str().unwrap().parse::<i64>().unwrap())
    };
    let mut all = BTreeMap::new();
    for (account, cost) in manifest["deliveries"].as_array().unwrap().iter().map(delivery) {
        *all.entry(account).or_default() += cost;
    }
    all
}

fn of<const N: usize>(costs: [(&str, i64); N]) -> BTreeMap<String, i64> {
    costs.into_iter().map(|(account, cost)| (account.to_owned(), cost)).collect()
}

#[test]
fn what_a_bill_replaces_is_reported_and_what_is_unclear_is_refused() {
    let place = Place::new();
    place.write("aws.csv", bill("AWS", "999988887777", 1..4, 10));
    place.write("azure.csv", bill("Microsoft", "/billingAccounts/1", 1..4, 5));
    place.write("aws-corrected.csv", bill("AWS", "999988887777", 1..4, 9));
    place.write("aws-one-day.csv", bill("AWS", "999988887777", 2..3, 1));
    for name in ["aws", "azure"] {
        place.finops(&format!("{RUN} --focus {name}.csv")).json(0);
    }
    assert_eq!(billed(&place), of([("999988887777", 30), ("/billingAccounts/1", 15)]));

    let text = place.finops("run --tenant acme --checker focus.ebs.gp2.to.gp3 --focus aws-corrected.csv");
    assert_eq!(text.code, Some(0), "{text}");
    let line = "2026-09 aws/999988887777: 3 rows replace 3 rows, 30 USD billed (delivery ";
    assert!(text.text().contains(line), "{text}");
    let again = place.finops("run --tenant acme --checker focus.ebs.gp2.to.gp3 --focus aws-corrected.csv");
    assert!(again.text().contains("unchanged: 1 of 1 bill(s)"), "{again}");
    assert_eq!(billed(&place), of([("999988887777", 27), ("/billingAccounts/1", 15)]));

    let refused = place.finops(&format!("{RUN} --focus aws-one-day.csv"));
    assert_eq!(refused.code, Some(65), "{refused}");
    for part in ["--restate", "--increment", "aws/999988887777", "2026-09"] {
        assert!(refused.stderr.contains(part), "{part} is not in {refused}");
    }
    assert_eq!(billed(&place), of([("999988887777", 27), ("/billingAccounts/1", 15)]));
    let both = place.finops(&format!("{RUN} --focus aws-one-day.csv --restate --increment"));
    assert_eq!(both.code, Some(64), "{both}");

    let added = place.finops(&format!("{RUN} --focus aws-one-day.csv --increment")).json(0);
    assert_eq!(added["billing"]["deliveries"][0]["effect"], "added");
    assert_eq!(billed(&place), of([("999988887777", 28), ("/billingAccounts/1", 15)]));
    let twice = place.finops(&format!("{RUN} --focus aws-one-day.csv --source daily"));
    assert!(twice.code == Some(65) && twice.stderr.contains("it would count twice"), "{twice}");
    let named = place.finops(&format!("{RUN} --focus aws-one-day.csv --source daily --increment")).json(0);
    assert_eq!(named["billing"]["deliveries"][0]["source"], "aws/999988887777 (daily)");
    assert_eq!(billed(&place)["999988887777"], 29);
    let restated = place.finops(&format!("{RUN} --focus aws-corrected.csv --restate")).json(0);
    assert_eq!(restated["billing"]["deliveries"][0]["effect"], "replaced", "it takes back what was added to it");
    assert_eq!(billed(&place)["999988887777"], 28, "what has a name of its own stays");
}

#[test]
fn a_load_that_is_killed_anywhere_is_completed_by_the_same_command() {
    let points: Vec<_> = declared::crash_points().into_iter().filter(|name| name.starts_with("producers.")).collect();
    assert!(points.len() >= 6);
    for point in points {
        let place = Place::new();
        place.write("aws.csv", bill("AWS", "999988887777", 1..4, 10));
        place.write("azure.csv", bill("Microsoft", "/billingAccounts/1", 1..4, 5));
        place.finops(&format!("{RUN} --focus azure.csv")).json(0);
        let before = of([("/billingAccounts/1", 15)]);
        let after = of([("/billingAccounts/1", 15), ("999988887777", 30)]);
        let load = format!("{RUN} --focus aws.csv");
        let killed =
            place.command(FINOPS).args(load.split_whitespace()).env(failpoint::VARIABLE, point).output().unwrap();
        assert_eq!(killed.status.code(), None, "{point} is passed");
        assert!([&before, &after].contains(&&billed(&place)), "{point}: {:?}", billed(&place));
        place.finops(&load).json(0);
        assert_eq!(billed(&place), after, "{point}");
    }
}

#[test]
fn two_runs_at_once_both_count() {
    let place = Place::new();
    place.write("1.csv", bill("AWS", "111111111111", 1..20, 10));
    place.write("2.csv", bill("AWS", "222222222222", 1..20, 5));
    thread::scope(|scope| {
        let run = |name: &'static str| {
            let place = &place;
            scope.spawn(move || place.finops(&format!("{RUN} --focus {name}")))
        };
        for ended in [run("1.csv"), run("2.csv")].map(|run| run.join().unwrap()) {
            assert!([Some(0), Some(75)].contains(&ended.code), "{ended}");
        }
    });
    assert_eq!(billed(&place), of([("111111111111", 190), ("222222222222", 95)]));
}
