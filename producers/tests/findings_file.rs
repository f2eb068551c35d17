//! Files of someone else's findings: every line goes out as it is, and what cannot is told.
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
fn a_line_no_record_can_hold_is_told_and_the_others_go_out() {
    let world = World::new();
    let mut plan = plan("run-1", Vec::new());
    plan.findings_files = vec![world.file("theirs.ndjson", format!("one\n{}\nthree\n", "x".repeat(11 << 20)))];
    let report = world.run(&plan).unwrap();
    assert_eq!(world.values(topics::WIRE), [&b"one"[..], b"three"]);
    let [line] = report.lines_unpublished.as_slice() else { panic!("one line expected") };
    assert_eq!((line.line, line.bytes), (2, 11 << 20));
    assert_eq!(report.manifest.notes["lines_unpublished"], "1");
}

#[test]
fn a_file_that_is_not_there_is_told_before_any_work() {
    let world = World::new();
    let mut plan = plan("run-1", vec![support::sample()]);
    plan.findings_files = vec!["no/such.ndjson".into()];
    let error = world.run(&plan).unwrap_err().to_string();
    assert_eq!(error, "reading findings file no/such.ndjson: No such file or directory (os error 2)");
    assert!(world.stored("cur_facts").is_empty() && world.values(topics::WIRE).is_empty());
}
