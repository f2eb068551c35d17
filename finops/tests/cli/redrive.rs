//! `finops dlq redrive`: dead letters go back once, changed as asked, and who did it is on record.

use std::process::Command;

use serde_json::{Value, json};

use super::place::{Ended, FINOPS, Place, good};

const PATCH: &str =
    r#"[{"op":"test","path":"/status","value":"nonsense"},{"op":"replace","path":"/status","value":"fail"}]"#;

/// `broken` findings with a status that is none, one that is no JSON, and ten good ones.
fn place(broken: usize) -> Place {
    let place = Place::new();
    let mut lines = Vec::new();
    for n in 0..broken {
        let mut finding: Value = serde_json::from_slice(&good("acme", &format!("vol-{n}"))).unwrap();
        finding["status"] = json!("nonsense");
        lines.extend([finding.to_string().into_bytes(), b"\n".to_vec()].concat());
    }
    lines.extend(b"{\n");
    for n in 0..10 {
        lines.extend([good("acme", &format!("good-{n}")), b"\n".to_vec()].concat());
    }
    place.write("findings.ndjson", lines);
    place.write("patch.json", PATCH);
    let ended = place.finops("run --tenant acme --findings findings.ndjson");
    assert!(matches!(ended.code, Some(0 | 65)), "{ended}");
    place
}

fn drain(place: &Place) {
    for role in ["validator", "sink"] {
        let ended = place.finops(&format!("{role} run --drain"));
        assert_eq!(ended.code, Some(0), "{ended}");
    }
}

fn rows(place: &Place) -> (u64, u64) {
    // These places have no exporter: nothing makes files of what is redriven.
    let report = place.finops("verify --allow-incomplete --output json").json(0);
    assert_eq!(report["problems"], json!([]));
    (report["findings_rows"].as_u64().unwrap(), report["dead_letter_rows"].as_u64().unwrap())
}

fn audits(place: &Place, name: &str) -> Vec<Value> {
    let root = place.path().join("data/_audit/redrive");
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    folders.sort();
    folders.iter().filter_map(|f| serde_json::from_slice(&std::fs::read(f.join(name)).ok()?).ok()).collect()
}

#[test]
fn what_was_mended_becomes_rows_and_is_never_sent_twice() {
    let place = place(7);
    assert_eq!(rows(&place), (10, 8));
    let plan = place.finops("dlq redrive --code enum --patch patch.json --dry-run --output json").json(0);
    assert_eq!((&plan["matching"], &plan["sent"], &plan["audit"]), (&json!(7), &json!(7), &Value::Null), "{plan}");
    assert!(!place.path().join("data/_audit").exists(), "a plan writes nothing");

    let done = place.finops("dlq redrive --all --patch patch.json --by ann --max 5 --output json").json(0);
    assert_eq!((&done["sent"], &done["is_capped"]), (&json!(5), &json!(true)), "{done}");
    let done = place.finops("dlq redrive --all --patch patch.json --by ann --output json").json(0);
    assert_eq!((&done["matching"], &done["sent"]), (&json!(8), &json!(2)), "{done}");
    assert_eq!(done["refused"], json!({"sent_before": 5, "patch_failed": 1}));
    assert_eq!(done["refusals"].as_array().unwrap().len(), 1, "{done}");
    drain(&place);
    assert_eq!(rows(&place), (17, 8), "each once");

    let again = place.finops("dlq redrive --code enum --output json").json(0);
    assert_eq!((&again["sent"], &again["refused"]), (&json!(0), &json!({"sent_before": 7})));

    let plans = audits(&place, "plan.json");
    assert_eq!(plans.len(), 2, "a redrive without anything to send leaves no record");
    assert_eq!((&plans[0]["by"], &plans[0]["plan"]["max"]), (&json!("ann"), &json!(5)));
    assert_eq!(plans[0]["plan"]["patch"], serde_json::from_str::<Value>(PATCH).unwrap());
    let results = audits(&place, "result.json");
    assert_eq!((&results[0]["end"], &results[1]["end"]), (&json!("stopped"), &json!("done")));
    let position = results[0]["result"]["first"][0]["position"].as_str().unwrap();
    assert!(position.starts_with("finops.findings.wire/"), "{position}");
}

/// A number of eighteen digits is another one as a float.
#[test]
fn the_record_tells_the_patch_digit_for_digit() {
    let place = place(1);
    let patch =
        r#"[{"op":"replace","path":"/status","value":"fail"},{"op":"add","path":"/x","value":123456789012.345678}]"#;
    place.write("patch.json", patch);
    let done = place.finops("dlq redrive --code enum --patch patch.json --output json").json(0);
    let plan = place.path().join("data").join(done["audit"].as_str().unwrap()).join("plan.json");
    let plan = std::fs::read_to_string(plan).unwrap();
    assert!(plan.contains(patch), "{plan}");
}

#[test]
fn a_letter_that_keeps_coming_back_is_left_alone() {
    let place = place(2);
    for round in 1..=2 {
        let done = place.finops("dlq redrive --code enum --replays-max 2 --output json").json(0);
        assert_eq!(done["sent"], json!(2), "{done}");
        drain(&place);
        assert_eq!(rows(&place), (10, 3 + 2 * round));
    }
    let done = place.finops("dlq redrive --code enum --replays-max 2 --output json").json(0);
    assert_eq!((&done["sent"], &done["refused"]), (&json!(0), &json!({"redriven_too_often": 2, "sent_before": 4})));
    let letters = place.finops("dlq list --code enum --output json").json(0);
    let first: Vec<_> = letters.as_array().unwrap().iter().map(|l| l["first_seen"].as_str().unwrap()).collect();
    assert!(first.windows(2).all(|pair| pair[0] == pair[1]), "first seen stays: {first:?}");
}

/// Killed before a part is sent, after it was sent, and after that was written down.
#[test]
fn killed_in_the_middle_and_begun_again_each_goes_once() {
    for (rate, point, sent) in [
        ("", "intended:1", 0),
        ("", "sent:1", 100),
        (" --rate 40", "intended:2", 40),
        (" --rate 40", "sent:2", 80),
        (" --rate 40", "noted:1", 40),
    ] {
        let place = place(100);
        let mut command = place.command(FINOPS);
        command.args(format!("dlq redrive --code enum --patch patch.json{rate}").split(' '));
        let killed = command.env("FINOPS_FAILPOINT", format!("operator.redrive.{point}")).status().unwrap();
        assert_eq!(killed.code(), None, "{point}: it was killed");
        let plan = place.finops("dlq redrive --code enum --patch patch.json --dry-run --output json").json(0);
        let planned = plan["sent"].as_u64().unwrap();
        let unanswered = plan["refused"]["unanswered"].as_u64().unwrap_or_default();
        assert!(
            (planned..=planned + unanswered).contains(&(100 - sent)),
            "{point}: what is not known is reported: {plan}"
        );
        let done = place.finops("dlq redrive --code enum --patch patch.json --output json").json(0);
        let refused = if sent > 0 { json!({ "sent_before": sent }) } else { json!({}) };
        assert_eq!((&done["sent"], &done["refused"]), (&json!(100 - sent), &refused), "{point}");
        let ends: Vec<_> = audits(&place, "result.json").iter().map(|result| result["end"].clone()).collect();
        assert_eq!(ends, ["interrupted", "done"], "{point}");
        drain(&place);
        assert_eq!(rows(&place), (110, 101), "{point}");
    }
}

#[test]
fn two_at_once_do_not_get_in_each_others_way() {
    let place = place(60);
    let start = |n: u32| {
        let mut command: Command = place.command(FINOPS);
        let arguments = format!("dlq redrive --code enum --patch patch.json --by {n} --rate 60 --output json");
        command.args(arguments.split(' ')).stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let both = [start(1), start(2)].map(|child| Ended::from(child.wait_with_output().unwrap()));
    let sent: Vec<u64> = both.iter().map(|ended| ended.json(0)["sent"].as_u64().unwrap()).collect();
    assert_eq!(sent.iter().sum::<u64>(), 60, "{sent:?}");
    drain(&place);
    assert_eq!(rows(&place), (70, 61));
}

#[test]
fn all_verbs_take_the_same_filter() {
    let place = place(3);
    let listed = place.finops("dlq list --output json").json(0);
    let src = listed[0]["src"].as_str().unwrap().to_owned();
    for (filter, count) in [
        ("--code enum".to_owned(), 3),
        ("--code enum --code bad_json".to_owned(), 4),
        ("--tenant acme".to_owned(), 4),
        ("--tenant _unknown".to_owned(), 0),
        ("--producer finops.findings.wire".to_owned(), 4),
        ("--producer other".to_owned(), 0),
        (format!("--src {src}"), 1),
        ("--since 2001-01-01".to_owned(), 4),
        ("--since 2001-01-01 --until 2001-01-02T00:00:00Z".to_owned(), 0),
        ("--run unknown".to_owned(), 0),
    ] {
        let list = place.finops(&format!("dlq list {filter} --output json")).json(0);
        let stats = place.finops(&format!("dlq stats {filter} --output json")).json(0);
        let plan = place.finops(&format!("dlq redrive {filter} --dry-run --output json")).json(0);
        let counted: u64 = stats.as_array().unwrap().iter().map(|s| s["count"].as_u64().unwrap()).sum();
        assert_eq!(list.as_array().unwrap().len(), count, "list {filter}");
        assert_eq!(counted, count as u64, "stats {filter}");
        assert_eq!(plan["matching"], json!(count), "redrive {filter}");
    }
    assert_eq!(place.finops("dlq redrive --dry-run").code, Some(64), "no filter and not --all");
    assert_eq!(place.finops("dlq list --since yesterday").code, Some(64));
    place.write("patch.json", "[{}]");
    assert_eq!(place.finops("dlq redrive --all --patch patch.json").code, Some(65));
}

#[test]
fn a_value_of_which_only_a_part_was_kept_is_not_sent() {
    let place = Place::new();
    place.write("finops.toml", "[validator]\nmessage_bytes_max = \"1KiB\"\n");
    let mut large: Value = serde_json::from_slice(&good("acme", "large")).unwrap();
    large["tags"] = json!({ "filling": "x".repeat(100_000) });
    place.write("findings.ndjson", [large.to_string().into_bytes(), b"\n".to_vec(), good("acme", "small")].concat());
    let ended = place.finops("run --tenant acme --findings findings.ndjson");
    assert!(matches!(ended.code, Some(0 | 65)), "{ended}");
    assert_eq!(rows(&place), (0, 2), "both are over the limit, one of them was kept whole");
    place.write("finops.toml", "");
    let done = place.finops("dlq redrive --code too_large --output json").json(0);
    assert_eq!((&done["sent"], &done["refused"]), (&json!(1), &json!({"value_cut": 1})), "{done}");
    assert_eq!(done["refusals"][0]["detail"], json!("only the first 65536 bytes were kept"));
    drain(&place);
    assert_eq!(rows(&place), (1, 2));
}
