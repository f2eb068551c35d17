//! The report of a job: what was read of bills, and how far findings were priced.

use serde_json::{Value, json};
use tests::schemas::{assert_valid, validator};

use super::place::{Place, billing};

fn report(place: &Place, path: &str) -> Value {
    let report: Value = serde_json::from_slice(&std::fs::read(place.path().join(path)).unwrap()).unwrap();
    assert_valid(&validator("run_report"), &report, path);
    report
}

#[test]
fn a_run_writes_its_report_and_says_where() {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    let said = place.finops("run --tenant acme --workspace prod --bill bill.csv --output json").json(0);
    let path = said["report"].as_str().unwrap();
    assert!(path.starts_with("data/run_reports/acme/prod/run-") && path.ends_with("/run_report.json"), "{path}");
    let report = report(&place, path);
    for member in ["run_id", "tenant_id", "workspace_id", "billing"] {
        assert_eq!(report[member], said[member], "{member}");
    }
    assert_eq!(report["result"], said["status"]);
    assert_eq!(report["lines"]["read"], 700);
    assert_eq!(report["lines"]["accepted"], said["billing"]["rows_accepted"]);
    assert_eq!(report["quality"]["lines_by_currency"], json!({"USD": 700}));
    let totals = report["totals"].as_array().unwrap();
    assert!(totals.iter().all(|total| total["unblended"].is_string()), "{totals:?}");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(place.path().join("data/export/acme/manifest.json")).unwrap()).unwrap();
    let attribution = &report["attribution"];
    for member in ["findings_by_method", "findings_with_cost_30d"] {
        assert_eq!(attribution[member], manifest["costs"][member], "{member}");
    }
    assert_eq!(attribution["findings"], manifest["total"]);
}

#[test]
fn a_named_report_takes_the_place_of_the_usual_one() {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    place.finops("run --tenant acme --bill bill.csv --report own.json --output json").json(0);
    assert_eq!(report(&place, "own.json")["error"], Value::Null);
    assert!(!place.path().join("data/run_reports").exists());
    assert_eq!(place.finops("costs load --tenant globex --report load.json bill.csv").code, Some(0));
    let load = report(&place, "load.json");
    assert_eq!((&load["result"], &load["lines"]["read"]), (&json!("loaded"), &json!(700)));
    let own = report(&place, "own.json");
    assert_eq!((&load["totals"], &load["quality"]), (&own["totals"], &own["quality"]));
}

#[test]
fn a_run_that_fails_says_why_and_knows_nothing_else() {
    let place = Place::new();
    std::fs::write(place.path().join("bill.csv"), "a,b\n1,2\n").unwrap();
    assert_eq!(place.finops("run --tenant acme --bill bill.csv --report own.json").code, Some(65));
    let report = report(&place, "own.json");
    assert_eq!(
        (&report["result"], &report["lines"], &report["attribution"]),
        (&json!("failed"), &Value::Null, &Value::Null)
    );
    assert!(report["error"].as_str().unwrap().contains("bill.csv"), "{report}");
}

#[test]
fn without_a_bill_nothing_is_known_of_lines() {
    let place = Place::new();
    std::fs::write(place.path().join("none.ndjson"), "").unwrap();
    let said = place.finops("run --tenant acme --findings none.ndjson --output json").json(0);
    let report = report(&place, said["report"].as_str().unwrap());
    for member in ["lines", "billing", "quality", "totals", "attribution"] {
        assert_eq!(report[member], Value::Null, "{member}");
    }
}
