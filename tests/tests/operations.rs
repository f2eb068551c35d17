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
