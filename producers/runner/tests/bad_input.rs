//! Billing files that cannot be read, or only in part: what is said about them, and that nothing of them is stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use support::bill::Bill;
use support::{World, plan};

const HEADER: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,ChargePeriodStart,ResourceId,ChargeCategory";
const GOOD: &str = "1.5,1.5,USD,999900001111,111122223333,2024-09-01 00:00:00,i-1,Usage";

/// FOCUS 0.5 without its currency.
const OLD_FOCUS: &str =
    "BilledCost,BillingAccountId,ChargePeriodEnd,ChargePeriodStart,ChargeType,InvoiceIssuer,Provider\n";

fn gzip(content: &str) -> Vec<u8> {
    packed(content.as_bytes())
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Rows that differ, so that they do not compress to nothing.
fn rows(count: usize) -> String {
    let row = |n: usize| {
        format!("{}.5,1.5,USD,999900001111,111122223333,2024-09-01 00:00:00,i-{:x},Usage\n", n % 7, n * 7919)
    };
    (0..count).map(row).collect()
}

fn parquet(rows: usize) -> Vec<u8> {
    let columns = HEADER.split(',').zip(GOOD.split(','));
    let column =
        |(name, cell): (&str, &str)| (name.to_owned(), Arc::new(StringArray::from(vec![cell; rows])) as ArrayRef);
    let batch = RecordBatch::try_from_iter(columns.map(column)).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// What a run says about a file; nothing of it may be left behind.
fn refusal(name: &str, content: &[u8]) -> String {
    let world = World::new();
    let file = world.file(name, content);
    let error = world.run(&plan("run-1", vec![file])).expect_err(name);
    assert_eq!(world.stored("cur_facts"), Vec::<String>::new(), "{name}");
    assert!(world.values(contracts::topics::WIRE).is_empty() && world.values(contracts::topics::RUNS).is_empty());
    error.to_string().replace(&format!("{}/", world.dir.path().display()), "")
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_the_reason() {
    let broken = |cells: &str| format!("{HEADER}\n{GOOD}\n{cells}\n");
    let truncated = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let invalid = [HEADER.as_bytes(), b"\n1,1,USD,9,1\xff,2024-09-01,i,Usage\n"].concat();
    let mut damaged = parquet(3);
    damaged.truncate(100);
    let without = |name: &str| Bill::of(&[&[]]).without(&[name]).csv();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let cases = [
        ("empty.csv", Vec::new()),
        ("empty.csv.gz", gzip("")),
        ("header.csv", HEADER.into()),
        ("header.parquet", parquet(0)),
        ("other.csv", b"date,amount\n2024-09-01,5\n".to_vec()),
        ("other.json", br#"{"a":1}"#.to_vec()),
        (
            "cur.csv",
            b"lineItem/UsageStartDate,lineItem/LineItemType,lineItem/UnblendedCost\n2024-09-01,Usage,1\n".to_vec(),
        ),
        ("truncated.csv.gz", truncated(gzip(&format!("{HEADER}\n{}", rows(20_000))))),
        ("utf8.csv", invalid),
        ("fields.csv", broken("1,1,USD").into()),
        ("long.csv", broken(&"x".repeat(3 << 20)).into()),
        ("quote.csv", broken(&format!("\"{}", rows(40_000))).into()),
        ("damaged.parquet", damaged),
        ("wrapped.parquet.gz", packed(&parquet(3))),
        ("manifest.json", b"\xef\xbb\xbf{\n\"blobs\": []}".to_vec()),
        ("bill.zip", b"PK\x03\x04\x14\x00".to_vec()),
        ("utf16.csv", utf16(&broken(GOOD))),
        ("semicolon.csv", broken(GOOD).replace(',', ";").into()),
        ("no-category.csv", without("ChargeCategory")),
        ("no-currency.csv", without("BillingCurrency")),
        ("no-start.csv", without("ChargePeriodStart")),
        ("no-cost.csv", without("BilledCost")),
        ("focus05.csv", OLD_FOCUS.into()),
        (
            "cur2.csv",
            b"line_item_usage_start_date,line_item_line_item_type,line_item_unblended_cost,resource_tags\n".to_vec(),
        ),
        ("azure.csv", b"SubscriptionId,Date,MeterCategory,CostInBillingCurrency,BillingCurrencyCode,Tags\n".to_vec()),
        ("gcp.csv", b"billing_account_id,service.description,usage_start_time,project.id,cost,currency\n".to_vec()),
        ("commitment.csv", b"ContractCommitmentId,ContractId,BillingCurrency,ContractCommitmentCost\n".to_vec()),
        ("dates.csv", Bill::of(&[&[("ChargePeriodStart", "09/03/2026")]]).csv()),
        (
            "terminal.csv",
            Bill::of(&[&[("BilledCost", "\u{1b}[2J\u{202e}1,5 and a text that is far too long for a line")]]).csv(),
        ),
        ("broken.csv", broken("1e,1,USD,9,1,2024-09-01,i,Usage").into()),
    ];
    let said: Vec<_> = cases.iter().map(|(name, content)| refusal(name, content)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let world = World::new();
    let missing = world.dir.path().join("missing.csv");
    let error = world.run(&plan("run-1", vec![missing.clone()])).unwrap_err().to_string();
    assert_eq!(error, format!("reading billing file {}: there is no such file", missing.display()));
    let folder = world.dir.path().join("empty");
    std::fs::create_dir(&folder).unwrap();
    for (path, what) in
        [(folder, "holds no CSV, gzip or Parquet file"), ("-".into(), "is standard input and cannot be read twice")]
    {
        let error = world.run(&plan("run-1", vec![path])).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

/// A pipe is read once, and a bill is read twice; opening one that no process writes to would wait for ever.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_before_it_is_opened() {
    let world = World::new();
    let pipe = world.dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = world.run(&plan("run-1", vec![pipe])).unwrap_err().to_string();
    assert!(
        error.ends_with("is a pipe or device and cannot be read twice: write it into a file and name that"),
        "{error}"
    );
}

#[test]
fn one_bad_row_in_a_thousand_is_counted_by_reason_and_the_rest_is_used() {
    let world = World::new();
    let bad = "1,1,USD,9,1,soon,i,Usage\n1,1,,9,1,2024-09-01,i,Usage\n";
    let file = world.file("bill.csv", format!("{HEADER}\n{}{bad}", rows(2_000)));
    let report = world.run(&plan("run-1", vec![file])).unwrap();
    let [delivery] = report.manifest.billing_deliveries.as_slice() else { panic!("one month expected") };
    assert_eq!(delivery.accepted, 2_000);
    let rejected: Vec<_> = delivery.rejected.iter().map(|(reason, rows)| (reason.as_str(), *rows)).collect();
    assert_eq!(rejected, [("bad_timestamp", 1), ("missing_currency", 1)]);
    let samples: Vec<_> = report.billing.unwrap().rejects.samples.iter().map(|s| (s.row, s.refusal.column)).collect();
    assert_eq!(samples, [(2_001, "ChargePeriodStart"), (2_002, "BillingCurrency")]);
}
