//! Opening a findings file: a file, a pipe or standard input, packed with gzip or not, which its content shows and not its name.
//! What is no findings file is refused before anything of it is published.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use platform::io_error::plain;
use platform::lifecycle::{Shutdown, StoppableInput};

use super::form::{Form, WrongForm, look};
use super::line::{Line, next_line};

/// First look; doubled until it shows what the file is.
const HEAD_BYTES: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP: &[u8] = b"\x1f\x8b";

/// A findings file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be opened or read.
    #[error("reading findings file {file}: {}", plain(.source))]
    Read {
        /// File.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("findings file {file} {form}")]
    Form {
        /// File.
        file: String,
        /// What it is.
        form: WrongForm,
    },
}

/// A findings file, open, with its form known.
pub struct FindingsInput {
    name: String,
    reader: Box<dyn BufRead + Send>,
    form: Form,
    record_bytes_max: usize,
    /// Lines read.
    lines: u64,
    taken: Arc<AtomicU64>,
}

impl std::fmt::Debug for FindingsInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FindingsInput").field("name", &self.name).field("form", &self.form).finish_non_exhaustive()
    }
}

impl FindingsInput {
    /// Opens a file, or standard input for `-`, and finds out what it is. Records over `record_bytes_max` are cut.
    ///
    /// # Errors
    /// It cannot be read, or is no findings file.
    pub fn open(path: &Path, record_bytes_max: usize) -> Result<Self, InputError> {
        Self::open_until(path, record_bytes_max, &Shutdown::new())
    }

    /// As [`Self::open`]; reading fails once a stop is requested, also when nothing comes on a pipe.
    ///
    /// # Errors
    /// It cannot be read, is no findings file, or a stop is requested.
    pub fn open_until(path: &Path, record_bytes_max: usize, shutdown: &Shutdown) -> Result<Self, InputError> {
        let name = if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() };
        let failed = |source| InputError::Read { file: name.clone(), source };
        let taken = Arc::new(AtomicU64::new(0));
        let raw = if is_standard_input(path) {
            StoppableInput::of_pipe(io::stdin(), shutdown).map_err(failed)?
        } else {
            let file = File::open(path).map_err(failed)?;
            if file.metadata().map_err(failed)?.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            StoppableInput::of_file(file, shutdown).map_err(failed)?
        };
        let mut unpacked = unpacked(Counted { inner: raw, taken: Arc::clone(&taken) }).map_err(failed)?;
        let mut head = Vec::new();
        let form = find_form(&mut unpacked, &mut head, record_bytes_max).map_err(failed)?;
        let form = form.map_err(|form| InputError::Form { file: name.clone(), form })?;
        let start = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let mut head = Cursor::new(head);
        head.set_position(start as u64);
        let reader = Box::new(BufReader::with_capacity(1 << 16, head.chain(unpacked)));
        Ok(Self { name, reader, form, record_bytes_max, lines: 0, taken })
    }

    /// The file as messages name it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes read from the file so far, as they lie there.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The next record that is not blank, with the number of its first line.
    ///
    /// # Errors
    /// The file cannot be read further.
    pub fn next_record(&mut self) -> Result<Option<(u64, Line)>, InputError> {
        let failed = |source| InputError::Read { file: self.name.clone(), source };
        if self.form == Form::Document {
            let mut bytes = Vec::new();
            self.reader.read_to_end(&mut bytes).map_err(failed)?;
            let blank = bytes.trim_ascii().is_empty();
            return Ok((!blank).then_some((1, Line { bytes, cut: None })));
        }
        while let Some(line) = next_line(&mut self.reader, self.record_bytes_max).map_err(failed)? {
            self.lines += 1;
            if line.cut.is_some() || !line.bytes.trim_ascii().is_empty() {
                return Ok(Some((self.lines, line)));
            }
        }
        Ok(None)
    }
}

/// `-` is standard input; a file of that name is `./-`.
#[must_use]
pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// Counts bytes as they are read.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn unpacked(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(GZIP.len());
    raw.by_ref().take(GZIP.len() as u64).read_to_end(&mut magic)?;
    let is_gzip = magic == GZIP;
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(raw));
    Ok(if is_gzip { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// Reads as much as it takes to tell, into `head`. What still cannot be distinguished from a record of the largest size is read in lines.
fn find_form(reader: &mut impl Read, head: &mut Vec<u8>, bytes_max: usize) -> io::Result<Result<Form, WrongForm>> {
    let mut wanted = HEAD_BYTES.min(bytes_max.max(1));
    loop {
        let missing = wanted.saturating_sub(head.len()) as u64;
        let is_whole = (reader.by_ref().take(missing).read_to_end(head)? as u64) < missing;
        let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
        match look(text, is_whole) {
            Some(form) => return Ok(form),
            None if wanted >= bytes_max => return Ok(Ok(Form::Lines)),
            None => wanted = wanted.saturating_mul(2).min(bytes_max),
        }
    }
}
