//! The audit record of what was sent again: who, when, what was asked for, and each record with its new position. One
//! folder in the store, whose objects are never changed:
//!
//! ```text
//! _audit/redrive/<time>-<id>/plan.json            what is about to be done (_audit/repair/… for a repair, _audit/replay/<id>/
//!                                                 for a replay)
//!                           <n, 8 digits>.json        the records of part n, before they are sent
//!                           <n, 8 digits>.done.json   whether they were sent, and where to
//!                           result.json             how it ended; without it, it was interrupted
//! ```
//! A part is sent in one atomic step that leaves a mark with the lock, so the next holder of the lock knows of a part
//! without an answer whether it was sent.

use contracts::layout;
use contracts::source::{self, Src, SrcSet};
use contracts::time;
use lake::ledger::{AuditPart, PartDone, SentAs, listed};
use platform::clock::Clock;
use platform::store::{PutOutcome, Store};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ResendError;

/// Version of the objects; a reader refuses a higher one.
pub const FORMAT_VERSION: u32 = 1;

/// What is left with the lock by the step that sends a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Folder of the audit record.
    pub audit: String,
    /// Part.
    pub part: u64,
}

#[derive(Serialize, Deserialize)]
struct Plan<T> {
    format_version: u32,
    by: String,
    at: String,
    plan: T,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All that was asked for was looked at.
    Done,
    /// It was stopped in good order, or by its cap.
    Stopped,
    /// It was killed or failed; a later one found that out.
    Interrupted,
}

#[derive(Serialize, Deserialize)]
struct Ended<T> {
    format_version: u32,
    at: String,
    end: End,
    /// Records that were sent, by the position they had.
    sources: SrcSet,
    result: T,
}

/// An audit record that is being written.
pub struct Journal<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    folder: String,
    next_part: u64,
    sources: SrcSet,
}

impl<'a> Journal<'a> {
    /// Begins one with its plan in a folder of `kind`; `id` makes its name unique.
    ///
    /// # Errors
    /// The store refuses.
    pub fn begin<T: Serialize>(
        store: &'a dyn Store,
        clock: &'a dyn Clock,
        kind: &str,
        id: &str,
        by: &str,
        plan: T,
    ) -> Result<Self, ResendError> {
        let at = time::format_timestamp(clock.now_ms());
        let stamp: String = at.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let folder = format!("{kind}/{stamp}-{}", layout::encode_segment(id));
        let journal = Self { store, clock, folder, next_part: 0, sources: SrcSet::new() };
        journal.put("plan.json", &Plan { format_version: FORMAT_VERSION, by: by.to_owned(), at, plan })?;
        Ok(journal)
    }

    /// Begins that of a replay, or goes on with it; returns also what it was begun with.
    pub(super) fn replay<T: Serialize + DeserializeOwned>(
        store: &'a dyn Store,
        clock: &'a dyn Clock,
        id: &str,
        by: &str,
        plan: T,
    ) -> Result<(Self, T), ResendError> {
        let folder = format!("{}/{}", layout::AUDIT_REPLAY, layout::encode_segment(id));
        let mut journal = Self { store, clock, folder, next_part: 0, sources: SrcSet::new() };
        let path = format!("{}/plan.json", journal.folder);
        let Some(begun) = get::<Plan<T>>(store, &path)? else {
            let at = time::format_timestamp(clock.now_ms());
            let begun = Plan { format_version: FORMAT_VERSION, by: by.to_owned(), at, plan };
            journal.put("plan.json", &begun)?;
            return Ok((journal, begun.plan));
        };
        let has_ended = get::<Ended<serde_json::Value>>(store, &format!("{}/result.json", journal.folder))?.is_some();
        if begun.format_version > FORMAT_VERSION || has_ended {
            let problem = if has_ended { "it has ended: give another id" } else { "it has a newer format" };
            return Err(ResendError::Audit { path, problem: problem.to_owned() });
        }
        let folder = journal.folder.clone();
        parts(store, &folder, |part, sources, done| {
            journal.next_part = part + 1;
            if done.is_some_and(|done| done.is_sent) {
                add(&mut journal.sources, &sources);
            }
            Ok(())
        })?;
        Ok((journal, begun.plan))
    }

    /// Positions of what it has sent.
    pub(super) fn sources(&self) -> &SrcSet {
        &self.sources
    }

    /// Where it lies in the store.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// Writes down what the next part sends, and returns the mark its step must leave.
    pub(super) fn intend(&mut self, sources: &[Src], sent_as: Vec<SentAs>) -> Result<(u64, String), ResendError> {
        let part = self.next_part;
        self.next_part += 1;
        let intended = AuditPart { sources: sources.to_vec(), sent_as: Some(sent_as) };
        self.put(&format!("{part:08}.json"), &intended)?;
        let mark = Mark { audit: self.folder.clone(), part };
        Ok((part, serde_json::to_string(&mark).unwrap_or_default()))
    }

    /// Writes down that a part was sent.
    pub(super) fn sent(&mut self, part: u64, sources: &[Src], positions: Vec<String>) -> Result<(), ResendError> {
        add(&mut self.sources, sources);
        self.put(&format!("{part:08}.done.json"), &PartDone { is_sent: true, positions: Some(positions) })
    }

    /// Ends it.
    pub(super) fn end<T: Serialize>(self, end: End, result: T) -> Result<(), ResendError> {
        let at = time::format_timestamp(self.clock.now_ms());
        let ended = Ended { format_version: FORMAT_VERSION, at, end, sources: self.sources.clone(), result };
        self.put("result.json", &ended)
    }

    fn put<T: Serialize>(&self, name: &str, object: &T) -> Result<(), ResendError> {
        put(self.store, &format!("{}/{name}", self.folder), object)
    }
}

/// Positions of everything that was sent again before. The caller holds the lock, so whatever has not ended was
/// interrupted: it is found out how far it came, and ended. `mark` is what the last step under the lock has left.
///
/// # Errors
/// An audit record is unreadable, or the store refuses.
pub fn sent_before(store: &dyn Store, clock: &dyn Clock, mark: &str) -> Result<SrcSet, ResendError> {
    let mark: Option<Mark> = serde_json::from_str(mark).ok();
    all(store, |folder| {
        let mut journal = Journal { store, clock, folder: folder.to_owned(), next_part: 0, sources: SrcSet::new() };
        parts(store, folder, |part, sources, done| {
            let was_sent = mark.as_ref().is_some_and(|mark| mark.audit == folder && mark.part >= part);
            if done.is_none() {
                journal.put(&format!("{part:08}.done.json"), &PartDone { is_sent: was_sent, positions: None })?;
            }
            if done.map_or(was_sent, |done| done.is_sent) {
                add(&mut journal.sources, &sources);
            }
            Ok(())
        })?;
        let sources = journal.sources.clone();
        // A replay can be resumed.
        if !folder.starts_with(layout::AUDIT_REPLAY) {
            journal.end(End::Interrupted, ())?;
        }
        Ok(sources)
    })
}

/// Replays that have not ended, with what they were begun with.
pub(super) fn unended_replays<T: DeserializeOwned>(store: &dyn Store) -> Result<Vec<(String, T)>, ResendError> {
    let mut all = Vec::new();
    for path in store.list(layout::AUDIT_REPLAY)?.into_iter().map(|entry| entry.path) {
        let Some(folder) = path.strip_suffix("/plan.json") else { continue };
        if get::<serde_json::Value>(store, &format!("{folder}/result.json"))?.is_some() {
            continue;
        }
        let id = folder.rsplit('/').next().and_then(layout::decode_segment);
        if let (Some(id), Some(plan)) = (id, get::<Plan<T>>(store, &path)?) {
            all.push((id, plan.plan));
        }
    }
    Ok(all)
}

/// As [`sent_before`] for callers without the lock: nothing is written, and what is in parts without an answer comes second.
///
/// # Errors
/// An audit record is unreadable, or the store refuses.
pub fn sent_so_far(store: &dyn Store) -> Result<(SrcSet, SrcSet), ResendError> {
    let mut unanswered = SrcSet::new();
    let sent = all(store, |folder| {
        let mut set = SrcSet::new();
        parts(store, folder, |_, sources, done| {
            match done {
                Some(done) if done.is_sent => add(&mut set, &sources),
                Some(_) => {}
                None => add(&mut unanswered, &sources),
            }
            Ok(())
        })?;
        Ok(set)
    })?;
    Ok((sent, unanswered))
}

/// What all audit records say was sent; `unended` tells it of one without a result.
fn all(store: &dyn Store, mut unended: impl FnMut(&str) -> Result<SrcSet, ResendError>) -> Result<SrcSet, ResendError> {
    let mut all = SrcSet::new();
    for path in listed(store)? {
        let Some(folder) = path.strip_suffix("/plan.json") else { continue };
        let sources = match get::<Ended<serde_json::Value>>(store, &format!("{folder}/result.json"))? {
            Some(ended) if ended.format_version > FORMAT_VERSION => {
                let problem = format!("format version {} is newer than {FORMAT_VERSION}", ended.format_version);
                return Err(ResendError::Audit { path, problem });
            }
            Some(ended) => ended.sources,
            None => unended(folder)?,
        };
        source::union(&mut all, &sources);
    }
    Ok(all)
}

fn parts(
    store: &dyn Store,
    folder: &str,
    mut each: impl FnMut(u64, Vec<Src>, Option<PartDone>) -> Result<(), ResendError>,
) -> Result<(), ResendError> {
    for part in 0.. {
        let Some(AuditPart { sources, .. }) = get(store, &format!("{folder}/{part:08}.json"))? else { break };
        each(part, sources, get(store, &format!("{folder}/{part:08}.done.json"))?)?;
    }
    Ok(())
}

fn add(set: &mut SrcSet, sources: &[Src]) {
    for src in sources {
        let _new = set.entry(src.partition.clone()).or_default().insert(src.offset);
    }
}

fn put<T: Serialize>(store: &dyn Store, path: &str, object: &T) -> Result<(), ResendError> {
    let bad = |problem: String| ResendError::Audit { path: path.to_owned(), problem };
    let bytes = serde_json::to_vec_pretty(object).map_err(|e| bad(e.to_string()))?;
    match store.put_if_absent(path, &bytes)? {
        PutOutcome::Created => Ok(()),
        // A former holder of the lock that comes back late says the same of a part as its successor.
        PutOutcome::Exists if store.get(path)?.is_some_and(|found| found == bytes) => Ok(()),
        PutOutcome::Exists => Err(bad("another process has written it: it holds the lock now".to_owned())),
    }
}

fn get<T: DeserializeOwned>(store: &dyn Store, path: &str) -> Result<Option<T>, ResendError> {
    let Some(bytes) = store.get(path)? else { return Ok(None) };
    let bad = |problem: String| ResendError::Audit { path: path.to_owned(), problem };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use platform::store::local::LocalStore;

    use super::*;

    #[test]
    fn a_record_is_written_once_and_the_same_again_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let done = |is_sent| PartDone { is_sent, positions: None };
        put(&store, "_audit/x/00000000.done.json", &done(true)).unwrap();
        put(&store, "_audit/x/00000000.done.json", &done(true)).unwrap();
        let refused = put(&store, "_audit/x/00000000.done.json", &done(false)).unwrap_err().to_string();
        assert!(refused.contains("another process has written it"), "{refused}");
        let kept: PartDone = get(&store, "_audit/x/00000000.done.json").unwrap().unwrap();
        assert!(kept.is_sent, "what was written first stays");
    }
}
