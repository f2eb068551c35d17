//! Which cloud the rows of a FOCUS file are of.

use std::collections::HashMap;
use std::sync::Arc;

use inventories::billing::cloud;

use super::focus_columns::{Columns, Numbers};
use super::row::Row;

/// The clouds that the rows of a file name; the same name comes with every row.
#[derive(Debug)]
pub struct Clouds {
    provider: Numbers,
    seller: Numbers,
    seen: HashMap<String, Arc<str>>,
}

impl Clouds {
    /// Of a file with these columns.
    #[must_use]
    pub fn of(columns: &Columns) -> Self {
        Self { provider: columns.provider, seller: columns.seller, seen: HashMap::new() }
    }

    /// The cloud of a row: its provider's, where that is one. Else that of who bills it, if that is a cloud: since FOCUS 1.3 the provider of
    /// what is bought at a cloud's marketplace is the vendor, and the bill is the cloud's all the same. Else the provider.
    pub fn name(&mut self, row: Row<'_>) -> Arc<str> {
        let provider = row.first(&self.provider);
        let known = provider.and_then(cloud::known_cloud);
        let of_seller = || self.seller.iter().filter_map(|column| row.get(*column)).find_map(cloud::known_cloud);
        let provider = known.or_else(of_seller).or(provider).unwrap_or_default();
        if let Some(cloud) = self.seen.get(provider) {
            return Arc::clone(cloud);
        }
        let cloud: Arc<str> = cloud::cloud_of(provider).into();
        self.seen.insert(provider.to_owned(), Arc::clone(&cloud));
        cloud
    }
}
