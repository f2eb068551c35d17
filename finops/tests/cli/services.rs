//! `finops up` and the roles on their own: they start, share the work of one folder, and end in good order.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, Instant};

use super::place::{FINOPS, Place, good};

/// A service that is running.
struct Up(Child, BufReader<ChildStderr>);

impl Up {
    fn start(place: &Place) -> Self {
        let mut child = place
            .command(FINOPS)
            .arg("up")
            .env("FINOPS_SINK_AGE_MAX", "100ms")
            .env("FINOPS_LOG_FILTER", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("finops is up: reading wire findings from data, writing to data"), "{line}");
        Self(child, stderr)
    }

    /// Asks it to end and returns how it did and what it said.
    fn stop(mut self, place: &Place) -> (Option<i32>, String) {
        assert_eq!(place.sh(&format!("kill -TERM {}", self.0.id())).code, Some(0));
        let code = self.0.wait().unwrap().code();
        let mut said = String::new();
        self.1.read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_there() {
        assert!(Instant::now() < deadline, "{what} took more than a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn up_takes_on_what_is_left_and_ends_when_asked() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    let run = ["run", "--tenant", "acme", "--findings", "a.ndjson"];
    let killed = place.command(FINOPS).args(run).env("FINOPS_FAILPOINT", "validator.step.begin").output().unwrap();
    assert_eq!(killed.status.code(), None);
    // The place of a member that was killed is free after this time.
    place.write("finops.toml", "broker.session_timeout = '1s'\n");
    let up = Up::start(&place);
    wait_for("the export", || place.path().join("data/export/acme/findings.json").is_file());
    let (code, said) = up.stop(&place);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let verified = place.finops("verify --output json").json(0);
    assert_eq!(verified["findings_rows"], 1, "{verified}");
}

#[test]
fn each_role_does_its_part_and_stops() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    place.write("finops.toml", "broker.session_timeout = '1s'\n");
    let run = ["run", "--tenant", "acme", "--findings", "a.ndjson"];
    let killed = place.command(FINOPS).args(run).env("FINOPS_FAILPOINT", "validator.step.begin").output().unwrap();
    assert_eq!(killed.status.code(), None);
    let validated = place.finops("validator run --drain --output json").json(0);
    assert_eq!((&validated["read"], &validated["valid"]), (&1.into(), &1.into()), "{validated}");
    let written = place.finops("sink run --drain --output json").json(0);
    assert_eq!((&written["findings_rows"], &written["commits"]), (&1.into(), &1.into()), "{written}");
    let rows = place.finops("exporter once --output ndjson").lines(0);
    assert!(rows.iter().any(|row| row["file"] == "findings.json" && row["rows"] == 1), "{rows:?}");
}
