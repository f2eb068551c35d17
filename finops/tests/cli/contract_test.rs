//! `finops contract test`: one answer a record, whatever the record is.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use super::place::{Ended, FINOPS, Place, good, repo};

const POLICY: &str =
    "[[producer]]\ntopic = \"finops.findings.wire.x\"\ntenants = [\"acme\"]\ncheck_prefixes = [\"aws.\"]\n";

/// Good, blank, broken, not text, incomplete with a carriage return, blank, no object, good without a line end.
fn mixed() -> Vec<u8> {
    let good = good("acme", "vol-1");
    let lines: [&[u8]; 8] = [&good, b"", b"{\"a", b"\xff\xfe{}", b"{\"tenant_id\":\"acme\"}\r", b" \t", b"[]", &good];
    lines.join(&b'\n')
}

fn codes(answer: &Value) -> Vec<String> {
    let all = answer["violations"].as_array().unwrap().iter();
    all.map(|v| format!("{}:{}", v["field"].as_str().unwrap(), v["code"].as_str().unwrap())).collect()
}

#[test]
fn every_line_that_is_not_blank_gets_one_answer() {
    let place = Place::new();
    place.write("mixed.ndjson", mixed());
    let ended = place.finops("contract test mixed.ndjson --output ndjson");
    let answers = ended.lines(65);
    let numbers: Vec<_> =
        answers.iter().map(|a| (a["line"].as_u64().unwrap(), a["valid"].as_bool().unwrap())).collect();
    assert_eq!(numbers, [(1, true), (3, false), (4, false), (5, false), (7, false), (8, true)]);
    assert_eq!(ended.stderr, "2 valid, 4 invalid\n");

    let [first, cut, bytes, incomplete, list, last] = &answers[..] else { unreachable!() };
    let untimed = |answer: &Value| {
        let mut stored = answer["stored"].clone();
        stored.as_object_mut().unwrap().remove("ingested_ts");
        stored
    };
    assert_eq!(untimed(first), untimed(last));
    for (answer, at) in [(cut, ":bad_json"), (bytes, ":bad_json"), (list, ":bad_json")] {
        assert_eq!(codes(answer), [at]);
        assert_eq!((&answer["fingerprint"], &answer["finding_id"]), (&Value::Null, &Value::Null));
    }
    assert!(codes(incomplete).contains(&"scope.cloud:required".to_owned()), "{incomplete}");
    for id in ["fingerprint", "finding_id"] {
        assert_eq!(incomplete[id].as_str().unwrap().len(), 64, "an id is given whenever it can be computed");
    }
    let text = ended.text();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(r#"{"file":"mixed.ndjson","line":1,"valid":true,"fingerprint":""#), "{}", lines[0]);
    let nothing =
        r#"{"file":"mixed.ndjson","line":7,"valid":false,"fingerprint":null,"finding_id":null,"violations":["#;
    assert!(lines[4].starts_with(nothing) && !lines[4].contains("stored"), "{}", lines[4]);
}

#[test]
fn people_read_lines_and_programs_json() {
    let place = Place::new();
    place.write("mixed.ndjson", mixed());
    insta::assert_snapshot!(place.finops("contract test mixed.ndjson"), @"
    exit Some(65)
    stdout:
    mixed.ndjson, line 1: valid  finding_id d5635232d2d0ff190968f53bfce478eb47806e49da038f9ce9822218efced416
    mixed.ndjson, line 3: invalid
      the message: bad_json: ends before the object is complete at line 1 column 3
    mixed.ndjson, line 4: invalid
      the message: bad_json: not UTF-8 at byte 0
    mixed.ndjson, line 5: invalid  finding_id 06b6a0c949a97fb30a8c75f9356d250978998ae6a021005a9444659cc7c9ec7f
      check_id: required: is required and must not be blank
      run_id: required: is required and must not be blank
      run_ts: required: is required and must not be blank
      scope: object: must be an object
      scope.account_id: required: is required and must not be blank
      scope.cloud: required: is required and must not be blank
      scope.service: required: is required and must not be blank
      severity.level: required: is required and must not be blank
      status: required: is required and must not be blank
    mixed.ndjson, line 7: invalid
      the message: bad_json: not a JSON object
    mixed.ndjson, line 8: valid  finding_id d5635232d2d0ff190968f53bfce478eb47806e49da038f9ce9822218efced416
    stderr:
    2 valid, 4 invalid
    ");
    let as_lines = place.finops("contract test mixed.ndjson --output ndjson").lines(65).len();
    assert_eq!(place.finops("contract test mixed.ndjson --output json").json(65).as_array().unwrap().len(), as_lines);
}

#[test]
fn what_is_stored_is_shown_in_full() {
    let place = Place::new();
    place.write("one.ndjson", good("acme", "vol-1"));
    let mut answer = place.finops("contract test one.ndjson --output ndjson").lines(0).remove(0);
    answer["stored"]["ingested_ts"] = json!("…");
    insta::assert_json_snapshot!("stored", answer);
}

#[test]
fn standard_input_is_a_file_too() {
    let place = Place::new();
    let mut child = place
        .command(FINOPS)
        .args(["contract", "test", "-", "--output", "ndjson"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&mixed()).unwrap();
    assert_eq!(Ended::from(child.wait_with_output().unwrap()).lines(65).len(), 6);
}

#[test]
fn nothing_to_test_is_bad_input() {
    let place = Place::new();
    place.write("blank.ndjson", "\n \n");
    for (file, output) in [("blank.ndjson", ""), ("/dev/null", "")] {
        let ended = place.finops(&format!("contract test {file} --output ndjson"));
        assert_eq!((ended.code, ended.text().as_str()), (Some(65), output), "{ended}");
        assert!(ended.stderr.contains("error: there is no finding in the input"), "{ended}");
    }
}

/// With 64 MB for all its data, the program cannot have held the line.
#[test]
fn a_line_of_100_mb_streams_by() {
    let place = Place::new();
    let long = [b"{\"x\":\"".as_slice(), &vec![b'a'; 100_000_000], b"\"}\n", &good("acme", "vol-1")].concat();
    place.write("long.ndjson", long);
    let ended = place.sh("ulimit -d 65536 && exec \"$FINOPS\" contract test long.ndjson --output ndjson");
    let answers = ended.lines(65);
    assert_eq!((codes(&answers[0]), &answers[1]["valid"]), (vec![":too_large".to_owned()], &json!(true)));
}

#[test]
fn kind_and_salt_are_the_callers_choice() {
    let place = Place::new();
    let record = std::fs::read(repo("schemas/examples/valid/aws_rds_record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    place.write("record.ndjson", record.to_string());
    place.write("draft.ndjson", good("acme", "vol-1"));
    let ids = |arguments: &str| {
        let answer = place.finops(&format!("contract test {arguments} --output ndjson")).lines(0).remove(0);
        [&answer["fingerprint"], &answer["finding_id"]].map(|id| id.as_str().unwrap().to_owned())
    };
    assert_eq!(ids("record.ndjson"), ids("record.ndjson --kind record"));
    assert_eq!(ids("record.ndjson")[1], record["finding_id"], "an import keeps its ids");
    let [stable, per_run, per_day] =
        ["stable", "per_run", "per_day"].map(|m| ids(&format!("draft.ndjson --finding-id-mode {m}")));
    assert_eq!((&stable[0], &stable[0]), (&per_run[0], &per_day[0]), "one issue, one fingerprint");
    assert!(stable[1] != per_run[1] && per_run[1] != per_day[1] && stable[1] != per_day[1]);
    let as_record = place.finops("contract test draft.ndjson --kind record --output ndjson").lines(65).remove(0);
    assert!(codes(&as_record).contains(&"finding_id:required".to_owned()), "{as_record}");
}

/// `expected.json` is the list; what it says of the clock and of a producer's policy is not judged without a topic.
#[test]
fn shipped_examples_are_judged_as_they_lie_there() {
    let place = Place::new();
    let expected: Value =
        serde_json::from_slice(&std::fs::read(repo("schemas/examples/expected.json")).unwrap()).unwrap();
    let is_of_contract = |example: &&(&String, &Value)| {
        let policy = &example.1["policy"];
        policy.is_null() || example.0.starts_with("valid/") || policy["run_ts_max"].is_string()
    };
    let all: Vec<_> = expected.as_object().unwrap().iter().collect();
    let judged: Vec<_> = all.iter().filter(is_of_contract).collect();
    assert!(judged.len() > 40, "{}", judged.len());
    let files: Vec<String> =
        judged.iter().map(|(path, _)| repo("schemas/examples").join(path).display().to_string()).collect();
    let answers = place.finops(&format!("contract test --output ndjson {}", files.join(" "))).lines(65);
    assert_eq!(answers.len(), judged.len(), "one answer for each file");
    for ((path, example), answer) in judged.into_iter().zip(answers) {
        let codes_expected: Vec<String> = example["codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| format!("{}:{}", c["field"].as_str().unwrap(), c["code"].as_str().unwrap()))
            .collect();
        let mut found = codes(&answer);
        found.sort();
        let mut wanted = codes_expected;
        wanted.sort();
        assert_eq!(found, wanted, "{path}");
        assert_eq!(answer["line"], 1, "{path}");
    }
    let valid =
        all.iter().filter(|(path, _)| path.starts_with("valid/")).map(|(path, _)| repo("schemas/examples").join(path));
    let valid: Vec<String> = valid.map(|path| path.display().to_string()).collect();
    let ended = place.finops(&format!("contract test {}", valid.join(" ")));
    assert_eq!((ended.code, ended.stderr.trim_end()), (Some(0), format!("{} valid, 0 invalid", valid.len()).as_str()));
}

#[test]
fn a_topic_brings_its_policy() {
    let place = Place::new();
    place.write("producers.toml", POLICY);
    place.write("finops.toml", "validator.producers = 'producers.toml'\n");
    place.write("theirs.ndjson", [good("acme", "vol-1"), good("globex", "vol-1")].join(&b'\n'));
    let record = std::fs::read(repo("schemas/examples/valid/aws_rds_record.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    place.write("record.ndjson", record.to_string());
    let judged = |arguments: &str, code: i32| {
        let answers = place.finops(&format!("contract test {arguments} --output ndjson")).lines(code);
        answers.iter().map(codes).collect::<Vec<_>>()
    };
    let none = Vec::<String>::new();
    assert_eq!(judged("theirs.ndjson", 0), [none.clone(), none.clone()]);
    for topic in ["x", "finops.findings.wire.x"] {
        let globex = vec!["tenant_id:tenant_forbidden".to_owned()];
        assert_eq!(judged(&format!("theirs.ndjson --topic {topic}"), 65), [none.clone(), globex]);
    }
    assert!(judged("record.ndjson --topic x", 65)[0].contains(&"finding_id:record_forbidden".to_owned()));
    assert_eq!(judged("record.ndjson --topic finops.findings.wire", 0), [none]);
    let unbound = place.finops("contract test theirs.ndjson --topic stranger");
    let warning = "warning: no producer is bound to finops.findings.wire.stranger, so it may speak for no tenant: producers.toml\n";
    assert!(unbound.stderr.starts_with(warning) && unbound.code == Some(65), "{unbound}");
    assert_eq!(place.finops("contract test theirs.ndjson --topic finops.runs").code, Some(64));
}

#[test]
fn what_is_ignored_and_probably_meant_is_a_warning() {
    let place = Place::new();
    let mut finding: Value = serde_json::from_slice(&good("acme", "vol-1")).unwrap();
    finding["estimated"] = json!({"monthly_saving": "1"});
    finding["\u{1b}[2Jtitel"] = json!("x");
    finding["my_own"] = json!("x");
    finding["default_currency"] = json!("eur");
    place.write("one.ndjson", finding.to_string());
    let answer = place.finops("contract test one.ndjson --output ndjson").lines(0).remove(0);
    assert_eq!(answer["valid"], true);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["warnings"][0]["nearest"], "estimated.monthly_savings");
    assert_eq!(answer["stored"]["actual"]["model"]["currency"], "EUR", "in its canonical form");
    let ended = place.finops("contract test one.ndjson");
    let warning = "  warning: estimated.monthly_saving is no member of the contract and is ignored; nearest is estimated.monthly_savings";
    assert_eq!(ended.text().lines().nth(1), Some(warning), "{ended}");
    assert_eq!(ended.stderr, "1 valid, 0 invalid, 1 with warnings\n");
}

#[test]
fn a_violation_shows_the_value_and_no_control_character_of_it() {
    let place = Place::new();
    let mut finding: Value = serde_json::from_slice(&good("acme", "vol-1")).unwrap();
    finding["default_currency"] = json!("\u{1b}[31mEURO\u{202e}");
    finding["tenant_id"] = json!(format!("x{}", "y".repeat(500)));
    place.write("one.ndjson", finding.to_string().replace("\\u001b", "\u{7f}"));
    let ended = place.finops("contract test one.ndjson");
    let text = ended.text();
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    let currency = "  actual.model.currency: currency_unknown: must be the code of a currency by ISO 4217, such as USD or EUR; it is \"\\u{7f}[31mEURO\\u{202e}\"";
    assert!(text.lines().any(|line| line == currency), "{text}");
    assert!(text.lines().all(|line| line.len() < 300), "values are cut: {text}");
}

#[test]
fn a_run_in_the_future_is_refused() {
    let place = Place::new();
    let mut finding: Value = serde_json::from_slice(&good("acme", "vol-1")).unwrap();
    finding["run_ts"] = json!("2126-09-11T10:00:00Z");
    place.write("one.ndjson", finding.to_string());
    let answer = place.finops("contract test one.ndjson --output ndjson").lines(65).remove(0);
    assert_eq!(codes(&answer), ["run_ts:in_future"]);
    place.write("finops.toml", "validator.run_ts_ahead_max = '3650d'\n");
    finding["run_ts"] = json!("2033-01-01");
    place.write("one.ndjson", finding.to_string());
    assert_eq!(place.finops("contract test one.ndjson").code, Some(0));
}
