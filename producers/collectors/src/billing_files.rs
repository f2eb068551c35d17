//! The collector over billing files: its entry in the registry. How they are read and stored is in [`crate::billing`].

use inventories::billing::inventory::BillingInventory;
use inventories::collected::{Collected, CollectionReport, Unavailable};
use inventories::kind::Inventory;

use crate::billing::{LoadError, load};
use crate::collector::{BillTask, BilledScope, Collect, CollectedBill, CollectorRegistration};

inventory::submit! {
    CollectorRegistration {
        id: "billing.files",
        fills: BillingInventory::KIND,
        what: "what billing files charge for, added up by what is charged; their rows are stored as cost facts",
        actions: &[],
        collect: Collect::Bill(collect),
    }
}

fn collect(task: &BillTask<'_>) -> Result<CollectedBill, LoadError> {
    let loaded = load(task.tenant, task.files, task.options, task.store, task.progress, task.shutdown)?;
    let accounts = loaded.inventory.accounts().map(str::to_owned).collect();
    let outcome = match loaded.inventory.dropped_rows() {
        0 => Ok(Collected::new(loaded.inventory, CollectionReport::default())),
        dropped => {
            Err(Unavailable::failed(format!("the bill charges too many distinct things: {dropped} rows found no room")))
        }
    };
    let billed = BilledScope { accounts, usage: loaded.usage };
    Ok(CollectedBill { outcome, billed, report: loaded.report })
}
