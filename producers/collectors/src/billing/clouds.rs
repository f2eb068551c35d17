//! Which cloud and accounts the rows of a FOCUS file are of.

use std::collections::HashMap;
use std::sync::Arc;

use contracts::cloud_ids;
use inventories::billing::cloud;

use super::fields::{account, billing_account};
use super::focus_columns::{Columns, Numbers};
use super::rejects::{Reason, Refusal};
use super::row::Row;

/// The account that pays for a row, and the account it is of. Where a bill leaves the latter blank, the path of a resource of Azure names
/// it; else it is the account that pays.
///
/// # Errors
/// An account has lost digits, or neither is there.
pub fn accounts(row: Row<'_>, columns: &Columns, cloud: &str) -> Result<(Option<String>, String), Refusal> {
    let payer = billing_account(row, columns.billing_account, "BillingAccountId", cloud)?;
    let of_row = account(row, columns.sub_account, "SubAccountId", cloud)?
        .or_else(|| cloud_ids::account_of_resource(cloud, row.get(columns.resource)?))
        .or_else(|| payer.clone())
        .ok_or_else(|| Refusal::blank(Reason::MissingAccount, "SubAccountId"))?;
    Ok((payer, of_row))
}

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
