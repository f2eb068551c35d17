//! Framing of record values: bare JSON, or a Confluent frame (magic 0, four bytes of schema id, payload).
//! The id is never trusted: what follows is validated like anything else.

/// Magic byte of a Confluent frame.
pub const MAGIC: u8 = 0;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 5;

/// The payload without a frame.
#[must_use]
pub fn payload(value: &[u8]) -> &[u8] {
    match value {
        [MAGIC, _, _, _, _, payload @ ..] => payload,
        _ => value,
    }
}

/// The id in the frame; of a storage record it is the version of the schema that the record is written with.
#[must_use]
pub fn id(value: &[u8]) -> Option<u32> {
    match value {
        [MAGIC, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}
