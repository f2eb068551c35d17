//! The commit chain as its readers meet it: which objects are commits, whether each follows the one before, and
//! what the commits so far add up to. Pure: callers bring paths and bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::commit_record::{CommitRecord, FORMAT_VERSION};
use crate::last_record::LastRecord;
use crate::layout;
use crate::seal::{self, DIGEST_DIFFERS, Seal, sealed};
use crate::source::SrcPartition;

/// The start that a commit's file name tells; `None` for other objects of the folder (checkpoints).
#[must_use]
pub fn commit_start(path: &str) -> Option<u64> {
    twenty_digits(file_name(path).strip_suffix(".json")?)
}

/// The end that a checkpoint's file name tells.
#[must_use]
pub fn checkpoint_end(path: &str) -> Option<u64> {
    twenty_digits(file_name(path).strip_prefix("checkpoint-")?.strip_suffix(".json")?)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn twenty_digits(text: &str) -> Option<u64> {
    (text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A commit does not continue its chain: it was changed, or one before it was removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("commit record {path}: {problem}")]
pub struct BrokenChain {
    /// The commit.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What a chain's commits so far add up to. Kept as a checkpoint object every so often, so that a reader need not
/// begin with the first commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// Commits so far.
    pub records: u64,
    /// First offset of the first commit; 0 while there is none.
    pub first_start: u64,
    /// First offset of the last commit; 0 while there is none.
    pub last_start: u64,
    /// One past the last offset of the last commit; 0 while there is none.
    pub end: u64,
    /// Rows so far.
    pub rows: u64,
    /// Dropped duplicates so far.
    pub duplicates: u64,
    /// Highest source offset per source partition: a record that does not rise above it is a duplicate.
    #[serde(rename = "heights")]
    pub source_watermarks: BTreeMap<SrcPartition, u64>,
    /// The last record that a commit names; a commit without records of its own leaves it as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_record: Option<LastRecord>,
    /// SHA-256 (hex) of the last commit's bytes; empty while there is none.
    pub last_sha256: String,
}

impl ChainHead {
    /// A chain without commits.
    #[must_use]
    pub fn empty(topic_id: &str, partition: u32) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            topic_id: topic_id.to_owned(),
            partition,
            records: 0,
            first_start: 0,
            last_start: 0,
            end: 0,
            rows: 0,
            duplicates: 0,
            source_watermarks: BTreeMap::new(),
            last_record: None,
            last_sha256: String::new(),
        }
    }

    /// Its bytes as a checkpoint: with their own digest.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_checkpoint(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self).map(sealed)
    }

    /// Reads a checkpoint; `Absent` when it carries no digest. Whether it is of the commit records is for the caller.
    ///
    /// # Errors
    /// The object is no checkpoint of this name that this program can read, or its digest does not match.
    pub fn from_checkpoint(path: &str, bytes: &[u8]) -> Result<(Self, Seal), BrokenChain> {
        let broken = |problem: String| BrokenChain { path: path.to_owned(), problem };
        let seal = seal::check(bytes);
        if seal == Seal::Broken {
            return Err(broken(DIGEST_DIFFERS.to_owned()));
        }
        let head: Self = serde_json::from_slice(bytes).map_err(|e| broken(format!("unreadable: {e}")))?;
        if head.format_version > FORMAT_VERSION {
            return Err(broken(format!("format version {} is newer than {FORMAT_VERSION}", head.format_version)));
        }
        if layout::chain_checkpoint(&head.topic_id, head.partition, head.end) != path {
            let Self { topic_id, partition, end, .. } = &head;
            return Err(broken(format!("it is the checkpoint of {topic_id}/{partition} at {end}")));
        }
        Ok((head, seal))
    }

    /// True if `kept`, a checkpoint, is what this chain adds up to. One of a version that did not keep the last record is.
    #[must_use]
    pub fn is_of(&self, kept: &Self) -> bool {
        let last_record = kept.last_record.clone().or_else(|| self.last_record.clone());
        Self { last_record, ..kept.clone() } == *self
    }

    /// Position of the next commit; `None` while there is none before it.
    #[must_use]
    pub fn position(&self) -> Option<u64> {
        (self.records > 0).then_some(self.end)
    }

    /// Reads the next commit and moves on.
    ///
    /// # Errors
    /// The object is no commit record of this chain, or does not continue it; nothing has moved then.
    pub fn follow(&mut self, path: &str, bytes: &[u8]) -> Result<CommitRecord, BrokenChain> {
        let broken = |problem: String| BrokenChain { path: path.to_owned(), problem };
        let record: CommitRecord = serde_json::from_slice(bytes).map_err(|e| broken(format!("unreadable: {e}")))?;
        if seal::check(bytes) == Seal::Broken {
            return Err(broken(DIGEST_DIFFERS.to_owned()));
        }
        self.check(path, &record).map_err(broken)?;
        self.advance(&record, hex::encode(Sha256::digest(bytes)));
        Ok(record)
    }

    fn check(&self, path: &str, record: &CommitRecord) -> Result<(), String> {
        if record.format_version > FORMAT_VERSION {
            return Err(format!("format version {} is newer than {FORMAT_VERSION}", record.format_version));
        }
        if (record.topic_id.as_str(), record.partition) != (&self.topic_id, self.partition) {
            return Err(format!("it belongs to {}/{}", record.topic_id, record.partition));
        }
        if commit_start(path) != Some(record.start) || record.end <= record.start {
            return Err(format!("it covers [{}, {}), which is not what its name says", record.start, record.end));
        }
        if self.records > 0 && record.start != self.end {
            return Err(format!("the record before it ends at {}, this one starts at {}", self.end, record.start));
        }
        if record.previous_sha256 != self.last_sha256 {
            return Err(match self.records {
                0 => "it names a record before it, which is not there".to_owned(),
                _ => "it does not carry the digest of the record before it".to_owned(),
            });
        }
        Ok(())
    }

    /// Moves on over a commit that is known to follow; `sha256` is the digest of its bytes.
    pub fn advance(&mut self, record: &CommitRecord, sha256: String) {
        if self.records == 0 {
            self.first_start = record.start;
        }
        self.records += 1;
        self.last_start = record.start;
        self.end = record.end;
        self.rows += record.rows;
        self.duplicates += record.duplicates;
        self.last_sha256 = sha256;
        if let Some(last) = &record.last_record {
            self.last_record = Some(last.clone());
        }
        let rows = record.src.iter().filter_map(|(partition, offsets)| Some((partition, offsets.max()?)));
        let others = record.source_watermarks.iter().map(|(partition, watermark)| (partition, *watermark));
        for (partition, max) in rows.chain(others) {
            match self.source_watermarks.get_mut(partition) {
                Some(watermark) => *watermark = max.max(*watermark),
                None => drop(self.source_watermarks.insert(partition.clone(), max)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{OffsetSet, SrcSet};

    fn record(start: u64, end: u64, previous: &str) -> CommitRecord {
        let mut offsets = OffsetSet::default();
        assert!((start..end).all(|o| offsets.insert(o + 100)));
        CommitRecord {
            format_version: FORMAT_VERSION,
            code_version: "0".into(),
            dataset: layout::FINDINGS.into(),
            topic: "t".into(),
            topic_id: "id".into(),
            partition: 1,
            start,
            end,
            rows: end - start,
            duplicates: 0,
            files: Vec::new(),
            src: SrcSet::from([("w/0".parse().unwrap(), offsets)]),
            runs: BTreeMap::new(),
            source_watermarks: BTreeMap::new(),
            last_record: Some(last(end - 1)),
            writer_id: "w".into(),
            nonce: "n".into(),
            previous_sha256: previous.into(),
            committed_at: String::new(),
        }
    }

    fn last(offset: u64) -> LastRecord {
        LastRecord { offset, src: None, sha256: "0".repeat(64) }
    }

    fn follow(head: &mut ChainHead, record: &CommitRecord) -> Result<CommitRecord, String> {
        let bytes = serde_json::to_vec(record).unwrap();
        head.follow(&layout::chain_record("id", 1, record.start), &bytes).map_err(|e| e.problem)
    }

    /// A sink drops what its checkpoint says is written already.
    #[test]
    fn a_checkpoint_is_used_only_under_its_own_name_and_by_a_program_that_knows_its_version() {
        let mut head = ChainHead::empty("id", 1);
        follow(&mut head, &record(0, 10, "")).unwrap();
        let own = layout::chain_checkpoint("id", 1, 10);
        let read = |head: &ChainHead, path: &str| {
            ChainHead::from_checkpoint(path, &head.to_checkpoint().unwrap()).map_err(|broken| broken.problem)
        };
        assert_eq!(read(&head, &own), Ok((head.clone(), Seal::Intact)));
        let others =
            [("id", 1, 11), ("id", 0, 10), ("other", 1, 10)].map(|(id, n, end)| layout::chain_checkpoint(id, n, end));
        for path in others {
            assert_eq!(read(&head, &path), Err("it is the checkpoint of id/1 at 10".to_owned()), "{path}");
        }
        let newer = ChainHead { format_version: FORMAT_VERSION + 1, ..head };
        assert_eq!(read(&newer, &own), Err("format version 2 is newer than 1".to_owned()));
    }

    #[test]
    fn names_distinguish_commits_from_checkpoints() {
        assert_eq!(commit_start(&layout::chain_record("id", 1, 42)), Some(42));
        assert_eq!(commit_start(&layout::chain_checkpoint("id", 1, 42)), None);
        assert_eq!(checkpoint_end(&layout::chain_checkpoint("id", 1, 42)), Some(42));
        assert_eq!(commit_start("a/42.json"), None);
    }

    #[test]
    fn a_chain_adds_up() {
        let mut head = ChainHead::empty("id", 1);
        assert_eq!(head.position(), None);
        follow(&mut head, &record(5, 8, "")).unwrap();
        let previous = head.last_sha256.clone();
        follow(&mut head, &record(8, 10, &previous)).unwrap();
        assert_eq!((head.first_start, head.last_start, head.position()), (5, 8, Some(10)));
        assert_eq!((head.records, head.rows), (2, 5));
        assert_eq!(head.source_watermarks, BTreeMap::from([("w/0".parse().unwrap(), 109)]));
    }

    #[test]
    fn the_last_record_is_carried_on_over_commits_without_records() {
        let mut head = ChainHead::empty("id", 1);
        follow(&mut head, &record(5, 8, "")).unwrap();
        let previous = head.last_sha256.clone();
        follow(&mut head, &CommitRecord { last_record: None, ..record(8, 10, &previous) }).unwrap();
        assert_eq!(head.last_record, Some(last(7)));
        let path = layout::chain_checkpoint("id", 1, 10);
        let (kept, _) = ChainHead::from_checkpoint(&path, &head.to_checkpoint().unwrap()).unwrap();
        assert_eq!(kept, head);

        let of_before = ChainHead { last_record: None, ..head.clone() };
        let text = String::from_utf8(of_before.to_checkpoint().unwrap()).unwrap();
        assert!(!text.contains("last_record"), "{text}");
        assert!(head.is_of(&head) && head.is_of(&of_before));
        assert!(!head.is_of(&ChainHead { last_record: Some(last(6)), ..head.clone() }));
        assert!(!head.is_of(&ChainHead { rows: 1, ..of_before }));
    }

    #[test]
    fn a_base_stands_for_what_it_answers_for() {
        let mut head = ChainHead::empty("id", 1);
        let source_watermarks = BTreeMap::from([("w/0".parse().unwrap(), 200), ("w/1".parse().unwrap(), 7)]);
        follow(
            &mut head,
            &CommitRecord {
                rows: 0,
                src: SrcSet::new(),
                source_watermarks: source_watermarks.clone(),
                ..record(5, 8, "")
            },
        )
        .unwrap();
        assert_eq!((head.position(), head.rows, &head.source_watermarks), (Some(8), 0, &source_watermarks));
        let previous = head.last_sha256.clone();
        follow(&mut head, &record(8, 10, &previous)).unwrap();
        assert_eq!(head.source_watermarks, source_watermarks, "109 does not rise above 200");
    }

    #[test]
    fn what_does_not_follow_is_named() {
        let check = |previous: &str, start: u64, change: fn(&mut CommitRecord), expected: &str| {
            let mut head = ChainHead::empty("id", 1);
            follow(&mut head, &record(0, 3, "")).unwrap();
            let digest = if previous == "right" { head.last_sha256.clone() } else { previous.to_owned() };
            let mut next = record(start, start + 1, &digest);
            change(&mut next);
            assert_eq!(follow(&mut head, &next).unwrap_err(), expected);
            assert_eq!(head.end, 3, "nothing has moved");
        };
        check("right", 4, |_| {}, "the record before it ends at 3, this one starts at 4");
        check("wrong", 3, |_| {}, "it does not carry the digest of the record before it");
        check("right", 3, |r| r.format_version = 2, "format version 2 is newer than 1");
        check("right", 3, |r| r.partition = 2, "it belongs to id/2");
        let mut head = ChainHead::empty("id", 1);
        let mut bytes = record(0, 3, "").to_bytes().unwrap();
        head.clone().follow(&layout::chain_record("id", 1, 0), &bytes).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        assert!(head.follow(&layout::chain_record("id", 1, 0), &bytes).is_err(), "no successor is needed to notice it");
        check("right", 3, |r| r.end = 3, "it covers [3, 3), which is not what its name says");
        let mut empty = ChainHead::empty("id", 1);
        let orphan = record(3, 4, "digest");
        assert_eq!(follow(&mut empty, &orphan).unwrap_err(), "it names a record before it, which is not there");
    }
}
