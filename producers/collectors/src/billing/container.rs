//! Opening a billing file: what it is, is decided by its first bytes, never by its name. Reads in a stream; a file of any
//! size needs one buffer.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::{Progress, Silent};
use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::storage::BillStorage;
use super::visitor::Visitor;
use super::{csv_rows, parquet_rows};

/// Name and size of a file, and a digest of what is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileIdentity {
    /// SHA-256 of the unpacked bytes, hex: equal under any name and compression.
    pub sha256: String,
    /// File name without folders.
    pub name: String,
    /// Size, as it lies there.
    pub bytes: u64,
}

/// Identifies a file by reading it once.
///
/// # Errors
/// It cannot be read, or a stop is requested.
pub fn identify(
    storage: &BillStorage,
    path: &Path,
    progress: &dyn Progress,
    shutdown: &Shutdown,
) -> Result<FileIdentity, LoadError> {
    let mut file = storage.open(path, progress, shutdown)?;
    let failed = |source| LoadError::io(path, source);
    let bytes = file.metadata().map_err(failed)?.len();
    let head = head_of(&mut file).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let unpacked = match sniff(&head) {
        Content::Gzip => digest(&mut MultiGzDecoder::new(BufReader::with_capacity(1 << 16, &file)), shutdown),
        _ => digest(&mut file, shutdown),
    };
    let sha256 = match unpacked {
        Ok(sha256) => sha256,
        // Damaged packing: reading the rows finds the place.
        Err(_) => {
            file.rewind().map_err(failed)?;
            digest(&mut file, shutdown).map_err(failed)?
        }
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(FileIdentity { sha256, name, bytes })
}

fn digest(content: &mut dyn Read, shutdown: &Shutdown) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        if shutdown.is_requested() {
            return Err(Stopped.into());
        }
        match content.read(&mut buffer)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Reads all rows of a file.
///
/// # Errors
/// The file, or what the visitor says.
pub fn read(
    storage: &BillStorage,
    path: &Path,
    progress: &Arc<dyn Progress>,
    shutdown: &Shutdown,
    visitor: &mut dyn Visitor,
) -> Result<(), LoadError> {
    let mut file = storage.open(path, &Silent, shutdown)?;
    let display = path.display().to_string();
    let head = head_of(&mut file).map_err(|source| LoadError::io(path, source))?;
    file.rewind().map_err(|source| LoadError::io(path, source))?;
    let counted = |file| BufReader::with_capacity(1 << 16, Counted { file, progress: Arc::clone(progress) });
    match sniff(&head) {
        Content::Nothing => Err(LoadError::Empty { file: display }),
        Content::Parquet => parquet_rows::read(&display, file, progress.as_ref(), visitor),
        Content::Text => csv_rows::read(&display, counted(file), visitor),
        Content::Gzip => {
            let mut unpacked = MultiGzDecoder::new(counted(file));
            let head = head_of(&mut unpacked).map_err(|source| csv_rows::input_error(&display, 0, source))?;
            match sniff(&head) {
                Content::Text | Content::Nothing => {
                    csv_rows::read(&display, Cursor::new(head).chain(unpacked), visitor)
                }
                Content::Other(what, advice) => Err(LoadError::NotABill { file: display, what, advice }),
                Content::Parquet | Content::Gzip => {
                    let (what, advice) = ("a Parquet or gzip file inside gzip", "unpack it once with gunzip");
                    Err(LoadError::NotABill { file: display, what, advice })
                }
            }
        }
        Content::Other(what, advice) => Err(LoadError::NotABill { file: display, what, advice }),
    }
}

/// True for a file of a folder that is to be read: its name or its content is that of a bill. Others lie beside bills.
///
/// # Errors
/// It cannot be read.
pub fn is_bill(storage: &BillStorage, path: &Path) -> Result<bool, LoadError> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    if !storage.is_file(path) {
        return Ok(false);
    }
    if NAME_ENDS.iter().any(|end| name.ends_with(end)) {
        return Ok(true);
    }
    Ok(matches!(sniff(&storage.first_bytes(path, HEAD_BYTES)?), Content::Parquet | Content::Gzip))
}

/// True for a file of no bytes, or of nothing but line ends and spaces, packed or not: a marker.
///
/// # Errors
/// It cannot be read.
pub fn is_blank(storage: &BillStorage, path: &Path) -> Result<bool, LoadError> {
    if storage.bytes(path)? >= HEAD_BYTES {
        return Ok(false);
    }
    let head = storage.first_bytes(path, HEAD_BYTES)?;
    let unpacked = match sniff(&head) {
        Content::Gzip => head_of(&mut MultiGzDecoder::new(&*head)).ok(),
        _ => Some(head),
    };
    Ok(unpacked.is_some_and(|bytes| bytes.trim_ascii().is_empty()))
}

/// Ends of the names of bills, in lower case.
const NAME_ENDS: [&str; 3] = [".csv", ".gz", ".parquet"];

/// Bytes by which a file is known.
const HEAD_BYTES: u64 = 512;

fn head_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Nothing,
    Parquet,
    Gzip,
    Text,
    /// Something else, and what to do about it.
    Other(&'static str, &'static str),
}

/// First bytes of files that people take for a bill.
const OTHERS: [(&[u8], &str, &str); 11] = [
    (b"PARE", "an encrypted Parquet file", "export it without encryption"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", UNPACK),
    (b"BZh", "packed with bzip2", UNPACK),
    (b"\xfd7zXZ\0", "packed with xz", UNPACK),
    (b"ORC", "an ORC file", AGAIN),
    (b"Obj\x01", "an Avro file", AGAIN),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet", AGAIN),
    (b"\xff\xfe", "UTF-16 text", UTF8),
    (b"\xfe\xff", "UTF-16 text", UTF8),
    (b"%PDF", "a PDF document", AGAIN),
];
const UNPACK: &str = "unpack it first";
const AGAIN: &str = "export it as CSV or Parquet";
const UTF8: &str = "convert it to UTF-8";

fn sniff(head: &[u8]) -> Content {
    if head.is_empty() {
        return Content::Nothing;
    }
    if head.starts_with(b"PAR1") {
        return Content::Parquet;
    }
    if head.starts_with(b"\x1f\x8b") {
        return Content::Gzip;
    }
    if let Some((_, what, advice)) = OTHERS.iter().find(|(magic, _, _)| head.starts_with(magic)) {
        return Content::Other(what, advice);
    }
    if head.len() > 1 && (head[0] == 0 || head[1] == 0) {
        return Content::Other("UTF-16 text or binary", UTF8);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match text.first() {
        Some(b'{' | b'[') => Content::Other(
            "JSON text, such as the manifest of an export",
            "name the CSV or Parquet files of the export",
        ),
        Some(b'<') => Content::Other("HTML or XML text", "download the export itself"),
        _ => Content::Text,
    }
}

/// Reports bytes as they are read.
struct Counted {
    file: File,
    progress: Arc<dyn Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_a_file_is() {
        let what = |head: &[u8]| match sniff(head) {
            Content::Other(what, _) => what,
            _ => "",
        };
        assert_eq!(sniff(b""), Content::Nothing);
        assert_eq!(sniff(b"PAR1\x15"), Content::Parquet);
        assert_eq!(sniff(b"\x1f\x8b\x08"), Content::Gzip);
        for text in [&b"BilledCost,x\n"[..], b"\xef\xbb\xbfBilledCost\n", b"\"BilledCost\"", b"B", b"ORDER,x\n"] {
            assert_eq!(sniff(text), Content::Text);
        }
        assert_eq!(what(b"\xef\xbb\xbf\n {\"a\":1}"), "JSON text, such as the manifest of an export");
        assert_eq!(what(b"B\0i\0l\0"), "UTF-16 text or binary");
        assert_eq!(what(b"PK\x03\x04"), "a zip archive or a spreadsheet");
        assert_eq!(what(b"<!DOCTYPE html>"), "HTML or XML text");
    }
}
