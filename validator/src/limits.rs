//! What the topics take that a validator writes to, and what it makes of a refusal.

use platform::broker::{Broker, BrokerError, RECORD_BYTES_MAX};
use tracing::debug;

/// Records of this many bytes every topic of valid records must take: one that does not is set up wrongly, and its records are no
/// dead letters because of that.
const VALID_BYTES_MIN: usize = 64 << 10;
/// The same of dead letters that are cut as far as they can be.
const DEAD_BYTES_MIN: usize = 2 << 10;

/// Bytes of a batch that topics take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicLimits {
    /// The topic of valid records. One that is larger is a dead letter.
    pub valid: usize,
    /// The topic of dead letters. One that is larger is cut.
    pub dead: usize,
}

impl TopicLimits {
    /// As brokers have it that take all that we send. No topic gets more.
    pub const LARGEST: Self = Self { valid: RECORD_BYTES_MAX, dead: RECORD_BYTES_MAX };

    /// Lowers the limit of valid records, one of which was refused; false when it is as low as it may be. Only those go that are
    /// refused: a topic may take, packed, what it would not take as it is.
    pub(crate) fn lower_valid(&mut self, refused_bytes: usize) -> bool {
        self.valid = refused_bytes.min(self.valid.saturating_sub(1));
        self.valid >= VALID_BYTES_MIN
    }

    /// Lowers the limit of dead letters, one of which was refused by a topic that reports a limit of `reported` bytes.
    pub(crate) fn lower_dead(&mut self, refused_bytes: usize, reported: usize) -> bool {
        self.dead = if reported < self.dead { reported } else { refused_bytes.min(self.dead / 2) };
        self.dead >= DEAD_BYTES_MIN
    }
}

/// What a topic takes, of what we send; all of it where the broker does not say.
pub(crate) fn record_bytes_max(broker: &dyn Broker, topic: &str) -> Result<usize, BrokerError> {
    match broker.topic_settings(topic) {
        Ok(settings) if settings.record_bytes_max > 0 => Ok(settings.record_bytes_max.min(RECORD_BYTES_MAX)),
        Err(error) if error.may_pass() => Err(error),
        other => {
            debug!(topic, ?other, "the broker does not say what this topic takes");
            Ok(RECORD_BYTES_MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_fall_with_each_refusal_and_not_below_what_must_pass() {
        let mut limits = TopicLimits::LARGEST;
        assert!(limits.lower_dead(9 << 20, 1 << 20));
        assert_eq!(limits, TopicLimits { dead: 1 << 20, ..TopicLimits::LARGEST }, "as the topic says");
        assert!(limits.lower_dead(900_000, 1 << 20), "it says so, and refuses");
        assert_eq!(limits.dead, 512 << 10);
        assert!(limits.lower_dead(3_000, 1 << 20));
        assert!(!limits.lower_dead(2_000, 1 << 20));
        assert!(limits.lower_valid(100_000));
        assert_eq!(limits.valid, 100_000);
        assert!(limits.lower_valid(200_000), "never up");
        assert_eq!(limits.valid, 99_999);
        assert!(!limits.lower_valid(60_000));
    }
}
