//! Which records were sent again by this product. Any producer can write the header `replay.of`, so a record stands for an earlier
//! one only if an audit record of this store says that it was sent in its place: by its position, or, while the position is not
//! known because the answer was lost, by what it holds. Producers cannot write to the store.

use std::collections::BTreeMap;

use contracts::claims;
use contracts::layout;
use contracts::source::{Src, SrcPartition, SrcSet};
use contracts::topics::headers;
use platform::broker::{Message, OutRecord, RecordValue};
use platform::store::many::{OBJECTS_AT_ONCE, get_all};
use platform::store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The records of a part of an audit record, before they are sent.
#[derive(Serialize, Deserialize)]
pub struct AuditPart {
    /// Where they were.
    pub sources: Vec<Src>,
    /// What each of them is sent as; absent in parts written before it was noted.
    #[serde(default)]
    pub sent_as: Option<Vec<SentAs>>,
}

/// A record as it is sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAs {
    /// The record that it stands for.
    pub first: Src,
    /// Digest of that, key and value: what it is known by while the answer with its position is missing.
    pub sha256: String,
}

/// Whether a part was sent, and where to.
#[derive(Serialize, Deserialize)]
pub struct PartDone {
    /// False when it was not.
    pub is_sent: bool,
    /// `<topic>/<partition>/<offset>`, in the order of the part's sources; absent when the answer was lost.
    pub positions: Option<Vec<String>>,
}

/// The audit records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store refused.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// One of them is damaged.
    #[error("audit record {path}: {problem}")]
    Unreadable {
        /// Object.
        path: String,
        /// Why.
        problem: String,
    },
}

/// What all audit records of a store say was sent again.
#[derive(Default)]
pub struct Ledger {
    /// By the position that a record stands for.
    by_first: BTreeMap<Src, Vec<Sent>>,
    /// By where it was sent to, of parts that do not tell what it stands for: the position of the record that it was made from.
    by_position: BTreeMap<Src, Src>,
    /// Positions that records which were certainly sent stand for.
    sent_firsts: SrcSet,
    /// Audit records that cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
}

enum Sent {
    To(u64),
    /// The answer was lost.
    Holding(String),
}

impl Ledger {
    /// Reads all of them.
    ///
    /// # Errors
    /// The store refuses.
    pub fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        let is_part = |path: &String| {
            let name = path.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
            name.is_some_and(|number| number.len() == 8 && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let parts: Vec<String> = listed(store)?.into_iter().filter(is_part).collect();
        for parts in parts.chunks(OBJECTS_AT_ONCE) {
            let done: Vec<String> = parts.iter().map(|path| done_of(path)).collect();
            let (parts_read, done_read) = (get_all(store, parts)?, get_all(store, &done)?);
            for (path, (part, done)) in parts.iter().zip(parts_read.iter().zip(&done_read)) {
                let done = done.as_ref().map(|bytes| serde_json::from_slice(bytes)).transpose();
                match (part.as_ref().map(|bytes| serde_json::from_slice(bytes)).transpose(), done) {
                    (Ok(Some(part)), Ok(done)) => ledger.add(part, done),
                    (Ok(None), _) => {}
                    (Err(error), _) | (_, Err(error)) => ledger.unreadable.push((path.clone(), error.to_string())),
                }
            }
        }
        Ok(ledger)
    }

    /// As [`read`](Self::read), for what may not be decided on a part of them.
    ///
    /// # Errors
    /// The store refuses, or one of them cannot be read.
    pub fn read_all(store: &dyn Store) -> Result<Self, LedgerError> {
        let mut ledger = Self::read(store)?;
        match ledger.unreadable.pop() {
            Some((path, problem)) => Err(LedgerError::Unreadable { path, problem }),
            None => Ok(ledger),
        }
    }

    fn add(&mut self, part: AuditPart, done: Option<PartDone>) {
        if done.as_ref().is_some_and(|done| !done.is_sent) {
            return;
        }
        let is_sent = done.is_some();
        let positions = done.and_then(|done| done.positions).unwrap_or_default();
        for (n, source) in part.sources.into_iter().enumerate() {
            // Only what went to the partition that it came from stands for what was there before.
            let position = positions.get(n).and_then(|position| offset_in(position, &source.partition));
            let known = part.sent_as.as_ref().and_then(|all| all.get(n));
            match (known, position) {
                (Some(SentAs { first, sha256 }), position) => {
                    let sent =
                        if positions.is_empty() { Some(Sent::Holding(sha256.clone())) } else { position.map(Sent::To) };
                    self.by_first.entry(first.clone()).or_default().extend(sent);
                    if is_sent {
                        let _new = self.sent_firsts.entry(first.partition.clone()).or_default().insert(first.offset);
                    }
                }
                (None, Some(offset)) => {
                    let _new = self.sent_firsts.entry(source.partition.clone()).or_default().insert(source.offset);
                    let _none = self.by_position.insert(Src { partition: source.partition.clone(), offset }, source);
                }
                (None, None) => {}
            }
        }
    }

    /// The earlier record that the one at `own` stands for, if it says so and was sent again.
    pub fn first_of(&self, message: &Message, own: &Src) -> Option<Src> {
        let first: Src = std::str::from_utf8(message.header(headers::REPLAY_OF)?).ok()?.parse().ok()?;
        self.stands_for(&first, own, message.key.as_deref(), &message.value).then_some(first)
    }

    /// True if the record at `own` was sent in the place of `first`.
    pub fn stands_for(&self, first: &Src, own: &Src, key: Option<&[u8]>, value: &RecordValue) -> bool {
        let is_this = |sent: &Sent| match sent {
            Sent::To(offset) => *offset == own.offset,
            Sent::Holding(sha256) => *sha256 == digest(first, key, value),
        };
        claims::may_stand_for(first, own)
            && (self.by_first.get(first).is_some_and(|all| all.iter().any(is_this)) || self.origin(own) == Some(first))
    }

    /// The position that certainly sent records stand for.
    pub(crate) fn sent_firsts(&self) -> &SrcSet {
        &self.sent_firsts
    }

    /// The first of the records from which the one at a position was made, one from the other.
    fn origin(&self, own: &Src) -> Option<&Src> {
        let mut origin = self.by_position.get(own)?;
        // Each one lies before the one that was made from it.
        while let Some(before) = self.by_position.get(origin).filter(|before| before.offset < origin.offset) {
            origin = before;
        }
        Some(origin)
    }
}

/// What the audit record says of a record before it is sent.
pub fn sent_as(source: &Src, record: &OutRecord) -> SentAs {
    let said = record.headers.get(headers::REPLAY_OF).and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
    let first = said.unwrap_or_else(|| source.clone());
    SentAs { sha256: digest(&first, record.key.as_deref(), &record.value), first }
}

/// Paths of everything that audit records of sending again consist of.
pub fn listed(store: &dyn Store) -> Result<Vec<String>, StoreError> {
    let mut paths = Vec::new();
    for folder in layout::AUDITS {
        paths.extend(store.list(folder)?.into_iter().map(|entry| entry.path));
    }
    Ok(paths)
}

/// Path of the answer to a part.
fn done_of(part: &str) -> String {
    format!("{}.done.json", part.strip_suffix(".json").unwrap_or(part))
}

/// Copying what was sent again makes no other record stand for the first one: this is of its content.
fn digest(first: &Src, key: Option<&[u8]>, value: &RecordValue) -> String {
    let mut hasher = Sha256::new();
    let first = first.to_string();
    for part in [Some(first.as_bytes()), key, value.as_bytes().map(|bytes| &bytes[..])] {
        match part {
            None => hasher.update([0]),
            Some(bytes) => {
                hasher.update([1]);
                hasher.update((bytes.len() as u64).to_be_bytes());
                hasher.update(bytes);
            }
        }
    }
    hex::encode(hasher.finalize())
}

/// The offset of `<topic>/<partition>/<offset>`, when that is the partition's number.
fn offset_in(position: &str, partition: &SrcPartition) -> Option<u64> {
    let position: Src = position.parse().ok()?;
    (position.partition.partition == partition.partition).then_some(position.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn src(text: &str) -> Src {
        text.parse().unwrap()
    }

    fn part(sources: &[&str], values: Option<&[&'static str]>) -> AuditPart {
        let of = |(source, value): (&&str, &&'static str)| SentAs {
            first: src(source),
            sha256: digest(&src(source), None, &RecordValue::from(*value)),
        };
        AuditPart {
            sources: sources.iter().map(|source| src(source)).collect(),
            sent_as: values.map(|values| sources.iter().zip(values).map(of).collect()),
        }
    }

    fn done(is_sent: bool, positions: Option<&[&str]>) -> Option<PartDone> {
        let positions = positions.map(|all| all.iter().map(|position| (*position).to_owned()).collect());
        Some(PartDone { is_sent, positions })
    }

    #[test]
    fn only_what_was_sent_stands_for_another() {
        let check =
            |part: AuditPart, done: Option<PartDone>, [first, own, value]: [&'static str; 3], expected: bool| {
                let mut ledger = Ledger::default();
                ledger.add(part, done);
                let found = ledger.stands_for(&src(first), &src(own), None, &RecordValue::from(value));
                assert_eq!(found, expected, "{first} {own} {value}");
            };
        let new = || part(&["id/0/3"], Some(&["a"]));
        let at_9 = || done(true, Some(&["t/0/9"]));
        check(new(), at_9(), ["id/0/3", "id/0/9", "whatever"], true);
        check(new(), at_9(), ["id/0/3", "id/0/10", "a"], false);
        check(new(), at_9(), ["id/0/4", "id/0/9", "a"], false);
        check(new(), at_9(), ["id/0/3", "id/1/9", "a"], false);
        check(new(), done(true, Some(&["t/1/9"])), ["id/0/3", "id/0/9", "a"], false);
        check(new(), done(false, None), ["id/0/3", "id/0/9", "a"], false);
        for lost in [done(true, None), None] {
            check(new(), lost, ["id/0/3", "id/0/9", "a"], true);
        }
        check(new(), None, ["id/0/3", "id/0/9", "b"], false);
        check(new(), None, ["id/0/3", "id/0/2", "a"], false);
        // Parts of before.
        let old = || part(&["id/0/3"], None);
        check(old(), at_9(), ["id/0/3", "id/0/9", "whatever"], true);
        check(old(), at_9(), ["id/0/2", "id/0/9", "a"], false);
        check(old(), done(true, None), ["id/0/3", "id/0/9", "a"], false);
        check(old(), None, ["id/0/3", "id/0/9", "a"], false);
    }

    #[test]
    fn parts_of_before_are_followed_to_the_first_record() {
        let mut ledger = Ledger::default();
        ledger.add(part(&["id/0/3"], None), done(true, Some(&["t/0/9"])));
        ledger.add(part(&["id/0/9"], None), done(true, Some(&["t/0/12"])));
        let stands_for = |first: &str, own: &str| ledger.stands_for(&src(first), &src(own), None, &RecordValue::NULL);
        assert!(stands_for("id/0/3", "id/0/9") && stands_for("id/0/3", "id/0/12"));
        assert!(!stands_for("id/0/9", "id/0/12"), "it names the first one");
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let of = |key: Option<&[u8]>, value: RecordValue| digest(&src("id/0/3"), key, &value);
        let all = [
            of(None, RecordValue::NULL),
            of(None, "".into()),
            of(Some(b""), RecordValue::NULL),
            of(Some(b"a"), "b".into()),
            of(Some(b"ab"), "".into()),
            of(None, "ab".into()),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }
}
