//! What a person sees: nothing from a payload drives the terminal or a spreadsheet, tables fit, what is cut says so.

use serde_json::{Value, json};

use super::place::{Ended, Place, billing, good};

/// Acts on a terminal, deceives the eye, or forges a line.
const HOSTILE: &str = "\u{1b}[31m\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\u{200b}\r\u{7f}";

/// A finding with this text wherever the contract takes text.
fn hostile(resource: &str, text: &str) -> Vec<u8> {
    let mut finding: Value = serde_json::from_slice(&good("acme", resource)).unwrap();
    for member in ["title", "message", "advice", "recommendation", "check_name"] {
        finding[member] = json!(text);
    }
    finding["scope"]["region"] = json!(text);
    finding["scope"]["resource_arn"] = json!(text);
    finding["tags"] = json!({ "name": text, text: "x" });
    finding.to_string().into_bytes()
}

fn is_raw(c: char) -> bool {
    (c.is_control() && c != '\n') || ['\u{202e}', '\u{200b}'].contains(&c)
}

#[track_caller]
fn check_safe(ended: &Ended) {
    for (what, text) in [("stdout", ended.text()), ("stderr", ended.stderr.clone())] {
        let raw: Vec<_> = text.chars().filter(|c| is_raw(*c)).collect();
        assert!(raw.is_empty(), "{raw:?} on {what} of {ended}");
    }
}

/// Every text of a payload, on every way to a person.
#[test]
fn no_control_character_of_a_payload_reaches_a_terminal() {
    let place = Place::new();
    let mut broken: Value = serde_json::from_slice(&hostile("vol-2", HOSTILE)).unwrap();
    broken["status"] = json!(HOSTILE);
    broken["tenant_id"] = json!("acme");
    let lines =
        [hostile("vol-1", &format!("{HOSTILE}\nforged")), broken.to_string().into_bytes(), HOSTILE.as_bytes().to_vec()];
    place.write("hostile.ndjson", lines.join(&b'\n'));
    let run = place.finops("run --tenant acme --findings hostile.ndjson --log debug");
    assert_eq!(run.code, Some(0), "{run}");
    check_safe(&run);
    let src = |n: usize| place.finops("dlq list --output ndjson").lines(0)[n]["src"].as_str().unwrap().to_owned();
    let id = place.finops("findings list --tenant acme --output ndjson").lines(0)[0]["finding_id"].clone();
    let id = id.as_str().unwrap();
    for command in [
        "findings list --tenant acme".to_owned(),
        "findings list --tenant acme --columns id,title,message,region,recommendation".to_owned(),
        "findings list --tenant acme --output json".to_owned(),
        "findings list --tenant acme --output ndjson".to_owned(),
        "findings list --tenant acme --output csv".to_owned(),
        format!("findings show --tenant acme {id}"),
        format!("findings show --tenant acme {id} --output json"),
        "dlq list".to_owned(),
        "dlq stats".to_owned(),
        format!("dlq show {}", src(0)),
        format!("dlq show {}", src(1)),
        format!("dlq show {} --output json", src(1)),
        "tap finops.findings.wire --from earliest --no-follow".to_owned(),
        "tap finops.findings.wire --from earliest --no-follow --output ndjson".to_owned(),
        "tap finops.findings.valid --from earliest --no-follow".to_owned(),
        "tap finops.findings.dlq --from earliest --no-follow".to_owned(),
        "dlq redrive --all --dry-run".to_owned(),
        "status".to_owned(),
        "verify".to_owned(),
    ] {
        let ended = place.finops(&command);
        assert_eq!(ended.code, Some(0), "{command}: {ended}");
        check_safe(&ended);
    }
    let tested = place.finops("contract test hostile.ndjson");
    assert_eq!(tested.code, Some(65), "{tested}");
    check_safe(&tested);
    let shown = place.finops("findings list --tenant acme").text();
    assert_eq!(shown.lines().count(), 2, "a line break in a title forges no line: {shown}");
    assert!(shown.contains("\\u{1b}[31m"), "the text is shown, made visible: {shown}");
    let stored = place.finops("findings list --tenant acme --output json").json(0);
    assert_eq!(stored[0]["title"], format!("{HOSTILE}\nforged"), "programs get what is stored");
    // What the person types comes back as text, too.
    check_safe(&place.finops(&format!("findings list --tenant {HOSTILE}")));
}

#[test]
fn csv_is_safe_to_open_in_a_spreadsheet() {
    let place = Place::new();
    let titles = ["=HYPERLINK(\"http://x\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "-1.5", "plain, text"];
    let findings: Vec<_> =
        titles.iter().enumerate().map(|(n, title)| hostile(&format!("vol-{n}"), title)).collect::<Vec<_>>();
    place.write("a.ndjson", findings.join(&b'\n'));
    assert_eq!(place.finops("run --tenant acme --findings a.ndjson").code, Some(0));
    let text = place.finops("findings list --tenant acme --limit 0 --output csv").text();
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let column = csv.headers().unwrap().iter().position(|name| name == "title").unwrap();
    let mut read: Vec<_> = csv.records().map(|row| row.unwrap()[column].to_owned()).collect();
    read.sort();
    // The contract trims what is around a text.
    let mut expected =
        ["'=HYPERLINK(\"http://x\")", "'+1+1", "'-2+3", "'@SUM(A1)", "'=1", "-1.5", "plain, text"].map(str::to_owned);
    expected.sort();
    assert_eq!(read, expected);
}

/// A folder with the findings of the sample bill.
fn sample() -> Place {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    let ended = place.finops("run --tenant acme --workspace prod --focus bill.csv");
    assert_eq!(ended.code, Some(0), "{ended}");
    place
}

#[test]
fn tables_fit_the_width_and_say_what_they_leave_out() {
    let place = sample();
    for width in [80, 120, 160] {
        for command in ["findings list --tenant acme", "checkers list", "status", "verify", "config show"] {
            let ended = place.finops(&format!("{command} --width {width}"));
            assert_eq!(ended.code, Some(0), "{ended}");
            let longest = ended.text().lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{longest} of {width} in {command}\n{ended}");
        }
    }
    let list = |more: &str| place.finops(&format!("findings list --tenant acme {more}"));
    let narrow = list("--width 80 --limit 5");
    assert_eq!(narrow.text().lines().count(), 6, "one line each: {narrow}");
    assert!(narrow.stderr.contains("columns without room: ") && narrow.stderr.contains("region"), "{narrow}");
    let headings = |ended: &Ended| ended.text().lines().next().unwrap().to_owned();
    for (ended, column, is_there) in [
        (&narrow, "RESOURCE", true),
        (&narrow, "RUN ", false),
        (&list("--width 160"), "ACCOUNT", true),
        (&list(""), "RUN STARTED", true),
        (&list("--columns account,RUN --width 80"), "ACCOUNT", true),
        (&list("--columns account,RUN --width 80"), "SAVINGS", false),
    ] {
        assert_eq!(headings(ended).contains(column), is_there, "{column} in {ended}");
    }
    let columns = place.sh("COLUMNS=80 $FINOPS findings list --tenant acme");
    assert!(columns.text().lines().all(|line| line.chars().count() <= 80), "{columns}");
}

#[test]
fn lists_look_as_they_should() {
    let place = sample();
    let settings = || {
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"run-\d{4}-\d\d-\d\dT[0-9:.]+Z-[0-9a-f]{8}", "run-2026-01-20T10:00:00.000Z-01234567");
        settings.add_filter(r"run-\d[0-9T:.-]*…[0-9a-fZ.:-]+", "run-2…567");
        settings.add_filter(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "2026-01-20T10:00:00.000Z");
        settings
    };
    for width in [80, 160] {
        let list = place.finops(&format!("findings list --tenant acme --limit 8 --width {width}"));
        settings().bind(|| insta::assert_snapshot!(format!("findings_{width}"), list));
        let checkers = place.finops(&format!("checkers list --width {width}"));
        insta::assert_snapshot!(format!("checkers_{width}"), checkers);
    }
    let explained = place.finops("checkers explain focus.ebs.gp2.to.gp3 --width 80");
    insta::assert_snapshot!("explain_80", explained);
    let id = place.finops("findings list --tenant acme --limit 1 --output json").json(0)[0]["finding_id"].clone();
    let shown = place.finops(&format!("findings show --tenant acme {} --width 80", id.as_str().unwrap()));
    settings().bind(|| insta::assert_snapshot!("finding_80", shown));
}

#[test]
fn a_list_that_is_cut_says_so() {
    let place = sample();
    let list = |more: &str| place.finops(&format!("findings list --tenant acme {more}"));
    let total = list("--limit 0 --output json").json(0).as_array().unwrap().len();
    let cut = format!("showing 3 of {total} findings, what matters most first; --limit 0 shows all");
    for form in ["table", "json", "ndjson", "csv"] {
        let ended = list(&format!("--limit 3 --output {form}"));
        assert!(ended.stderr.contains(&cut), "{form}: {ended}");
    }
    assert!(list("--limit 3 --sort savings").stderr.contains("findings, largest savings first;"));
    assert!(list("--limit 3 --sort severity").stderr.contains("findings, most severe first;"));
    assert!(list("--limit 3 --sort region --reverse").stderr.contains("findings, sorted by region, reversed;"));
    assert_eq!(list("--limit 0 --output json").stderr, "", "nothing is cut, so nothing is said");
    assert!(list("--limit 0").stderr.starts_with(&format!("{total} of {total} findings; ")));
}

#[test]
fn filters_take_any_case_and_sorting_any_column() {
    let place = sample();
    let list =
        |more: &str| place.finops(&format!("findings list --tenant acme --limit 0 --output json {more}")).json(0);
    let count = |more: &str| list(more).as_array().unwrap().len();
    let all = count("");
    let first = list("")[0].clone();
    let text = |member: &str| first[member].as_str().unwrap_or_default().to_owned();
    for (option, value) in [
        ("service", text("service")),
        ("region", text("region")),
        ("account", text("account_id")),
        ("check", text("check_id")),
        ("severity", text("severity_level")),
        ("status", text("status")),
        ("workspace", text("workspace_id")),
    ] {
        assert!(!value.is_empty(), "the first finding has no {option}: {first}");
        let (lower, upper) = (value.to_lowercase(), value.to_uppercase());
        let found = count(&format!("--{option} {value}"));
        assert!((1..=all).contains(&found), "{option}");
        assert_eq!(count(&format!("--{option} {lower}")), found, "{option}");
        assert_eq!(count(&format!("--{option} {upper}")), found, "{option}");
    }
    assert_eq!(count("--workspace other"), 0);
    let resource = text("resource_id").to_uppercase();
    assert!(count(&format!("--resource {resource}")) >= 1);
    assert_eq!(count("--since 1h"), all);
    assert_eq!(count("--until 1h"), 0);
    let both = count("--severity low --severity info");
    assert_eq!(both, count("--severity low") + count("--severity info"));
    let sorted = list("--sort run_ts --columns run_ts,savings");
    assert!(sorted.as_array().unwrap().iter().all(|finding| finding.as_object().unwrap().len() == 3), "{sorted}");
    assert_eq!(place.finops("findings list --tenant acme --sort nonsense").code, Some(64));
    assert_eq!(place.finops("findings list --tenant acme --columns nonsense").code, Some(64));
}

#[test]
fn amounts_have_two_decimals_and_a_currency_for_people_and_six_for_programs() {
    let place = Place::new();
    let mut finding: Value = serde_json::from_slice(&good("acme", "vol-1")).unwrap();
    finding["estimated"]["monthly_savings"] = json!("0.628760");
    finding["default_currency"] = json!("EUR");
    place.write("a.ndjson", finding.to_string());
    assert_eq!(place.finops("run --tenant acme --findings a.ndjson").code, Some(0));
    let table = place.finops("findings list --tenant acme").text();
    assert!(table.contains("0.63 EUR"), "{table}");
    let csv = place.finops("findings list --tenant acme --output csv").text();
    assert!(csv.contains("0.628760") && csv.contains("EUR"), "{csv}");
    let page = place
        .sh("$FINOPS findings show --tenant acme $($FINOPS findings list --tenant acme --output csv \
                         --columns id | tail -1)")
        .text();
    assert!(page.contains("0.63 EUR"), "{page}");
}

#[test]
fn a_finding_is_shown_by_its_fingerprint() {
    let place = sample();
    let first = place.finops("findings list --tenant acme --limit 1 --output json").json(0)[0].clone();
    let fingerprint = first["fingerprint"].as_str().unwrap();
    for id in [fingerprint, &fingerprint[..12], &fingerprint.to_uppercase()[..12]] {
        let shown = place.finops(&format!("findings show --tenant acme {id} --output json")).json(0);
        assert_eq!(shown["record"]["finding_id"], first["finding_id"], "{id}");
    }
    let page = place.finops(&format!("findings show --tenant acme {fingerprint}")).text();
    assert!(page.contains(fingerprint) && !page.starts_with('{'), "{page}");
}

#[test]
fn next_commands_can_be_pasted() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    let run = place.sh("$FINOPS run --tenant acme --findings a.ndjson --data \"it's data\"");
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    let next = text.lines().find_map(|line| line.strip_prefix("Next ")).unwrap().trim();
    assert_eq!(next, "finops findings list --tenant acme --data 'it'\\''s data'");
    let listed = place.sh(&next.replacen("finops", "$FINOPS", 1));
    assert_eq!(listed.code, Some(0), "{listed}");
    assert!(listed.stderr.contains("--data 'it'\\''s data' ID"), "{listed}");
}

#[test]
fn thresholds_that_are_printed_can_be_used() {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    let mut whole = String::new();
    for checker in place.finops("checkers list --output json").json(0).as_array().unwrap() {
        let spec = checker["spec"].as_str().unwrap();
        let text = place.finops(&format!("checkers explain {spec}")).text();
        let Some((_, below)) = text.split_once("\nThresholds, as a rulepack.toml for --rulepack has them\n") else {
            continue;
        };
        let ends = ["\nThresholds of small findings, in the same file\n", "\nPermissions\n"];
        whole += ends.iter().fold(below, |text, end| text.split(end).next().unwrap());
    }
    assert!(whole.contains("[\"focus."), "{whole}");
    place.write("rulepack.toml", &whole);
    let run = |more: &str| place.finops(&format!("run --tenant acme --focus bill.csv --dry-run {more}"));
    let ended = run("--rulepack rulepack.toml");
    assert_eq!(ended.code, Some(0), "{ended}\n{whole}");
    place.write("rulepack.toml", whole.replacen("= \"", "= x\"", 1));
    assert_eq!(run("--rulepack rulepack.toml").code, Some(78), "the file is read");
}
