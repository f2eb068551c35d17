//! The report of one load as a file: what was read, refused and stored, or why nothing was.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use collectors::billing::{LoadError, Loaded, Rejects};
use platform::exit::ExitCode;
use serde_json::{Value, json};

use crate::cli::billing::Billing;
use crate::failure::{Failure, Result};

/// Version of the form.
const FORMAT_VERSION: u32 = 1;

/// Writes the report, whole or not at all.
pub fn write(path: &Path, tenant: &str, outcome: &std::result::Result<Loaded, LoadError>) -> Result<()> {
    let text = format!("{:#}\n", report(tenant, outcome));
    let failed = |e: std::io::Error| Failure::new(ExitCode::Io, format!("writing {}: {e}", path.display()));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let mut file = File::create_new(&new).map_err(failed)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.and_then(|()| std::fs::rename(&new, path)).map_err(|e| {
        // What is left of it is of no use.
        let _ = std::fs::remove_file(&new);
        failed(e)
    })
}

fn report(tenant: &str, outcome: &std::result::Result<Loaded, LoadError>) -> Value {
    let (result, error, rejects, billing) = match outcome {
        Ok(loaded) => ("loaded", None, Some(&loaded.report.rejects), Some(Billing::of(&loaded.report))),
        Err(error @ LoadError::Quality(rejects)) => ("failed", Some(error), Some(&**rejects), None),
        Err(error) => ("failed", Some(error), None, None),
    };
    json!({
        "format_version": FORMAT_VERSION,
        "tenant_id": tenant,
        "result": result,
        "error": error.map(ToString::to_string),
        "lines": rejects.map(lines),
        "billing": billing,
    })
}

/// Lines read and refused; the first refused ones with their place.
fn lines(rejects: &Rejects) -> Value {
    let sample = |sample: &collectors::billing::Sample| {
        json!({
            "file": sample.file,
            "row": sample.row,
            "reason": sample.refusal.reason.as_str(),
            "column": sample.refusal.column,
            "value": sample.refusal.value,
        })
    };
    let by_reason = rejects.by_reason.iter().map(|(reason, rows)| (reason.as_str().to_owned(), json!(rows)));
    json!({
        "read": rejects.rows,
        "accepted": rejects.rows - rejects.total(),
        "rejected": rejects.total(),
        "rejected_by_reason": by_reason.collect::<serde_json::Map<_, _>>(),
        "rejected_by_month": rejects.by_month,
        "first_rejected": rejects.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}
