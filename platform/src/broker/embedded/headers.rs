//! Record headers as one blob: for each, length and bytes of name and value.

use bytes::Bytes;

use crate::broker::Headers;

pub(super) fn pack(headers: &Headers) -> Option<Vec<u8>> {
    if headers.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum());
    for (name, value) in headers {
        for part in [name.as_bytes(), value.as_ref()] {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(part);
        }
    }
    Some(out)
}

/// `None` when the blob is not one that [`pack`] made.
pub(super) fn unpack(blob: Vec<u8>) -> Option<Headers> {
    let blob = Bytes::from(blob);
    let mut at = 0;
    let mut part = || -> Option<Bytes> {
        let length = blob.get(at..at + 4)?;
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        let range = at + 4..at + 4 + length;
        blob.get(range.clone())?;
        at = range.end;
        Some(blob.slice(range))
    };
    let mut headers = Headers::new();
    while let Some(name) = part() {
        headers.push((String::from_utf8(name.to_vec()).ok()?, part()?));
    }
    (at == blob.len()).then_some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_packed() {
        let headers = vec![("a".to_owned(), Bytes::from_static(b"\0\xff")), (String::new(), Bytes::new())];
        assert_eq!(unpack(pack(&headers).unwrap()), Some(headers));
        assert_eq!(unpack(vec![1, 0, 0]), None);
    }
}
