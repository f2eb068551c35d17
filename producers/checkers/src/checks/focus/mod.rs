//! Checkers over billing rows of one month, the newest with a week of usage. A finding keeps what the bill charged and says
//! what that comes to in a whole month (`figures.rs`, the only place that scales). What the bill does not tell is unknown,
//! and never read as a fact: an unknown tag is not missing, an unknown region is not the region of another row.

use inventories::billing::inventory::BillingInventory;
use inventories::bootstrap::Bootstrap;
use inventories::kind::{Inventory, InventoryKind};
use inventories::services::Services;

use crate::checker::{
    CheckInfo, Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope, FactoryError,
};
use crate::finding::Finding;
use crate::run_context::RunContext;

mod committed;
mod credited;
mod ended;
mod figures;
mod generations;
mod group;
mod idle;
mod kept;
mod pool;
#[cfg(test)]
mod price_rules;
mod prices;
mod run_rate;
mod saved;
mod small;
mod software;
mod spend;
mod subject;
mod support_extended;
#[cfg(test)]
mod testing;
mod text;
#[cfg(test)]
mod truth;
mod words;

pub mod backup_storage;
pub mod capacity_reservation_unused;
pub mod commitment_gap;
pub mod commitment_unused;
pub mod conformance;
pub mod credit_masking;
pub mod database_support_extended;
pub mod effective_cost_mismatch;
pub mod gp2_to_gp3;
pub mod growth;
pub mod instance_generation_previous;
pub mod kubernetes_support_extended;
pub mod licence_windows;
pub mod load_balancer_idle;
pub mod log_ingestion;
pub mod metrics_custom;
pub mod nat_data_processing;
pub mod nat_gateway_idle;
pub mod object_early_delete;
pub mod object_requests;
pub mod object_storage_untiered;
pub mod off_hours;
pub mod plan_gap;
pub mod provisioned_iops_to_gp3;
pub mod public_ipv4_idle;
pub mod public_ipv4_in_use;
pub mod reservation_gap;
pub mod snapshot_storage;
pub mod spend_without_resource;
pub mod support_fee;
pub mod tags_missing;
pub mod transfer_cross_region;
pub mod transfer_cross_zone;
pub mod transfer_internet;
pub mod transit_gateway;
pub mod usage_negative;
pub mod volume_magnetic;
pub mod volume_premium;
pub mod vpc_endpoint_idle;

/// A check over a bill.
trait BillingCheck: Send {
    /// All findings, in any order.
    fn check(&self, bill: &BillingInventory) -> Vec<Finding>;
}

/// Any check over a bill is a checker.
struct OverBill<C>(C);

impl<C: BillingCheck> Checker for OverBill<C> {
    fn run(&self, services: &Services, _region: &str) -> Result<Checked, CheckerError> {
        let bill = services.get()?;
        let mut findings = self.0.check(bill);
        credited::mark(bill, &mut findings);
        Ok(Checked { findings, ..Checked::default() })
    }
}

/// What every checker over a bill needs.
const BILL: &[InventoryKind] = &[BillingInventory::KIND];

type Factory = fn(&RunContext, &Bootstrap) -> Result<Box<dyn Checker>, FactoryError>;

/// The registry entry of a checker over a bill.
const fn over_bill(
    spec: &'static str,
    checker_id: &'static str,
    checks: &'static [CheckInfo],
    docs: &'static CheckerDocs,
    factory: Factory,
) -> CheckerRegistration {
    CheckerRegistration {
        spec,
        checker_id,
        scope: CheckerScope::Global,
        needs: BILL,
        checks,
        docs,
        is_on_request: false,
        together: Some(&small::TOGETHER),
        factory,
    }
}
