//! The reference exports: reading `golden/dataset` gives the files in `golden/expected` (contract §13).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::path::{Path, PathBuf};

use contracts::tenant_scope::TenantScope;
use exporter::{DuckLimits, ExportOptions, Population, cut_of_files, export_tenant};
use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden")
}

fn dataset() -> Vec<String> {
    vec![golden().join("dataset/**/*.parquet").display().to_string()]
}

/// Members that we add to the documents of the reference; they come last, and every other member is compared.
const ADDED: &[(&str, &[&str])] = &[
    ("coverage.json", &["reason"]),
    ("summary.json", &["total", "truncated", "left_out", "potential_savings"]),
    ("findings.json", &["currency", "actual_currency"]),
    ("top_savings.json", &["currency"]),
    ("correlated_findings.json", &["currency", "actual_currency"]),
];

/// The document without what we add, which must be there.
fn without_added(name: &str, mut value: Value) -> Value {
    let (_, added) = ADDED.iter().find(|(file, _)| *file == name).unwrap();
    let objects = match &mut value {
        Value::Array(items) => items.iter_mut().collect(),
        object => vec![object],
    };
    for object in objects {
        let members = object.as_object_mut().unwrap();
        added.iter().for_each(|member| assert!(members.remove(*member).is_some(), "{name} lacks {member}"));
    }
    value
}

/// Instants are compared, not their spelling: the reference writes `+00:00` and microseconds (DESIGN.md §9).
fn with_instants(mut value: Value) -> Value {
    for row in value.as_array_mut().into_iter().flatten() {
        if let Some(text) = row.get("run_ts").and_then(Value::as_str) {
            row["run_ts"] = chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros().into();
        }
    }
    value
}

fn read(path: &Path) -> Value {
    with_instants(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn check(tenant: &str, expected: &str, options: &ExportOptions) {
    check_dataset(&dataset(), tenant, expected, options);
}

fn check_dataset(patterns: &[String], tenant: &str, expected: &str, options: &ExportOptions) {
    let out = tempfile::tempdir().unwrap();
    let cut = cut_of_files(patterns).unwrap();
    let scope = TenantScope::new(tenant).unwrap();
    let report = export_tenant(&cut, &scope, out.path(), options, &DuckLimits::default()).unwrap();
    let mut names: Vec<_> = report.manifest.files.iter().map(|f| f.name.clone()).collect();
    names.sort();
    let expected = golden().join("expected").join(expected);
    let mut expected_names: Vec<_> =
        std::fs::read_dir(&expected).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    expected_names.sort();
    assert_eq!(names, expected_names);
    for name in names {
        let ours = without_added(&name, read(&report.folder.join(&name)));
        assert_eq!(ours, read(&expected.join(&name)), "{tenant}/{name}");
    }
}

fn all() -> ExportOptions {
    ExportOptions { population: Population::All, ..ExportOptions::default() }
}

#[test]
fn both_tenants_as_the_reference_exports_them() {
    check("acme", "acme", &all());
    check("globex-eu", "globex-eu", &all());
    check("  ACME ", "acme", &all());
}

/// Without tenants in the paths every file holds rows of both: only the column tells them apart.
#[test]
fn both_tenants_out_of_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.parquet").display().to_string();
    let duck = duckdb::Connection::open_in_memory().unwrap();
    duck.execute_batch(&format!(
        "COPY (SELECT * FROM read_parquet('{}', hive_partitioning = false)) TO '{file}' (FORMAT parquet)",
        dataset()[0]
    ))
    .unwrap();
    let tenants = cut_of_files(std::slice::from_ref(&file)).unwrap().tenants();
    assert_eq!(tenants.iter().map(TenantScope::as_str).collect::<Vec<_>>(), ["acme", "globex-eu"]);
    check_dataset(std::slice::from_ref(&file), "acme", "acme", &all());
    check_dataset(&[file], "globex-eu", "globex-eu", &all());
}

#[test]
fn limit_and_no_correlated_file() {
    check("acme", "acme.limit7", &ExportOptions { limit: 7, correlated: false, ..all() });
}

#[test]
fn errors_have_the_codes_of_the_reference() {
    let expected: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&std::fs::read(golden().join("expected/errors.json")).unwrap()).unwrap();
    let code = |patterns: &[String], tenant: &str| {
        let out = tempfile::tempdir().unwrap();
        let error = cut_of_files(patterns)
            .and_then(|cut| {
                let scope = TenantScope::new(tenant)?;
                export_tenant(&cut, &scope, out.path(), &all(), &DuckLimits::default())
            })
            .unwrap_err();
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "an error touches nothing");
        assert!(!error.to_string().contains("globex"), "{error} names another tenant");
        error.code().unwrap()
    };
    let nowhere = vec![golden().join("nowhere/*.parquet").display().to_string()];
    assert_eq!(code(&dataset(), "initech"), expected["unknown_tenant"]);
    assert_eq!(code(&nowhere, "acme"), expected["no_files"]);
    assert_eq!(code(&[], "acme"), expected["no_glob"]);
    assert_eq!(code(&dataset(), "../x"), "tenant_invalid");
}

#[test]
fn the_dataset_has_the_rows_the_reference_wrote() {
    let layout: Value = serde_json::from_slice(&std::fs::read(golden().join("expected/layout.json")).unwrap()).unwrap();
    let duck = duckdb::Connection::open_in_memory().unwrap();
    let mut written = 0;
    for (file, rows) in layout["rows_per_file"].as_object().unwrap() {
        let sql = format!("SELECT count(*) FROM read_parquet('{}')", golden().join(file).display());
        let found: u64 = duck.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(Some(found), rows.as_u64(), "{file}");
        written += found;
    }
    assert_eq!(Some(written), layout["written"].as_u64());
    let rows = |tenant: &str| {
        let out = tempfile::tempdir().unwrap();
        let cut = cut_of_files(&dataset()).unwrap();
        let scope = TenantScope::new(tenant).unwrap();
        export_tenant(&cut, &scope, out.path(), &all(), &DuckLimits::default()).unwrap().rows_read
    };
    assert_eq!(rows("acme") + rows("globex-eu"), written);
}
