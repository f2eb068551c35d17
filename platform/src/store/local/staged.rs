//! A file being staged: counted and digested while it is written, durable when finished, removed when not.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::digest;
use super::durable::sync_folder;
use crate::failpoint;
use crate::store::{Result, Staged, StagedWrite, StoreError};

/// Bytes gathered before they go to the file: Parquet writers hand over many small pieces.
const BUFFER_BYTES: usize = 256 * 1024;

pub(super) struct StagedFile {
    target: String,
    name: String,
    file: PathBuf,
    writer: BufWriter<Digesting>,
    /// After a failed write it is unknown how much was written: such a file is never finished.
    failed: Option<io::ErrorKind>,
    finished: bool,
}

impl StagedFile {
    pub(super) fn create(target: &str, name: String, file: PathBuf) -> Result<Self> {
        let opened = File::create_new(&file).map_err(|e| StoreError::io("staging", target, e))?;
        Ok(Self::over(opened, target, name, file))
    }

    fn over(opened: File, target: &str, name: String, file: PathBuf) -> Self {
        let digesting = Digesting { file: opened, hasher: Sha256::new(), bytes: 0 };
        let writer = BufWriter::with_capacity(BUFFER_BYTES, digesting);
        Self { target: target.to_owned(), name, file, writer, failed: None, finished: false }
    }

    fn remember<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &outcome
            && e.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some(e.kind());
        }
        outcome
    }

    /// The name must be durable too: a commit record will point at it.
    fn make_durable(&mut self) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        self.writer.flush()?;
        self.writer.get_ref().file.sync_all()?;
        sync_folder(self.file.parent().unwrap_or(Path::new("/")))
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes);
        self.remember(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writer.flush();
        self.remember(flushed)
    }
}

impl StagedWrite for StagedFile {
    fn finish(mut self: Box<Self>) -> Result<Staged> {
        self.make_durable().map_err(|e| StoreError::io("staging", &self.target, e))?;
        failpoint::hit!("store.local.stage.finished");
        self.finished = true;
        let written = self.writer.get_ref();
        Ok(Staged {
            target: self.target.clone(),
            token: serde_json::json!({"name": self.name}),
            bytes: written.bytes,
            sha256: digest::hex(written.hasher.clone()),
        })
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.finished {
            // No caller is left to report to; what cannot be removed now is swept later.
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// The file behind the buffer: counts and digests what was really written.
struct Digesting {
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// `/dev/full` answers every write as a full disk does.
    fn on_a_full_disk(file: &Path) -> Box<StagedFile> {
        File::create(file).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        Box::new(StagedFile::over(full, "data/part.parquet", "s/x".into(), file.to_owned()))
    }

    #[test]
    fn a_full_disk_is_named_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("staged");
        let mut staged = on_a_full_disk(&file);
        staged.write_all(b"buffered, so this cannot fail yet").unwrap();
        let error = staged.finish().unwrap_err();
        assert_eq!(error.to_string(), "staging data/part.parquet: no space left on device");
        assert!(!file.exists());
    }

    #[test]
    fn after_a_failed_write_nothing_can_be_finished() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("staged");
        let mut staged = on_a_full_disk(&file);
        let error = staged.write_all(&vec![7; 2 * BUFFER_BYTES]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        // There is room again, but what was written is unknown.
        staged.writer =
            BufWriter::new(Digesting { file: File::create(&file).unwrap(), hasher: Sha256::new(), bytes: 0 });
        assert!(matches!(staged.finish(), Err(StoreError::NoSpace { .. })));
        assert!(!file.exists());
    }
}
