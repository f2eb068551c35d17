//! Small bills of known truth, judged by all checkers over bills: what a FinOps lead would say after reading each of them, with the right
//! amount to the cent and its derivation in words. A bill lists its charges, one a line; a case lists every finding, so that a false one
//! fails it as well as a missing one.
//!
//! For each case the suite also reverses and shuffles the rows (same findings), moves them to another month (same issues), and compares
//! savings with the net cost.

use rust_decimal::Decimal;

use super::testing::{Row, bill, row};
use crate::finding::Finding;

mod azure;
mod commitments;
mod currencies;
mod discounts;
mod ended;
mod google;
mod growth;
mod idle;
mod labels;
mod monthly;
mod net;
mod off_hours;
mod reservations;
mod reversals;
mod services;
mod small;
mod spend;
mod storage;
mod support;
mod volumes;

/// One bill, and what is to be said about it.
pub(super) struct Case {
    /// What it is about.
    name: &'static str,
    /// Why the findings are these, with the arithmetic.
    why: &'static str,
    /// One charge a line: service (`gcp:Compute_Engine`, with its cloud where that is not AWS, and `_` for blanks), usage type (there: description,
    /// or `product|meter`), resource (`-` for none of either), and `first..end/step` hours of the month in rows of `step` hours;
    /// then `cost`, `qty` and other cells of each row (`key=value`). `copies=10` repeats it with resources of their own, and with
    /// `renew=24` each lives for 24 hours; `daily=20` leaves out all but the first 20 hours of each day, `nightly=20` all but the last.
    bill: &'static str,
    /// One finding a line: check without `billing.`, resource, status, savings and cost a month in cents of exactness; `-` for unknown.
    findings: &'static str,
}

/// Judges all cases, and reports all that differ.
#[track_caller]
pub(super) fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let rows: Vec<Row> = case.bill.lines().filter(|line| !line.trim().is_empty()).flat_map(rows_of).collect();
        let found = findings(&rows);
        let mut expected: Vec<String> =
            case.findings.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        expected.retain(|line| !line.is_empty());
        expected.sort();
        if said(&found) != expected {
            wrong.push(format!(
                "{}: {}\n  found    {:#?}\n  expected {:#?}",
                case.name,
                case.why,
                said(&found),
                expected
            ));
        }
        check_laws(case.name, &rows, &found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What holds for every bill.
fn check_laws(name: &str, rows: &[Row], found: &[Finding]) {
    let reversed: Vec<Row> = rows.iter().rev().cloned().collect();
    assert_eq!(findings(&reversed), found, "{name}: reversed");
    let (even, odd): (Vec<_>, Vec<_>) = rows.iter().cloned().enumerate().partition(|(n, _)| n % 2 == 0);
    let shuffled: Vec<Row> = odd.into_iter().chain(even).map(|(_, row)| row).collect();
    assert_eq!(findings(&shuffled), found, "{name}: shuffled");
    let month_before: Vec<Row> = rows.iter().cloned().map(Row::in_august).collect();
    assert_eq!(issues(&findings(&month_before)), issues(found), "{name}: in another month");
    for finding in found {
        let (savings, cost) = (finding.estimated.monthly_savings, finding.estimated.monthly_cost);
        assert!(savings.is_none_or(|savings| savings > Decimal::ZERO && Some(savings) <= cost), "{name}: {finding:?}");
    }
}

/// What the fingerprint is made of.
fn issues(found: &[Finding]) -> Vec<String> {
    let mut issues: Vec<_> = found.iter().map(|f| format!("{} {:?} {:?}", f.check_id, f.scope, f.issue_key)).collect();
    issues.sort();
    issues
}

/// What all registered checkers over bills say, with default thresholds.
fn findings(rows: &[Row]) -> Vec<Finding> {
    let registry = crate::registry::Registry::linked().unwrap();
    let services = inventories::services::Services::of(bill(rows.iter().cloned()));
    let context = crate::run_context::tests::context();
    let mut found = Vec::new();
    for registration in registry.all().iter().filter(|registration| registration.needs == super::BILL) {
        let of_none = inventories::bootstrap::Bootstrap::default();
        found.extend(registration.run(&context, &of_none, &services, "*").unwrap().findings);
    }
    found
}

fn said(found: &[Finding]) -> Vec<String> {
    let amount = |amount: Option<Decimal>| amount.map_or("-".to_owned(), |amount| format!("{:.2}", amount.round_dp(2)));
    let line = |f: &Finding| {
        let check = f.check_id.strip_prefix("billing.").unwrap_or(f.check_id);
        let (savings, cost) = (amount(f.estimated.monthly_savings), amount(f.estimated.monthly_cost));
        format!(
            "{check} {} {} {savings} {cost}",
            f.scope.resource_id.replace(' ', "_"),
            format!("{:?}", f.status).to_lowercase()
        )
    };
    let mut said: Vec<_> = found.iter().map(line).collect();
    said.sort();
    said
}

/// The rows of one line of a bill. Each is tagged `team`, so that missing tags are a finding only where a case is about them.
fn rows_of(line: &str) -> Vec<Row> {
    let mut words = line.split_whitespace();
    let [service, usage_type, resource, time] = std::array::from_fn(|_| words.next().expect("four words"));
    let cells: Vec<(&str, &str)> = words.map(|word| word.split_once('=').expect("key=value")).collect();
    let cell = |key: &str| cells.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let number = |key: &str| cell(key).map(|value| value.parse::<i64>().unwrap());
    let (span, step) = time.split_once('/').unwrap_or((time, "0"));
    let (first, end) =
        span.split_once("..").map(|(a, b)| (a.parse::<i64>().unwrap(), b.parse::<i64>().unwrap())).unwrap();
    let step = Some(step.parse::<i64>().unwrap()).filter(|step| *step > 0).unwrap_or(end - first);
    let mut rows = Vec::new();
    for copy in 0..number("copies").unwrap_or(1) {
        for start in (first..end).step_by(usize::try_from(step).unwrap()) {
            let is_off = number("daily").is_some_and(|hours| start % 24 >= hours);
            if is_off || number("nightly").is_some_and(|hours| start % 24 < 24 - hours) {
                continue;
            }
            let life = number("renew").map_or(0, |hours| (start - first) / hours);
            let name = match (number("copies"), number("renew")) {
                (None, None) => resource.to_owned(),
                _ => format!("{resource}-{copy}-{life}"),
            };
            let usage_type = if usage_type == "-" { "" } else { usage_type };
            let mut row = charged_for(service, usage_type, cell("op").unwrap_or_default());
            row = if resource == "-" { row } else { row.resource(&name) };
            row = row.at_hour(start).hours(step.min(end - start));
            for (key, value) in &cells {
                row = with_cell(row, key, value);
            }
            rows.push(if cell("tag").is_some() { row } else { row.tag("team", "a") });
        }
    }
    rows
}

/// A row of that service and usage type.
fn charged_for(service: &str, usage_type: &str, operation: &str) -> Row {
    let Some((cloud, service)) = service.split_once(':') else {
        return row("").usage_type(usage_type, operation).service(service);
    };
    let [service, text] = [service, usage_type].map(|text| text.replace('_', " "));
    let row = row(&text).cloud(cloud).service(&service);
    match text.split_once('|') {
        Some((product, meter)) => row.product(product, meter),
        None => row,
    }
}

fn with_cell(row: Row, key: &str, value: &str) -> Row {
    match key {
        "cost" => row.cost(value),
        "effective" => row.amortized(value),
        "qty" if value == "?" => row.unknown_quantity(),
        "qty" => row.quantity(value),
        "price" => row.unit_price(value),
        "category" => row.category(value),
        "class" => row.correction(),
        "currency" => row.currency(value),
        "tag" => row.tag(value, "x"),
        "env" => row.tag("Environment", value),
        "month" => row.in_august(),
        "account" => row.account(value),
        "type" => row.instance_type(value),
        "used" => row.committed(value, "Used"),
        "unused" => row.committed(value, "Unused"),
        "of" if value == "discount" => row.discount(),
        "region" => row.region(if value == "-" { "" } else { value }),
        "op" | "copies" | "daily" | "nightly" | "renew" => row,
        _ => panic!("{key} is not a cell"),
    }
}
