//! What the KPIs of savings, coverage and commitments look at, over small worlds made by hand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod support;

use contracts::tenant_scope::TenantScope;
use exporter::build_gold;

use support::{FACT, FINDING, Fact, Finding, NOW_MS, World};

fn build_at(world: &World, now_ms: i64) {
    let scope = TenantScope::new("acme").unwrap();
    build_gold(&world.cut(), &scope, &*world.store, "USD", now_ms, &exporter::DuckLimits::default()).unwrap();
}

/// Rows of `kpi` of one period and workspace, without these.
fn values(world: &World, scope: &str, kpi: &str) -> Vec<String> {
    let prefix = format!("{scope} {kpi}{{");
    let rows = world.gold("acme").into_iter().filter(|row| row.starts_with(&prefix));
    rows.map(|row| row[prefix.len() - 1..].to_owned()).collect()
}

fn check(findings: &[Finding], kpi: &str, expected: &[&str]) {
    let mut world = World::new();
    world.commit("acme", findings);
    build_at(&world, NOW_MS);
    assert_eq!(values(&world, "2026-01-20 prod", kpi), expected, "{kpi}");
}

const VOLUME: Option<&str> = Some("arn:aws:ec2:eu-west-3:111122223333:volume/vol-1");

#[test]
fn two_findings_of_one_resource_are_not_both_saved() {
    let findings = [
        Finding { resource_arn: VOLUME, ..FINDING },
        Finding { fingerprint: "f2", resource_arn: VOLUME, savings: Some("4"), ..FINDING },
        Finding { fingerprint: "f3", savings: Some("1"), ..FINDING },
        Finding { fingerprint: "f4", resource_arn: VOLUME, savings: Some("9"), currency: "EUR", ..FINDING },
        Finding { fingerprint: "f5", resource_arn: VOLUME, savings: Some("2"), account_id: "42", ..FINDING },
        Finding { fingerprint: "f6", resource_arn: VOLUME, savings: Some("99"), state: "ignored", ..FINDING },
        Finding {
            fingerprint: "f7",
            savings: Some("5"),
            state: "snoozed",
            snooze_until: Some("2026-02-01T00:00:00Z"),
            ..FINDING
        },
        Finding {
            fingerprint: "f8",
            resource_arn: VOLUME,
            source_ref: "correlation:x",
            savings: Some("50"),
            ..FINDING
        },
    ];
    let net = [
        "{} 9.000000 EUR",
        "{} 13.500000 USD",
        "{account_id=000000000042} 2.000000 USD",
        "{account_id=111122223333} 9.000000 EUR",
        "{account_id=111122223333} 11.500000 USD",
        "{service=ec2} 9.000000 EUR",
        "{service=ec2} 13.500000 USD",
    ];
    check(&findings, "savings.potential_monthly_net", &net);
    check(&findings, "savings.deferred_monthly", &["{} 5.000000 USD"]);
    check(&findings, "savings.dismissed_monthly", &["{} 99.000000 USD"]);
    check(&findings, "findings.meta_count", &["{check_id=aws.ec2.ebs.gp2.to.gp3} 1.000000"]);
    check(&findings, "findings.open_by_severity_category", &["{category=cost|severity=medium} 5.000000"]);
    check(
        &findings,
        "findings.count_by_account",
        &["{account_id=000000000042} 1.000000", "{account_id=111122223333} 7.000000"],
    );
    check(&findings, "findings.count_by_service", &["{service=ec2} 8.000000"]);
    check(&findings, "findings.count_by_region", &["{region=eu-west-3} 8.000000"]);
}

#[test]
fn a_resource_is_flagged_once_and_only_with_a_cost_of_its_own() {
    let own = Finding { resource_arn: VOLUME, method: Some("exact_resource_id"), cost_30d: Some("7"), ..FINDING };
    let findings = [
        own.clone(),
        Finding { fingerprint: "f2", method: Some("tag"), cost_30d: Some("8"), ..own.clone() },
        Finding { fingerprint: "f3", method: Some("heuristic"), cost_30d: Some("900"), ..own.clone() },
        Finding {
            fingerprint: "f4",
            resource_arn: None,
            method: Some("tag"),
            cost_30d: Some("1"),
            savings: None,
            ..FINDING
        },
        Finding { fingerprint: "f5", resource_arn: None, cost_30d: Some("80"), state: "ignored", ..own },
    ];
    check(&findings, "cost.flagged_30d", &["{} 9.000000 USD", "{service=ec2} 9.000000 USD"]);
    check(&findings, "coverage.estimate_pct", &["{} 80.000000"]);
}

#[test]
fn runs_are_counted_in_each_period() {
    let mut world = World::new();
    world.commit("acme", &[FINDING]);
    world.commit("acme", &[Finding { run_id: "r2", run_ts: "2026-01-21T10:00:00Z", ..FINDING }]);
    world.commit("acme", &[Finding { run_id: "r3", run_ts: "2026-01-21T11:00:00Z", workspace: "dev", ..FINDING }]);
    build_at(&world, NOW_MS);
    for (scope, count) in [("2026-01-20 prod", 1), ("2026-01-21 prod", 1), ("2026-01-21 *", 2), ("2026-01 *", 3)] {
        assert_eq!(values(&world, scope, "coverage.runs"), [format!("{{}} {count}.000000")], "{scope}");
        assert_eq!(values(&world, scope, "coverage.scopes_failed"), ["{} 0.000000"], "{scope}");
    }
}

const BILL: [Fact; 5] = [
    FACT,
    Fact { usage_start: "2026-01-21T00:00:00Z", line_item_type: Some("DiscountedUsage"), amortized: "3", ..FACT },
    Fact {
        usage_start: "2026-01-21T00:00:00Z",
        line_item_type: Some("RIFee"),
        category: "Purchase",
        amortized: "1",
        ..FACT
    },
    Fact { usage_start: "2026-01-22T00:00:00Z", commitment_status: Some("unused"), amortized: "1", ..FACT },
    Fact { usage_start: "2026-01-22T00:00:00Z", service: Some("s3"), amortized: "5", ..FACT },
];

#[test]
fn commitments_are_measured_by_what_usage_took_of_them() {
    let world = World::new();
    world.deliver("acme", "2026-01", "d", &BILL);
    build_at(&world, NOW_MS);
    let of = |kpi: &str| values(&world, "2026-01 *", kpi);
    assert_eq!(of("cost.commitment_unused"), ["{} 2.000000 USD", "{service=ec2} 2.000000 USD"]);
    assert_eq!(
        of("cost.commitment_utilization_pct"),
        ["{currency=USD} 60.000000", "{currency=USD|service=ec2} 60.000000"]
    );
    // 3 of 1.25 + 3 + 5, and of 1.25 + 3: what nothing used is no usage.
    assert_eq!(
        of("cost.commitment_coverage_pct"),
        ["{currency=USD} 32.430000", "{currency=USD|service=ec2} 70.590000"]
    );
    assert_eq!(of("coverage.cost_days"), ["{} 3.000000"]);
    assert!(values(&world, "2026-01-20 *", "cost.commitment_utilization_pct").is_empty(), "no commitment, no value");
    assert!(of("cost.forecast_month").is_empty(), "the month is over");
}

#[test]
fn the_running_month_is_forecast_from_its_fourth_day_on() {
    const DAY_MS: i64 = 86_400_000;
    // 2026-01-03T12:00:00Z.
    let third_ms = 1_767_441_600_000;
    let at = |now_ms| {
        let world = World::new();
        world.deliver("acme", "2026-01", "d", &BILL[..2]);
        build_at(&world, now_ms);
        values(&world, "2026-01 *", "cost.forecast_month")
    };
    assert_eq!(at(third_ms), [""; 0]);
    // 4.25 and 5 in two days of 31.
    let expected = ["{model=amortized} 65.875000 USD", "{model=unblended} 77.500000 USD"];
    assert_eq!(at(third_ms + DAY_MS), expected);
    assert_eq!(at(third_ms + 28 * DAY_MS), expected);
    assert_eq!(at(third_ms + 29 * DAY_MS), [""; 0]);
}
