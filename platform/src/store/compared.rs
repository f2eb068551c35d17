//! Files that this process has seen to match their digest: a disk may change what was written to it, so that each file is compared
//! once before it is relied on.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};

/// Files remembered as compared; at the limit all are forgotten, which costs another comparison of each.
const COMPARED_MAX: usize = 100_000;

/// Which file was compared. Another one of the same name is compared again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    pub bytes: u64,
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino(), bytes: found.len() }
    }
}

/// The files, by a name that holds their digest.
#[derive(Debug, Default)]
pub(super) struct Compared(Mutex<HashMap<String, Stamp>>);

impl Compared {
    pub(super) fn knows(&self, name: &str, stamp: Stamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name) == Some(&stamp)
    }

    pub(super) fn remember(&self, name: &str, stamp: Stamp) {
        let mut compared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if compared.len() >= COMPARED_MAX {
            compared.clear();
        }
        compared.insert(name.to_owned(), stamp);
    }
}
