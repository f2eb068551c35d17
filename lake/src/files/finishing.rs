//! Makes written files durable while the next ones are encoded: a flush to disk, or the way to a bucket, takes longer than
//! a small file's rows.

use std::collections::VecDeque;
use std::panic;
use std::thread::{Scope, ScopedJoinHandle};

use contracts::commit_record::CommittedFile;

use super::{File, refused};
use crate::batch::FileTarget;
use crate::error::LakeError;

/// Files on their way at a time; each may hold the store's buffer.
const FILES_MAX: usize = 8;

type Finished = Result<CommittedFile, LakeError>;

/// The files of one batch.
pub(super) struct Finishing<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    running: VecDeque<ScopedJoinHandle<'scope, Finished>>,
    done: Vec<CommittedFile>,
}

impl<'scope, 'env> Finishing<'scope, 'env> {
    pub(super) fn on(scope: &'scope Scope<'scope, 'env>) -> Self {
        Self { scope, running: VecDeque::new(), done: Vec::new() }
    }

    /// Ends the encoding of a file and goes on with it on another thread; waits for the oldest when too many are.
    ///
    /// # Errors
    /// This file cannot be encoded, or the oldest not be made durable.
    pub(super) fn add(&mut self, file: File, target: &FileTarget) -> Result<(), LakeError> {
        if self.running.len() == FILES_MAX {
            self.oldest()?;
        }
        let File { path, rows, schema_version, writer } = file;
        let writer = writer.into_inner().map_err(|e| refused(&path, e))?;
        let FileTarget { tenant, run_date, .. } = target.clone();
        self.running.push_back(self.scope.spawn(move || {
            let staged = writer.finish()?;
            let (bytes, sha256, staged) = (staged.bytes, staged.sha256, staged.token);
            Ok(CommittedFile { path, tenant_id: tenant, run_date, rows, bytes, sha256, schema_version, staged })
        }));
        Ok(())
    }

    /// Waits for all, whatever became of the encoding; returns what is staged, by path, and the first error.
    pub(super) fn all(mut self, written: Result<(), LakeError>) -> (Vec<CommittedFile>, Result<(), LakeError>) {
        let mut outcome = written;
        while !self.running.is_empty() {
            let finished = self.oldest();
            outcome = outcome.and(finished);
        }
        self.done.sort_by(|a, b| a.path.cmp(&b.path));
        (self.done, outcome)
    }

    fn oldest(&mut self) -> Result<(), LakeError> {
        let Some(oldest) = self.running.pop_front() else { return Ok(()) };
        self.done.push(oldest.join().unwrap_or_else(|payload| panic::resume_unwind(payload))?);
        Ok(())
    }
}
