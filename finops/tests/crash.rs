//! `kill -9` at random moments, again and again, then an oracle: what is on the wire topic is in the Parquet files, each
//! record exactly once. `FINOPS_CRASH_KILLS` sets the number of kills per test, `FINOPS_CRASH_SEED` repeats a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use contracts::judge::{Policy, judge};
use contracts::{layout, topics};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::broker::{Broker, TopicPartition};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tests::pipeline::Pipeline;
use tests::repo;

fn kills() -> usize {
    std::env::var("FINOPS_CRASH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

fn seeded(test: &str) -> StdRng {
    let random = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("FINOPS_CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(random);
    println!("{test}: FINOPS_CRASH_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn wire(tenant: &str, n: u64) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!(tenant);
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    if n.is_multiple_of(10) {
        wire["status"] = json!("nonsense");
    }
    serde_json::to_vec(&wire).unwrap()
}

fn finops(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finops"));
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("FINOPS_SINK_AGE_MAX", "100ms").env("FINOPS_EXPORTER_POLL_INTERVAL", "300ms");
    // No credentials, and nobody to ask for them: the runs are to be short.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_PROFILE");
    command
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What the wire topic holds: finding ids of good records, with their number, and how many are broken.
fn published(pipeline: &Pipeline) -> (HashMap<String, u64>, u64) {
    let (mut good, mut broken) = (HashMap::new(), 0);
    let topic = pipeline.broker.topics().unwrap().into_iter().find(|t| &*t.name == topics::WIRE).unwrap();
    for partition in 0..topic.partitions {
        let at = TopicPartition { topic: topic.name.clone(), partition };
        let mut next = 0;
        loop {
            let messages = pipeline.broker.read(&at, next, 10_000, 64 << 20).unwrap();
            let Some(last) = messages.last() else { break };
            next = last.offset + 1;
            for message in &messages {
                match judge(&message.value, &Policy::default(), 0) {
                    Ok(finding) => *good.entry(finding.finding_id().to_owned()).or_default() += 1,
                    Err(_) => broken += 1,
                }
            }
        }
    }
    (good, broken)
}

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|e| e == "parquet") {
            files.push(path);
        }
    }
    files
}

/// Finding ids of a file: whoever globs for data must be able to read every file to its end.
fn ids(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut ids = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        ids.extend(batch.column_by_name("finding_id").unwrap().as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    ids
}

fn stored(folder: &Path) -> HashMap<String, u64> {
    let mut all = HashMap::new();
    for id in parquet_files(&folder.join(layout::FINDINGS)).iter().flat_map(|path| ids(path)) {
        *all.entry(id).or_default() += 1;
    }
    all
}

/// Reads every file as soon as it is there until told to stop; with `unique`, no id may come twice. Returns how many.
fn glob_reader(folder: &Path, stop: &AtomicBool, unique: bool) -> usize {
    let mut seen = HashSet::new();
    let mut by_id: HashMap<String, PathBuf> = HashMap::new();
    while !stop.load(Ordering::SeqCst) {
        for path in parquet_files(&folder.join(layout::FINDINGS)) {
            if !seen.insert(path.clone()) {
                continue;
            }
            for id in ids(&path) {
                if let Some(other) = by_id.insert(id.clone(), path.clone()) {
                    assert!(!unique, "a reader saw {id} in {} and in {}", other.display(), path.display());
                }
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen.len()
}

fn judge_the_result(pipeline: &Pipeline) {
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert!(report.in_flight.is_empty(), "{:?}", report.in_flight);
    let (good, broken) = published(pipeline);
    assert_eq!(stored(&pipeline.folder), good, "each record exactly once");
    assert_eq!(report.dead_letter_rows, broken);
    assert_eq!(report.duplicates, 0, "the validator's atomic step leaves nothing to drop");
    println!("{} rows, {broken} dead letters", report.findings_rows);
}

#[test]
fn run_is_killed_and_nothing_is_lost() {
    let mut rng = seeded("run");
    let folder = tempfile::tempdir().unwrap();
    let tenants = ["acme", "globex"];
    let lines: Vec<u8> = (0..3_000).flat_map(|n| [wire(tenants[n as usize % 2], n), b"\n".to_vec()].concat()).collect();
    let file = folder.path().join("findings.ndjson");
    std::fs::write(&file, lines).unwrap();
    let sample = repo::root().join("examples/data/focus-1.0-sample.csv");
    let data = folder.path().join("data");
    let run = || {
        let (file, sample) = (file.to_str().unwrap(), sample.to_str().unwrap());
        finops(&data, &["run", "--tenant", "acme", "--workspace", "prod", "--focus", sample, "--findings", file])
    };
    let started = Instant::now();
    assert!(run().status().unwrap().success(), "a run without accidents ends well");
    let whole = started.elapsed();
    let pipeline = Pipeline::open(&data);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| glob_reader(&data, &stop, false));
        for _ in 0..kills() {
            let child = run().spawn().unwrap();
            std::thread::sleep(whole.mul_f64(rng.random_range(0.0..1.1)));
            kill(child);
        }
        assert!(run().status().unwrap().success(), "the run after the accidents takes all of it on");
        stop.store(true, Ordering::SeqCst);
        println!("the reader saw {} files; a whole run took {whole:?}", reader.join().unwrap());
    });
    judge_the_result(&pipeline);
}

#[test]
fn up_is_killed_under_load_and_nothing_is_lost() {
    let mut rng = seeded("up");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let pipeline = Pipeline::open(&data);
    let (stop, stop_load) = (AtomicBool::new(false), AtomicBool::new(false));
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| glob_reader(&data, &stop, true));
        let load = scope.spawn(|| {
            while !stop_load.load(Ordering::SeqCst) {
                let from = next.fetch_add(200, Ordering::SeqCst);
                pipeline.publish((from..from + 200).map(|n| {
                    let tenant = ["acme", "globex", "initech"][n as usize % 3];
                    (Some(tenant), wire(tenant, n), Vec::new())
                }));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        for _ in 0..kills() {
            let child = finops(&data, &["up"]).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(rng.random_range(0..900)));
            kill(child);
        }
        stop_load.store(true, Ordering::SeqCst);
        load.join().unwrap();
        let mut child = finops(&data, &["up"]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while !pipeline.verify().in_flight.is_empty() {
            assert!(Instant::now() < deadline, "not drained in time: {:?}", pipeline.verify().in_flight);
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(300));
        }
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        assert!(child.wait().unwrap().success(), "a stop in good order");
        stop.store(true, Ordering::SeqCst);
        println!("the reader saw {} files", reader.join().unwrap());
    });
    judge_the_result(&pipeline);
}
