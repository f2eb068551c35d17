//! Small FOCUS bills: one sensible row, each test naming only what it is about.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

const COLUMNS: [(&str, &str); 26] = [
    ("BilledCost", "10"),
    ("EffectiveCost", "10"),
    ("BillingAccountId", "999988887777"),
    ("BillingCurrency", "USD"),
    ("BillingPeriodStart", "2026-09-01T00:00:00Z"),
    ("BillingPeriodEnd", "2026-10-01T00:00:00Z"),
    ("ChargeCategory", "Usage"),
    ("ChargeClass", ""),
    ("ChargeFrequency", "Usage-Based"),
    ("ChargeDescription", "$0.10 per GB-month of General Purpose SSD (gp2) provisioned storage"),
    ("ChargePeriodStart", "2026-09-03T00:00:00Z"),
    ("ChargePeriodEnd", "2026-09-04T00:00:00Z"),
    ("CommitmentDiscountId", ""),
    ("CommitmentDiscountStatus", ""),
    ("ListUnitPrice", "0.1"),
    ("PricingCategory", "Standard"),
    ("PricingQuantity", "100"),
    ("ProviderName", "AWS"),
    ("PublisherName", "AWS"),
    ("InvoiceIssuerName", "AWS"),
    ("RegionId", "us-east-1"),
    ("ResourceId", "vol-1"),
    ("ServiceName", "Amazon Elastic Compute Cloud"),
    ("SubAccountId", "111122223333"),
    ("Tags", r#"{"team":"a"}"#),
    ("x_UsageType", "EBS:VolumeUsage.gp2"),
];

/// A bill: columns and rows of text.
#[derive(Clone)]
pub struct Bill {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Bill {
    /// One row for each list of cells that differ from the sensible ones. A column that is not there is added.
    pub fn of(rows: &[&[(&str, &str)]]) -> Self {
        let mut bill = Self { columns: COLUMNS.map(|(name, _)| name.to_owned()).into(), rows: Vec::new() };
        for cells in rows {
            for (column, _) in *cells {
                if !bill.columns.iter().any(|name| name == column) {
                    bill.columns.push((*column).to_owned());
                }
            }
        }
        for cells in rows {
            let cell = |column: &String| {
                let named = cells.iter().chain(&COLUMNS).find(|(name, _)| name == column);
                named.map(|(_, cell)| (*cell).to_owned()).unwrap_or_default()
            };
            bill.rows.push(bill.columns.iter().map(cell).collect());
        }
        bill
    }

    /// Without these columns.
    pub fn without(mut self, names: &[&str]) -> Self {
        for name in names {
            let at = self.columns.iter().position(|column| column == name).unwrap();
            self.columns.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
        self
    }

    pub fn csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns).unwrap();
        for row in &self.rows {
            writer.write_record(row).unwrap();
        }
        writer.into_inner().unwrap()
    }

    /// All columns as text, blank cells as nulls.
    pub fn batch(&self) -> RecordBatch {
        let column = |at: usize| -> ArrayRef {
            let cells = self.rows.iter().map(|row| (!row[at].is_empty()).then_some(&*row[at]));
            Arc::new(cells.collect::<StringArray>())
        };
        with_columns((0..self.columns.len()).map(|at| (self.columns[at].clone(), column(at))).collect())
    }
}

fn with_columns(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let fields: Vec<_> =
        columns.iter().map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// The batch with another column of this name, or with one more.
pub fn replaced(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    let mut columns: Vec<_> = names.zip(batch.columns().iter().cloned()).collect();
    match columns.iter_mut().find(|(other, _)| other == name) {
        Some(old) => old.1 = column,
        None => columns.push((name.to_owned(), column)),
    }
    with_columns(columns)
}

/// The batch with every column changed.
pub fn mapped(batch: &RecordBatch, change: impl Fn(&ArrayRef) -> ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    with_columns(columns.map(|(field, column)| (field.name().clone(), change(column))).collect())
}

pub fn parquet(batch: &RecordBatch, properties: Option<WriterProperties>) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}
