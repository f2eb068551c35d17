//! Runs, and which later ones tell of them.

use std::sync::Arc;

use contracts::run_manifest::RunManifest;
use lake::cut::Looked;
use serde_json::{Value, json};

use super::*;

/// A run of a day of January that made a check at these targets, over what `usage` says: per account until which day, and services.
fn run(day: u32, targets: &[(&str, &str)], usage: Option<&[(&str, u32, &[&str])]>) -> RunFact {
    let scope = |(account, region): &(&str, &str)| {
        json!({"checker": "c", "check_ids": ["volumes"], "account_id": account, "region": region, "status": "complete",
               "reason": "", "denied_operations": [], "throttled_operations": [], "api_calls": 0, "findings": 0,
               "duration_ms": 0})
    };
    let of = |(account, until, services): &(&str, u32, &[&str])| {
        let until = format!("2026-01-{until:02}T00:00:00.000Z");
        let reach =
            json!({"from": "2026-01-01T00:00:00.000Z", "until": until, "is_extract": false, "services": services});
        ((*account).to_owned(), reach)
    };
    let usage = usage.map(|all| Value::Object(all.iter().map(of).collect()));
    let run_ts = format!("2026-01-{day:02}T10:00:00.000Z");
    let manifest: RunManifest = serde_json::from_value(json!({
        "format_version": 1, "tenant_id": "acme", "workspace_id": "prod", "run_id": format!("r{day}"), "run_ts": run_ts,
        "created_at": run_ts, "status": "complete", "finding_id_mode": "stable", "engine_name": "e", "engine_version": "1",
        "rulepack_version": "1", "schema_version": 1, "published": 0,
        "scopes": targets.iter().map(scope).collect::<Vec<_>>(), "billed_usage": usage, "billing_deliveries": [], "notes": {}
    }))
    .unwrap();
    RunFact {
        tenant_id: "acme".into(),
        workspace_id: "prod".into(),
        run_id: manifest.run_id.clone(),
        engine_name: "e".into(),
        run_ts,
        status: manifest.status,
        published: 0,
        delivered: 0,
        is_complete: true,
        is_import: false,
        scopes_failed: 0,
        looked: Arc::new(Looked::of(&manifest).unwrap()),
    }
}

const BILL: &[(&str, &str)] = &[(ANY, ANY)];

/// Which runs tell of the first one: `run account/region/family`.
fn check(runs: &[RunFact], expected: &[&str]) {
    let next = of_runs(runs.iter()).remove(day_of(&runs[0])).unwrap_or_default();
    let mut shown: Vec<String> = next
        .iter()
        .flat_map(|next| {
            next.areas.iter().map(|a| format!("{} {}/{}/{}", next.next.run_id, a.account, a.region, a.family))
        })
        .collect();
    shown.sort();
    assert_eq!(shown, expected);
}

#[test]
fn each_account_has_the_next_run_that_looked_at_it() {
    let first = run(1, BILL, Some(&[("a", 10, &["ec2"]), ("b", 10, &["ec2"])]));
    let of_a = run(2, BILL, Some(&[("a", 10, &["ec2"])]));
    let older = run(3, BILL, Some(&[("b", 9, &["ec2"])]));
    let of_both = run(4, BILL, Some(&[("a", 12, &["ec2"]), ("b", 12, &["ec2"])]));
    let expected = ["r2 a/*/", "r2 a/*/ec2", "r4 b/*/", "r4 b/*/ec2"];
    check(&[first, of_a, older, of_both], &expected);
}

#[test]
fn each_region_has_the_next_run_that_looked_at_it() {
    let both: &[_] = &[("a", "eu"), ("a", "us")];
    check(&[run(1, both, None), run(2, &[("a", "eu")], None), run(3, both, None)], &["r2 a/eu/*", "r3 a/us/*"]);
    check(&[run(1, both, None), run(2, &[("b", "eu")], None)], &["r2 b/eu/*"]);
}

#[test]
fn a_service_without_rows_has_ended_where_all_others_are_there() {
    let first = || run(1, BILL, Some(&[("a", 10, &["ec2", "elb", "kms", "s3"])]));
    let after = |services: &'static [&str]| run(2, BILL, Some(&[("a", 10, services)]));
    let ended = ["r2 a/*/", "r2 a/*/ec2", "r2 a/*/elb", "r2 a/*/kms", "r2 a/*/s3"];
    check(&[first(), after(&["ec2", "kms", "s3", "sns"])], &ended);
    check(&[first(), after(&["ec2", "kms"])], &["r2 a/*/", "r2 a/*/ec2", "r2 a/*/kms"]);
    // Few services do not tell.
    let few = run(1, BILL, Some(&[("a", 10, &["ec2", "elb", "s3"])]));
    check(&[few, after(&["ec2", "s3"])], &["r2 a/*/", "r2 a/*/ec2", "r2 a/*/s3"]);
}

#[test]
fn a_run_that_does_not_say_how_far_a_bill_went_resolves_nothing() {
    let mut unknown = run(2, BILL, None);
    let mut looked = Looked::clone(&unknown.looked);
    looked.bill = BillsRead::Unknown;
    unknown.looked = Arc::new(looked);
    check(&[run(1, BILL, Some(&[("a", 10, &["ec2"])])), unknown], &[]);
    check(&[run(1, BILL, None), run(2, BILL, None)], &["r2 */*/*"]);
}

#[test]
fn runs_far_behind_are_not_looked_at() {
    let first = run(1, &[("a", "eu")], None);
    let later = |others: usize| {
        let mut runs = vec![first.clone()];
        runs.extend((0..others).map(|_| run(2, &[], None)));
        runs.push(run(3, &[("a", "eu")], None));
        runs
    };
    check(&later(FOLLOWERS_MAX - 1), &["r3 a/eu/*"]);
    check(&later(FOLLOWERS_MAX), &[]);
}
