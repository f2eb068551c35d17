//! The report of one load: what was read, refused and stored, or why nothing was.

use collectors::billing::{LoadError, Loaded, Rejects};
use serde_json::{Value, json};

use crate::cli::billing::Billing;
use crate::cli::report::{FORMAT_VERSION, lines, quality, totals};

/// Of a load. `read`: lines up to the failure of one that was not read to its end.
pub fn of_load(tenant: &str, outcome: &std::result::Result<Loaded, LoadError>, read: &Rejects) -> Value {
    let (result, error, rejects, billing) = match outcome {
        Ok(loaded) => ("loaded", None, &loaded.report.rejects, Some(Billing::of(&loaded.report))),
        Err(error @ LoadError::Quality(rejects)) => ("failed", Some(error), &**rejects, None),
        Err(error) => ("failed", Some(error), read, None),
    };
    json!({
        "format_version": FORMAT_VERSION,
        "tenant_id": tenant,
        "result": result,
        "error": error.map(ToString::to_string),
        "lines": lines(rejects),
        "billing": billing,
        "quality": outcome.as_ref().ok().map(|loaded| quality(&loaded.report)),
        "totals": outcome.as_ref().ok().map(|loaded| loaded.report.deliveries().iter().flat_map(totals).collect::<Vec<_>>()),
    })
}
