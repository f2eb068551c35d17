//! Where a record came from: `src = <topic id>/<partition>/<offset>`, and sets of such positions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Position of one wire record. It names the topic by its *id*: a recreated topic has another id, so old positions
/// cannot be mistaken for new ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Src {
    /// Topic id and partition.
    pub partition: SrcPartition,
    /// Offset in the partition.
    pub offset: u64,
}

/// A partition of a source topic, written `<topic id>/<partition>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SrcPartition {
    /// Topic id as the broker writes it (no `/`).
    pub topic_id: String,
    /// Partition number.
    pub partition: u32,
}

/// How far a commit chain had come with findings of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPosition {
    /// Topic name.
    pub topic: String,
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// One past the last offset of the last commit that holds some.
    pub end: u64,
}

/// The text was not `<topic id>/<partition>/<offset>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a source position: expected <topic id>/<partition>/<offset>")]
pub struct BadSrc {
    /// What was read.
    pub text: String,
}

impl fmt::Display for SrcPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic_id, self.partition)
    }
}

impl fmt::Display for Src {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)
    }
}

impl FromStr for SrcPartition {
    type Err = BadSrc;
    fn from_str(text: &str) -> Result<Self, BadSrc> {
        let bad = || BadSrc { text: text.to_owned() };
        let (topic_id, partition) = text.split_once('/').ok_or_else(bad)?;
        if topic_id.is_empty() {
            return Err(bad());
        }
        Ok(Self { topic_id: topic_id.to_owned(), partition: partition.parse().map_err(|_| bad())? })
    }
}

impl FromStr for Src {
    type Err = BadSrc;
    fn from_str(text: &str) -> Result<Self, BadSrc> {
        let bad = || BadSrc { text: text.to_owned() };
        let (partition, offset) = text.rsplit_once('/').ok_or_else(bad)?;
        Ok(Self { partition: partition.parse().map_err(|_| bad())?, offset: offset.parse().map_err(|_| bad())? })
    }
}

macro_rules! serde_as_text {
    ($t:ty) => {
        impl Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
serde_as_text!(Src);
serde_as_text!(SrcPartition);

/// A set of offsets as sorted, disjoint, non-touching half-open ranges; JSON `[[start,end],…]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OffsetSet(Vec<(u64, u64)>);

impl OffsetSet {
    /// Adds one offset; true if it was new. Appending in rising order is O(1).
    pub fn insert(&mut self, offset: u64) -> bool {
        match self.0.last_mut() {
            None => self.0.push((offset, offset + 1)),
            Some((_, end)) if *end == offset => *end += 1,
            Some((_, end)) if *end < offset => self.0.push((offset, offset + 1)),
            Some(_) => {
                let at = self.0.partition_point(|&(start, _)| start <= offset);
                if at > 0 && offset < self.0[at - 1].1 {
                    return false;
                }
                let joins_left = at > 0 && self.0[at - 1].1 == offset;
                let joins_right = at < self.0.len() && self.0[at].0 == offset + 1;
                match (joins_left, joins_right) {
                    (true, true) => {
                        self.0[at - 1].1 = self.0[at].1;
                        self.0.remove(at);
                    }
                    (true, false) => self.0[at - 1].1 += 1,
                    (false, true) => self.0[at].0 -= 1,
                    (false, false) => self.0.insert(at, (offset, offset + 1)),
                }
            }
        }
        true
    }

    /// True if the offset is in the set.
    #[must_use]
    pub fn contains(&self, offset: u64) -> bool {
        let at = self.0.partition_point(|&(start, _)| start <= offset);
        at > 0 && offset < self.0[at - 1].1
    }

    /// Number of offsets.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }

    /// The ranges, rising.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<u64>> + '_ {
        self.0.iter().map(|&(start, end)| start..end)
    }

    /// Highest offset.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.0.last().map(|&(_, end)| end - 1)
    }

    /// Adds all offsets of `other`. Cheap when they lie above all that are in the set.
    pub fn union(&mut self, other: &Self) {
        let is_above = matches!((self.0.last(), other.0.first()), (Some((_, end)), Some((start, _))) if end < start);
        self.0.extend(&other.0);
        if is_above {
            return;
        }
        // Two sorted runs: merging them is what a stable sort does best.
        self.0.sort();
        let mut kept = 0;
        for at in 1..self.0.len() {
            let (start, end) = self.0[at];
            if start <= self.0[kept].1 {
                self.0[kept].1 = self.0[kept].1.max(end);
            } else {
                kept += 1;
                self.0[kept] = (start, end);
            }
        }
        self.0.truncate(kept + 1);
    }

    /// The parts of a range that the set does not hold, rising.
    #[must_use]
    pub fn gaps(&self, range: std::ops::Range<u64>) -> Vec<std::ops::Range<u64>> {
        let mut gaps = Vec::new();
        let mut next = range.start;
        for part in self.ranges() {
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

    /// How many offsets are in both sets.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> u64 {
        let shared = |&(start, end): &(u64, u64)| -> u64 {
            let first = self.0.partition_point(|&(_, own_end)| own_end <= start);
            let touching = self.0[first..].iter().take_while(|(own_start, _)| *own_start < end);
            touching.map(|&(own_start, own_end)| own_end.min(end) - own_start.max(start)).sum()
        };
        other.0.iter().map(shared).sum()
    }
}

impl From<std::ops::Range<u64>> for OffsetSet {
    fn from(range: std::ops::Range<u64>) -> Self {
        Self(if range.is_empty() { Vec::new() } else { vec![(range.start, range.end)] })
    }
}

/// Offsets per source partition.
pub type SrcSet = BTreeMap<SrcPartition, OffsetSet>;

/// Adds all positions of `some`.
pub fn union(all: &mut SrcSet, some: &SrcSet) {
    for (partition, offsets) in some {
        match all.get_mut(partition) {
            Some(held) => held.union(offsets),
            None => drop(all.insert(partition.clone(), offsets.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::OffsetSet;

    fn set(offsets: &BTreeSet<u64>) -> OffsetSet {
        let mut set = OffsetSet::default();
        assert!(offsets.iter().all(|o| set.insert(*o)));
        set
    }

    proptest! {
        #[test]
        fn sets_add_up_like_sets(
            a in prop::collection::btree_set(0_u64..60, 0..40),
            b in prop::collection::btree_set(0_u64..60, 0..40),
            above in 0_u64..70,
        ) {
            for b in [b.clone(), b.iter().map(|o| o + above).collect()] {
                prop_assert_eq!(set(&a).overlap(&set(&b)), a.intersection(&b).count() as u64);
                let mut all = set(&a);
                all.union(&set(&b));
                prop_assert_eq!(&all, &set(&a.union(&b).copied().collect()));
            }
        }
    }

    #[test]
    fn gaps_are_what_is_not_held() {
        let check = |offsets: &[u64], range: std::ops::Range<u64>, expected: &str| {
            let held = set(&offsets.iter().copied().collect());
            assert_eq!(format!("{:?}", held.gaps(range)), expected, "{offsets:?}");
        };
        check(&[], 3..6, "[3..6]");
        check(&[3, 4, 5], 3..6, "[]");
        check(&[0, 4, 9], 3..6, "[3..4, 5..6]");
        check(&[4], 3..6, "[3..4, 5..6]");
        check(&[7], 3..6, "[3..6]");
        check(&[], 3..3, "[]");
    }

    #[test]
    fn a_range_is_a_set() {
        assert_eq!(OffsetSet::from(3..6), set(&BTreeSet::from([3, 4, 5])));
        assert_eq!(OffsetSet::from(3..3), OffsetSet::default());
    }
}
