//! Money and outcomes of a run: amounts of two currencies are never added, and what fails for another tenant does not
//! decide how a run ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::place::{Place, good};

const HEADER: &str = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,\
                      ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodStart,ChargePeriodEnd,ContractedCost,\
                      EffectiveCost,InvoiceIssuerName,ListCost,ListUnitPrice,PricingCategory,PricingQuantity,PricingUnit,\
                      ProviderName,PublisherName,RegionId,RegionName,ResourceId,ResourceName,ResourceType,\
                      ServiceCategory,ServiceName,SkuId,SubAccountId,SubAccountName,Tags,x_ServiceCode,x_UsageType";

/// A gp2 volume of a whole month, as a bill charges it.
fn volume(currency: &str, cost: &str, resource: &str) -> String {
    format!(
        "{cost},111122223333,{currency},2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,Usage,,\
         $0.10 per GB-month of General Purpose SSD (gp2) provisioned storage,Usage-Based,2026-09-01T00:00:00Z,\
         2026-10-01T00:00:00Z,{cost},{cost},AWS,{cost},0.1,Standard,100,GB-Mo,AWS,AWS,us-east-1,US East,{resource},,Volume,\
         Storage,Amazon Elastic Compute Cloud,,111122223333,,,AmazonEC2,EBS:VolumeUsage.gp2"
    )
}

fn exported(place: &Place, tenant: &str, name: &str) -> Value {
    let path = place.path().join("data/export").join(tenant).join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Millionths of an amount.
fn micro(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().unwrap()
}

/// Savings of the exported findings by currency, added here.
fn savings(place: &Place) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for finding in exported(place, "acme", "findings.json").as_array().unwrap() {
        if finding["status"] == "fail" && !finding["est_monthly_savings"].is_null() {
            let savings = micro(&finding["est_monthly_savings"]);
            if savings > 0 {
                *sums.entry(finding["currency"].as_str().unwrap().to_owned()).or_default() += savings;
            }
        }
    }
    sums
}

#[test]
fn a_spend_of_bills_that_the_run_did_not_read_has_no_share() {
    let place = Place::new();
    for (name, volumes) in [("a.csv", volume("EUR", "10", "vol-a")), ("b.csv", volume("EUR", "20", "vol-b"))] {
        place.write(name, format!("{HEADER}\n{volumes}\n"));
    }
    let first = place.finops("run --tenant acme --focus a.csv --source a --output json").json(0);
    let headline = &first["potential_savings"][0];
    assert_eq!(headline["bills_not_read"], 0, "{headline}");
    assert!(headline["savings_pct_of_spend"].is_string(), "{headline}");
    let second = place.finops("run --tenant acme --focus b.csv --source b");
    let expected = "\nSpend as billed: 30.00 EUR for 2026-09, with 1 bill(s) that this run did not read\n";
    assert!(second.text().contains(expected) && !second.text().contains("% of the spend"), "{second}");
}

#[test]
fn a_run_tells_savings_and_spend_by_currency() {
    let place = Place::new();
    let rows = [volume("EUR", "10", "vol-e"), volume("JPY", "1500", "vol-j")].join("\n");
    place.write("bill.csv", format!("{HEADER}\n{rows}\n"));
    let run = "run --tenant acme --workspace prod --focus bill.csv";
    let printed = place.finops(run);
    assert_eq!(printed.code, Some(0), "{printed}");
    let lines = |start: &str| printed.text().lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("Spend as billed: "), lines("Potential savings a month: ")), (2, 2), "{printed}");
    assert!(printed.text().contains("\nSpend as billed: 10.00 EUR for 2026-09\n"), "{printed}");
    assert!(printed.text().contains("\nSpend as billed: 1500.00 JPY for 2026-09\n"), "{printed}");

    let summary = place.finops(&format!("{run} --output json")).json(0);
    assert_eq!(
        (&summary["currency"], &summary["potential_savings_monthly"]),
        (&json!(null), &json!(null)),
        "{summary}"
    );
    let sums = savings(&place);
    assert_eq!(sums.keys().collect::<Vec<_>>(), ["EUR", "JPY"], "the bill has something to save in both");
    let headlines = summary["potential_savings"].as_array().unwrap();
    for (headline, (currency, sum)) in headlines.iter().zip(&sums) {
        assert_eq!((headline["currency"].as_str(), micro(&headline["savings_monthly"])), (Some(&**currency), *sum));
        let share = (sum * 10_000) as f64 / micro(&headline["spend_monthly"]) as f64;
        let printed: f64 = headline["savings_pct_of_spend"].as_str().unwrap().parse().unwrap();
        assert!((share / 100.0 - printed).abs() <= 0.005, "{headline}");
    }
    let by_check: i64 = summary["by_check"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|check| check["savings"].as_array().unwrap())
        .filter(|amount| amount["currency"] == "JPY")
        .map(|amount| micro(&amount["savings_monthly"]))
        .sum();
    assert_eq!(by_check, sums["JPY"]);

    let place = Place::new();
    place.write("bill.csv", format!("{HEADER}\n{}\n", volume("EUR", "10", "vol-e")));
    let summary = place.finops(&format!("{run} --output json")).json(0);
    assert_eq!(summary["currency"], "EUR", "{summary}");
    assert_eq!(micro(&summary["potential_savings_monthly"]), savings(&place)["EUR"], "{summary}");
}

#[test]
fn both_of_two_producers_are_shown_and_what_is_not_is_counted() {
    let place = Place::new();
    let of = |run: &str, ts: &str, checker: &str, resource: &str| {
        let mut finding: Value = serde_json::from_slice(&good("acme", resource)).unwrap();
        finding["run_id"] = json!(run);
        finding["run_ts"] = json!(ts);
        finding["checker_id"] = json!(checker);
        finding["engine_name"] = json!("");
        finding.to_string()
    };
    let early = "2026-09-10T10:00:00Z";
    place.write("a.ndjson", [of("a", early, "demo", "a1"), of("a", early, "demo", "a2")].join("\n"));
    place.write("b.ndjson", of("b", "2026-09-11T10:00:00Z", "other", "b1"));
    place.write("again.ndjson", of("a-2", "2026-09-12T10:00:00Z", "demo", "a1"));
    let run = |file: &str| place.finops(&format!("run --tenant acme --workspace prod --findings {file} --output json"));
    let shown = || {
        let findings = exported(&place, "acme", "findings.json");
        let ids = findings.as_array().unwrap().iter().map(|f| f["resource_id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(run("a.ndjson").json(0)["left_out"], json!({ "in_earlier_runs": 0, "in_incomplete_runs": 0 }));
    run("b.ndjson").json(0);
    let mut ids = shown();
    ids.sort();
    assert_eq!(ids, ["a1", "a2", "b1"]);
    let summary = run("again.ndjson").json(0);
    assert_eq!(summary["left_out"], json!({ "in_earlier_runs": 1, "in_incomplete_runs": 0 }), "{summary}");
    let mut ids = shown();
    ids.sort();
    assert_eq!(ids, ["a1", "b1"]);
}

#[test]
fn the_data_of_one_tenant_does_not_decide_how_a_run_of_another_ends() {
    let place = Place::new();
    place.write("a.ndjson", good("acme", "vol-1"));
    place.write("g.ndjson", good("globex", "vol-2"));
    assert_eq!(place.finops("run --tenant globex --findings g.ndjson").code, Some(0));
    // One of its run manifests cannot be read: what is made without it would be wrong.
    std::fs::write(place.path().join("data/_runs/globex/default/broken.json"), "no manifest").unwrap();
    let ended = place.finops("run --tenant acme --findings a.ndjson");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.stderr.contains("warning: exporting globex: "), "{ended}");
    assert_eq!(exported(&place, "acme", "findings.json").as_array().unwrap().len(), 1);
    // Reading it again will not help: not 75.
    let own = place.finops("run --tenant globex --findings g.ndjson --output json");
    assert_eq!(own.code, Some(65), "{own}");
    assert!(own.stderr.contains("error: exporting globex: "), "{own}");
    let all = place.finops("exporter once");
    assert_eq!(all.code, Some(65), "{all}");
}

/// A limit is a setting, also of services; what it leaves out is counted in the files and said by the run.
#[test]
fn findings_that_a_limit_leaves_out_of_an_export_are_counted() {
    let place = Place::new();
    place.write("a.ndjson", [good("acme", "vol-1"), good("acme", "vol-2"), good("acme", "vol-3")].join(&b'\n'));
    let limit = |findings: u32| place.write("finops.toml", format!("exporter.findings_max = {findings}\n"));
    let check = |shown: usize| {
        let (findings, manifest) =
            (exported(&place, "acme", "findings.json"), exported(&place, "acme", "manifest.json"));
        assert_eq!(findings.as_array().unwrap().len(), shown);
        for file in [manifest, exported(&place, "acme", "summary.json")] {
            assert_eq!((&file["total"], &file["truncated"]), (&json!(3), &json!(shown < 3)), "{file}");
        }
    };
    limit(2);
    let cut = place.finops("run --tenant acme --findings a.ndjson");
    let said = "findings.json has the first of 3: raise exporter.findings_max or --limit";
    assert!(cut.code == Some(0) && cut.text().contains(said), "{cut}");
    check(2);
    for (setting, flag, shown) in [(1, "", 1), (1, "--limit 2", 2), (50, "", 3)] {
        limit(setting);
        let once = place.finops(&format!("exporter once {flag}"));
        assert_eq!(once.code, Some(0), "{once}");
        check(shown);
    }
}
