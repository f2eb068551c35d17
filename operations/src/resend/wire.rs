//! Wire records sent once more through their own topic: new rows in the same dataset, of which readers of exports see the
//! newest. The records to be sent are decided when the replay begins, so it never meets those it has sent itself.

use std::collections::BTreeMap;

use contracts::claims::{Claims, Producers};
use contracts::source::{Src, SrcPartition};
use contracts::topics::groups;
use contracts::wire_filter::WireFilter;
use lake::ledger::Ledger;
use platform::broker::{Broker, BrokerError, Message, Parts, TopicPartition, read_held};
use platform::store::Store;
use serde::{Deserialize, Serialize};

use super::ResendError;
use super::journal::{self, End, Journal};
use super::lock::Lock;
use super::missing::again;
use super::sender::{PART_BYTES_MAX, Sender};
use crate::Operator;
use crate::selection::{ReplayRequest, ranges};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct WireRequest {
    /// Which records.
    pub replay: ReplayRequest,
    /// Go on with this replay; without it with one of the same request that has not ended, else a new one.
    pub id: Option<String>,
    /// Records per second, at most.
    pub rate: Option<u32>,
}

/// What a replay was begun with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    #[serde(rename = "asked")]
    request: ReplayRequest,
    #[serde(rename = "stretches")]
    partitions: Vec<WireCount>,
    expected: u64,
}

/// Records of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireCount {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// First offset that is looked at.
    pub from: u64,
    /// One past the last one.
    pub until: u64,
    /// Records that are meant.
    #[serde(default)]
    pub matching: u64,
}

/// What would be, or was, done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WireReport {
    /// The replay; absent in a plan.
    pub id: Option<String>,
    /// By partition.
    pub partitions: Vec<WireCount>,
    /// Records that are meant.
    pub matching: u64,
    /// Records that were sent now.
    pub sent: u64,
    /// Records that an earlier try had sent.
    pub sent_before: u64,
    /// A stop was requested: there is more.
    pub is_stopped: bool,
    /// The audit record; absent in a plan.
    pub audit: Option<String>,
}

/// What sending would do. Reads only.
///
/// # Errors
/// Broker or store refuse, or an audit record cannot be read.
pub fn plan(
    request: &WireRequest,
    broker: &dyn Broker,
    store: &dyn Store,
    producers: &dyn Producers,
) -> Result<WireReport, ResendError> {
    let count = |(at, range): (TopicPartition, std::ops::Range<u64>)| WireCount {
        topic: at.topic.to_string(),
        partition: at.partition,
        from: range.start,
        until: range.end,
        matching: 0,
    };
    let mut partitions: Vec<WireCount> = ranges(broker, &request.replay)?.into_iter().map(count).collect();
    let choice = Choice::of(&partitions, &request.replay.filter, broker, producers, Ledger::read_all(store)?)?;
    for count in &mut partitions {
        let at = count.place();
        let own = source(broker, &at)?;
        read_held(broker, &at, count.from, count.until, |message| {
            count.matching += u64::from(choice.is_meant(message, &own));
        })?;
    }
    let matching = partitions.iter().map(|count| count.matching).sum();
    Ok(WireReport { partitions, matching, ..WireReport::default() })
}

/// Sends. Killed and begun again, it sends what is left: no record twice.
///
/// # Errors
/// Another process is sending, the replay is another or has ended, store or broker refuse.
pub fn execute(
    request: &WireRequest,
    plan: &WireReport,
    broker: &dyn Broker,
    store: &dyn Store,
    producers: &dyn Producers,
    operator: &Operator<'_>,
) -> Result<WireReport, ResendError> {
    let Operator { by, clock, shutdown } = *operator;
    let lock = Lock::take(broker, groups::REDRIVE, shutdown)?;
    // What another process left unanswered is answered now: afterwards the mark is another one.
    let _all = journal::sent_before(store, clock, lock.mark())?;
    let new_id = uuid::Uuid::new_v4().simple().to_string();
    let unended = journal::unended_replays::<Begun>(store)?;
    let same = unended.into_iter().find(|(_, begun)| begun.request == request.replay).map(|(id, _)| id);
    let id = request.id.clone().or(same).unwrap_or_else(|| new_id[..12].to_owned());
    let begun = Begun { request: request.replay.clone(), partitions: plan.partitions.clone(), expected: plan.matching };
    let (journal, begun) = Journal::replay(store, clock, &id, by, begun)?;
    if begun.request != request.replay {
        let problem = "it was begun with another choice of records".to_owned();
        return Err(ResendError::Audit { path: journal.folder().to_owned(), problem });
    }
    let mut report = WireReport {
        id: Some(id),
        partitions: begun.partitions.clone(),
        matching: begun.expected,
        sent_before: journal.sources().values().map(contracts::source::OffsetSet::count).sum(),
        audit: Some(journal.folder().to_owned()),
        ..WireReport::default()
    };
    let choice = Choice::of(&begun.partitions, &begun.request.filter, broker, producers, Ledger::read_all(store)?)?;
    let mut sender = Sender::new(journal, lock, request.rate, shutdown);
    for partition in &begun.partitions {
        if !send(broker, partition, &choice, &mut sender, &mut report)? {
            report.is_stopped = true;
            return Ok(report);
        }
    }
    sender.journal.end(End::Done, &report)?;
    Ok(report)
}

/// False when a stop was requested.
fn send(
    broker: &dyn Broker,
    partition: &WireCount,
    choice: &Choice<'_>,
    sender: &mut Sender<'_>,
    report: &mut WireReport,
) -> Result<bool, ResendError> {
    let at = partition.place();
    let own = source(broker, &at)?;
    let mut parts = Parts::held(broker, &at, partition.from..partition.until, PART_BYTES_MAX);
    loop {
        if !sender.may_go_on()? {
            return Ok(false);
        }
        let Some(messages) = parts.next(sender.part_records_max())? else { return Ok(true) };
        let sent = sender.journal.sources().get(&own).cloned().unwrap_or_default();
        let meant =
            messages.into_iter().filter(|message| !sent.contains(message.offset) && choice.is_meant(message, &own));
        let (sources, records): (Vec<_>, Vec<_>) = meant
            .map(|message| {
                let src = Src { partition: own.clone(), offset: message.offset };
                let record = again(message, &src, &choice.ledger).record;
                (src, record)
            })
            .unzip();
        if !sources.is_empty() {
            sender.send(&sources, &records)?;
            report.sent += sources.len() as u64;
        }
    }
}

impl WireCount {
    fn place(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.as_str().into(), partition: self.partition }
    }
}

fn source(broker: &dyn Broker, at: &TopicPartition) -> Result<SrcPartition, BrokerError> {
    let topic = broker.topics()?.into_iter().find(|topic| topic.name == at.topic);
    let topic = topic.ok_or_else(|| BrokerError::UnknownTopic(at.topic.to_string()))?;
    Ok(SrcPartition { topic_id: topic.id.to_string(), partition: at.partition })
}

/// Which records go.
struct Choice<'a> {
    filter: &'a WireFilter,
    producers: &'a dyn Producers,
    ledger: Ledger,
    /// By first position the newest record that was sent in its place: of several that stand for one record only that goes.
    newest: BTreeMap<Src, Src>,
}

impl<'a> Choice<'a> {
    fn of(
        partitions: &[WireCount],
        filter: &'a WireFilter,
        broker: &dyn Broker,
        producers: &'a dyn Producers,
        ledger: Ledger,
    ) -> Result<Self, BrokerError> {
        let mut choice = Self { filter, producers, ledger, newest: BTreeMap::new() };
        for partition in partitions {
            let at = partition.place();
            let own = source(broker, &at)?;
            let mut found = Vec::new();
            read_held(broker, &at, partition.from, partition.until, |message| {
                let src = Src { partition: own.clone(), offset: message.offset };
                let first = choice.ledger.first_of(message, &src).filter(|_| choice.matches(message));
                found.extend(first.map(|first| (first, src)));
            })?;
            choice.newest.extend(found);
        }
        Ok(choice)
    }

    fn matches(&self, message: &Message) -> bool {
        let claims = Claims::of(&message.at.topic, |name| message.header(name), self.producers);
        self.filter.matches(&message.value, &claims)
    }

    fn is_meant(&self, message: &Message, own: &SrcPartition) -> bool {
        let src = Src { partition: own.clone(), offset: message.offset };
        let first = self.ledger.first_of(message, &src);
        self.newest.get(first.as_ref().unwrap_or(&src)).is_none_or(|newest| *newest == src) && self.matches(message)
    }
}
