//! Which finding is meant by the first characters of a finding id or a fingerprint.

use duckdb::params;

use crate::duck::Duck;
use crate::error::{ExportError, IdCandidate, Result};

/// Fewest characters that are completed.
pub const ID_PREFIX_MIN: usize = 8;

/// Candidates that an ambiguous prefix is answered with.
const CANDIDATES_MAX: usize = 10;

/// What was meant.
pub(super) struct Matched {
    /// `finding_id` or `fingerprint`.
    pub column: &'static str,
    /// The whole id.
    pub id: String,
}

/// Completes an id; `None` when no finding of the tenant has one that begins so.
///
/// # Errors
/// `ambiguous_id` with the candidates.
pub(super) fn identify(duck: &Duck, text: &str) -> Result<Option<Matched>> {
    // Both are hexadecimal digits in lower case; people paste them in other forms.
    let text = text.trim().to_lowercase();
    let mut found = candidates(duck, &text)?;
    if let Some(whole) = found.iter().position(|candidate| candidate.id == text) {
        found = vec![found.swap_remove(whole)];
    }
    if found.len() > 1 {
        let is_cut = found.len() > CANDIDATES_MAX;
        found.truncate(CANDIDATES_MAX);
        return Err(ExportError::AmbiguousId { prefix: text, candidates: found, is_cut });
    }
    Ok(found.pop().map(|candidate| Matched { column: candidate.column, id: candidate.id }))
}

/// Ids that begin with the text, one more than are shown.
fn candidates(duck: &Duck, text: &str) -> Result<Vec<IdCandidate>> {
    let mut found = Vec::new();
    for column in ["finding_id", "fingerprint"] {
        let by = if text.len() < ID_PREFIX_MIN { "= ?" } else { "^@ ?" };
        let sql = format!(
            "SELECT {column}, min(check_id), min(resource_id) FROM findings WHERE {column} {by} \
             GROUP BY {column} ORDER BY {column} LIMIT {}",
            CANDIDATES_MAX + 1
        );
        found.extend(duck.rows("looking for a finding", &sql, params![text], |row| {
            Ok(IdCandidate { column, id: row.get(0)?, check_id: row.get(1)?, resource_id: row.get(2)? })
        })?);
    }
    Ok(found)
}
