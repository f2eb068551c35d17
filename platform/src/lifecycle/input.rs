//! Input that a stop request interrupts: a file of any size, or a pipe on which nothing comes.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::Shutdown;

/// Bytes that a pipe is read in.
const CHUNK_BYTES: usize = 1 << 16;
/// Chunks of a pipe that are held: enough to keep a reader busy.
const CHUNKS_MAX: usize = 4;
/// How often a stop request is looked for while nothing comes.
const TICK: Duration = Duration::from_millis(50);

/// Reading ended because a stop was requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> Self {
        Self::other(stopped)
    }
}

/// True for the error that a [`StoppableInput`] ends with after a stop request.
#[must_use]
pub fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

/// Fails with [`Stopped`] once a stop is requested, whether bytes are there or not.
pub struct StoppableInput {
    source: Source,
    shutdown: Shutdown,
}

enum Source {
    /// Reading it never waits for long.
    File(File),
    /// Reading it may wait for ever, so another thread does that.
    Pipe { chunks: Receiver<io::Result<Vec<u8>>>, current: Cursor<Vec<u8>> },
}

impl StoppableInput {
    /// Reads a file, or what has been opened by its name: a pipe, a device.
    ///
    /// # Errors
    /// The file cannot be asked what it is, or no thread can be started.
    pub fn of_file(file: File, shutdown: &Shutdown) -> io::Result<Self> {
        if file.metadata()?.is_file() {
            return Ok(Self { source: Source::File(file), shutdown: shutdown.clone() });
        }
        Self::of_pipe(file, shutdown)
    }

    /// Reads input on which nothing may come, such as standard input. After a stop its thread is left to itself.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn of_pipe(mut input: impl Read + Send + 'static, shutdown: &Shutdown) -> io::Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS_MAX);
        thread::Builder::new().name("input".to_owned()).spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = match input.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(bytes) => {
                        chunk.truncate(bytes);
                        Ok(chunk)
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = read.is_err();
                // The reader may have ended before the input did.
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        })?;
        let source = Source::Pipe { chunks, current: Cursor::default() };
        Ok(Self { source, shutdown: shutdown.clone() })
    }
}

impl Read for StoppableInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.shutdown.is_requested() {
                return Err(Stopped.into());
            }
            let (chunks, current) = match &mut self.source {
                Source::File(file) => return file.read(buffer),
                Source::Pipe { chunks, current } => (chunks, current),
            };
            let read = current.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match chunks.recv_timeout(TICK) {
                Ok(chunk) => *current = Cursor::new(chunk?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_pipe_is_read_to_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut input = StoppableInput::of_pipe(reader, &Shutdown::new()).unwrap();
        let expected = vec![7; 3 * CHUNK_BYTES + 1];
        let sent = expected.clone();
        let writing = thread::spawn(move || writer.write_all(&sent).unwrap());
        let mut all = Vec::new();
        input.read_to_end(&mut all).unwrap();
        writing.join().unwrap();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_stop_ends_waiting_for_a_pipe_on_which_nothing_comes() {
        let (reader, mut writer) = io::pipe().unwrap();
        let shutdown = Shutdown::new();
        let mut input = StoppableInput::of_pipe(reader, &shutdown).unwrap();
        writer.write_all(b"one").unwrap();
        let mut bytes = [0; 3];
        input.read_exact(&mut bytes).unwrap();
        let waiting = thread::spawn(move || input.read(&mut [0; 8]));
        shutdown.request("test");
        let error = waiting.join().unwrap().unwrap_err();
        assert!(is_stopped(&error), "{error:?}");
        drop(writer);
    }

    #[test]
    fn a_stop_ends_reading_a_file() {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&path, b"content").unwrap();
        let shutdown = Shutdown::new();
        let mut input = StoppableInput::of_file(File::open(&path).unwrap(), &shutdown).unwrap();
        assert_eq!(input.read(&mut [0; 3]).unwrap(), 3);
        shutdown.request("test");
        assert!(is_stopped(&input.read(&mut [0; 3]).unwrap_err()));
        assert!(!is_stopped(&io::Error::other("else")));
    }
}
