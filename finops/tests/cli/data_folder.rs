//! The data folder: who may read it, that to look changes nothing in it, and how the broker in it is kept.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, Headers, OutRecord, TopicSpec};
use platform::clock::{Clock, SystemClock};
use serde_json::Value;

use super::place::{Ended, FINOPS, Place, billing, good};

/// Everything below a folder, itself included.
fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut all, mut folders) = (vec![folder.to_owned()], vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            all.push(entry.path());
        }
    }
    all.sort();
    all
}

/// A place with a bill, a finding and a refused record.
fn place() -> Place {
    let place = Place::new();
    place.write("a.ndjson", [good("acme", "vol-1"), b"{\"tenant_id\": \"acme\"}".to_vec()].join(&b'\n'));
    place
}

fn run(place: &Place) {
    let ended = place.finops(&format!("run --tenant acme --findings a.ndjson --focus {}", billing().display()));
    assert_eq!(ended.code, Some(0), "{ended}");
}

/// What is open to more or fewer users than it should be.
fn wrong_modes(data: &Path, file: u32, folder: u32) -> Vec<String> {
    let mode = |path: &PathBuf| {
        let found = std::fs::metadata(path).unwrap();
        let (mode, wanted) = (found.permissions().mode() & 0o777, if found.is_dir() { folder } else { file });
        (mode != wanted).then(|| format!("{mode:04o} {}", path.display()))
    };
    below(data).iter().filter_map(mode).collect()
}

#[test]
fn what_is_created_is_for_its_owner_unless_a_setting_says_otherwise() {
    for (readers, file, folder) in [(None, 0o600, 0o700), (Some("group"), 0o640, 0o750), (Some("all"), 0o644, 0o755)] {
        let place = place();
        if let Some(readers) = readers {
            place.write("finops.toml", format!("data.permissions = '{readers}'\n"));
        }
        // Killed on the way, it leaves what else is only there for a moment: the broker's log and staged files.
        let data = place.path().join("data");
        for point in ["validator.step.begin", "store.local.stage.finished"] {
            let killed = place
                .command(FINOPS)
                .args(["run", "--tenant", "acme", "--findings", "a.ndjson"])
                .env("FINOPS_FAILPOINT", point)
                .output()
                .unwrap();
            assert_eq!(killed.status.code(), None, "{point}");
            assert_eq!(wrong_modes(&data, file, folder), [""; 0], "{readers:?}, killed at {point}");
        }
        assert!(data.join("broker.sqlite-wal").exists() && data.join("broker.sqlite-shm").exists());
        run(&place);
        assert!(below(&data).len() > 30, "{:?}", below(&data));
        assert_eq!(wrong_modes(&data, file, folder), [""; 0], "{readers:?}");
        let doctor = place.finops("doctor --output json").json(0);
        let check = doctor.as_array().unwrap().iter().find(|check| check["name"] == "permissions").unwrap();
        assert_eq!(check["state"], "ok", "{check}");
    }
}

#[test]
fn a_folder_that_is_open_to_more_than_the_setting_says_is_named() {
    let place = place();
    place.write("finops.toml", "data.permissions = 'all'\n");
    run(&place);
    place.write("finops.toml", "");
    let doctor = place.finops("doctor");
    assert!(doctor.text().contains("warn permissions: data has mode 0755: more users may use it"), "{doctor}");
    assert!(doctor.text().contains("→ chmod -R g-rwx,o-rwx data, or set data.permissions"), "{doctor}");
}

/// Commands that only look, with what they have to say.
fn looks(place: &Place) -> Vec<(String, i32, &'static str)> {
    let letters = place.finops("dlq list --output ndjson").lines(0);
    let src = letters[0]["src"].as_str().unwrap();
    let findings = place.finops("findings list --tenant acme --output ndjson").lines(0);
    let id = findings[0]["finding_id"].as_str().unwrap();
    vec![
        ("verify".to_owned(), 0, ""),
        ("status".to_owned(), 0, "BROKER FILE"),
        ("tap finops.findings.wire --from earliest --no-follow".to_owned(), 0, "finops.findings.wire/"),
        ("sink inspect".to_owned(), 0, "finops_findings"),
        ("findings list --tenant acme".to_owned(), 0, ""),
        (format!("findings show --tenant acme {id}"), 0, "acme"),
        ("dlq list".to_owned(), 0, ""),
        ("dlq stats".to_owned(), 0, ""),
        (format!("dlq show {src}"), 0, ""),
        ("dlq redrive --all --dry-run".to_owned(), 0, "would be sent"),
        ("repair --dry-run".to_owned(), 0, ""),
        ("topics list".to_owned(), 0, "finops.findings.valid"),
        ("topics alter finops.findings.wire --retention 1h --dry-run".to_owned(), 0, "nothing was changed"),
    ]
}

/// What lies in a folder, with all that a change would change.
fn state(folder: &Path) -> BTreeMap<PathBuf, (u64, i64, i64, u32)> {
    let of = |path: PathBuf| {
        let found = std::fs::metadata(&path).unwrap();
        let state = (found.len(), found.mtime(), found.mtime_nsec(), found.mode());
        (path, state)
    };
    below(folder).into_iter().map(of).collect()
}

#[test]
fn to_look_changes_nothing_in_the_data_folder() {
    let place = place();
    run(&place);
    let data = place.path().join("data");
    let check = |when: &str| {
        for (arguments, code, said) in looks(&place) {
            let before = state(&data);
            let ended = place.finops(&arguments);
            assert_eq!(ended.code, Some(code), "{when}: finops {arguments}: {ended}");
            assert!(ended.text().contains(said), "{when}: finops {arguments}: {ended}");
            assert_eq!(state(&data), before, "{when}: finops {arguments} changed the data folder");
        }
    };
    check("at rest");
    // As a killed process leaves it: what it wrote last is in the write-ahead log alone.
    let killed = place
        .command(FINOPS)
        .args(["run", "--tenant", "acme", "--findings", "a.ndjson"])
        .env("FINOPS_FAILPOINT", "validator.step.begin")
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None);
    let (_, lag) = lag(&place);
    assert_eq!(lag, 2, "what the killed run has published is seen");
    check("after a kill");
    // What was written beside it without its index, as in an archive.
    std::fs::remove_file(data.join("broker.sqlite-shm")).unwrap();
    check("without the index");
}

fn lag(place: &Place) -> (Value, u64) {
    let status = place.finops("status --output json").json(0);
    let lag = status["groups"].as_array().unwrap().iter().map(|group| group["lag"].as_u64().unwrap()).sum();
    (status, lag)
}

/// A user of this machine that owns nothing.
const UNPRIVILEGED: u32 = 65_534;

#[test]
fn a_user_who_may_only_read_can_look() {
    let place = place();
    // Only its own folders are on the way to the program then.
    let program = place.path().join("finops");
    if std::fs::hard_link(FINOPS, &program).is_err() {
        std::fs::copy(FINOPS, &program).unwrap();
    }
    let without_privileges = |arguments: &str| -> Ended {
        let ids = [format!("--reuid={UNPRIVILEGED}"), format!("--regid={UNPRIVILEGED}"), "--clear-groups".to_owned()];
        let mut command = place.command("/usr/bin/setpriv");
        command.args(ids).arg(&program).args(arguments.split_whitespace());
        command
            .output()
            .map_or_else(|error| Ended { code: None, stdout: Vec::new(), stderr: error.to_string() }, Ended::from)
    };
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let tried = without_privileges("--version");
    if tried.code != Some(0) {
        tests::skip::because(format!("running a program as another user needs root and setpriv: {}", tried.stderr));
        return;
    }
    run(&place);
    let looks = looks(&place);
    let data = place.path().join("data");
    let only_unprivileged_reads = || {
        for path in below(&data) {
            let mode = if path.is_dir() { 0o500 } else { 0o400 };
            std::os::unix::fs::chown(&path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    only_unprivileged_reads();
    let check = |when: &str| {
        for (arguments, code, said) in &looks {
            let ended = without_privileges(arguments);
            assert_eq!(ended.code, Some(*code), "{when}: finops {arguments}: {ended}");
            assert!(ended.text().contains(said), "{when}: finops {arguments}: {ended}");
        }
        let doctor = without_privileges("doctor");
        assert_eq!(doctor.code, Some(0), "{when}: {doctor}");
        let said = doctor.text();
        for line in
            ["warn broker permissions: this user may only read data", "warn store: this user may only read data"]
        {
            assert!(said.contains(line), "{when}: {line} is not in\n{said}");
        }
    };
    check("at rest");
    let written = without_privileges("run --tenant acme --findings a.ndjson");
    assert_ne!(written.code, Some(0), "it may not write, so the test is none: {written}");
    // Left by a process that was killed: with a write-ahead log.
    let killed = place
        .command(FINOPS)
        .args(["run", "--tenant", "acme", "--findings", "a.ndjson"])
        .env("FINOPS_FAILPOINT", "validator.step.begin")
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None);
    only_unprivileged_reads();
    check("after a kill");
}

fn topic(place: &Place, name: &str) -> Value {
    let topics = place.finops("topics list --output ndjson").lines(0);
    topics.into_iter().find(|topic| topic["topic"] == name).unwrap()
}

#[test]
fn topics_are_listed_and_altered() {
    let place = place();
    run(&place);
    let valid = topic(&place, "finops.findings.valid");
    assert_eq!((&valid["partitions"], &valid["retention"], &valid["copies"]), (&4.into(), &Value::Null, &Value::Null));
    assert!(valid["records"].as_u64().unwrap() > 1, "{valid}");
    assert_eq!(topic(&place, "finops.runs")["compacted"], "yes");

    let alter = "topics alter finops.findings.wire --retention 36h --retention-bytes 1GiB";
    let dry = place.finops(&format!("{alter} --dry-run"));
    assert_eq!(dry.code, Some(0), "{dry}");
    assert!(dry.text().contains("never   36h") && dry.text().contains("all     1GiB"), "{dry}");
    assert_eq!(topic(&place, "finops.findings.wire")["retention"], Value::Null);
    let done = place.finops(&format!("{alter} --output json")).json(0);
    assert_eq!((&done[0]["before"], &done[0]["after"]), (&Value::Null, &129_600_000.into()), "{done}");
    let wire = topic(&place, "finops.findings.wire");
    assert_eq!((&wire["retention"], &wire["bytes kept"]), (&129_600_000.into(), &(1_u64 << 30).into()), "{wire}");
    assert!(place.finops(alter).text().contains("has these settings already"));
    assert!(place.finops("topics list").text().contains("36h"));

    let refused = |arguments: &str, why: &str| {
        let ended = place.finops(&format!("topics alter {arguments}"));
        assert_eq!(ended.code, Some(64), "{ended}");
        assert!(ended.stderr.contains(why), "{ended}");
    };
    refused("finops.findings.wire", "nothing to change: give --retention");
    refused(
        "finops.findings.wires --retention 1d",
        "there is no topic finops.findings.wires; there are: finops.findings.dlq,",
    );
    refused("finops.findings.wire --retention soon", "a duration of 1s or more such as 90s, 24h or 7d");
    refused("finops.findings.wire --partitions 2", "can only become more, not 2");
    refused("finops.findings.wire --partitions 8", "first `finops topics alter finops.findings.dlq --partitions 8`");
    refused("finops.findings.valid --partitions 8", "give this command again with --services-stopped");
    refused("finops.runs --retention 1d", "it is compacted");
    refused("finops.runs --partitions 8", "it is compacted");

    // With more partitions everywhere, in the right order, all goes on.
    for arguments in ["dlq --partitions 8", "wire --partitions 8", "valid --partitions 8 --services-stopped"] {
        let ended = place.finops(&format!("topics alter finops.findings.{arguments}"));
        assert_eq!(ended.code, Some(0), "{ended}");
    }
    run(&place);
    assert_eq!(place.finops("verify").code, Some(0));
}

const WIRE: &str = "finops.findings.wire";

/// A broker as it was before the first run: with a record in each partition that came an hour ago.
fn old_records(place: &Place) {
    let data = place.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let broker = EmbeddedBroker::open(&data.join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
    let (name, retention_ms, retention_bytes) = (WIRE.to_owned(), None, None);
    let spec = TopicSpec { name, partitions: 4, compacted: false, retention_ms, retention_bytes };
    broker.ensure_topic(&spec).unwrap();
    let hour_ago_ms = SystemClock.now_ms() - 3_600_000;
    let record = |partition| OutRecord {
        topic: WIRE.into(),
        partition: Some(partition),
        key: None,
        value: Bytes::from_static(b"{}").into(),
        headers: Headers::new(),
        timestamp_ms: Some(hour_ago_ms),
    };
    broker.producer().unwrap().append(&[0, 1, 2, 3].map(record)).unwrap();
}

#[test]
fn retention_that_is_set_later_is_applied_and_a_run_removes_what_is_expired() {
    let place = place();
    old_records(&place);
    let run = || {
        let ended = place.finops("run --tenant acme --findings a.ndjson");
        assert_eq!(ended.code, Some(0), "{ended}");
        let wire = topic(&place, WIRE);
        (wire["records"].as_u64().unwrap(), wire["retention"].clone())
    };
    // Two records each.
    assert_eq!((run(), run()), ((6, Value::Null), (8, Value::Null)));
    place.write("finops.toml", "broker.retention = '1m'\n");
    assert_eq!(run(), (6, 60_000.into()), "only the four old ones were removed");
    assert_eq!(
        topic(&place, "finops.runs")["retention"],
        Value::Null,
        "a compacted topic keeps the newest of each key"
    );
    let warned = place.finops("topics alter finops.findings.wire --retention 1h");
    assert!(
        warned.stderr.contains("broker.retention is 1m: the next `finops run` or service applies it again"),
        "{warned}"
    );

    let status = place.finops("status --output json").json(0);
    let size = |name: &str| status["broker_file"][name].as_u64().unwrap();
    assert!(size("live_bytes") > 0 && size("file_bytes") >= size("live_bytes") + size("free_bytes"), "{status}");
    let doctor = place.finops("doctor").text();
    assert!(doctor.contains("ok   broker file: ") && doctor.contains(" live, "), "{doctor}");
}
