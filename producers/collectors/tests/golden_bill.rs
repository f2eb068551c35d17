//! One synthetic bill in every dialect and container: its cost facts are those that an independent program worked out, as text
//! and without tolerance. `FINOPS_GOLDEN_CUR` names another folder of the same shape.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, TimestampMillisecondType};
use collectors::billing::{LoadError, LoadOptions, LoadReport, Overlap, load};
use contracts::layout;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::lifecycle::Shutdown;
use platform::progress::{Progress, Silent};
use platform::store::Store;
use platform::store::local::LocalStore;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// Inputs, and the one whose facts they must have.
const INPUTS: [(&str, &str); 9] = [
    ("legacy_csv", "legacy_csv"),
    ("legacy_parquet", "legacy_parquet"),
    ("cur2_parquet", "cur2_parquet"),
    ("cur2_csv", "cur2_parquet"),
    ("focus10_parquet", "focus10_parquet"),
    ("focus10_csv", "focus10_parquet"),
    ("focus12_csv", "focus10_parquet"),
    ("multicurrency", "multicurrency"),
    ("edge", "edge"),
];
const MODELS: [&str; 4] = ["unblended", "net", "amortized", "blended"];

fn golden(path: &str) -> PathBuf {
    let root = std::env::var("FINOPS_GOLDEN_CUR")
        .map(PathBuf::from)
        .unwrap_or_else(|_| Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden/cur"));
    root.join(path)
}

struct Desk {
    _dir: tempfile::TempDir,
    store: LocalStore,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(&dir.path().join("data"), layout::SINK).unwrap();
        Self { _dir: dir, store }
    }

    fn load(&self, paths: &[PathBuf], options: &LoadOptions) -> Result<LoadReport, LoadError> {
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let loaded = load("acme", paths, options, &self.store, &progress, &Shutdown::new())?;
        Ok(loaded.report)
    }

    /// An input as a folder.
    fn load_input(&self, input: &str) -> LoadReport {
        // Five of the nine rows of one input are there to be refused.
        let options = LoadOptions { rejects_per_thousand_max: 999, ..LoadOptions::default() };
        self.load(&[golden(&format!("input/{input}"))], &options).unwrap()
    }

    /// All stored facts by column.
    fn facts(&self) -> Vec<Map<String, Value>> {
        let mut facts = Vec::new();
        for entry in self.store.list("cur_facts").unwrap().iter().filter(|entry| entry.path.ends_with(".parquet")) {
            let file = self.store.get(&entry.path).unwrap().unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
                let batch = batch.unwrap();
                assert_eq!(batch.schema().fields(), contracts::arrow_schema::cost_facts().fields());
                facts.extend(facts_of(&batch));
            }
        }
        facts
    }
}

/// A cell as the expected facts write it.
fn cell(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Decimal128(_, _) => column.as_primitive::<Decimal128Type>().value_as_string(row).into(),
        DataType::Timestamp(_, _) => {
            let ms = column.as_primitive::<TimestampMillisecondType>().value(row);
            contracts::time::format_timestamp(ms).replace(".000Z", "Z").into()
        }
        DataType::Map(_, _) => {
            let entries = column.as_map().value(row);
            let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
            let member = |n| (keys.value(n).to_owned(), Value::from(values.value(n)));
            Value::Object((0..entries.len()).map(member).collect())
        }
        other => panic!("no fact has type {other}"),
    }
}

fn facts_of(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    let schema = batch.schema();
    let columns: Vec<_> = schema.fields().iter().zip(batch.columns()).collect();
    let is_split = |name: &str| name.starts_with("split_");
    // The reference splits no costs, and says nothing of these columns.
    assert!(columns.iter().all(|(field, column)| !is_split(field.name()) || column.null_count() == batch.num_rows()));
    let fact = |row| {
        let is_known = |name: &str| !matches!(name, "tenant_id" | "source_ref" | "quantity") && !is_split(name);
        let known = columns.iter().filter(|(field, _)| is_known(field.name()));
        known.map(|(field, column)| (field.name().clone(), cell(column, row))).collect()
    };
    (0..batch.num_rows()).map(fact).collect()
}

/// One line for each fact, sorted: from which file a fact comes must not matter.
fn lines(facts: Vec<Map<String, Value>>) -> Vec<String> {
    let sorted = |fact: Map<String, Value>| {
        let members: BTreeMap<String, Value> = fact.into_iter().collect();
        Value::Object(members.into_iter().collect()).to_string()
    };
    let mut lines: Vec<_> = facts.into_iter().map(sorted).collect();
    lines.sort();
    lines
}

fn expected_facts(input: &str) -> Vec<String> {
    let text = std::fs::read_to_string(golden(&format!("expected/{input}/normalized.jsonl"))).unwrap();
    // The other program writes a zero its own ways.
    let places = |(name, value): (String, Value)| match value.as_str() {
        Some("0" | "0E-12") if name.starts_with("cost_") => (name, "0.000000000000".into()),
        _ => (name, value),
    };
    let fact = |line| serde_json::from_str::<Map<String, Value>>(line).unwrap().into_iter().map(places).collect();
    lines(text.lines().map(fact).collect())
}

fn summary() -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden("expected/summary.json")).unwrap()).unwrap()
}

fn sum(facts: &[Map<String, Value>], model: &str, is_wanted: impl Fn(&Map<String, Value>) -> bool) -> Decimal {
    let cost = |fact: &Map<String, Value>| fact[&format!("cost_{model}")].as_str().unwrap().parse::<Decimal>().unwrap();
    facts.iter().filter(|fact| is_wanted(fact)).map(cost).sum()
}

#[test]
fn every_input_has_the_expected_facts() {
    for (input, sibling) in INPUTS {
        let desk = Desk::new();
        desk.load_input(input);
        let (facts, expected) = (lines(desk.facts()), expected_facts(sibling));
        assert!(!expected.is_empty());
        for (fact, expected) in facts.iter().zip(&expected) {
            assert_eq!(fact, expected, "{input}");
        }
        assert_eq!(facts.len(), expected.len(), "{input}");
    }
}

#[test]
fn every_input_has_the_expected_counts_and_totals() {
    let summary = summary();
    for (input, _) in INPUTS {
        let expected = &summary[input];
        let desk = Desk::new();
        let report = desk.load_input(input);
        let facts = desk.facts();
        let count = |member: &str| expected[member].as_u64().unwrap();
        let flagged = |column: &str| facts.iter().filter(|fact| fact[column] == true).count() as u64;
        assert_eq!((report.files.len() as u64, facts.len() as u64), (count("files"), count("facts")), "{input}");
        assert_eq!(flagged("currency_defaulted"), count("currency_defaulted"), "{input}");
        assert_eq!(flagged("model_fallback"), count("model_fallback_lines"), "{input}");
        assert_eq!(flagged("unknown_type"), count("unknown_line_types"), "{input}");
        assert_eq!(report.observed.model_fallback, count("model_fallback_lines"), "{input}");
        assert_eq!(report.observed.currency_defaulted, count("currency_defaulted"), "{input}");
        let dialects: Vec<_> = report.observed.dialects.keys().map(|dialect| Value::from(*dialect)).collect();
        assert_eq!(Value::from(dialects), expected["formats"], "{input}");
        let rejects = report.rejects.samples.iter().map(|sample| {
            let file = Path::new(&sample.file).file_name().unwrap().to_string_lossy();
            serde_json::json!({"file": file, "row": sample.row, "reason": sample.refusal.reason.as_str()})
        });
        assert_eq!(Value::from(rejects.collect::<Vec<_>>()), expected["rejects"], "{input}");
        for model in MODELS {
            let grand: Decimal = expected["grand"][model].as_str().unwrap().parse().unwrap();
            assert_eq!(sum(&facts, model, |_| true), grand, "{input} {model}");
        }
        for (key, total) in expected["totals"].as_object().unwrap() {
            let [period, account, currency, model] = key.split('|').collect::<Vec<_>>()[..] else { panic!("{key}") };
            let of = |fact: &Map<String, Value>| {
                [("billing_period", period), ("account_id", account), ("currency", currency)]
                    .iter()
                    .all(|(column, value)| fact[*column] == **value)
            };
            let found = sum(&facts, model, of).round_dp(6);
            assert_eq!(found, total.as_str().unwrap().parse::<Decimal>().unwrap(), "{input} {key}");
        }
    }
}

/// The invoice and the amortized total are the same in every dialect (the other two models are notions of AWS).
#[test]
fn dialects_agree_on_what_was_invoiced_and_amortized() {
    let totals = |input: &str| {
        let desk = Desk::new();
        desk.load_input(input);
        let facts = desk.facts();
        ["unblended", "amortized"].map(|model| sum(&facts, model, |_| true))
    };
    let expected = totals("legacy_csv");
    for input in ["legacy_parquet", "cur2_parquet", "cur2_csv", "focus10_parquet", "focus10_csv", "focus12_csv"] {
        assert_eq!(totals(input), expected, "{input}");
    }
}

#[test]
fn an_older_delivery_is_replaced_and_never_added() {
    let desk = Desk::new();
    let older = golden("input/legacy_csv/20260101-20260201/asm-202601-1");
    if !older.is_dir() {
        eprintln!("skipped: this world has no older delivery of that name");
        return;
    }
    desk.load(&[older], &LoadOptions::default()).unwrap();
    let report = desk.load_input("legacy_csv");
    assert_eq!(report.months.iter().map(|month| month.replaced.len()).sum::<usize>(), 1);
    assert_eq!(lines(live(&desk)), expected_facts("legacy_csv"));
    let again = desk.load_input("legacy_csv");
    assert!(again.months.iter().all(|month| month.is_unchanged()));
    let assemblies: Vec<_> = again.deliveries_read.iter().filter_map(|read| read.assembly.as_deref()).collect();
    assert_eq!(assemblies.len(), 3);
}

/// Facts of the files that manifests name.
fn live(desk: &Desk) -> Vec<Map<String, Value>> {
    let mut facts = Vec::new();
    for entry in desk.store.list("cur_facts").unwrap().iter().filter(|entry| entry.path.ends_with("_manifest.json")) {
        let manifest = contracts::cost_manifest::CostManifest::parse(&desk.store.get(&entry.path).unwrap().unwrap());
        let folder = entry.path.trim_end_matches("_manifest.json");
        for part in manifest.unwrap().parts() {
            let file = desk.store.get(&format!("{folder}{}", part.part)).unwrap().unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            reader.for_each(|batch| facts.extend(facts_of(&batch.unwrap())));
        }
    }
    facts
}

#[test]
fn one_bill_in_two_dialects_is_one_source_twice() {
    let desk = Desk::new();
    let input = |name: &str| golden(&format!("input/{name}"));
    let both = [input("cur2_csv"), input("focus12_csv")];
    let options = LoadOptions::default();
    let error = desk.load(&both, &options).unwrap_err().to_string();
    assert!(error.starts_with("ambiguous_source: ") && error.contains("as cur2 and as focus"), "{error}");
    assert!(error.contains("Choose one with --dialect. ") && !error.contains("--restate"), "{error}");
    assert!(desk.facts().is_empty(), "nothing is published");
    let chosen = LoadOptions { dialect: Some(collectors::billing::Dialect::Cur2), ..LoadOptions::default() };
    let report = desk.load(&both, &chosen).unwrap();
    assert_eq!(report.left_out.len(), 3, "{:?}", report.left_out);
    assert_eq!(lines(live(&desk)), expected_facts("cur2_parquet"));
    let error = desk.load(&both[1..], &options).unwrap_err().to_string();
    assert!(error.contains("is live as cur2 and this bill is focus"), "{error}");
    assert!(error.contains("Give --restate ") && !error.contains("--dialect"), "{error}");
    let restate = LoadOptions { overlap: Overlap::Restate, ..LoadOptions::default() };
    desk.load(&both[1..], &restate).unwrap();
    assert_eq!(lines(live(&desk)), expected_facts("focus10_parquet"));
}
