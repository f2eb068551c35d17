//! Which wire records an operator means: by time, by offset, by what they hold.

use std::collections::BTreeMap;
use std::ops::Range;

use contracts::claims::{Claims, Producers};
use contracts::topics::{self, groups};
use contracts::wire_filter::WireFilter;
use platform::broker::{Broker, BrokerError, TopicPartition, read_held};
use serde::{Deserialize, Serialize};

/// A range of offsets of a wire partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// First offset.
    pub from: u64,
    /// One past the last offset; absent for all that follow.
    pub until: Option<u64>,
}

/// Which wire records are replayed. Nothing given: all that were judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayRequest {
    /// Received at or after, milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// Received before, milliseconds since the epoch.
    pub until_ms: Option<i64>,
    /// Only these ranges of offsets.
    #[serde(rename = "stretches")]
    pub offset_ranges: Vec<OffsetRange>,
    /// Only these records.
    pub filter: WireFilter,
}

/// Offsets to be replayed, by wire partition: only what the live validators have judged, since the rest is still to come.
///
/// # Errors
/// The broker refuses.
pub fn ranges(
    broker: &dyn Broker,
    request: &ReplayRequest,
) -> Result<BTreeMap<TopicPartition, Range<u64>>, BrokerError> {
    let mut ranges = BTreeMap::new();
    for (at, judged) in judged(broker, groups::VALIDATOR)? {
        let low = broker.watermarks(&at)?.low;
        let at_time = |ms: Option<i64>, otherwise: u64| match ms {
            None => Ok(otherwise),
            Some(ms) => broker.offset_for_time(&at, ms).map(|offset| offset.unwrap_or(judged)),
        };
        let (mut from, mut until) = (at_time(request.since_ms, low)?, at_time(request.until_ms, judged)?.min(judged));
        if !request.offset_ranges.is_empty() {
            let is_this = |s: &&OffsetRange| s.topic == *at.topic && s.partition == at.partition;
            let Some(offset_range) = request.offset_ranges.iter().find(is_this) else { continue };
            (from, until) = (from.max(offset_range.from), until.min(offset_range.until.unwrap_or(judged)));
        }
        if from < until {
            ranges.insert(at, from.max(low)..until);
        }
    }
    ranges.retain(|_, range| !range.is_empty());
    Ok(ranges)
}

/// Records of a range that are meant: all of it is read.
///
/// # Errors
/// The broker refuses.
pub fn matching(
    broker: &dyn Broker,
    topic_partition: &TopicPartition,
    range: &Range<u64>,
    filter: &WireFilter,
    producers: &dyn Producers,
) -> Result<u64, BrokerError> {
    let mut count = 0;
    read_held(broker, topic_partition, range.start, range.end, |message| {
        let claims = Claims::of(&topic_partition.topic, |name| message.header(name), producers);
        count += u64::from(filter.matches(&message.value, &claims));
    })?;
    Ok(count)
}

/// How far a group of validators has come in the wire topics that are there.
pub(crate) fn judged(broker: &dyn Broker, group: &str) -> Result<BTreeMap<TopicPartition, u64>, BrokerError> {
    let offsets = broker.group_offsets(group)?.into_iter();
    Ok(offsets.filter(|o| topics::is_wire(&o.at.topic)).map(|o| (o.at, o.offset)).collect())
}
