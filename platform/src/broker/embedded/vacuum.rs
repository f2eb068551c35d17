//! Gives the room of removed records back to the file system. A file has `auto_vacuum = INCREMENTAL` from its creation: free
//! pages leave it in small steps, each a short transaction, so that no writer waits for long. Files of earlier versions get it
//! by one `VACUUM`, which rewrites what is live.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::errors;
use super::schema::{PAGE_BYTES, pragma};
use super::{EmbeddedSettings, FileSize, Result};

/// `auto_vacuum` of a file whose free pages leave it when they are asked to.
const INCREMENTAL: i64 = 2;
/// Pages of one step: 4 MiB, a few milliseconds of work under the write lock.
const STEP_PAGES: u64 = 256;
/// Between two steps at least, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// Free pages that stay for the next records, at least: 1 MiB.
const KEPT_PAGES_MIN: u64 = 64;
/// Free pages that stay are this part of the live ones, at most: giving all back would make the file grow again at once.
const KEPT_PART: u64 = 16;

/// While others work, a file is converted when half of it is free, and enough to be worth it,
const WORTH_BYTES: u64 = 16 << 20;
/// and when what is live is written within a few seconds: writers wait meanwhile, up to `busy_timeout`.
const CONVERTED_BESIDE_OTHERS_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Clone, Copy)]
struct Pages {
    all: u64,
    free: u64,
    is_incremental: bool,
}

impl Pages {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let count = |name| pragma(connection, name).map(i64::unsigned_abs);
        let (all, free) = (count("page_count")?, count("freelist_count")?);
        Ok(Self { all, free, is_incremental: gives_back(connection)? })
    }

    fn live(self) -> u64 {
        self.all.saturating_sub(self.free)
    }

    /// Free pages that are too many to keep.
    fn surplus(self) -> u64 {
        self.free.saturating_sub(KEPT_PAGES_MIN.max(self.live() / KEPT_PART))
    }

    fn is_worth_converting_beside_others(self) -> bool {
        let (live_bytes, free_bytes) = (self.live() * PAGE_BYTES, self.free * PAGE_BYTES);
        free_bytes > live_bytes.max(WORTH_BYTES) && live_bytes <= CONVERTED_BESIDE_OTHERS_BYTES_MAX
    }
}

/// False for a file of an earlier version.
pub(super) fn gives_back(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(pragma(connection, "auto_vacuum")? == INCREMENTAL)
}

pub(super) fn size(connection: &Connection, path: &Path) -> rusqlite::Result<FileSize> {
    let pages = Pages::of(connection)?;
    let bytes = |suffix| std::fs::metadata(super::beside(path, suffix)).map_or(0, |found| found.len());
    Ok(FileSize {
        file_bytes: bytes("") + bytes("-wal") + bytes("-shm"),
        live_bytes: pages.live() * PAGE_BYTES,
        free_bytes: pages.free * PAGE_BYTES,
        gives_back: pages.is_incremental,
    })
}

/// Gives free pages back, as far as they are too many to keep.
pub(super) fn give_back(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let pages = Pages::of(connection)?;
    if !pages.is_incremental {
        return convert_beside_others(connection, path, pages);
    }
    let mut surplus = pages.surplus();
    if surplus == 0 {
        return Ok(());
    }
    let before = pages.all;
    while surplus > 0 {
        let started = Instant::now();
        // One row for each page that left the file.
        let mut step = connection.prepare(&format!("PRAGMA incremental_vacuum({})", surplus.min(STEP_PAGES)))?;
        let mut rows = step.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        let now = Pages::of(connection)?.surplus();
        if now >= surplus {
            // Another process writes as fast as this one gives back.
            break;
        }
        surplus = now;
        let_others_in(started);
    }
    // The file gets shorter when its end is taken over from the write-ahead log. Readers that are in the way now are not later.
    let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(0))?;
    let given_bytes = before.saturating_sub(Pages::of(connection)?.all) * PAGE_BYTES;
    tracing::info!(path = %path.display(), given_bytes, "the broker gave room back to the file system");
    Ok(())
}

/// Leaves the write lock alone for as long as the step that began then has held it: a writer that waits looks for it now and then
/// only, and must not miss every gap.
pub(super) fn let_others_in(step_began: Instant) {
    std::thread::sleep(step_began.elapsed().clamp(PAUSE.0, PAUSE.1));
}

fn convert_beside_others(connection: &Connection, path: &Path, pages: Pages) -> rusqlite::Result<()> {
    if pages.is_worth_converting_beside_others() {
        convert(connection, path, pages)?;
    } else if pages.surplus() > 0 {
        let free_bytes = pages.free * PAGE_BYTES;
        tracing::info!(path = %path.display(), free_bytes, "the broker file of an earlier version keeps its free pages until a command has it for itself");
    }
    Ok(())
}

/// Converts a file of an earlier version if no other connection has it open; true when it did.
pub(super) fn convert_if_alone(path: &Path, settings: &EmbeddedSettings) -> Result<bool> {
    let doing = || format!("converting the broker file {}", path.display());
    let convert = || -> rusqlite::Result<bool> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::ZERO)?;
        // In this mode the first access takes the whole file, and fails while another connection has it open.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        let pages = match Pages::of(&connection) {
            Ok(pages) => pages,
            Err(error) if errors::is_busy(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        connection.busy_timeout(settings.busy_timeout)?;
        if !pages.is_incremental {
            convert(&connection, path, pages)?;
        }
        Ok(true)
    };
    convert().map_err(|e| errors::of(&e, &doing(), path))
}

/// Rewrites the file; needs as much room as is live, twice, until it is done. One transaction: killed, it left nothing.
fn convert(connection: &Connection, path: &Path, pages: Pages) -> rusqlite::Result<()> {
    let (live_bytes, free_bytes) = (pages.live() * PAGE_BYTES, pages.free * PAGE_BYTES);
    let shown = path.display();
    if live_bytes + free_bytes > WORTH_BYTES {
        tracing::warn!(path = %shown, live_bytes, free_bytes, "converting the broker file of an earlier version, once: it then gives free pages back; others wait");
    }
    let started = Instant::now();
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
    let seconds = started.elapsed().as_secs();
    tracing::info!(path = %shown, seconds, "converted the broker file");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_free_pages_stay_for_the_next_records() {
        let check = |all, free, expected| {
            assert_eq!(Pages { all, free, is_incremental: true }.surplus(), expected, "{free} of {all}");
        };
        check(100, 64, 0);
        check(100, 65, 1);
        check(1_000, 900, 836);
        check(20_000, 4_000, 3_000);
    }

    #[test]
    fn beside_others_only_what_is_short_and_worth_it_is_converted() {
        let check = |live_mib: u64, free_mib: u64, expected| {
            let pages = |mib| mib * (1 << 20) / PAGE_BYTES;
            let found = Pages { all: pages(live_mib + free_mib), free: pages(free_mib), is_incremental: false };
            assert_eq!(found.is_worth_converting_beside_others(), expected, "{live_mib} live, {free_mib} free");
        };
        check(1, 10, false);
        check(10, 20, true);
        check(100, 90, false);
        check(200, 300, true);
        check(300, 3_000, false);
    }
}
