//! Opening a billing file: what it is, is decided by its first bytes, never by its name. Reads in a stream; a file of any
//! size needs one buffer.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::row::Row;
use super::{csv_rows, parquet_rows};
use crate::progress::Progress;

/// Receives the rows of a file.
pub trait Visitor {
    /// The column names; returns the numbers of those that are needed.
    ///
    /// # Errors
    /// The columns are not usable.
    fn header(&mut self, columns: &[String]) -> Result<Vec<usize>, LoadError>;
    /// A row; 1 is the first.
    ///
    /// # Errors
    /// The load cannot go on.
    fn row(&mut self, number: u64, row: Row<'_>) -> Result<(), LoadError>;
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Parquet,
    Gzip,
    Csv,
}

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
/// It cannot be read.
pub fn identify(path: &Path) -> Result<FileIdentity, LoadError> {
    let mut file = open(path)?;
    let failed = |source| io_error(path, source);
    let bytes = file.metadata().map_err(failed)?.len();
    let unpacked = match detect(&mut file).map_err(failed)? {
        Some(Container::Gzip) => digest(&mut MultiGzDecoder::new(BufReader::with_capacity(1 << 16, &file))),
        _ => digest(&mut file),
    };
    let sha256 = match unpacked {
        Ok(sha256) => sha256,
        // Damaged packing: reading the rows finds the place.
        Err(_) => {
            file.rewind().map_err(failed)?;
            digest(&mut file).map_err(failed)?
        }
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(FileIdentity { sha256, name, bytes })
}

fn digest(content: &mut dyn Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
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
pub fn read(path: &Path, progress: &Arc<dyn Progress>, visitor: &mut dyn Visitor) -> Result<(), LoadError> {
    let mut file = open(path)?;
    let display = path.display().to_string();
    let container = detect(&mut file).map_err(|source| io_error(path, source))?;
    let Some(container) = container else { return Err(LoadError::Empty { file: display }) };
    let counted = |file| BufReader::with_capacity(1 << 16, Counted { file, progress: Arc::clone(progress) });
    match container {
        Container::Parquet => parquet_rows::read(&display, file, progress.as_ref(), visitor),
        Container::Gzip => csv_rows::read(&display, MultiGzDecoder::new(counted(file)), visitor),
        Container::Csv => csv_rows::read(&display, counted(file), visitor),
    }
}

fn open(path: &Path) -> Result<File, LoadError> {
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    let is_dir = file.metadata().map_err(|source| io_error(path, source))?.is_dir();
    if is_dir {
        return Err(io_error(path, io::Error::from(io::ErrorKind::IsADirectory)));
    }
    Ok(file)
}

fn io_error(path: &Path, source: io::Error) -> LoadError {
    LoadError::Io { file: path.display().to_string(), source }
}

fn detect(file: &mut File) -> io::Result<Option<Container>> {
    let mut magic = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(match magic.as_slice() {
        [] => None,
        b"PAR1" => Some(Container::Parquet),
        [0x1f, 0x8b, ..] => Some(Container::Gzip),
        _ => Some(Container::Csv),
    })
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
