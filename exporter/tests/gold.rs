//! KPIs over small worlds made by hand, and how their tables are published.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use std::collections::BTreeMap;

use contracts::layout;
use contracts::run_manifest::RunStatus;
use contracts::table_manifest::{self, TableManifest};
use contracts::tenant_scope::TenantScope;
use exporter::{build_gold, gold_manifest};
use platform::store::Store;

use support::{FACT, FINDING, Fact, Finding, NOW_MS, World};

fn build(world: &World) -> exporter::GoldReport {
    build_at(world, NOW_MS)
}

fn build_at(world: &World, now_ms: i64) -> exporter::GoldReport {
    let scope = TenantScope::new("acme").unwrap();
    build_gold(&world.cut(), &scope, &*world.store, "USD", now_ms, &exporter::DuckLimits::default()).unwrap()
}

/// Rows of `kpi` in the tables, without the KPI's name.
fn values(world: &World, kpi: &str) -> Vec<String> {
    let needle = format!(" {kpi}{{");
    world.gold("acme").into_iter().filter(|row| row.contains(&needle)).map(|row| row.replace(kpi, "")).collect()
}

fn check(findings: &[Finding], kpi: &str, expected: &[&str]) {
    let mut world = World::new();
    world.commit("acme", findings);
    build(&world);
    let day: Vec<_> = values(&world, kpi).into_iter().filter(|row| row.starts_with("2026-01-20 prod")).collect();
    let day: Vec<_> = day.iter().map(|row| row.trim_start_matches("2026-01-20 prod ")).collect();
    assert_eq!(day, expected, "{kpi}");
}

#[test]
fn counts_look_at_the_rows_they_say() {
    let findings = [
        FINDING,
        Finding { fingerprint: "f2", status: "pass", level: "low", savings: None, ..FINDING },
        Finding { fingerprint: "f3", level: "critical", category: "", ..FINDING },
        Finding { fingerprint: "f4", state: "ignored", check_id: "aws.ec2.nat.idle", ..FINDING },
    ];
    check(&findings, "findings.count", &["{} 4.000000"]);
    let statuses =
        ["{status=fail} 3.000000", "{status=info} 0.000000", "{status=pass} 1.000000", "{status=unknown} 0.000000"];
    check(&findings, "findings.count_by_status", &statuses);
    check(
        &findings,
        "findings.count_by_severity",
        &[
            "{severity=critical} 1.000000",
            "{severity=high} 0.000000",
            "{severity=info} 0.000000",
            "{severity=low} 0.000000",
            "{severity=medium} 2.000000",
        ],
    );
    check(&findings, "findings.count_by_category", &["{category=cost} 2.000000", "{category=unknown} 1.000000"]);
    let checks = ["{check_id=aws.ec2.ebs.gp2.to.gp3} 2.000000", "{check_id=aws.ec2.nat.idle} 1.000000"];
    check(&findings, "findings.count_by_check", &checks);
    check(
        &findings,
        "findings.matrix",
        &[
            "{severity=critical|status=fail} 1.000000",
            "{severity=low|status=pass} 1.000000",
            "{severity=medium|status=fail} 2.000000",
        ],
    );
    check(
        &findings,
        "findings.count_by_state",
        &[
            "{state=acknowledged} 0.000000",
            "{state=ignored} 1.000000",
            "{state=open} 2.000000",
            "{state=resolved} 0.000000",
            "{state=snoozed} 0.000000",
        ],
    );
}

#[test]
fn what_is_called_unknown_and_what_is_unknown_are_one_row() {
    let findings = [Finding { category: "unknown", ..FINDING }, Finding { fingerprint: "f2", category: "", ..FINDING }];
    check(&findings, "findings.count_by_category", &["{category=unknown} 2.000000"]);
    let world = World::new();
    let named = Fact { region: Some("unknown"), service: Some("unknown"), account_id: "unknown", ..FACT };
    world.deliver("acme", "2026-01", "d", &[named, Fact { region: None, service: None, ..FACT }]);
    build(&world);
    for kpi in ["cost.by_region", "cost.by_service"] {
        let rows = values(&world, kpi);
        let expected = format!("2026-01 * {{model=amortized|{}=unknown}} 2.500000 USD", &kpi["cost.by_".len()..]);
        assert!(rows.contains(&expected), "{rows:?}");
    }
}

#[test]
fn a_snooze_counts_until_it_ends() {
    let snoozed = |until| [Finding { state: "snoozed", snooze_until: Some(until), ..FINDING }];
    let state = |findings: &[Finding]| {
        let mut world = World::new();
        world.commit("acme", findings);
        build(&world);
        let rows = values(&world, "findings.count_by_state");
        let of = |scope: &str| rows.iter().find(|r| r.starts_with(scope) && r.contains(" 1.000000")).unwrap().clone();
        (of("2026-01-20 prod"), of("2026-01 prod"))
    };
    let (day, month) = state(&snoozed("2026-01-25T00:00:00Z"));
    assert_eq!(day, "2026-01-20 prod {state=snoozed} 1.000000", "still snoozed at the end of the day");
    assert_eq!(month, "2026-01 prod {state=open} 1.000000", "over at the end of the month");
}

#[test]
fn savings_are_what_is_actionable_and_above_zero() {
    let findings = [
        FINDING,
        Finding { fingerprint: "f2", savings: Some("0.000001"), service: "EC2 - Other", ..FINDING },
        Finding { fingerprint: "f3", savings: Some("7"), currency: "EUR", account_id: "42", region: "", ..FINDING },
        Finding { fingerprint: "zero", savings: Some("0"), ..FINDING },
        Finding { fingerprint: "negative", savings: Some("-3"), ..FINDING },
        Finding { fingerprint: "none", savings: None, ..FINDING },
        Finding { fingerprint: "passed", status: "pass", ..FINDING },
        Finding { fingerprint: "meta", source_ref: "correlation:rule.x", ..FINDING },
        Finding { fingerprint: "ignored", state: "ignored", ..FINDING },
        Finding { fingerprint: "acknowledged", state: "acknowledged", savings: Some("1"), currency: "", ..FINDING },
    ];
    check(
        &findings,
        "savings.potential_monthly",
        &[
            "{} 7.000000 EUR",
            "{} 11.500001 USD",
            "{account_id=000000000042} 7.000000 EUR",
            "{account_id=111122223333} 11.500001 USD",
            "{category=cost} 7.000000 EUR",
            "{category=cost} 11.500001 USD",
            "{check_id=aws.ec2.ebs.gp2.to.gp3} 7.000000 EUR",
            "{check_id=aws.ec2.ebs.gp2.to.gp3} 11.500001 USD",
            "{region=eu-west-3} 11.500001 USD",
            "{region=unknown} 7.000000 EUR",
            "{service=ec2} 7.000000 EUR",
            "{service=ec2} 11.500001 USD",
            "{severity=medium} 7.000000 EUR",
            "{severity=medium} 11.500001 USD",
        ],
    );
}

#[test]
fn top_savings_are_ranked_within_their_currency() {
    let findings = [
        Finding { fingerprint: "f1", savings: Some("5"), ..FINDING },
        Finding { fingerprint: "f2", savings: Some("9"), title: "50% = a|b", ..FINDING },
        Finding { fingerprint: "f3", savings: Some("5"), score: 900, ..FINDING },
        Finding { fingerprint: "f4", savings: Some("1000"), currency: "JPY", ..FINDING },
    ];
    let mut world = World::new();
    world.commit("acme", &findings);
    build(&world);
    let short = |row: &String| {
        let field = |key: &str| row.split(['{', '|', '}']).find_map(|p| p.strip_prefix(key)).unwrap().to_owned();
        format!("{} {} {}", field("rank="), field("fingerprint="), row.rsplit('}').next().unwrap().trim())
    };
    let rows = values(&world, "top_savings");
    let day: Vec<_> = rows.iter().filter(|row| row.starts_with("2026-01-20 prod")).collect();
    let mut ranks: Vec<_> = day.iter().map(|row| short(row)).collect();
    ranks.sort();
    assert_eq!(ranks, ["001 f2 9.000000 USD", "001 f4 1000.000000 JPY", "002 f3 5.000000 USD", "003 f1 5.000000 USD"]);
    assert!(day.iter().any(|row| row.contains("title=50%25 %3D a%7Cb")), "{day:?}");
}

#[test]
fn a_snapshot_is_the_last_complete_run_and_counts_a_fingerprint_once() {
    let run = |run_id, run_ts, fingerprint| Finding { run_id, run_ts, fingerprint, ..FINDING };
    let mut world = World::new();
    world.commit("acme", &[run("r1", "2026-01-20T08:00:00Z", "f1"), run("r1", "2026-01-20T08:00:00Z", "f2")]);
    // The same run once more: newer rows of the same fingerprints.
    let again =
        Finding { savings: Some("3"), ingested_ts: "2026-01-20T11:00:00Z", ..run("r1", "2026-01-20T08:00:00Z", "f1") };
    world.commit("acme", &[again]);
    build(&world);
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 2.000000");
    assert_eq!(values(&world, "savings.potential_monthly")[0], "2026-01 * {} 13.500000 USD");
    // A later run that has not arrived whole, and one that failed, change nothing.
    world.commit("acme", &[run("r2", "2026-01-20T11:00:00Z", "f1")]);
    world.run_manifest("acme", "r2", "2026-01-20T11:00:00.000Z", RunStatus::Complete, 2);
    world.run_manifest("acme", "r3", "2026-01-20T12:00:00.000Z", RunStatus::Failed, 0);
    build(&world);
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 2.000000");
    // The rest of r2 arrives; a partial run counts as finished.
    world.run_manifest("acme", "r2", "2026-01-20T11:00:00.000Z", RunStatus::Partial, 1);
    build(&world);
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 1.000000");
    // A run that found nothing empties the snapshot: everything was fixed.
    world.run_manifest("acme", "r4", "2026-01-21T08:00:00.000Z", RunStatus::Complete, 0);
    build(&world);
    let counts = values(&world, "findings.count");
    assert_eq!(counts[0], "2026-01 * {} 0.000000");
    assert!(counts.contains(&"2026-01-20 prod {} 1.000000".to_owned()), "{counts:?}");
    assert!(counts.contains(&"2026-01-21 prod {} 0.000000".to_owned()), "{counts:?}");
}

/// The rows of `finops_runs` as the manifest lists them: run, status, records, whether it is complete.
fn runs(world: &World, tenant: &str) -> BTreeMap<String, Vec<String>> {
    let manifest = gold_manifest(&*world.store, &TenantScope::new(tenant).unwrap()).unwrap().unwrap();
    let duck = duckdb::Connection::open_in_memory().unwrap();
    let rows = manifest.runs.into_iter().map(|(month, table)| {
        let file = world.store.local_path(&table.files[0]).unwrap();
        let sql = format!(
            "SELECT concat_ws(' ', run_id, epoch_ms(run_ts), status, delivered || '/' || published, is_complete) \
             FROM read_parquet('{}', hive_partitioning = false) WHERE tenant_id = '{tenant}' ORDER BY run_ts",
            file.display()
        );
        let mut statement = duck.prepare(&sql).unwrap();
        (month, statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect())
    });
    rows.collect()
}

/// Two runs of two months, of which one has findings.
fn world_of_two_runs() -> World {
    let mut world = World::new();
    world.commit("acme", &[Finding { run_id: "r1", ..FINDING }]);
    world.run_manifest("acme", "r1", "2026-01-20T10:00:00.000Z", RunStatus::Complete, 1);
    world.run_manifest("acme", "r2", "2026-02-01T00:00:00.000Z", RunStatus::Failed, 0);
    world
}

/// A reader who takes all periods, in columns that only KPI rows have.
fn assert_only_kpi_rows(world: &World, manifest: &TableManifest) {
    let duck = duckdb::Connection::open_in_memory().unwrap();
    for (period, table) in &manifest.periods {
        let file = world.store.local_path(&table.files[0]).unwrap();
        let sql = format!(
            "SELECT count(*) FILTER (kpi_name IS NOT NULL AND period = '{period}' AND cardinality(dimensions) >= 0) \
             FROM read_parquet('{}', hive_partitioning = false)",
            file.display()
        );
        assert_eq!(duck.query_row(&sql, [], |row| row.get::<_, u64>(0)).unwrap(), table.rows, "{period}");
    }
}

#[test]
fn periods_are_tables_of_kpis_and_nothing_else() {
    let world = world_of_two_runs();
    build(&world);
    let manifest = gold_manifest(&*world.store, &TenantScope::new("acme").unwrap()).unwrap().unwrap();
    assert_eq!(manifest.periods.keys().collect::<Vec<_>>(), ["2026-01", "2026-01-20"]);
    assert_only_kpi_rows(&world, &manifest);
    assert_eq!(manifest.runs.keys().collect::<Vec<_>>(), ["2026-01", "2026-02"]);
}

#[test]
fn a_table_of_runs_among_the_periods_of_an_older_manifest_is_moved() {
    let world = world_of_two_runs();
    build(&world);
    let (scope, path) = (TenantScope::new("acme").unwrap(), table_manifest::path(layout::KPI_GOLD, "acme"));
    let mut older = gold_manifest(&*world.store, &scope).unwrap().unwrap();
    let (new, moved) = (older.clone(), std::mem::take(&mut older.runs));
    let files: Vec<String> = moved.values().flat_map(|table| table.files.clone()).collect();
    older.periods.extend(moved.into_iter().map(|(month, table)| (format!("{}/{month}", layout::RUN_TABLE), table)));
    world.store.put(&path, &older.to_bytes().unwrap()).unwrap();

    build(&world);
    let manifest = gold_manifest(&*world.store, &scope).unwrap().unwrap();
    assert_eq!(manifest.periods, new.periods, "tables of KPIs are not written again");
    assert_only_kpi_rows(&world, &manifest);
    assert_eq!(runs(&world, "acme")["2026-02"], ["r2 1769904000000 failed 0/0 false"]);
    assert_eq!(manifest.retired.keys().collect::<Vec<_>>(), files.iter().collect::<Vec<_>>());
    // Readers of the older manifest have a while.
    assert!(files.iter().all(|file| world.store.get(file).unwrap().is_some()));
    build_at(&world, NOW_MS + 3_600_000);
    assert!(files.iter().all(|file| world.store.get(file).unwrap().is_none()));
    let later = gold_manifest(&*world.store, &scope).unwrap().unwrap();
    assert_eq!((&later.runs, later.retired.len()), (&manifest.runs, 0));
}

#[test]
fn runs_are_a_table_that_says_what_has_arrived_of_each() {
    let mut world = World::new();
    world.commit("acme", &[Finding { run_id: "r1", ..FINDING }]);
    world.run_manifest("acme", "r1", "2026-01-20T10:00:00.000Z", RunStatus::Complete, 1);
    world.run_manifest("acme", "r2", "2026-01-31T23:59:59.999Z", RunStatus::Partial, 1);
    world.run_manifest("acme", "r3", "2026-02-01T00:00:00.000Z", RunStatus::Failed, 0);
    world.run_manifest("other", "r4", "2026-01-20T10:00:00.000Z", RunStatus::Complete, 0);
    build(&world);
    let february = ["r3 1769904000000 failed 0/0 false".to_owned()];
    let january = ["r1 1768903200000 complete 1/1 true".to_owned(), "r2 1769903999999 partial 0/1 false".to_owned()];
    let before = runs(&world, "acme");
    assert_eq!(before.keys().collect::<Vec<_>>(), ["2026-01", "2026-02"]);
    assert_eq!((&before["2026-01"][..], &before["2026-02"][..]), (&january[..], &february[..]));

    let scope = TenantScope::new("acme").unwrap();
    let tables = |world: &World| gold_manifest(&*world.store, &scope).unwrap().unwrap().runs;
    let first = tables(&world);
    world.commit("acme", &[Finding { run_id: "r2", ..FINDING }]);
    build(&world);
    let after = runs(&world, "acme");
    assert_eq!(after["2026-01"][1], "r2 1769903999999 partial 1/1 true");
    assert_eq!(tables(&world)["2026-02"], first["2026-02"], "a month as it was is not written again");
}

#[test]
fn the_tenant_counts_a_fingerprint_of_two_workspaces_once() {
    let mut world = World::new();
    let dev = Finding { workspace: "dev", run_ts: "2026-01-20T11:00:00Z", savings: Some("2"), ..FINDING };
    let star = Finding { workspace: "*", fingerprint: "f9", savings: Some("1"), ..FINDING };
    world.commit("acme", &[FINDING, dev, star]);
    build(&world);
    let totals: Vec<_> = values(&world, "savings.potential_monthly").into_iter().filter(|r| r.contains("{}")).collect();
    assert_eq!(
        totals,
        [
            "2026-01 * {} 3.000000 USD",
            "2026-01 dev {} 2.000000 USD",
            "2026-01 prod {} 10.500000 USD",
            "2026-01-20 * {} 3.000000 USD",
            "2026-01-20 dev {} 2.000000 USD",
            "2026-01-20 prod {} 10.500000 USD",
        ]
    );
}

#[test]
fn costs_per_day_and_month_reconcile() {
    let world = World::new();
    let facts = [
        FACT,
        Fact { usage_start: "2026-01-20T23:59:59.999Z", amortized: "0.000000500001", unblended: "0", ..FACT },
        Fact { usage_start: "2026-01-21T00:00:00Z", region: None, service: None, ..FACT },
        Fact { category: "Tax", amortized: "0.2", unblended: "0.2", ..FACT },
        Fact { category: "Credit", amortized: "-1", unblended: "-1", account_id: "999988887777", ..FACT },
        Fact { currency: "EUR", ..FACT },
    ];
    world.deliver("acme", "2026-01", "first", &[Fact { amortized: "1000", ..FACT }]);
    world.deliver("acme", "2026-01", "second", &facts);
    build(&world);
    let all = world.gold("acme");
    insta::assert_snapshot!(all.join("\n"));
}

/// Facts that were loaded before closed lists were folded keep the spelling of their export.
#[test]
fn tax_in_any_spelling_is_left_out_of_the_cost_without_tax() {
    for category in ["Tax", "tax", "TAX"] {
        let world = World::new();
        world.deliver("acme", "2026-01", "d", &[FACT, Fact { category, ..FACT }]);
        build(&world);
        assert_eq!(totals(&world, "2026-01"), ["1.250000 USD"], "{category}");
    }
}

#[test]
fn half_a_millionth_is_rounded_to_even_once() {
    let rounded = |amount| {
        let world = World::new();
        world.deliver("acme", "2026-01", "d", &[Fact { amortized: amount, ..FACT }]);
        build(&world);
        values(&world, "cost.total").into_iter().find(|r| r.starts_with("2026-01 * {model=amortized}")).unwrap()
    };
    for (amount, expected) in [
        ("0.000000500000", "0.000000"),
        ("0.000001500000", "0.000002"),
        ("0.000002500000", "0.000002"),
        ("0.000002500001", "0.000003"),
        ("-0.000000500000", "0.000000"),
        ("123456789012.123456499999", "123456789012.123456"),
    ] {
        assert_eq!(rounded(amount), format!("2026-01 * {{model=amortized}} {expected} USD"), "{amount}");
    }
}

/// `cost.total` of a month by currency, amortized.
fn totals(world: &World, month: &str) -> Vec<String> {
    let start = format!("{month} * {{model=amortized}} ");
    values(world, "cost.total").iter().filter_map(|row| row.strip_prefix(&start)).map(str::to_owned).collect()
}

#[test]
fn amounts_of_thirty_two_digits_are_kept() {
    let world = World::new();
    let rupiah = Fact { currency: "IDR", amortized: "400000000000.5", ..FACT };
    let largest = Fact { currency: "XTS", amortized: "89000000000000000000000000", ..FACT };
    world.deliver("acme", "2026-01", "d", &[rupiah.clone(), rupiah.clone(), rupiah.clone(), rupiah, largest, FACT]);
    let report = build(&world);
    assert_eq!(report.left_out, []);
    assert_eq!(
        totals(&world, "2026-01"),
        ["1600000000002.000000 IDR", "1.250000 USD", "89000000000000000000000000.000000 XTS"]
    );
}

#[test]
fn costs_that_do_not_fit_are_left_out_and_named() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let large = Fact { currency: "XTS", amortized: "60000000000000000000000000", ..FACT };
    let negative = Fact { amortized: "-60000000000000000000000000", ..large.clone() };
    let elsewhere = Fact { usage_start: "2026-02-01T00:00:00Z", ..large.clone() };
    world.deliver("acme", "2026-01", "d", &[large.clone(), negative, elsewhere, FACT]);
    let report = build(&world);
    let left_out: Vec<_> =
        report.left_out.iter().map(|kpis| format!("{} {}", kpis.period, kpis.currency.as_deref().unwrap())).collect();
    assert_eq!(left_out, ["2026-01 XTS", "2026-01-20 XTS"], "what the month could add up to counts");
    let kpis = "cost.by_account cost.by_region cost.by_service cost.commitment_unused cost.forecast_month cost.total";
    assert_eq!(report.left_out[0].kpis.join(" "), kpis);
    let manifest = exporter::gold_manifest(&*world.store, &TenantScope::new("acme").unwrap()).unwrap().unwrap();
    assert_eq!(manifest.left_out, report.left_out);
    assert_eq!(totals(&world, "2026-01"), ["1.250000 USD"], "the other currency is there");
    assert_eq!(totals(&world, "2026-02"), ["60000000000000000000000000.000000 XTS"], "the other month, too");
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 1.000000", "and all other KPIs");
}

#[test]
fn values_are_decimals_of_thirty_eight_digits() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    build(&world);
    let manifest = exporter::gold_manifest(&*world.store, &TenantScope::new("acme").unwrap()).unwrap().unwrap();
    assert_eq!(manifest.schema_version, 2);
    let file = world.store.local_path(&manifest.periods["2026-01"].files[0]).unwrap();
    let duck = duckdb::Connection::open_in_memory().unwrap();
    let sql = format!("SELECT DISTINCT typeof(value) FROM read_parquet('{}')", file.display());
    assert_eq!(duck.query_row(&sql, [], |row| row.get::<_, String>(0)).unwrap(), "DECIMAL(38,6)");
}

#[test]
fn producers_of_one_workspace_are_counted_side_by_side() {
    let of = |engine, run_id, run_ts, fingerprint| Finding { engine, run_id, run_ts, fingerprint, ..FINDING };
    let mut world = World::new();
    world.commit("acme", &[of("a", "r1", "2026-01-20T08:00:00Z", "f1"), of("a", "r1", "2026-01-20T08:00:00Z", "f2")]);
    world.commit("acme", &[of("b", "r2", "2026-01-20T09:00:00Z", "f2"), of("b", "r2", "2026-01-20T09:00:00Z", "f3")]);
    build(&world);
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 3.000000", "what both report counts once");
    assert_eq!(values(&world, "savings.potential_monthly")[0], "2026-01 * {} 31.500000 USD");
    // The next run of one of them replaces its earlier one only.
    world.commit("acme", &[of("a", "r3", "2026-01-20T10:00:00Z", "f1")]);
    build(&world);
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 3.000000", "f2 is still reported by b");
    world.commit("acme", &[of("b", "r4", "2026-01-20T11:00:00Z", "f3")]);
    build(&world);
    assert_eq!(values(&world, "findings.count")[0], "2026-01 * {} 2.000000");
}

#[test]
fn a_failed_check_leaves_the_old_tables() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    build(&world);
    let before = world.gold("acme");
    // No status of the closed list: the row is counted, but in no status.
    world.commit("acme", &[Finding { status: "FAIL", run_id: "r2", run_ts: "2026-01-20T12:00:00Z", ..FINDING }]);
    let scope = TenantScope::new("acme").unwrap();
    let error = build_gold(&world.cut(), &scope, &*world.store, "USD", NOW_MS, &exporter::DuckLimits::default());
    insta::assert_snapshot!(error.unwrap_err().to_string());
    assert_eq!(world.gold("acme"), before);
}

#[test]
fn equal_content_is_published_once_and_old_files_go_after_a_quarter_of_an_hour() {
    const MINUTE_MS: i64 = 60_000;
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    // Files carry the machine's time, so the build times of this test do, too.
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    assert_eq!(build_at(&world, now).changed, 2, "a day and a month");
    let scope = TenantScope::new("acme").unwrap();
    let manifest = || gold_manifest(&*world.store, &scope).unwrap().unwrap();
    let files = || world.store.list("finops_kpi_gold/tenant_id=acme").unwrap().len();
    let first = manifest();
    assert_eq!(build_at(&world, now + MINUTE_MS).changed, 0);
    assert_eq!(manifest(), first, "nothing was published");
    assert_eq!(files(), 3);

    world.deliver("acme", "2026-01", "d", &[FACT]);
    assert_eq!(build_at(&world, now + 2 * MINUTE_MS).changed, 2);
    let manifest = || gold_manifest(&*world.store, &scope).unwrap().unwrap();
    let files = || world.store.list("finops_kpi_gold/tenant_id=acme").unwrap().len();
    assert_eq!((files(), manifest().retired.len()), (5, 2), "readers may still hold the old manifest");
    build_at(&world, now + 16 * MINUTE_MS);
    assert_eq!(files(), 5);
    build_at(&world, now + 17 * MINUTE_MS);
    assert_eq!((files(), manifest().retired.len()), (3, 0));
}

#[test]
fn a_tenant_without_anything_is_not_found() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    let scope = TenantScope::new("initech").unwrap();
    let error = build_gold(&world.cut(), &scope, &*world.store, "USD", NOW_MS, &exporter::DuckLimits::default());
    assert_eq!(error.unwrap_err().code(), Some("tenant_not_found"));
}
