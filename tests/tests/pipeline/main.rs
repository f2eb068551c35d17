//! Good and broken findings of several tenants through the whole chain: the good ones are rows, the broken ones dead
//! letters, nothing is missing, and `verify` notices whatever is done to the result.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod hostile_shapes;
mod isolation;
mod judged_again;
mod replay_claims;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use contracts::layout;
use contracts::tenant_scope::TenantScope;
use exporter::{DeadLetterFilter, DeadLetterScope, DuckLimits, Population};
use lake::cut::Cut;
use lake::verify::Rule;
use operations::repair;
use platform::broker::Headers;
use serde_json::{Value, json};
use tests::pipeline::{Pipeline, copy};
use tests::repo;

/// Violations as field and code.
type Codes = BTreeSet<(String, String)>;

/// Bytes of every invalid example that any producer could send, with the codes it gets.
fn broken() -> Vec<(Vec<u8>, Codes)> {
    let expected: BTreeMap<String, Value> =
        serde_json::from_str(&repo::read("schemas/examples/expected.json")).unwrap();
    let invalid = expected.into_iter().filter(|(path, e)| path.starts_with("invalid/") && e.get("policy").is_none());
    let examples = invalid.map(|(path, example)| {
        let bytes = std::fs::read(repo::root().join("schemas/examples").join(&path)).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let codes = example["codes"].as_array().unwrap().iter().map(|c| (text(&c["field"]), text(&c["code"])));
        (bytes, codes.collect())
    });
    examples.collect()
}

fn good(tenant: &str, n: usize) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!(tenant);
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    wire["estimated"]["monthly_savings"] = json!("1.25");
    serde_json::to_vec(&wire).unwrap()
}

/// A folder with 40 good findings of two tenants and all broken ones, written in three commits.
fn filled(folder: &Path) -> Pipeline {
    let pipeline = Pipeline::open(folder);
    for part in 0..3 {
        let goods = (0..40).filter(|n| n % 3 == part);
        pipeline.publish(goods.map(|n| {
            let tenant = ["acme", "globex"][n % 2];
            (Some(tenant), good(tenant, n), Headers::new())
        }));
        if part == 1 {
            pipeline.publish(broken().into_iter().map(|(bytes, _)| (Some("acme"), bytes, Headers::new())));
        }
        pipeline.drain();
    }
    pipeline
}

#[test]
fn good_ones_become_rows_and_broken_ones_dead_letters() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = filled(folder.path());
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.findings_rows, report.dead_letter_rows), (40, broken().len() as u64));
    assert!(report.in_flight.is_empty());

    let cut = Cut::committed(pipeline.store.clone()).unwrap();
    let limits = DuckLimits::default();
    let all = DeadLetterScope::Operator(Vec::new());
    let list = exporter::list_dead_letters(&cut, &all, &DeadLetterFilter::default(), &limits).unwrap();
    let mut found: Vec<(Vec<u8>, Codes)> = Vec::new();
    for row in list.items {
        let letter = exporter::show_dead_letter(&cut, &all, &row.src.unwrap(), &limits).unwrap().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let codes = letter.errors.as_array().unwrap().iter().map(|c| (text(&c["field"]), text(&c["code"]))).collect();
        found.push((letter.value.unwrap().0, codes));
    }
    let mut wanted = broken();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "bytes as received, all violations");

    for tenant in ["acme", "globex"] {
        let scope = TenantScope::new(tenant).unwrap();
        let filter = exporter::FindingFilter { population: Population::All, ..Default::default() };
        let findings = exporter::list_findings(&cut, &scope, &filter, &limits).unwrap();
        assert_eq!(findings.total, 20, "{tenant}");
        assert!(findings.items.iter().all(|f| f.tenant_id == tenant));
    }
}

#[test]
fn sent_again_the_findings_have_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = filled(folder.path());
    let ids = || {
        let cut = Cut::committed(pipeline.store.clone()).unwrap();
        let scope = TenantScope::new("acme").unwrap();
        let list = |population| {
            let filter = exporter::FindingFilter { population, ..Default::default() };
            let list = exporter::list_findings(&cut, &scope, &filter, &DuckLimits::default()).unwrap();
            (list.total, list.items.into_iter().filter_map(|f| f.finding_id).collect::<BTreeSet<_>>())
        };
        (list(Population::LatestRun), list(Population::All))
    };
    let before = ids();
    pipeline.publish((0..40).step_by(2).map(|n| (Some("acme"), good("acme", n), Headers::new())));
    pipeline.drain();
    let after = ids();
    assert_eq!(before.0, after.0, "exports do not grow");
    assert_eq!((after.1.0, &after.1.1), (40, &before.1.1), "the dataset holds both, with the same ids");
}

/// Does something to a copy of a filled folder and says which rules `verify` then finds broken.
fn tampered(filled: &Path, tamper: impl FnOnce(&Pipeline)) -> (tempfile::TempDir, Pipeline, Vec<Rule>) {
    let folder = tempfile::tempdir().unwrap();
    copy(filled, folder.path());
    let pipeline = Pipeline::open(folder.path());
    tamper(&pipeline);
    let rules = pipeline.verify().problems.into_iter().map(|p| p.rule).collect();
    (folder, pipeline, rules)
}

fn paths(pipeline: &Pipeline, folder: &str) -> Vec<PathBuf> {
    let all = pipeline.store.list(folder).unwrap();
    all.into_iter().map(|entry| pipeline.store.local_path(&entry.path).unwrap()).collect()
}

/// The chain of the fullest partition, oldest commit first.
fn chain(pipeline: &Pipeline) -> Vec<PathBuf> {
    let mut chains: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths(pipeline, layout::CHAIN) {
        chains.entry(path.parent().unwrap().to_owned()).or_default().push(path);
    }
    chains.into_values().max_by_key(Vec::len).unwrap()
}

#[test]
fn whatever_is_done_to_the_data_is_noticed() {
    let original = tempfile::tempdir().unwrap();
    drop(filled(original.path()));
    let check = |what: &str, expected: &[Rule], tamper: fn(&Pipeline)| {
        let (_folder, _, rules) = tampered(original.path(), tamper);
        assert_eq!(rules, expected, "{what}");
    };
    check("nothing", &[], |_| {});
    check("a byte of a file changed", &[Rule::FileChanged], |p| {
        let path = &paths(p, layout::FINDINGS)[0];
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
    });
    check("a file cut short", &[Rule::FileChanged], |p| {
        let path = &paths(p, layout::DEAD_LETTERS)[0];
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
    });
    check("a file removed", &[Rule::FileMissing], |p| std::fs::remove_file(&paths(p, layout::FINDINGS)[0]).unwrap());
    check("a file added", &[Rule::FileForeign], |p| {
        let path = &paths(p, layout::FINDINGS)[0];
        std::fs::copy(path, path.with_file_name("part-0.parquet")).unwrap();
    });
    // What a commit's files hold is unknown without it; what follows it is not verified.
    check("a commit removed from the middle", &[Rule::ChainBroken, Rule::FileForeign], |p| {
        std::fs::remove_file(&chain(p)[1]).unwrap();
    });
    check("the first commit removed", &[Rule::ChainBroken, Rule::FileForeign], |p| {
        std::fs::remove_file(&chain(p)[0]).unwrap();
    });
    check("a commit changed", &[Rule::ChainBroken], |p| {
        let path = &chain(p)[1];
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replacen("\"code_version\":\"", "\"code_version\":\"x", 1)).unwrap();
    });
}

#[test]
fn what_is_missing_is_brought_back_once() {
    let original = tempfile::tempdir().unwrap();
    drop(filled(original.path()));
    let (_folder, pipeline, rules) = tampered(original.path(), |p| {
        // A file vanishes, and a validator claims to have judged records that it dropped.
        std::fs::remove_file(&paths(p, layout::FINDINGS)[0]).unwrap();
        p.publish([(Some("acme"), good("acme", 90), Headers::new()), (Some("acme"), b"{".to_vec(), Headers::new())]);
        p.pretend_to_have_judged();
    });
    assert_eq!(rules, [Rule::FileMissing, Rule::RecordLost]);
    assert_eq!(pipeline.verify().missing.iter().map(|m| m.offsets.count()).sum::<u64>(), 2);

    let plan = repair::plan(&pipeline.verify());
    let done = pipeline.repair(&plan);
    assert_eq!((done.sent, done.files > 0), (2, true));
    assert!(repair::plan(&pipeline.verify()).is_empty(), "what was sent again is on its way: not sent twice");
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.findings_rows, report.dead_letter_rows), (41, broken().len() as u64 + 1));
}
