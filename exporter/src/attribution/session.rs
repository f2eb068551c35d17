//! A DuckDB that holds the findings of some run dates of some tenants and the billing lines that may price them, and what
//! attribution has made of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use contracts::tenant_scope::TenantScope;
use contracts::{arrow_schema, layout};
use lake::cut::{BillingPeriod, Cut, DataFile};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::compute::compute;
use super::enriched;
use super::inputs::{self, RunDate};
use super::options::AttributionOptions;
use super::resolved;
use crate::columns::{BILLING_LINES, UNPRICED};
use crate::duck::{Duck, DuckLimits, literal, read_parquet};
use crate::error::{ExportError, Result};
use crate::findings_db::{check_paths, tenant_list};
use crate::tables::Written;

/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 122_880;

/// Findings with their prices, to be written.
pub(super) struct Session<'c> {
    duck: Duck,
    cut: &'c Cut,
    options: &'c AttributionOptions,
}

impl<'c> Session<'c> {
    /// Prices the findings of the run dates, which are of these tenants.
    ///
    /// # Errors
    /// A file that cannot be read, or holds a row of another tenant.
    pub fn open(
        cut: &'c Cut,
        scopes: &[TenantScope],
        run_dates: &[&RunDate<'c>],
        options: &'c AttributionOptions,
        reporting_currency: &str,
        limits: &DuckLimits,
    ) -> Result<Self> {
        let duck = Duck::open(limits)?;
        let tenants = tenant_list(scopes);
        let files: Vec<&DataFile> = run_dates.iter().flat_map(|date| date.files.iter().copied()).collect();
        let paths = checked(&duck, cut, &files)?;
        let query = UNPRICED.query_of_rows(&duck, &paths)?;
        let unpriced = format!(
            "CREATE TEMP TABLE unpriced AS SELECT * FROM ({query}) \
             WHERE tenant_id IN ({tenants}) AND coalesce(lower(trim(method)), '') IN ('', 'none')"
        );
        duck.run("opening findings", &unpriced)?;
        // A period of two run dates is read once.
        let mut periods: BTreeMap<(&str, &str), &BillingPeriod> = BTreeMap::new();
        for period in run_dates.iter().flat_map(|date| &date.periods) {
            periods.insert((&period.tenant_id, &period.billing_period), period);
        }
        let files: Vec<&DataFile> = periods.values().flat_map(|period| &period.files).collect();
        let paths = checked(&duck, cut, &files)?;
        let query = BILLING_LINES.query(&duck, &paths)?;
        // Parts of the files that hold other days need not be read.
        let of_days = inputs::days(run_dates).map_or_else(String::new, |(from, to)| {
            format!(" AND usage_start >= TIMESTAMP '{from}' AND usage_start < TIMESTAMP '{to}'")
        });
        let fact = format!("CREATE TEMP VIEW fact AS SELECT * FROM ({query}) WHERE tenant_id IN ({tenants}){of_days}");
        duck.run("opening cost facts", &fact)?;
        let next: Vec<_> = run_dates.iter().flat_map(|date| &date.next).collect();
        // A day may follow two.
        let next_files =
            run_dates.iter().flat_map(|date| &date.next_files).map(|file| (file.path.as_str(), *file)).collect();
        resolved::load(&duck, cut, &next, &next_files, &tenants)?;
        compute(&duck, options, reporting_currency)?;
        Ok(Self { duck, cut, options })
    }

    /// Writes the findings of a run date with their prices, one row for each.
    pub fn write_enriched(&self, date: &RunDate<'_>, out: &mut (dyn Write + Send)) -> Result<Written> {
        let paths = self.cut.local(date.files.iter().copied(), &self.duck.lease)?;
        let source = read_parquet(paths.iter().map(PathBuf::as_path));
        let found = self.duck.schema("reading the schema of findings", &format!("FROM {source}"))?;
        let sql = enriched::query(&source, &found, self.options.model.as_str());
        self.write("pricing findings", &sql, &arrow_schema::findings(), out)
    }

    /// Writes the evidence of a run date.
    pub fn write_evidence(&self, date: &RunDate<'_>, out: &mut (dyn Write + Send)) -> Result<Written> {
        let paths = self.cut.local(date.files.iter().copied(), &self.duck.lease)?;
        let files: Vec<String> = paths.iter().map(|path| literal(&path.to_string_lossy())).collect();
        let sql = include_str!("../../sql/attribution_rows/evidence.sql").replace("{files}", &files.join(", "));
        self.write("writing evidence", &sql, &arrow_schema::cost_attribution(), out)
    }

    /// Writes the rows of a query, whose last column says whether a row lacks a cost for its size.
    fn write(
        &self,
        doing: &'static str,
        sql: &str,
        schema: &arrow::datatypes::SchemaRef,
        out: &mut (dyn Write + Send),
    ) -> Result<Written> {
        let parquet = |source| ExportError::Parquet { doing, path: layout::FINDINGS_ENRICHED.to_owned(), source };
        let level = ZstdLevel::try_new(1).map_err(parquet)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(parquet)?;
        let (mut rows, mut amount_overflows) = (0, 0);
        self.duck.stream(doing, sql, |batch| {
            let last = batch.num_columns() - 1;
            let overflows: Option<&BooleanArray> = batch.column(last).as_boolean_opt();
            let overflows_before = amount_overflows;
            amount_overflows += overflows.map_or(0, |all| all.true_count() as u64);
            if overflows_before == 0 && amount_overflows > 0 {
                warn_of_overflow(&batch, overflows);
            }
            let of_schema: Vec<usize> = (0..last).collect();
            let batch: RecordBatch = batch.project(&of_schema).map_err(|e| parquet(e.into()))?;
            let batch = arrow_schema::conform(&batch, schema).map_err(|e| parquet(e.into()))?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(parquet)
        })?;
        writer.close().map_err(parquet)?;
        Ok(Written { rows, amount_overflows })
    }
}

/// Names the first finding whose amounts have too many digits; how many there are is said at the end.
fn warn_of_overflow(batch: &RecordBatch, overflows: Option<&BooleanArray>) {
    let text = |name: &str| {
        let row = overflows?.iter().position(|overflow| overflow == Some(true))?;
        let texts = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        Some(texts.value(row).to_owned())
    };
    tracing::warn!(
        finding_id = text("finding_id").unwrap_or_default(),
        run_id = text("run_id").unwrap_or_default(),
        "this finding has no actual cost (amount_overflow): the bill has an amount of more than 12 digits before the point for its \
         resource"
    );
}

/// Where the files are on this machine; each holds rows of the tenant that its path names.
fn checked(duck: &Duck, cut: &Cut, files: &[&DataFile]) -> Result<Vec<PathBuf>> {
    let paths = cut.local(files.iter().copied(), &duck.lease)?;
    check_paths(duck, files, &paths)?;
    Ok(paths)
}
