//! A DuckDB of its own for each job: in memory, UTC, no extension loading, spilling to a folder of its own. All that a job makes is
//! temporary, so it belongs to the job's connection and ends with it; the database then serves the next job, unless it has failed.
//! Knows SQL text, not findings.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arrow::array::RecordBatch;
use duckdb::types::FromSql;
use duckdb::{Config, Connection, Params, Row, params_from_iter};
use platform::store::Lease;
use uuid::Uuid;

use crate::by_tenant::ByTenant;
use crate::error::{ExportError, Result};

/// What one DuckDB may use.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Memory that one of several databases has at least, MiB: a tenant with 300,000 findings fits.
const SHARE_MIN_MB: u64 = 1024;

impl DuckLimits {
    /// How many of `jobs` may go on at a time, and what each of them may use.
    pub(crate) fn share(&self, jobs: usize) -> (usize, Self) {
        let by_memory = usize::try_from(self.memory_max_mb / SHARE_MIN_MB).unwrap_or(usize::MAX);
        let at_a_time = self.threads.min(by_memory).min(jobs).max(1);
        let memory_max_mb = self.memory_max_mb / at_a_time as u64;
        (at_a_time, Self { memory_max_mb, threads: self.threads / at_a_time, spill_dir: self.spill_dir.clone() })
    }
}

/// Rows of one INSERT.
const ROWS_PER_INSERT: usize = 500;

/// Begins the name of the folder that one database spills to.
const SPILL: &str = "finops-duckdb-";
/// No question and no export takes so long.
const SPILL_LEFT_AFTER: Duration = Duration::from_secs(86_400);

/// A job's connection to a database that no other job uses.
pub(crate) struct Duck {
    connection: Connection,
    /// Of the files that it reads: dropped after the connection.
    pub(crate) lease: Lease,
    scratch: Scratch,
    /// Dropped last, when what the job has made was removed with its connection.
    borrowed: Borrowed,
}

/// Databases without a job, those that were used last at the end. To open one takes as long as all statements about a small tenant.
static IDLE: Mutex<Vec<Database>> = Mutex::new(Vec::new());

/// Most of them, on a machine with few cores; else one for each core. Limits change with the number of jobs, and what no job asks for
/// again has to go.
const IDLE_MAX: usize = 8;

fn idle_max() -> usize {
    thread::available_parallelism().map_or(IDLE_MAX, |cores| cores.get().max(IDLE_MAX))
}

struct Database {
    connection: Connection,
    limits: DuckLimits,
    spill: PathBuf,
}

impl Database {
    /// An idle one with these limits, else a new one.
    fn of(limits: &DuckLimits) -> Result<Self> {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().position(|database| database.limits == *limits).map(|at| idle.remove(at));
        drop(idle);
        found.map_or_else(|| Self::open(limits), Ok)
    }

    fn open(limits: &DuckLimits) -> Result<Self> {
        // DuckDB makes the last folder of a path only. A query that has to spill fails when it is missing, and names it.
        if let Err(error) = std::fs::create_dir_all(&limits.spill_dir) {
            tracing::debug!(folder = %limits.spill_dir.display(), %error, "no folder to spill to");
        }
        remove_left_folders(&limits.spill_dir);
        // Two databases in one folder would overwrite each other's files.
        let spill = limits.spill_dir.join(format!("{SPILL}{}", Uuid::new_v4().simple()));
        let opened = || -> duckdb::Result<Connection> {
            let config = Config::default()
                .enable_autoload_extension(false)?
                .max_memory(&format!("{}MiB", limits.memory_max_mb))?
                .threads(i64::try_from(limits.threads).unwrap_or(1))?
                .with("temp_directory", spill.to_string_lossy())?
                .with("preserve_insertion_order", "false")?;
            Connection::open_in_memory_with_flags(config)
        };
        let connection = opened().map_err(ExportError::duck("opening DuckDB"))?;
        Ok(Self { connection, limits: limits.clone(), spill })
    }
}

/// Gives the database back.
struct Borrowed {
    database: Option<Database>,
    has_failed: Cell<bool>,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // One that has failed may be broken as a whole; one that has spilled removes its files only when it is closed.
        let is_sound = |database: &Database| !self.has_failed.get() && !thread::panicking() && !database.spill.exists();
        let Some(database) = self.database.take().filter(is_sound) else { return };
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(database);
        let surplus = idle.len().saturating_sub(idle_max());
        let closed: Vec<Database> = idle.drain(..surplus).collect();
        // To close one takes a while, and others wait for the lock.
        drop(idle);
        drop(closed);
    }
}

/// A folder for files that only one database reads; made by who needs it.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is removed with what killed processes have left.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Duck {
    pub(crate) fn open(limits: &DuckLimits) -> Result<Self> {
        let database = Database::of(limits)?;
        let connection = database.connection.try_clone().map_err(ExportError::duck("opening DuckDB"))?;
        let scratch = Scratch(limits.spill_dir.join(format!("{SPILL}{}", Uuid::new_v4().simple())));
        let borrowed = Borrowed { database: Some(database), has_failed: Cell::new(false) };
        Ok(Self { connection, lease: Lease::default(), scratch, borrowed })
    }

    /// A folder for files that it is to read, removed with it. It may have to be made.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch.0
    }

    /// Runs statements that return nothing.
    pub(crate) fn run(&self, doing: &str, sql: &str) -> Result<()> {
        self.answered(doing, self.connection.execute_batch(sql))
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
        self.answered(doing, all())
    }

    /// All rows of a query over several tenants, by the tenant in the first column.
    pub(crate) fn rows_by_tenant<T>(
        &self,
        doing: &str,
        sql: &str,
        mut read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<ByTenant<T>> {
        Ok(ByTenant::new(self.rows(doing, sql, [], |row| Ok((row.get(0)?, read(row)?)))?))
    }

    /// Inserts rows of text cells, which become what the columns of the table hold.
    pub(crate) fn insert(&self, doing: &str, table: &str, rows: &[Vec<Option<&str>>]) -> Result<()> {
        for some in rows.chunks(ROWS_PER_INSERT) {
            let cells = vec!["?"; some[0].len()].join(", ");
            let values = vec![format!("({cells})"); some.len()].join(", ");
            let sql = format!("INSERT INTO {table} VALUES {values}");
            self.answered(doing, self.connection.execute(&sql, params_from_iter(some.iter().flatten())).map(drop))?;
        }
        Ok(())
    }

    /// Hands the rows of a query over as they come, some thousands at a time; what cannot be held is spilled.
    pub(crate) fn stream(&self, doing: &str, sql: &str, mut take: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        let mut statement = self.answered(doing, self.connection.prepare(sql))?;
        for batch in self.answered(doing, statement.stream_arrow([]))? {
            take(self.answered(doing, batch)?)?;
        }
        Ok(())
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
        self.answered(doing, read())
    }

    fn answered<T>(&self, doing: &str, answer: duckdb::Result<T>) -> Result<T> {
        answer.map_err(|error| {
            self.borrowed.has_failed.set(true);
            ExportError::duck(doing)(error)
        })
    }
}

/// Removes folders that killed processes have left: files come and go in one that is in use.
fn remove_left_folders(spill_dir: &Path) {
    let Ok(entries) = std::fs::read_dir(spill_dir) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(SPILL)) {
        let modified = entry.metadata().and_then(|found| found.modified());
        if modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > SPILL_LEFT_AFTER)) {
            // Another process may have done it, or it is another user's.
            let _ = std::fs::remove_dir_all(entry.path());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_memory_is_spilled() {
        let folder = tempfile::tempdir().unwrap();
        let spill_dir = folder.path().join("not/there/yet");
        let duck = Duck::open(&DuckLimits { memory_max_mb: 128, threads: 1, spill_dir: spill_dir.clone() }).unwrap();
        let rows =
            "CREATE TEMP TABLE big AS SELECT hash(range) AS h, repeat(h::VARCHAR, 20) FROM range(500000) ORDER BY h";
        duck.run("sorting", rows).unwrap();
        let spilled = || std::fs::read_dir(&spill_dir).unwrap().count();
        assert_eq!(spilled(), 1, "it did not have to spill");
        let other = Duck::open(&DuckLimits { memory_max_mb: 128, threads: 1, spill_dir: spill_dir.clone() }).unwrap();
        other.run("sorting", rows).unwrap();
        assert_eq!(spilled(), 2, "each has a folder of its own");
        drop(other);
        assert_eq!(duck.value("counting", "SELECT count(DISTINCT h) FROM big").unwrap(), Some(500_000_i64));
    }

    #[test]
    fn a_database_serves_the_next_job_which_finds_nothing_of_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let limits = DuckLimits { memory_max_mb: 64, threads: 1, spill_dir: folder.path().into() };
        let is_there = |duck: &Duck, table: &str| {
            let sql = format!("SELECT 1 FROM duckdb_tables() WHERE table_name = '{table}'");
            duck.value::<i64>("looking", &sql).unwrap().is_some()
        };
        let first = Duck::open(&limits).unwrap();
        first.run("marking", "CREATE TABLE mark (n INTEGER); CREATE TEMP TABLE finding (n INTEGER)").unwrap();
        let beside = Duck::open(&limits).unwrap();
        assert!(!is_there(&beside, "mark"), "two jobs at a time have two databases");
        drop(first);
        let next = Duck::open(&limits).unwrap();
        assert!(is_there(&next, "mark"), "the same database");
        assert!(!is_there(&next, "finding"), "nothing of the job before");
        let _ = next.run("failing", "SELECT no_such_function()").unwrap_err();
        drop(next);
        assert!(!is_there(&Duck::open(&limits).unwrap(), "mark"), "one that has failed is not used again");
        let other = DuckLimits { memory_max_mb: 65, ..limits };
        drop(beside);
        assert!(!is_there(&Duck::open(&other).unwrap(), "mark"), "limits are those that were asked for");
        for memory_max_mb in 66..66 + 2 * idle_max() as u64 {
            drop(Duck::open(&DuckLimits { memory_max_mb, ..other.clone() }).unwrap());
        }
        assert!(IDLE.lock().unwrap().len() <= idle_max(), "what no job asks for again is closed");
    }

    #[test]
    fn what_needs_too_much_memory_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let limits = DuckLimits { memory_max_mb: 16, threads: 1, spill_dir: folder.path().into() };
        let duck = Duck::open(&limits).unwrap();
        let error = duck.run("listing", "SELECT list(range ORDER BY hash(range)) FROM range(10000000)").unwrap_err();
        assert_eq!(error.code(), Some("out_of_memory"));
        let message = error.to_string();
        assert!(message.starts_with("listing: Out of Memory Error: "), "{message}");
        assert!(message.ends_with("; raise exporter.memory_bytes_max") && !message.contains('\n'), "{message}");
    }

    #[test]
    fn jobs_share_threads_and_memory() {
        let check = |threads, memory_max_mb, jobs, expected: (usize, usize, u64)| {
            let limits = DuckLimits { threads, memory_max_mb, ..DuckLimits::default() };
            let (at_a_time, each) = limits.share(jobs);
            let found = (at_a_time, each.threads, each.memory_max_mb);
            assert_eq!(found, expected, "{threads} threads, {memory_max_mb} MiB, {jobs} jobs");
        };
        check(2, 2048, 1, (1, 2, 2048));
        check(2, 2048, 5000, (2, 1, 1024));
        check(16, 2048, 5000, (2, 8, 1024));
        check(16, 65_536, 5000, (16, 1, 4096));
        check(16, 65_536, 3, (3, 5, 21_845));
        check(2, 64, 5000, (1, 2, 64));
        check(2, 2048, 0, (1, 2, 2048));
    }
}
