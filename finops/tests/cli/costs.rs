//! `finops costs`: bills of every dialect as cost facts, and what is live.

use serde_json::Value;

use super::place::{Place, repo};

/// The golden bill of the collectors in one dialect.
fn input(name: &str) -> String {
    repo(&format!("producers/collectors/tests/golden/cur/input/{name}")).display().to_string()
}

fn status(place: &Place) -> Vec<Value> {
    place.finops("costs status --tenant acme --output json").json(0).as_array().unwrap().clone()
}

/// Runs a command that must succeed.
fn done(place: &Place, arguments: &str) {
    let ended = place.finops(arguments);
    assert_eq!(ended.code, Some(0), "finops {arguments}: {ended}");
}

/// A column as text, joined.
fn column(rows: &[Value], name: &str) -> String {
    rows.iter()
        .map(|row| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_folder_of_a_report_is_loaded_and_shown_with_its_totals() {
    let place = Place::new();
    let folder = input("legacy_csv");
    let loaded = place.finops(&format!("costs load --tenant acme {folder}"));
    assert_eq!(loaded.code, Some(0), "{loaded}");
    assert!(
        loaded
            .text()
            .starts_with("Billing     3 file(s), 386 rows accepted, refused: 0; 2025-11, 2025-12, 2026-01, in USD")
    );
    assert!(
        loaded.text().contains("asm-202601-1/synthetic-cur-00001.csv.gz: "),
        "the older delivery is named: {loaded}"
    );
    let rows = status(&place);
    assert_eq!(column(&rows, "period"), "2025-11 2025-12 2026-01");
    assert_eq!(column(&rows, "dialect"), "legacy legacy legacy");
    assert_eq!(column(&rows, "source"), ["aws/722183438864"; 3].join(" "));
    let sum = |name: &str| -> rust_decimal::Decimal {
        rows.iter().map(|row| row[name].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap()).sum()
    };
    assert_eq!(
        (sum("unblended").to_string(), sum("amortized").to_string()),
        ("574.6158404515".into(), "377.5421060981".into())
    );
    assert_eq!(column(&rows, "invoiced"), "null null null", "the bill names no invoice");
    let again = place.finops(&format!("costs load --tenant acme --output json {folder}")).json(0);
    let effects: Vec<_> =
        again["billing"]["deliveries"].as_array().unwrap().iter().map(|d| d["effect"].clone()).collect();
    assert_eq!(effects, ["unchanged"; 3]);
    assert_eq!(again["billing"]["observed"]["dialects"]["legacy"], 3);
    assert_eq!(again["billing"]["assemblies"].as_object().unwrap().len(), 3);
    let table = place.finops("costs status --tenant acme --width 100").text();
    assert!(table.lines().next().unwrap().contains("UNBLENDED"), "{table}");
}

#[test]
fn one_bill_in_two_dialects_is_refused_until_one_is_chosen() {
    let place = Place::new();
    done(&place, &format!("costs load --tenant acme {}", input("cur2_parquet")));
    let refused = place.finops(&format!("costs load --tenant acme {}", input("focus12_csv")));
    assert_eq!(refused.code, Some(65), "{refused}");
    assert!(refused.stderr.starts_with("error: ambiguous_source: "), "{refused}");
    assert_eq!(column(&status(&place), "dialect"), "cur2 cur2 cur2");
    let one = format!(
        "costs load --tenant acme --restate --dialect focus {} {}",
        input("cur2_parquet"),
        input("focus12_csv")
    );
    let files = place.finops(&one);
    assert!(files.text().starts_with("Billing     3 file(s), "), "files of another dialect are not counted: {files}");
    assert_eq!(column(&status(&place), "dialect"), "focus focus focus");
}

#[test]
fn refused_rows_are_counted_by_reason_and_too_many_refuse_the_bill() {
    let place = Place::new();
    let edge = input("edge");
    let refused = place.finops(&format!("costs load --tenant acme {edge}"));
    assert_eq!(refused.code, Some(65), "{refused}");
    assert!(refused.stderr.starts_with("error: cur_quality: 5 of 9 rows were refused"), "{refused}");
    assert!(!place.path().join("data/cur_facts").exists(), "nothing is published");
    place.write("finops.toml", "[costs]\nrejects_per_thousand_max = 600\n");
    done(&place, &format!("costs load --tenant acme {edge}"));
    let rows = status(&place);
    assert_eq!(column(&rows, "rejected"), "bad_decimal 2, bad_timestamp 1, missing_account 1, missing_cost 1");
}

#[test]
fn the_total_stands_beside_what_is_on_invoices() {
    let place = Place::new();
    let header = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,ProviderName,ChargePeriodStart,InvoiceId,\
                  ChargeCategory";
    let row = |cost: &str, invoice: &str| {
        format!("{cost},{cost},USD,999988887777,111122223333,AWS,2026-09-03,{invoice},Usage\n")
    };
    let rows = [row("1.5", "I-1"), row("2.25", "I-2"), row("4", "I-1"), row("8", "")].concat();
    place.write("bill.csv", format!("{header}\n{rows}"));
    done(&place, "costs load --tenant acme bill.csv");
    let rows = status(&place);
    assert_eq!(
        (&rows[0]["unblended"], &rows[0]["invoiced"], &rows[0]["invoices"]),
        (&"15.75".into(), &"7.75".into(), &2.into())
    );
}

#[test]
fn a_tenant_without_costs_is_no_error() {
    let place = Place::new();
    done(&place, &format!("costs load --tenant acme {}", input("multicurrency")));
    assert_eq!(column(&status(&place), "currency"), "EUR JPY USD");
    let none = place.finops("costs status --tenant other --output json");
    assert_eq!(none.json(0), Value::Array(Vec::new()));
    let none = place.finops("costs status --tenant other");
    assert_eq!((none.code, none.stderr.contains("no cost facts of other")), (Some(0), true), "{none}");
}
