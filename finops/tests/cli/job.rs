//! `finops run`, the main job, and what can be seen of its result.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::place::{FINOPS, Place, billing, good};

fn with_bill() -> Place {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    place
}

fn ids(place: &Place, arguments: &str) -> BTreeSet<String> {
    let listed = place.finops(&format!("findings list --tenant acme --limit 10000 --output ndjson {arguments}"));
    listed.lines(0).iter().map(|finding| finding["finding_id"].as_str().unwrap().to_owned()).collect()
}

fn exported(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(place.path().join("data/export/acme").join(name)).unwrap()).unwrap()
}

#[test]
fn real_billing_data_goes_through_the_whole_chain() {
    let place = with_bill();
    let run = || place.finops("run --tenant acme --workspace prod --focus bill.csv --output json").json(0);
    let first = run();
    assert_eq!((&first["status"], &first["complete"]), (&json!("complete"), &json!(true)), "{first}");
    assert_eq!((&first["published"], &first["dead_letters"]), (&first["valid"], &json!(0)), "{first}");
    assert_eq!(first["rows"], first["published"], "{first}");
    assert!(first["by_check"].as_object().unwrap().len() >= 10, "{first}");
    assert_eq!(first["billing"]["rows_accepted"], 700, "{first}");
    let stages: Vec<_> = first["stages_ms"].as_array().unwrap().iter().map(|stage| stage[0].clone()).collect();
    assert_eq!(stages, ["collect", "check", "publish", "validate", "sink", "export"]);
    for name in ["findings.json", "summary.json", "top_savings.json", "coverage.json"] {
        exported(&place, name);
    }
    let ids_first = ids(&place, "");
    assert!(!ids_first.is_empty());

    let exports = ["findings.json", "top_savings.json"].map(|name| exported(&place, name).as_array().unwrap().len());
    let second = run();
    assert_eq!((&second["published"], &second["duplicates"]), (&first["published"], &json!(0)));
    assert_eq!(second["potential_savings_monthly"], first["potential_savings_monthly"]);
    assert_eq!(ids(&place, "--all-runs"), ids_first, "the same issues have the same ids");
    let after = ["findings.json", "top_savings.json"].map(|name| exported(&place, name).as_array().unwrap().len());
    assert_eq!(after, exports, "exports do not grow with runs");
    let verified = place.finops("verify --output json").json(0);
    assert_eq!(verified["findings_rows"].as_u64(), first["rows"].as_u64().map(|rows| 2 * rows), "{verified}");
}

#[test]
fn a_finding_is_found_by_the_start_of_its_id() {
    let place = with_bill();
    assert_eq!(place.finops("run --tenant acme --focus bill.csv --checker focus.ebs.gp2.to.gp3").code, Some(0));
    let all = ids(&place, "--status fail");
    let id = all.first().unwrap();
    let found = place.finops(&format!("findings show --tenant acme {} --output json", &id[..12])).json(0);
    assert_eq!(found["record"]["finding_id"], id.as_str());
    assert_eq!(found["record"]["check_id"], "billing.ebs.gp2.to.gp3");
    let short = place.finops(&format!("findings show --tenant acme {}", &id[..4]));
    assert_eq!(short.code, Some(65), "{short}");
}

/// Good ones of two tenants, and three that are broken.
fn mixed() -> Vec<u8> {
    let (mine, theirs) = (good("acme", "vol-1"), good("globex", "vol-2"));
    let lines: [&[u8]; 6] = [&mine, b"{\"a", b"\xff\xfe{}", b"", b"{\"tenant_id\":\"acme\"}\r", &theirs];
    lines.join(&b'\n')
}

#[test]
fn each_finding_is_a_row_or_a_dead_letter() {
    let place = Place::new();
    place.write("mixed.ndjson", mixed());
    let ended = place.finops("run --tenant acme --workspace prod --findings mixed.ndjson");
    insta::with_settings!({ filters => [
        (r"run-\d{4}-\d\d-\d\dT[0-9:.%A]+Z-[0-9a-f]{8}", "RUN"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "TOPIC"),
        (r"\d+\.\d{3} s", "TIME"),
        (r"\d+ bytes", "BYTES"),
        (r"\d+ KPI rows", "N KPI rows"),
    ] }, {
        insta::assert_snapshot!("run", ended);
    });
    let list = place.finops("dlq list --output ndjson").lines(0);
    let codes: BTreeMap<_, _> =
        list.iter().map(|l| (l["src"].as_str().unwrap(), l["code"].as_str().unwrap())).collect();
    assert_eq!(codes.values().copied().collect::<Vec<_>>(), ["bad_json", "bad_json", "required"]);
    let letters: Vec<_> =
        codes.keys().map(|src| place.finops(&format!("dlq show {src} --output json")).json(0)).collect();
    let values: Vec<_> = letters.iter().map(|letter| letter["value"].clone()).collect();
    assert_eq!(values[0], json!({ "text": "{\"a" }));
    assert_eq!(values[1], json!({ "hex": "fffe7b7d" }));
    assert_eq!(values[2], json!({ "text": "{\"tenant_id\":\"acme\"}\r" }), "bytes as received");
    assert!(letters[2]["errors"].as_array().unwrap().len() > 5, "all violations, not the first");
    let stats = place.finops("dlq stats --output ndjson").lines(0);
    assert_eq!(stats.iter().map(|s| s["count"].as_u64().unwrap()).sum::<u64>(), 3);
    assert_eq!(place.finops("dlq list --code required --output ndjson").lines(0).len(), 1);
    assert_eq!(place.finops("dlq list --limit 2 --output ndjson").lines(0).len(), 2);
    let globex = place.finops("findings list --tenant globex --output ndjson").lines(0);
    assert_eq!(globex.len(), 1, "{globex:?}");
    let acme = place.finops("findings list --tenant acme --output ndjson").lines(0);
    assert_eq!(acme.len(), 1, "the run that passed it on is no later run that found nothing: {acme:?}");
    assert_eq!(place.finops("verify").code, Some(0));
}

#[test]
fn the_seed_command_says_why_it_could_not_check() {
    let place = Place::new();
    let spec = "checks.aws.s3_lifecycle_missing:S3LifecycleMissingChecker";
    let line = format!("run --tenant acme --workspace prod --checker {spec} --out data/finops_findings");
    let ended = place.finops(&line);
    assert_eq!(ended.code, Some(77), "{ended}");
    assert!(ended.text().contains(&format!("skipped: {spec}: no AWS credentials are configured")), "{ended}");
    assert_eq!(place.names(), ["data"], "broker and findings are in one folder");
}

#[test]
fn a_dry_run_makes_nothing() {
    let place = with_bill();
    let line =
        "run --tenant acme --focus bill.csv --checker focus.ipv4.idle focus.tags.missing --dry-run --output ndjson";
    let rows = place.finops(line).lines(0);
    let what: Vec<_> = rows.iter().map(|row| row["what"].as_str().unwrap()).collect();
    let (idle, tags) =
        ("checks.focus.public_ipv4_idle:PublicIpv4IdleChecker", "checks.focus.tags_missing:TagsMissingChecker");
    assert_eq!(what, ["bill.csv", idle, tags]);
    assert_eq!(place.names(), ["bill.csv"]);
}

/// What a run that died has published is finished by the next one, whatever that is about.
#[test]
fn the_next_run_finishes_what_a_killed_one_left() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    place.write("b.ndjson", good("acme", "vol-2"));
    for point in ["validator.step.begin", "sink.commit.begin", "sink.publish.begin", "exporter.export.written"] {
        let run = ["run", "--tenant", "acme", "--findings", "a.ndjson"];
        let killed = place.command(FINOPS).args(run).env("FINOPS_FAILPOINT", point).output().unwrap();
        assert_eq!(killed.status.code(), None, "{point}: {}", String::from_utf8_lossy(&killed.stderr));
    }
    assert_eq!(place.finops("run --tenant acme --findings b.ndjson").code, Some(0));
    let verified = place.finops("verify --output json").json(0);
    assert_eq!(verified["findings_rows"], 5, "four runs of one and one of the other: {verified}");
    assert_eq!(verified["in_flight"], json!({ "unjudged": 0, "unwritten": 0 }), "{verified}");
    assert_eq!(ids(&place, "--all-runs").len(), 2);
}

#[test]
fn a_lost_file_is_noticed_and_brought_back() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    assert_eq!(place.finops("run --tenant acme --findings a.ndjson").code, Some(0));
    let removed = place.sh("rm $(find data/finops_findings -name '*.parquet')");
    assert_eq!(removed.code, Some(0), "{removed}");
    let verified = place.finops("verify");
    assert_eq!(verified.code, Some(65), "{verified}");
    assert!(verified.text().contains("1 problem(s):"), "{verified}");
    let planned = place.finops("repair --dry-run --output json").json(0);
    assert_eq!((&planned["dry_run"], &planned["done"]["files"]), (&json!(true), &json!(0)), "{planned}");
    let repaired = place.finops("repair");
    assert_eq!(repaired.code, Some(0), "{repaired}");
    assert_eq!(place.finops("sink run --drain").code, Some(0));
    let verified = place.finops("verify");
    assert_eq!(verified.code, Some(0), "{verified}");
}
