//! The golden world of bills, end to end by the program: `finops run --bill …` with the findings of the world, and then each finding's
//! `actual` and evidence as readers find them, as text and without tolerance, in every dialect.
//!
//! `FINOPS_GOLDEN_CUR` names another world of the same shape (`input/`, `findings/`, `expected/`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use contracts::layout;
use contracts::table_manifest::{TableManifest, evidence_period, path, priced_period};
use serde_json::{Map, Value};
use tests::attack::program;
use tests::attack::site::{Site, SiteKind};
use tests::{repo, rows};

/// Inputs, and the one whose expected files are theirs where they have none of their own: it is the same bill.
const INPUTS: [(&str, &str); 9] = [
    ("legacy_csv", "legacy_parquet"),
    ("legacy_parquet", "legacy_parquet"),
    ("cur2_parquet", "cur2_parquet"),
    ("cur2_csv", "cur2_parquet"),
    ("focus10_parquet", "focus10_parquet"),
    ("focus10_csv", "focus10_parquet"),
    ("focus12_csv", "focus10_parquet"),
    ("multicurrency", "multicurrency"),
    ("edge", "edge"),
];
const MODELS: [&str; 4] = ["amortized", "unblended", "net", "blended"];
const DEFAULT_MODEL: &str = "amortized";
/// One checker, so that the run needs no account. Its own findings are not those of the world.
const CHECKER: &str = "focus.usage.negative";

/// Where a world lies. In the project its parts lie beside the tests of the crates that they are first compared with.
struct World {
    inputs: PathBuf,
    findings: PathBuf,
    expected: PathBuf,
}

impl World {
    fn new() -> Self {
        match std::env::var("FINOPS_GOLDEN_CUR").map(PathBuf::from) {
            Ok(root) => {
                Self { inputs: root.join("input"), findings: root.join("findings"), expected: root.join("expected") }
            }
            Err(_) => Self {
                inputs: repo::root().join("producers/collectors/tests/golden/cur/input"),
                findings: repo::root().join("exporter/tests/golden/attribution/findings"),
                expected: repo::root().join("exporter/tests/golden/attribution/expected"),
            },
        }
    }

    /// An expected file of an input, or of the input that is the same bill; `None` when the world has neither.
    fn expected(&self, input: &str, same_as: &str, file: &str) -> Option<Vec<Map<String, Value>>> {
        let files = [input, same_as].map(|input| self.expected.join(input).join(file));
        files.iter().find(|file| file.is_file()).map(lines)
    }
}

fn lines(file: &PathBuf) -> Vec<Map<String, Value>> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(row: &'a Map<String, Value>, member: &str) -> &'a str {
    row[member].as_str().unwrap()
}

/// Runs the program with the bill of an input and a file of findings.
fn run(world: &World, input: &str, findings: &str) -> Site {
    let mut site = Site::open(SiteKind::EmbeddedLocal);
    // Most rows of one input are there to be refused.
    site.environment.push(("FINOPS_COSTS_REJECTS_PER_THOUSAND_MAX".to_owned(), "999".to_owned()));
    let bill = world.inputs.join(input).display().to_string();
    let findings = world.findings.join(findings).display().to_string();
    let run = ["run", "--tenant", "acme", "--workspace", "prod", "--checker", CHECKER, "--bill"];
    let arguments = [&run[..], &[bill.as_str(), "--findings", findings.as_str()]].concat();
    let _ = program::done(&site, &arguments);
    site
}

/// Prices the findings again by this model.
fn price(site: &mut Site, model: &str) {
    site.environment.retain(|(name, _)| name != "FINOPS_COSTS_MODEL");
    site.environment.push(("FINOPS_COSTS_MODEL".to_owned(), model.to_owned()));
    let _ = program::done(site, &["exporter", "once"]);
}

/// Rows of the periods that are named like this, of the runs of the world's findings.
fn rows_of(site: &Site, is_named: impl Fn(&str) -> bool, runs: &BTreeSet<String>) -> Vec<Map<String, Value>> {
    let manifest = site.store.get(&path(layout::FINDINGS_ENRICHED, "acme")).unwrap().unwrap();
    let manifest = TableManifest::parse(&manifest).unwrap();
    let periods = manifest.periods.iter().filter(|(name, _)| is_named(name));
    let files = periods.flat_map(|(_, period)| &period.files);
    let all = files.flat_map(|file| rows::of_file(site.store.get(file).unwrap().unwrap()));
    all.filter(|row| runs.contains(text(row, "run_id"))).collect()
}

/// Sorts what has no order: rows, and keys of members.
fn sorted(rows: Vec<Map<String, Value>>) -> Vec<String> {
    let ordered =
        |row: Map<String, Value>| serde_json::to_string(&row.into_iter().collect::<BTreeMap<_, _>>()).unwrap();
    let mut rows: Vec<_> = rows.into_iter().map(ordered).collect();
    rows.sort();
    rows
}

/// These members of each row; what is empty text in a row is blank in the reference.
fn only(rows: Vec<Map<String, Value>>, members: &[&str]) -> Vec<Map<String, Value>> {
    let keep = |row: Map<String, Value>| row.into_iter().filter(|(name, _)| members.contains(&name.as_str())).collect();
    rows.into_iter().map(keep).collect()
}

const PRICED: &[&str] = &["run_id", "finding_id", "fingerprint", "check_id", "actual"];
const EVIDENCE: &[&str] = &[
    "confidence",
    "cost_amount",
    "cost_model",
    "cur",
    "currency",
    "finding_id",
    "fingerprint",
    "matched_keys",
    "method",
    "notes",
    "period_end",
    "period_start",
    "tenant_id",
    "workspace_id",
];

/// Compares the findings of a site with an expected file; false when the world has none.
fn compare(world: &World, site: &Site, (input, same_as): (&str, &str), model: &str, file: &str) -> bool {
    let Some(expected) = world.expected(input, same_as, &format!("{model}/{file}.jsonl")) else { return false };
    let runs: BTreeSet<String> = expected.iter().map(|row| text(row, "run_id").to_owned()).collect();
    let dates: BTreeSet<String> = runs.iter().map(|run| date_of(run)).collect();
    let priced = rows_of(site, |name| dates.iter().any(|date| name == priced_period(date)), &runs);
    let wanted = sorted(only(expected, PRICED));
    assert_eq!(sorted(only(priced, PRICED)), wanted, "{input} {model} {file}");
    if let Some(expected) = world.expected(input, same_as, &format!("{model}/evidence.jsonl"))
        && file == "enriched"
    {
        let evidence = rows_of(site, |name| dates.iter().any(|date| name == evidence_period(date)), &runs);
        assert_eq!(sorted(only(evidence, EVIDENCE)), sorted(only(expected, EVIDENCE)), "{input} {model} evidence");
    }
    true
}

/// `run-20260120T233000Z` is of 2026-01-20.
fn date_of(run: &str) -> String {
    let digits: String = run.chars().filter(char::is_ascii_digit).take(8).collect();
    format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..])
}

fn check(input: &str) {
    let world = World::new();
    let names = *INPUTS.iter().find(|(name, _)| *name == input).unwrap();
    let mut site = run(&world, input, "findings.jsonl");
    assert!(compare(&world, &site, names, DEFAULT_MODEL, "enriched"), "{input}: nothing is expected");
    for model in MODELS.into_iter().filter(|model| *model != DEFAULT_MODEL) {
        if world.expected(input, names.1, &format!("{model}/enriched.jsonl")).is_some() {
            price(&mut site, model);
            assert!(compare(&world, &site, names, model, "enriched"));
        }
    }
    let report = program::verify(&site);
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(0), "{input}: {report:#}");
}

#[test]
fn legacy_csv() {
    check("legacy_csv");
}

#[test]
fn legacy_parquet() {
    check("legacy_parquet");
}

#[test]
fn cur2_parquet() {
    check("cur2_parquet");
}

#[test]
fn cur2_csv() {
    check("cur2_csv");
}

#[test]
fn focus10_parquet() {
    check("focus10_parquet");
}

#[test]
fn focus10_csv() {
    check("focus10_csv");
}

#[test]
fn focus12_csv() {
    check("focus12_csv");
}

#[test]
fn multicurrency() {
    check("multicurrency");
}

#[test]
fn edge() {
    check("edge");
}

/// With stable ids two runs have the same finding ids: each row is priced by the day of its own run, and no cost is counted twice.
#[test]
fn two_runs_are_each_priced_by_their_own_day() {
    let world = World::new();
    let input = ("legacy_parquet", "legacy_parquet");
    let site = run(&world, input.0, "findings_two_runs.jsonl");
    assert!(compare(&world, &site, input, DEFAULT_MODEL, "enriched_two_runs"));
}
