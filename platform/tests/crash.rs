//! What a killed process leaves behind, and how signals end one. Each test runs this test program again
//! as a child that does only what its variable says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, ConsumerConfig, Polled, Start, TopicSpec, Topics};
use platform::failpoint;
use platform::lifecycle::{Shutdown, stop_on_signals};
use platform::store::local::LocalStore;
use platform::store::{Published, Staged, Store};

const ROLE: &str = "PLATFORM_TEST_ROLE";
const FOLDER: &str = "PLATFORM_TEST_FOLDER";
/// The store's own folder.
const OWN: &str = "_own";

/// Not a test of its own: what the children do.
#[test]
fn child() {
    match std::env::var(ROLE).as_deref() {
        Ok("commit") => commit(Path::new(&std::env::var(FOLDER).unwrap())),
        Ok("member") => keep_a_partition(Path::new(&std::env::var(FOLDER).unwrap())),
        Ok("polite") => wait_for_signal(Duration::from_secs(60)),
        Ok("stubborn") => {
            wait_for_signal(Duration::from_secs(60));
            std::thread::sleep(Duration::from_secs(60));
        }
        _ => {}
    }
}

/// Says whether a member that shares two partitions with another one keeps its own, and stays until its input ends.
fn keep_a_partition(folder: &Path) {
    let broker = EmbeddedBroker::open(&folder.join("log.db"), EmbeddedSettings::default()).unwrap();
    let session_timeout = Duration::from_secs(3);
    let mut member = broker
        .consumer(ConsumerConfig {
            group: "group".into(),
            topics: Topics::Names(vec!["topic".into()]),
            member: format!("member-{}", std::process::id()),
            start: Start::Earliest,
            session_timeout,
            poll_records_max: 1,
            poll_bytes_max: 1,
        })
        .unwrap();
    println!("member began");
    let (mut count, mut alone_until) = (0, None);
    let said = loop {
        match member.poll(Duration::from_millis(100)).unwrap() {
            Polled::Assigned(assigned) => count += assigned.len(),
            Polled::Revoked(revoked) => count -= revoked.len(),
            Polled::Lost(_) => break "lost",
            _ => {}
        }
        // Longer than a session: then each has seen several times that the other lives.
        let until = *alone_until.get_or_insert_with(|| Instant::now() + Duration::from_secs(60));
        if count == 1 && until > Instant::now() + 2 * session_timeout {
            alone_until = Some(Instant::now() + 2 * session_timeout);
        }
        if Instant::now() > until {
            break if count == 1 { "kept" } else { "not shared" };
        }
    };
    println!("member {said}");
    let _ended = std::io::stdin().lines().all(|line| line.is_ok());
}

fn as_child(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(ROLE, role);
    command
}

/// A small writer: stage, commit what was staged, publish; each step taken only when it was not taken yet.
fn commit(root: &Path) {
    let store = LocalStore::open(root, OWN).unwrap();
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
    let points: Vec<_> = failpoint::names().into_iter().filter(|name| name.starts_with("store.local.")).collect();
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
        let store = LocalStore::open_existing(folder.path(), OWN).unwrap();
        let paths: Vec<_> = store.list("").unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["_store.json", "chain/0.json", "data/part-0.parquet", "manifest.json"], "after {armed}");
        assert_nothing_torn(folder.path(), &armed);
        store.sweep(i64::MAX, &|_| false).unwrap();
        assert!(store.staged().unwrap().is_empty(), "after {armed}");
    }
}

/// A reader at any moment sees whole objects only.
fn assert_nothing_torn(root: &Path, armed: &str) {
    let Ok(store) = LocalStore::open_existing(root, OWN) else { return };
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

/// Containers do not see the processes of each other, and each has a process 1.
#[test]
fn members_in_two_containers_share_the_partitions() {
    let contained = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let may_contain = Command::new("unshare").args(contained).arg("true").stderr(Stdio::null()).status();
    if !may_contain.is_ok_and(|status| status.success()) {
        println!("skipped: this user may not start a process in a PID namespace of its own");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::open(&folder.path().join("log.db"), EmbeddedSettings::default()).unwrap();
    let (name, retention_ms, retention_bytes) = ("topic".to_owned(), None, None);
    broker.ensure_topic(&TopicSpec { name, partitions: 2, compacted: false, retention_ms, retention_bytes }).unwrap();
    let start = || {
        let program = as_child("member");
        let mut command = Command::new("unshare");
        command.args(contained).arg(program.get_program()).args(program.get_args());
        command.env(ROLE, "member").env(FOLDER, folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().unwrap()
    };
    let says = |lines: &mut Lines<BufReader<ChildStdout>>, expected: &str| {
        let said = lines.find_map(|line| line.unwrap().split_once("member ").map(|(_, said)| said.to_owned()));
        assert_eq!(said.as_deref(), Some(expected));
    };
    let (mut members, mut outputs) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let mut member: Child = start();
        let mut lines = BufReader::new(member.stdout.take().unwrap()).lines();
        // Each has the same id in its namespace; begun at another time, they do not have the same start time as well.
        says(&mut lines, "began");
        members.push(member);
        outputs.push(lines);
    }
    outputs.iter_mut().for_each(|lines| says(lines, "kept"));
    for (mut member, _output) in members.into_iter().zip(outputs) {
        drop(member.stdin.take());
        assert!(member.wait().unwrap().success());
    }
}
