//! What reports of jobs have in common: the file, and what was read of bills. What is unknown is null.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use collectors::billing::{LoadReport, Rejects};
use contracts::cost_manifest::CostTotals;
use contracts::run_manifest::BillingDelivery;
use platform::exit::ExitCode;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// Version of the form.
pub const FORMAT_VERSION: u32 = 1;

/// Columns whose value is the type of a billing line.
const TYPE_COLUMNS: [&str; 2] = ["line_item_line_item_type", "ChargeCategory"];

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
    pub fn write(mut self, report: &Value) -> Result<()> {
        let text = format!("{report:#}\n");
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

/// Lines read and refused; the first refused ones with their place.
pub fn lines(rejects: &Rejects) -> Value {
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

/// What was noticed in accepted lines, counted.
pub fn quality(load: &LoadReport) -> Value {
    let of_type = |column: &&str| load.observed.unlisted_values.get(*column);
    let unknown: BTreeMap<&String, &u64> = TYPE_COLUMNS.iter().filter_map(of_type).flatten().collect();
    let granularity: BTreeMap<_, _> =
        load.months.iter().map(|month| (&month.billing_period, month.granularity)).collect();
    json!({
        "lines_by_currency": load.currencies,
        "currency_defaulted": load.observed.currency_defaulted,
        "unknown_line_types": unknown,
        "fallback_lines": load.observed.model_fallback,
        "granularity": granularity,
    })
}

/// The totals of a delivery, one for each currency, beside what the provider invoices of it.
pub fn totals(delivery: &BillingDelivery) -> Vec<Value> {
    let of_currency = |(currency, totals): (&String, &CostTotals)| {
        json!({
            "billing_period": delivery.billing_period,
            "source": delivery.source,
            "delivery_id": delivery.delivery_id,
            "currency": currency,
            "unblended": totals.unblended,
            "invoiced": invoiced(delivery, currency),
            "amortized": totals.amortized,
            "net": totals.net,
            "blended": totals.blended,
        })
    };
    delivery.totals.iter().map(of_currency).collect()
}

/// The sum of the invoices; `None` where the bill names none.
fn invoiced(delivery: &BillingDelivery, currency: &str) -> Option<String> {
    let invoices = delivery.invoiced.get(currency)?;
    let sum: Option<Decimal> = invoices.values().map(|text| text.parse::<Decimal>().ok()).sum();
    sum.map(|sum| sum.normalize().to_string())
}
