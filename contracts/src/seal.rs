//! JSON objects that carry their own digest, so that a reader needs nothing else to notice a bad read or a changed byte: the
//! last member is `"own_sha256"`, the SHA-256 (hex) of all bytes before it.

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// What stands between the sealed bytes and the digest.
const KEY: &[u8] = br#","own_sha256":""#;
const DIGEST_CHARS: usize = 64;
/// What stands after the digest.
const END: &[u8] = br#""}"#;

/// What is said of an object whose seal is [`Seal::Broken`].
pub const DIGEST_DIFFERS: &str = "its bytes do not have the digest it carries: it was changed, or read wrongly";

/// What the digest in an object says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// The bytes are those that were written.
    Intact,
    /// They are others.
    Broken,
    /// The object carries no digest: an earlier version of the program wrote it.
    Absent,
}

/// A sealed object that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The bytes are not those that were written.
    #[error("{DIGEST_DIFFERS}")]
    Broken,
    /// It holds something else, or is of an earlier version and was changed.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// What an object says, unless it is not what was written. One without a digest is believed.
///
/// # Errors
/// Its digest does not match, or it is no `T`.
pub fn read<T: DeserializeOwned>(object: &[u8]) -> Result<T, SealError> {
    match check(object) {
        Seal::Broken => Err(SealError::Broken),
        Seal::Intact | Seal::Absent => Ok(serde_json::from_slice(object)?),
    }
}

/// Adds the digest to a JSON object that has at least one member.
#[must_use]
pub fn sealed(mut object: Vec<u8>) -> Vec<u8> {
    if object.last() == Some(&b'}') {
        object.pop();
    }
    let digest = hex::encode(Sha256::digest(&object));
    object.extend_from_slice(KEY);
    object.extend_from_slice(digest.as_bytes());
    object.extend_from_slice(END);
    object
}

/// Compares an object with the digest it carries.
#[must_use]
pub fn check(object: &[u8]) -> Seal {
    let Some(length) = object.len().checked_sub(KEY.len() + DIGEST_CHARS + END.len()) else { return Seal::Absent };
    let (content, seal) = object.split_at(length);
    let (key, rest) = seal.split_at(KEY.len());
    let (digest, end) = rest.split_at(DIGEST_CHARS);
    if key == KEY {
        let is_right = end == END && hex::encode(Sha256::digest(content)).as_bytes() == digest;
        return if is_right { Seal::Intact } else { Seal::Broken };
    }
    // Damage in the name of the member must not turn a sealed object into one of an earlier version.
    let is_damaged_key =
        key.iter().zip(KEY).filter(|(found, wanted)| found == wanted).count() > KEY.len() / 2 && key.starts_with(b",");
    let is_digest = digest.iter().all(u8::is_ascii_hexdigit);
    if is_damaged_key && is_digest { Seal::Broken } else { Seal::Absent }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let object = sealed(br#"{"a":1,"last_sha256":"x"}"#.to_vec());
        assert_eq!(check(&object), Seal::Intact);
        assert!(serde_json::from_slice::<serde_json::Value>(&object).unwrap()["own_sha256"].is_string());
        for bit in 0..object.len() * 8 {
            let mut flipped = object.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let noticed =
                check(&flipped) == Seal::Broken || serde_json::from_slice::<serde_json::Value>(&flipped).is_err();
            assert!(noticed, "bit {bit}: {}", String::from_utf8_lossy(&flipped));
        }
    }

    #[test]
    fn what_earlier_versions_wrote_carries_none() {
        let digest = "0".repeat(DIGEST_CHARS);
        for object in [
            format!(r#"{{"a":1,"last_sha256":"{digest}"}}"#),
            format!(r#"{{"a":1,"previous_sha256":"{digest}","committed_at":"2026-01-20T10:00:00.000Z"}}"#),
            "{}".to_owned(),
        ] {
            assert_eq!(check(object.as_bytes()), Seal::Absent, "{object}");
        }
    }
}
