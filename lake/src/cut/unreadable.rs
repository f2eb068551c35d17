//! Objects of one tenant that cannot be read: they stop the exports of that tenant only.

use contracts::layout;
use serde::Serialize;

use super::error::{CutError, Result};
use super::tenant_of_path;

/// An object that does not hold what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Tenant whose object it is.
    pub tenant: String,
    /// Path in the store.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl Unreadable {
    /// The error of an object that belongs to one tenant.
    ///
    /// # Errors
    /// The error itself when it is not about an object, or its path names no tenant: then it concerns all of them.
    pub(super) fn of(error: CutError) -> Result<Self> {
        match error {
            CutError::BadObject { path, problem } => match tenant_of(&path) {
                Some(tenant) => Ok(Self { tenant, path, problem }),
                None => Err(CutError::BadObject { path, problem }),
            },
            other => Err(other),
        }
    }

    /// What was read, or why it is unreadable for its tenant.
    pub(super) fn or<T>(read: Result<T>) -> Result<std::result::Result<T, Self>> {
        match read {
            Ok(read) => Ok(Ok(read)),
            Err(error) => Self::of(error).map(Err),
        }
    }

    /// As an error.
    #[must_use]
    pub fn error(&self) -> CutError {
        CutError::BadObject { path: self.path.clone(), problem: self.problem.clone() }
    }
}

/// Tenant of a data file, a manifest of cost facts or a run manifest.
fn tenant_of(path: &str) -> Option<String> {
    let of_run = || path.strip_prefix(layout::RUNS)?.strip_prefix('/')?.split('/').next();
    tenant_of_path(path).or_else(|| of_run().and_then(layout::decode_segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tell_whose_they_are() {
        let check = |path: &str, expected: Option<&str>| assert_eq!(tenant_of(path).as_deref(), expected, "{path}");
        check(&layout::run_manifest("acme", "prod", "r1"), Some("acme"));
        check(&format!("{}/_manifest.json", layout::cost_facts_dir("globex", "2026-01")), Some("globex"));
        check(&format!("{}/a.parquet", layout::partition_dir(layout::FINDINGS, "acme", "2026-01-20")), Some("acme"));
        check(&layout::chain_record("valid", 0, 1), None);
    }
}
