//! What a validator keeps with its group's offset in a partition, as JSON in the offset's metadata: what the next owner of the
//! partition compares before it goes on, and `verify` at any time. Kafka takes at most 4 KiB of it.

use serde::{Deserialize, Serialize};

use crate::last_record::LastRecord;

/// Each member may be absent: offsets of other versions, and those that tools set, bear none. What is absent is not compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The offset itself, as the step that left it knew it. A tool that sets the offset leaves another one here, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// The last record that was judged before the offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_record: Option<LastRecord>,
}

impl Position {
    /// What the metadata of an offset says; of other text nothing.
    #[must_use]
    pub fn of(metadata: &str) -> Self {
        serde_json::from_str(metadata).unwrap_or_default()
    }

    /// The metadata of an offset.
    #[must_use]
    pub fn to_metadata(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A validator left this offset, and all that was judged lies before it.
    #[must_use]
    pub fn is_left_at(&self, offset: u64) -> bool {
        self.end == Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_and_what_is_not_ours_is_nothing() {
        let kept = Position {
            end: Some(u64::MAX),
            last_record: Some(LastRecord { offset: u64::MAX, src: None, sha256: "0".repeat(64) }),
        };
        let text = kept.to_metadata();
        assert!(text.len() < 2_048, "there is room in 4 KiB: {text}");
        assert_eq!(Position::of(&text), kept);
        for other in ["", "text", "{}", "[]", r#"{"of_a_later_version":1}"#] {
            assert_eq!(Position::of(other), Position::default(), "{other}");
        }
    }

    #[test]
    fn an_offset_that_a_tool_moved_is_not_left_by_a_validator() {
        let left = Position { end: Some(7), ..Position::default() };
        assert!(left.is_left_at(7) && !left.is_left_at(0) && !left.is_left_at(8));
        assert!(!Position::default().is_left_at(0));
    }
}
