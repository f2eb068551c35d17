//! What a redrive keeps of the dead letter that it sends again.

use contracts::dead_letter;
use platform::broker::Message;

/// The history of a refused record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    pub first_seen_ms: i64,
    pub replays: u32,
}

impl History {
    /// The history that a record brings; that of a first refusal unless the record stands for an earlier one, as every
    /// redriven record does. A time that is not set or ahead of the clock is none.
    pub fn of(message: &Message, is_redriven: bool, now_ms: i64) -> Self {
        let text = |name: &str| message.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let text = |name: &str| text(name).filter(|_| is_redriven);
        let first_seen_ms = text(dead_letter::header::FIRST_SEEN).and_then(|text| text.parse().ok());
        Self {
            first_seen_ms: first_seen_ms.filter(|ms| (1..=now_ms).contains(ms)).unwrap_or(now_ms),
            replays: text(dead_letter::header::REPLAYS).and_then(|text| text.parse().ok()).unwrap_or_default(),
        }
    }
}
