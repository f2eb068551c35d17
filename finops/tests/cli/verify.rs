//! `finops verify`: how it ends, and what it says.

use serde_json::Value;

use super::place::{Place, billing};

/// A bill of one tenant, loaded, checked, exported.
fn worked() -> Place {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    assert_eq!(place.finops("run --tenant acme --focus bill.csv").code, Some(0));
    place
}

fn not_compared(report: &Value) -> Vec<(String, String)> {
    let areas = report["areas"].as_array().unwrap().iter();
    let all = areas.flat_map(|area| {
        let left_out = area["not_compared"].as_array().unwrap().iter();
        left_out.map(|left_out| {
            (area["area"].as_str().unwrap().to_owned(), left_out["reason"].as_str().unwrap().to_owned())
        })
    });
    all.collect()
}

/// 0 means that all was compared, 65 that something is not as it must be, 4 that not all could be compared.
#[test]
fn the_exit_code_says_whether_all_was_compared() {
    let place = worked();
    let whole = place.finops("verify --output json").json(0);
    assert_eq!(not_compared(&whole), []);
    for area in whole["areas"].as_array().unwrap() {
        assert!(area["compared"].as_u64().unwrap() > 0 && area["differing"] == 0, "{area}");
    }
    assert!(place.finops("verify").text().ends_with("nothing is lost, nothing is there twice, nothing was changed\n"));

    let elsewhere = place.sh("mv data/export exported");
    assert_eq!(elsewhere.code, Some(0), "{elsewhere}");
    let report = place.finops("verify --output json").json(4);
    assert_eq!(not_compared(&report), [("exports".into(), "data/export is not on this machine".into())]);
    assert_eq!(place.finops("verify --allow-incomplete").code, Some(0));
    assert_eq!(place.finops("verify --export exported").code, Some(0));
    assert_eq!(place.sh("mv exported data/export").code, Some(0));

    let without_broker = place.sh("mkdir kept && mv data/broker.sqlite* kept");
    assert_eq!(without_broker.code, Some(0), "{without_broker}");
    let report = place.finops("verify --output json").json(4);
    let reason = "there is no broker to compare with";
    assert_eq!(
        not_compared(&report),
        [("wire_records".into(), reason.into()), ("run_manifests".into(), reason.into())]
    );
    assert!(!place.path().join("data/broker.sqlite").exists(), "looking makes nothing");
    // Another one in its place.
    assert_eq!(place.finops("validator run --drain").code, Some(0));
    let said = place.finops("verify");
    assert_eq!(said.code, Some(4), "{said}");
    assert!(said.text().contains("the broker has no topic of this id"), "{said}");
    assert!(said.text().ends_with("not everything could be compared, see above\n"), "{said}");
    assert_eq!(place.sh("rm data/broker.sqlite* && mv kept/* data").code, Some(0));

    assert_eq!(place.sh("rm data/cur_facts/*/*/part-*").code, Some(0));
    let said = place.finops("verify");
    assert_eq!(said.code, Some(65), "{said}");
    assert!(said.text().contains("cost_facts_missing") && said.text().contains("load the bill again"), "{said}");
    assert_eq!(place.finops("verify --allow-incomplete").code, Some(65));
}
