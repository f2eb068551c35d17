//! The report of one load as a file: what was read, refused and stored, or why nothing was.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use collectors::billing::{LoadError, Loaded, Rejects};
use platform::exit::ExitCode;
use serde_json::{Value, json};

use crate::cli::billing::Billing;
use crate::failure::{Failure, Result};

/// Version of the form.
const FORMAT_VERSION: u32 = 1;

/// A report that is not there yet, whose file lies beside its place. It is there whole or not at all.
pub struct NewReport<'a> {
    place: &'a Path,
    path: PathBuf,
    file: File,
}

impl<'a> NewReport<'a> {
    /// Makes the file: a place where nothing can be written is refused before anything is loaded.
    pub fn begin(place: &'a Path) -> Result<Self> {
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let path = place.with_file_name(name);
        if place.is_dir() {
            return Err(failed(place, &std::io::ErrorKind::IsADirectory.into()));
        }
        let file = File::create_new(&path).map_err(|e| failed(place, &e))?;
        Ok(Self { place, path, file })
    }

    /// Writes it and puts it in its place.
    pub fn finish(
        mut self,
        tenant: &str,
        outcome: &std::result::Result<Loaded, LoadError>,
        read: &Rejects,
    ) -> Result<()> {
        let text = format!("{:#}\n", report(tenant, outcome, read));
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.and_then(|()| std::fs::rename(&self.path, self.place)).map_err(|e| failed(self.place, &e))
    }
}

impl Drop for NewReport<'_> {
    fn drop(&mut self) {
        // Not there any more when it is finished; else it is of no use.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn failed(place: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ExitCode::Io, format!("writing {}: {error}", place.display()))
}

/// `read`: lines up to the failure of a load that was not read to its end.
fn report(tenant: &str, outcome: &std::result::Result<Loaded, LoadError>, read: &Rejects) -> Value {
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
