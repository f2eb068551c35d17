//! Findings files of other producers: every line goes out as it is, and what cannot is reported.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use contracts::topics;
use support::{World, plan};

#[test]
fn lines_are_published_byte_by_byte_and_not_judged() {
    let world = World::new();
    let lines: [&[u8]; 4] = [br#"{"tenant_id":"globex","x":1}"#, b"not json", b"\xff\xfe", b" {} \r"];
    let mut content = lines.join(&b"\n"[..]);
    content.extend_from_slice(b"\n\n  \n");
    let mut plan = plan("run-1", Vec::new());
    plan.findings_files = vec![world.file("theirs.ndjson", content)];
    let report = world.run(&plan).unwrap();
    assert_eq!(world.values(topics::WIRE), lines);
    assert_eq!((report.lines_published, report.manifest.published), (4, 4));
    assert_eq!(report.manifest.status, contracts::run_manifest::RunStatus::Complete);
}

#[test]
fn a_line_no_record_can_hold_is_reported_and_the_others_go_out() {
    let world = World::new();
    let mut plan = plan("run-1", Vec::new());
    plan.findings_files =
        vec![world.file("theirs.ndjson", format!("{{\"n\":1}}\n{}\n{{\"n\":3}}\n", "x".repeat(11 << 20)))];
    let report = world.run(&plan).unwrap();
    assert_eq!(world.values(topics::WIRE), [&br#"{"n":1}"#[..], br#"{"n":3}"#]);
    let [line] = report.lines_unpublished.as_slice() else { panic!("one line expected") };
    assert_eq!((line.line, line.bytes), (2, 11 << 20));
    assert_eq!(report.manifest.notes["lines_unpublished"], "1");
}

#[test]
fn a_missing_file_is_reported_before_any_work() {
    let world = World::new();
    let mut plan = plan("run-1", vec![support::sample()]);
    plan.findings_files = vec!["no/such.ndjson".into()];
    let error = world.run(&plan).unwrap_err().to_string();
    assert_eq!(error, "reading findings file no/such.ndjson: there is no such file");
    assert!(world.stored("cur_facts").is_empty() && world.values(topics::WIRE).is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn gzip_a_byte_order_mark_and_one_object_over_several_lines_are_read() {
    let check = |name: &str, content: Vec<u8>, expected: &[&[u8]]| {
        let world = World::new();
        let mut plan = plan("run-1", Vec::new());
        plan.findings_files = vec![world.file(name, content)];
        world.run(&plan).unwrap();
        assert_eq!(world.values(topics::WIRE), expected, "{name}");
    };
    let lines = b"{\"n\":1}\n{\"n\":2}\n";
    let records: [&[u8]; 2] = [br#"{"n":1}"#, br#"{"n":2}"#];
    check("packed.ndjson.gz", gzip(lines), &records);
    check("named-otherwise.ndjson", gzip(lines), &records);
    check("two-members.gz", [gzip(&lines[..8]), gzip(&lines[8..])].concat(), &records);
    check("bom.ndjson", [b"\xef\xbb\xbf", &lines[..]].concat(), &records);
    check("bom.gz", gzip(&[b"\xef\xbb\xbf", &lines[..]].concat()), &records);
    check("pretty.json", b"{\n  \"n\": 1\n}\n".to_vec(), &[b"{\n  \"n\": 1\n}\n"]);
    check("blank.ndjson", b"\n \n".to_vec(), &[]);
    let long = format!("{{\"n\":\"{}\"}}", "x".repeat(1 << 20));
    check("long.ndjson", format!("{long}\n{long}\n").into_bytes(), &[long.as_bytes(), long.as_bytes()]);
}

#[test]
fn a_file_of_another_form_is_refused_before_any_work() {
    let world = World::new();
    let mut plan = plan("run-1", vec![support::sample()]);
    plan.findings_files = vec![world.file("fine.ndjson", "{\"n\":1}\n"), world.file("array.json", "[{\"n\":1}]")];
    let error = world.run(&plan).unwrap_err().to_string();
    assert!(
        error.ends_with("array.json is one JSON array; put one object on each line: jq -c '.[]' FILE > FILE.ndjson"),
        "{error}"
    );
    assert!(world.stored("cur_facts").is_empty() && world.values(topics::WIRE).is_empty());
    assert!(world.values(topics::RUNS).is_empty(), "no run manifest");
}

#[test]
fn misspelt_members_are_counted() {
    let world = World::new();
    let mut plan = plan("run-1", Vec::new());
    let lines = "{\"estimated\":{\"monthly_saving\":1}}\n{\"estimated\":{\"monthly_saving\":2}}\n{\"title\":\"a\",\"mine\":1}\n";
    plan.findings_files = vec![world.file("theirs.ndjson", lines)];
    let report = world.run(&plan).unwrap();
    let found: Vec<_> =
        report.members_misspelt.iter().map(|(m, n)| (m.field.as_str(), m.nearest.as_str(), *n)).collect();
    assert_eq!(found, [("estimated.monthly_saving", "estimated.monthly_savings", 2)]);
}
