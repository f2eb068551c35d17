//! Which findings a reader sees when several producers report into one workspace, and what is said of the others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use contracts::run_manifest::RunStatus;
use contracts::tenant_scope::TenantScope;
use exporter::{
    DuckLimits, ExportManifest, ExportOptions, FindingFilter, LeftOut, export_tenant, list_findings, potential_savings,
};
use lake::cut::Cut;
use serde_json::Value;

use support::{FINDING, Finding, World};

fn scope() -> TenantScope {
    TenantScope::new("acme").unwrap()
}

fn read(world: &World, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(world.export_dir().join("acme").join(file)).unwrap()).unwrap()
}

fn export(world: &World) -> ExportManifest {
    let cut = Cut::committed(world.store.clone()).unwrap();
    let options = ExportOptions::default();
    export_tenant(&cut, &scope(), &world.export_dir(), &options, &DuckLimits::default()).unwrap().manifest
}

/// Exports; the fingerprints of `findings.json`, and what the manifest, the summary and the list say of the others.
fn shown(world: &World) -> (Vec<String>, LeftOut) {
    let left_out = export(world).left_out;
    let of_summary: LeftOut = serde_json::from_value(read(world, "summary.json")["left_out"].clone()).unwrap();
    let limits = DuckLimits::default();
    let listed = list_findings(&world.cut(), &scope(), &FindingFilter::default(), &limits).unwrap();
    let potential = potential_savings(&world.cut(), &scope(), "prod", "USD", &limits).unwrap();
    assert_eq!([of_summary, listed.left_out, potential.left_out], [left_out; 3]);
    let mut shown: Vec<String> = read(world, "findings.json")
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["fingerprint"].as_str().unwrap().to_owned())
        .collect();
    shown.sort();
    let mut listed: Vec<_> = listed.items.into_iter().filter_map(|finding| finding.fingerprint).collect();
    listed.sort();
    assert_eq!(listed, shown);
    (shown, left_out)
}

fn check(world: &World, expected: &[&str], in_earlier_runs: u64, in_incomplete_runs: u64) {
    let (shown, left_out) = shown(world);
    assert_eq!(shown, expected);
    assert_eq!(left_out, LeftOut { in_earlier_runs, in_incomplete_runs });
}

/// Findings of one run of a producer that names no engine.
fn unnamed(checker: &'static str, run_id: &'static str, run_ts: &'static str, fingerprint: &'static str) -> Finding {
    Finding { engine: "", source_ref: checker, run_id, run_ts, fingerprint, ..FINDING }
}

#[test]
fn no_producer_hides_another() {
    let of = |engine, run_id, run_ts, fingerprint| Finding { engine, run_id, run_ts, fingerprint, ..FINDING };
    let mut world = World::new();
    world.commit("acme", &[unnamed("demo.scan", "scan-a", "2026-01-10T10:00:00Z", "a1")]);
    world.commit("acme", &[unnamed("demo.scan", "scan-a", "2026-01-10T10:00:00Z", "a2")]);
    world.commit("acme", &[unnamed("other.scan", "scan-b", "2026-01-11T10:00:00Z", "b1")]);
    check(&world, &["a1", "a2", "b1"], 0, 0);
    world.commit("acme", &[of("finops", "own-1", "2026-01-20T10:00:00Z", "own")]);
    world.commit("acme", &[of("scanner", "scan-c", "2026-01-05T10:00:00Z", "c1")]);
    check(&world, &["a1", "a2", "b1", "c1", "own"], 0, 0);
    // A rerun of one replaces what that one has said before, and only that.
    world.commit("acme", &[unnamed("demo.scan", "scan-a2", "2026-01-12T10:00:00Z", "a2")]);
    check(&world, &["a2", "b1", "c1", "own"], 1, 0);
    world.commit("acme", &[of("scanner", "scan-c2", "2026-01-06T10:00:00Z", "c2")]);
    check(&world, &["a2", "b1", "c2", "own"], 2, 0);
    let runs: Vec<_> = export(&world).runs.into_iter().map(|run| (run.engine_name, run.run_id)).collect();
    let expected = [("", "scan-a2"), ("", "scan-b"), ("finops", "own-1"), ("scanner", "scan-c2")];
    assert_eq!(runs, expected.map(|(engine, run)| (engine.to_owned(), run.to_owned())));
}

#[test]
fn runs_without_a_name_that_share_a_checker_are_of_one_producer() {
    let mut world = World::new();
    let first = "2026-01-10T10:00:00Z";
    world.commit("acme", &[unnamed("x.volumes", "r1", first, "f1"), unnamed("x.addresses", "r1", first, "f2")]);
    world.commit("acme", &[unnamed("x.volumes", "r2", "2026-01-11T10:00:00Z", "f1")]);
    check(&world, &["f1"], 1, 0);
    // In another workspace the same checkers may be of two producers.
    let dev = |finding: Finding| Finding { workspace: "dev", ..finding };
    world.commit("acme", &[dev(unnamed("x.addresses", "r3", first, "f3"))]);
    world.commit("acme", &[dev(unnamed("x.volumes", "r4", "2026-01-11T10:00:00Z", "f4"))]);
    let listed = list_findings(&world.cut(), &scope(), &FindingFilter::default(), &DuckLimits::default()).unwrap();
    assert_eq!(listed.total, 3);
}

#[test]
fn a_finding_that_two_producers_report_counts_once() {
    let mut world = World::new();
    let newer = Finding { engine: "b", run_id: "r2", ingested_ts: "2026-01-20T12:00:00Z", title: "newer", ..FINDING };
    world.commit("acme", &[FINDING, newer]);
    check(&world, &["f1"], 0, 0);
    assert_eq!(read(&world, "findings.json")[0]["title"], "newer");
}

#[test]
fn a_run_that_found_nothing_hides_its_own_findings_only() {
    let mut world = World::new();
    world.commit("acme", &[FINDING, Finding { engine: "b", run_id: "r2", fingerprint: "f2", ..FINDING }]);
    world.run_manifest("acme", "r3", "2026-01-21T10:00:00.000Z", RunStatus::Complete, 0);
    check(&world, &["f2"], 1, 0);
}

#[test]
fn what_has_not_arrived_whole_is_counted() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let later = |fingerprint| Finding { run_id: "r2", run_ts: "2026-01-21T10:00:00Z", fingerprint, ..FINDING };
    world.commit("acme", &[later("f1"), later("f2")]);
    world.run_manifest("acme", "r2", "2026-01-21T10:00:00.000Z", RunStatus::Complete, 3);
    check(&world, &["f1"], 0, 1);
    world.commit("acme", &[later("f3")]);
    check(&world, &["f1", "f2", "f3"], 0, 0);
}

#[test]
fn the_same_sent_again_changes_no_figure() {
    let mut world = World::new();
    world.commit("acme", &[FINDING, Finding { fingerprint: "f2", finding_id: "id-f2", ..FINDING }]);
    export(&world);
    let before = read(&world, "summary.json");
    world.commit("acme", &[Finding { ingested_ts: "2026-01-21T10:00:00Z", ..FINDING }]);
    let again = Finding { run_id: "r2", run_ts: "2026-01-21T10:00:00Z", ..FINDING };
    world.commit("acme", &[again.clone(), Finding { fingerprint: "f2", finding_id: "id-f2", ..again }]);
    export(&world);
    assert_eq!(read(&world, "summary.json"), before);
}
