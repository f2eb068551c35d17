//! The fresh root takes the place of the current one. The folder of commit chains is the pointer: it is taken out first
//! and put in last. While it is away a sink refuses to start (its group has a position, the store no chain) and the
//! exporter has nothing to read, so a swap that was killed in the middle does no harm until it is gone on with.
//!
//! The sinks go on from links without files that the fresh root gets for the live topics: each says that everything
//! before the end of the current chain is answered for. So no service may be running, all that was judged must be
//! written, and the replay must have judged all that the live validators have.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contracts::chain::{ChainHead, link_start};
use contracts::commit_record::{CommitRecord, FORMAT_VERSION};
use contracts::source::{OffsetSet, SrcPartition, SrcSet};
use contracts::topics::{self, Lane, groups};
use contracts::{layout, time};
use platform::broker::{
    Broker, BrokerError, Consumer, ConsumerConfig, Polled, Start, TopicInfo, TopicPartition, Topics,
};
use platform::clock::Clock;
use platform::failpoint;
use platform::store::Store;
use serde::Serialize;

use super::{Claim, ReplayError, judged, refused};
use crate::chain;
use crate::verify::{add, gaps};
use crate::walk;

/// Folder of the fresh root that the former data go to.
pub const BEFORE: &str = "_before";
const SESSION: Duration = Duration::from_secs(15);

/// What the swap did.
#[derive(Debug, Serialize)]
pub struct Swapped {
    /// The replay.
    pub id: String,
    /// Where the former data are.
    pub before: String,
    /// Source positions that were rows of the former root and are none of the new one.
    pub not_covered: u64,
}

/// Swaps, or goes on with a swap that was begun. Waits `wait_max` for services to be gone: longer than their session.
///
/// # Errors
/// Something must be done first (it says what), the roots are no folders of one file system, or broker or store refuse.
pub fn swap(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    clock: &dyn Clock,
    allow_partial: bool,
    wait_max: Duration,
) -> Result<Swapped, ReplayError> {
    let Some(mut claim) = Claim::of(fresh)? else { return Err(refused(fresh, "no replay has made it")) };
    if let Some(at) = &claim.swapped_at {
        return Err(refused(fresh, format!("it has taken the place of the current root at {at} already")));
    }
    let (root, new) = folders(current, fresh)?;
    let lane = Lane::replay(&claim.id);
    let alone = Alone::wait(broker, wait_max)?;
    let not_covered = if claim.swap_begun_at.is_none() {
        let not_covered = check(broker, current, fresh, &lane, allow_partial)?;
        write_bases(broker, current, fresh, clock, &claim.id)?;
        claim.swap_begun_at = Some(time::format_timestamp(clock.now_ms()));
        claim.put(fresh)?;
        not_covered
    } else {
        0
    };
    move_all(&root, &new)?;
    drop(alone);
    claim.swapped_at = Some(time::format_timestamp(clock.now_ms()));
    claim.put(fresh)?;
    for topic in [&lane.valid, &lane.dead_letters] {
        match broker.delete_topic(topic) {
            Ok(()) | Err(BrokerError::UnknownTopic(_)) => {}
            Err(error) => tracing::warn!(%error, topic, "could not remove a topic of the replay"),
        }
    }
    Ok(Swapped { id: claim.id, before: new.join(BEFORE).display().to_string(), not_covered })
}

/// The roots as folders of one file system.
fn folders(current: &dyn Store, fresh: &dyn Store) -> Result<(PathBuf, PathBuf), ReplayError> {
    use std::os::unix::fs::MetadataExt;
    let folder = |store: &dyn Store| {
        let inside = store.local_path(layout::REPLAY)?;
        inside.parent().map(Path::to_owned)
    };
    let (Some(root), Some(new)) = (folder(current), folder(fresh)) else {
        let why = "only local folders can be swapped. For an object store stop the services, give them the fresh root by \
                   the setting store.url and a broker group of its own; the old prefix stays as it is";
        return Err(ReplayError::NotYet(why.to_owned()));
    };
    let device = |path: &Path| {
        let found = fs::metadata(path).map_err(failed("looking at", path))?;
        Ok::<_, ReplayError>(found.dev())
    };
    if device(&root)? != device(&new)? {
        return Err(refused(fresh, format!("it lies on another file system than {}", root.display())));
    }
    Ok((root, new))
}

/// Membership of the live groups that holds all their partitions: nobody else is judging or writing.
struct Alone {
    _members: Vec<Box<dyn Consumer>>,
}

impl Alone {
    fn wait(broker: &dyn Broker, wait_max: Duration) -> Result<Self, ReplayError> {
        let all = broker.topics()?;
        let of = |wanted: &dyn Fn(&str) -> bool| -> usize {
            all.iter().filter(|topic| wanted(&topic.name)).map(|topic| topic.partitions as usize).sum()
        };
        let is_judged = |name: &str| [topics::VALID, topics::DEAD_LETTERS].contains(&name);
        let judged = vec![topics::VALID.to_owned(), topics::DEAD_LETTERS.to_owned()];
        let members = vec![
            join(broker, groups::VALIDATOR, Topics::Family(topics::WIRE.to_owned()), of(&topics::is_wire), wait_max)?,
            join(broker, groups::SINK, Topics::Names(judged), of(&is_judged), wait_max)?,
        ];
        Ok(Self { _members: members })
    }
}

fn join(
    broker: &dyn Broker,
    group: &str,
    topics: Topics,
    partitions: usize,
    wait_max: Duration,
) -> Result<Box<dyn Consumer>, ReplayError> {
    let mut member = broker.consumer(ConsumerConfig {
        group: group.to_owned(),
        topics,
        member: format!("swap-{}", uuid::Uuid::new_v4().simple()),
        start: Start::Earliest,
        session_timeout: SESSION,
        poll_records_max: 1,
        poll_bytes_max: 1,
    })?;
    let deadline = Instant::now() + wait_max;
    let mut owned = 0;
    while owned < partitions {
        if Instant::now() > deadline {
            member.leave()?;
            let why = format!("services of group {group} are running on the current root: stop them first");
            return Err(ReplayError::NotYet(why));
        }
        match member.poll(Duration::from_millis(100)) {
            Ok(Polled::Assigned(given)) => {
                owned += given.len();
                let at: Vec<TopicPartition> = given.into_iter().map(|assignment| assignment.at).collect();
                member.pause(&at)?;
            }
            Ok(Polled::Revoked(gone) | Polled::Lost(gone)) => owned = owned.saturating_sub(gone.len()),
            Ok(Polled::Records(_) | Polled::Idle) => {}
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(member)
}

/// Whether everything is in order; returns how many source positions the fresh root lacks.
fn check(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    lane: &Lane,
    allow_partial: bool,
) -> Result<u64, ReplayError> {
    all_written(broker, current, groups::SINK, &[topics::VALID, topics::DEAD_LETTERS])
        .map_err(|e| first(e, "run `finops sink run --drain`"))?;
    all_written(broker, fresh, &lane.sinks, &[&lane.valid, &lane.dead_letters])
        .map_err(|e| first(e, "give the same `finops replay run` again"))?;
    let replayed = judged(broker, &lane.validators)?;
    for (at, offset) in judged(broker, groups::VALIDATOR)? {
        let reached = replayed.get(&at).copied().unwrap_or_default();
        if reached < offset && offset > broker.watermarks(&at)?.low && !allow_partial {
            let TopicPartition { topic, partition } = &at;
            let why = format!(
                "the live services have judged {topic}/{partition} up to {offset}, the replay up to {reached}: give the \
                 same `finops replay run` again, then swap"
            );
            return Err(ReplayError::NotYet(why));
        }
    }
    let lacking = lacking(&held(current)?, &held(fresh)?);
    let count: u64 = lacking.values().map(OffsetSet::count).sum();
    if count > 0 && !allow_partial {
        let example =
            lacking.iter().find_map(|(partition, set)| Some(format!("{partition}/{}", set.ranges().next()?.start)));
        let why = format!(
            "{count} record(s) of the current root are not in the fresh one, such as {}: they were not replayed, or the \
             broker does not hold them any more. --allow-partial swaps nevertheless; they stay in the former data",
            example.unwrap_or_default()
        );
        return Err(ReplayError::NotYet(why));
    }
    Ok(count)
}

fn first(error: ReplayError, what: &str) -> ReplayError {
    match error {
        ReplayError::NotYet(why) => ReplayError::NotYet(format!("{why}: {what} first")),
        other => other,
    }
}

/// Every record of the topics is in a file that can be read, and the group's position says so.
fn all_written(broker: &dyn Broker, store: &dyn Store, group: &str, names: &[&str]) -> Result<(), ReplayError> {
    let positions = broker.group_offsets(group)?;
    for (at, topic_id) in partitions(&broker.topics()?, names) {
        let TopicPartition { topic, partition } = &at;
        let (head, last) = load(store, &topic_id, *partition)?;
        let marks = broker.watermarks(&at)?;
        let from = head.position().unwrap_or(marks.low);
        if from < marks.high && !broker.read(&at, from, 1, 1)?.is_empty() {
            return Err(ReplayError::NotYet(format!("records of {topic}/{partition} from {from} on are not written")));
        }
        let is_told = positions.iter().any(|position| position.at == at && position.offset == head.end);
        if head.records > 0 && !is_told {
            let why = format!("the last commit of {topic}/{partition} at {} was not told to group {group}", head.end);
            return Err(ReplayError::NotYet(why));
        }
        for file in last.iter().flat_map(|link| &link.files) {
            if store.open(&file.path)?.is_none() {
                return Err(ReplayError::NotYet(format!("{} is committed but not published", file.path)));
            }
        }
    }
    Ok(())
}

fn partitions(all: &[TopicInfo], names: &[&str]) -> Vec<(TopicPartition, String)> {
    let topics = all.iter().filter(|topic| names.contains(&&*topic.name));
    topics
        .flat_map(|topic| {
            (0..topic.partitions)
                .map(|partition| (TopicPartition { topic: topic.name.clone(), partition }, topic.id.to_string()))
        })
        .collect()
}

fn load(
    store: &dyn Store,
    topic_id: &str,
    partition: u32,
) -> Result<(ChainHead, Option<Box<CommitRecord>>), ReplayError> {
    chain::load(store, topic_id, partition).map_err(|error| match error {
        crate::SinkError::Store(error) => error.into(),
        crate::SinkError::Chain(error) => error.into(),
        other => ReplayError::NotYet(other.to_string()),
    })
}

/// Source positions of all rows, and the highest ones that chains know.
struct Holdings {
    src: SrcSet,
    heights: BTreeMap<SrcPartition, u64>,
}

fn held(store: &dyn Store) -> Result<Holdings, ReplayError> {
    let mut held = Holdings { src: SrcSet::new(), heights: BTreeMap::new() };
    for folder in walk::folders(store)?.0 {
        let walked = folder.walk::<ReplayError>(store, |step| {
            add(&mut held.src, &step.link.src);
            Ok(())
        })?;
        if let Some(broken) = walked.broken {
            return Err(broken.into());
        }
        for (partition, height) in walked.head.heights {
            let known = held.heights.entry(partition).or_default();
            *known = height.max(*known);
        }
    }
    Ok(held)
}

fn lacking(current: &Holdings, fresh: &Holdings) -> SrcSet {
    let mut lacking = SrcSet::new();
    let none = OffsetSet::default();
    for (partition, offsets) in &current.src {
        let there = fresh.src.get(partition).unwrap_or(&none);
        for gap in offsets.ranges().flat_map(|range| gaps(range, there)) {
            lacking.entry(partition.clone()).or_default().union(&OffsetSet::from(gap));
        }
    }
    lacking
}

/// For each live partition a link that ends where the current chain does. An earlier try may have left others: the live
/// services have gone on since, and nobody reads these before the swap.
fn write_bases(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    clock: &dyn Clock,
    id: &str,
) -> Result<(), ReplayError> {
    let mut heights = held(current)?.heights;
    for (partition, height) in held(fresh)?.heights {
        let known = heights.entry(partition).or_default();
        *known = height.max(*known);
    }
    for (at, topic_id) in partitions(&broker.topics()?, &[topics::VALID, topics::DEAD_LETTERS]) {
        for old in fresh.list(&layout::chain_dir(&topic_id, at.partition))? {
            if link_start(&old.path).is_some() {
                fresh.delete(&old.path)?;
            }
        }
        let (head, _) = load(current, &topic_id, at.partition)?;
        if head.records == 0 {
            continue;
        }
        let base = CommitRecord {
            format_version: FORMAT_VERSION,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: topics::dataset_of(&at.topic).to_owned(),
            topic: at.topic.to_string(),
            topic_id: topic_id.clone(),
            partition: at.partition,
            start: head.first_start,
            end: head.end,
            rows: 0,
            duplicates: 0,
            files: Vec::new(),
            src: SrcSet::new(),
            runs: BTreeMap::new(),
            heights: heights.clone(),
            writer_id: format!("replay/{id}"),
            nonce: uuid::Uuid::new_v4().to_string(),
            previous_sha256: String::new(),
            committed_at: time::format_timestamp(clock.now_ms()),
        };
        let bytes = serde_json::to_vec(&base).map_err(|e| refused(fresh, e.to_string()))?;
        fresh.put(&layout::chain_record(&topic_id, at.partition, base.start), &bytes)?;
    }
    Ok(())
}

/// Chains out first and in last. Each move is done at most once, whatever happened before.
fn move_all(root: &Path, new: &Path) -> Result<(), ReplayError> {
    let before = new.join(BEFORE);
    for name in [layout::CHAIN, layout::FINDINGS, layout::DEAD_LETTERS] {
        let (from, to) = (root.join(name), before.join(name));
        if to.exists() {
            continue;
        }
        match from.exists() {
            true => rename(&from, &to)?,
            // So that the next try does not take what was put in its place for it.
            false => fs::create_dir_all(&to).map_err(failed("creating", &to))?,
        }
        failpoint::hit("sink.swap.moved");
    }
    for name in [layout::FINDINGS, layout::DEAD_LETTERS, layout::CHAIN] {
        let (from, to) = (new.join(name), root.join(name));
        if from.exists() {
            rename(&from, &to)?;
            failpoint::hit("sink.swap.moved");
        }
    }
    Ok(())
}

/// Durable before it returns: the order of moves must hold after a power cut, too.
fn rename(from: &Path, to: &Path) -> Result<(), ReplayError> {
    let parents = [from, to].map(|path| path.parent().unwrap_or(Path::new(".")));
    fs::create_dir_all(parents[1]).map_err(failed("creating", parents[1]))?;
    fs::rename(from, to).map_err(failed("moving", from))?;
    for parent in parents {
        fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed("flushing", parent))?;
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ReplayError {
    let path = path.display().to_string();
    move |source| ReplayError::Move { doing, path, source }
}
