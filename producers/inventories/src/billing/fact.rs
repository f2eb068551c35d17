//! One accepted row of a billing export: the cost fact that is stored, and what checkers need beyond it.

use std::borrow::Cow;
use std::sync::Arc;

use contracts::cloud_ids;
use contracts::service_family::product_code;
use rust_decimal::Decimal;

use super::closed_lists::{ChargeCategory, CommitmentStatus, ListCell, Pricing};
use super::meter::Wording;
use super::sku::Sku;
use super::tags::RowTags;

/// What a row charges for: all that comes again with the other hours of the same thing. The rows share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// `aws`, `azure`, `oci`, `gcp`, or the provider's name in lower case.
    pub cloud: Arc<str>,
    /// Billing month, `YYYY-MM`.
    pub billing_period: String,
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
    /// Resource type as the export names it.
    pub resource_type: Option<String>,
    /// Line type of AWS reports, as the export has it; FOCUS has none.
    pub line_item_type: Option<String>,
    /// Charge category.
    pub charge_category: ListCell<ChargeCategory>,
    /// True when it corrects an earlier charge.
    pub is_correction: bool,
    /// False when the export does not tell corrections from other charges.
    pub is_class_stated: bool,
    /// Usage type or meter.
    pub usage_type: Option<String>,
    /// Operation.
    pub operation: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// What is said of the SKU beside its meter.
    pub sku: Sku,
    /// How the price came about.
    pub pricing: Pricing,
    /// Reservation or plan it was charged under.
    pub commitment_id: Option<String>,
    /// Whether something used the commitment.
    pub commitment_status: Option<ListCell<CommitmentStatus>>,
    /// Billing currency, upper case.
    pub currency: String,
    /// True when the export does not say the currency and `USD` was taken.
    pub currency_defaulted: bool,
    /// True for a line type that no table lists: it counts as usage.
    pub unknown_type: bool,
    /// Invoice that it is on.
    pub invoice: Option<String>,
    /// Tags.
    pub tags: RowTags,
}

impl Charge {
    /// What says what it meters.
    #[must_use]
    pub fn wording(&self) -> Wording<'_> {
        let service = self.service_code.as_deref().unwrap_or_default();
        Wording {
            service: if &*self.cloud == "aws" { product_code(service) } else { service },
            usage_type: self.usage_type.as_deref(),
            operation: self.operation.as_deref(),
            description: self.description.as_deref(),
            category: self.sku.category.as_deref(),
            subcategory: self.sku.subcategory.as_deref(),
            kind: self.sku.kind.as_deref(),
            unit: self.sku.unit.as_deref(),
            instance_type: self.sku.instance_type.as_deref(),
            operating_system: self.sku.operating_system.as_deref(),
            storage_class: self.sku.storage_class.as_deref(),
        }
    }

    /// The resource in the one spelling of its cloud, empty when not stated.
    #[must_use]
    pub fn resource(&self) -> Cow<'_, str> {
        cloud_ids::resource(&self.cloud, self.resource_id.as_deref().unwrap_or_default())
    }
}

/// A cost fact: one normalised row, as stored in the dataset `cur_facts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostFact {
    /// What is charged.
    pub charge: Arc<Charge>,
    /// First instant of the billing period.
    pub billing_period_start_ms: Option<i64>,
    /// End of the billing period.
    pub billing_period_end_ms: Option<i64>,
    /// First instant the charge covers.
    pub usage_start_ms: i64,
    /// End of what the charge covers.
    pub usage_end_ms: Option<i64>,
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
    /// Quantity in pricing units.
    pub quantity: Option<Decimal>,
    /// What it tells of the cost of something that runs on a shared resource.
    pub split: Option<Box<SplitCost>>,
    /// Delivery and file the row came from.
    pub source_ref: Arc<str>,
}

/// Cost of a shared resource that the provider has split off for what runs on it, such as a pod: the split line items of AWS, and
/// the allocated charges of FOCUS. It is a part of the cost of its parent and never comes on top of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitCost {
    /// Resource that the cost is split off for.
    pub resource_id: String,
    /// Resource whose cost is split.
    pub parent_id: Option<String>,
    /// Tags of the resource that it is split off for.
    pub tags: RowTags,
    /// As [`CostFact::cost_unblended`]; AWS does not split it.
    pub unblended: Option<Decimal>,
    /// As [`CostFact::cost_net`].
    pub net: Option<Decimal>,
    /// As [`CostFact::cost_amortized`].
    pub amortized: Option<Decimal>,
    /// As [`CostFact::cost_blended`]; AWS does not split it.
    pub blended: Option<Decimal>,
}

/// What checkers look at beyond the stored fact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowDetail {
    /// Public price of one unit.
    pub unit_price: Option<Decimal>,
    /// What the inventory adds up of the row; `None` for the row as it is stored.
    pub parts: Option<Vec<RowPart>>,
}

/// What the inventory adds up of a row that FOCUS has as another row, as several, or (with no part) not at all: an AWS
/// report charges covered usage at the on-demand price and takes it back on a line of its own, and has the unused part of a
/// commitment inside its fee; its discounts are lines of their own, where FOCUS has them inside the charges that they are for. With parts, checkers see the same lines of a bill in every dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPart {
    /// Charge category.
    pub category: ListCell<ChargeCategory>,
    /// How the price came about.
    pub pricing: Pricing,
    /// Cost as invoiced.
    pub billed: Decimal,
    /// Cost with commitments spread over their term.
    pub amortized: Decimal,
    /// Quantity in pricing units.
    pub quantity: Option<Decimal>,
    /// True for the part of a commitment that nothing used.
    pub is_unused: bool,
    /// True for a discount: it lowers the cost of the usage that it is for, and is no usage of its own.
    pub is_discount: bool,
}

impl RowPart {
    /// The row as it is stored.
    #[must_use]
    pub fn whole(fact: &CostFact) -> Self {
        Self {
            category: fact.charge.charge_category.clone(),
            pricing: fact.charge.pricing,
            billed: fact.cost_unblended,
            amortized: fact.cost_amortized,
            quantity: fact.quantity,
            is_unused: fact.charge.commitment_status.as_ref().is_some_and(|status| status.is(CommitmentStatus::Unused)),
            is_discount: false,
        }
    }
}
