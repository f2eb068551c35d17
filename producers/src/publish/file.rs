//! Publishes a file of someone else's wire findings, one per line, bytes as given. Lines are not judged here: that is the
//! validator's work. Only a line that the broker cannot hold stays out, and is reported with its digest.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::sender::{PublishError, Sender};
use crate::progress::Progress;

/// Longest line that is sent; the broker's limit.
pub const LINE_BYTES_MAX: usize = 10 << 20;

/// A line that could not be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpublishedLine {
    /// File.
    pub file: String,
    /// Line, 1 is the first.
    pub line: u64,
    /// Size without the line end.
    pub bytes: u64,
    /// SHA-256 of it, hex.
    pub sha256: String,
}

impl std::fmt::Display for UnpublishedLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, bytes, sha256 } = self;
        write!(f, "{file}, line {line}: {bytes} bytes are more than a record may have; not published (sha256 {sha256})")
    }
}

/// Publishes every line that is not blank. Returns those that could not be.
///
/// # Errors
/// The file cannot be read or the broker does not take a batch; lines before are published.
pub fn publish_file(
    path: &Path,
    tenant: &str,
    sender: &mut Sender<'_>,
    progress: &dyn Progress,
) -> Result<Vec<UnpublishedLine>, PublishError> {
    let name = path.display().to_string();
    let failed = |source| PublishError::File { file: name.clone(), source };
    let file = File::open(path).map_err(failed)?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut unpublished = Vec::new();
    let mut number = 0;
    while let Some(line) = next_line(&mut reader, LINE_BYTES_MAX).map_err(failed)? {
        number += 1;
        progress.advance(line.read);
        if let Some((bytes, sha256)) = line.cut {
            unpublished.push(UnpublishedLine { file: name.clone(), line: number, bytes, sha256 });
        } else if !line.bytes.trim_ascii().is_empty() {
            let key = tenant_of(&line.bytes).unwrap_or_else(|| tenant.to_owned());
            sender.send(&key, Bytes::from(line.bytes), number)?;
        }
    }
    sender.flush()?;
    unpublished.extend(sender.take_too_large().into_iter().map(|record| UnpublishedLine {
        file: name.clone(),
        line: record.tag,
        bytes: record.value.len() as u64,
        sha256: hex::encode(Sha256::digest(&record.value)),
    }));
    Ok(unpublished)
}

/// One line, without its end.
#[derive(Debug)]
pub struct Line {
    /// The line, when it is not cut.
    pub bytes: Vec<u8>,
    /// Bytes taken from the file.
    pub read: u64,
    /// Size and digest of a line over the limit.
    pub cut: Option<(u64, String)>,
}

/// The next line; one over the limit is hashed and dropped as it streams by, so memory stays bounded. `None` at the end.
///
/// # Errors
/// Reading failed.
pub fn next_line(reader: &mut impl BufRead, bytes_max: usize) -> std::io::Result<Option<Line>> {
    let mut line = Line { bytes: Vec::new(), read: 0, cut: None };
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
        line.read += taken as u64;
        if end.is_some() {
            break;
        }
    }
    line.cut = over.map(|(bytes, hasher)| (bytes, hex::encode(hasher.finalize())));
    Ok((line.read > 0).then_some(line))
}

/// The tenant a line names, to keep a tenant's records together; what it says is not trusted for anything else.
fn tenant_of(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        tenant_id: std::borrow::Cow<'a, str>,
    }
    let named: Named<'_> = serde_json::from_slice(line).ok()?;
    let tenant = named.tenant_id.trim().to_lowercase();
    (!tenant.is_empty()).then_some(tenant)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_line_may_name_its_tenant() {
        assert_eq!(tenant_of(br#"{"x":1,"tenant_id":" Globex "}"#).as_deref(), Some("globex"));
        for line in [&b"{"[..], br#"{"tenant_id":5}"#, br#"{"tenant_id":" "}"#, b"\xff"] {
            assert_eq!(tenant_of(line), None);
        }
    }
}
