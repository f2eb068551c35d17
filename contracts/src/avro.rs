//! The storage record as Avro in a Confluent frame: value of the valid topic.
//!
//! The writer is our own: every record passes here, and a general one spends a quarter of the validator's time on finding
//! out what is the same for every record (docs/adr/0001-own-avro-writer.md). It knows what the schema uses and no more; tests
//! read its bytes with two other implementations, value by value.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::frame;
use crate::number::Micros;

/// Every released version of the Avro schema, the first is version 1, as published in `schemas/avro/`. A version only adds
/// members, each at the end of its record and null unless given (R61).
pub const SCHEMAS: [&str; 3] = [
    include_str!("../../schemas/avro/finding.v1.avsc"),
    include_str!("../../schemas/avro/finding.v2.avsc"),
    include_str!("../../schemas/avro/finding.avsc"),
];
/// The newest version. There is no registry to ask: the id in a frame is the version.
pub const NEWEST: u16 = SCHEMAS.len() as u16;

/// Frame and body of a record, in the lowest version that has room for it.
pub(crate) fn encode(record: &impl Write) -> Vec<u8> {
    let version = record.version();
    let mut out = Vec::with_capacity(2048);
    out.push(frame::MAGIC);
    out.extend_from_slice(&u32::from(version).to_be_bytes());
    record.write(version, &mut out);
    out
}

/// Map entries sorted by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entries<'a, T>(pub(crate) Vec<(Cow<'a, str>, T)>);

impl<T: Serialize> Serialize for Entries<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Writes a value as the schema types it.
pub(crate) trait Write {
    /// Writes what a version of the schema has of it.
    fn write(&self, version: u16, out: &mut Vec<u8>);

    /// The lowest version that has room for it.
    fn version(&self) -> u16 {
        1
    }
}

/// `long` and `int`: zigzag, seven bits a byte, the lowest first.
fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

fn length(length: usize, out: &mut Vec<u8>) {
    long(i64::try_from(length).unwrap_or(i64::MAX), out);
}

/// `bytes` and `string`.
fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// The union `["null", T]`: every member of the schema is one.
impl<T: Write> Write for Option<T> {
    fn write(&self, version: u16, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(2);
                value.write(version, out);
            }
        }
    }

    fn version(&self) -> u16 {
        self.as_ref().map_or(1, Write::version)
    }
}

impl Write for Cow<'_, str> {
    fn write(&self, _: u16, out: &mut Vec<u8>) {
        bytes(self.as_bytes(), out);
    }
}

macro_rules! whole_numbers {
    ($($type:ty)*) => {
        $(impl Write for $type {
            fn write(&self, _: u16, out: &mut Vec<u8>) {
                long(i64::from(*self), out);
            }
        })*
    };
}
whole_numbers!(u8 u16 i32 i64);

/// `bytes` of logical type `decimal(18,6)`: the millionths as the shortest two's complement, the highest byte first.
impl Write for Micros {
    fn write(&self, _: u16, out: &mut Vec<u8>) {
        let all = self.get().to_be_bytes();
        let sign = if self.get() < 0 { 0xff } else { 0 };
        let is_needed = |at: usize| all[at] != sign || (all.get(at + 1).unwrap_or(&sign) ^ sign) & 0x80 != 0;
        let first = (0..all.len() - 1).find(|at| is_needed(*at)).unwrap_or(all.len() - 1);
        bytes(&all[first..], out);
    }
}

/// An `array` in one block.
impl<T: Write> Write for Vec<T> {
    fn write(&self, version: u16, out: &mut Vec<u8>) {
        if !self.is_empty() {
            length(self.len(), out);
            self.iter().for_each(|item| item.write(version, out));
        }
        out.push(0);
    }

    fn version(&self) -> u16 {
        self.iter().map(Write::version).max().unwrap_or(1)
    }
}

/// A `map` in one block.
impl<T: Write> Write for Entries<'_, T> {
    fn write(&self, version: u16, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            length(self.0.len(), out);
            for (key, value) in &self.0 {
                key.write(version, out);
                value.write(version, out);
            }
        }
        out.push(0);
    }

    fn version(&self) -> u16 {
        self.0.iter().map(|(_, value)| value.version()).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &impl Write) -> String {
        let mut out = Vec::new();
        value.write(NEWEST, &mut out);
        hex::encode(out)
    }

    #[test]
    fn whole_numbers_are_zigzag() {
        for (value, expected) in [
            (0, "00"),
            (-1, "01"),
            (1, "02"),
            (-64, "7f"),
            (64, "8001"),
            (8_192, "808001"),
            (i64::MAX, "feffffffffffffffff01"),
            (i64::MIN, "ffffffffffffffffff01"),
        ] {
            assert_eq!(written(&value), expected, "{value}");
        }
    }

    #[test]
    fn decimals_are_the_shortest_twos_complement() {
        for (micros, expected) in [
            (0, "0200"),
            (1, "0201"),
            (127, "027f"),
            (128, "040080"),
            (-1, "02ff"),
            (-128, "0280"),
            (-129, "04ff7f"),
            (1_250_000, "061312d0"),
        ] {
            assert_eq!(written(&Micros::new(micros).unwrap()), expected, "{micros}");
        }
    }

    #[test]
    fn unions_arrays_and_maps() {
        assert_eq!(written(&None::<u8>), "00");
        assert_eq!(written(&Some(Cow::Borrowed("é"))), "0204c3a9");
        assert_eq!(written(&Vec::<Option<u8>>::new()), "00");
        assert_eq!(written(&vec![Some(1_u8), None]), "0402020000");
        assert_eq!(written(&Entries(vec![(Cow::Borrowed("k"), None::<Micros>)])), "02026b0000");
    }
}
