//! Lines of any length in bounded memory.

use std::io::BufRead;

use sha2::{Digest, Sha256};

/// One line, without its end.
#[derive(Debug)]
pub struct Line {
    /// The line, when it is not cut.
    pub bytes: Vec<u8>,
    /// Size and digest of a line over the limit.
    pub cut: Option<(u64, String)>,
}

/// The next line; one over the limit is hashed and dropped as it streams by, so memory stays bounded. `None` at the end.
///
/// # Errors
/// Reading failed.
pub fn next_line(reader: &mut impl BufRead, bytes_max: usize) -> std::io::Result<Option<Line>> {
    let mut line = Line { bytes: Vec::new(), cut: None };
    let mut has_any = false;
    let mut over: Option<(u64, Sha256)> = None;
    loop {
        let available = reader.fill_buf()?;
        if available.is_empty() {
            break;
        }
        let end = available.iter().position(|b| *b == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if over.is_none() && line.bytes.len() + part.len() > bytes_max {
            over = Some((line.bytes.len() as u64, Sha256::new_with_prefix(&line.bytes)));
            line.bytes = Vec::new();
        }
        match &mut over {
            Some((bytes, hasher)) => {
                *bytes += part.len() as u64;
                hasher.update(part);
            }
            None => line.bytes.extend_from_slice(part),
        }
        let taken = part.len() + usize::from(end.is_some());
        reader.consume(taken);
        has_any = true;
        if end.is_some() {
            break;
        }
    }
    line.cut = over.map(|(bytes, hasher)| (bytes, hex::encode(hasher.finalize())));
    Ok(has_any.then_some(line))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(text: &[u8], bytes_max: usize) -> Vec<Result<Vec<u8>, u64>> {
        let mut reader = BufReader::with_capacity(4, text);
        let mut all = Vec::new();
        while let Some(line) = next_line(&mut reader, bytes_max).unwrap() {
            all.push(line.cut.map_or(Ok(line.bytes), |(bytes, _)| Err(bytes)));
        }
        all
    }

    #[test]
    fn lines_keep_their_bytes() {
        let all = lines(b"ab\r\n\n\xff\xfe\nlast", 100);
        let expected: [&[u8]; 4] = [b"ab\r", b"", b"\xff\xfe", b"last"];
        assert_eq!(all, expected.map(|line| Ok(line.to_vec())));
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        assert_eq!(lines(b"1234567890\n12345\n", 5), [Err(10), Ok(b"12345".to_vec())]);
        assert_eq!(lines(b"123456", 5), [Err(6)]);
    }

    #[test]
    fn the_digest_is_of_the_whole_line() {
        let mut reader = BufReader::with_capacity(4, &b"1234567890\n"[..]);
        let cut = next_line(&mut reader, 5).unwrap().unwrap().cut;
        assert_eq!(cut, Some((10, hex::encode(Sha256::digest(b"1234567890")))));
    }
}
