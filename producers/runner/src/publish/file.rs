//! Publishes a file of another producer's wire findings, bytes as given. Records are not judged here: that is the validator's
//! work. Only one that the broker cannot hold stays out, and is reported with its digest.

use std::collections::BTreeMap;

use bytes::Bytes;
use contracts::members::{Misspelt, misspelt};
use platform::progress::Progress;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::input::FindingsInput;
use super::sender::{PublishError, Sender};

/// Longest record that is sent; the broker's limit.
pub const RECORD_BYTES_MAX: usize = 10 << 20;
/// Misspelt members that are counted by name; further names are a flood that tells nothing new.
const MISSPELT_NAMES_MAX: usize = 20;

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

/// What was noticed about a file while it was published.
#[derive(Debug, Default)]
pub struct FileReport {
    /// Lines that no record can hold.
    pub unpublished: Vec<UnpublishedLine>,
    /// Members that are ignored and probably meant to be others, with the records that have them.
    pub misspelt: BTreeMap<Misspelt, u64>,
    /// Names of files without a record: right for a producer that found nothing, and what one that died leaves behind.
    pub empty: Vec<String>,
}

/// Publishes every record of the file.
///
/// # Errors
/// The file cannot be read or the broker does not take a batch, or a stop is requested; records before are published.
pub fn publish_file(
    input: &mut FindingsInput,
    tenant: &str,
    sender: &mut Sender<'_>,
    progress: &dyn Progress,
) -> Result<FileReport, PublishError> {
    let file = input.name().to_owned();
    let mut report = FileReport::default();
    let (mut taken, mut is_empty) = (0, true);
    while let Some((number, line)) = input.next_record()? {
        is_empty = false;
        progress.advance(input.taken() - taken);
        taken = input.taken();
        if let Some((bytes, sha256)) = line.cut {
            report.unpublished.push(UnpublishedLine { file: file.clone(), line: number, bytes, sha256 });
            continue;
        }
        for member in misspelt(&line.bytes) {
            if report.misspelt.len() < MISSPELT_NAMES_MAX || report.misspelt.contains_key(&member) {
                *report.misspelt.entry(member).or_default() += 1;
            }
        }
        let key = tenant_of(&line.bytes).unwrap_or_else(|| tenant.to_owned());
        sender.send(&key, Bytes::from(line.bytes), number)?;
    }
    sender.flush()?;
    if is_empty {
        report.empty.push(file.clone());
    }
    report.unpublished.extend(sender.take_too_large().into_iter().map(|record| UnpublishedLine {
        file: file.clone(),
        line: record.tag,
        bytes: record.value.len() as u64,
        sha256: hex::encode(Sha256::digest(&record.value)),
    }));
    Ok(report)
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

    #[test]
    fn a_line_may_name_its_tenant() {
        assert_eq!(tenant_of(br#"{"x":1,"tenant_id":" Globex "}"#).as_deref(), Some("globex"));
        for line in [&b"{"[..], br#"{"tenant_id":5}"#, br#"{"tenant_id":" "}"#, b"\xff"] {
            assert_eq!(tenant_of(line), None);
        }
    }
}
