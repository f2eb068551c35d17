//! The table of metrics as a page for people.

use super::{Kind, table};

/// `docs/metrics.md`.
#[must_use]
pub fn document() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Served at `/metrics` in the text form of OpenMetrics when `http.listen` is set. No label ever holds a tenant: the\n\
         number of series depends on topics, partitions and the closed lists below only. This page is made from the table in\n\
         `platform/src/metrics/table.rs`; a test compares them.\n\n\
         `stage` is `validator` or `sink`; `work` is `poll`, `step` or `write`; `code` is one of the contract's codes;\n\
         `dataset` is a folder of the layout; `part` is a service, `broker` or `store`; `folder` is the setting of a folder that is\n\
         written to; `operation` is a call of a store, `outcome` is `done` or `failed`. A counter without labels is there from\n\
         the start, as 0; other series are there once they have a value.\n\n\
         | metric | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in table::ALL {
        let kind = match metric.kind {
            Kind::Counter | Kind::SecondsCounter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        page.push_str(&format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help));
    }
    page
}
