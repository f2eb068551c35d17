//! Whether every wire record that was judged is a row, or on its way to be one.

use std::collections::BTreeMap;
use std::ops::Range;

use contracts::claims::{Claims, Producers, may_stand_for};
use contracts::datasets;
use contracts::source::{OffsetSet, Src, SrcPartition, SrcSet};
use contracts::topics::{self, headers};
use platform::broker::{Broker, BrokerError, Message, READ_RECORDS, TopicInfo, TopicPartition, read_held};

use super::{Held, InFlight, Missing};
use crate::files::dead_letters;
use crate::ledger::Ledger;

pub(super) struct Found {
    /// Offsets that the broker holds and that were judged: each is compared with the rows.
    pub compared: u64,
    pub in_flight: InFlight,
    pub missing: Vec<Missing>,
    pub unproven: Vec<Missing>,
    /// Topic partitions that end before what was written from them, and how.
    pub behind: Vec<(String, String)>,
    /// How far the wire topics were looked at.
    pub wire_ends: BTreeMap<TopicPartition, u64>,
    /// First positions of records on their way by `tenant/workspace/run_id`, or `//run_id` where a record tells no more.
    pub runs: BTreeMap<String, SrcSet>,
}

pub(super) fn check(
    broker: &dyn Broker,
    held: &Held,
    ledger: &Ledger,
    producers: &dyn Producers,
) -> Result<Found, BrokerError> {
    // In this order: what moves on meanwhile is seen as on its way, never as lost.
    let judged: BTreeMap<TopicPartition, u64> =
        broker.group_offsets(topics::groups::VALIDATOR)?.into_iter().map(|o| (o.at, o.offset)).collect();
    let all = broker.topics()?;
    let mut look = Look { broker, producers, answered: held.answered.clone(), runs: BTreeMap::new() };
    let mut in_flight = InFlight::default();
    let mut behind = Vec::new();
    for (at, id) in partitions(&all, datasets::has_topic) {
        let end = held.ends.get(&(id.topic_id.clone(), id.partition)).copied().unwrap_or_default();
        let high = broker.watermarks(&at)?.high;
        if end > high {
            behind.push((id.to_string(), format!("topic {} ends at {high}, its commit chain at {end}", at.topic)));
        }
        in_flight.unwritten += look.on_their_way(&at, end, None)?.count;
    }
    let judged_until = |at: &TopicPartition| judged.get(at).copied().unwrap_or_default();
    let mut wire_ends = BTreeMap::new();
    for (at, id) in partitions(&all, topics::is_wire) {
        let moving = look.on_their_way(&at, judged_until(&at), Some(&id))?;
        in_flight.unjudged += moving.count;
        wire_ends.insert(at, moving.end);
    }
    let (mut missing, mut unproven, mut compared) = (Vec::new(), Vec::new(), 0);
    for (at, id) in partitions(&all, topics::is_wire) {
        let marks = broker.watermarks(&at)?;
        if let Some(max) = held.src.get(&id).and_then(OffsetSet::max).filter(|max| *max >= marks.high) {
            let detail = format!(
                "topic {} ends at {}, rows come from offsets up to {max}: its next records will be taken for duplicates",
                at.topic, marks.high
            );
            behind.push((id.to_string(), detail));
        }
        let until = judged_until(&at);
        let answered = look.answered.get(&id).cloned().unwrap_or_default();
        let topic = at.topic.to_string();
        compared += until.saturating_sub(marks.low);
        let (lost, claimed) = lost(broker, &at, &id, marks.low..until, &answered, ledger)?;
        if lost.count() > 0 {
            missing.push(Missing { topic: topic.clone(), partition: id.clone(), offsets: lost, claimed });
        }
        // What was sent again is compared where it went: an offset behind, that a row answers for or that expired itself.
        let mut answered = answered;
        ledger.sent_firsts().get(&id).into_iter().for_each(|firsts| answered.union(firsts));
        let mut expired = OffsetSet::default();
        answered.gaps(0..marks.low).into_iter().for_each(|gap| expired.union(&OffsetSet::from(gap)));
        if expired.count() > 0 {
            unproven.push(Missing { topic, partition: id, offsets: expired, claimed: 0 });
        }
    }
    Ok(Found { compared, in_flight, missing, unproven, behind, wire_ends, runs: look.runs })
}

fn partitions(all: &[TopicInfo], wanted: impl Fn(&str) -> bool) -> Vec<(TopicPartition, SrcPartition)> {
    let topics = all.iter().filter(|topic| wanted(&topic.name));
    let each = topics.flat_map(|topic| (0..topic.partitions).map(move |partition| (topic, partition)));
    each.map(|(topic, partition)| {
        let at = TopicPartition { topic: topic.name.clone(), partition };
        (at, SrcPartition { topic_id: topic.id.to_string(), partition })
    })
    .collect()
}

struct Look<'a> {
    broker: &'a dyn Broker,
    producers: &'a dyn Producers,
    /// Source positions that are answered for.
    answered: SrcSet,
    runs: BTreeMap<String, SrcSet>,
}

struct Moving {
    count: u64,
    end: u64,
}

impl Look<'_> {
    /// Counts and remembers the records from an offset on; `own` is the partition's id where a record's position is its
    /// source position.
    fn on_their_way(
        &mut self,
        at: &TopicPartition,
        from: u64,
        own: Option<&SrcPartition>,
    ) -> Result<Moving, BrokerError> {
        let mut count = 0;
        let (answered, runs, producers) = (&mut self.answered, &mut self.runs, self.producers);
        let end = read_held(self.broker, at, from, u64::MAX, |message| {
            count += 1;
            let src = match own {
                Some(partition) => Some(Src { partition: partition.clone(), offset: message.offset }),
                None => position(message, headers::SRC),
            };
            let Some(src) = src else { return };
            if let Some(run) = run(message, producers) {
                let first = position(message, headers::REPLAY_OF).filter(|first| may_stand_for(first, &src));
                insert(runs.entry(run).or_default(), first.unwrap_or_else(|| src.clone()));
            }
            // An unjudged record is not asked for itself.
            if own.is_none() {
                insert(answered, src);
            }
        })?;
        Ok(Moving { count, end })
    }
}

fn insert(set: &mut SrcSet, src: Src) {
    let _new = set.entry(src.partition).or_default().insert(src.offset);
}

fn text<'m>(message: &'m Message, header: &str) -> Option<&'m str> {
    std::str::from_utf8(message.header(header)?).ok()
}

fn position(message: &Message, header: &str) -> Option<Src> {
    text(message, header)?.parse().ok()
}

/// The run that the sink counts a record for, as far as its headers tell.
fn run(message: &Message, producers: &dyn Producers) -> Option<String> {
    let topic = &*message.at.topic;
    if topics::is_wire(topic) {
        return Claims::of(topic, |name| message.header(name), producers).run_or_id();
    }
    match topics::is_valid(topic) {
        true => text(message, headers::RUN).map(str::to_owned),
        false => dead_letters::run_of(message),
    }
}

/// Records of a range that no row answers for, and how many of them later records claim to stand for that were not sent by this
/// product. Looks at the records themselves: not every offset of a broker is one.
fn lost(
    broker: &dyn Broker,
    at: &TopicPartition,
    id: &SrcPartition,
    range: Range<u64>,
    answered: &OffsetSet,
    ledger: &Ledger,
) -> Result<(OffsetSet, u64), BrokerError> {
    let src = |message: &Message| Src { partition: id.clone(), offset: message.offset };
    let mut originals = OffsetSet::default();
    let mut replays: BTreeMap<Src, u64> = BTreeMap::new();
    for span in spans(answered.gaps(range)) {
        read_held(broker, at, span.start, span.end, |message| {
            if answered.contains(message.offset) {
                return;
            }
            match ledger.first_of(message, &src(message)) {
                Some(first) => _ = replays.insert(first, message.offset),
                None => _ = originals.insert(message.offset),
            }
        })?;
    }
    let Some(earliest) = replays.values().copied().chain(originals.ranges().next().map(|r| r.start)).min() else {
        return Ok((originals, 0));
    };
    // Of several records that stand for one first record the last one counts: it was sent in place of the others, and is
    // looked at itself. Else what is lost once more would be sent once more for each time it was lost.
    let (mut replaced, mut claimed) = (OffsetSet::default(), OffsetSet::default());
    read_held(broker, at, earliest + 1, u64::MAX, |message| {
        let Some(said) = position(message, headers::REPLAY_OF) else { return };
        let is_replaced = said.partition == *id && said.offset < message.offset && originals.contains(said.offset);
        let Some(first) = ledger.first_of(message, &src(message)) else {
            if is_replaced {
                let _new = claimed.insert(said.offset);
            }
            return;
        };
        if replays.get(&first).is_some_and(|offset| *offset < message.offset) {
            replays.remove(&first);
        }
        if is_replaced {
            let _new = replaced.insert(first.offset);
        }
    })?;
    let mut lost = OffsetSet::default();
    for part in originals.ranges().flat_map(|range| replaced.gaps(range)) {
        lost.union(&OffsetSet::from(part));
    }
    for offset in replays.into_values() {
        let _new = lost.insert(offset);
    }
    let claimed = lost.overlap(&claimed);
    Ok((lost, claimed))
}

/// Gaps that one read would bring together are read together: a Kafka topic has a gap for each transaction.
fn spans(gaps: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut spans: Vec<Range<u64>> = Vec::new();
    for gap in gaps {
        match spans.last_mut() {
            Some(span) if gap.end - span.start <= READ_RECORDS as u64 => span.end = gap.end,
            _ => spans.push(gap),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_gaps_are_read_together() {
        assert_eq!(
            spans(vec![3..4, 10..11, 9_000..9_001, 20_000..90_000, 90_001..90_002]),
            [3..9_001, 20_000..90_000, 90_001..90_002]
        );
        assert_eq!(spans(Vec::new()), []);
    }
}
