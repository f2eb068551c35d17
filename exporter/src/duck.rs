//! One private DuckDB per job: in memory, UTC, no extension loading, spilling to a folder of its own.
//! Knows SQL text, not findings.

use std::path::Path;

use duckdb::types::FromSql;
use duckdb::{Config, Connection, Params, Row};
use platform::store::Lease;

use crate::error::{ExportError, Result};

/// What one DuckDB may use.
#[derive(Debug, Clone)]
pub struct DuckLimits {
    /// Memory before it spills, MiB. The default leaves room for the rest of the process on a small machine.
    pub memory_max_mb: u64,
    /// Worker threads; results do not depend on it.
    pub threads: usize,
    /// Folder it may spill to.
    pub spill_dir: std::path::PathBuf,
}

impl Default for DuckLimits {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { memory_max_mb: 2048, threads, spill_dir: std::env::temp_dir() }
    }
}

/// An open database.
pub(crate) struct Duck {
    connection: Connection,
    /// Of the files that it reads: dropped after the connection.
    pub(crate) lease: Lease,
}

impl Duck {
    pub(crate) fn open(limits: &DuckLimits) -> Result<Self> {
        let opened = || -> duckdb::Result<Connection> {
            let config = Config::default()
                .enable_autoload_extension(false)?
                .max_memory(&format!("{}MiB", limits.memory_max_mb))?
                .threads(i64::try_from(limits.threads).unwrap_or(1))?
                .with("temp_directory", limits.spill_dir.join("finops-duckdb").to_string_lossy())?
                .with("preserve_insertion_order", "false")?;
            Connection::open_in_memory_with_flags(config)
        };
        Ok(Self { connection: opened().map_err(ExportError::duck("opening DuckDB"))?, lease: Lease::default() })
    }

    /// Runs statements that return nothing.
    pub(crate) fn run(&self, doing: &str, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(ExportError::duck(doing))
    }

    /// Runs one statement with parameters.
    pub(crate) fn run_with(&self, doing: &str, sql: &str, params: impl Params) -> Result<()> {
        self.connection.execute(sql, params).map(drop).map_err(ExportError::duck(doing))
    }

    /// All rows of a query.
    pub(crate) fn rows<T>(
        &self,
        doing: &str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>> {
        let all = || -> duckdb::Result<Vec<T>> { self.connection.prepare(sql)?.query_map(params, read)?.collect() };
        all().map_err(ExportError::duck(doing))
    }

    /// The one value of a query; `None` when there is no row.
    pub(crate) fn value<T: FromSql>(&self, doing: &str, sql: &str) -> Result<Option<T>> {
        Ok(self.rows(doing, sql, [], |row| row.get(0))?.pop())
    }

    /// Column types of a query, without running it over data.
    pub(crate) fn schema(&self, doing: &str, query: &str) -> Result<arrow::datatypes::SchemaRef> {
        let read = || -> duckdb::Result<_> {
            let mut statement = self.connection.prepare(&format!("SELECT * FROM ({query}) LIMIT 0"))?;
            let schema = statement.query_arrow([])?.get_schema();
            Ok(schema)
        };
        read().map_err(ExportError::duck(doing))
    }
}

/// A text literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A call that reads exactly these files: by column name, partition columns ignored (R61, R68); column
/// `__file` tells the file of a row.
pub(crate) fn read_parquet<'p>(files: impl IntoIterator<Item = &'p Path>) -> String {
    let list: Vec<String> = files.into_iter().map(|path| literal(&glob_escaped(&path.to_string_lossy()))).collect();
    format!("read_parquet([{}], union_by_name = true, hive_partitioning = false, filename = '__file')", list.join(", "))
}

/// DuckDB takes every file name for a pattern; this one matches only itself.
fn glob_escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '[' | '*' | '?' => out.extend(['[', c, ']']),
            _ => out.push(c),
        }
    }
    out
}
