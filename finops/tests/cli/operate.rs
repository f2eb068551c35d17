//! What an operator looks at: status, tap, doctor, and a running service's health and metrics.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use tests::s3::{S3Server, variables};

use super::place::{Ended, FINOPS, Place, good, repo};

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
    assert_eq!(tap("finops.findings.wire", "--tenant unknown").len(), 0);
    let latest = place.finops("tap finops.findings.wire --no-follow");
    assert_eq!((latest.code, latest.text().as_str()), (Some(0), ""), "{latest}");
    let line = place.finops("tap finops.findings.dlq --from 1970-01-01T00:00:00Z --limit 1").text();
    assert!(line.contains(" finops.findings.dlq/") && line.contains(" refused: "), "{line}");
    assert_eq!(place.finops("status --output json").json(0)["groups"], groups);

    // The topics of a replay hold the same.
    let replayed = place.finops("replay run --to fresh --id again");
    assert_eq!(replayed.code, Some(0), "{replayed}");
    let again = tap("finops.replay.again.valid", "");
    assert_eq!((again.len(), &again[0]["value"]["finding_id"]), (1, &valid[0]["value"]["finding_id"]), "{again:?}");
    assert!(valid[0]["value"]["finding_id"].is_string(), "{valid:?}");
}

#[test]
fn status_watches_on_when_something_is_away_for_a_while() {
    let place = worked();
    let mut watching = place.command(FINOPS);
    watching.args(["status", "--watch", "--output", "ndjson"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = watching.spawn().unwrap();
    let mut seen = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let _watched = Watched(child, String::new());
    assert!(seen.next().unwrap().unwrap().contains("groups"));
    let chain = place.path().join("data/_sink");
    let away = place.path().join("away");
    std::fs::rename(&chain, &away).unwrap();
    // A store follows no link.
    std::os::unix::fs::symlink(&away, &chain).unwrap();
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains("symbolic link") && line.ends_with("; trying again"), "{line}");
    std::fs::remove_file(&chain).unwrap();
    std::fs::rename(&away, &chain).unwrap();
    // One status may have been on its way; the next one was begun after all was back.
    for _ in 0..2 {
        assert!(seen.next().unwrap().unwrap().contains("groups"));
    }
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
    for name in [
        "broker",
        "topics",
        "topic settings",
        "consumer groups",
        "broker permissions",
        "step of a group",
        "store of the group",
        "data files",
        "store",
        "put-if-absent",
        "clock",
        "staged files",
    ] {
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
    assert!(ended.text().contains("fail store of the group: the sinks' group writes to store "), "{ended}");
}

#[test]
fn doctor_names_the_tenants_whose_data_files_are_missing() {
    let place = worked();
    assert_eq!(found(&place.finops("doctor --output json"), 0, "data files"), ["ok 2 are committed and there"]);
    let removed = place.sh("rm -r data/finops_findings/tenant_id=acme");
    assert_eq!(removed.code, Some(0), "{removed}");
    let ended = place.finops("doctor --output json");
    let files = found(&ended, 75, "data files");
    let expected = "fail 1 cannot be read, of acme; the first: reading finops_findings/tenant_id=acme/";
    assert!(files.len() == 1 && files[0].starts_with(expected) && files[0].contains("it is absent"), "{ended}");
}

/// State and what was found, by the name of the check.
fn found(ended: &Ended, code: i32, name: &str) -> Vec<String> {
    let report = ended.json(code);
    let named = report.as_array().unwrap().iter().filter(|check| check["name"] == name);
    named.map(|check| format!("{} {}", check["state"].as_str().unwrap(), check["found"].as_str().unwrap())).collect()
}

#[test]
fn doctor_in_a_new_folder_asks_whom_it_can() {
    let place = Place::new();
    let ended = place.finops("doctor --output json");
    let here = "warn no broker in data: data/broker.sqlite is not there";
    assert_eq!(found(&ended, 0, "broker"), [here], "{ended}");
    assert_eq!(found(&ended, 0, "store"), ["warn no data in data"], "{ended}");
    assert_eq!(place.names(), [""; 0]);

    // No broker is there: reported with the reason, before the time-out, and the store is looked at all the same.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let began = Instant::now();
    let ended = place.finops(&format!("doctor --brokers {unused} --timeout 120 --output json"));
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    let broker = found(&ended, 75, "broker");
    let expected = format!("fail connecting to Kafka at {unused}: ");
    assert!(broker.len() == 1 && broker[0].starts_with(&expected) && broker[0].contains("refused"), "{ended}");
    assert_eq!(found(&ended, 75, "store"), ["warn no data in data"], "{ended}");

    // A broker is there and does not answer: each is given its time, no more.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mut doctor = place.command(FINOPS);
    doctor.args(["doctor", "--timeout", "2", "--output", "json", "--store", "s3://bucket/new"]);
    doctor.args(["--brokers", &address.to_string()]).env("FINOPS_STORE_S3_ENDPOINT", format!("http://{address}"));
    doctor.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let began = Instant::now();
    let ended = doctor.output().unwrap().into();
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    for name in ["broker", "store"] {
        assert_eq!(found(&ended, 75, name), ["fail no answer within 2 s"], "{name}: {ended}");
    }
}

#[test]
fn doctor_looks_at_the_broker_while_the_store_is_dead() {
    let place = worked();
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut doctor = place.command(FINOPS);
    doctor.args(["doctor", "--output", "json", "--store", "s3://bucket/data"]);
    doctor.env("FINOPS_STORE_S3_ENDPOINT", format!("http://{unused}"));
    doctor.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    let ended = doctor.output().unwrap().into();
    let store = found(&ended, 75, "store");
    assert!(
        store.len() == 1 && store[0].starts_with("fail reading s3://bucket/data/") && store[0].contains("refused"),
        "{ended}"
    );
    assert_eq!(found(&ended, 75, "step of a group").len(), 1, "{ended}");
    assert_eq!(found(&ended, 75, "broker"), ["ok answers; 5 topics"], "{ended}");
}

#[test]
fn doctor_tries_a_bucket_before_there_is_a_store() {
    let place = worked();
    let bucket = S3Server::shared().bucket("finops/new", place.path());
    let doctor = |more: &[&str]| -> Ended {
        let mut doctor = place.command(FINOPS);
        doctor.envs(variables(&bucket)).args(["doctor", "--output", "json"]).args(more).output().unwrap().into()
    };
    // The group of these topics has written elsewhere.
    let ended = doctor(&[]);
    let group = found(&ended, 78, "store of the group");
    assert!(group[0].ends_with(&format!("there is none in s3://{}/finops/new", bucket.bucket)), "{ended}");

    let ended = doctor(&["--data", "other"]);
    let store = found(&ended, 0, "store");
    let new = format!("s3://{}/finops/new", bucket.bucket);
    let tried = format!("ok {new}/_doctor can be written, read and listed");
    assert_eq!(store, [format!("warn no data in {new}"), tried], "{ended}");
    for name in ["put-if-absent", "staged files"] {
        assert!(found(&ended, 0, name)[0].starts_with("ok "), "{ended}");
    }
    let listed = S3Server::shared().request("GET", &format!("/{}?list-type=2", bucket.bucket), b"");
    assert_eq!(listed.matches("<Key>").count(), 1, "{listed}");
    assert!(listed.contains("<Key>finops/new/_doctor/_store.json</Key>"), "{listed}");

    let no_bucket = place
        .command(FINOPS)
        .args(["doctor", "--output", "json", "--data", "other"])
        .envs(variables(&bucket))
        .env("FINOPS_STORE_URL", "s3://not-there/finops")
        .output()
        .unwrap()
        .into();
    let store = found(&no_bucket, 75, "store");
    assert!(store[0].starts_with("fail ") && store[0].contains("NoSuchBucket"), "{no_bucket}");
}

#[test]
fn doctor_looks_at_every_disk_that_is_written_to() {
    let disks = |place: &Place, arguments: &str| {
        let report = place.finops(&format!("doctor --offline --output json {arguments}")).json(0);
        let names = report.as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap().to_owned());
        names.filter(|name| name.starts_with("disk of ")).collect::<Vec<_>>()
    };
    let place = Place::new();
    assert_eq!(disks(&place, ""), ["disk of data.dir", "disk of export.dir"]);
    assert_eq!(disks(&place, "--export data"), ["disk of data.dir"]);
    let apart = disks(&place, "--data data --out other/finops_findings --export export");
    assert_eq!(apart, ["disk of data.dir", "disk of the store", "disk of export.dir"]);
    let cached = disks(&place, "--store s3://bucket/data");
    assert_eq!(cached, ["disk of data.dir", "disk of export.dir", "disk of store.cache.dir"]);
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
        // No process reads on: the pipe must not fill up and stop it.
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
    let alerts = std::fs::read_to_string(repo("deploy/prometheus/alerts.yml")).unwrap();
    for stage in &parts[2..] {
        assert!(
            alerts.contains(&format!("absent(finops_ready{{part=\"{stage}\"}})")),
            "no alert when no {stage} is left"
        );
    }
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
        // A rise that an alert waits for begins at a number that was scraped.
        "finops_duplicates_dropped_total{} 0",
        "finops_export_failures_total{} 0",
        "finops_store_requests_total{operation=\"get\",outcome=\"done\"} ",
        "finops_store_request_seconds_count{operation=\"stage\"} ",
        "finops_broker_file_bytes{} ",
        "finops_broker_free_bytes{} ",
        "finops_disk_free_bytes{folder=\"data.dir\"} ",
        "process_cpu_seconds_total{} ",
        "process_resident_memory_bytes{} ",
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
fn an_address_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let place = Place::new();
    let up = place.command(FINOPS).arg("up").env("FINOPS_HTTP_LISTEN", address.to_string()).output().unwrap();
    assert_eq!(up.status.code(), Some(78));
    let said = String::from_utf8(up.stderr).unwrap();
    assert!(said.contains(&format!("http.listen: listening on {address}: ")), "{said}");
}

#[test]
fn a_service_that_other_machines_can_ask_says_so() {
    for (address, is_warned) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let place = Place::new();
        let mut command = place.command(FINOPS);
        command.arg("up").env("FINOPS_HTTP_LISTEN", address).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("finops is up") && stderr.read_line(&mut said).unwrap() > 0 {}
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(said.contains("finops is up"), "{said}");
        let warning = "every host that reaches every network of this machine can read health";
        assert_eq!(said.contains(warning), is_warned, "{address}: {said}");
    }
}
