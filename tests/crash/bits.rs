//! A bit is flipped in an object of each kind, in an exported file and in a cached copy, as a disk or a bad read does. No answer
//! may be another one than before: either a command fails, or it says what it said; `verify` names each object.

use std::path::{Path, PathBuf};

use contracts::chain::{ChainHead, checkpoint_end, commit_start};
use contracts::layout;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;
use tests::attack::battle::note;
use tests::attack::bills::Bill;
use tests::attack::exports::{self, Exported};
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::oracle;
use tests::attack::program;
use tests::attack::seed::{Seeded, is_long, seeded};
use tests::attack::site::{Site, SiteKind};

list!(bits_are_flipped);
at_site!(embedded_local, EmbeddedLocal, bits_are_flipped);
at_site!(embedded_s3, EmbeddedS3, bits_are_flipped);

const TENANT: &str = "acme";

/// A kind of object.
struct Sort {
    name: &'static str,
    /// Whether a path is one of this kind.
    has: fn(&str) -> bool,
}

const SORTS: &[Sort] = &[
    Sort { name: "commit record", has: |path| commit_start(path).is_some() },
    Sort { name: "checkpoint", has: |path| checkpoint_end(path).is_some() },
    Sort { name: "findings", has: |path| path.starts_with("finops_findings/tenant_id=acme/") },
    Sort { name: "dead letters", has: |path| path.starts_with(layout::DEAD_LETTERS) },
    Sort { name: "run manifest", has: |path| path.starts_with("_runs/") },
    Sort { name: "cost facts", has: |path| is_parquet_of(path, layout::COST_FACTS) },
    Sort { name: "manifest of cost facts", has: |path| is_manifest_of(path, layout::COST_FACTS) },
    Sort { name: "gold table", has: |path| is_parquet_of(path, layout::KPI_GOLD) },
    Sort { name: "table of runs", has: |path| is_parquet_of(path, layout::RUN_TABLE) },
    Sort { name: "manifest of gold tables", has: |path| is_manifest_of(path, layout::KPI_GOLD) },
];

fn is_parquet_of(path: &str, dataset: &str) -> bool {
    path.starts_with(dataset) && path.ends_with(".parquet")
}

fn is_manifest_of(path: &str, dataset: &str) -> bool {
    path.starts_with(dataset) && path.ends_with("_manifest.json")
}

fn bits_are_flipped(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("bits");
    let site = Site::open(kind);
    let load = Load::new(&site);
    fill(&site, &load);
    let flips = if is_long() { 8 } else { 1 };
    let right = Answers::of(&site);
    assert!(right.complete(), "{right:?}");
    let paths: Vec<String> = site.store.list("").unwrap().into_iter().map(|entry| entry.path).collect();
    for Sort { name, has } in SORTS {
        let all: Vec<&String> = paths.iter().filter(|path| has(path)).collect();
        assert!(!all.is_empty(), "there is no {name} among {paths:?}");
        for _ in 0..flips {
            let path = all[rng.random_range(0..all.len())];
            let bytes = site.store.get(path).unwrap().unwrap();
            let bit = rng.random_range(0..bytes.len() * 8);
            site.store.put(path, &flipped(&bytes, bit)).unwrap();
            let what = format!("{name} {path}, bit {bit}");
            let report = program::verify(&site);
            assert!(names(&report, path), "{what}: {report:#}");
            right.assert_not_contradicted(&site, &what);
            site.store.put(path, &bytes).unwrap();
        }
    }
    exported_files(&site, &mut rng);
    copies(&site, &right, &mut rng);
    let _ = program::done(&site, &["verify"]);
    let count = oracle::judge_all(&site, Some(&load));
    note(
        Fault::Deed(Deed::BitsFlipped),
        &site,
        0,
        Some(seed),
        &count,
        "is named; no answer is another one than before",
    );
}

/// Findings and dead letters of several commits, a run with a bill, a checkpoint, gold tables and exports.
fn fill(site: &Site, load: &Load<'_>) {
    let bill = Bill::write(site.folder(), 0, 0);
    let bill = bill.path.to_str().unwrap();
    let _ = program::done(site, &["run", "--tenant", TENANT, "--workspace", "prod", "--focus", bill]);
    for _ in 0..2 {
        assert!(load.publish(60));
        program::drain(site);
    }
    let paths = site.store.list(layout::CHAIN).unwrap().into_iter().map(|entry| entry.path);
    let mut head: Option<ChainHead> = None;
    for path in paths.filter(|path| commit_start(path).is_some()) {
        let bytes = site.store.get(&path).unwrap().unwrap();
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        let (topic_id, partition) = (record["topic_id"].as_str().unwrap(), record["partition"].as_u64().unwrap());
        let next = ChainHead::empty(topic_id, u32::try_from(partition).unwrap());
        let mut chain = head.take().filter(|head| (head.partition, &head.topic_id) == (next.partition, &next.topic_id));
        let chain = chain.get_or_insert(next);
        chain.follow(&path, &bytes).unwrap();
        head = Some(chain.clone());
    }
    let head = head.unwrap();
    let checkpoint = layout::chain_checkpoint(&head.topic_id, head.partition, head.end);
    site.store.put(&checkpoint, &head.to_checkpoint().unwrap()).unwrap();
    let _ = program::done(site, &["exporter", "once"]);
    let _ = program::done(site, &["verify"]);
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

fn names(report: &Value, path: &str) -> bool {
    report["problems"].as_array().unwrap().iter().any(|problem| problem["object"].as_str().unwrap().ends_with(path))
}

/// What commands answer; `None` of one that failed.
#[derive(Debug, PartialEq)]
struct Answers {
    findings: Option<Vec<u8>>,
    dead_letters: Option<Vec<u8>>,
    exported: Option<Exported>,
}

impl Answers {
    fn of(site: &Site) -> Self {
        let answer = |arguments: &[&str]| {
            let output = program::command(site, arguments).output().unwrap();
            output.status.success().then_some(output.stdout)
        };
        let fresh = site.folder().join("fresh-export");
        let _ = std::fs::remove_dir_all(&fresh);
        let exported = answer(&["exporter", "once", "--tenant", TENANT, "--export", fresh.to_str().unwrap()]);
        Self {
            findings: answer(&["findings", "list", "--tenant", TENANT, "--limit", "1000", "--output", "json"]),
            dead_letters: answer(&["dlq", "list", "--limit", "1000", "--output", "json"]),
            exported: exported.map(|_| exports::read(&fresh)),
        }
    }

    fn complete(&self) -> bool {
        self.findings.is_some()
            && self.dead_letters.is_some()
            && self.exported.as_ref().is_some_and(|all| !all.is_empty())
    }

    fn assert_not_contradicted(&self, site: &Site, what: &str) {
        let now = Self::of(site);
        assert!(now.findings.is_none() || now.findings == self.findings, "{what}: other findings");
        assert!(now.dead_letters.is_none() || now.dead_letters == self.dead_letters, "{what}: other dead letters");
        assert!(now.exported.is_none() || now.exported == self.exported, "{what}: other exports");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// `verify` names an exported file that was changed, or its manifest where that names the file wrongly now.
fn exported_files(site: &Site, rng: &mut StdRng) {
    for path in files_below(&site.export_folder().join(TENANT)).iter().filter(|path| !path.ends_with("manifest.json")) {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, flipped(&bytes, rng.random_range(0..bytes.len() * 8))).unwrap();
        let report = program::verify(site);
        assert!(names(&report, path.file_name().unwrap().to_str().unwrap()), "{}: {report:#}", path.display());
        std::fs::write(path, bytes).unwrap();
    }
}

/// Copies of a bucket's files are compared before they are used, and fetched again.
fn copies(site: &Site, right: &Answers, rng: &mut StdRng) {
    let copies = files_below(&site.folder().join("cache"));
    let copies = copies.iter().filter(|path| path.file_name().unwrap().len() == 64);
    let mut flips = 0;
    for path in copies {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, flipped(&bytes, rng.random_range(0..bytes.len() * 8))).unwrap();
        flips += 1;
    }
    assert_eq!(flips > 0, site.network.is_some(), "a bucket's files are read from copies");
    assert_eq!(Answers::of(site), *right);
}
