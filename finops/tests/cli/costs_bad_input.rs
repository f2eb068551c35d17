//! Bills that are broken or odd in one place: what is said, what the report has, and that nothing is published by halves.

use serde_json::{Value, json};

use super::place::{Place, repo};

const HEADER: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,ProviderName,BillingPeriodStart,\
                      ChargePeriodStart,ChargePeriodEnd,ResourceId,ChargeCategory,Tags";

fn row(cost: &str, month: &str, resource: usize, tags: &str) -> String {
    format!(
        "{cost},{cost},USD,999988887777,111122223333,AWS,{month}-01,{month}-03,{month}-04,vol-{resource},Usage,\"{}\"\n",
        tags.replace('"', "\"\"")
    )
}

fn rows(cost: &str, month: &str, count: usize) -> String {
    (0..count).map(|n| row(cost, month, n, "{}")).collect()
}

fn live(place: &Place) -> Value {
    place.finops("costs status --tenant acme --output json").json(0)
}

/// Loads a bill that is refused, over one that is live, which must stay as it is; returns what the report says.
fn refused(name: &str, content: &[u8], said: &str) -> Value {
    let place = Place::new();
    place.write("before.csv", format!("{HEADER}\n{}", rows("1", "2026-08", 10)));
    assert_eq!(place.finops("costs load --tenant acme before.csv").code, Some(0));
    let before = live(&place);
    place.write(name, content);
    let ended = place.finops(&format!("costs load --tenant acme --report run_report.json {name}"));
    assert_eq!(ended.code, Some(65), "{ended}");
    assert!(ended.stderr.contains(said), "{ended}");
    assert_eq!(live(&place), before, "{name}: nothing is published by halves");
    let report = std::fs::read(place.path().join("run_report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!((&report["result"], &report["billing"]), (&json!("failed"), &Value::Null));
    assert!(report["error"].as_str().unwrap().contains(said), "{report}");
    report
}

#[test]
fn a_bill_that_cannot_be_used_leaves_what_is_live() {
    let other = refused("other.csv", b"day,Tags,ServiceName,cost\n2026-09-01,{},x,5\n", "columns seen: day, Tags");
    let nearest = "the nearest dialect is FOCUS cost and usage: it has ServiceName, Tags and lacks BilledCost";
    assert!(other["error"].as_str().unwrap().contains(nearest), "{other}");

    // A quote that is never closed would make one cell of all rows behind it.
    let open =
        format!("{HEADER}\n{}{}", rows("1", "2026-09", 5), rows("1", "2026-09", 9).replacen("\"{}\"", "\"{}", 1));
    let said = "open.csv, row 6: a quoted cell is not closed";
    let report = refused("open.csv", open.replacen("\"{}\"", "{}", 13).as_bytes(), said);
    let lines = &report["lines"];
    assert_eq!((&lines["read"], &lines["accepted"]), (&json!(5), &json!(5)), "what was read before it was noticed");
    let twice = format!("{HEADER},billedcost\n{}", rows("1", "2026-09", 3).replace('\n', ",2\n"));
    refused("twice.csv", twice.as_bytes(), "twice.csv has the column BilledCost more than once");

    // 0.2 % broken lines, in one month; beside a month that is whole, and makes them 0.04 %.
    let broken = [rows("1", "2026-09", 998), rows("1,5", "2026-09", 2).replace("1,5", "1e")].concat();
    let both = [rows("1", "2026-08", 4_000), broken.clone()].concat();
    let said = "of billing month 2026-09 2 of 1000, more than the 1 in 1000";
    let report = refused("month.csv", format!("{HEADER}\n{both}").as_bytes(), said);
    assert_eq!(report["lines"]["rejected_by_month"], json!({"2026-09": 2}));
    let report = refused("broken.csv", format!("{HEADER}\n{broken}").as_bytes(), "2 of 1000 rows were refused");
    let lines = &report["lines"];
    assert_eq!((&lines["read"], &lines["accepted"], &lines["rejected"]), (&json!(1000), &json!(998), &json!(2)));
    assert_eq!(lines["rejected_by_reason"], json!({"bad_decimal": 2}));
    let first = &lines["first_rejected"][0];
    assert_eq!(
        (&first["row"], &first["column"], &first["value"]),
        (&json!(999), &json!("BilledCost"), &json!("\"1e\""))
    );

    let huge = row(&format!("1{}", "0".repeat(26)), "2026-09", 1, "{}");
    refused("huge.csv", format!("{HEADER}\n{huge}").as_bytes(), "bad_decimal in BilledCost");

    // A file that ends inside a row: a cell is missing, or the last one is no whole number.
    let cut = format!("{HEADER}\n{}", rows("1", "2026-09", 3));
    refused("cut.csv", &cut.as_bytes()[..cut.len() - 8], "cut.csv, row 3: 11 fields, but the header has 12");
    let (last, columns) = (HEADER.replacen("BilledCost,", "", 1) + ",BilledCost", rows("1", "2026-09", 3));
    let moved: Vec<String> = columns.lines().map(|row| format!("{},1234.56", &row[2..])).collect();
    let cut = format!("{last}\n{}", moved.join("\n"));
    refused("number.csv", &cut.as_bytes()[..cut.len() - 2], "bad_decimal in BilledCost: it is \"1234.\"");

    let golden = "producers/collectors/tests/golden/cur/input/cur2_parquet/BILLING_PERIOD=2026-01";
    let file = std::fs::read_dir(repo(golden)).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(file).unwrap();
    refused("truncated.parquet", &whole[..whole.len() / 2], "truncated.parquet");
    // Whole at its end, damaged in the middle: some of its rows have been read when it is noticed.
    let mut damaged = whole.clone();
    damaged[4..whole.len() / 2].fill(0);
    refused("damaged.parquet", &damaged, "damaged.parquet");

    let manifest = br#"{"assemblyId": "a", "reportKeys": ["p/r/20260901-20261001/a/r-1.csv.gz"]}"#;
    refused("r-Manifest.json", manifest, "names p/r/20260901-20261001/a/r-1.csv.gz, which is not there");
}

/// Exports have empty files as markers; one that is named is a bill that is not there.
#[test]
fn an_empty_file_of_a_folder_is_left_out_and_named() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("bills")).unwrap();
    place.write("bills/bill.csv", format!("{HEADER}\n{}", rows("1", "2026-09", 3)));
    place.write("bills/success.csv", "");
    let ended = place.finops("costs load --tenant acme bills");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.text().starts_with("Billing     1 file(s), 3 rows accepted"), "{ended}");
    assert!(ended.text().contains("bills/success.csv: it is empty"), "{ended}");
    let named = place.finops("costs load --tenant acme bills/bill.csv bills/success.csv");
    assert_eq!(named.code, Some(0), "{named}");
    assert!(named.text().contains("success.csv"), "{named}");
    let alone = place.finops("costs load --tenant acme bills/success.csv");
    assert_eq!(alone.code, Some(65), "{alone}");
    assert!(alone.stderr.contains("success.csv is empty"), "{alone}");
}

/// Of a delivery in several currencies its rows are counted once; of a month its granularity is what most usage is.
#[test]
fn what_is_live_says_its_granularity_and_counts_rows_once() {
    let place = Place::new();
    let hour =
        row("1", "2026-09", 1, "{}").replace(",2026-09-03,2026-09-04,", ",2026-09-03T00:00:00Z,2026-09-03T01:00:00Z,");
    let euros = row("2", "2026-09", 2, "{}").replace("USD", "EUR");
    place.write(
        "bill.csv",
        format!("{HEADER}\n{hour}{euros}{}", row("3", "2026-09", 3, "{}").replace("Usage", "Purchase")),
    );
    let ended = place.finops("costs load --tenant acme --report run_report.json bill.csv");
    assert_eq!(ended.code, Some(0), "{ended}");
    let report: Value = serde_json::from_slice(&std::fs::read(place.path().join("run_report.json")).unwrap()).unwrap();
    assert_eq!(report["billing"]["granularity"], json!({"2026-09": "hourly"}), "of two as many the finer one");
    let live = live(&place);
    let column = |name: &str| live.as_array().unwrap().iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("currency"), ["EUR", "USD"]);
    assert_eq!((column("granularity"), column("rows")), (vec![json!("hourly"); 2], vec![json!(3), Value::Null]));
    place.write(
        "more.csv",
        format!("{HEADER}\n{}", rows("1", "2026-09", 2).replace("2026-09-03,2026-09-04", "2026-09-08,2026-09-09")),
    );
    let more = place.finops("costs load --tenant acme --output json more.csv").json(0);
    assert_eq!(more["billing"]["granularity"], json!({"2026-09": "daily"}), "over all that is live: {more:#}");
    assert_eq!(more["billing"]["deliveries"][0]["granularity"], "daily");
}

#[test]
fn what_is_odd_is_stored_as_it_is() {
    let place = Place::new();
    let key = r#"O'Brien "x"; DROP TABLE cur_facts; --"#;
    let tags = json!({key: "a'b\"; SELECT 1"}).to_string();
    let bill = [row("-7.25", "2026-09", 1, &tags), row("2", "2026-09", 2, &tags)].concat();
    place.write("bill.csv", format!("{HEADER}\n{bill}"));
    let ended = place.finops("costs load --tenant acme --report run_report.json bill.csv");
    assert_eq!(ended.code, Some(0), "{ended}");
    let live = live(&place);
    assert_eq!((&live[0]["rows"], &live[0]["unblended"]), (&json!(2), &json!("-5.25")), "negative totals are legal");
    let report: Value = serde_json::from_slice(&std::fs::read(place.path().join("run_report.json")).unwrap()).unwrap();
    assert_eq!((&report["result"], &report["error"]), (&json!("loaded"), &Value::Null));
    assert_eq!(report["billing"]["deliveries"][0]["totals"]["USD"]["net"], "-5.25");
    // The same tags through both passes over them: the report of a load, and the prices of a run.
    let run = place.finops("run --tenant acme --bill bill.csv");
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(self::live(&place)[0]["rows"], 2, "the same bill again is live once");
}

#[test]
fn a_report_that_cannot_be_written_refuses_the_load_before_it_begins() {
    let place = Place::new();
    place.write("month.csv", format!("{HEADER}\n{}", rows("1", "2026-08", 10)));
    std::fs::create_dir(place.path().join("folder")).unwrap();
    for report in ["none/report.json", "folder"] {
        let ended = place.finops(&format!("costs load --tenant acme --report {report} month.csv"));
        assert_eq!(ended.code, Some(74), "{ended}");
        assert!(ended.stderr.contains(&format!("writing {report}: ")), "{ended}");
        assert!(!place.path().join("data/cur_facts").exists(), "{report}: nothing is loaded");
    }
    assert_eq!(place.finops("costs load --tenant acme --report report.json month.csv").code, Some(0));
    let files = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(files.into_iter().all(|name| !name.to_string_lossy().ends_with(".new")), "no file is left beside it");
}

/// Both bills are of "an account that is not named": nothing says that they are of one.
#[test]
fn a_bill_that_names_no_account_does_not_replace_that_of_another_one() {
    let bill = |account: &str, more: &str| {
        let header = HEADER.replace("BillingAccountId,", "");
        let rows = rows("1", "2026-09", 5).replace("999988887777,", "").replace("111122223333", account);
        format!("{header}{more}\n{}", rows.replace('\n', &format!("{}\n", more.replace("Note", "x"))))
    };
    let place = Place::new();
    place.write("one.csv", bill("111122223333", ""));
    place.write("other.csv", bill("444455556666", ",Note"));
    assert_eq!(place.finops("costs load --tenant acme one.csv").code, Some(0));
    let before = live(&place);
    let ended = place.finops("costs load --tenant acme other.csv");
    assert_eq!(ended.code, Some(65), "{ended}");
    assert!(ended.stderr.contains("or --source NAME when it is another export"), "{ended}");
    assert_eq!(live(&place), before);
    assert_eq!(place.finops("costs load --tenant acme --source other other.csv").code, Some(0));
    // The same bill with another column is a restatement, as ever.
    place.write("again.csv", bill("111122223333", ",Note"));
    let again = place.finops("costs load --tenant acme again.csv");
    assert!(again.code == Some(0) && again.text().contains("replace"), "{again}");
}
