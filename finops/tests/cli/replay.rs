//! `finops replay`: judged once more into a fresh root, compared, swapped in; and everything goes on as if nothing had been.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::place::{Ended, FINOPS, Place, good, repo};

fn lines(tenants: &[&str], numbers: std::ops::Range<usize>) -> Vec<u8> {
    let mut all = Vec::new();
    for n in numbers {
        all.extend([good(tenants[n % tenants.len()], &format!("vol-{n}")), b"\n".to_vec()].concat());
    }
    all.extend(b"{\n");
    all
}

/// Publishes, judges and writes.
fn run(place: &Place, tenants: &[&str], numbers: std::ops::Range<usize>) {
    place.write("findings.ndjson", lines(tenants, numbers));
    let ended = place.finops("run --tenant acme --findings findings.ndjson");
    assert!(matches!(ended.code, Some(0 | 65)), "{ended}");
}

fn place() -> Place {
    let place = Place::new();
    place.write("finops.toml", "[broker]\nsession_timeout = \"1s\"\n[validator]\nstep_records_max = 5\n");
    run(&place, &["acme", "globex"], 0..20);
    run(&place, &["acme", "globex"], 20..30);
    place
}

/// Rows of findings and dead letters, when nothing is wrong.
fn rows(place: &Place) -> (u64, u64) {
    let report = place.finops("verify --output json").json(0);
    assert_eq!(report["problems"], json!([]));
    (report["findings_rows"].as_u64().unwrap(), report["dead_letter_rows"].as_u64().unwrap())
}

fn exports(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let ended = place.finops("exporter once");
    assert_eq!(ended.code, Some(0), "{ended}");
    let mut all = BTreeMap::new();
    for tenant in ["acme", "globex"] {
        for name in ["findings.json", "summary.json", "top_savings.json"] {
            let path = place.path().join("data/export").join(tenant).join(name);
            all.insert(format!("{tenant}/{name}"), std::fs::read(path).unwrap());
        }
    }
    all
}

fn ids(findings: &[u8]) -> Vec<String> {
    let all: Vec<Value> = serde_json::from_slice(findings).unwrap();
    all.iter().map(|finding| finding["finding_id"].as_str().unwrap().to_owned()).collect()
}

fn code(place: &Place, arguments: &str, expected: i32) -> Ended {
    let ended = place.finops(arguments);
    assert_eq!(ended.code, Some(expected), "finops {arguments}: {ended}");
    ended
}

/// Dies at the crash point, and gives what it is then.
fn killed(place: &Place, arguments: &str, point: &str) {
    let mut command = place.command(FINOPS);
    let ended = command.args(arguments.split(' ')).env("FINOPS_FAILPOINT", point).output().unwrap();
    assert_eq!(ended.status.code(), None, "{point}: {}", Ended::from(ended));
}

#[test]
fn nothing_changed_and_nothing_differs() {
    let place = place();
    let (before, exported) = (rows(&place), exports(&place));
    assert_eq!(before, (30, 2));
    let plan = place.finops("replay run --to fresh --dry-run --output json").json(0);
    let planned: u64 = plan.as_array().unwrap().iter().map(|range| range["offsets"].as_u64().unwrap()).sum();
    assert_eq!(planned, 32);
    assert!(!place.path().join("fresh").exists(), "a plan makes nothing");

    let done = place.finops("replay run --to fresh --id first --output json").json(0);
    assert_eq!(done["judged"], json!({"valid": 30, "dead": 2}));
    assert_eq!(rows(&place), before, "the live root is as it was");
    let found = place.finops("replay compare --with fresh --output json").json(0);
    assert_eq!(found["is_same"], json!(true), "{found:#}");
    assert_eq!(code(&place, "replay compare --with fresh", 0).text(), "nothing differs in 30 rows\n");
    let again = place.finops("replay run --to fresh --output json").json(0);
    assert_eq!(again["judged"], json!({"valid": 0, "dead": 0}), "there is nothing left to do");

    // Not everything that is judged is replayed.
    run(&place, &["acme", "globex"], 30..40);
    assert!(code(&place, "replay swap --with fresh", 75).stderr.contains("give the same `finops replay run` again"));
    let exported_more = exports(&place);
    code(&place, "replay run --to fresh", 0);
    let swapped = place.finops("replay swap --with fresh --output json").json(0);
    assert_eq!((&swapped["id"], &swapped["not_covered"]), (&json!("first"), &json!(0)));
    assert_eq!(rows(&place), (40, 3));
    assert_eq!(exports(&place), exported_more);
    assert_ne!(exported, exported_more);

    // The services go on where the replay ended.
    run(&place, &["acme", "globex"], 40..50);
    assert_eq!(rows(&place), (50, 4));
    for (arguments, why) in [
        ("replay swap --with fresh", "already"),
        ("replay run --to fresh", "give another one"),
        ("replay run --to data", "this is the current root"),
    ] {
        assert!(code(&place, arguments, 65).stderr.contains(why), "{arguments}");
    }
    let topics = place.finops("sink inspect --output json").json(0);
    let chains = topics["chains"].as_array().unwrap().iter();
    let duplicates: u64 = chains.map(|chain| chain["duplicates"].as_u64().unwrap()).sum();
    assert_eq!(duplicates, 0, "nothing came twice");

    // And once more: the root that was swapped in is replayed like any other.
    code(&place, "replay run --to second", 0);
    code(&place, "replay compare --with second", 0);
    code(&place, "replay swap --with second", 0);
    run(&place, &["acme", "globex"], 50..60);
    assert_eq!(rows(&place), (60, 5));
}

#[test]
fn what_a_wrong_policy_refused_comes_back() {
    let place = Place::new();
    let policy = "[[producer]]\ntopic = \"finops.findings.wire\"\ntenants = [\"acme\"]\nrecords = true\n";
    place.write("policy.toml", policy);
    place.write("finops.toml", "[validator]\nproducers = \"policy.toml\"\n");
    run(&place, &["acme", "globex"], 0..20);
    assert_eq!(rows(&place), (10, 11));
    place.write("policy.toml", policy.replace("[\"acme\"]", "[\"*\"]"));
    code(&place, "replay run --to fresh", 0);
    let found = place.finops("replay compare --with fresh --output json").json(3);
    assert_eq!((&found["only_fresh_total"], &found["only_current_total"]), (&json!(10), &json!(0)), "{found:#}");
    assert_eq!(found["only_fresh"][0]["tenant_id"], json!("globex"));
    assert_eq!(
        found["dead_letters"][0],
        json!({"tenant_id": "acme", "error_code": "bad_json", "current": 1, "fresh": 1})
    );
    assert_eq!((&found["sums"][1]["rows_current"], &found["sums"][1]["rows_fresh"]), (&json!(0), &json!(10)));
    assert!(found["sums"][1]["savings_fresh"].as_str().unwrap().contains('.'), "{found:#}");
    let table = code(&place, "replay compare --with fresh", 3).text();
    assert!(table.contains("10 finding(s) only in the fresh root"), "{table}");
    code(&place, "replay compare --with fresh --tenant initech", 0);
    code(&place, "replay swap --with fresh", 0);
    assert_eq!(rows(&place), (20, 1));
    run(&place, &["acme", "globex"], 20..30);
    assert_eq!(rows(&place), (30, 2));
}

#[test]
fn killed_at_any_step_the_same_command_goes_on() {
    let place = place();
    let before = (rows(&place), exports(&place));
    for point in [
        "validator.step.begin:2",
        "validator.step.committed:2",
        "sink.stage.done:1",
        "sink.commit.done:1",
        "sink.publish.begin:2",
    ] {
        killed(&place, "replay run --to fresh --id again", point);
    }
    code(&place, "replay run --to fresh", 0);
    code(&place, "replay compare --with fresh", 0);
    for moves in 1..=5 {
        killed(&place, "replay swap --with fresh", "operator.swap.moved:1");
        if moves == 1 || moves == 5 {
            let ended = place.finops("run --tenant acme --findings findings.ndjson");
            assert_eq!(ended.code, Some(74), "after {moves} moves a sink must not write: {ended}");
            assert!(ended.stderr.contains("commit records are missing"), "{ended}");
        }
    }
    killed(&place, "replay swap --with fresh", "operator.swap.moved:1");
    assert_eq!(place.finops("verify --output json").json(0)["problems"], json!([]), "all is in place");
    code(&place, "replay swap --with fresh", 0);
    code(&place, "sink run --drain", 0);
    assert_eq!(rows(&place), (before.0.0 + 20, before.0.1 + 2), "what came meanwhile is not lost either");
    let after = exports(&place);
    assert_eq!(ids(&after["acme/findings.json"]), ids(&before.1["acme/findings.json"]));
}

#[test]
fn it_blocks_no_other_process() {
    let place = place();
    let plan = place.finops("replay run --to fresh --tenant acme --dry-run --output json").json(0);
    let matching: u64 = plan.as_array().unwrap().iter().map(|range| range["matching"].as_u64().unwrap()).sum();
    assert_eq!(matching, 17, "15 findings, and 2 by their header: {plan}");
    code(&place, "replay run --to fresh --tenant acme --by ann", 0);
    for (arguments, why) in [("--to fresh", "another choice of records"), ("--to data", "this is the current root")] {
        let ended = code(&place, &format!("replay run {arguments} --dry-run"), 65);
        assert!(ended.stderr.contains(why), "a plan says what the command would: {ended}");
    }
    let found = place.finops("replay compare --with fresh --output json").json(3);
    assert_eq!((&found["only_current_total"], &found["only_fresh_total"]), (&json!(15), &json!(0)));
    assert!(code(&place, "replay run --to fresh", 65).stderr.contains("another choice of records"));
    assert!(code(&place, "replay run --to fresh --tenant acme --id other", 65).stderr.contains("belongs to replay"));
    assert!(code(&place, "replay swap --with fresh", 75).stderr.contains("are not in the fresh one"));
    std::fs::create_dir_all(place.path().join("used/finops_findings")).unwrap();
    place.write("used/finops_findings/x.parquet", "");
    assert!(code(&place, "replay run --to used", 65).stderr.contains("is not empty"));
    assert_eq!(place.finops("replay run --to x --id A/B").code, Some(64));

    let log = std::fs::File::create(place.path().join("up.log")).unwrap();
    let mut up = place.command(FINOPS).arg("up").stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let is_up = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("finops is up"));
    while !is_up(&place.path().join("up.log")) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // Services that have not joined their groups yet join while a swap looks: it is refused all the same.
    let mut refused = place.finops("replay swap --with fresh --allow-partial");
    while refused.code == Some(75) && refused.stderr.contains("has started meanwhile") {
        refused = place.finops("replay swap --with fresh --allow-partial");
    }
    up.kill().unwrap();
    up.wait().unwrap();
    assert_eq!(refused.code, Some(75), "{refused}");
    assert!(refused.stderr.contains("are running on the current root"), "{refused}");

    killed(&place, "replay swap --with fresh --allow-partial --by bob", "operator.swap.moved:1");
    let swapped = place.finops("replay swap --with fresh --output json").json(0);
    assert_eq!(swapped["not_covered"], json!(15), "as it was found when the swap was begun");
    let claim: Value =
        serde_json::from_slice(&std::fs::read(place.path().join("fresh/_replay.json")).unwrap()).unwrap();
    assert_eq!((&claim["by"], &claim["swapped_by"]), (&json!("ann"), &json!("bob")), "{claim}");
    let report: Value = place.finops("verify --output json").json(65);
    assert_eq!(report["findings_rows"], json!(15));
    let rules = report["problems"].as_array().unwrap().iter().map(|p| p["rule"].as_str().unwrap());
    assert!(rules.clone().all(|rule| ["record_lost", "run_incomplete"].contains(&rule)), "{report:#}");
}

#[test]
fn into_the_topic_it_makes_new_rows_and_the_exports_stay() {
    let place = place();
    let (before, exported) = (rows(&place), exports(&place));
    let plan = place.finops("replay run --into-topic --tenant acme --dry-run --output json").json(0);
    assert_eq!(
        (&plan["matching"], &plan["sent"]),
        (&json!(17), &json!(0)),
        "15 findings, and 2 by their header: {plan}"
    );
    killed(&place, "replay run --into-topic --tenant acme --rate 5", "operator.redrive.sent:2");
    // Another process comes between, and what was left unanswered stays known.
    let letters = place.finops("dlq redrive --code bad_json --output json").json(0)["sent"].as_u64().unwrap();
    code(&place, "validator run --drain", 0);
    let done = place.finops("replay run --into-topic --tenant acme --output json").json(0);
    assert_eq!(done["partitions"], plan["partitions"], "of what it was begun with");
    let (sent, sent_before) = (done["sent"].as_u64().unwrap(), done["sent_before"].as_u64().unwrap());
    assert!(sent + sent_before == 17 && sent > 0 && sent_before > 0, "{done}");
    for role in ["validator", "sink"] {
        code(&place, &format!("{role} run --drain"), 0);
    }
    assert_eq!(rows(&place), (before.0 + 15, before.1 + 2 + letters));
    let after = exports(&place);
    assert_eq!(ids(&after["acme/findings.json"]), ids(&exported["acme/findings.json"]));
    let id = done["id"].as_str().unwrap();
    let ended = place.finops(&format!("replay run --into-topic --tenant acme --id {id}"));
    assert!(ended.stderr.contains("it has ended"), "{ended}");

    // Asked again it is another replay: of a record and its copies only the last copy goes.
    let again = place.finops("replay run --into-topic --tenant acme --output json").json(0);
    assert_eq!((&again["sent"], &again["sent_before"]), (&json!(17), &json!(0)), "{again}");
}

#[test]
fn handed_over_the_fresh_root_is_the_root() {
    let place = place();
    let (before, exported) = (rows(&place), exports(&place));
    code(&place, "replay run --to fresh", 0);
    let done = place.finops("replay hand-over --with fresh --output json").json(0);
    assert_eq!((&done["not_covered"], &done["copied"]), (&json!(0), &json!(2)), "two run manifests: {done}");
    // The former root is out.
    place.write("findings.ndjson", lines(&["acme"], 30..40));
    let ended = place.finops("run --tenant acme --findings findings.ndjson");
    assert_eq!(ended.code, Some(74), "{ended}");
    assert!(ended.stderr.contains("was left by a sink that writes to store"), "{ended}");
    // The new one goes on, also with what was judged meanwhile.
    place.write(
        "finops.toml",
        "[data]\ndir = \"data\"\nout = \"fresh/finops_findings\"\n[export]\ndir = \"data/export\"\n",
    );
    assert_eq!(exports(&place), exported);
    code(&place, "sink run --drain", 0);
    // The run had stored its manifest in the former root, and announced it.
    assert!(place.finops("verify").text().contains("manifest_missing"));
    code(&place, "repair", 0);
    assert_eq!(rows(&place), (before.0 + 10, before.1 + 1));
    run(&place, &["acme", "globex"], 40..50);
    assert_eq!(rows(&place), (before.0 + 20, before.1 + 2));
}

#[test]
fn what_is_replayed_can_be_chosen() {
    let place = place();
    let matching = |choice: &str| {
        let plan = place.finops(&format!("replay run --into-topic {choice} --dry-run --output json")).json(0);
        plan["matching"].as_u64().unwrap()
    };
    let run_id = |n: usize| {
        let mut names: Vec<_> = std::fs::read_dir(place.path().join("data/_runs/acme/default")).unwrap().collect();
        names.sort_by_key(|name| name.as_ref().unwrap().file_name());
        names[n].as_ref().unwrap().file_name().into_string().unwrap().replace(".json", "").replace("%3A", ":")
    };
    let ranges = place.finops("replay run --to x --dry-run --output json").json(0);
    let first = &ranges[0];
    let offset_range = format!("{}/{}", first["topic"].as_str().unwrap(), first["partition"]);
    for (choice, expected) in [
        (String::new(), 32),
        ("--tenant acme --tenant globex".to_owned(), 32),
        ("--tenant globex".to_owned(), 15),
        ("--check aws.ec2.ebs_gp2".to_owned(), 0),
        (format!("--run {}", run_id(0)), 21),
        (format!("--run {}", run_id(1)), 11),
        (format!("--run {} --tenant globex", run_id(1)), 5),
        (format!("--offsets {offset_range}:0..1"), 1),
        (format!("--offsets {offset_range}:1.."), first["offsets"].as_u64().unwrap() - 1),
        ("--since 2001-01-01 --until 2101-01-01".to_owned(), 32),
        ("--since 2101-01-01".to_owned(), 0),
        ("--until 2001-01-01".to_owned(), 0),
    ] {
        assert_eq!(matching(&choice), expected, "{choice}");
    }
    let choice = format!("--offsets {offset_range}:1..3");
    let done = place.finops(&format!("replay run --to fresh {choice} --output json")).json(0);
    let judged = done["judged"]["valid"].as_u64().unwrap() + done["judged"]["dead"].as_u64().unwrap();
    assert_eq!((judged, &done["offsets"]), (2, &json!(2)));
    assert!(code(&place, "replay swap --with fresh", 75).stderr.contains("run` again, then swap"));
}

#[test]
fn offsets_that_can_mean_nothing_are_refused() {
    let place = place();
    let wire = "finops.findings.wire";
    for offsets in [
        "wire".to_owned(),
        format!("{wire}/0:3..3"),
        format!("{wire}/0:3..1"),
        format!("{wire}/99:0.."),
        format!("{wire}.unknown/0:0.."),
        "finops.findings.valid/0:0..".to_owned(),
        format!("{wire}/0:0..1 --offsets {wire}/0:2..3"),
    ] {
        for kind in ["--to x", "--into-topic"] {
            let ended = code(&place, &format!("replay run {kind} --offsets {offsets}"), 64);
            assert!(ended.stderr.contains("offsets") || ended.stderr.contains("expected"), "{ended}");
        }
    }
    assert!(!place.path().join("x").exists());
    assert!(!place.path().join("data/_audit").exists());
}

/// The groups of a replay stand where it has come to, also when its root was swapped in or thrown away.
#[test]
fn an_id_is_that_of_one_root_for_good() {
    let place = place();
    code(&place, "replay run --to fresh --id nightly", 0);
    code(&place, "replay swap --with fresh", 0);
    for _ in 0..2 {
        let ended = code(&place, "replay run --to other --id nightly", 65);
        assert!(ended.stderr.contains("give another id"), "{ended}");
        assert!(!place.path().join("other/_replay.json").exists(), "the root is still unclaimed");
    }
    let done = place.finops("replay run --to other --id nightly-2 --output json").json(0);
    assert_eq!(done["judged"], json!({"valid": 30, "dead": 2}));
}

#[test]
fn a_fresh_root_that_is_not_whole_is_reported() {
    let place = place();
    code(&place, "replay run --to fresh", 0);
    let ended = place.sh("f=$(find fresh/finops_findings -name '*.parquet' | head -n 1) && echo more >> $f");
    assert_eq!(ended.code, Some(0), "{ended}");
    let ended = code(&place, "replay compare --with fresh", 65);
    assert!(ended.stderr.contains("is not whole, 1 problem(s): finops_findings/"), "{ended}");
}

#[test]
fn the_document_says_what_can_be_done() {
    let place = place();
    let mut finding: Value = serde_json::from_slice(&good("acme", "broken")).unwrap();
    finding["status"] = json!("nonsense");
    place.write("findings.ndjson", finding.to_string());
    place.finops("run --tenant acme --findings findings.ndjson");
    place.write("patch.json", r#"[{"op":"replace","path":"/status","value":"fail"}]"#);
    let document = std::fs::read_to_string(repo("docs/reprocessing.md")).unwrap();
    let commands: Vec<_> = document.lines().filter_map(|line| line.strip_prefix("finops ")).collect();
    assert!(commands.len() >= 12, "{commands:?}");
    for command in commands {
        code(&place, command, 0);
    }
    for role in ["validator", "sink"] {
        code(&place, &format!("{role} run --drain"), 0);
    }
    assert_eq!(rows(&place).0, 30 + 1 + 15, "what was mended, and the findings of acme once more");
}
