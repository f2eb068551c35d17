//! Which process keeps all others from writing. SQLite takes its write lock as a lock on one byte of the file beside the log,
//! and Linux lists such locks.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// SQLite's `WAL_WRITE_LOCK`: the first of the bytes behind the header of the `-shm` file that are locked.
const WRITE_LOCK_BYTE: &str = "120";

/// The process that has the write lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub process: u32,
    /// The name of its program.
    program: String,
    /// It was stopped by a signal or a debugger: it will not let go by itself.
    is_stopped: bool,
}

impl Holder {
    /// Who has the write lock of this log now; `None` when no process has it, or when the system does not say, as of a process in
    /// another container.
    #[must_use]
    pub fn of(log: &Path) -> Option<Self> {
        let mut beside = log.as_os_str().to_owned();
        beside.push("-shm");
        let inode = fs::metadata(beside).ok()?.ino();
        let process = fs::read_to_string("/proc/locks").ok()?.lines().find_map(|line| locker(line, inode))?;
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let (program, state) = program_and_state(&stat).unwrap_or(("unknown", ' '));
        Some(Self { process, program: program.to_owned(), is_stopped: matches!(state, 'T' | 't') })
    }

    /// What is the matter and what to do, for people.
    pub(super) fn advice(&self) -> String {
        let Self { process, program, is_stopped } = self;
        match is_stopped {
            true => format!(
                "process {process} ({program}) was stopped in the middle of a write and keeps all others waiting: let it go on \
                 with `kill -CONT {process}`, or end it with `kill -KILL {process}`, which loses nothing"
            ),
            false => format!("process {process} ({program}) is writing"),
        }
    }
}

/// The process of a line of `/proc/locks` such as `1: POSIX  ADVISORY  WRITE 3568 fe:00:2615 120 120`, if it has the write lock
/// of the log that has this file beside it.
fn locker(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["POSIX", _, "WRITE", process, file, WRITE_LOCK_BYTE, WRITE_LOCK_BYTE] = words.get(1..)? else { return None };
    let is_it = file.rsplit(':').next()?.parse() == Ok(inode);
    if is_it { process.parse().ok() } else { None }
}

/// The name is in parentheses and may hold any letter; the state is the word behind it.
fn program_and_state(stat: &str) -> Option<(&str, char)> {
    let (_, rest) = stat.split_once('(')?;
    let (program, rest) = rest.rsplit_once(')')?;
    Some((program, rest.trim_start().chars().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_lock_is_found() {
        let line = |line: &str| locker(line, 2615);
        assert_eq!(line("1: POSIX  ADVISORY  WRITE 3568 fe:00:2615 120 120"), Some(3568));
        assert_eq!(line("1: POSIX  ADVISORY  WRITE 3568 fe:00:2616 120 120"), None, "another file");
        assert_eq!(line("1: POSIX  ADVISORY  READ  3568 fe:00:2615 124 124"), None, "a reader");
        assert_eq!(line("1: -> POSIX  ADVISORY  WRITE 3568 fe:00:2615 120 120"), None, "one that waits");
        assert_eq!(line("1: FLOCK  ADVISORY  WRITE 3568 fe:00:2615 0 EOF"), None);
        assert_eq!(program_and_state("12 (a (b) c) T 1 2"), Some(("a (b) c", 'T')));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn who_is_writing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sqlite");
        let settings = super::super::EmbeddedSettings::default();
        let mut connection = super::super::schema::connect(&path, &settings).unwrap();
        assert_eq!(Holder::of(&path), None);
        let writing = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
        let holder = Holder::of(&path).unwrap();
        assert_eq!((holder.process, holder.is_stopped), (std::process::id(), false));
        writing.rollback().unwrap();
        assert_eq!(Holder::of(&path), None);
        let stopped = Holder { process: 7, program: "finops".into(), is_stopped: true }.advice();
        assert!(stopped.contains("process 7 (finops) was stopped") && stopped.contains("`kill -CONT 7`"), "{stopped}");
    }
}
