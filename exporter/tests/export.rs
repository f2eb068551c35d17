//! The JSON files over committed data: what they hold, when they change, and what leaves them alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use contracts::run_manifest::RunStatus;
use contracts::tenant_scope::TenantScope;
use contracts::{datasets, layout};
use exporter::{DuckLimits, ExportError, ExportOptions, ExportReport, Population, cut_of_files, export_tenant};
use lake::cut::Cut;
use platform::store::Store;
use proptest::prelude::*;

use support::{FINDING, Finding, World};

fn try_export(world: &World, tenant: &str, options: &ExportOptions) -> Result<ExportReport, ExportError> {
    let cut = Cut::committed(world.store.clone())?;
    export_tenant(&cut, &TenantScope::new(tenant)?, &world.export_dir(), options, &DuckLimits::default())
}

fn export(world: &World) -> ExportReport {
    try_export(world, "acme", &ExportOptions::default()).unwrap()
}

/// Every file below a folder and its bytes.
fn bytes_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

fn fingerprints(world: &World, file: &str) -> Vec<String> {
    let bytes = fs::read(world.export_dir().join("acme").join(file)).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
    rows.iter().map(|row| row["finding_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_files_have_the_documented_shape() {
    let mut world = World::new();
    let meta = Finding {
        fingerprint: "f2",
        finding_id: "id-f2",
        run_ts: "2026-01-20T10:00:00.25Z",
        title: "täglich \"42\" <b>",
        savings: Some("-1"),
        source_ref: "correlation:rule.x",
        ..FINDING
    };
    world.commit("acme", &[FINDING, meta]);
    let report = export(&world);
    let mut text = String::new();
    for file in report.manifest.files.iter().map(|f| f.name.as_str()).chain(["manifest.json"]) {
        text += &format!("== {file}\n{}", fs::read_to_string(report.folder.join(file)).unwrap());
    }
    let digests = (r#""(cut|sha256|generation)": "[0-9a-f]+""#, r#""$1": "<digest>""#);
    let version = (r#""code_version": "[0-9.]+""#, r#""code_version": "<version>""#);
    insta::with_settings!({filters => [digests, version]}, { insta::assert_snapshot!(text) });
}

/// It holds a folder for each tenant: who looks through it for each of them looks through it for hours.
#[test]
fn the_export_of_one_tenant_does_not_look_through_the_folder_of_all_tenants() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let left = world.export_dir().join(".building-old");
    fs::create_dir_all(&left).unwrap();
    let hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 3_600);
    fs::File::open(&left).unwrap().set_modified(hours_ago).unwrap();
    assert!(export(&world).changed);
    assert!(left.exists(), "a pass over all tenants removes it");
}

#[test]
fn only_the_latest_complete_run_of_each_workspace_counts() {
    let of = |run_id, run_ts, finding_id, fingerprint| Finding { run_id, run_ts, finding_id, fingerprint, ..FINDING };
    let mut world = World::new();
    world.commit("acme", &[of("r1", "2026-01-20T10:00:00Z", "a", "a"), of("r1", "2026-01-20T10:00:00Z", "b", "b")]);
    world.commit("acme", &[Finding { workspace: "dev", ..of("r0", "2026-01-02T10:00:00Z", "c", "c") }]);
    world.commit("acme", &[of("r2", "2026-01-21T10:00:00Z", "a", "a")]);
    world.run_manifest("acme", "r2", "2026-01-21T10:00:00.000Z", RunStatus::Complete, 2);
    export(&world);
    assert_eq!(fingerprints(&world, "findings.json"), ["a", "b", "c"], "r2 has not arrived whole");
    world.commit("acme", &[of("r2", "2026-01-21T10:00:00Z", "d", "d")]);
    export(&world);
    assert_eq!(fingerprints(&world, "findings.json"), ["a", "c", "d"]);
    let all = ExportOptions { population: Population::All, ..ExportOptions::default() };
    try_export(&world, "acme", &all).unwrap();
    assert_eq!(fingerprints(&world, "findings.json"), ["a", "d", "a", "b", "c"]);
}

#[test]
fn a_run_sent_twice_does_not_count_twice() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let before = export(&world);
    world.commit("acme", &[Finding { ingested_ts: "2026-01-20T12:00:00Z", title: "newer", ..FINDING }]);
    let after = export(&world);
    assert_eq!((before.rows_read, after.rows_read), (1, 1));
    let text = fs::read_to_string(after.folder.join("findings.json")).unwrap();
    assert!(text.contains("newer") && !text.contains("a title"), "{text}");
}

#[test]
fn a_tenant_whose_first_run_is_under_way_has_nothing_to_export() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.run_manifest("acme", "r1", FINDING.run_ts, RunStatus::Complete, 2);
    let error = try_export(&world, "acme", &ExportOptions::default()).unwrap_err();
    assert_eq!(error.code(), Some("no_complete_run"));
    assert!(!world.export_dir().exists());
}

#[test]
fn the_same_cut_gives_the_same_bytes_on_any_thread_count() {
    let mut world = World::new();
    let texts: Vec<&'static str> = (0..300).map(|n| &*Box::leak(format!("f{n}").into_boxed_str())).collect();
    for part in texts.chunks(100) {
        let rows: Vec<_> = part.iter().map(|f| Finding { fingerprint: f, finding_id: f, ..FINDING }).collect();
        world.commit("acme", &rows);
    }
    let cut = world.cut();
    let scope = TenantScope::new("acme").unwrap();
    let bytes = |threads| {
        let out = tempfile::tempdir().unwrap();
        let limits = DuckLimits { threads, ..DuckLimits::default() };
        let report = export_tenant(&cut, &scope, out.path(), &ExportOptions::default(), &limits).unwrap();
        bytes_of(&report.folder)
    };
    let one = bytes(1);
    assert_eq!(one.len(), 6);
    assert_eq!(one, bytes(4));
    assert_eq!(world.cut().digest_of(&scope), cut.digest_of(&scope));
    assert!(export(&world).changed);
    assert!(!export(&world).changed, "equal files are not written again");
}

/// Makes an export, spoils the data, and sees that the old files are still there, untouched.
fn check_failure_leaves_old_files(code: &str, spoil: impl FnOnce(&mut World)) {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let folder = export(&world).folder;
    let before = bytes_of(&folder);
    spoil(&mut world);
    let error = try_export(&world, "acme", &ExportOptions::default()).unwrap_err();
    assert_eq!(error.code(), Some(code), "{error}");
    assert!(!error.to_string().contains("globex"), "{error} names another tenant");
    assert_eq!(bytes_of(&folder), before);
    assert_eq!(fs::read_dir(world.export_dir()).unwrap().count(), 1, "nothing is left beside");
}

#[test]
fn rows_of_another_tenant_in_a_file_fail_the_export() {
    check_failure_leaves_old_files("tenant_mismatch", |world| {
        world.commit_rows_of("acme", "globex", &[FINDING]);
    });
}

#[test]
fn a_gap_in_the_chain_fails_the_export() {
    check_failure_leaves_old_files("bad_object", |world| {
        world.commit("acme", &[FINDING]);
        world.commit("acme", &[FINDING]);
        world.store.delete(&layout::chain_record("valid", 0, 1)).unwrap();
    });
}

#[test]
fn a_changed_commit_record_fails_the_export() {
    check_failure_leaves_old_files("bad_object", |world| {
        world.commit("acme", &[FINDING]);
        let path = layout::chain_record("valid", 0, 0);
        let text = String::from_utf8(world.store.get(&path).unwrap().unwrap().to_vec()).unwrap();
        world.store.put(&path, text.replace("\"writer_id\":\"test\"", "\"writer_id\":\"else\"").as_bytes()).unwrap();
    });
}

#[test]
fn a_data_file_of_another_size_fails_the_export() {
    check_failure_leaves_old_files("bad_object", |world| {
        let path = world.commit("acme", &[FINDING]);
        fs::write(world.store.local_path(&path).unwrap(), b"PAR1").unwrap();
    });
}

#[test]
fn a_money_column_that_is_no_decimal_fails_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.parquet");
    let query = "SELECT 'acme' AS tenant_id, 'f' AS fingerprint, {'monthly_savings': 1.5::DOUBLE} AS estimated";
    let duck = duckdb::Connection::open_in_memory().unwrap();
    duck.execute_batch(&format!("COPY ({query}) TO '{}' (FORMAT parquet)", file.display())).unwrap();
    let cut = cut_of_files(&[file.display().to_string()]).unwrap();
    let scope = TenantScope::new("acme").unwrap();
    let out = folder.path().join("export");
    let error =
        export_tenant(&cut, &scope, &out, &ExportOptions::default(), &DuckLimits::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "reading column estimated.monthly_savings of finops_findings: it is Float64, expected DECIMAL(18,6)"
    );
}

#[test]
fn a_record_whose_files_are_still_being_published_is_not_in_the_cut() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let path = world.commit("acme", &[Finding { fingerprint: "f2", ..FINDING }]);
    let local = world.store.local_path(&path).unwrap();
    let hidden = local.with_extension("hidden");
    fs::rename(&local, &hidden).unwrap();
    let cut = world.cut();
    assert_eq!((cut.files(&datasets::FINDINGS).len(), cut.positions["acme"][0].end), (1, 1));
    assert_eq!(export(&world).rows_read, 1);
    fs::rename(&hidden, &local).unwrap();
    assert_eq!(export(&world).rows_read, 2);
}

#[test]
fn files_with_no_row_at_all_are_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.parquet");
    let duck = duckdb::Connection::open_in_memory().unwrap();
    duck.execute_batch(&format!("COPY (SELECT 'x' AS tenant_id WHERE false) TO '{}' (FORMAT parquet)", file.display()))
        .unwrap();
    let cut = cut_of_files(&[file.display().to_string()]).unwrap();
    let scope = TenantScope::new("acme").unwrap();
    let error =
        export_tenant(&cut, &scope, folder.path(), &ExportOptions::default(), &DuckLimits::default()).unwrap_err();
    assert_eq!(error.code(), Some("no_rows"));
}

const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever lies beside it, an export holds its own tenant's rows and nothing of the others.
    #[test]
    fn no_output_holds_a_row_of_another_tenant(rows in prop::collection::vec((0..3_usize, 0..4_usize), 1..12)) {
        let marks = ["mark-of-acme", "mark-of-globex", "mark-of-initech"];
        let mut world = World::new();
        let mut counts = [0_u64; 3];
        for (tenant, n) in rows {
            let fingerprint = ["f0", "f1", "f2", "f3"][n];
            let finding = Finding { title: marks[tenant], service: marks[tenant], fingerprint, ..FINDING };
            world.commit(TENANTS[tenant], &[finding]);
            counts[tenant] += 1;
        }
        let all = ExportOptions { population: Population::All, ..ExportOptions::default() };
        for (tenant, mark) in TENANTS.iter().zip(marks) {
            match try_export(&world, tenant, &all) {
                Ok(report) => {
                    prop_assert_eq!(report.rows_read, counts[TENANTS.iter().position(|t| t == tenant).unwrap()]);
                    for (name, bytes) in bytes_of(&report.folder) {
                        let text = String::from_utf8(bytes).unwrap();
                        for other in marks.iter().filter(|other| **other != mark) {
                            prop_assert!(!text.contains(other), "{tenant}/{name} holds {other}");
                        }
                    }
                }
                Err(error) => prop_assert_eq!(error.code(), Some("tenant_not_found")),
            }
        }
    }
}
