//! Attribution against a naive model of its rules: loops over all lines for each finding, amounts as whole numbers. Whatever the
//! lines, findings and runs, no cost is counted twice and none is lost.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::compute::compute;
use super::golden::actuals;
use super::options::{AttributionOptions, CostModel};
use super::resolved::load_none;
use crate::duck::{Duck, DuckLimits};

const ACCOUNTS: [&str; 2] = ["000000000001", "222222222222"];
const REGIONS: [&str; 2] = ["us-west-2", "eu-west-1"];
const FAMILIES: [&str; 2] = ["ec2", "s3"];
const CURRENCIES: [&str; 3] = ["EUR", "JPY", "USD"];
const TAGS: [&str; 2] = ["blue", "green"];
/// Ids of lines and findings; the first of a pair names the same resource shortly.
const IDS: [&str; 6] = [
    "i-0000000a",
    "arn:aws:ec2:us-west-2:1:instance/i-0000000a",
    "bucket",
    "arn:aws:s3:::bucket",
    "name",
    "arn:aws:rds:us-west-2:1:db:name",
];
const LAST_DAY: i64 = 20_480;

#[derive(Debug, Clone)]
struct Line {
    account: usize,
    /// Days before [`LAST_DAY`].
    days_ago: i64,
    region: Option<usize>,
    family: Option<usize>,
    id: Option<usize>,
    category: &'static str,
    currency: usize,
    /// Trillionths.
    cost: i64,
    /// Values of `Name` and `app`.
    tags: [Option<usize>; 2],
    hours: i64,
    split: Option<Split>,
}

/// What a line splits off for something that runs on its resource.
#[derive(Debug, Clone)]
struct Split {
    id: usize,
    /// As AWS does: a line of its own that charges the resource nothing. Else the line is a part of the charge of its resource.
    is_own_line: bool,
    cost: Option<i64>,
    tags: [Option<usize>; 2],
}

/// A line as one resource has it.
#[derive(Debug, Clone)]
struct Entry {
    line: Line,
    /// Resource whose cost it is a part of.
    parent: Option<Option<usize>>,
    /// False when it charges no resource.
    is_named: bool,
}

#[derive(Debug, Clone)]
struct Finding {
    account: usize,
    region: Option<usize>,
    family: Option<usize>,
    plain: Option<usize>,
    arn: Option<usize>,
    tags: [Option<usize>; 2],
    /// Days of its run before [`LAST_DAY`].
    days_ago: i64,
}

fn line() -> impl Strategy<Value = Line> {
    let place = (
        0..ACCOUNTS.len(),
        0..75_i64,
        prop::option::weighted(0.8, 0..2_usize),
        prop::option::weighted(0.9, 0..2_usize),
    );
    let what = (
        prop::option::weighted(0.7, 0..IDS.len()),
        prop::sample::select(vec!["Usage", "Usage", "Credit", "Tax"]),
        prop_oneof![4 => Just(2_usize), 1 => 0..CURRENCIES.len()],
        prop_oneof![Just(500_000_i64), Just(-1_500_000), any::<i32>().prop_map(|n| i64::from(n) * 7_000_001)],
        tags(),
        prop::sample::select(vec![1_i64, 24, 24, 24, 720]),
    );
    let split = (0..IDS.len(), any::<bool>(), prop::option::weighted(0.9, any::<i32>().prop_map(i64::from)), tags());
    let split = split.prop_map(|(id, is_own_line, cost, tags)| Split { id, is_own_line, cost, tags });
    let split = prop::option::weighted(0.3, split);
    (place, what, split).prop_map(
        |((account, days_ago, region, family), (id, category, currency, cost, tags, hours), split)| Line {
            account,
            days_ago,
            region,
            family,
            id,
            category,
            currency,
            cost,
            tags,
            hours,
            split,
        },
    )
}

fn tags() -> impl Strategy<Value = [Option<usize>; 2]> {
    [prop::option::weighted(0.3, 0..2_usize), prop::option::weighted(0.4, 0..2_usize)]
}

fn finding() -> impl Strategy<Value = Finding> {
    let place = (0..ACCOUNTS.len(), prop::option::weighted(0.8, 0..2_usize), prop::option::weighted(0.9, 0..2_usize));
    let what = (
        prop::option::weighted(0.8, prop::sample::select(vec![0_usize, 2, 4])),
        prop::option::weighted(0.4, prop::sample::select(vec![1_usize, 3, 5])),
        tags(),
        prop::sample::select(vec![0_i64, 7, 40]),
    );
    (place, what).prop_map(|((account, region, family), (plain, arn, tags, days_ago))| Finding {
        account,
        region,
        family,
        plain,
        arn,
        tags,
        days_ago,
    })
}

fn compatible<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn short(id: &str) -> Option<&str> {
    id.starts_with("arn:").then(|| id.rsplit(['/', ':']).next().unwrap())
}

/// First day and end of a window, in days since the epoch.
type Window = (i64, i64);

struct Windows {
    d7: Window,
    d30: Window,
    mtd: Window,
    prev: Window,
}

fn date(day: i64) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Days::new(u64::try_from(day).unwrap())
}

fn windows(day: i64) -> Windows {
    use chrono::Datelike;
    let month = day - i64::from(date(day).day0());
    let before = month - i64::from(date(month - 1).day());
    Windows { d7: (day - 7, day), d30: (day - 30, day), mtd: (month, day + 1), prev: (before, month) }
}

impl Line {
    fn day(&self) -> i64 {
        LAST_DAY - self.days_ago
    }

    fn is_in(&self, (from, to): Window) -> bool {
        from <= self.day() && self.day() < to
    }

    /// As the resources that it tells of have it.
    fn entries(&self) -> Vec<Entry> {
        let Some(split) = self.split.as_ref().filter(|split| Some(split.id) != self.id) else {
            return vec![Entry { line: self.clone(), parent: None, is_named: true }];
        };
        // A line of its own names what it is split off for as its resource.
        let id = if split.is_own_line { Some(split.id) } else { self.id };
        let charged = Line { id, ..self.clone() };
        let part = Line { id: Some(split.id), family: None, tags: split.tags, ..self.clone() };
        let cost = if split.is_own_line { split.cost } else { Some(self.cost) };
        let part = cost.map(|cost| Entry { line: Line { cost, ..part }, parent: Some(self.id), is_named: true });
        [Some(Entry { line: charged, parent: None, is_named: !split.is_own_line }), part]
            .into_iter()
            .flatten()
            .collect()
    }

    /// By what it is recognized as the finding's resource.
    fn rank(&self, finding: &Finding) -> Option<(i64, &'static str)> {
        let id = IDS[self.id?];
        let plain = finding.plain.map(|n| IDS[n]);
        let arn = finding.arn.map(|n| IDS[n]);
        let family = compatible(finding.family, self.family);
        let region = compatible(finding.region, self.region);
        let is_s3 = finding.family.or(self.family) == Some(1);
        let of_arn = arn.and_then(short);
        if Some(id) == arn {
            Some((95, "resource_arn"))
        } else if Some(id) == plain && (id == "i-0000000a" || (family && (is_s3 || region))) {
            Some((95, "resource_id"))
        } else if let Some(own) = short(id)
            && (Some(own) == plain || Some(own) == of_arn)
            && family
            && region
        {
            Some((90, "resource_short_id"))
        } else if plain.is_none() && Some(id) == of_arn && family && region {
            Some((90, "resource_short_id"))
        } else {
            None
        }
    }

    fn has_tags(&self, finding: &Finding) -> bool {
        let carried = finding.tags.iter().zip(&self.tags).filter(|(wanted, _)| wanted.is_some());
        finding.tags.iter().any(Option::is_some)
            && carried.into_iter().all(|(wanted, own)| wanted == own)
            && compatible(finding.family, self.family)
            && compatible(finding.region, self.region)
    }

    fn is_of_service(&self, finding: &Finding) -> bool {
        finding.family.is_some() && finding.family == self.family && compatible(finding.region, self.region)
    }
}

impl Entry {
    fn rank(&self, finding: &Finding) -> Option<(i64, &'static str)> {
        if self.is_named { self.line.rank(finding) } else { None }
    }

    fn has_tags(&self, finding: &Finding) -> bool {
        self.is_named && self.line.has_tags(finding)
    }

    fn is_of_service(&self, finding: &Finding) -> bool {
        self.parent.is_none() && self.line.is_of_service(finding)
    }

    /// True when a charge of that day of its parent is among them: it is in there.
    fn is_within(&self, hits: &[&Self]) -> bool {
        let name = |id: Option<usize>| id.map_or("", |id| short(IDS[id]).unwrap_or(IDS[id]));
        let Some(parent) = self.parent else { return false };
        let is_parent = |hit: &&&Self| hit.parent.is_none() && name(hit.line.id) == name(parent);
        hits.iter().filter(is_parent).any(|hit| hit.line.days_ago == self.line.days_ago)
    }
}

/// Those that are no part of another one.
fn each_once(hits: Vec<&Entry>) -> Vec<&Entry> {
    hits.iter().copied().filter(|hit| !hit.is_within(&hits)).collect()
}

/// The rules, literally.
fn actual(finding: &Finding, lines: &[Line]) -> Value {
    let day = LAST_DAY - finding.days_ago;
    let windows = windows(day);
    let horizon = (windows.d30.0.min(windows.prev.0), day + 1);
    let in_horizon: Vec<&Line> = lines.iter().filter(|line| line.is_in(horizon)).collect();
    let own = |account: usize| account == finding.account;
    let is_known = |window: Window| in_horizon.iter().any(|line| own(line.account) && line.is_in(window));
    let entries: Vec<Entry> = in_horizon.iter().flat_map(|line| line.entries()).collect();
    let entries: Vec<&Entry> =
        entries.iter().filter(|entry| own(entry.line.account) && entry.line.category != "Tax").collect();
    let is_account_level = finding.plain.is_none() && finding.arn.is_none();
    let mut tiers: Vec<(&str, i64, Vec<String>, Vec<&Entry>)> = Vec::new();
    let service_keys = || {
        let region = finding.region.map(|_| "region");
        ["account_id", "service"].into_iter().chain(region).map(str::to_owned).collect::<Vec<_>>()
    };
    let of_service = entries.iter().copied().filter(|entry| entry.is_of_service(finding));
    if is_account_level {
        tiers.push(("heuristic", 20, service_keys(), of_service.collect()));
    } else {
        let named = each_once(entries.iter().copied().filter(|entry| entry.rank(finding).is_some()).collect());
        let ranks: Vec<(i64, &str)> = named.iter().filter_map(|entry| entry.rank(finding)).collect();
        let keys: BTreeSet<String> = ranks.iter().map(|(_, key)| (*key).to_owned()).collect();
        let confidence = ranks.iter().map(|(confidence, _)| *confidence).max().unwrap_or_default();
        tiers.push(("exact_resource_id", confidence, keys.into_iter().collect(), named));
        let names = ["tag:Name", "tag:app"];
        let keys =
            names.iter().zip(&finding.tags).filter(|(_, value)| value.is_some()).map(|(name, _)| (*name).to_owned());
        let tagged = entries.iter().copied().filter(|entry| entry.has_tags(finding)).collect();
        tiers.push(("tag", 60, keys.collect(), each_once(tagged)));
        let shared = of_service.filter(|entry| entry.line.id.is_none()).collect();
        tiers.push(("shared_unallocated", 10, service_keys(), shared));
    }
    let Some((method, mut confidence, mut keys, hits)) = tiers.into_iter().find(|(.., hits)| !hits.is_empty()) else {
        return json!({"attribution": {"method": "none", "confidence": 0, "matched_keys": []}, "cost_7d": null,
            "cost_30d": null, "cost_mtd": null, "cost_prev_month": null, "savings_7d": null, "savings_30d": null,
            "model": {"currency": null, "cost_model": null, "granularity": null, "period_start": null, "period_end": null}});
    };
    let hits: Vec<&Line> = hits.into_iter().map(|hit| &hit.line).collect();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    hits.iter().for_each(|line| *counts.entry(line.currency).or_default() += 1);
    // The reporting currency is the last one.
    let most = |(currency, count): &(&usize, &usize)| (**currency == 2, **count, std::cmp::Reverse(**currency));
    let currency = *counts.iter().max_by_key(most).unwrap().0;
    if counts.len() > 1 {
        confidence = (confidence - 20).max(5);
        keys.push("currency:mixed".to_owned());
    }
    keys.sort();
    let own: Vec<&Line> = in_horizon.iter().copied().filter(|line| line.account == finding.account).collect();
    let granularity = granularity(&own);
    let cost = |window: Window, needs_days: bool| -> Value {
        if !is_known(window) || (needs_days && granularity == "monthly") {
            return Value::Null;
        }
        let in_window = hits.iter().filter(|line| line.currency == currency && line.is_in(window));
        Value::String(rounded(in_window.map(|line| i128::from(line.cost)).sum()))
    };
    json!({
        "attribution": {"method": method, "confidence": confidence, "matched_keys": keys},
        "cost_7d": cost(windows.d7, true), "cost_30d": cost(windows.d30, true), "cost_mtd": cost(windows.mtd, false),
        "cost_prev_month": cost(windows.prev, false), "savings_7d": null, "savings_30d": null,
        "model": {"currency": CURRENCIES[currency], "cost_model": "amortized", "granularity": granularity,
            "period_start": date(day - 30).to_string(), "period_end": date(day).to_string()}
    })
}

fn granularity(lines: &[&Line]) -> &'static str {
    let count = |hours: i64| lines.iter().filter(|line| line.category == "Usage" && line.hours == hours).count();
    let counts = [("hourly", count(1)), ("daily", count(24)), ("monthly", count(720))];
    let most = counts.iter().map(|(_, count)| *count).max().unwrap();
    if most == 0 { "daily" } else { counts.iter().find(|(_, count)| *count == most).unwrap().0 }
}

/// Trillionths as text with six places, half-even.
fn rounded(trillionths: i128) -> String {
    let (down, rest) = (trillionths.div_euclid(1_000_000), trillionths.rem_euclid(1_000_000));
    let micros = down + i128::from(rest > 500_000 || (rest == 500_000 && down % 2 != 0));
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", micros.abs() / 1_000_000, micros.abs() % 1_000_000)
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn named(names: &[&str], n: Option<usize>) -> Option<String> {
    n.map(|n| names[n].to_owned())
}

fn map(tags: [Option<usize>; 2], keys: [&str; 2]) -> Option<String> {
    let pairs = keys.iter().zip(tags).filter_map(|(key, value)| Some(format!("{key}={}", TAGS[value?])));
    Some(format!("{{{}}}", pairs.collect::<Vec<_>>().join(", ")))
}

/// Trillionths as a cost fact has them.
fn cost_text(cost: i64) -> String {
    let (sign, cost) = (if cost < 0 { "-" } else { "" }, cost.unsigned_abs());
    format!("{sign}{}.{:012}", cost / 1_000_000_000_000, cost % 1_000_000_000_000)
}

fn fact_row(line: &Line) -> Vec<Option<String>> {
    let end = date(line.day()).and_hms_opt(0, 0, 0).unwrap() + chrono::Duration::hours(line.hours);
    let keys = ["name", "app"];
    let split = line.split.as_ref();
    let resource = split.filter(|split| split.is_own_line).map_or(line.id, |split| Some(split.id));
    let split_cost = split.and_then(|split| if split.is_own_line { split.cost } else { Some(line.cost) });
    vec![
        text("acme"),
        Some(date(line.day()).to_string()),
        Some(end.to_string()),
        None,
        text(ACCOUNTS[line.account]),
        named(&REGIONS, line.region),
        None,
        named(&FAMILIES, line.family),
        named(&IDS, resource),
        None,
        text(line.category),
        None,
        None,
        text(CURRENCIES[line.currency]),
        Some(cost_text(line.cost)),
        text("false"),
        map(line.tags, keys),
        text("d/f"),
        None,
        named(&IDS, split.map(|split| split.id)),
        named(&IDS, split.and(line.id)),
        split.and_then(|split| map(split.tags, keys)),
        split_cost.map(cost_text),
    ]
}

fn finding_row(n: usize, finding: &Finding) -> Vec<Option<String>> {
    vec![
        text("acme"),
        text("prod"),
        Some(format!("r{}", finding.days_ago)),
        Some(n.to_string()),
        Some(n.to_string()),
        Some(format!("{} 10:00:00", date(LAST_DAY - finding.days_ago))),
        text("aws"),
        text(ACCOUNTS[finding.account].trim_start_matches('0')),
        named(&REGIONS, finding.region).map(|region| region.to_uppercase()),
        named(&["AmazonEC2", "Amazon Simple Storage Service"], finding.family),
        text("thing"),
        named(&IDS, finding.plain),
        named(&IDS, finding.arn),
        text("check"),
        text("fail"),
        map(finding.tags, ["Name", "App"]),
        text("f"),
        Some(n.to_string()),
    ]
}

fn session(lines: &[Line], findings: &[Finding]) -> Duck {
    let duck = Duck::open(&DuckLimits { threads: 1, ..DuckLimits::default() }).unwrap();
    duck.run(
        "tables",
        "CREATE TEMP TABLE fact (tenant_id VARCHAR, usage_start TIMESTAMP, usage_end TIMESTAMP, payer_account_id VARCHAR, \
         account_id VARCHAR, region VARCHAR, service_code VARCHAR, service VARCHAR, resource_id VARCHAR, \
         line_item_type VARCHAR, charge_category VARCHAR, usage_type VARCHAR, operation VARCHAR, currency VARCHAR, \
         cost_amortized DECIMAL(38,12), model_fallback BOOLEAN, tags MAP(VARCHAR, VARCHAR), source_ref VARCHAR, quantity DECIMAL(38,12), split_resource_id VARCHAR, \
         split_parent_id VARCHAR, split_tags MAP(VARCHAR, VARCHAR), split_cost_amortized DECIMAL(38,12)); \
         CREATE TEMP TABLE unpriced (tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, finding_id VARCHAR, \
         fingerprint VARCHAR, run_ts TIMESTAMP, cloud VARCHAR, account_id VARCHAR, region VARCHAR, raw_service VARCHAR, \
         resource_type VARCHAR, resource_id VARCHAR, resource_arn VARCHAR, check_id VARCHAR, status VARCHAR, tags MAP(VARCHAR, VARCHAR), __file VARCHAR, \
         __row BIGINT)",
    )
    .unwrap();
    let facts: Vec<_> = lines.iter().map(fact_row).collect();
    let rows: Vec<_> = findings.iter().enumerate().map(|(n, finding)| finding_row(n, finding)).collect();
    let insert = |table: &str, rows: &[Vec<Option<String>>]| {
        let rows: Vec<Vec<Option<&str>>> = rows.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect();
        duck.insert("rows", table, &rows).unwrap();
    };
    insert("fact", &facts);
    insert("unpriced", &rows);
    load_none(&duck).unwrap();
    duck
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn prices_are_those_of_the_rules(
        lines in prop::collection::vec(line(), 0..80),
        findings in prop_oneof![prop::collection::vec(finding(), 1..4), prop::collection::vec(finding(), 1..25)],
    ) {
        let duck = session(&lines, &findings);
        compute(&duck, &AttributionOptions::default(), "USD").unwrap();
        let found = actuals(&duck, CostModel::Amortized);
        for (n, finding) in findings.iter().enumerate() {
            let key = (format!("r{}", finding.days_ago), n.to_string());
            prop_assert_eq!(&found[&key], &actual(finding, &lines), "{:?}", finding);
        }
        // Evidence adds up to the cost of 30 days but for the rounding of both: no line is in two slices.
        let sums = "SELECT count(*) FROM (
            SELECT attributed.cost_30d AS cost, sum(evidence.cost_amount) AS sum, count(*) AS rows
            FROM evidence
            JOIN attributed USING (__row)
            WHERE evidence.currency = attributed.currency
            GROUP BY __row, cost
        ) WHERE abs(cost - sum) * 2 > (rows + 1) * 0.000001";
        prop_assert_eq!(duck.value::<i64>("adding up", sums).unwrap(), Some(0));
    }
}
