//! Times as text.

use chrono::DateTime;

/// `…Z` with milliseconds; the epoch for what no calendar holds.
pub(crate) fn text_of_ms(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
