//! What a process that is killed at any step of the S3 store leaves behind: nothing torn, and the next run completes it.
//! The test runs this program again as a child that does only what its variables say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use contracts::layout;
use platform::config::ConfigBuilder;
use platform::failpoint;
use platform::store::s3::{S3Settings, S3Store, SETTINGS};
use platform::store::{Published, Staged, Store};
use tests::s3::gateway::Gateway;
use tests::s3::{S3Server, own_variables, variables};

/// The signal of a failpoint.
const SIGKILL: i32 = 9;

/// Not a test of its own: a small sink that stages, commits what was staged and publishes it; each step only when it was
/// not taken yet.
#[test]
fn child() {
    let config = ConfigBuilder::new(&[SETTINGS]).env(own_variables()).resolve().unwrap();
    let Some(settings) = S3Settings::from_config(&config, Path::new("cache")).unwrap() else { return };
    let store = S3Store::open(settings, layout::SINK).unwrap();
    if store.get("chain/0.json").unwrap().is_none() {
        let mut writer = store.stage("data/part-0.parquet").unwrap();
        writer.write_all(b"rows").unwrap();
        let staged = writer.finish().unwrap();
        store.put_if_absent("chain/0.json", &serde_json::to_vec(&staged).unwrap()).unwrap();
    }
    let staged: Staged = serde_json::from_slice(&store.get("chain/0.json").unwrap().unwrap()).unwrap();
    assert_ne!(store.publish(&staged).unwrap(), Published::Missing);
    store.put("manifest.json", b"done").unwrap();
}

fn run(settings: &S3Settings, failpoint: Option<&str>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(variables(settings));
    failpoint.map(|armed| command.env(failpoint::VARIABLE, armed));
    command.status().unwrap()
}

#[test]
fn killed_at_any_step_the_next_run_completes() {
    completes_after_kills(|folder| S3Server::shared().bucket("finops", folder));
}

#[test]
fn so_it_does_on_another_server() {
    let Some(gateway) = Gateway::shared() else { return };
    completes_after_kills(|folder| gateway.bucket(folder));
}

fn completes_after_kills(bucket: impl Fn(&Path) -> S3Settings) {
    let folder = tempfile::tempdir().unwrap();
    let points: Vec<_> = failpoint::names().into_iter().filter(|name| name.starts_with("store.s3.")).collect();
    assert!(points.len() >= 7);
    for (point, pass) in points.iter().flat_map(|point| (1..=3).map(move |pass| (point, pass))) {
        let settings = bucket(folder.path());
        let armed = format!("{point}:{pass}");
        let status = run(&settings, Some(&armed));
        // A point passed less often than that lets the run end well.
        let killed = status.signal() == Some(SIGKILL);
        assert!(killed || (pass > 1 && status.success()), "{armed}: {status}");
        assert_nothing_torn(&settings, &armed);
        assert!(run(&settings, None).success(), "after {armed}");
        let store = S3Store::open_existing(settings.clone()).unwrap();
        let paths: Vec<_> = store.list("").unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["_store.json", "chain/0.json", "data/part-0.parquet", "manifest.json"], "after {armed}");
        assert_nothing_torn(&settings, &armed);
        store.sweep(i64::MAX, &|_| false).unwrap();
        assert!(store.staged().unwrap().is_empty(), "after {armed}");
    }
}

/// A reader at any moment sees whole objects only.
fn assert_nothing_torn(settings: &S3Settings, armed: &str) {
    let Ok(store) = S3Store::open_existing(settings.clone()) else { return };
    let whole = |path: &str, expected: &[u8]| {
        let found = store.get(path).unwrap();
        assert!(found.is_none_or(|bytes| bytes == expected), "{path} after {armed}");
    };
    whole("data/part-0.parquet", b"rows");
    whole("manifest.json", b"done");
    if let Some(record) = store.get("chain/0.json").unwrap() {
        serde_json::from_slice::<Staged>(&record).unwrap_or_else(|e| panic!("chain after {armed}: {e}"));
    }
}
