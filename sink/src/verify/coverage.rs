//! Whether every wire record that was judged is a row, or on its way to be one.

use std::collections::BTreeMap;
use std::fmt;

use contracts::source::{OffsetSet, Src, SrcPartition, SrcSet};
use contracts::topics::{self, headers};
use platform::broker::{Broker, Message, TopicInfo, TopicPartition};
use serde::Serialize;

use super::{VerifyError, ranges_text};

const READ_RECORDS: usize = 10_000;
const READ_BYTES: usize = 16 << 20;

/// Records that are on their way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// Not judged yet.
    pub unjudged: u64,
    /// Judged, not written yet.
    pub unwritten: u64,
}

impl InFlight {
    /// Nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unjudged + self.unwritten == 0
    }
}

/// Records of a wire partition that are nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Topic name.
    pub topic: String,
    /// Topic id and partition.
    pub partition: SrcPartition,
    /// Their offsets.
    pub offsets: OffsetSet,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&ranges_text(&self.partition, &self.offsets))
    }
}

pub(super) struct Found {
    pub in_flight: InFlight,
    pub missing: Vec<Missing>,
}

/// `positions` are the ends of the chains by topic id and partition; `held` the source positions answered for.
pub(super) fn check(
    broker: &dyn Broker,
    positions: &BTreeMap<(String, u32), u64>,
    held: &SrcSet,
) -> Result<Found, VerifyError> {
    // In this order: what moves on meanwhile is seen as on its way, never as lost.
    let judged: BTreeMap<TopicPartition, u64> =
        broker.group_offsets(topics::groups::VALIDATOR)?.into_iter().map(|o| (o.at, o.offset)).collect();
    let all = broker.topics()?;
    let mut held = held.clone();
    let mut in_flight = InFlight::default();
    for topic in all.iter().filter(|t| [topics::VALID, topics::DEAD_LETTERS].contains(&&*t.name)) {
        for at in partitions(topic) {
            let from = positions.get(&(topic.id.to_string(), at.partition)).copied().unwrap_or_default();
            read(broker, &at, from, u64::MAX, |message| {
                in_flight.unwritten += 1;
                [headers::SRC, headers::REPLAY_OF].iter().for_each(|name| answer(&mut held, message, name));
            })?;
        }
    }
    let mut missing = Vec::new();
    for topic in all.iter().filter(|t| topics::is_wire(&t.name)) {
        for at in partitions(topic) {
            let until = judged.get(&at).copied().unwrap_or_default();
            read(broker, &at, until, u64::MAX, |message| {
                in_flight.unjudged += 1;
                answer(&mut held, message, headers::REPLAY_OF);
            })?;
        }
    }
    for topic in all.iter().filter(|t| topics::is_wire(&t.name)) {
        for at in partitions(topic) {
            let until = judged.get(&at).copied().unwrap_or_default();
            let partition = SrcPartition { topic_id: topic.id.to_string(), partition: at.partition };
            let offsets = lost(broker, &at, until, held.get(&partition))?;
            if offsets.count() > 0 {
                missing.push(Missing { topic: topic.name.to_string(), partition, offsets });
            }
        }
    }
    Ok(Found { in_flight, missing })
}

fn partitions(topic: &TopicInfo) -> impl Iterator<Item = TopicPartition> + '_ {
    (0..topic.partitions).map(|partition| TopicPartition { topic: topic.name.clone(), partition })
}

fn answer(held: &mut SrcSet, message: &Message, header: &str) {
    let text = message.header(header).and_then(|value| std::str::from_utf8(value).ok());
    if let Some(src) = text.and_then(|text| text.parse::<Src>().ok()) {
        let _new = held.entry(src.partition).or_default().insert(src.offset);
    }
}

/// Records that the broker holds below `until` and nobody answers for. Looks at the records themselves: not every offset
/// of a broker is one.
fn lost(
    broker: &dyn Broker,
    at: &TopicPartition,
    until: u64,
    held: Option<&OffsetSet>,
) -> Result<OffsetSet, VerifyError> {
    let low = broker.watermarks(at)?.low;
    let mut lost = OffsetSet::default();
    for gap in gaps(low..until, held) {
        read(broker, at, gap.start, gap.end, |message| {
            let _new = lost.insert(message.offset);
        })?;
    }
    Ok(lost)
}

/// The parts of a range that a set does not hold.
fn gaps(range: std::ops::Range<u64>, held: Option<&OffsetSet>) -> Vec<std::ops::Range<u64>> {
    let mut gaps = Vec::new();
    let mut next = range.start;
    for part in held.into_iter().flat_map(OffsetSet::ranges) {
        if part.start > next && next < range.end {
            gaps.push(next..part.start.min(range.end));
        }
        next = next.max(part.end);
    }
    if next < range.end {
        gaps.push(next..range.end);
    }
    gaps
}

fn read(
    broker: &dyn Broker,
    at: &TopicPartition,
    from: u64,
    until: u64,
    mut each: impl FnMut(&Message),
) -> Result<(), VerifyError> {
    let marks = broker.watermarks(at)?;
    let mut next = from.max(marks.low);
    let until = until.min(marks.high);
    while next < until {
        let messages = broker.read(at, next, READ_RECORDS, READ_BYTES)?;
        let Some(last) = messages.last() else { return Ok(()) };
        next = last.offset + 1;
        messages.iter().take_while(|message| message.offset < until).for_each(&mut each);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_not_held() {
        let held = |offsets: &[u64]| {
            let mut set = OffsetSet::default();
            assert!(offsets.iter().all(|o| set.insert(*o)));
            set
        };
        let check = |offsets: &[u64], range: std::ops::Range<u64>, expected: &str| {
            assert_eq!(format!("{:?}", gaps(range, Some(&held(offsets)))), expected, "{offsets:?}");
        };
        check(&[], 3..6, "[3..6]");
        check(&[3, 4, 5], 3..6, "[]");
        check(&[0, 4, 9], 3..6, "[3..4, 5..6]");
        check(&[4], 3..6, "[3..4, 5..6]");
        check(&[7], 3..6, "[3..6]");
        check(&[], 3..3, "[]");
    }
}
