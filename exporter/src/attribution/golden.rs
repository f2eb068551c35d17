//! The reference: cost facts and findings in, `actual` and evidence out, as text and without tolerance (golden/cur).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::compute::compute;
use super::options::{AttributionOptions, CostModel};
use super::resolved::load_none;
use crate::duck::{Duck, DuckLimits, literal};

/// The reference splits no costs.
const NOT_SPLIT: &str = "CAST(NULL AS DECIMAL(38,12)) AS quantity, CAST(NULL AS VARCHAR) AS split_resource_id, CAST(NULL AS VARCHAR) AS split_parent_id, \
    CAST(NULL AS MAP(VARCHAR, VARCHAR)) AS split_tags, CAST(NULL AS DECIMAL(38,12)) AS split_cost_unblended, \
    CAST(NULL AS DECIMAL(38,12)) AS split_cost_net, CAST(NULL AS DECIMAL(38,12)) AS split_cost_amortized, \
    CAST(NULL AS DECIMAL(38,12)) AS split_cost_blended";

fn folder() -> PathBuf {
    PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden/attribution")
}

/// The facts of an input: what the loader of bills is compared with.
fn facts_of(input: &str) -> String {
    format!("../../../../producers/collectors/tests/golden/cur/expected/{input}/normalized.jsonl")
}

fn lines(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder().join(path)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read_json(path: &str, columns: &str) -> String {
    let path = literal(&folder().join(path).display().to_string());
    format!("read_json({path}, format = 'newline_delimited', columns = {{{columns}}})")
}

/// A session with the facts and findings of two files.
pub(super) fn session(facts: &str, findings: &str) -> Duck {
    let duck = Duck::open(&DuckLimits { threads: 1, ..DuckLimits::default() }).unwrap();
    let text = [
        "payer_account_id",
        "account_id",
        "region",
        "service_code",
        "service",
        "resource_id",
        "line_item_type",
        "charge_category",
        "usage_type",
        "operation",
        "currency",
    ];
    let costs = CostModel::ALL.map(CostModel::column);
    let typed =
        |names: &[&str], kind: &str| names.iter().map(|n| format!("{n}: '{kind}'")).collect::<Vec<_>>().join(", ");
    let columns = format!(
        "{}, {}, usage_start: 'TIMESTAMP', usage_end: 'TIMESTAMP', model_fallback: 'BOOLEAN', tags: 'MAP(VARCHAR, VARCHAR)'",
        typed(&text, "VARCHAR"),
        typed(&costs, "VARCHAR")
    );
    let costs = costs.map(|cost| format!("CAST({cost} AS DECIMAL(38,12)) AS {cost}")).join(", ");
    let facts = read_json(facts, &columns);
    duck.run("facts", &format!("CREATE TEMP TABLE fact AS SELECT 'acme' AS tenant_id, * REPLACE ({costs}), 'd1/f' AS source_ref, {NOT_SPLIT} FROM {facts}"))
        .unwrap();
    let scope = "cloud VARCHAR, account_id VARCHAR, region VARCHAR, service VARCHAR, resource_type VARCHAR, \
                 resource_id VARCHAR, resource_arn VARCHAR";
    let own = ["tenant_id", "workspace_id", "run_id", "finding_id", "fingerprint", "check_id", "status"];
    let columns = format!(
        "{}, run_ts: 'TIMESTAMP', scope: 'STRUCT({scope})', tags: 'MAP(VARCHAR, VARCHAR)'",
        typed(&own, "VARCHAR")
    );
    let findings = read_json(findings, &columns);
    duck.run(
        "findings",
        &format!(
            "CREATE TEMP TABLE unpriced AS \
             SELECT * EXCLUDE (service), service AS raw_service, 'file' AS __file, row_number() OVER () AS __row \
             FROM (SELECT * EXCLUDE (scope), unnest(scope) FROM {findings})"
        ),
    )
    .unwrap();
    load_none(&duck).unwrap();
    duck
}

/// `actual` as a reader of the reference writes it, by run and finding.
pub(super) fn actuals(duck: &Duck, model: CostModel) -> BTreeMap<(String, String), Value> {
    let sql = format!(
        "SELECT run_id, finding_id, CAST(to_json({{
            cost_7d: CAST(cost_7d AS VARCHAR), cost_30d: CAST(cost_30d AS VARCHAR), cost_mtd: CAST(cost_mtd AS VARCHAR),
            cost_prev_month: CAST(cost_prev_month AS VARCHAR), savings_7d: NULL, savings_30d: NULL,
            model: {{
                currency: currency, cost_model: CASE WHEN method IS NOT NULL THEN {} END, granularity: granularity,
                period_start: CASE WHEN method IS NOT NULL THEN CAST(as_of - 30 AS VARCHAR) END,
                period_end: CASE WHEN method IS NOT NULL THEN CAST(as_of AS VARCHAR) END
            }},
            attribution: {{
                method: coalesce(method, 'none'), confidence: coalesce(confidence, 0),
                matched_keys: coalesce(matched_keys, [])
            }}
        }}) AS VARCHAR) FROM attributed",
        literal(model.as_str())
    );
    let read = |row: &duckdb::Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get::<_, String>(2)?));
    let rows = duck.rows("reading", &sql, [], read).unwrap();
    rows.into_iter().map(|(key, json)| (key, serde_json::from_str(&json).unwrap())).collect()
}

/// Evidence in the order of its text: the reference leaves out the run and where a row came from.
fn evidence(duck: &Duck) -> Vec<String> {
    let sql = "SELECT CAST(to_json({
            confidence: confidence, cost_amount: CAST(cost_amount AS VARCHAR), cost_model: cost_model, cur: cur,
            currency: currency, finding_id: finding_id, fingerprint: fingerprint, matched_keys: matched_keys,
            method: method, notes: notes, period_end: CAST(period_end AS VARCHAR),
            period_start: CAST(period_start AS VARCHAR), tenant_id: tenant_id, workspace_id: workspace_id
        }) AS VARCHAR) FROM evidence";
    let rows: Vec<String> = duck.rows("reading", sql, [], |row| row.get(0)).unwrap();
    sorted(rows.iter().map(|json| serde_json::from_str(json).unwrap()))
}

fn sorted(values: impl Iterator<Item = Value>) -> Vec<String> {
    let mut texts: Vec<String> = values.map(|value| value.to_string()).collect();
    texts.sort();
    texts
}

fn check(input: &str, model: CostModel, findings: &str, enriched: &str) -> Duck {
    let duck = session(&facts_of(input), &format!("findings/{findings}.jsonl"));
    compute(&duck, &AttributionOptions { model, ..AttributionOptions::default() }, "USD").unwrap();
    let found = actuals(&duck, model);
    let expected = lines(&format!("expected/{input}/{}/{enriched}.jsonl", model.as_str()));
    assert_eq!(found.len(), expected.len(), "{input} {model:?}");
    for line in expected {
        let key = (line["run_id"].as_str().unwrap().to_owned(), line["finding_id"].as_str().unwrap().to_owned());
        assert_eq!(found[&key], line["actual"], "{input} {model:?} {}", line["check_id"]);
    }
    duck
}

#[test]
fn findings_are_priced_as_in_the_reference() {
    let (all, two) = (CostModel::ALL.as_slice(), [CostModel::Amortized, CostModel::Unblended].as_slice().to_vec());
    for (input, models) in [
        ("legacy_parquet", all),
        ("focus10_parquet", all),
        ("cur2_parquet", &two),
        ("multicurrency", &two),
        ("edge", &two),
    ] {
        for model in models {
            let duck = check(input, *model, "findings", "enriched");
            if *model == CostModel::Amortized && input != "edge" {
                let expected = sorted(lines(&format!("expected/{input}/amortized/evidence.jsonl")).into_iter());
                assert_eq!(evidence(&duck), expected, "{input}");
            }
        }
    }
}

/// With stable ids every run has the same finding ids: each row has the day of its own run.
#[test]
fn two_runs_are_each_priced_by_their_own_day() {
    check("legacy_parquet", CostModel::Amortized, "findings_two_runs", "enriched_two_runs");
}

/// The dialects of one bill give the same facts but for the spelling of tag keys, which is no matter.
#[test]
fn dialects_of_one_bill_price_alike() {
    let priced = |input: &str| {
        let duck = session(&facts_of(input), "findings/findings.jsonl");
        compute(&duck, &AttributionOptions::default(), "USD").unwrap();
        (actuals(&duck, CostModel::Amortized), evidence(&duck))
    };
    assert_eq!(priced("legacy_csv"), priced("legacy_parquet"));
    assert_eq!(priced("legacy_csv"), priced("cur2_parquet"));
}
