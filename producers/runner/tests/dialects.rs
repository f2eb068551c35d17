//! FOCUS as real exporters write it: versions, spellings, tags, times, accounts and the physical forms of Parquet. The
//! same bill gives the same facts and findings, however it is written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Date32Array, Decimal128Array, Decimal256Array, Float32Array,
    Float64Array, Int64Array, ListBuilder, MapBuilder, NullArray, StringArray, StringBuilder, StructArray,
    StructBuilder, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, TimestampMillisecondType, i256};
use collectors::billing::LoadReport;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use platform::store::Store;
use runner::run::RunReport;
use support::bill::{Bill, mapped, parquet, replaced};
use support::{Published, World, accept, golden, plan};

/// What a test looks at in a stored fact.
#[derive(Debug, Clone, PartialEq)]
struct Fact {
    period: String,
    period_start: String,
    usage_start: String,
    account: String,
    category: String,
    is_correction: bool,
    resource: String,
    billed: String,
    effective: String,
    tags: String,
}

/// A finished run over these files.
struct Done {
    report: RunReport,
    facts: Vec<Fact>,
    findings: Vec<String>,
}

impl Done {
    fn load(&self) -> &LoadReport {
        self.report.billing.as_ref().unwrap()
    }

    fn column(&self, of: impl Fn(&Fact) -> &str) -> Vec<&str> {
        self.facts.iter().map(of).collect()
    }

    fn accuses_of_missing_tags(&self) -> bool {
        self.findings.iter().any(|finding| finding.contains("billing.tags.missing"))
    }
}

fn run(files: &[(&str, Vec<u8>)]) -> Done {
    let world = World::new();
    let files: Vec<_> = files.iter().map(|(name, content)| world.file(name, content)).collect();
    run_in(&world, files)
}

fn run_in(world: &World, files: Vec<PathBuf>) -> Done {
    let report = world.run(&plan("run-1", files)).unwrap();
    let said = |finding: Published| format!("{} {}", finding.text("/check_id"), finding.fingerprint);
    let mut findings: Vec<_> = accept(&world.values(contracts::topics::WIRE)).into_iter().map(said).collect();
    findings.sort();
    Done { facts: facts(world), report, findings }
}

fn facts(world: &World) -> Vec<Fact> {
    let mut facts = Vec::new();
    for path in world.stored("cur_facts").iter().filter(|path| path.ends_with(".parquet")) {
        let file = world.store.get(path).unwrap().unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = |name: &str| Arc::clone(batch.column_by_name(name).unwrap());
            let text = |name: &str, row: usize| {
                let column = column(name);
                if column.is_null(row) { String::new() } else { column.as_string::<i32>().value(row).to_owned() }
            };
            let time = |name: &str, row: usize| {
                let column = column(name);
                let ms = column.as_primitive::<TimestampMillisecondType>();
                if ms.is_null(row) { String::new() } else { contracts::time::format_timestamp(ms.value(row)) }
            };
            let cost = |name: &str, row: usize| {
                let text = column(name).as_primitive::<Decimal128Type>().value_as_string(row);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            };
            let tags = |row: usize| {
                let entries = column("tags").as_map().value(row);
                let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
                let pairs = (0..entries.len()).map(|n| format!("{}={}", keys.value(n), values.value(n)));
                pairs.collect::<Vec<_>>().join(",")
            };
            facts.extend((0..batch.num_rows()).map(|row| Fact {
                period: text("billing_period", row),
                period_start: time("billing_period_start", row),
                usage_start: time("usage_start", row),
                account: text("account_id", row),
                category: text("charge_category", row),
                is_correction: column("is_correction").as_boolean().value(row),
                resource: text("resource_id", row),
                billed: cost("cost_unblended", row),
                effective: cost("cost_amortized", row),
                tags: tags(row),
            }));
        }
    }
    facts
}

const GCP: [(&str, &str); 2] = [("ProviderName", "Google Cloud"), ("PublisherName", "Google Cloud")];

#[test]
fn spelling_of_closed_lists_changes_neither_figures_nor_findings() {
    let bill = |spell: fn(&str) -> String| {
        let words =
            ["Usage", "Tax", "Adjustment", "Correction", "Standard", "Committed", "Unused", "Usage-Based"].map(spell);
        let [usage, tax, adjustment, correction, standard, committed, unused, usage_based] = &words;
        let common = [("ChargeFrequency", &**usage_based), GCP[0], GCP[1]];
        let with = |cells: &[(&'static str, &str)]| {
            [&common, cells].concat().into_iter().map(|(c, v)| (c, v.to_owned())).collect::<Vec<_>>()
        };
        let rows = [
            with(&[("ChargeCategory", usage), ("PricingCategory", standard), ("Tags", "")]),
            with(&[("ChargeCategory", tax), ("BilledCost", "19"), ("EffectiveCost", "19"), ("ResourceId", "")]),
            with(&[
                ("ChargeCategory", adjustment),
                ("ChargeClass", correction),
                ("BilledCost", "-5"),
                ("ResourceId", ""),
            ]),
            with(&[
                ("ChargeCategory", usage),
                ("PricingCategory", committed),
                ("CommitmentDiscountId", "cud-1"),
                ("CommitmentDiscountStatus", unused),
                ("BilledCost", "0"),
            ]),
        ];
        let rows: Vec<Vec<(&str, &str)>> =
            rows.iter().map(|row| row.iter().map(|(c, v)| (*c, &**v)).collect()).collect();
        let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
        run(&[("bill.csv", Bill::of(&rows).csv())])
    };
    let standard = bill(str::to_owned);
    assert_eq!(standard.column(|f| &f.category), ["Usage", "Tax", "Adjustment", "Usage"]);
    assert!(standard.facts[2].is_correction && standard.accuses_of_missing_tags());
    assert!(standard.findings.iter().any(|finding| finding.contains("billing.commitment.unused")));
    for spell in [str::to_lowercase as fn(&str) -> String, str::to_uppercase, |word| word.replace('-', "_")] {
        let spelled = bill(spell);
        assert_eq!((spelled.facts.clone(), &spelled.findings), (standard.facts.clone(), &standard.findings));
        assert!(spelled.load().observed.unlisted_values.is_empty());
    }
}

#[test]
fn values_outside_a_closed_list_are_kept_and_counted() {
    let done = run(&[(
        "bill.csv",
        Bill::of(&[&[("ChargeCategory", "Surcharge")], &[("PricingCategory", "Spot")], &[]]).csv(),
    )]);
    assert_eq!(done.column(|f| &f.category), ["Surcharge", "Usage", "Usage"]);
    let unlisted = &done.load().observed.unlisted_values;
    assert_eq!((unlisted["ChargeCategory"]["Surcharge"], unlisted["PricingCategory"]["Spot"]), (1, 1));
    let lines = done.load().observed.lines();
    assert!(
        lines[0].contains("ChargeCategory has values that FOCUS does not list: \"Surcharge\" in 1 row(s)"),
        "{lines:?}"
    );
}

#[test]
fn tags_of_every_form_are_read_and_unreadable_ones_accuse_no_resource() {
    let forms: [(&str, &str); 9] = [
        (r#"{"team":"a"}"#, "team=a"),
        (r#"[{"key":"team","value":"a"}]"#, "team=a"),
        (r#"[{"Key":"team","Value":"a","x_type":"label"}]"#, "team=a"),
        (r#""team": "a""#, "team=a"),
        ("{'team': 'a'}", "team=a"),
        ("[team -> a]", "team=a"),
        ("{team=a}", "team=a"),
        (r#"{"team":"a","note":"xxx"#, ""),
        ("{team: a, b}", ""),
    ];
    for (cell, expected) in forms {
        let done = run(&[("bill.csv", Bill::of(&[&[("Tags", cell)]]).csv())]);
        assert_eq!(done.column(|f| &f.tags), [expected], "{cell}");
        assert!(!done.accuses_of_missing_tags(), "{cell}");
        let unreadable = done.load().observed.unreadable_cells.get("Tags").copied();
        assert_eq!(unreadable, expected.is_empty().then_some(1), "{cell}");
    }
    // These are known to be none.
    for cell in ["", "{}", "[]", "null", "NULL", "None", "nan"] {
        let done = run(&[("bill.csv", Bill::of(&[&[("Tags", cell)]]).csv())]);
        assert!(done.accuses_of_missing_tags(), "{cell}");
    }
    let done = run(&[("bill.csv", Bill::of(&[&[]]).without(&["Tags"]).csv())]);
    assert!(!done.accuses_of_missing_tags() && done.load().observed.missing_columns.contains_key("Tags"));
}

#[test]
fn words_for_absent_values_are_no_resources_and_no_commitments() {
    for word in ["NULL", "None", "N/A", "nan", "<NA>"] {
        let cells = [("ResourceId", word), ("CommitmentDiscountId", word), ("CommitmentDiscountStatus", word)];
        let done = run(&[("bill.csv", Bill::of(&[&cells]).csv())]);
        assert_eq!((done.column(|f| &f.resource), done.load().rows_with_resource), (vec![""], 0), "{word}");
        assert!(done.load().observed.unlisted_values.is_empty(), "{word}");
    }
}

#[test]
fn versions_are_recognized_by_their_columns_and_every_name_of_the_provider_is_read() {
    let cases = [
        ("aws_1_2_cost_and_usage", "1.2"),
        ("azure_1_2_cost_and_usage", "1.2"),
        ("gcp_1_2_cost_and_usage", "1.2"),
        ("aws_1_3_cost_and_usage", "1.3"),
        ("azure_1_3_cost_and_usage", "1.3"),
        ("gcp_1_3_cost_and_usage", "1.3"),
        ("consolidated_multi_provider_1_3", "1.3"),
        ("focus_1_4_aws", "1.4"),
        ("focus_1_4_azure", "1.4"),
        ("focus_1_4_gcp", "1.4"),
    ];
    for (file, version) in cases {
        let done = run_in(&World::new(), vec![golden(&format!("focus-versions/{file}.csv"))]);
        let observed = &done.load().observed;
        assert_eq!(observed.versions.keys().collect::<Vec<_>>(), [&version], "{file}");
        assert_eq!((done.facts.len(), observed.lines()), (3, Vec::new()), "{file}");
    }
}

#[test]
fn versions_of_one_bill_give_the_same_findings() {
    let providers = ["ProviderName", "PublisherName"];
    let days: Vec<[(&str, String); 5]> = (1..10)
        .map(|day| {
            [
                ("ChargePeriodStart", format!("2026-09-{day:02}T00:00:00Z")),
                ("ChargePeriodEnd", format!("2026-09-{:02}T00:00:00Z", day + 1)),
                ("ServiceProviderName", "AWS".to_owned()),
                ("HostProviderName", "AWS".to_owned()),
                ("Tags", String::new()),
            ]
        })
        .collect();
    let rows: Vec<Vec<(&str, &str)>> = days.iter().map(|row| row.iter().map(|(c, v)| (*c, &**v)).collect()).collect();
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    let bill = Bill::of(&rows);
    let old = run(&[("bill.csv", bill.clone().without(&["ServiceProviderName", "HostProviderName"]).csv())]);
    let both = run(&[("bill.csv", bill.csv())]);
    let new = run(&[("bill.csv", bill.without(&providers).csv())]);
    assert!(old.findings.len() >= 2, "{:?}", old.findings);
    assert_eq!((&both.findings, &new.findings), (&old.findings, &old.findings));
    let version = |done: &Done| *done.load().observed.versions.keys().next().unwrap();
    assert_eq!([version(&old), version(&both), version(&new)], ["1.0", "1.3", "1.4"]);
}

#[test]
fn names_of_versions_before_one_are_read() {
    let names = [
        ("BillingCurrency", "BilledCurrency"),
        ("ChargeCategory", "ChargeType"),
        ("EffectiveCost", "AmortizedCost"),
        ("ProviderName", "Provider"),
        ("RegionId", "Region"),
    ];
    let mut bill = Bill::of(&[&[("BilledCost", "7"), ("EffectiveCost", "8"), ("ChargeCategory", "purchase")]])
        .without(&["ChargeClass"]);
    for (now, before) in names {
        *bill.columns.iter_mut().find(|column| *column == now).unwrap() = before.to_owned();
    }
    let done = run(&[("bill.csv", bill.csv())]);
    let [fact] = done.facts.as_slice() else { panic!("one fact expected") };
    assert_eq!((&*fact.billed, &*fact.effective, &*fact.category), ("7", "8", "Purchase"));
    assert_eq!(done.load().observed.versions.keys().collect::<Vec<_>>(), [&"0.5"]);
}

#[test]
fn the_month_is_that_of_the_provider_and_times_of_real_exporters_are_read() {
    let cases = [
        ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-09-03T00:00:00Z"),
        ("2026-09-01 00:00:00 UTC", "2026-10-01 00:00:00 UTC", "2026-09-03 00:00:00 UTC"),
        ("2026-09-01", "2026-10-01", "2026-09-03"),
        ("2026-08-31T22:00:00Z", "2026-09-30T22:00:00Z", "2026-09-03T00:00:00Z"),
        ("2026-09-01T00:00:00+02:00", "2026-10-01T00:00:00+0200", "2026-09-03T02:00:00.000000000+0200"),
        ("2026-09-01 00:00:00.000 -0700", "2026-10-01 00:00:00.000 -0700", "2026-09-02 17:00:00.0000000-07:00"),
        ("2026-09-01T07:00:00Z", "2026-09-30T07:00:00Z", "2026-09-03T00:00Z"),
    ];
    for (start, end, charge) in cases {
        let cells = [("BillingPeriodStart", start), ("BillingPeriodEnd", end), ("ChargePeriodStart", charge)];
        let done = run(&[("bill.csv", Bill::of(&[&cells]).csv())]);
        let [fact] = done.facts.as_slice() else { panic!("{start}") };
        assert_eq!((&*fact.period, &*fact.usage_start), ("2026-09", "2026-09-03T00:00:00.000Z"), "{start}");
    }
}

#[test]
fn parquet_times_of_every_type_are_the_same_instant() {
    const DAY_MS: i64 = 86_400_000;
    let columns = ["BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"];
    // Days since the epoch of 1 September, 1 October, 3 and 4 September 2026.
    let days = [20_697_i32, 20_727, 20_699, 20_700];
    let batch = Bill::of(&[&[]]).batch();
    let with = |column: fn(i32) -> ArrayRef| {
        columns.iter().zip(days).fold(batch.clone(), |batch, (name, day)| replaced(&batch, name, column(day)))
    };
    let forms: [fn(i32) -> ArrayRef; 4] = [
        |day| Arc::new(Date32Array::from(vec![day])),
        |day| cast(&Date32Array::from(vec![day]), &DataType::Date64).unwrap(),
        |day| Arc::new(TimestampNanosecondArray::from(vec![i64::from(day) * DAY_MS * 1_000_000])),
        |day| {
            let column = TimestampMicrosecondArray::from(vec![i64::from(day) * DAY_MS * 1_000]);
            Arc::new(column.with_timezone("America/Los_Angeles"))
        },
    ];
    for form in forms {
        let done = run(&[("bill.parquet", parquet(&with(form), None))]);
        let [fact] = done.facts.as_slice() else { panic!("one fact expected") };
        assert_eq!((&*fact.period, &*fact.period_start), ("2026-09", "2026-09-01T00:00:00.000Z"));
        assert_eq!(fact.usage_start, "2026-09-03T00:00:00.000Z");
    }
}

fn two_rows() -> Bill {
    Bill::of(&[
        &[],
        &[("BilledCost", "2.5"), ("EffectiveCost", "2.5"), ("ResourceId", "vol-2"), ("Tags", r#"{"team":"b"}"#)],
    ])
}

#[test]
fn every_packing_and_physical_form_of_parquet_gives_the_same_facts() {
    let batch = two_rows().batch();
    let expected = run(&[("bill.csv", two_rows().csv())]).facts;
    assert_eq!(expected.iter().map(|fact| &*fact.billed).collect::<Vec<_>>(), ["10", "2.5"]);
    let packed = |compression| WriterProperties::builder().set_compression(compression).build();
    let pages = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_max_row_group_row_count(Some(1))
        .set_dictionary_enabled(false)
        .build();
    let as_type = |kind: DataType| mapped(&batch, move |column| cast(column, &kind).unwrap());
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let billed = |column: ArrayRef| replaced(&batch, "BilledCost", column);
    let decimal256 = Decimal256Array::from(vec![i256::from_i128(10_0000), i256::from_i128(2_5000)]);
    let decimal = Decimal128Array::from(vec![1000, 250]).with_precision_and_scale(5, 2).unwrap();
    let mut lists = ListBuilder::new(arrow::array::Int8Builder::new());
    lists.append_value([Some(1)]);
    lists.append_null();
    let forms = [
        ("uncompressed", parquet(&batch, Some(packed(Compression::UNCOMPRESSED)))),
        ("snappy", parquet(&batch, Some(packed(Compression::SNAPPY)))),
        ("gzip", parquet(&batch, Some(packed(Compression::GZIP(Default::default()))))),
        ("brotli", parquet(&batch, Some(packed(Compression::BROTLI(Default::default()))))),
        ("zstd", parquet(&batch, Some(packed(Compression::ZSTD(Default::default()))))),
        ("lz4", parquet(&batch, Some(packed(Compression::LZ4)))),
        ("lz4_raw", parquet(&batch, Some(packed(Compression::LZ4_RAW)))),
        ("pages", parquet(&batch, Some(pages))),
        ("large", parquet(&as_type(DataType::LargeUtf8), None)),
        ("view", parquet(&as_type(DataType::Utf8View), None)),
        ("binary", parquet(&as_type(DataType::Binary), None)),
        ("dictionary", parquet(&as_type(dictionary), None)),
        ("float32", parquet(&billed(Arc::new(Float32Array::from(vec![10.0, 2.5]))), None)),
        ("float64", parquet(&billed(Arc::new(Float64Array::from(vec![10.0, 2.5]))), None)),
        ("decimal", parquet(&billed(Arc::new(decimal)), None)),
        ("decimal256", parquet(&billed(Arc::new(decimal256.with_precision_and_scale(60, 4).unwrap())), None)),
        ("nested", parquet(&replaced(&batch, "x_nested", Arc::new(lists.finish())), None)),
        ("nulls", parquet(&replaced(&batch, "ChargeClass", Arc::new(NullArray::new(2))), None)),
    ];
    for (form, content) in forms {
        assert_eq!(run(&[("bill.parquet", content)]).facts, expected, "{form}");
    }
}

fn team(values: [&str; 2]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

#[test]
fn tags_of_every_parquet_type_are_read() {
    let batch = two_rows().batch();
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    let pair = |name: &str| Field::new(name, DataType::Utf8, true);
    let fields = vec![pair("key"), pair("value"), Field::new("x_inherited", DataType::Boolean, true)];
    let mut list = ListBuilder::new(StructBuilder::from_fields(fields, 2));
    for value in ["a", "b"] {
        map.keys().append_value("team");
        map.values().append_value(value);
        map.append(true).unwrap();
        let item = list.values();
        item.field_builder::<StringBuilder>(0).unwrap().append_value("team");
        item.field_builder::<StringBuilder>(1).unwrap().append_value(value);
        item.field_builder::<BooleanBuilder>(2).unwrap().append_value(false);
        item.append(true);
        list.append(true);
    }
    let none = Arc::new(StringArray::from(vec![None::<&str>, None]));
    let fields = [("team", team(["a", "b"])), ("env", none as ArrayRef)];
    let field = |(name, column): (&str, ArrayRef)| (Arc::new(pair(name)), column);
    let forms: [(&str, ArrayRef); 3] = [
        ("map", Arc::new(map.finish())),
        ("list of struct", Arc::new(list.finish())),
        ("struct", Arc::new(StructArray::from(fields.map(field).to_vec()))),
    ];
    for (form, tags) in forms {
        let done = run(&[("bill.parquet", parquet(&replaced(&batch, "Tags", tags), None))]);
        assert_eq!(done.column(|f| &f.tags), ["team=a", "team=b"], "{form}");
        assert_eq!(done.load().observed.lines(), Vec::<String>::new(), "{form}");
    }
}

#[test]
fn a_column_that_carries_no_money_never_stops_a_load() {
    let batch = two_rows().batch();
    let bytes: ArrayRef = Arc::new(arrow::array::BinaryArray::from(vec![&b"\xff\xfe"[..], b"x"]));
    let structs: ArrayRef =
        Arc::new(StructArray::from(vec![(Arc::new(Field::new("name", DataType::Utf8, true)), team(["a", "b"]))]));
    for (column, values) in
        [("Tags", &bytes), ("ServiceName", &structs), ("RegionId", &bytes), ("ChargeClass", &structs)]
    {
        let done = run(&[("bill.parquet", parquet(&replaced(&batch, column, Arc::clone(values)), None))]);
        assert_eq!(done.column(|f| &f.billed), ["10", "2.5"], "{column}");
        let unreadable = &done.load().observed.unreadable_columns;
        assert_eq!(unreadable.keys().collect::<Vec<_>>(), [column]);
        assert!(!done.accuses_of_missing_tags(), "{column}");
    }
    let world = World::new();
    for column in ["BilledCost", "EffectiveCost", "SubAccountId", "ChargePeriodStart", "ChargeCategory"] {
        let content = parquet(&replaced(&batch, column, Arc::clone(&structs)), None);
        let error = world.run(&plan("run-1", vec![world.file("bill.parquet", content)])).unwrap_err().to_string();
        assert!(error.contains(&format!("column {column}: it is a struct, wanted ")), "{error}");
    }
}

#[test]
fn account_numbers_keep_their_digits() {
    let cases =
        [("AWS", "11122223333", "011122223333"), ("Microsoft", "8611537", "8611537"), ("Oracle", "7654321", "7654321")];
    for (provider, billed, expected) in cases {
        let cells = [("ProviderName", provider), ("SubAccountId", ""), ("BillingAccountId", billed)];
        let done = run(&[("bill.csv", Bill::of(&[&cells]).csv())]);
        assert_eq!(done.column(|f| &f.account), [expected], "{provider}");
    }
    let batch = two_rows().batch();
    let with = |accounts: ArrayRef| parquet(&replaced(&batch, "SubAccountId", accounts), None);
    let done = run(&[("bill.parquet", with(Arc::new(Int64Array::from(vec![11_122_223_333, 444_455_556_666]))))]);
    assert_eq!(done.column(|f| &f.account), ["011122223333", "444455556666"]);
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(11_122_223_333.0), None]));
    let scientific = Bill::of(&[&[("SubAccountId", "1.11122E+11")]]).csv();
    for (name, content, value) in
        [("bill.parquet", with(floats), "11122223333.0"), ("bill.csv", scientific, "1.11122E+11")]
    {
        let world = World::new();
        let error = world.run(&plan("run-1", vec![world.file(name, content)])).unwrap_err().to_string();
        let expected = format!("bad_account in SubAccountId: it is \"{value}\", wanted an account id as text");
        assert!(error.contains(&expected) && world.stored("cur_facts").is_empty(), "{error}");
    }
}

#[test]
fn a_part_without_rows_among_parts_with_rows_is_passed_over_and_said() {
    let empty = Bill::of(&[]).csv();
    let other_empty = Bill::of(&[]).without(&["Tags"]).csv();
    let done = run(&[
        ("part_1.csv", Bill::of(&[&[]]).csv()),
        ("part_2.csv", empty.clone()),
        ("part_3.csv", other_empty.clone()),
    ]);
    assert_eq!(done.column(|f| &f.billed), ["10"]);
    let mut passed_over = done.load().empty_files.clone();
    passed_over.sort();
    assert_eq!(passed_over, ["part_2.csv", "part_3.csv"]);
    let world = World::new();
    let files = vec![world.file("part_2.csv", &empty), world.file("part_3.csv", &other_empty)];
    let error = world.run(&plan("run-1", files)).unwrap_err().to_string();
    assert!(error.ends_with(".csv has a header but no rows"), "{error}");
}

#[test]
fn decimals_and_doubles_are_read_to_the_last_of_twelve_places() {
    let batch = two_rows().batch();
    let decimals = Decimal128Array::from(vec![123_456_789_012_i128, -1_234_567_890_123_456_789_012]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(38, 18).unwrap());
    let doubles: ArrayRef = Arc::new(Float64Array::from(vec![1.2e-10, 123_456.789]));
    for (column, expected) in
        [(decimals, ["0.000000123457", "-1234.567890123457"]), (doubles, ["0.00000000012", "123456.789"])]
    {
        let done = run(&[("bill.parquet", parquet(&replaced(&batch, "BilledCost", column), None))]);
        assert_eq!(done.column(|f| &f.billed), expected);
    }
}
