//! The bridge from the blocking store seam to the asynchronous client: a small runtime of its own. Futures run on its
//! threads and the caller waits on a channel, so a call works from any thread, also from one of another runtime.

use std::future::Future;
use std::io;
use std::sync::mpsc;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::store::{Result, StoreError};

/// Threads that drive requests: they mostly wait.
const THREADS: usize = 2;

#[derive(Debug)]
pub(super) struct Blocking {
    /// `None` only while being dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Blocking {
    pub(super) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).thread_name("store-s3").enable_all().build();
        let runtime = runtime.map_err(|e| StoreError::io("starting", "the S3 client", e))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits for a future.
    pub(super) fn run<T: Send + 'static>(&self, future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let task = self.handle.spawn(async move {
            // No caller is left to receive it.
            let _ = answer.send(future.await);
        });
        answered.recv().unwrap_or_else(|_| {
            task.abort();
            Err(StoreError::io("waiting for", "the S3 client", io::Error::other("its task ended without an answer")))
        })
    }
}

impl Drop for Blocking {
    /// A runtime must not wait for its threads when it is dropped on a thread of another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
