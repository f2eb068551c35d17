//! Size and SHA-256 of a file, read in pieces.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// What two copies of an object must have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub bytes: u64,
    pub sha256: String,
}

/// `None` when there is no such file.
pub(super) fn of_file(path: &Path) -> io::Result<Option<Found>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if super::durable::is_absent(&e) => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut hasher = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Some(Found { bytes, sha256: hex(hasher) })),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                bytes += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

pub(super) fn hex(hasher: Sha256) -> String {
    hex::encode(hasher.finalize())
}
