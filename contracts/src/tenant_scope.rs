//! The tenant as proof: what asks for the rows or the files of a tenant takes a [`TenantScope`], and nothing else makes one.

use std::fmt;

use crate::{layout, text};

/// One canonical, legal tenant (R25, R66). Holding it is the only way to ask for rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantScope(String);

/// A text that names no tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tenant {tenant:?} is not a legal tenant id: expected [a-z0-9][a-z0-9._-]{{0,62}}")]
pub struct IllegalTenant {
    /// The text.
    pub tenant: String,
}

impl TenantScope {
    /// Canonicalizes what a user typed: trimmed, lower case.
    ///
    /// # Errors
    /// The result is not a tenant id.
    pub fn new(text: &str) -> Result<Self, IllegalTenant> {
        let tenant = text::folded(text.into()).into_owned();
        if layout::is_tenant_slug(&tenant) { Ok(Self(tenant)) } else { Err(IllegalTenant { tenant: text.to_owned() }) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_canonical_and_legal_or_none() {
        let check = |text: &str, expected: Option<&str>| {
            let scope = TenantScope::new(text);
            assert_eq!(scope.as_ref().ok().map(TenantScope::as_str), expected, "{scope:?}");
        };
        check("acme", Some("acme"));
        check(" ACME-1.eu ", Some("acme-1.eu"));
        check("", None);
        check("_unknown", None);
        check("a/b", None);
        check("..", None);
    }
}
