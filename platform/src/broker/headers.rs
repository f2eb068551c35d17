//! Record headers.

use std::fmt;

/// Record headers, in order; names may repeat, the last one counts. All lie in one buffer, for each the length and bytes of its
/// name and its value: a record costs one allocation for them, however many they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<u8>);

impl Headers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of what [`Self::packed`] gave; `None` for other bytes.
    #[must_use]
    pub fn of_packed(packed: Vec<u8>) -> Option<Self> {
        let mut rest = packed.as_slice();
        while !rest.is_empty() {
            let (name, _) = next(&mut rest)?;
            std::str::from_utf8(name).ok()?;
        }
        Some(Self(packed))
    }

    /// All of them in their one buffer.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one at the end.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.0.reserve(name.len() + value.len() + 2 * size_of::<u32>());
        for part in [name.as_bytes(), value] {
            // What no broker takes: a header of 4 GiB.
            let length = u32::try_from(part.len()).unwrap_or_default();
            self.0.extend_from_slice(&length.to_le_bytes());
            self.0.extend_from_slice(&part[..length as usize]);
        }
    }

    /// Keeps those whose name is.
    pub fn retain(&mut self, is_kept: impl Fn(&str) -> bool) {
        *self = self.iter().filter(|(name, _)| is_kept(name)).collect();
    }

    /// The last one of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.parts().filter(|(found, _)| *found == name.as_bytes()).last().map(|(_, value)| value)
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.parts().map_while(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
    }

    fn parts(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || next(&mut rest))
    }
}

/// The first header of these; `None` when there is none whole.
fn next<'h>(rest: &mut &'h [u8]) -> Option<(&'h [u8], &'h [u8])> {
    let mut part = || {
        let (length, after) = rest.split_first_chunk()?;
        let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        *rest = after;
        Some(part)
    };
    Some((part()?, part()?))
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(all: I) -> Self {
        let mut headers = Self::new();
        headers.extend(all);
        headers
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, more: I) {
        for (name, value) in more {
            self.push(name.as_ref(), value.as_ref());
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_repeat_and_the_last_one_counts() {
        let mut headers = Headers::from_iter([("a", &b"\0\xff"[..]), ("", b""), ("a", b"2")]);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", &b"\0\xff"[..]), ("", b""), ("a", b"2")]);
        assert_eq!((headers.get("a"), headers.get(""), headers.get("b")), (Some(&b"2"[..]), Some(&b""[..]), None));
        headers.retain(|name| name != "a");
        assert_eq!(headers, Headers::from_iter([("", "")]));
    }

    #[test]
    fn only_packed_headers_are_read_back() {
        let headers = Headers::from_iter([("a", "1"), ("b", "")]);
        let packed = headers.packed().to_vec();
        assert_eq!(Headers::of_packed(packed.clone()), Some(headers));
        assert_eq!(Headers::of_packed(Vec::new()), Some(Headers::new()));
        let (without_value, no_text) = (packed[..5].to_vec(), vec![1, 0, 0, 0, 0xff, 0, 0, 0, 0]);
        for foreign in [vec![1, 0, 0], packed[..packed.len() - 1].to_vec(), without_value, no_text] {
            assert_eq!(Headers::of_packed(foreign.clone()), None, "{foreign:?}");
        }
    }
}
