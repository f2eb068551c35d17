//! The same command with the same input gives the same findings, dead letters, exports and money on one machine's
//! embedded broker and folder as on Apache Kafka and a bucket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, TimestampMillisecondType};
use arrow::util::display::array_value_to_string;
use contracts::layout;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::store::Store;
use platform::store::local::LocalStore;
use platform::store::s3::{S3Settings, S3Store};
use serde_json::{Value, json};
use tests::attack::program;
use tests::kafka::Cluster;
use tests::repo;
use tests::s3::{S3Server, variables};

/// What a run, and nothing of its input, decides. Values of these names may differ.
const OF_A_RUN: &[&str] =
    &["run_id", "run_ts", "src", "dead_letter_example", "first_seen", "stages_ms", "file_bytes", "report"];

/// The datasets, and the columns of each that a run, and nothing of its input, decides. All others are the same.
const DATASETS: &[(&str, &[&str])] = &[
    (layout::FINDINGS, &["ingested_ts", "run_id", "run_ts"]),
    (layout::DEAD_LETTERS, &["first_seen_ts", "headers.run_id", "run_id", "src", "src_ts"]),
    (layout::COST_FACTS, &[]),
    (layout::KPI_GOLD, &["computed_ts", "source_ref"]),
    (layout::RUN_TABLE, &["run_id", "run_ts"]),
];

/// A row of a data file: every value by its column, in nested columns by the names on the way to it.
type Row = BTreeMap<String, Option<String>>;

/// A place where the program works.
struct Place {
    folder: PathBuf,
    bucket: Option<S3Settings>,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Place {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program::path());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FINOPS_")) {
            command.env_remove(name);
        }
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_PROFILE").env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.environment.iter().cloned()).current_dir(&self.folder);
        command.args(arguments).args(&self.arguments);
        command
    }

    /// What the program prints; it must end well.
    fn finops(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "finops {}: {}: {errors}", arguments.join(" "), output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    fn run(&self) -> Value {
        let run = ["run", "--tenant", "acme", "--workspace", "prod", "--output", "json"];
        let input = ["--focus", "billing.csv", "--findings", "others.ndjson"];
        lasting(serde_json::from_str(&self.finops(&[&run[..], &input].concat())).unwrap())
    }

    /// Lines of a list, in no order.
    fn list(&self, arguments: &[&str]) -> BTreeSet<String> {
        let text = self.finops(&[arguments, &["--output", "ndjson", "--limit", "100000"]].concat());
        text.lines().map(|line| lasting(serde_json::from_str(line).unwrap()).to_string()).collect()
    }

    fn export(&self, tenant: &str, file: &str) -> Value {
        let path = self.folder.join("export").join(tenant).join(file);
        lasting(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    fn store(&self) -> Box<dyn Store> {
        match &self.bucket {
            Some(bucket) => Box::new(S3Store::open_existing(bucket.clone()).unwrap()),
            None => Box::new(LocalStore::open_existing(&self.folder.join("data"), layout::SINK).unwrap()),
        }
    }

    /// All rows of a dataset.
    fn rows(&self, dataset: &str) -> Vec<Row> {
        let store = self.store();
        // Files of former states stay for a while; the manifest of a tenant names the live ones.
        let has_manifest = [layout::KPI_GOLD, layout::RUN_TABLE].contains(&dataset);
        let listed = store.list(if has_manifest { layout::KPI_GOLD } else { dataset }).unwrap();
        let of_kind =
            |ending: &'static str| listed.iter().map(|entry| &*entry.path).filter(move |path| path.ends_with(ending));
        if has_manifest {
            let manifest = |path| serde_json::from_slice(&store.get(path).unwrap().unwrap()).unwrap();
            of_kind("_manifest.json")
                .map(manifest)
                .flat_map(live)
                .filter(|path| path.starts_with(dataset))
                .flat_map(|path| rows(&*store, &path))
                .collect()
        } else {
            of_kind(".parquet").flat_map(|path| rows(&*store, path)).collect()
        }
    }
}

/// The files that a manifest of gold tables names.
fn live(manifest: Value) -> Vec<String> {
    // A tenant of which no run is known has no `runs`.
    let tables = ["periods", "runs"].map(|member| manifest[member].as_object());
    let files =
        tables.into_iter().flatten().flat_map(|of| of.values()).flat_map(|table| table["files"].as_array().unwrap());
    files.map(|path| path.as_str().unwrap().to_owned()).collect()
}

fn rows(store: &dyn Store, path: &str) -> Vec<Row> {
    let bytes = store.get(path).unwrap().unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let rows_of = |batch: RecordBatch| {
        let record = StructArray::from(batch);
        let row = |n| {
            let mut row = Row::new();
            read(&record, n, "", &mut row);
            row
        };
        (0..record.len()).map(row).collect::<Vec<_>>()
    };
    batches.flat_map(|batch| rows_of(batch.unwrap())).collect()
}

/// Adds a value, or the values inside of it, to a row.
fn read(values: &dyn Array, n: usize, column: &str, row: &mut Row) {
    let inside = |name: &str| if column.is_empty() { name.to_owned() } else { format!("{column}.{name}") };
    match values.data_type() {
        _ if values.is_null(n) => drop(row.insert(column.to_owned(), None)),
        // As a number: its zone has a name, which cannot be printed.
        DataType::Timestamp(..) => {
            let time = values.as_primitive::<TimestampMillisecondType>().value(n);
            row.insert(column.to_owned(), Some(time.to_string()));
        }
        DataType::Struct(fields) => {
            let columns = values.as_struct().columns();
            fields.iter().zip(columns).for_each(|(field, values)| read(values, n, &inside(field.name()), row));
        }
        DataType::Map(..) => {
            let entries = values.as_map().value(n);
            let names = entries.column(0).as_string::<i32>();
            (0..entries.len()).for_each(|n| read(entries.column(1), n, &inside(names.value(n)), row));
        }
        _ => drop(row.insert(column.to_owned(), Some(array_value_to_string(values, n).unwrap()))),
    }
}

/// The rows without some columns, which they have, sorted.
fn without(columns: &[&str], mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        for column in columns {
            assert!(row.remove(*column).is_some(), "{column} is not there: {row:?}");
        }
    }
    rows.sort();
    rows
}

/// The value without what only the run decides.
fn lasting(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(lasting).collect(),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !OF_A_RUN.contains(&name.as_str()));
            kept.map(|(name, value)| (name, lasting(value))).collect()
        }
        other => other,
    }
}

/// `finops up` at a place.
struct Services(Child, PathBuf);

impl Services {
    /// Starts it, and waits until it works.
    fn start(place: &Place) -> Self {
        let log = place.folder.join("up.log");
        let mut command = place.command(&["up", "--log", "info"]);
        // A run waits for what they hold back.
        command.env("FINOPS_SINK_AGE_MAX", "500ms");
        let child = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut services = Self(child, log);
        let started = Instant::now();
        while !services.log().contains("validator::service: assigned") {
            assert!(started.elapsed() < Duration::from_secs(60), "{}", services.log());
            assert!(services.0.try_wait().unwrap().is_none(), "{}", services.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        services
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.1).unwrap()
    }

    /// Stops it and returns what it logged.
    fn stop(&mut self) -> String {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(asked.success() && self.0.wait().unwrap().success(), "{}", self.log());
        self.log()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn place(folder: PathBuf, arguments: &[&str], bucket: Option<S3Settings>) -> Place {
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("billing.csv"), repo::read("examples/data/focus-1.0-sample.csv")).unwrap();
    let mut finding: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    finding["tenant_id"] = json!("globex");
    let others = format!("{finding}\n{{\"tenant_id\":\"globex\"}}\n{{\"tenant_id\":\n");
    std::fs::write(folder.join("others.ndjson"), others).unwrap();
    let arguments = ["--data", "data", "--export", "export"].iter().chain(arguments);
    let arguments = arguments.map(|argument| (*argument).to_owned()).collect();
    // Which store it is, the arguments say.
    let reach = bucket.iter().flat_map(variables).filter(|(name, _)| *name != "FINOPS_STORE_URL");
    Place { folder, arguments, environment: reach.collect(), bucket }
}

/// The report of a run without what its own process, and no other service, has done.
fn of_all(mut report: Value) -> Value {
    let fields = report.as_object_mut().unwrap();
    fields.retain(|name, _| !["judged", "rows", "files", "exports"].contains(&name.as_str()));
    report
}

/// One machine, and a cluster with a bucket. Both are empty.
fn near_and_far(cluster: &Cluster, folder: &Path) -> (Place, Place) {
    let bucket = S3Server::shared().bucket("finops/prod", folder);
    let url = format!("s3://{}/{}", bucket.bucket, bucket.prefix);
    let near = place(folder.join("near"), &[], None);
    let far = place(folder.join("far"), &["--brokers", cluster.brokers(), "--store", &url], Some(bucket));
    (near, far)
}

fn have_the_same(near: &Place, far: &Place) {
    let findings = ["findings", "list", "--all-runs", "--tenant"];
    for (tenant, at_least) in [("acme", 25), ("globex", 1)] {
        let expected = near.list(&[&findings[..], &[tenant]].concat());
        assert!(expected.len() >= at_least, "{expected:?}");
        assert_eq!(far.list(&[&findings[..], &[tenant]].concat()), expected);
        for file in ["findings.json", "summary.json", "top_savings.json", "coverage.json", "correlated_findings.json"] {
            assert_eq!(far.export(tenant, file), near.export(tenant, file), "{tenant}/{file}");
        }
    }
    for (dataset, of_a_run) in DATASETS {
        let [expected, found] = [near, far].map(|place| without(of_a_run, place.rows(dataset)));
        assert!(!expected.is_empty(), "{dataset} has no rows");
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(found, expected, "{dataset}");
        }
        assert_eq!(found.len(), expected.len(), "rows of {dataset}");
    }
    let dead = near.list(&["dlq", "list"]);
    assert_eq!((dead.len(), far.list(&["dlq", "list"])), (2, dead));
    for place in [near, far] {
        let _ = place.finops(&["verify"]);
    }
}

#[test]
fn kafka_and_a_bucket_give_what_one_machine_gives() {
    let Some(cluster) = Cluster::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = near_and_far(&cluster, folder.path());
    let (expected, found) = (near.run(), far.run());
    assert_eq!(found, expected);
    assert!(expected["by_check"].as_object().unwrap().len() >= 10, "{expected}");
    have_the_same(&near, &far);

    // A cluster of one broker keeps one copy, as doctor says; all else is well.
    let said: Value = serde_json::from_str(&far.finops(&["doctor", "--output", "json"])).unwrap();
    let found = said.as_array().unwrap().iter().filter(|check| check["state"] != "ok");
    let found: Vec<_> = found.map(|check| check["found"].as_str().unwrap()).collect();
    assert_eq!(
        found,
        ["finops.findings.dlq, finops.findings.valid, finops.findings.wire, finops.routing, finops.runs: one copy"]
    );

    // Once more: the latest run has the same findings by the same ids, and its money is counted once.
    let latest = ["findings", "list", "--tenant", "acme"];
    let before = far.list(&latest);
    let mut again = expected.clone();
    for delivery in again["billing"]["deliveries"].as_array_mut().unwrap() {
        delivery["effect"] = json!("unchanged");
    }
    assert_eq!(far.run(), again);
    assert_eq!(far.list(&latest), before);
    assert_eq!(far.export("acme", "summary.json"), near.export("acme", "summary.json"));

    // Services that are there already do the work of a run.
    cluster.empty();
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = near_and_far(&cluster, folder.path());
    let services = [&near, &far].map(Services::start);
    for place in [&near, &far] {
        assert_eq!(of_all(place.run()), of_all(expected.clone()));
    }
    have_the_same(&near, &far);
    for mut service in services {
        let log = service.stop();
        assert!(log.contains("validator stopped") && !log.contains("validator stopped read=0"), "{log}");
    }
}
