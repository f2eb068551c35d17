//! Priced findings and their evidence as readers find them, from files to files (cur_attribution 9 to 11).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[path = "attribution/resolved.rs"]
mod resolved;
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use contracts::run_manifest::RunStatus;
use contracts::table_manifest::{TableManifest, evidence_period, path, priced_period};
use contracts::{arrow_schema, layout};
use exporter::{AttributionOptions, AttributionReport, ExporterConfig, PassReport};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::store::Store;
use serde_json::Value;
use support::World;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden/attribution").join(name)
}

fn lines(name: &str) -> Vec<Value> {
    std::fs::read_to_string(golden(name)).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Findings of the reference as they are stored, those of one run date; `change` replaces columns.
fn findings(name: &str, tenant: &str, run_date: &str, change: &str) -> String {
    let scope = "cloud VARCHAR, provider_partition VARCHAR, organization_id VARCHAR, billing_account_id VARCHAR, \
                 account_id VARCHAR, region VARCHAR, availability_zone VARCHAR, service VARCHAR, resource_type VARCHAR, \
                 resource_id VARCHAR, resource_arn VARCHAR";
    let estimated = "monthly_savings DECIMAL(18,6), monthly_cost DECIMAL(18,6), confidence UTINYINT, notes VARCHAR";
    let actual = "cost_30d DECIMAL(18,6), model STRUCT(currency VARCHAR, cost_model VARCHAR), \
                  attribution STRUCT(\"method\" VARCHAR, confidence UTINYINT, matched_keys VARCHAR[])";
    format!(
        "SELECT * REPLACE ('{tenant}' AS tenant_id{change}) FROM read_json('{}', format = 'newline_delimited', columns = {{
            tenant_id: 'VARCHAR', workspace_id: 'VARCHAR', finding_id: 'VARCHAR', fingerprint: 'VARCHAR',
            run_id: 'VARCHAR', run_ts: 'TIMESTAMPTZ', ingested_ts: 'TIMESTAMPTZ', engine_name: 'VARCHAR',
            scope: 'STRUCT({scope})', check_id: 'VARCHAR', status: 'VARCHAR', category: 'VARCHAR', title: 'VARCHAR',
            severity: 'STRUCT(\"level\" VARCHAR, score USMALLINT)', estimated: 'STRUCT({estimated})',
            actual: 'STRUCT({actual})', tags: 'MAP(VARCHAR, VARCHAR)'
        }}) WHERE strftime(run_ts, '%Y-%m-%d') = '{run_date}'",
        golden(&format!("findings/{name}.jsonl")).display()
    )
}

/// Cost facts of the reference, those of one billing period.
fn facts(tenant: &str, period: &str, delivery_id: &str, change: &str) -> String {
    format!(
        "SELECT * REPLACE (CAST(cost_amortized AS DECIMAL(38,12)) AS cost_amortized,
            CAST(cost_unblended AS DECIMAL(38,12)) AS cost_unblended{change}),
            '{tenant}' AS tenant_id, '{delivery_id}/bill.csv' AS source_ref
        FROM read_json('{}', format = 'newline_delimited', columns = {{
            billing_period: 'VARCHAR', usage_start: 'TIMESTAMPTZ', usage_end: 'TIMESTAMPTZ', payer_account_id: 'VARCHAR',
            account_id: 'VARCHAR', region: 'VARCHAR', service_code: 'VARCHAR', service: 'VARCHAR',
            resource_id: 'VARCHAR', line_item_type: 'VARCHAR', charge_category: 'VARCHAR', usage_type: 'VARCHAR',
            operation: 'VARCHAR', currency: 'VARCHAR', cost_amortized: 'VARCHAR', cost_unblended: 'VARCHAR',
            model_fallback: 'BOOLEAN', tags: 'MAP(VARCHAR, VARCHAR)'
        }}) WHERE billing_period = '{period}'",
        golden("../../../../producers/collectors/tests/golden/cur/expected/legacy_parquet/normalized.jsonl").display()
    )
}

const PERIODS: [(&str, (&str, &str)); 3] = [
    ("2025-11", ("2025-11-29", "2025-12-01")),
    ("2025-12", ("2025-12-01", "2026-01-01")),
    ("2026-01", ("2026-01-01", "2026-01-21")),
];

fn deliver(world: &World, tenant: &str, period: usize, delivery_id: &str, change: &str) {
    let (period, days) = PERIODS[period];
    world.deliver_queries(tenant, period, days, &[(delivery_id, 0, &facts(tenant, period, delivery_id, change))]);
}

/// A tenant with the findings of one run and all bills of the reference.
fn world() -> World {
    let mut world = World::new();
    world.commit_query("acme", "2026-01-20", 22, &findings("findings", "acme", "2026-01-20", ""));
    (0..PERIODS.len()).for_each(|period| deliver(&world, "acme", period, "d1", ""));
    world
}

fn build_with(world: &World, config: &ExporterConfig) -> PassReport {
    let report = exporter::once(config, &world.deps()).unwrap();
    let errors: Vec<String> = report.errors().map(|(tenant, error)| format!("{tenant}: {error}")).collect();
    assert!(errors.is_empty(), "{errors:?}");
    report
}

fn build(world: &World) -> AttributionReport {
    build_with(world, &world.config()).tenants.remove(0).attribution.unwrap()
}

fn manifest(world: &World, tenant: &str) -> TableManifest {
    TableManifest::parse(&world.store.get(&path(layout::FINDINGS_ENRICHED, tenant)).unwrap().unwrap()).unwrap()
}

/// Rows of a table, each as the JSON that an expression gives.
fn rows(world: &World, tenant: &str, period: &str, expression: &str) -> Vec<Value> {
    let duck = duckdb::Connection::open_in_memory().unwrap();
    let mut found = Vec::new();
    for file in &manifest(world, tenant).periods[period].files {
        let local = world.store.local_path(file).unwrap();
        let sql = format!("SELECT CAST({expression} AS VARCHAR) FROM read_parquet('{}')", local.display());
        let mut statement = duck.prepare(&sql).unwrap();
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        found.extend(texts.map(|text| serde_json::from_str::<Value>(&text.unwrap()).unwrap()));
    }
    found
}

const ACTUAL: &str = "to_json({
    run_id: run_id, finding_id: finding_id, actual: {
        cost_7d: CAST(actual.cost_7d AS VARCHAR), cost_30d: CAST(actual.cost_30d AS VARCHAR),
        cost_mtd: CAST(actual.cost_mtd AS VARCHAR), cost_prev_month: CAST(actual.cost_prev_month AS VARCHAR),
        savings_7d: actual.savings_7d, savings_30d: actual.savings_30d,
        model: actual.model, attribution: actual.attribution
    }
})";

/// Cost of 30 days by check.
fn costs(world: &World, tenant: &str) -> BTreeMap<String, Option<String>> {
    let expression = "to_json({'check': check_id, 'cost': CAST(actual.cost_30d AS VARCHAR)})";
    let rows = rows(world, tenant, &priced_period("2026-01-20"), expression);
    let of = |row: &Value| (row["check"].as_str().unwrap().to_owned(), row["cost"].as_str().map(str::to_owned));
    rows.iter().map(of).collect()
}

fn sorted(values: impl IntoIterator<Item = Value>) -> Vec<String> {
    let mut texts: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    texts.sort();
    texts
}

#[test]
fn files_hold_what_the_reference_says() {
    let world = world();
    let report = build(&world);
    assert_eq!((report.run_dates, report.changed, report.rows, report.evidence_rows), (1, 1, 22, 48));
    let (priced, evidence) = (priced_period("2026-01-20"), evidence_period("2026-01-20"));
    let mut expected = lines("expected/legacy_parquet/amortized/enriched.jsonl");
    for line in &mut expected {
        line.as_object_mut().unwrap().retain(|member, _| ["run_id", "finding_id", "actual"].contains(&member.as_str()));
    }
    assert_eq!(sorted(rows(&world, "acme", &priced, ACTUAL)), sorted(expected));
    let expression = "to_json({
        confidence: confidence, cost_amount: CAST(cost_amount AS VARCHAR), cost_model: cost_model, cur: cur,
        currency: currency, finding_id: finding_id, fingerprint: fingerprint, matched_keys: matched_keys,
        method: method, notes: notes, period_end: CAST(period_end AS VARCHAR),
        period_start: CAST(period_start AS VARCHAR), tenant_id: tenant_id, workspace_id: workspace_id
    })";
    let expected = lines("expected/legacy_parquet/amortized/evidence.jsonl");
    assert_eq!(sorted(rows(&world, "acme", &evidence, expression)), sorted(expected));
    let sources = rows(&world, "acme", &evidence, "to_json(source_ref)");
    assert!(sources.iter().all(|source| source == "d1"), "{sources:?}");
    for (period, schema) in [(priced, arrow_schema::findings()), (evidence, arrow_schema::cost_attribution())] {
        let table = &manifest(&world, "acme").periods[&period];
        let file = std::fs::File::open(world.store.local_path(&table.files[0]).unwrap()).unwrap();
        let found = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().schema().clone();
        assert_eq!(found.fields(), schema.fields(), "{period}");
    }
}

#[test]
fn exports_show_the_costs_and_how_many_there_are() {
    let world = world();
    let report = build_with(&world, &world.config());
    let manifest = &report.tenants[0].export.as_ref().unwrap().manifest;
    let methods: Vec<(&str, u64)> = manifest.costs.findings_by_method.iter().map(|(m, n)| (m.as_str(), *n)).collect();
    let expected = [("exact_resource_id", 14), ("heuristic", 3), ("none", 3), ("shared_unallocated", 1), ("tag", 1)];
    assert_eq!(methods, expected);
    assert_eq!((manifest.costs.findings_with_cost_30d, manifest.costs.cost_30d_pct.to_string()), (19, "86.36".into()));
    let text = std::fs::read_to_string(world.export_dir().join("acme/findings.json")).unwrap();
    let found: Vec<Value> = serde_json::from_str(&text).unwrap();
    let one = found.iter().find(|f| f["check_id"] == "aws.ec2.instances.old.generation").unwrap();
    assert_eq!(
        (one["actual_cost_30d"].as_str(), one["attribution_method"].as_str()),
        (Some("51.249523"), Some("exact_resource_id"))
    );
    assert_eq!((one["actual_currency"].as_str(), one["currency"].as_str()), (Some("USD"), Some("USD")));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let (one, other) = (world(), world());
    for world in [&one, &other] {
        assert_eq!(build(world).changed, 1);
    }
    let bytes = |world: &World| -> Vec<_> {
        let tables = manifest(world, "acme").periods.into_values();
        tables.flat_map(|table| table.files).map(|file| world.store.get(&file).unwrap().unwrap()).collect()
    };
    assert_eq!(bytes(&one), bytes(&other));
    let before = one.store.get(&path(layout::FINDINGS_ENRICHED, "acme")).unwrap();
    assert_eq!(build(&one).changed, 0);
    assert_eq!(one.store.get(&path(layout::FINDINGS_ENRICHED, "acme")).unwrap(), before);
}

#[test]
fn a_restated_period_prices_the_run_dates_that_it_touches_again() {
    let mut world = world();
    let run_date = ", CAST('2026-02-10T10:00:00Z' AS TIMESTAMPTZ) AS run_ts";
    world.commit_query("acme", "2026-02-10", 22, &findings("findings", "acme", "2026-01-20", run_date));
    assert_eq!(build(&world).changed, 2);
    let (before, costs_before) = (manifest(&world, "acme"), costs(&world, "acme"));
    // No window of a day in February touches December.
    let (period, days) = PERIODS[1];
    let halves = facts("acme", period, "d2", "").replace("CAST(cost_amortized AS", "0.5 * CAST(cost_amortized AS");
    world.deliver_queries("acme", period, days, &[("d2", 0, &halves)]);
    let report = build(&world);
    assert_eq!((report.run_dates, report.changed), (2, 1));
    let after = manifest(&world, "acme");
    assert_eq!(before.periods[&priced_period("2026-02-10")], after.periods[&priced_period("2026-02-10")]);
    assert_ne!(before.periods[&priced_period("2026-01-20")], after.periods[&priced_period("2026-01-20")]);
    assert_ne!(costs_before, costs(&world, "acme"));
}

#[test]
fn sources_of_a_period_add_up_and_their_deliveries_do_not() {
    let world = world();
    build(&world);
    let once = costs(&world, "acme");
    let exact = |costs: &BTreeMap<String, Option<String>>| costs["aws.ec2.ebs.unattached.volume"].clone().unwrap();
    assert_eq!(exact(&once), "7.534005");
    // The same facts under another delivery id: a restatement.
    (0..PERIODS.len()).for_each(|period| deliver(&world, "acme", period, "d2", ""));
    build(&world);
    assert_eq!(costs(&world, "acme"), once);
    for (period, days) in PERIODS {
        let [a, b] = ["d2", "d3"].map(|id| facts("acme", period, id, ""));
        world.deliver_queries("acme", period, days, &[("d2", 0, &a), ("d3", 0, &b)]);
    }
    build(&world);
    assert_eq!(exact(&costs(&world, "acme")), "15.068011", "twice the exact sum, rounded once");
    let sources = rows(&world, "acme", &evidence_period("2026-01-20"), "to_json(source_ref)");
    assert!(sources.iter().all(|source| source == "d2,d3"), "{sources:?}");
}

#[test]
fn without_bills_findings_are_as_they_were() {
    let mut world = World::new();
    world.commit_query("acme", "2026-01-20", 22, &findings("findings", "acme", "2026-01-20", ""));
    let report = build_with(&world, &world.config());
    assert_eq!(report.tenants[0].attribution, None);
    assert!(world.store.list(layout::FINDINGS_ENRICHED).unwrap().is_empty());
    let costs = &report.tenants[0].export.as_ref().unwrap().manifest.costs;
    assert_eq!((costs.findings_with_cost_30d, costs.findings_by_method.len()), (0, 1));
}

/// Both tenants have the same accounts and resources, and are built in one batch.
#[test]
fn tenants_are_kept_apart() {
    let mut world = world();
    world.commit_query("globex", "2026-01-20", 22, &findings("findings", "globex", "2026-01-20", ""));
    world.commit_query("initech", "2026-01-20", 22, &findings("findings", "initech", "2026-01-20", ""));
    deliver(&world, "globex", 2, "d9", "");
    build_with(&world, &world.config());
    let (acme, globex) = (costs(&world, "acme"), costs(&world, "globex"));
    assert_eq!(acme["aws.ec2.ebs.unattached.volume"].as_deref(), Some("7.534005"));
    assert_eq!(globex["aws.ec2.ebs.unattached.volume"].as_deref(), Some("5.404690"));
    assert!(world.store.get(&path(layout::FINDINGS_ENRICHED, "initech")).unwrap().is_none());
    let alone = World::new();
    let mut alone = alone;
    alone.commit_query("globex", "2026-01-20", 22, &findings("findings", "globex", "2026-01-20", ""));
    deliver(&alone, "globex", 2, "d9", "");
    build(&alone);
    assert_eq!(costs(&alone, "globex"), globex);
}

#[test]
fn an_amount_that_overflows_fails_its_record_only() {
    let world = world();
    build(&world);
    let before = costs(&world, "acme");
    let large = ", CASE WHEN resource_id = 'vol-0154ca7e52355e7f8' THEN CAST('999999999999999999.5' AS DECIMAL(38,12)) \
                 ELSE CAST(cost_amortized AS DECIMAL(38,12)) END AS cost_amortized";
    let (period, days) = PERIODS[2];
    let query = facts("acme", period, "d2", "")
        .replace("CAST(cost_amortized AS DECIMAL(38,12)) AS cost_amortized", &large[2..]);
    world.deliver_queries("acme", period, days, &[("d2", 0, &query)]);
    let report = build(&world);
    // The volume's own finding, and the one about the whole service.
    assert_eq!((report.amount_overflows, report.rows), (2, 22));
    let after = costs(&world, "acme");
    for (check, cost) in before {
        let overflows = ["aws.ec2.ebs.unattached.volume", "aws.cost.anomaly.spike"].contains(&check.as_str());
        assert_eq!(after[&check], if overflows { None } else { cost }, "{check}");
    }
}

#[test]
fn a_tag_key_may_hold_anything() {
    let key = r#"O'Brien "x"; DROP TABLE fact; --"#;
    let mut world = World::new();
    let quoted = key.replace('\'', "''");
    let change = format!(", MAP {{'{quoted}': 't''v'}} AS tags");
    let only = format!(
        "SELECT * FROM ({}) WHERE check_id = 'aws.ecs.service.zero.running'",
        findings("findings", "acme", "2026-01-20", &change)
    );
    world.commit_query("acme", "2026-01-20", 1, &only);
    let (period, days) = PERIODS[2];
    let tagged = ", CASE WHEN resource_id LIKE '%task%' THEN MAP {'obrien x drop_table_fact': 't''v'} END AS tags";
    world.deliver_queries("acme", period, days, &[("d1", 0, &facts("acme", period, "d1", tagged))]);
    let mut config = world.config();
    config.options.attribution = AttributionOptions { tag_keys: vec![key.to_owned()], ..AttributionOptions::default() };
    build_with(&world, &config);
    let rows = rows(&world, "acme", &priced_period("2026-01-20"), "to_json(actual.attribution)");
    assert_eq!(rows[0]["method"], "tag", "{rows:?}");
    assert_eq!(rows[0]["matched_keys"][0], format!("tag:{key}"));
}

#[test]
fn what_a_producer_filled_stays() {
    let mut world = World::new();
    let filled = ", {'cost_30d': CAST('1.5' AS DECIMAL(18,6)), 'model': {'currency': 'EUR', 'cost_model': 'net'}, \
                  'attribution': {'method': 'exact_resource_id', 'confidence': CAST(77 AS UTINYINT), \
                  'matched_keys': ['own']}} AS actual";
    world.commit_query("acme", "2026-01-20", 22, &findings("findings", "acme", "2026-01-20", filled));
    deliver(&world, "acme", 2, "d1", "");
    assert_eq!(build(&world).evidence_rows, 0);
    assert!(costs(&world, "acme").values().all(|cost| cost.as_deref() == Some("1.500000")));
}

/// Findings about these resources of one run, of the check about volumes.
fn found(run: (&str, &str), kind: &str, ids: &[&str]) -> String {
    let (run_id, run_ts) = run;
    let ids: Vec<String> = ids.iter().map(|id| format!("('{id}')")).collect();
    format!(
        "SELECT finding.* REPLACE (
            '{run_id}' AS run_id, CAST('{run_ts}' AS TIMESTAMPTZ) AS run_ts, id AS fingerprint, id AS finding_id,
            'prod' AS workspace_id, 'fail' AS status, MAP {{}} AS tags,
            {{'cloud': 'aws', 'account_id': '055413496693', 'region': 'us-west-2', 'service': '{kind}',
              'resource_type': 'thing', 'resource_id': id, 'resource_arn': ''}} AS scope
        ) FROM ({}) AS finding, (VALUES {}) AS thing (id) WHERE check_id = '{VOLUMES}'",
        findings("findings", "acme", "2026-01-20", ""),
        ids.join(", ")
    )
}

const VOLUMES: &str = "aws.ec2.ebs.unattached.volume";

/// A bill of daily usage; `rows` gives columns of its own by `day`, over those that all rows share.
fn daily(period: &str, days: (&str, &str), rows: &[&str]) -> String {
    let shared = format!(
        "'acme' AS tenant_id, '{period}' AS billing_period, CAST(day AS TIMESTAMPTZ) AS usage_start,
        CAST(day + INTERVAL 1 DAY AS TIMESTAMPTZ) AS usage_end,
        '055413496693' AS account_id, 'us-west-2' AS region, 'ec2' AS service, 'AmazonEC2' AS service_code, 'USD' AS currency,
        'Usage' AS charge_category, false AS model_fallback, 'd1/bill.csv' AS source_ref, MAP {{'a': 'b'}} AS tags"
    );
    let of = |row: &&str| {
        format!(
            "SELECT {shared}, {row} FROM (SELECT unnest(generate_series(TIMESTAMP '{}', TIMESTAMP '{}', INTERVAL 1 DAY)) AS day)",
            days.0, days.1
        )
    };
    rows.iter().map(of).collect::<Vec<_>>().join(" UNION ALL BY NAME ")
}

const FIRST: (&str, &str) = ("r1", "2026-01-10T10:00:00Z");
const SECOND: (&str, &str) = ("r2", "2026-01-12T10:00:00Z");

/// One volume is changed to a cheaper type between two runs, and grows by a fifth; the other stays as it is, and is still found. The
/// bill covers the week behind the second run, of which there is no manifest yet.
fn a_volume_is_changed() -> World {
    let mut world = World::new();
    world.commit_query("acme", "2026-01-10", 2, &found(FIRST, "AmazonEC2", &["vol-0000000a", "vol-0000000b"]));
    world.commit_query("acme", "2026-01-12", 1, &found(SECOND, "AmazonEC2", &["vol-0000000b"]));
    world.run_manifest_of("acme", FIRST, RunStatus::Complete, 0, &[VOLUMES]);
    deliver_volumes(&world, "2025-12", "2025-12-01", "2025-12-31", "2026-01-01");
    deliver_volumes(&world, "2026-01", "2026-01-01", "2026-01-21", "2026-01-22");
    world
}

fn deliver_volumes(world: &World, period: &str, from: &str, to: &str, end: &str) {
    let rows = [
        "'vol-0000000a' AS resource_id, CASE WHEN day < TIMESTAMP '2026-01-12' THEN 'EBS:VolumeUsage.gp2' ELSE 'EBS:VolumeUsage.gp3' END AS usage_type,
         CAST(CASE WHEN day < TIMESTAMP '2026-01-12' THEN 2 ELSE 1.8 END AS DECIMAL(38,12)) AS cost_amortized,
         CAST(CASE WHEN day < TIMESTAMP '2026-01-12' THEN 10 ELSE 12 END AS DECIMAL(38,12)) AS quantity,
         cost_amortized AS cost_unblended",
        "'vol-0000000b' AS resource_id, 'EBS:VolumeUsage.gp2' AS usage_type, CAST(2 AS DECIMAL(38,12)) AS cost_amortized,
         CAST(10 AS DECIMAL(38,12)) AS quantity, cost_amortized AS cost_unblended",
    ];
    world.deliver_queries("acme", period, (from, end), &[("d1", 0, &daily(period, (from, to), &rows))]);
}

/// What arrived of the savings of the two volumes.
fn arrived_of(world: &World) -> Vec<Value> {
    build(world);
    let expression = "to_json({'id': finding_id, 'week': CAST(actual.savings_7d AS VARCHAR),
        'month': CAST(actual.savings_30d AS VARCHAR), 'more': dimensions})";
    rows_of(world, "2026-01-10", expression)
}

fn still(id: &str) -> Value {
    serde_json::json!({"id": id, "week": null, "month": null, "more": null})
}

#[test]
fn savings_arrive_on_the_bill_when_a_finding_is_resolved() {
    let world = a_volume_is_changed();
    let shown = || arrived_of(&world);
    // No later run is known to have looked: nothing is resolved.
    assert_eq!(shown(), [still("vol-0000000a"), still("vol-0000000b")]);
    // A partial look is none.
    world.run_manifest_of("acme", SECOND, RunStatus::Partial, 0, &[VOLUMES]);
    assert_eq!(shown(), [still("vol-0000000a"), still("vol-0000000b")]);
    world.run_manifest_of("acme", SECOND, RunStatus::Complete, 0, &[VOLUMES]);
    let week = serde_json::json!({"arrived_cost_after_7d": "12.600000", "arrived_usage_drift_7d": "2.100000",
        "resolved_on": "2026-01-12"});
    let arrived = serde_json::json!({"id": "vol-0000000a", "week": "3.500000", "month": null, "more": week});
    assert_eq!(shown(), [arrived, still("vol-0000000b")]);
    deliver_volumes(&world, "2026-01", "2026-01-01", "2026-01-31", "2026-02-01");
    deliver_volumes(&world, "2026-02", "2026-02-01", "2026-02-12", "2026-02-13");
    let month = serde_json::json!({"arrived_cost_after_30d": "54.000000", "arrived_cost_after_7d": "12.600000",
        "arrived_usage_after_30d": "360.000000", "arrived_usage_before_30d": "300.000000",
        "arrived_usage_drift_30d": "9.000000", "arrived_usage_drift_7d": "2.100000", "resolved_on": "2026-01-12"});
    let arrived = serde_json::json!({"id": "vol-0000000a", "week": "3.500000", "month": "15.000000", "more": month});
    assert_eq!(shown(), [arrived, still("vol-0000000b")]);
    assert_eq!(build(&world).changed, 0);
}

/// What an account has of a kind is no resource: its findings show what account, region and service cost.
#[test]
fn what_an_account_has_of_a_kind_is_priced_by_its_service() {
    let mut world = World::new();
    let query = found(("r1", "2026-01-20T10:00:00Z"), "AmazonEC2", &["i-0000000b", "m4"])
        .replace("'thing'", "'instance_family'");
    world.commit_query("acme", "2026-01-20", 2, &query);
    let rows = ["a", "b"].map(|id| {
        let cost = "CAST(1 AS DECIMAL(38,12)) AS cost_amortized, cost_amortized AS cost_unblended";
        format!("'i-0000000{id}' AS resource_id, {cost}")
    });
    let rows = [&*rows[0], &*rows[1]];
    let bill = daily("2026-01", ("2026-01-01", "2026-01-19"), &rows);
    world.deliver_queries("acme", "2026-01", ("2026-01-01", "2026-02-01"), &[("d1", 0, &bill)]);
    build(&world);
    let shown = rows_of(&world, "2026-01-20", "to_json([actual.attribution.method, CAST(actual.cost_mtd AS VARCHAR)])");
    // Of a producer that names one resource all the same, it is that one's.
    let expected = [["exact_resource_id", "19.000000"], ["heuristic", "38.000000"]];
    assert_eq!(shown, expected.map(|cells| serde_json::json!(cells)));
}

fn rows_of(world: &World, run_date: &str, expression: &str) -> Vec<Value> {
    rows(world, "acme", &priced_period(run_date), expression)
}

/// An instance of 10 a day, of which 3 and 4 are split off for two pods: each is priced by its own, and none of it counts twice.
#[test]
fn split_costs_are_those_of_what_runs_on_a_resource() {
    let mut world = World::new();
    let run = ("r1", "2026-01-20T10:00:00Z");
    let things = ["i-0000000a", "pod-1", "pod-2"];
    world.commit_query("acme", "2026-01-20", 3, &found(run, "AmazonEKS", &things));
    let pod = |n: u32, cost: u32| {
        format!(
            "'arn:aws:eks:us-west-2:1:pod/c/ns/a/pod-{n}' AS resource_id, CAST(0 AS DECIMAL(38,12)) AS cost_amortized,
            CAST(0 AS DECIMAL(38,12)) AS cost_unblended, resource_id AS split_resource_id, 'i-0000000a' AS split_parent_id,
            MAP {{'app': 'web'}} AS split_tags, CAST({cost} AS DECIMAL(38,12)) AS split_cost_amortized"
        )
    };
    let instance = "'i-0000000a' AS resource_id, CAST(10 AS DECIMAL(38,12)) AS cost_amortized,
        CAST(12 AS DECIMAL(38,12)) AS cost_unblended";
    let query = daily("2026-01", ("2026-01-01", "2026-01-19"), &[instance, &pod(1, 3), &pod(2, 4)]);
    world.deliver_queries("acme", "2026-01", ("2026-01-01", "2026-01-20"), &[("d1", 0, &query)]);
    let expression = "to_json([finding_id, CAST(actual.cost_7d AS VARCHAR), actual.attribution.method])";
    let of = |config: &ExporterConfig| {
        build_with(&world, config);
        rows_of(&world, "2026-01-20", expression).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let exact = |id: &str, cost: &str| format!(r#"["{id}","{cost}","exact_resource_id"]"#);
    let priced = of(&world.config());
    assert_eq!(priced, [exact("i-0000000a", "70.000000"), exact("pod-1", "21.000000"), exact("pod-2", "28.000000")]);
    let notes = rows(&world, "acme", &evidence_period("2026-01-20"), "to_json([finding_id, notes])");
    assert_eq!(notes[1..], [serde_json::json!(["pod-1", "split_cost"]), serde_json::json!(["pod-2", "split_cost"])]);
    // AWS splits no unblended cost: nothing is known of the pods then.
    let mut config = world.config();
    config.options.attribution.model = exporter::CostModel::Unblended;
    let none = |id: &str| format!(r#"["{id}",null,"none"]"#);
    assert_eq!(of(&config), [exact("i-0000000a", "84.000000"), none("pod-1"), none("pod-2")]);
}
