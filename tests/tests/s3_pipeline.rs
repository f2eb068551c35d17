//! The whole chain with its datasets in a bucket: the same rows, files, exports and tables as in a local folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use checkers::registry::Registry;
use collectors::billing::LoadOptions;
use collectors::registry::CollectorRegistry;
use contracts::layout;
use contracts::tenant_scope::TenantScope;
use exporter::{DuckLimits, ExportOptions, ExporterConfig, ExporterDeps, FindingFilter, Population};
use lake::cut::Cut;
use platform::broker::Headers;
use platform::clock::ManualClock;
use platform::lifecycle::Shutdown;
use platform::observe::Observer;
use platform::progress::Silent;
use platform::store::local::LocalStore;
use platform::store::s3::{S3Settings, S3Store};
use platform::store::{Store, StoreError};
use platform::trace::Tracer;
use runner::run::{DEADLINE_DEFAULT, Ports, RunPlan, TaskLimits};
use serde_json::{Value, json};
use tests::pipeline::{Pipeline, copy};
use tests::proxy::{Fault, Proxy, s3_error};
use tests::repo;
use tests::s3::S3Server;
use tests::s3::gateway::Gateway;

const NOW_MS: i64 = 1_789_000_000_000;

fn plan() -> RunPlan {
    let registry = Registry::linked().unwrap();
    RunPlan {
        context: tests::pipeline::run_context(NOW_MS),
        checkers: registry.all().iter().copied().filter(|checker| checker.provider().is_none()).collect(),
        checkers_named: false,
        collectors: CollectorRegistry::linked().unwrap(),
        billing_files: vec![repo::root().join("examples/data/focus-1.0-sample.csv")],
        billing_options: LoadOptions::default(),
        findings_files: Vec::new(),
        regions: Vec::new(),
        deadline: DEADLINE_DEFAULT,
        limits: TaskLimits::default(),
        given: Vec::new(),
        notes: BTreeMap::default(),
    }
}

fn produce(pipeline: &Pipeline) {
    let ports = Ports {
        broker: &pipeline.broker,
        store: &*pipeline.store,
        clock: &ManualClock::at(NOW_MS),
        progress: Arc::new(Silent),
        tracer: Tracer::default(),
        shutdown: Shutdown::new(),
    };
    runner::run::run(&plan(), &ports).unwrap();
}

fn good(tenant: &str, n: usize) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!(tenant);
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    serde_json::to_vec(&wire).unwrap()
}

fn deps(store: Arc<dyn Store>) -> ExporterDeps {
    ExporterDeps { store, clock: Arc::new(ManualClock::at(NOW_MS)), observer: Observer::default() }
}

/// An exporter of all of a store into a folder.
fn config(folder: &Path) -> ExporterConfig {
    ExporterConfig {
        tenant: None,
        export_dir: folder.to_owned(),
        options: ExportOptions::default(),
        gold: true,
        default_currency: "USD".into(),
        limits: DuckLimits::default(),
        poll_interval: exporter::DEFAULT_POLL_INTERVAL,
    }
}

/// Exports everything of a store into a folder and returns the files there.
fn export(store: Arc<dyn Store>, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let report = exporter::once(&config(folder), &deps(store)).unwrap();
    assert!(report.errors().next().is_none(), "{report:?}");
    let mut files = BTreeMap::new();
    for tenant in std::fs::read_dir(folder).unwrap() {
        for file in std::fs::read_dir(tenant.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            files.insert(path.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(path).unwrap());
        }
    }
    files
}

/// All objects below these folders.
fn objects(store: &dyn Store, folders: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let entries = folders.iter().flat_map(|folder| store.list(folder).unwrap());
    entries.map(|entry| (entry.path.clone(), store.get(&entry.path).unwrap().unwrap().to_vec())).collect()
}

#[test]
fn a_bucket_holds_what_a_folder_holds() {
    same_in(|folder| S3Server::shared().bucket("finops/prod", folder));
}

#[test]
fn a_bucket_of_another_server_holds_it_too() {
    let Some(gateway) = Gateway::shared() else { return };
    same_in(|folder| gateway.bucket(folder));
}

fn same_in(bucket: impl FnOnce(&Path) -> S3Settings) {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = (folder.path().join("near"), folder.path().join("far"));
    let local = Pipeline::open(&near);
    produce(&local);
    local.publish((0..30).map(|n| (Some("globex"), good("globex", n), Headers::new())));
    local.publish([(Some("globex"), b"{".to_vec(), Headers::new())]);
    let _ = local.validate();
    drop(local);
    // The same records at the same offsets of the same topics, for two sinks.
    copy(&near, &far);
    let local = Pipeline::open(&near);
    local.sink().unwrap();

    let bucket: Arc<dyn Store> = Arc::new(S3Store::open(bucket(folder.path()), layout::SINK).unwrap());
    // Cost facts and run manifest, which the producer puts into the store.
    produce(&Pipeline::open_on(&folder.path().join("scratch"), Arc::clone(&bucket)));
    // The times in it are those of the run that the topics tell of.
    for (path, bytes) in objects(&*local.store, &[layout::RUNS]) {
        bucket.put(&path, &bytes).unwrap();
    }
    let remote = Pipeline::open_on(&far, bucket);
    remote.sink().unwrap();

    let data = [layout::FINDINGS, layout::DEAD_LETTERS];
    let (expected, found) = (objects(&*local.store, &data), objects(&*remote.store, &data));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert!(expected.len() > 2 && found == expected, "the data files are the same, byte for byte");
    let parquet = |store: &dyn Store, folder: &str| {
        let mut files = objects(store, &[folder]);
        files.retain(|path, _| path.ends_with(".parquet"));
        files
    };
    // No two loads write under the same name.
    let facts = |store: &dyn Store| parquet(store, layout::COST_FACTS).into_values().collect::<BTreeSet<_>>();
    assert!(
        !facts(&*remote.store).is_empty() && facts(&*remote.store) == facts(&*local.store),
        "so are the cost facts"
    );

    let expected = export(local.store.clone(), &folder.path().join("export-near"));
    let found = export(remote.store.clone(), &folder.path().join("export-far"));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (path, bytes) in &expected {
        assert!(found[path] == *bytes, "{path}: {}", String::from_utf8_lossy(&found[path]));
    }
    assert!(expected.contains_key("acme/findings.json") && expected.contains_key("globex/findings.json"));
    let gold = parquet(&*remote.store, layout::KPI_GOLD);
    assert!(!gold.is_empty() && gold == parquet(&*local.store, layout::KPI_GOLD), "so are the KPI tables");

    let report = remote.verify();
    assert_eq!((report.problems.clone(), report.findings_rows), (vec![], local.verify().findings_rows));
    assert!(remote.store.staged().unwrap().is_empty());
}

#[test]
fn a_question_about_one_tenant_fetches_its_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = S3Server::shared().bucket("", folder.path());
    let copies = settings.cache_dir.clone();
    let pipeline = Pipeline::open_on(folder.path(), Arc::new(S3Store::open(settings, layout::SINK).unwrap()));
    for tenant in ["acme", "globex", "initech"] {
        pipeline.publish((0..5).map(|n| (Some(tenant), good(tenant, n), Headers::new())));
    }
    pipeline.drain();
    let cut = Cut::committed(pipeline.store.clone()).unwrap();
    assert!(!copies.exists(), "a cut alone fetches nothing");
    let filter = FindingFilter { population: Population::All, ..Default::default() };
    let list = |tenant| {
        let scope = TenantScope::new(tenant).unwrap();
        exporter::list_findings(&cut, &scope, &filter, &DuckLimits::default()).unwrap().total
    };
    let fetched = || std::fs::read_dir(&copies).unwrap().count() - 1;
    assert_eq!((list("acme"), fetched()), (5, 1));
    assert_eq!((list("acme"), fetched()), (5, 1));
    assert_eq!((list("globex"), fetched()), (5, 2));
}

#[test]
fn verify_sees_what_the_bucket_holds_now() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open_on(folder.path(), Arc::new(S3Server::shared().store(folder.path())));
    pipeline.publish((0..5).map(|n| (Some("acme"), good("acme", n), Headers::new())));
    pipeline.drain();
    assert_eq!(pipeline.verify().problems, []);
    export(pipeline.store.clone(), &folder.path().join("export"));
    let path = pipeline.store.list(layout::FINDINGS).unwrap()[0].path.clone();
    let mut bytes = pipeline.store.get(&path).unwrap().unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    pipeline.store.put(&path, &bytes).unwrap();
    let rules: Vec<_> = pipeline.verify().problems.into_iter().map(|problem| problem.rule).collect();
    assert_eq!(rules, [lake::verify::Rule::FileChanged]);
}

/// A pipeline in a bucket that is reached through a proxy, with one record that is judged and not written.
fn behind_a_proxy(folder: &Path, attempts_max: u32) -> (Pipeline, Proxy) {
    let proxy = Proxy::before(&S3Server::shared().url());
    let own = S3Server::shared().bucket("finops", folder);
    let store = S3Store::open(S3Settings { endpoint: Some(proxy.url()), attempts_max, ..own }, layout::SINK).unwrap();
    let pipeline = Pipeline::open_on(folder, Arc::new(store));
    pipeline.publish([(Some("acme"), good("acme", 1), Headers::new())]);
    let _ = pipeline.validate();
    (pipeline, proxy)
}

/// Reading is allowed, so that it is seen that nothing was written: trying again would be refused again.
#[test]
fn a_sink_that_may_not_commit_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, proxy) = behind_a_proxy(folder.path(), 5);
    // Not for ever: a sink that does not stop ends well after some time.
    proxy.plan("PUT", "/_sink/v1/", 20, Fault::Answer(403, s3_error("AccessDenied")));
    let stopped = pipeline.sink().unwrap_err();
    assert!(matches!(stopped, sink::SinkError::Store(StoreError::Denied { .. })), "{stopped}");
    proxy.clear();
    pipeline.sink().unwrap();
    assert_eq!(pipeline.verify().problems, []);
}

/// What it had staged is rebuilt by the sink that starts next.
#[test]
fn a_commit_that_was_answered_and_not_stored_stops_the_sink_and_nothing_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, proxy) = behind_a_proxy(folder.path(), 5);
    proxy.plan("PUT", "/_sink/v1/", 1, Fault::Answer(200, String::new()));
    let stopped = pipeline.sink().unwrap_err();
    assert!(matches!(stopped, sink::SinkError::CommitNotKept { .. }), "{stopped}");
    assert_eq!(pipeline.store.list(layout::FINDINGS).unwrap(), []);
    pipeline.sink().unwrap();
    let report = pipeline.verify();
    assert_eq!((&*report.problems, report.findings_rows), (&[][..], 1));
}

/// docs/object-store.md says these numbers.
#[test]
fn what_a_commit_of_one_file_costs() {
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, proxy) = behind_a_proxy(folder.path(), 5);
    pipeline.sink().unwrap();
    pipeline.publish([(Some("acme"), good("acme", 2), Headers::new())]);
    let _ = pipeline.validate();
    let before = proxy.seen().len();
    pipeline.sink().unwrap();
    let seen = proxy.seen().split_off(before);
    // From the staging of the file on: what was before is the start of a sink.
    let from = seen.iter().position(|request| request.starts_with("POST") && request.contains("uploads")).unwrap();
    let until = seen.iter().rposition(|request| request.starts_with("POST")).unwrap();
    let mut counts: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for request in &seen[from..=until] {
        let method = request.split(' ').next().unwrap().to_owned();
        *counts.entry((method, request.contains("/_sink/v1/"))).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|((method, is_chain), n)| (method.as_str(), *is_chain, *n)).collect();
    let (file, chain) = (false, true);
    assert_eq!(counts, [("GET", chain, 3), ("HEAD", file, 1), ("POST", file, 2), ("PUT", file, 1), ("PUT", chain, 1)]);
}

#[test]
fn failed_commits_are_tried_again_further_and_further_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, proxy) = behind_a_proxy(folder.path(), 1);
    proxy.plan("PUT", "/_sink/v1/", 5, Fault::Answer(503, s3_error("SlowDown")));
    let began = Instant::now();
    pipeline.sink().unwrap();
    // Half of 100, 200, 400, 800 and 1,600 ms at least.
    assert!(began.elapsed() > Duration::from_millis(1_550), "{:?}", began.elapsed());
    assert!(proxy.unmet().is_empty());
    assert_eq!(pipeline.verify().problems, []);
}

/// As on many partitions with many commits each: a sink that loads them one after another loses them meanwhile.
#[test]
fn commits_are_read_several_at_a_time() {
    const WAY: Duration = Duration::from_millis(100);
    const COMMITS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, proxy) = behind_a_proxy(folder.path(), 5);
    for n in 1..COMMITS {
        pipeline.sink().unwrap();
        pipeline.publish([(Some("acme"), good("acme", n), Headers::new())]);
        let _ = pipeline.validate();
    }
    proxy.plan("GET", "/_sink/v1/", u32::MAX, Fault::Delay(WAY));
    let (before, began) = (proxy.count("GET", "/_sink/v1/"), Instant::now());
    pipeline.sink().unwrap();
    let (read, took) = (proxy.count("GET", "/_sink/v1/") - before, began.elapsed());
    println!("{read} commits read, {WAY:?} each: {took:?}");
    assert!(read >= 2 * COMMITS - 1, "{read}: once to begin, once to see that all is written");
    assert!(took < WAY * u32::try_from(read).unwrap() / 2, "{read} commits one after another: {took:?}");
}

/// A running exporter looks every two seconds, and chains grow for years.
#[test]
fn a_running_exporter_reads_each_commit_once() {
    let folder = tempfile::tempdir().unwrap();
    let own = S3Server::shared().bucket("finops", folder.path());
    let pipeline = Pipeline::open_on(folder.path(), Arc::new(S3Store::open(own.clone(), layout::SINK).unwrap()));
    pipeline.publish([(Some("acme"), good("acme", 1), Headers::new())]);
    pipeline.drain();
    let proxy = Proxy::before(&S3Server::shared().url());
    let store = S3Store::open(S3Settings { endpoint: Some(proxy.url()), ..own }, layout::SINK).unwrap();
    let config = ExporterConfig { poll_interval: Duration::from_millis(20), ..config(&folder.path().join("export")) };
    let deps = deps(Arc::new(store));
    let (shutdown, findings) = (Shutdown::new(), folder.path().join("export/acme/findings.json"));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| exporter::run(&config, &deps, &shutdown));
        for n in 1..=4 {
            let began = Instant::now();
            while !std::fs::read_to_string(&findings).unwrap_or_default().contains(&format!("\"vol-{n}\"")) {
                assert!(began.elapsed() < Duration::from_secs(60), "vol-{n} never came");
                std::thread::sleep(Duration::from_millis(10));
            }
            pipeline.publish([(Some("acme"), good("acme", n + 1), Headers::new())]);
            pipeline.drain();
        }
        shutdown.request("the test is over");
        running.join().unwrap().unwrap();
    });
    let reads: Vec<_> =
        proxy.seen().into_iter().filter(|r| r.starts_with("GET ") && r.contains("/_sink/v1/")).collect();
    let of_the_first = reads.iter().filter(|read| read.contains("/00000000000000000000.json")).count();
    assert!(reads.len() >= 4 && of_the_first == 1, "{reads:?}");
}

/// Without conditions an older cut could take the place of a newer one unnoticed.
#[test]
fn an_exporter_notices_that_a_bucket_has_stopped_keeping_conditions() {
    let folder = tempfile::tempdir().unwrap();
    let own = S3Server::shared().bucket("finops", folder.path());
    let pipeline = Pipeline::open_on(folder.path(), Arc::new(S3Store::open(own.clone(), layout::SINK).unwrap()));
    pipeline.publish([(Some("acme"), good("acme", 1), Headers::new())]);
    pipeline.drain();
    let proxy = Proxy::before(&S3Server::shared().url());
    let often = S3Settings { endpoint: Some(proxy.url()), prove_every: Duration::ZERO, ..own };
    let store = Arc::new(S3Store::open(often, layout::SINK).unwrap());
    let (config, deps) = (config(&folder.path().join("export")), deps(store.clone()));
    let manifest = contracts::table_manifest::path(contracts::layout::KPI_GOLD, "acme");
    proxy.plan("PUT", "/finops/", u32::MAX, Fault::ForgetHeader("if-match".into()));
    let report = exporter::once(&config, &deps).unwrap();
    let errors: Vec<String> = report.errors().map(|(_, error)| error.to_string()).collect();
    assert!(errors.len() == 1 && errors[0].contains("proving conditional replace"), "{errors:?}");
    assert_eq!(store.get(&manifest).unwrap(), None);
    proxy.clear();
    assert_eq!(exporter::once(&config, &deps).unwrap().errors().count(), 0);
    assert!(store.get(&manifest).unwrap().is_some());
}

/// Each file takes several requests, and each of them the way to the bucket and back.
#[test]
fn many_small_files_do_not_wait_for_each_other() {
    const WAY: Duration = Duration::from_millis(50);
    const FILES: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let own = S3Server::shared().bucket("finops", folder.path());
    let proxy = Proxy::before(&S3Server::shared().url());
    let store = S3Store::open(S3Settings { endpoint: Some(proxy.url()), ..own }, layout::SINK).unwrap();
    let pipeline = Pipeline::open_on(folder.path(), Arc::new(store));
    for n in 0..FILES {
        let tenant: &'static str = format!("tenant-{n:02}").leak();
        pipeline.publish([(Some(tenant), good(tenant, n), Headers::new())]);
    }
    let _ = pipeline.validate();
    proxy.plan("", "", u32::MAX, Fault::Delay(WAY));
    let (before, began) = (proxy.seen().len(), Instant::now());
    pipeline.sink().unwrap();
    let (requests, took) = (proxy.seen().len() - before, began.elapsed());
    println!("{FILES} files, {requests} requests of {WAY:?}: {took:?}");
    assert!(requests >= 4 * FILES);
    assert!(took < WAY * u32::try_from(requests).unwrap() / 2, "{requests} requests one after another: {took:?}");
    proxy.clear();
    assert_eq!(pipeline.verify().problems, []);
}

/// A folder with a chain of its own must not be taken for the bucket's: the group's position names its store.
#[test]
fn a_sink_of_another_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open_on(folder.path(), Arc::new(S3Server::shared().store(folder.path())));
    pipeline.publish([(Some("acme"), good("acme", 1), Headers::new())]);
    pipeline.drain();
    let elsewhere = LocalStore::open(&folder.path().join("elsewhere"), layout::SINK).unwrap();
    let other = Pipeline { store: Arc::new(elsewhere), ..pipeline };
    other.publish([(Some("acme"), good("acme", 2), Headers::new())]);
    let _ = other.validate();
    assert!(matches!(other.sink(), Err(sink::SinkError::ForeignStore { .. })));
}
