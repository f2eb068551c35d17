//! The tenant as proof: every query and every path of this crate starts from a [`TenantScope`], or from several that are
//! built together: then every statement keeps their rows apart by `tenant_id`, and its answer is taken tenant by tenant.

use std::collections::BTreeMap;
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

/// What a statement over several tenants says of each. A tenant's part is had for its scope only.
#[derive(Debug)]
pub(crate) struct ByTenant<T>(BTreeMap<String, Vec<T>>);

impl<T> ByTenant<T> {
    /// Rows with their tenants, in the order in which they came.
    pub(crate) fn new(rows: impl IntoIterator<Item = (String, T)>) -> Self {
        let mut by_tenant: BTreeMap<String, Vec<T>> = BTreeMap::new();
        for (tenant, row) in rows {
            by_tenant.entry(tenant).or_default().push(row);
        }
        Self(by_tenant)
    }

    /// Rows of the tenant, in their order; afterwards it has none.
    pub(crate) fn take(&mut self, scope: &TenantScope) -> Vec<T> {
        self.0.remove(scope.as_str()).unwrap_or_default()
    }

    pub(crate) fn has(&self, scope: &TenantScope) -> bool {
        self.0.contains_key(scope.as_str())
    }
}
