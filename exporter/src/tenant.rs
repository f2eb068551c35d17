//! The tenant as proof: every query and every path of this crate starts from a [`TenantScope`].

use std::fmt;

use crate::error::{ExportError, Result};

/// One canonical, legal tenant (R25, R66). Holding it is the only way to ask for rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantScope(String);

impl TenantScope {
    /// Canonicalizes what a user typed: trimmed, lower case.
    ///
    /// # Errors
    /// [`ExportError::TenantInvalid`] when the result is not a tenant id.
    pub fn new(text: &str) -> Result<Self> {
        let tenant = contracts::text::folded(text.into()).into_owned();
        if contracts::layout::is_tenant_slug(&tenant) {
            Ok(Self(tenant))
        } else {
            Err(ExportError::TenantInvalid { tenant: text.to_owned() })
        }
    }

    /// The tenant id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
