//! What an operator looks at: status, tap, doctor, and a running service's health and metrics.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::place::{FINOPS, Place, good};

/// A place in which one finding was written and one refused.
fn worked() -> Place {
    let place = Place::new();
    let mut findings = good("acme", "vol-1");
    findings.extend(b"\n{\"not\": \"a finding\"}\n");
    place.write("a.ndjson", findings);
    let ended = place.finops("run --tenant acme --findings a.ndjson");
    assert_eq!(ended.code, Some(0), "{ended}");
    place
}

#[test]
fn status_tells_lag_commits_files_refusals_and_runs() {
    let place = worked();
    let status = place.finops("status --output json").json(0);
    let groups = status["groups"].as_array().unwrap();
    assert!(groups.iter().all(|group| group["lag"] == 0 && group["oldest_age_ms"].is_null()), "{status}");
    for (topic, group) in [("wire", "finops.validator"), ("valid", "finops.sink"), ("dlq", "finops.sink")] {
        let is_it = |g: &&Value| g["group"] == group && g["topic"] == format!("finops.findings.{topic}");
        assert!(groups.iter().filter(is_it).any(|g| g["end"].as_u64() > Some(0)), "{topic}: {status}");
    }
    assert_eq!(status["recent_dead_letters"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["recent_dead_letters"][0]["count"], 1, "{status}");
    let run = &status["runs"][0];
    let counts = (&run["published"], &run["delivered"], &run["is_complete"]);
    assert_eq!(counts, (&2.into(), &2.into(), &true.into()), "{status}");
    assert_eq!(status["files"].as_array().unwrap().len(), 2, "{status}");

    let table = place.finops("status").text();
    for word in ["GROUP", "WRITTEN", "DATASET", "REFUSED LATELY", "finops_dead_letters", "acme"] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
}

#[test]
fn status_sees_what_is_not_done_yet() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    let run = ["run", "--tenant", "acme", "--findings", "a.ndjson"];
    let killed = place.command(FINOPS).args(run).env("FINOPS_FAILPOINT", "validator.step.begin").output().unwrap();
    assert_eq!(killed.status.code(), None);
    let status = place.finops("status --output json").json(0);
    let behind: Vec<_> = status["groups"].as_array().unwrap().iter().filter(|group| group["lag"] == 1).collect();
    assert_eq!(behind.len(), 1, "{status}");
    assert_eq!(behind[0]["topic"], "finops.findings.wire");
    assert!(behind[0]["oldest_age_ms"].is_number(), "{status}");
}

#[test]
fn tap_shows_each_topic_as_what_it_holds_and_joins_no_group() {
    let place = worked();
    let groups = place.finops("status --output json").json(0)["groups"].clone();
    let tap = |topic: &str, more: &str| {
        place.finops(&format!("tap {topic} --from earliest --no-follow --output ndjson {more}")).lines(0)
    };
    let valid = tap("finops.findings.valid", "");
    assert_eq!(valid.len(), 1, "{valid:?}");
    assert_eq!(valid[0]["value"]["tenant_id"], "acme", "{}", valid[0]);
    assert_eq!(valid[0]["tenant"], "acme");
    let savings = valid[0]["value"].to_string();
    assert!(!savings.contains("Decimal("), "{savings}");
    let dead = tap("finops.findings.dlq", "");
    assert_eq!((dead.len(), &dead[0]["value"]["not"]), (1, &"a finding".into()), "{dead:?}");
    assert!(dead[0]["refused"]["violations"].as_array().is_some_and(|all| !all.is_empty()), "{dead:?}");
    assert_eq!(tap("finops.findings.wire", "").len(), 2);
    assert_eq!(tap("finops.findings.wire", "--limit 1").len(), 1);
    assert_eq!(tap("finops.findings.wire", "--tenant nobody").len(), 0);
    let latest = place.finops("tap finops.findings.wire --no-follow");
    assert_eq!((latest.code, latest.text().as_str()), (Some(0), ""), "{latest}");
    let line = place.finops("tap finops.findings.dlq --from 1970-01-01T00:00:00Z --limit 1").text();
    assert!(line.contains(" finops.findings.dlq/") && line.contains(" refused: "), "{line}");
    assert_eq!(place.finops("status --output json").json(0)["groups"], groups);
}

#[test]
fn tap_says_what_it_cannot_show() {
    let place = worked();
    let unknown = place.finops("tap finops.finding");
    assert_eq!(unknown.code, Some(64), "{unknown}");
    assert!(unknown.stderr.contains("there is no topic finops.finding; there are: finops.findings.dlq,"), "{unknown}");
    assert_eq!(place.finops("tap finops.findings.wire --partition 99").code, Some(64));
    assert_eq!(place.finops("tap finops.findings.wire --from yesterday").code, Some(64));
    assert_eq!(place.finops("tap finops.findings.wire --no-follow --output csv").code, Some(64));
}

#[test]
fn doctor_finds_a_place_that_works_well() {
    let place = worked();
    let report = place.finops("doctor --output json").json(0);
    let checks = report.as_array().unwrap();
    for name in ["broker", "topics", "broker permissions", "store of the group", "store", "put-if-absent", "clock"] {
        let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {report}"));
        assert_eq!(check["state"], "ok", "{check}");
    }
    // It leaves nothing behind.
    let topics = place.finops("tap nothing").stderr;
    assert!(!topics.contains("finops.doctor"), "{topics}");
    let files = place.sh("find data -path '*_doctor*' -type f; find data -path '*staging*' -type f").text();
    assert_eq!(files, "");
    assert_eq!(place.finops("verify").code, Some(0));
}

#[test]
fn doctor_says_what_to_do() {
    let place = worked();
    let nobody = Place::new().finops("doctor --output json").json(0);
    assert_eq!(nobody.as_array().unwrap().last().unwrap()["state"], "warn", "{nobody}");

    place.write("finops.toml", "validator.producers = 'none.toml'\n");
    let offline = place.finops("doctor --offline");
    assert_eq!(offline.code, Some(78), "{offline}");
    let said = offline.text();
    assert!(said.contains("fail producer policy: reading producer policy none.toml: "), "{said}");
    assert!(said.contains("     → mend the file that validator.producers names\n"), "{said}");
    assert!(!said.contains("put-if-absent"), "{said}");

    // Another store behind the same group.
    place.write("finops.toml", "");
    let other = worked();
    let path = other.path().join("data/finops_findings");
    let ended = place.finops(&format!("doctor --data data --out {}", path.display()));
    assert_eq!(ended.code, Some(78), "{ended}");
    assert!(ended.text().contains("fail store of the group: the sinks' group has written to store "), "{ended}");
}

/// A service that is running, and where it answers.
struct Watched(Child, String);

impl Watched {
    fn start(place: &Place) -> Self {
        let mut child = place
            .command(FINOPS)
            .arg("up")
            .env("FINOPS_SINK_AGE_MAX", "100ms")
            .env("FINOPS_HTTP_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        while !line.contains("http://") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended without saying where it listens");
        }
        // Nobody reads on: the pipe must not fill up and stop it.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        Self(child, address)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        (status, text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_service_shows_health_and_what_it_has_done() {
    let place = worked();
    let up = Watched::start(&place);
    let deadline = Instant::now() + Duration::from_secs(60);
    while up.get("/ready").0 != 200 {
        assert!(Instant::now() < deadline, "never ready: {:?}", up.get("/ready"));
        std::thread::sleep(Duration::from_millis(100));
    }
    let (code, live) = up.get("/live");
    let live: Value = serde_json::from_str(&live).unwrap();
    assert_eq!((code, &live["status"]), (200, &"ok".into()), "{live}");
    let parts: Vec<_> = live["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!(parts, ["broker", "store", "validator", "sink", "exporter"]);
    assert_eq!(up.get("/other").0, 404);

    let mut more = good("acme", "vol-2");
    more.extend(b"\n{}\n");
    place.write("b.ndjson", more);
    // The services that are up take the records on, or the run's own do: only what enters is the run's alone.
    let ended = place.finops("run --tenant acme --findings b.ndjson");
    assert!(matches!(ended.code, Some(0 | 75)), "{ended}");
    let wanted = [
        "finops_ready{part=\"sink\"} 1.0",
        "finops_build_info{version=\"",
        "finops_lag_records{group=\"finops.sink\",topic=\"finops.findings.valid\",partition=\"0\"} 0.0",
        "finops_assigned_partitions{stage=\"validator\"} ",
        "finops_buffer_bytes{stage=\"sink\"} ",
        "# EOF",
    ];
    let metrics = loop {
        let (_, metrics) = up.get("/metrics");
        if wanted.iter().all(|line| metrics.contains(line)) {
            break metrics;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(!metrics.contains("acme"), "a tenant is in a label: {metrics}");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::new();
    let up = place.command(FINOPS).arg("up").env("FINOPS_HTTP_LISTEN", address.to_string()).output().unwrap();
    assert_eq!(up.status.code(), Some(78));
    let said = String::from_utf8(up.stderr).unwrap();
    assert!(said.contains(&format!("http.listen: listening on {address}: ")), "{said}");
}
