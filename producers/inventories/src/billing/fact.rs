//! One accepted row of a billing export: the cost fact that is stored, and what checkers need beyond it.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::closed_lists::{ChargeCategory, CommitmentStatus, ListCell, Pricing};
use super::tags::RowTags;

/// A cost fact: one normalised row, as stored in the dataset `cur_facts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostFact {
    /// Billing month, `YYYY-MM`.
    pub billing_period: String,
    /// First instant of the billing period.
    pub billing_period_start_ms: Option<i64>,
    /// End of the billing period.
    pub billing_period_end_ms: Option<i64>,
    /// First instant the charge covers.
    pub usage_start_ms: i64,
    /// End of what the charge covers.
    pub usage_end_ms: Option<i64>,
    /// Account that pays.
    pub payer_account_id: Option<String>,
    /// Account that used it.
    pub account_id: String,
    /// Region, lower case.
    pub region: Option<String>,
    /// Service as the export names it.
    pub service_code: Option<String>,
    /// Service family.
    pub service: Option<String>,
    /// Resource, as the export names it.
    pub resource_id: Option<String>,
    /// Charge category.
    pub charge_category: ListCell<ChargeCategory>,
    /// True when it corrects an earlier charge.
    pub is_correction: bool,
    /// Usage type or meter.
    pub usage_type: Option<String>,
    /// Operation.
    pub operation: Option<String>,
    /// Reservation or plan it was charged under.
    pub commitment_id: Option<String>,
    /// Whether something used the commitment.
    pub commitment_status: Option<ListCell<CommitmentStatus>>,
    /// Billing currency, upper case.
    pub currency: String,
    /// Cost as invoiced.
    pub cost_unblended: Decimal,
    /// Cost after discounts.
    pub cost_net: Decimal,
    /// Cost with upfront payments spread over their term.
    pub cost_amortized: Decimal,
    /// Cost at average rates.
    pub cost_blended: Decimal,
    /// True when an input of the amortised cost was missing.
    pub model_fallback: bool,
    /// Tags.
    pub tags: RowTags,
    /// Delivery and file the row came from.
    pub source_ref: Arc<str>,
}

/// What checkers look at beyond the stored fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDetail {
    /// `aws`, `azure`, `oci`, `gcp`, or the provider's name in lower case.
    pub cloud: Arc<str>,
    /// Charge description.
    pub description: Option<String>,
    /// Resource type as the export names it.
    pub resource_type: Option<String>,
    /// How the price came about.
    pub pricing: Pricing,
    /// Quantity in pricing units.
    pub quantity: Option<Decimal>,
    /// Public price of one unit.
    pub unit_price: Option<Decimal>,
    /// False when the export does not tell corrections from other charges.
    pub is_class_stated: bool,
}
