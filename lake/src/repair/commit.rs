//! The last commit record of a chain, rebuilt from its topic and its files.
//!
//! A record in the middle of a chain cannot be rebuilt: the one after it names the digest of its bytes. The last one can: its
//! rows are in the topic, where it begins is where the chain ends, and where it ends is in the names of its files
//! ([`contracts::layout::part_name`]). It gets another nonce and so another digest; a sink that has the former one in memory finds
//! that before its next commit, and stops.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use contracts::chain::{ChainHead, checkpoint_end, commit_start};
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::datasets;
use contracts::layout;
use contracts::seal::{self, Seal};
use contracts::source::SrcPartition;
use platform::broker::{Broker, BrokerError, Message, Parts, READ_BYTES, READ_RECORDS, TopicPartition};
use platform::clock::Clock;
use platform::store::{Published, PutOutcome, ReplaceOutcome, Store, Version};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::rebuild;
use crate::batch::{Batch, BatchRow, FileTarget, Staging};
use crate::commit::{self, Author};
use crate::error::LakeError;
use crate::files;
use crate::row::Record;
use crate::verify::OpenEnd;

/// Where a damaged record is kept.
const KEPT: &str = layout::AUDIT_DAMAGED;

/// What tells where the record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// A file's name.
    File,
    /// A checkpoint at its end, with its own digest.
    Checkpoint,
    /// The position of the sinks' group: it was left after the commit, if the chain is not one that a replay has begun.
    Group,
    /// The damaged record itself, of records that are all duplicates.
    Damaged,
}

/// Rebuilds the record that continues this chain, and what is missing of its files. `None` when nothing shows that there was one; then a sink writes the records that follow.
///
/// # Errors
/// What was found does not go together: then nothing was changed. Or store or broker refuse.
pub fn bring_back(
    broker: &dyn Broker,
    store: &dyn Store,
    end: &OpenEnd,
    foreign: &BTreeSet<String>,
    clock: &dyn Clock,
) -> Result<Option<CommitRecord>, LakeError> {
    let Some(lost) = Lost::look(broker, store, end, foreign, clock)? else { return Ok(None) };
    let Some((upto, witness)) = lost.find_end()? else {
        if end.is_certain() {
            let reason = "no file, checkpoint or group position tells where it ended; restore it from a backup";
            return Err(lost.refused(reason));
        }
        return Ok(None);
    };
    lost.make(upto, witness).map(Some)
}

/// The damaged object, and which version of it was read.
struct Damaged {
    bytes: Bytes,
    version: Version,
}

/// A record to be rebuilt.
struct Lost<'a> {
    broker: &'a dyn Broker,
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    end: &'a OpenEnd,
    at: TopicPartition,
    start: u64,
    path: String,
    damaged: Option<Damaged>,
    /// What the damaged one says, as far as it can be read.
    said: Option<CommitRecord>,
    /// The checkpoint behind it, if there is a good one.
    checkpoint: Option<ChainHead>,
    /// Paths of data files that no record names, and of those that the damaged one does.
    files: BTreeSet<String>,
}

impl<'a> Lost<'a> {
    fn look(
        broker: &'a dyn Broker,
        store: &'a dyn Store,
        end: &'a OpenEnd,
        foreign: &BTreeSet<String>,
        clock: &'a dyn Clock,
    ) -> Result<Option<Self>, LakeError> {
        let OpenEnd { topic_id, partition, head, damaged: damaged_path, .. } = end;
        let refused = |problem: &str| {
            let path = damaged_path.clone().unwrap_or_else(|| layout::chain_dir(topic_id, *partition));
            LakeError::CannotRecommit { path, problem: problem.to_owned() }
        };
        let Some(topic) = broker.topics()?.into_iter().find(|topic| *topic.id == **topic_id) else {
            return Err(refused("the broker has no topic of this id; restore the record from a backup"));
        };
        let at = TopicPartition { topic: topic.name, partition: *partition };
        let low = broker.watermarks(&at)?.low;
        let named = damaged_path.as_deref().and_then(commit_start);
        let start = named.or(head.position()).unwrap_or(low);
        if start < low {
            return Err(refused("its records have expired on the broker; restore the record from a backup"));
        }
        let path = layout::chain_record(topic_id, *partition, start);
        let found = store.get_versioned(&path)?.map(|(bytes, version)| Damaged { bytes, version });
        match &found {
            // A sink was faster, or it was only read wrongly.
            Some(found) if end.damaged.is_none() || !is_damaged(&found.bytes) => return Ok(None),
            _ => {}
        }
        let mut files = foreign.clone();
        files.extend(found.iter().flat_map(|found| names_in(&found.bytes)));
        let said = found.as_ref().and_then(|found| serde_json::from_slice(&found.bytes).ok());
        let checkpoint = checkpoint_behind(store, end, start)?;
        Ok(Some(Self { broker, store, clock, end, at, start, path, damaged: found, said, checkpoint, files }))
    }

    fn refused(&self, problem: impl Into<String>) -> LakeError {
        LakeError::CannotRecommit { path: self.path.clone(), problem: problem.into() }
    }

    /// Where the record ended, and what tells so. Reads the topic only as far as that.
    fn find_end(&self) -> Result<Option<(u64, Witness)>, LakeError> {
        let mut batch = Batch::<()>::at(self.start);
        let mut source_watermarks = self.end.head.source_watermarks.clone();
        let mut first: Option<(FileTarget, BTreeSet<&str>)> = None;
        let mut known = None;
        self.each(u64::MAX, |message| {
            let offset = message.offset;
            let BatchRow { target, src, .. } = files::row_of(message, &self.end.topic_id);
            let row = BatchRow { target: target.clone(), src, run: None, bytes: 0, payload: () };
            let is_kept = batch.take(offset, row, &mut source_watermarks, Duration::ZERO);
            if is_kept && first.is_none() {
                let folder = layout::partition_dir(target.dataset.name, &target.tenant, &target.run_date) + "/";
                let names = self.files.iter().filter_map(|path| path.strip_prefix(&folder)).collect();
                first = Some((target, names));
            }
            if let Some((FileTarget { tenant, run_date, .. }, names)) = &first
                && !names.is_empty()
            {
                let OpenEnd { topic_id, partition, .. } = self.end;
                let name = layout::part_name(topic_id, *partition, self.start, batch.next, tenant, run_date);
                if names.contains(name.as_str()) {
                    known = Some((batch.next, Witness::File));
                    return ControlFlow::Break(());
                }
            }
            if let Some(witness) = self.reported_by_others(&batch) {
                known = Some((batch.next, witness));
            }
            ControlFlow::Continue(())
        })?;
        Ok(known)
    }

    /// What else tells that the record ended with this batch.
    fn reported_by_others(&self, batch: &Batch<()>) -> Option<Witness> {
        if self.checkpoint.as_ref().is_some_and(|head| head.end == batch.next) {
            return Some(Witness::Checkpoint);
        }
        if self.end.committed == Some(batch.next) && self.end.head.records > 0 {
            return Some(Witness::Group);
        }
        let is_said = batch.files.is_empty()
            && self.said.as_ref().is_some_and(|said| {
                (said.start, said.end, said.duplicates) == (batch.start, batch.next, batch.duplicates)
                    && said.files.is_empty()
                    && said.source_watermarks.is_empty()
            });
        is_said.then_some(Witness::Damaged)
    }

    fn make(&self, upto: u64, witness: Witness) -> Result<CommitRecord, LakeError> {
        let (mut batch, source_watermarks) = self.batch(upto)?;
        let OpenEnd { topic_id, partition, head, .. } = self.end;
        let staging = Staging { topic_id, partition: *partition, start: self.start, end: upto, files: &batch.files };
        let made = files::stage(self.store, &staging)?;
        let agreed =
            self.compare(&made, witness).and_then(|()| self.commit(&mut batch, made.clone(), &source_watermarks));
        let record = match agreed {
            Ok(record) => record,
            Err(error) => {
                files::discard(self.store, &made);
                return Err(error);
            }
        };
        for file in &record.files {
            if self.store.publish(&files::staged_of(file))? == Published::Missing {
                rebuild::rebuild(self.broker, self.store, &self.at, &record)?;
                break;
            }
        }
        let checkpoint = layout::chain_checkpoint(topic_id, *partition, upto);
        if self.store.get(&checkpoint)?.is_some() {
            let mut head = head.clone();
            head.follow(&self.path, &record.to_bytes()?)?;
            self.store.put(&checkpoint, &head.to_checkpoint()?)?;
        }
        Ok(record)
    }

    /// The batch as its sink had it, and the source watermarks behind it.
    fn batch(&self, upto: u64) -> Result<(Batch<Record>, BTreeMap<SrcPartition, u64>), LakeError> {
        let mut batch = Batch::<Record>::at(self.start);
        let mut source_watermarks = self.end.head.source_watermarks.clone();
        self.each(upto, |message| {
            let offset = message.offset;
            let row = files::row_of(message, &self.end.topic_id);
            let _ = batch.take(offset, row, &mut source_watermarks, Duration::ZERO);
            ControlFlow::Continue(())
        })?;
        match batch.next == upto {
            true => Ok((batch, source_watermarks)),
            false => Err(self.refused(format!("the topic holds its records only up to {}", batch.next))),
        }
    }

    /// Every file that is there must be the one that was made: then the rows are those that readers have seen.
    fn compare(&self, made: &[CommittedFile], witness: Witness) -> Result<(), LakeError> {
        for file in made {
            let Some(mut found) = self.store.open(&file.path)? else { continue };
            let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
            loop {
                match found.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => hasher.update(&buffer[..n]),
                    Err(error) => return Err(platform::store::StoreError::io("reading", &file.path, error).into()),
                }
            }
            if hex::encode(hasher.finalize()) != file.sha256 {
                return Err(self.refused(format!(
                    "the topic's records make another file {} than the one that is there; restore both from a backup",
                    file.path
                )));
            }
        }
        if witness == Witness::Group && made.iter().any(|file| self.others_lie_beside(file)) {
            return Err(self.refused(
                "files that no commit record names lie where its rows belong, and are not of its offsets; restore the \
                 record from a backup",
            ));
        }
        Ok(())
    }

    fn others_lie_beside(&self, file: &CommittedFile) -> bool {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let beside = |path: &String| path.rsplit_once('/').is_some_and(|(other, _)| other == folder);
        self.files.iter().any(|path| beside(path) && *path != file.path)
    }

    /// Writes the record, unless a sink is faster or it adds up to something else than its checkpoint says.
    fn commit(
        &self,
        batch: &mut Batch<Record>,
        made: Vec<CommittedFile>,
        source_watermarks: &BTreeMap<SrcPartition, u64>,
    ) -> Result<CommitRecord, LakeError> {
        let head = &self.end.head;
        let id = Uuid::new_v4().simple().to_string();
        let author = Author {
            writer_id: &format!("repair/{id}"),
            code_version: env!("CARGO_PKG_VERSION"),
            nonce: id.clone(),
            wall_ms: self.clock.now_ms(),
        };
        let record = commit::record_of(batch, made, &self.at, head, author)?;
        if let Some(kept) = self.checkpoint.as_ref().filter(|kept| kept.end == record.end) {
            let adds_up = (head.rows + record.rows, head.duplicates + record.duplicates);
            if (kept.rows, kept.duplicates) != adds_up || kept.source_watermarks != *source_watermarks {
                return Err(self.refused("the topic's records do not add up to what the checkpoint behind it says"));
            }
        }
        let bytes = record.to_bytes()?;
        let is_written = match &self.damaged {
            None => self.store.put_if_absent(&self.path, &bytes)? == PutOutcome::Created,
            Some(damaged) => {
                let digest = hex::encode(Sha256::digest(&damaged.bytes));
                let kept = format!("{KEPT}/{}-{}.json", self.path.replace('/', "-"), &digest[..16]);
                let _known = self.store.put_if_absent(&kept, &damaged.bytes)?;
                self.store.replace(&self.path, &bytes, Some(&damaged.version))? == ReplaceOutcome::Replaced
            }
        };
        match is_written {
            true => Ok(record),
            false => Err(self.refused("another process has written it meanwhile; run `finops verify`")),
        }
    }

    /// Hands over the records from the start on, up to an offset.
    fn each(&self, upto: u64, mut visit: impl FnMut(Message) -> ControlFlow<()>) -> Result<(), LakeError> {
        let upto = upto.min(self.broker.watermarks(&self.at)?.high);
        let mut parts = Parts::all(self.broker, &self.at, self.start..upto, READ_BYTES);
        loop {
            let messages = match parts.next(READ_RECORDS) {
                Err(BrokerError::OffsetOutOfRange { .. }) => {
                    return Err(self.refused("its records are expiring on the broker; restore it from a backup"));
                }
                other => other?,
            };
            let Some(messages) = messages else { return Ok(()) };
            for message in messages {
                if visit(message).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

fn is_damaged(bytes: &[u8]) -> bool {
    match seal::check(bytes) {
        Seal::Broken => true,
        Seal::Intact => false,
        Seal::Absent => serde_json::from_slice::<CommitRecord>(bytes).is_err(),
    }
}

/// Paths of data files in a text that may be no JSON any more.
fn names_in(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split('"')
        .filter(|part| datasets::of_path(part).is_some() && part.ends_with(".parquet"))
        .map(str::to_owned)
        .collect()
}

/// The checkpoint that adds this record up as its last one.
fn checkpoint_behind(store: &dyn Store, end: &OpenEnd, start: u64) -> Result<Option<ChainHead>, LakeError> {
    let OpenEnd { topic_id, partition, head, .. } = end;
    for entry in store.list(&layout::chain_dir(topic_id, *partition))? {
        if checkpoint_end(&entry.path).is_none_or(|end| end <= start) {
            continue;
        }
        let Some(bytes) = store.get(&entry.path)? else { continue };
        if let Ok((kept, Seal::Intact)) = ChainHead::from_checkpoint(&entry.path, &bytes)
            && (kept.records, kept.last_start) == (head.records + 1, start)
        {
            return Ok(Some(kept));
        }
    }
    Ok(None)
}
