//! What a killed process leaves behind, and how signals end one. Each test runs this test program again
//! as a child that does only what its variable says.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use platform::config::ConfigBuilder;
use platform::failpoint;
use platform::lifecycle::{Shutdown, stop_on_signals};
use platform::store::local::LocalStore;
use platform::store::{Published, Staged, Store};
use platform::telemetry::{self, TelemetryConfig};

const ROLE: &str = "PLATFORM_TEST_ROLE";
const FOLDER: &str = "PLATFORM_TEST_FOLDER";

/// Not a test of its own: what the children do.
#[test]
fn child() {
    match std::env::var(ROLE).as_deref() {
        Ok("commit") => commit(Path::new(&std::env::var(FOLDER).unwrap())),
        Ok("panic") => panic_as_json(),
        Ok("polite") => wait_for_signal(Duration::from_secs(60)),
        Ok("stubborn") => {
            wait_for_signal(Duration::from_secs(60));
            std::thread::sleep(Duration::from_secs(60));
        }
        _ => {}
    }
}

fn as_child(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(ROLE, role);
    command
}

/// A small sink: stage, commit what was staged, publish; each step taken only when it was not taken yet.
fn commit(root: &Path) {
    let store = LocalStore::open(root).unwrap();
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

fn run_commit(root: &Path, failpoint: Option<&str>) -> ExitStatus {
    let mut command = as_child("commit");
    command.env(FOLDER, root).stdout(Stdio::null());
    failpoint.map(|name| command.env(failpoint::VARIABLE, name));
    command.status().unwrap()
}

#[test]
fn killed_at_any_step_the_next_run_completes() {
    let points: Vec<_> = failpoint::NAMES.iter().filter(|name| name.starts_with("store.local.")).collect();
    assert!(points.len() >= 4);
    for (point, pass) in points.iter().flat_map(|point| (1..=3).map(move |pass| (point, pass))) {
        let folder = tempfile::tempdir().unwrap();
        let armed = format!("{point}:{pass}");
        let status = run_commit(folder.path(), Some(&armed));
        // A point passed less often than that lets the run end well.
        let killed = status.signal() == Some(signal_hook::consts::SIGKILL);
        assert!(killed || (pass > 1 && status.success()), "{armed}: {status}");
        assert_nothing_torn(folder.path(), &armed);
        assert!(run_commit(folder.path(), None).success(), "after {armed}");
        let store = LocalStore::open_existing(folder.path()).unwrap();
        let paths: Vec<_> = store.list("").unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["_store.json", "chain/0.json", "data/part-0.parquet", "manifest.json"], "after {armed}");
        assert_nothing_torn(folder.path(), &armed);
        store.sweep(i64::MAX, &|_| false).unwrap();
        assert!(store.staged().unwrap().is_empty(), "after {armed}");
    }
}

/// A reader at any moment sees whole objects only.
fn assert_nothing_torn(root: &Path, armed: &str) {
    let Ok(store) = LocalStore::open_existing(root) else { return };
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

#[test]
fn a_point_that_does_not_exist_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = as_child("commit");
    let output = command.env(FOLDER, folder.path()).env(failpoint::VARIABLE, "store.typo").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("FINOPS_FAILPOINT=store.typo names no crash point; there are: "), "{message}");
}

fn panic_as_json() {
    let config = ConfigBuilder::new(&[telemetry::SETTINGS]).env([("FINOPS_LOG_FORMAT", "json")]).resolve().unwrap();
    telemetry::init(TelemetryConfig::from_config(&config).unwrap()).unwrap();
    assert!(telemetry::init(TelemetryConfig::from_config(&config).unwrap()).is_err());
    panic!("index {} of 2", 3);
}

#[test]
fn a_panic_is_one_line_of_json_on_stderr() {
    let output = as_child("panic").env_remove("RUST_BACKTRACE").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"panic: index 3 of 2".into()));
    assert!(line["place"].as_str().unwrap().contains("tests/crash.rs:"), "{line}");
}

fn wait_for_signal(at_most: Duration) {
    let shutdown = Shutdown::new();
    stop_on_signals(&shutdown).unwrap();
    println!("ready");
    assert!(shutdown.wait_timeout(at_most));
    println!("stopping: {}", shutdown.reason().unwrap());
}

struct Signalled {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Signalled {
    fn start(role: &str) -> Self {
        let mut child = as_child(role).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut started = Self { child, lines };
        started.read_until("ready");
        started
    }

    fn send(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn read_until(&mut self, text: &str) {
        // The test harness may write its own words on the same line first.
        assert!(self.lines.by_ref().any(|line| line.unwrap().ends_with(text)), "the child ended before {text:?}");
    }
}

#[test]
fn the_first_signal_asks_to_stop() {
    for signal in ["TERM", "INT"] {
        let mut child = Signalled::start("polite");
        child.send(signal);
        child.read_until(&format!("stopping: SIG{signal} received"));
        assert!(child.child.wait().unwrap().success());
    }
}

#[test]
fn the_second_signal_ends_at_once() {
    let mut child = Signalled::start("stubborn");
    child.send("TERM");
    child.read_until("stopping: SIGTERM received");
    child.send("INT");
    assert_eq!(child.child.wait().unwrap().code(), Some(130));
}
