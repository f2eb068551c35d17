//! What an operator is given fits together: the page of metrics, the dashboard, the alerts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tests::repo;

/// Set to write the pages that are made from tables instead of comparing them.
const UPDATE: &str = "FINOPS_UPDATE_DOCS";

#[test]
fn the_page_of_metrics_is_the_table() {
    let page = platform::metrics::document();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(repo::root().join("docs/metrics.md"), &page).unwrap();
    }
    assert!(repo::read("docs/metrics.md") == page, "docs/metrics.md is out of date: run this test with {UPDATE}=1");
}

/// Functions, keywords and labels that queries use beside our metrics.
const KNOWN: &[&str] = &[
    "and",
    "by",
    "count",
    "dataset",
    "code",
    "deriv",
    "group",
    "histogram_quantile",
    "increase",
    "instance",
    "job",
    "le",
    "m",
    "h",
    "max",
    "min",
    "part",
    "partition",
    "rate",
    "stage",
    "sum",
    "time",
    "topic",
    "up",
    "version",
];

/// Looks at every word of a query outside quotes: ours must be in the table, others must be known. A histogram is asked for
/// by its series.
fn check_query(query: &str) -> Vec<String> {
    let mut bad = Vec::new();
    let outside: String = query.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let outside = outside.replace("$__rate_interval", "5m");
    for word in outside.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
        if word.is_empty() || KNOWN.contains(&word) {
            continue;
        }
        let is_there = platform::metrics::table::ALL.iter().any(|metric| match metric.kind {
            platform::metrics::Kind::Histogram(_) => {
                ["_bucket", "_sum", "_count"].iter().any(|series| word.strip_suffix(series) == Some(metric.name))
            }
            _ => word == metric.name,
        });
        if !is_there {
            bad.push(word.to_owned());
        }
    }
    for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
        if query.matches(open).count() != query.matches(close).count() {
            bad.push(format!("unbalanced {open}{close}"));
        }
    }
    bad
}

#[test]
fn a_query_with_a_wrong_name_is_found() {
    assert_eq!(check_query("sum by (stage) (rate(finops_retries_total{stage=\"any thing\"}[5m])) > 0.1"), [""; 0]);
    assert_eq!(check_query("rate(finops_retry_total[5m])"), ["finops_retry_total"]);
    assert_eq!(check_query("finops_commit_seconds"), ["finops_commit_seconds"]);
    assert_eq!(check_query("sum(finops_ready"), ["unbalanced ()"]);
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
    for rule in &rules {
        for member in ["summary", "description"] {
            assert!(rule["annotations"][member].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
        }
    }
    let queries: Vec<_> = targets.chain(rules).map(|asking| asking["expr"].as_str().unwrap()).collect();
    assert!(queries.len() > 30, "{queries:?}");
    for query in &queries {
        assert_eq!(check_query(query), [""; 0], "{query}");
    }
    // What nobody looks at need not be counted.
    for metric in platform::metrics::table::ALL {
        assert!(queries.iter().any(|query| query.contains(metric.name)), "nothing shows {}", metric.name);
    }
}
