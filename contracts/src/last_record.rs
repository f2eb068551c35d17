//! What is remembered of the last record that was read of a partition, to notice a broker that was rolled back: after a restored
//! backup or an unclean leader election the same offset holds another record, or none.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::source::Src;

/// The last record before a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRecord {
    /// Its offset.
    pub offset: u64,
    /// The wire record that it was made from, for people; `None` where its headers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<Src>,
    /// [`digest`] of the record.
    pub sha256: String,
}

impl LastRecord {
    /// A record for people; the beginning of a digest tells two apart.
    #[must_use]
    pub fn describe(record: Option<&Self>) -> String {
        let Some(Self { src, sha256, .. }) = record else { return "no record".to_owned() };
        let source = src.as_ref().map(|src| format!(" from wire position {src}")).unwrap_or_default();
        format!("a record{source} (SHA-256 {})", sha256.get(..16).unwrap_or(sha256))
    }
}

/// SHA-256 (hex) of all that a producer and the broker made of a record: time, key, value and headers in their order, each with
/// its length, so that no part can pass for another. The time is part of it because records may repeat, but not in the same
/// millisecond at the same offset. None of this changes while a record is kept, whatever the broker is asked to do.
#[must_use]
pub fn digest<'h>(
    timestamp_ms: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: impl Iterator<Item = (&'h str, &'h [u8])>,
) -> String {
    let mut hasher = Sha256::new();
    hasher.update(timestamp_ms.to_be_bytes());
    let mut part = |bytes: Option<&[u8]>| match bytes {
        None => hasher.update([0]),
        Some(bytes) => {
            hasher.update([1]);
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
    };
    part(key);
    part(value);
    for (name, value) in headers {
        part(Some(name.as_bytes()));
        part(Some(value));
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whatever_differs_makes_another_digest() {
        let of = |ms, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&'static str, &'static [u8])]| {
            digest(ms, key, value, headers.iter().copied())
        };
        let all = [
            of(1, Some(b"k"), Some(b"v"), &[("a", b"b")]),
            of(2, Some(b"k"), Some(b"v"), &[("a", b"b")]),
            of(1, Some(b"kv"), Some(b""), &[("a", b"b")]),
            of(1, None, Some(b"v"), &[("a", b"b")]),
            of(1, Some(b""), Some(b"v"), &[("a", b"b")]),
            of(1, Some(b"k"), None, &[("a", b"b")]),
            of(1, Some(b"k"), Some(b""), &[("a", b"b")]),
            of(1, Some(b"k"), Some(b"v"), &[("ab", b"")]),
            of(1, Some(b"k"), Some(b"v"), &[("a", b"b"), ("a", b"b")]),
            of(1, Some(b"k"), Some(b"v"), &[]),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], of(1, Some(b"k"), Some(b"v"), &[("a", b"b")]));
    }

    #[test]
    fn the_form_stays() {
        let last = LastRecord {
            offset: 7,
            src: Some("id/0/3".parse().unwrap()),
            sha256: digest(1_768_903_000_000, Some(b"acme"), Some(b"{}"), [("src", b"id/0/3".as_slice())].into_iter()),
        };
        let text = r#"{"offset":7,"src":"id/0/3","sha256":"DIGEST"}"#.replace("DIGEST", &last.sha256);
        assert_eq!(serde_json::to_string(&last).unwrap(), text);
        assert_eq!(serde_json::from_str::<LastRecord>(&text).unwrap(), last);
    }
}
