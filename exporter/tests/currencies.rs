//! Amounts of several currencies: each tells its own, and none is added to or ranked with one of another.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use contracts::tenant_scope::TenantScope;
use exporter::{
    DuckLimits, ExportManifest, ExportOptions, FindingFilter, compare, export_tenant, list_findings, potential_savings,
    spend,
};
use lake::cut::Cut;
use serde_json::{Value, json};

use support::{FACT, FINDING, Fact, Finding, World};

fn scope() -> TenantScope {
    TenantScope::new("acme").unwrap()
}

fn finding(currency: &'static str, savings: Option<&'static str>, fingerprint: &'static str) -> Finding {
    Finding { currency, savings, fingerprint, finding_id: fingerprint, ..FINDING }
}

fn world() -> World {
    let mut world = World::new();
    world.commit(
        "acme",
        &[
            finding("USD", Some("5"), "u5"),
            finding("USD", Some("9"), "u9"),
            Finding { score: 900, ..finding("USD", Some("5"), "u5-high") },
            finding("JPY", Some("150"), "j150"),
            finding(" eur", Some("7"), "e7"),
            finding("EUR", None, "e-unknown"),
            finding("", Some("6"), "default6"),
            Finding { status: "pass", ..finding("GBP", None, "passed") },
        ],
    );
    world
}

fn export(world: &World, options: &ExportOptions) -> ExportManifest {
    let cut = Cut::committed(world.store.clone()).unwrap();
    export_tenant(&cut, &scope(), &world.export_dir(), options, &DuckLimits::default()).unwrap().manifest
}

fn read(world: &World, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(world.export_dir().join("acme").join(file)).unwrap()).unwrap()
}

/// Currency and id of every entry of a file.
fn entries(world: &World, file: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = read(world, file);
    rows.as_array().unwrap().iter().map(|row| text(&row["currency"]) + " " + &text(&row["finding_id"])).collect()
}

#[test]
fn lists_are_ordered_within_a_currency_and_the_largest_savings_by_their_worth() {
    let world = world();
    let manifest = export(&world, &ExportOptions::default());
    let all = ["EUR e7", "EUR e-unknown", "GBP passed", "JPY j150", "USD u9", "USD default6", "USD u5-high", "USD u5"];
    assert_eq!(entries(&world, "findings.json"), all);
    // 7 euros are about 7.9 dollars, 150 yen about 1.1.
    let savings = ["USD u9", "EUR e7", "USD default6", "USD u5-high", "USD u5", "JPY j150"];
    assert_eq!(entries(&world, "top_savings.json"), savings);
    assert_eq!((manifest.total, manifest.truncated), (8, false));
    let in_francs = ExportOptions { default_currency: "CHF".into(), ..ExportOptions::default() };
    export(&world, &in_francs);
    // 6 francs are about 7.1 dollars.
    assert_eq!(entries(&world, "top_savings.json")[..3], ["USD u9", "EUR e7", "CHF default6"]);
}

#[test]
fn a_limit_keeps_the_first_of_every_currency_and_is_reported() {
    let world = world();
    let manifest = export(&world, &ExportOptions { limit: 5, ..ExportOptions::default() });
    assert_eq!(entries(&world, "findings.json"), ["EUR e7", "EUR e-unknown", "GBP passed", "JPY j150", "USD u9"]);
    assert_eq!((manifest.total, manifest.truncated), (8, true));
    let file = manifest.files.iter().find(|file| file.name == "findings.json").unwrap();
    assert_eq!((file.rows, file.total), (5, 8));
    let summary = read(&world, "summary.json");
    assert_eq!((&summary["total"], &summary["truncated"]), (&json!(8), &json!(true)));
}

#[test]
fn all_findings_are_exported_unless_there_are_very_many() {
    let mut world = World::new();
    let names: Vec<&'static str> = (0..1_200).map(|n| &*Box::leak(format!("f{n:04}").into_boxed_str())).collect();
    let findings: Vec<Finding> = names.iter().map(|name| finding("USD", Some("1"), name)).collect();
    world.commit("acme", &findings);
    let manifest = export(&world, &ExportOptions::default());
    assert_eq!((entries(&world, "findings.json").len(), manifest.truncated), (1_200, false));
    let top = manifest.files.iter().find(|file| file.name == "top_savings.json").unwrap();
    assert_eq!((top.rows, top.total), (50, 1_200));
}

#[test]
fn sums_are_by_currency() {
    let world = world();
    export(&world, &ExportOptions::default());
    let expected = json!([
        { "currency": "EUR", "findings": 1, "savings_monthly": "7.000000" },
        { "currency": "JPY", "findings": 1, "savings_monthly": "150.000000" },
        { "currency": "USD", "findings": 4, "savings_monthly": "25.000000" },
    ]);
    assert_eq!(read(&world, "summary.json")["potential_savings"], expected);
    let potential = potential_savings(&world.cut(), &scope(), "prod", "USD", &DuckLimits::default()).unwrap();
    let sums: Vec<_> = potential
        .parts
        .iter()
        .filter_map(|part| Some((part.currency.as_deref()?, part.est_monthly_savings.as_deref()?)))
        .collect();
    assert_eq!(sums, [("EUR", "7.000000"), ("JPY", "150.000000"), ("USD", "25.000000")]);
    let listed = list_findings(&world.cut(), &scope(), &FindingFilter::default(), &DuckLimits::default()).unwrap();
    let of = |id: &str| listed.items.iter().find(|f| f.finding_id.as_deref() == Some(id)).unwrap().currency.clone();
    assert_eq!((of("e7"), of("default6")), (Some("EUR".into()), None), "no default was given");
}

#[test]
fn potential_savings_are_those_of_the_kpis() {
    let mut world = World::new();
    world.commit(
        "acme",
        &[
            FINDING,
            Finding { fingerprint: "negative", savings: Some("-3"), ..FINDING },
            Finding { fingerprint: "passed", status: "pass", ..FINDING },
            Finding { fingerprint: "meta", source_ref: "correlation:rule.x", ..FINDING },
            Finding { fingerprint: "ignored", state: "ignored", ..FINDING },
            Finding { fingerprint: "acknowledged", state: "acknowledged", savings: Some("1"), ..FINDING },
        ],
    );
    export(&world, &ExportOptions::default());
    let report = exporter::once(&world.config(), &world.deps()).unwrap();
    assert_eq!(report.errors().count(), 0);
    let savings = read(&world, "summary.json")["potential_savings"][0]["savings_monthly"].clone();
    let kpi = "2026-01-20 prod savings.potential_monthly{} 11.500000 USD";
    assert_eq!(savings, "11.500000");
    assert!(world.gold("acme").contains(&kpi.to_owned()), "{:?}", world.gold("acme"));
}

#[test]
fn roots_are_compared_by_currency() {
    let (mut here, mut there) = (World::new(), World::new());
    here.commit("acme", &[finding("USD", Some("5"), "a"), finding("EUR", Some("7"), "b")]);
    there.commit("acme", &[finding("EUR", Some("5"), "a"), finding("USD", Some("7"), "b")]);
    let compared = compare(&here.cut(), &there.cut(), None, 10, &DuckLimits::default()).unwrap();
    let sums: Vec<_> = compared
        .sums
        .iter()
        .map(|sums| [&sums.currency, &sums.savings_current, &sums.savings_fresh].map(|text| text.clone().unwrap()))
        .collect();
    assert_eq!(sums, [["EUR", "7.000000", "5.000000"], ["USD", "5.000000", "7.000000"]]);
    assert!(!compared.is_same && !compared.sums[0].is_same());
}

#[test]
fn spend_is_what_was_billed_by_currency_and_month() {
    let world = World::new();
    let facts = [
        FACT,
        Fact { category: "Tax", unblended: "0.5", ..FACT },
        Fact { category: "Credit", unblended: "-1", usage_start: "2026-01-31T00:00:00Z", ..FACT },
        Fact { currency: "IDR", unblended: "1600000000000.000000000001", usage_start: "2026-01-20T01:00:00Z", ..FACT },
        Fact { currency: "XTS", unblended: "99999999999999999999999999", ..FACT },
    ];
    world.deliver("acme", "2026-01", "d", &facts);
    world.deliver("acme", "2026-02", "e", &[Fact { usage_start: "2026-02-01T00:00:00Z", ..FACT }]);
    let months = ["2026-01", "2026-02", "2026-03"].map(str::to_owned);
    let found = spend(&world.cut(), &scope(), &months, &DuckLimits::default()).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|s| {
            format!(
                "{} {} {} {}/{}",
                s.currency.as_deref().unwrap(),
                s.billing_period,
                s.billed,
                s.hours_charged,
                s.hours
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            "IDR 2026-01 1600000000000.000000000001 2/744",
            "USD 2026-01 2.000000000000 2/744",
            "USD 2026-02 2.500000000000 1/672",
        ],
        "what is too large to be added has no row"
    );
    assert_eq!(spend(&world.cut(), &scope(), &[], &DuckLimits::default()).unwrap(), []);
}

#[test]
fn files_that_are_empty_by_construction_say_why() {
    let mut world = World::new();
    world.commit("acme", &[finding("USD", None, "f1")]);
    let manifest = export(&world, &ExportOptions::default());
    let reasons: Vec<_> = manifest.files.iter().map(|file| (file.name.as_str(), file.reason.is_some())).collect();
    assert_eq!(
        reasons,
        [
            ("findings.json", false),
            ("summary.json", false),
            ("top_savings.json", true),
            ("coverage.json", true),
            ("correlated_findings.json", true),
        ]
    );
    let reason = read(&world, "coverage.json")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("no bill of the tenant is loaded"), "{reason}");
    let meta = Finding { source_ref: "correlation:rule.x", ..finding("USD", Some("1"), "meta") };
    world.commit("acme", &[meta]);
    let manifest = export(&world, &ExportOptions::default());
    let with_reason = manifest.files.iter().filter(|file| file.reason.is_some()).count();
    assert_eq!(with_reason, 1, "only actual costs are missing now");
}
