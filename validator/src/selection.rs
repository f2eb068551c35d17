//! Wire records that are to be judged once more, of all that a member reads.

use std::collections::BTreeMap;
use std::ops::Range;

use contracts::wire_filter::WireFilter;
use platform::broker::{Message, TopicPartition};

use crate::transform::Transform;

/// Wire records to be judged once more.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Offsets by partition; a partition that is not named is not read.
    pub ranges: BTreeMap<TopicPartition, Range<u64>>,
    /// Which of them.
    pub filter: WireFilter,
}

pub(crate) enum Selected {
    Judged,
    PassedOver,
    /// Nothing of its partition is.
    NotRead,
    /// The partition's range is over, at this offset.
    Behind(u64),
}

pub(crate) fn selected(selection: Option<&Selection>, transform: &Transform, message: &Message) -> Selected {
    let Some(selection) = selection else { return Selected::Judged };
    match selection.ranges.get(&message.at) {
        None => Selected::NotRead,
        Some(range) if message.offset >= range.end => Selected::Behind(range.end),
        Some(range) if message.offset < range.start => Selected::PassedOver,
        Some(_) if selection.filter.matches(&message.value, &transform.claims(message)) => Selected::Judged,
        Some(_) => Selected::PassedOver,
    }
}
