//! What statements over several tenants say of each: they keep the tenants' rows apart by `tenant_id`, and the answer is taken tenant
//! by tenant.

use std::collections::BTreeMap;

use contracts::tenant_scope::TenantScope;

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
