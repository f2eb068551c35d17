//! A record's value.

use std::ops::Deref;

use bytes::Bytes;

/// Bytes, or null: in a compacted topic the mark that a key is removed, called a tombstone. Reads as bytes, of which a null has
/// none; code that keeps or passes on a record keeps the difference by passing on the value itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RecordValue(Option<Bytes>);

impl RecordValue {
    /// No value at all.
    pub const NULL: Self = Self(None);

    /// True for a tombstone, false for a value without bytes.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// The bytes, if it is not null.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&Bytes> {
        self.0.as_ref()
    }

    /// The bytes; none of a null.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0.unwrap_or_default()
    }
}

impl Deref for RecordValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for RecordValue {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Option<Bytes>> for RecordValue {
    fn from(bytes: Option<Bytes>) -> Self {
        Self(bytes)
    }
}

impl From<Bytes> for RecordValue {
    fn from(bytes: Bytes) -> Self {
        Self(Some(bytes))
    }
}

impl From<Vec<u8>> for RecordValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Some(bytes.into()))
    }
}

impl From<String> for RecordValue {
    fn from(text: String) -> Self {
        Self(Some(text.into()))
    }
}

impl From<&'static [u8]> for RecordValue {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Some(Bytes::from_static(bytes)))
    }
}

impl From<&'static str> for RecordValue {
    fn from(text: &'static str) -> Self {
        Self(Some(Bytes::from_static(text.as_bytes())))
    }
}

impl PartialEq<[u8]> for RecordValue {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes().is_some_and(|bytes| bytes == other)
    }
}

impl PartialEq<&[u8]> for RecordValue {
    fn eq(&self, other: &&[u8]) -> bool {
        *self == **other
    }
}

impl PartialEq<Vec<u8>> for RecordValue {
    fn eq(&self, other: &Vec<u8>) -> bool {
        *self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_is_no_empty_value() {
        let empty = RecordValue::from(Bytes::new());
        assert_ne!(RecordValue::NULL, empty);
        assert_eq!((RecordValue::NULL.is_null(), empty.is_null()), (true, false));
        assert_eq!((&*RecordValue::NULL, &*empty), (&b""[..], &b""[..]));
    }
}
