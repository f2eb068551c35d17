//! Reads an object in ranges, so that memory is bounded and what breaks off is asked for again, not begun again.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::Remote;
use super::bucket::Range;
use crate::store::{Result, StoreError};

/// Bytes asked for at once.
pub(super) const CHUNK_BYTES: u64 = 8 << 20;

pub(super) struct Reader {
    remote: Arc<Remote>,
    path: String,
    chunk: Bytes,
    next: u64,
    total: u64,
    /// All ranges must be of one object.
    tag: Option<String>,
}

impl Reader {
    /// `None` when there is no such object.
    pub(super) fn open(remote: Arc<Remote>, path: &str) -> Result<Option<Self>> {
        let mut reader = Self { remote, path: path.to_owned(), chunk: Bytes::new(), next: 0, total: 0, tag: None };
        let first = reader.range()?;
        Ok(first.map(|first| {
            reader.total = first.total;
            reader.tag.clone_from(&first.tag);
            reader.keep(first);
            reader
        }))
    }

    fn range(&self) -> Result<Option<Range>> {
        let (bucket, path, next, tag) = (self.remote.bucket.clone(), self.path.clone(), self.next, self.tag.clone());
        self.remote.blocking.run(async move { bucket.get_range(&path, next, CHUNK_BYTES, tag).await })
    }

    fn keep(&mut self, range: Range) {
        self.next += range.bytes.len() as u64;
        self.chunk = range.bytes;
    }

    fn refill(&mut self) -> Result<()> {
        let broken = |problem: &str| {
            StoreError::io("reading", self.remote.bucket.show(&self.path), io::Error::other(problem.to_owned()))
        };
        let range = self.range()?.ok_or_else(|| broken("it was removed while it was read"))?;
        if range.bytes.is_empty() {
            return Err(broken("it ends before its size"));
        }
        self.keep(range);
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && self.next < self.total {
            self.refill().map_err(io::Error::other)?;
        }
        let len = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}
