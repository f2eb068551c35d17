//! What may be changed about a topic that exists, and the size of a broker that is a file.

use std::time::Duration;

use super::TopicSettings;

/// A limit of what a topic keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Nothing expires by it.
    Unlimited,
    /// Milliseconds or bytes, by the setting.
    AtMost(u64),
}

impl Limit {
    /// As [`TopicSettings`] has it.
    #[must_use]
    pub fn value(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::AtMost(value) => Some(value),
        }
    }
}

impl From<Option<u64>> for Limit {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Unlimited, Self::AtMost)
    }
}

/// Settings of an existing topic to be changed; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicChange {
    /// Number of partitions; it can only grow.
    pub partitions: Option<u32>,
    /// Age in milliseconds after which records expire.
    pub retention_ms: Option<Limit>,
    /// Bytes per partition above which the oldest records expire.
    pub retention_bytes: Option<Limit>,
}

impl TopicChange {
    /// Why no broker makes this change of a topic with so many partitions; `None` when it can be made.
    #[must_use]
    pub fn refusal(&self, partitions: u32, is_compacted: bool) -> Option<String> {
        if let Some(wanted) = self.partitions.filter(|wanted| *wanted < partitions) {
            return Some(format!("it has {partitions} partitions, which can only become more, not {wanted}"));
        }
        let has_limit = [self.retention_ms, self.retention_bytes].into_iter().flatten().any(|l| l != Limit::Unlimited);
        let why = "it is compacted: the newest record of each key stays, whatever its age or size";
        (is_compacted && has_limit).then(|| why.to_owned())
    }

    /// True when a topic with these settings and partitions would stay as it is.
    #[must_use]
    pub fn is_done(&self, settings: &TopicSettings, partitions: u32) -> bool {
        self.partitions.is_none_or(|wanted| wanted == partitions)
            && self.retention_ms.is_none_or(|wanted| wanted.value() == settings.retention_ms)
            && self.retention_bytes.is_none_or(|wanted| wanted.value() == settings.retention_bytes)
    }
}

/// How much room a broker that is a file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSize {
    /// Bytes on disk: the file, its write-ahead log and its index.
    pub file_bytes: u64,
    /// Bytes of pages that hold something.
    pub live_bytes: u64,
    /// Bytes of pages that hold nothing: used by the next records, or given back to the file system.
    pub free_bytes: u64,
    /// The file gives free pages back; one of an earlier version does not before it was converted.
    pub gives_back: bool,
}

/// A broker that cleans at least this often leaves records no longer than a tenth above their age.
const CLEANINGS_PER_RETENTION: u32 = 10;
/// Cleaning costs a look at each partition.
const CLEANING_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Also where nothing expires: superseded records of compacted topics go, too.
const CLEANING_INTERVAL_MAX: Duration = Duration::from_secs(600);

/// How often to clean topics of which the shortest retention is this.
#[must_use]
pub fn cleaning_interval(retention_min: Option<Duration>) -> Duration {
    retention_min.map_or(CLEANING_INTERVAL_MAX, |age| {
        (age / CLEANINGS_PER_RETENTION).clamp(CLEANING_INTERVAL_MIN, CLEANING_INTERVAL_MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_follows_the_shortest_retention() {
        let check = |retention_s: Option<u64>, expected_s| {
            let interval = cleaning_interval(retention_s.map(Duration::from_secs));
            assert_eq!(interval, Duration::from_secs(expected_s), "{retention_s:?}");
        };
        check(Some(1), 1);
        check(Some(60), 6);
        check(Some(3_600), 360);
        check(Some(7 * 86_400), 600);
        check(None, 600);
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let check = |change: TopicChange, is_compacted, expected: Option<&str>| {
            let found = change.refusal(4, is_compacted);
            assert_eq!(found.is_some(), expected.is_some(), "{change:?}");
            assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{change:?}");
        };
        let partitions = |n| TopicChange { partitions: Some(n), ..TopicChange::default() };
        let retention = |limit| TopicChange { retention_ms: Some(limit), ..TopicChange::default() };
        check(partitions(4), true, None);
        check(partitions(5), false, None);
        check(partitions(3), false, Some("it has 4 partitions"));
        check(retention(Limit::AtMost(1)), false, None);
        check(retention(Limit::Unlimited), true, None);
        check(retention(Limit::AtMost(1)), true, Some("it is compacted"));
    }

    #[test]
    fn a_change_is_done_when_nothing_differs() {
        let settings = TopicSettings {
            compacted: false,
            retention_ms: Some(60_000),
            retention_bytes: None,
            record_bytes_max: 1,
            replication: None,
        };
        let check = |change: TopicChange, expected| assert_eq!(change.is_done(&settings, 4), expected, "{change:?}");
        let nothing = TopicChange::default();
        check(nothing.clone(), true);
        check(TopicChange { partitions: Some(4), ..nothing.clone() }, true);
        check(TopicChange { partitions: Some(8), ..nothing.clone() }, false);
        check(TopicChange { retention_ms: Some(Limit::AtMost(60_000)), ..nothing.clone() }, true);
        check(TopicChange { retention_ms: Some(Limit::Unlimited), ..nothing.clone() }, false);
        check(TopicChange { retention_bytes: Some(Limit::AtMost(1)), ..nothing }, false);
    }
}
