//! The collector that checks FOCUS files against the specification: its entry in the registry. How they are checked is in
//! [`crate::billing::conformance`].

use inventories::billing::conformance::FocusConformance;
use inventories::collected::{Collected, CollectionReport, Unavailable};
use inventories::kind::Inventory;

use crate::billing::conformance::{CheckOptions, check};
use crate::collector::{Collect, CollectorRegistration, FilesTask};

inventory::submit! {
    CollectorRegistration {
        id: "billing.focus_conformance",
        fills: FocusConformance::KIND,
        what: "which requirements of the FOCUS specification billing files do not keep, how often and where first",
        actions: &[],
        collect: Collect::Files(collect),
    }
}

fn collect(task: &FilesTask<'_>) -> Result<Collected, Unavailable> {
    let options = CheckOptions { version: None, source_name: task.source_name.map(str::to_owned) };
    let checked = check(task.files, &options, task.progress, task.shutdown);
    let checked = checked.map_err(|error| Unavailable::failed(error.to_string()))?;
    Ok(Collected::new(checked, CollectionReport::default()))
}
