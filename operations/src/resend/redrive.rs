//! Dead letters back to the topic they came from. Looking first and sending are the same walk over the same letters with
//! the same verdicts; only that one of them appends.

use std::collections::BTreeMap;

use contracts::dead_letter;
use contracts::layout;
use contracts::source::{Src, SrcSet};
use contracts::topics::{self, groups, headers};
use lake::ledger::Ledger;
use platform::broker::{Broker, OutRecord, RecordValue};
use platform::clock::Clock;
use platform::lifecycle::Shutdown;
use platform::store::Store;
use serde::{Deserialize, Serialize};

use super::ResendError;
use super::journal::{self, End, Journal};
use super::letters::{self, Filter, Letter};
use super::lock::Lock;
use super::patch::Patch;
use super::sender::{PART_BYTES_MAX, PART_RECORDS_MAX, Sender};

/// Letters that a report lists one by one, at most.
const LISTED_MAX: usize = 1_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RedriveRequest {
    /// Which dead letters.
    pub filter: Filter,
    /// What to change in them.
    pub patch: Option<Patch>,
    /// Records per second, at most.
    pub rate: Option<u32>,
    /// Records in all, at most.
    pub max: Option<u64>,
    /// A letter that was redriven this often is not sent again: it comes back for the same reason.
    pub replays_max: u32,
    /// Who asks.
    pub by: String,
}

/// Why a letter is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedriveRefusal {
    /// It was sent again before; if it was refused again, there is a newer letter.
    SentBefore,
    /// Another one was interrupted while it sent this letter, or is sending it. A plan cannot tell; sending finds out.
    Unanswered,
    /// It was redriven as often as allowed.
    RedrivenTooOften,
    /// It was over the size limit, so only its first bytes were kept: its source must send it.
    ValueCut,
    /// Only the first bytes of its key were kept.
    KeyCut,
    /// Some of its headers were left out.
    HeadersCut,
    /// It came from no wire topic.
    NoWireRecord,
    /// The topic it came from was deleted.
    TopicMissing,
    /// The patch does not apply.
    PatchFailed,
}

/// A letter that is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its position.
    pub src: Src,
    /// Why.
    pub reason: RedriveRefusal,
    /// More about it.
    pub detail: String,
}

/// A letter that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedLetter {
    /// Its position.
    pub src: Src,
    /// Tenant.
    pub tenant_id: Option<String>,
    /// Code of the first violation.
    pub error_code: String,
    /// Topic it goes to.
    pub topic: String,
    /// How often it was redriven.
    pub replays: u32,
    /// Where it is now; absent in a plan.
    pub position: Option<String>,
}

/// Letters of one code, topic and tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Code of the first violation.
    pub error_code: String,
    /// Topic.
    pub topic: String,
    /// Tenant.
    pub tenant_id: Option<String>,
    /// How many.
    pub count: u64,
}

/// What would be, or was, done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RedriveReport {
    /// Letters that match the filter and were looked at.
    pub matching: u64,
    /// Letters that are sent.
    pub sent: u64,
    /// Letters that are not, by reason.
    pub refused: BTreeMap<RedriveRefusal, u64>,
    /// Letters that are sent, by code, topic and tenant, most first.
    pub groups: Vec<Group>,
    /// The first of them.
    pub first: Vec<ListedLetter>,
    /// The first ones that are not sent, but for those that were sent before.
    pub refusals: Vec<Refused>,
    /// The cap was reached: there may be more.
    pub is_capped: bool,
    /// A stop was requested: there may be more.
    pub is_stopped: bool,
    /// The audit record; absent in a plan.
    pub audit: Option<String>,
}

/// What sending would do. Reads only; another redrive may be under way meanwhile.
///
/// # Errors
/// Store or broker refuse, or what they hold cannot be read.
pub fn plan(request: &RedriveRequest, broker: &dyn Broker, store: &dyn Store) -> Result<RedriveReport, ResendError> {
    let (sent, unanswered) = journal::sent_so_far(store)?;
    let mut look = Look::new(request, broker, sent, unanswered, Ledger::read_all(store)?)?;
    look.walk(store, &mut Looking)?;
    Ok(look.report())
}

/// What is written down of what was asked.
#[derive(Serialize)]
struct AuditedRequest<'a> {
    filter: &'a Filter,
    patch: Option<&'a Patch>,
    rate: Option<u32>,
    max: Option<u64>,
    replays_max: u32,
    expected: &'a RedriveReport,
}

/// Sends. Killed and begun again, it sends what is left: no letter twice.
///
/// # Errors
/// Another process is sending, store or broker refuse, or what they hold cannot be read.
pub fn execute(
    request: &RedriveRequest,
    plan: &RedriveReport,
    broker: &dyn Broker,
    store: &dyn Store,
    clock: &dyn Clock,
    shutdown: &Shutdown,
) -> Result<RedriveReport, ResendError> {
    let lock = Lock::take(broker, groups::REDRIVE, shutdown)?;
    let sent = journal::sent_before(store, clock, lock.mark())?;
    let audited = AuditedRequest {
        filter: &request.filter,
        patch: request.patch.as_ref(),
        rate: request.rate,
        max: request.max,
        replays_max: request.replays_max,
        expected: plan,
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let journal = Journal::begin(store, clock, layout::AUDIT_REDRIVE, &id[..8], &request.by, audited)?;
    let mut look = Look::new(request, broker, sent, SrcSet::new(), Ledger::read_all(store)?)?;
    let mut sending = Sending(Sender::new(journal, lock, request.rate, shutdown));
    look.walk(store, &mut sending)?;
    let report = RedriveReport { audit: Some(sending.0.journal.folder().to_owned()), ..look.report() };
    let end = if report.is_capped || report.is_stopped { End::Stopped } else { End::Done };
    sending.0.journal.end(end, &report)?;
    Ok(report)
}

/// A letter that goes back, as it is reported and as it is sent.
struct Item {
    listed: ListedLetter,
    record: OutRecord,
}

/// What is done with letters that go back.
trait Delivery {
    /// False: stop here.
    fn may_go_on(&mut self) -> Result<bool, ResendError>;
    fn send(&mut self, part: &mut [Item]) -> Result<(), ResendError>;
    /// Records of a part, at most.
    fn part_records_max(&self) -> usize {
        PART_RECORDS_MAX
    }
}

struct Looking;

impl Delivery for Looking {
    fn may_go_on(&mut self) -> Result<bool, ResendError> {
        Ok(true)
    }
    fn send(&mut self, _: &mut [Item]) -> Result<(), ResendError> {
        Ok(())
    }
}

struct Sending<'a>(Sender<'a>);

impl Delivery for Sending<'_> {
    fn may_go_on(&mut self) -> Result<bool, ResendError> {
        self.0.may_go_on()
    }

    fn send(&mut self, part: &mut [Item]) -> Result<(), ResendError> {
        let sources: Vec<Src> = part.iter().map(|item| item.listed.src.clone()).collect();
        let records: Vec<OutRecord> = part.iter().map(|item| item.record.clone()).collect();
        for (item, position) in part.iter_mut().zip(self.0.send(&sources, &records)?) {
            item.listed.position = Some(position);
        }
        Ok(())
    }

    fn part_records_max(&self) -> usize {
        self.0.part_records_max()
    }
}

struct Look<'a> {
    request: &'a RedriveRequest,
    /// Partitions by wire topic.
    topics: BTreeMap<String, u32>,
    sent_before: SrcSet,
    unanswered: SrcSet,
    ledger: Ledger,
    groups: BTreeMap<(String, String, Option<String>), u64>,
    report: RedriveReport,
}

impl<'a> Look<'a> {
    fn new(
        request: &'a RedriveRequest,
        broker: &dyn Broker,
        sent_before: SrcSet,
        unanswered: SrcSet,
        ledger: Ledger,
    ) -> Result<Self, ResendError> {
        let topics = broker.topics()?.into_iter().filter(|topic| topics::is_wire(&topic.name));
        let topics = topics.map(|topic| (topic.name.to_string(), topic.partitions)).collect();
        let (groups, report) = (BTreeMap::new(), RedriveReport::default());
        Ok(Self { request, topics, sent_before, unanswered, ledger, groups, report })
    }

    fn walk(&mut self, store: &dyn Store, delivery: &mut impl Delivery) -> Result<(), ResendError> {
        let mut part: Vec<Item> = Vec::new();
        let mut bytes = 0;
        'all: for path in letters::files(store, &self.request.filter)? {
            for batch in letters::read(store, &path)? {
                if !delivery.may_go_on()? {
                    self.report.is_stopped = true;
                    break 'all;
                }
                for letter in batch? {
                    if !self.request.filter.matches(&letter) {
                        continue;
                    }
                    if self.request.max.is_some_and(|max| self.report.sent + part.len() as u64 >= max) {
                        self.report.is_capped = true;
                        break 'all;
                    }
                    let Some(item) = self.item(letter) else { continue };
                    bytes += item.record.bytes();
                    part.push(item);
                    if part.len() >= delivery.part_records_max() || bytes >= PART_BYTES_MAX {
                        self.send(&mut part, delivery)?;
                        bytes = 0;
                    }
                }
            }
        }
        self.send(&mut part, delivery)
    }

    fn send(&mut self, part: &mut Vec<Item>, delivery: &mut impl Delivery) -> Result<(), ResendError> {
        if part.is_empty() {
            return Ok(());
        }
        delivery.send(part)?;
        for Item { listed, .. } in part.drain(..) {
            self.report.sent += 1;
            let group = (listed.error_code.clone(), listed.topic.clone(), listed.tenant_id.clone());
            *self.groups.entry(group).or_default() += 1;
            if self.report.first.len() < LISTED_MAX {
                self.report.first.push(listed);
            }
        }
        Ok(())
    }

    fn item(&mut self, letter: Letter) -> Option<Item> {
        self.report.matching += 1;
        let listed = ListedLetter {
            src: letter.src.clone(),
            tenant_id: letter.tenant_id.clone(),
            error_code: letter.error_code.clone(),
            topic: letter.src_topic.clone(),
            replays: letter.replays,
            position: None,
        };
        match self.judge(letter) {
            Ok(record) => Some(Item { listed, record }),
            Err((reason, detail)) => {
                *self.report.refused.entry(reason).or_default() += 1;
                if !matches!(reason, RedriveRefusal::SentBefore | RedriveRefusal::Unanswered)
                    && self.report.refusals.len() < LISTED_MAX
                {
                    self.report.refusals.push(Refused { src: listed.src, reason, detail });
                }
                None
            }
        }
    }

    fn judge(&self, letter: Letter) -> Result<OutRecord, (RedriveRefusal, String)> {
        for (sent, reason) in
            [(&self.sent_before, RedriveRefusal::SentBefore), (&self.unanswered, RedriveRefusal::Unanswered)]
        {
            if sent.get(&letter.src.partition).is_some_and(|offsets| offsets.contains(letter.src.offset)) {
                return Err((reason, String::new()));
            }
        }
        if !topics::is_wire(&letter.src_topic) {
            return Err((RedriveRefusal::NoWireRecord, format!("it came from topic {}", letter.src_topic)));
        }
        let Some(partitions) = self.topics.get(&letter.src_topic) else {
            return Err((RedriveRefusal::TopicMissing, format!("there is no topic {}", letter.src_topic)));
        };
        if letter.is_cut {
            let detail = format!("only the first {} bytes were kept", letter.value.len());
            return Err((RedriveRefusal::ValueCut, detail));
        }
        for (bytes, reason, lacks) in [
            (dead_letter::header::KEY_BYTES, RedriveRefusal::KeyCut, "only the first bytes of its key were kept"),
            (dead_letter::header::HEADERS_BYTES, RedriveRefusal::HeadersCut, "some of its headers were left out"),
        ] {
            if let Some(bytes) = letter.headers.get(bytes) {
                let bytes = String::from_utf8_lossy(bytes);
                return Err((reason, format!("{lacks}, of {bytes} bytes: its source must send it")));
            }
        }
        if letter.replays >= self.request.replays_max {
            return Err((RedriveRefusal::RedrivenTooOften, format!("it was redriven {} time(s)", letter.replays)));
        }
        let value = match &self.request.patch {
            None => letter.value.clone(),
            Some(patch) => patch.apply(&letter.value).map_err(|e| (RedriveRefusal::PatchFailed, e.to_string()))?.into(),
        };
        let partition = letter.src.partition.partition;
        let is_ours = |first: &Src| self.ledger.stands_for(first, &letter.src, letter.key.as_deref(), &letter.value);
        let first = letter.replay_of.clone().filter(is_ours).unwrap_or_else(|| letter.src.clone());
        Ok(record(letter, &first, value, Some(partition).filter(|partition| partition < partitions)))
    }

    fn report(mut self) -> RedriveReport {
        let group = |((error_code, topic, tenant_id), count)| Group { error_code, topic, tenant_id, count };
        self.report.groups = self.groups.into_iter().map(group).collect();
        self.report.groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        self.report
    }
}

/// The letter as the record it was, to the partition it came from: a tenant keeps its order. Its time is that of sending,
/// else retention could take it before it is judged.
fn record(letter: Letter, first: &Src, value: RecordValue, partition: Option<u32>) -> OutRecord {
    let mut all = letter.headers;
    all.retain(|name| name != headers::REPLAY_OF && !dead_letter::is_envelope_header(name));
    all.extend([
        (headers::REPLAY_OF, first.to_string()),
        (dead_letter::header::REPLAYS, letter.replays.saturating_add(1).to_string()),
        (dead_letter::header::FIRST_SEEN, letter.first_seen_ms.to_string()),
    ]);
    OutRecord { topic: letter.src_topic.into(), partition, key: letter.key, value, headers: all, timestamp_ms: None }
}
