//! `finops findings show`.

use contracts::tenant_scope::TenantScope;
use exporter::{FindingDetail, ID_PREFIX_MIN, show_finding};
use lake::cut::Cut;
use platform::exit::ExitCode;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::{Column, Kind, Output, Page, Rows, amount, print_text, print_value, quoted, width};
use crate::settings::Settings;

/// Runs of a finding that are listed.
const SIGHTINGS_SHOWN: usize = 10;

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Amount,
}

use Form::{Amount, Plain};

/// Label, path in the stored record, and what it holds.
type PageField = (&'static str, &'static str, Form);

/// Parts of a page: heading and fields. Fields that are empty are left out.
const PARTS: &[(&str, &[PageField])] = &[
    (
        "Money",
        &[
            ("savings a month", "/estimated/monthly_savings", Amount),
            ("cost a month", "/estimated/monthly_cost", Amount),
            ("savings once", "/estimated/one_time_savings", Amount),
            ("confidence", "/estimated/confidence", Plain),
            ("notes", "/estimated/notes", Plain),
            ("billed 7 days", "/actual/cost_7d", Amount),
            ("billed 30 days", "/actual/cost_30d", Amount),
            ("billed this month", "/actual/cost_mtd", Amount),
            ("billed last month", "/actual/cost_prev_month", Amount),
            ("arrived 7 days", "/actual/savings_7d", Amount),
            ("arrived 30 days", "/actual/savings_30d", Amount),
            ("billed by", "/actual/attribution/method", Plain),
            ("match confidence", "/actual/attribution/confidence", Plain),
            ("matched by", "/actual/attribution/matched_keys", Plain),
            ("cost model", "/actual/model/cost_model", Plain),
            ("from", "/actual/model/period_start", Plain),
            ("until", "/actual/model/period_end", Plain),
        ],
    ),
    (
        "Where",
        &[
            ("tenant", "/tenant_id", Plain),
            ("workspace", "/workspace_id", Plain),
            ("cloud", "/scope/cloud", Plain),
            ("billing account", "/scope/billing_account_id", Plain),
            ("account", "/scope/account_id", Plain),
            ("region", "/scope/region", Plain),
            ("availability zone", "/scope/availability_zone", Plain),
            ("service", "/scope/service", Plain),
            ("resource type", "/scope/resource_type", Plain),
            ("resource", "/scope/resource_id", Plain),
            ("ARN", "/scope/resource_arn", Plain),
            ("owner", "/allocation/owner", Plain),
            ("cost center", "/allocation/cost_center", Plain),
            ("product", "/allocation/product", Plain),
            ("environment", "/allocation/environment", Plain),
        ],
    ),
    (
        "What",
        &[
            ("check", "/check_id", Plain),
            ("name", "/check_name", Plain),
            ("category", "/category", Plain),
            ("lifecycle", "/lifecycle/status", Plain),
            ("snoozed until", "/lifecycle/snooze_until_ts", Plain),
            ("finding id", "/finding_id", Plain),
            ("fingerprint", "/fingerprint", Plain),
            ("run", "/run_id", Plain),
            ("run started", "/run_ts", Plain),
            ("checker", "/source/source_ref", Plain),
            ("engine", "/engine_name", Plain),
            ("found by", "/source/engine", Plain),
            ("refreshed", "/source/refreshed_ts", Plain),
            ("rulepack", "/rulepack_version", Plain),
        ],
    ),
];

/// Maps that become a part of their own.
const MAPS: [(&str, &str); 4] =
    [("Tags", "/tags"), ("Labels", "/labels"), ("Dimensions", "/dimensions"), ("Metrics", "/metrics")];

pub fn run(id: &str, scope: &TenantScope, cut: &Cut, settings: &Settings, output: Output) -> Result<ExitCode> {
    if id.len() < ID_PREFIX_MIN {
        return Err(Failure::bad_input(format!(
            "finding id {id:?} is too short: give the first {ID_PREFIX_MIN} characters or more of a finding id or a fingerprint"
        )));
    }
    let found =
        show_finding(cut, scope, id, &settings.duck).map_err(|error| super::unknown_tenant(error, cut, settings))?;
    let Some(found) = found else {
        let list = format!("`finops findings list --tenant {} {}`", quoted(scope.as_str()), settings.flags());
        let why =
            format!("tenant {scope} has no finding whose id or fingerprint begins with {id:?}; {list} lists them");
        return Err(Failure::bad_input(why));
    };
    match output {
        Output::Table => print_text(&page(&found, width()))?,
        _ => print_value(&serde_json::to_value(&found).unwrap_or_default(), output)?,
    }
    Ok(ExitCode::Done)
}

/// The finding for people; `--output json` has every column.
fn page(found: &FindingDetail, width: Option<usize>) -> String {
    let record: Value = serde_json::from_str(found.record.get()).unwrap_or_default();
    let actual: Option<Value> = found.actual.as_ref().and_then(|actual| serde_json::from_str(actual.get()).ok());
    let dimensions: Option<Value> =
        found.dimensions.as_ref().and_then(|stored| serde_json::from_str(stored.get()).ok());
    // Costs that were attributed take the place of the stored ones; their currency is that of the bill.
    let member = |path: &str| match (path.strip_prefix("/actual"), &actual) {
        (Some(path), Some(actual)) => actual.pointer(path),
        _ => record.pointer(path),
    };
    let text = |path: &str| match member(path) {
        None | Some(Value::Null) => String::new(),
        Some(Value::Array(values)) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Some(value) => plain(value),
    };
    let billed_in = text("/actual/model/currency");
    let currency = record.pointer("/actual/model/currency").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut page = Page::new(width);
    page.text(&text("/title"));
    page.text(&format!("{} (score {}), {}", text("/severity/level"), text("/severity/score"), text("/status")));
    for path in ["/message", "/recommendation", "/remediation"] {
        let said = text(path);
        if !said.is_empty() {
            page.text(" ");
            page.text(&said);
        }
    }
    for (heading, fields) in PARTS {
        let filled: Vec<_> = fields.iter().filter(|(_, path, _)| !text(path).is_empty()).collect();
        if filled.is_empty() {
            continue;
        }
        page.heading(heading);
        for (label, path, form) in filled {
            let value = text(path);
            let currency = if path.starts_with("/actual") { &billed_in } else { &currency };
            page.field(label, &if *form == Amount { amount(&value, currency) } else { value });
        }
    }
    for (heading, path) in MAPS {
        let priced = dimensions.as_ref().filter(|_| path == "/dimensions");
        let Some(Value::Object(members)) = priced.or_else(|| record.pointer(path)) else { continue };
        if !members.is_empty() {
            page.heading(heading);
            members.iter().for_each(|(name, value)| page.field(name, &plain(value)));
        }
    }
    sightings(&mut page, found, &currency);
    page.finish()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn sightings(page: &mut Page, found: &FindingDetail, currency: &str) {
    let total = found.sightings.len();
    let shown = total.min(SIGHTINGS_SHOWN);
    match total > shown {
        true => page.heading(&format!("Seen in {total} runs, the newest {shown} of them")),
        false => page.heading(&format!("Seen in {total} run(s)")),
    }
    let mut rows = Rows::of(vec![
        Column::sized("run started", Kind::Text, 24, 0),
        Column::sized("status", Kind::Text, 7, 0),
        Column::sized("severity", Kind::Text, 8, 0),
        Column::sized("savings/mo", Kind::Number, 0, 0),
        Column::sized("workspace", Kind::Text, 9, 1),
        Column::sized("run", Kind::Id, 24, 2),
    ]);
    for seen in found.sightings.iter().take(shown) {
        let savings = seen.est_monthly_savings.as_deref();
        let savings = savings.map(|text| amount(text, seen.currency.as_deref().unwrap_or(currency)));
        rows.push(vec![
            json!(seen.run_ts),
            json!(seen.status),
            json!(seen.severity_level),
            json!(savings),
            json!(seen.workspace_id),
            json!(seen.run_id),
        ]);
    }
    page.rows(&rows);
}

#[cfg(test)]
mod tests {
    use exporter::Sighting;
    use serde_json::value::RawValue;

    use super::*;

    fn found(runs: usize) -> FindingDetail {
        let record = json!({
            "tenant_id": "acme", "workspace_id": "prod", "finding_id": "2b76f7d5".repeat(8), "fingerprint": "aa01".repeat(16),
            "run_id": "run-1", "run_ts": "2026-01-20T10:00:00.000Z", "check_id": "aws.ec2.ebs.gp2.to.gp3",
            "check_name": "gp2 volumes", "category": "cost", "status": "fail", "severity": { "level": "medium", "score": 650 },
            "title": "Volume still on gp2 \u{1b}[31m", "message": "vol-0a1b2c3d4e5f60718 (500 GiB) costs more than it has to, \
             since gp3 has a lower price for the same size.",
            "recommendation": "Convert the volume to gp3.", "remediation": null,
            "scope": { "cloud": "aws", "account_id": "444455556666", "region": "eu-west-3", "service": "AmazonEC2",
                       "resource_type": "ebs_volume", "resource_id": "vol-0a1b2c3d4e5f60718" },
            "estimated": { "monthly_savings": "10.005000", "monthly_cost": "50.000000", "one_time_savings": null, "confidence": 85 },
            "actual": { "model": { "currency": "EUR" } },
            "lifecycle": { "status": "open" }, "tags": { "Name": "db-data", "team": "a\nb" }, "labels": {},
        });
        let sighting = Sighting {
            workspace_id: Some("prod".into()),
            run_id: Some("run-2026-01-20T10:00:00.000Z-0123abcd".into()),
            run_ts: Some("2026-01-20T10:00:00.000Z".into()),
            status: Some("fail".into()),
            severity_level: Some("medium".into()),
            est_monthly_savings: Some("10.005000".into()),
            currency: Some("EUR".into()),
        };
        FindingDetail {
            record: RawValue::from_string(record.to_string()).unwrap(),
            actual: None,
            dimensions: None,
            sightings: vec![sighting; runs],
        }
    }

    #[test]
    fn a_finding_fills_a_page() {
        insta::assert_snapshot!("page_80", page(&found(1), Some(80)));
        let mut resolved = found(1);
        let raw = |value: Value| RawValue::from_string(value.to_string()).ok();
        resolved.actual = raw(json!({
            "savings_30d": "9.600000", "model": { "currency": "USD" },
            "attribution": { "method": "exact_resource_id", "confidence": 95, "matched_keys": ["resource_arn", "resource_id"] },
        }));
        resolved.dimensions = raw(json!({ "resolved_on": "2026-01-22" }));
        let resolved = page(&resolved, Some(80));
        assert!(resolved.contains("arrived 30 days") && resolved.contains("9.60 USD"), "{resolved}");
        assert!(resolved.contains("resolved_on"), "{resolved}");
        assert!(resolved.contains("exact_resource_id") && resolved.contains("resource_arn, resource_id"), "{resolved}");
        assert!(page(&found(12), None).contains("Seen in 12 runs, the newest 10 of them"));
        assert!(page(&found(1), Some(80)).lines().all(|line| line.chars().count() <= 82), "64 digits and their label");
    }
}
