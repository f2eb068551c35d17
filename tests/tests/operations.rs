//! What an operator is given fits together: the page of metrics, the dashboard, the alerts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use contracts::topics::groups;
use platform::metrics::{Definition, MetricKind};
use tests::{declared, repo};

/// Set to write the pages that are made from tables instead of comparing them.
const UPDATE: &str = "FINOPS_UPDATE_DOCS";

#[test]
fn the_page_of_metrics_is_what_crates_declare() {
    let page = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(repo::root().join("docs/metrics.md"), &page).unwrap();
    }
    assert!(repo::read("docs/metrics.md") == page, "docs/metrics.md is out of date: run this test with {UPDATE}=1");
}

/// `docs/metrics.md`.
fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Served at `/metrics` in the text form of OpenMetrics when `http.listen` is set. No label ever holds a tenant: the\n\
         number of series depends on topics, partitions and the closed lists below only. This page is made from what the crates\n\
         declare in `platform/src/metrics/table.rs`, `validator/src/metrics.rs`, `sink/src/metrics.rs` and\n\
         `exporter/src/metrics.rs`; a test compares them.\n\n\
         `stage` is `validator` or `sink`; `work` is `poll`, `step` or `write`; `code` is one of the contract's codes;\n\
         `dataset` is a folder of the layout; `part` is a service, `broker` or `store`; `folder` is the setting of a folder that is\n\
         written to; `operation` is a call of a store, `outcome` is `done` or `failed`. A counter without labels is there from\n\
         the start, as 0; other series are there once they have a value.\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in declared::metrics() {
        let kind = match metric.kind {
            MetricKind::Counter | MetricKind::SecondsCounter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page.push_str(&format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help));
    }
    page
}

/// Labels with closed values, or topics and partitions: never a tenant.
const LABELS: &[&str] = &[
    "code",
    "dataset",
    "folder",
    "group",
    "operation",
    "outcome",
    "part",
    "partition",
    "stage",
    "topic",
    "version",
    "work",
];

#[test]
fn names_say_unit_and_kind_and_labels_are_bounded() {
    let all = declared::metrics();
    let names: BTreeSet<_> = all.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), all.len(), "a name is there twice");
    for metric in all {
        // Every Prometheus client names those of the process the same.
        let is_ours = ["finops_", "process_"].iter().any(|start| metric.name.starts_with(start));
        assert!(is_ours, "{}", metric.name);
        let is_counter = matches!(metric.kind, MetricKind::Counter | MetricKind::SecondsCounter);
        assert_eq!(is_counter, metric.name.ends_with("_total"), "{}", metric.name);
        assert!(!metric.help.is_empty() && !metric.help.ends_with('.'), "{}", metric.name);
        for label in metric.labels {
            assert!(LABELS.contains(label), "{}: {label} may grow without limit", metric.name);
        }
        if let MetricKind::Histogram(bounds) = metric.kind {
            assert!(bounds.is_sorted(), "{}", metric.name);
        }
    }
}

/// Functions, keywords and units that queries use, and the one metric that is not ours.
const KNOWN: &[&str] = &[
    "absent",
    "and",
    "by",
    "count",
    "deriv",
    "h",
    "histogram_quantile",
    "increase",
    "m",
    "max",
    "min",
    "offset",
    "or",
    "rate",
    "sum",
    "time",
    "unless",
    "up",
];
/// Labels that every series has, or every bucket of a histogram.
const ALWAYS: &[&str] = &["instance", "job", "le"];
/// Values that a label can have, where these are few.
const VALUES: &[(&str, &[&str])] = &[
    ("folder", &["data.dir", "store", "export.dir", "store.cache.dir"]),
    ("group", &[groups::VALIDATOR, groups::SINK]),
    ("job", &["finops"]),
    ("outcome", &["done", "failed"]),
    ("part", &["broker", "store", "validator", "sink", "exporter"]),
    ("stage", &["validator", "sink"]),
    ("work", &["poll", "step", "write"]),
];

fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.map(|word| word.trim_start_matches(|c: char| c.is_ascii_digit())).filter(|word| !word.is_empty())
}

/// The metric that a series is of. A histogram is asked for by its series.
fn metric(series: &str) -> Option<&'static Definition> {
    declared::metrics().into_iter().find(|metric| match metric.kind {
        MetricKind::Histogram(_) => {
            ["_bucket", "_sum", "_count"].iter().any(|end| series.strip_suffix(end) == Some(metric.name))
        }
        _ => series == metric.name,
    })
}

/// What is wrong with a query. Its metrics must be in the table. A selector's labels must be those of its metric, with values
/// that these can have; what is grouped by must be labels of all its metrics.
fn check_query(query: &str) -> Vec<String> {
    let query = query.replace("$__rate_interval", "5m");
    let (mut bad, mut others, mut grouped) = (Vec::new(), String::new(), String::new());
    let mut rest = &*query;
    while let Some(open) = rest.find(['{', '(']) {
        let (before, after) = (&rest[..open], &rest[open + 1..]);
        let (series, is_selector) = (words(before).next_back().unwrap_or_default(), rest[open..].starts_with('{'));
        others.push_str(before);
        others.push(' ');
        rest = after;
        if is_selector || series == "by" {
            let (inside, behind) = after.split_once(['}', ')']).unwrap_or((after, ""));
            rest = behind;
            match is_selector {
                true => bad.extend(inside.split(',').filter_map(|label| check_selector(series, label.trim()))),
                false => grouped = format!("{grouped} {inside}"),
            }
        }
    }
    others.push_str(rest);
    let series: Vec<_> = words(&others).filter(|word| !KNOWN.contains(word)).collect();
    bad.extend(series.iter().filter(|series| metric(series).is_none()).map(|series| (*series).to_owned()));
    let has = |series: &str, label: &str| metric(series).is_some_and(|metric| metric.labels.contains(&label));
    let is_of_all = |label: &&str| ALWAYS.contains(label) || series.iter().all(|series| has(series, label));
    bad.extend(words(&grouped).filter(|label| !is_of_all(label)).map(|label| format!("by ({label})")));
    for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
        if query.matches(open).count() != query.matches(close).count() {
            bad.push(format!("unbalanced {open}{close}"));
        }
    }
    bad
}

fn check_selector(series: &str, label: &str) -> Option<String> {
    let (name, value) = label.split_once('=')?;
    let name = name.trim_end_matches('!');
    let is_there = ALWAYS.contains(&name) || metric(series).is_some_and(|metric| metric.labels.contains(&name));
    let values = VALUES.iter().find(|(label, _)| *label == name);
    // A pattern may stand for anything.
    let is_possible = value.starts_with('~') || values.is_none_or(|(_, all)| all.contains(&value.trim_matches('"')));
    (!is_there || !is_possible).then(|| format!("{series}{{{label}}}"))
}

/// The same, with the labels that what is shown beside the query names as `$labels.label` or `{{label}}`.
fn check_shown(query: &str, shown: &str) -> Vec<String> {
    let behind = |start: &str| shown.split(start).skip(1).filter_map(|text| words(text).next()).collect::<Vec<_>>();
    let mut labels = behind("$labels.");
    labels.extend(behind("{{").into_iter().filter(|word| !["labels", "value"].contains(word)));
    check_query(&format!("sum by ({}) ({query})", labels.join(", ")))
}

#[test]
fn a_query_with_a_wrong_name_is_found() {
    let check = |query: &str, expected: &[&str]| assert_eq!(check_query(query), expected, "{query}");
    check("sum by (stage, job) (rate(finops_retries_total{stage=\"sink\",work!=\"poll\"}[5m])) > 0.1", &[]);
    check("up{job=\"finops\"} == 0 or absent(finops_ready{part=\"sink\"}) unless finops_ready offset 1h", &[]);
    check("rate(finops_retry_total[5m])", &["finops_retry_total"]);
    check("finops_commit_seconds", &["finops_commit_seconds"]);
    check("sum(finops_ready", &["unbalanced ()"]);
    // Labels of other metrics, and values that no series has.
    check("finops_ready{stage=\"sink\"}", &["finops_ready{stage=\"sink\"}"]);
    check("finops_ready{part=\"sinks\"}", &["finops_ready{part=\"sinks\"}"]);
    check("up{part=\"sink\"}", &["up{part=\"sink\"}"]);
    check("sum by (code) (finops_ready)", &["by (code)"]);
    check("max by (group) (finops_lag_records) > sum by (group) (finops_files_total)", &["by (group)", "by (group)"]);
    let shown = |text: &str, expected: &[&str]| assert_eq!(check_shown("finops_ready == 0", text), expected, "{text}");
    shown("{{ $labels.part }} on {{ $labels.instance }} is {{ $value | humanizeDuration }}, {{part}}", &[]);
    shown("{{ $labels.stage }}", &["by (stage)"]);
    shown("{{code}}", &["by (code)"]);
}

#[test]
fn dashboard_and_alerts_ask_for_metrics_that_exist() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&repo::read("deploy/grafana/dashboards/finops.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let alerts: serde_json::Value = serde_saphyr::from_str(&repo::read("deploy/prometheus/alerts.yml")).unwrap();
    let rules: Vec<_> =
        alerts["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let shown = |target: &serde_json::Value| (text(&target["expr"]), text(&target["legendFormat"]));
    let mut queries: Vec<_> = targets.map(shown).collect();
    for rule in rules {
        let annotations = ["summary", "description"].map(|member| text(&rule["annotations"][member]));
        assert!(annotations.iter().all(|text| !text.is_empty()), "{rule}");
        queries.push((text(&rule["expr"]), annotations.join(" ")));
    }
    assert!(queries.len() > 30, "{queries:?}");
    for (query, shown) in &queries {
        assert_eq!(check_shown(query, shown), [""; 0], "{query}, shown as {shown}");
    }
    // What no panel shows need not be counted.
    for metric in declared::metrics() {
        assert!(queries.iter().any(|(query, _)| query.contains(metric.name)), "nothing shows {}", metric.name);
    }
}
