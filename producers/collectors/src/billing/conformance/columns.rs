//! The columns of the FOCUS cost and usage dataset, 1.0 to 1.4: since when, whether they must be there, and what they hold.
//!
//! Facts from the FinOps Open Cost and Usage Specification (FinOps Foundation, CC BY 4.0): the pages of all columns in 1.0 to 1.3 (1.3:
//! December 2025), and for 1.4 (June 2026) the pages that differ, its JSON schemas and its requirements model.

use super::FocusVersion::{self, V1_0, V1_1, V1_2, V1_3, V1_4};

/// Whether a dataset must have a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Every dataset.
    Mandatory,
    /// Where the provider has what it is about, which no file says.
    Conditional,
    /// Better with it.
    Recommended,
}

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Decimal,
    /// A price: a decimal that is not negative.
    Price,
    Time,
    /// A national one, by ISO 4217.
    Currency,
    Unit,
    /// A JSON object of scalars.
    KeyValue,
    /// A JSON object of anything.
    Object,
    OneOf(&'static [&'static str]),
    /// One of the service categories.
    Category,
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    pub name: &'static str,
    pub since: FocusVersion,
    /// The last version that has it.
    pub until: FocusVersion,
    pub level: Level,
    pub may_be_null: bool,
    pub kind: Kind,
}

impl Column {
    /// True when a version has it.
    pub(super) fn is_in(&self, version: FocusVersion) -> bool {
        (self.since..=self.until).contains(&version)
    }
}

/// The place of the column of that name, in any case: as the version has it, else as another one does.
pub(super) fn named(name: &str, version: FocusVersion) -> Option<usize> {
    let is_named = |at: &usize| COLUMNS[*at].name.eq_ignore_ascii_case(name);
    let all = || (0..COLUMNS.len()).filter(is_named);
    all().find(|at| COLUMNS[*at].is_in(version)).or_else(|| all().next())
}

const fn column(name: &'static str, since: FocusVersion, level: Level, kind: Kind) -> Column {
    Column { name, since, until: V1_4, level, may_be_null: false, kind }
}

const fn nullable(name: &'static str, since: FocusVersion, level: Level, kind: Kind) -> Column {
    Column { may_be_null: true, ..column(name, since, level, kind) }
}

use Kind::{Category, Currency, Decimal, KeyValue, Object, OneOf, Price, Text, Time, Unit};
use Level::{Conditional, Mandatory, Recommended};

const CHARGE_CATEGORIES: &[&str] = &["Usage", "Purchase", "Tax", "Credit", "Adjustment"];
const FREQUENCIES: &[&str] = &["One-Time", "Recurring", "Usage-Based"];
const PRICING: &[&str] = &["Standard", "Dynamic", "Committed", "Other"];
const USED: &[&str] = &["Used", "Unused"];

/// By name.
pub(super) const COLUMNS: &[Column] = &[
    nullable("AllocatedMethodDetails", V1_3, Recommended, Object),
    nullable("AllocatedMethodId", V1_3, Conditional, Text),
    nullable("AllocatedResourceId", V1_3, Conditional, Text),
    nullable("AllocatedResourceName", V1_3, Conditional, Text),
    nullable("AllocatedTags", V1_3, Conditional, KeyValue),
    nullable("AvailabilityZone", V1_0, Recommended, Text),
    column("BilledCost", V1_0, Mandatory, Decimal),
    column("BillingAccountId", V1_0, Mandatory, Text),
    nullable("BillingAccountName", V1_0, Mandatory, Text),
    column("BillingAccountType", V1_2, Conditional, Text),
    column("BillingCurrency", V1_0, Mandatory, Currency),
    column("BillingPeriodEnd", V1_0, Mandatory, Time),
    column("BillingPeriodStart", V1_0, Mandatory, Time),
    nullable("CapacityReservationId", V1_1, Conditional, Text),
    nullable("CapacityReservationStatus", V1_1, Conditional, OneOf(USED)),
    column("ChargeCategory", V1_0, Mandatory, OneOf(CHARGE_CATEGORIES)),
    nullable("ChargeClass", V1_0, Mandatory, OneOf(&["Correction"])),
    nullable("ChargeDescription", V1_0, Mandatory, Text),
    column("ChargeFrequency", V1_0, Recommended, OneOf(FREQUENCIES)),
    column("ChargePeriodEnd", V1_0, Mandatory, Time),
    column("ChargePeriodStart", V1_0, Mandatory, Time),
    nullable("CommitmentDiscountCategory", V1_0, Conditional, OneOf(&["Spend", "Usage"])),
    nullable("CommitmentDiscountId", V1_0, Conditional, Text),
    nullable("CommitmentDiscountName", V1_0, Conditional, Text),
    nullable("CommitmentDiscountQuantity", V1_1, Conditional, Decimal),
    nullable("CommitmentDiscountStatus", V1_0, Conditional, OneOf(USED)),
    nullable("CommitmentDiscountType", V1_0, Conditional, Text),
    nullable("CommitmentDiscountUnit", V1_1, Conditional, Unit),
    nullable("CommitmentProgramEligibilityDetails", V1_4, Conditional, Object),
    nullable("ConsumedQuantity", V1_0, Conditional, Decimal),
    nullable("ConsumedUnit", V1_0, Conditional, Unit),
    nullable("ContractApplied", V1_3, Conditional, Object),
    column("ContractedCost", V1_0, Mandatory, Decimal),
    nullable("ContractedUnitPrice", V1_0, Conditional, Price),
    column("EffectiveCost", V1_0, Mandatory, Decimal),
    nullable("HostProviderName", V1_3, Mandatory, Text),
    nullable("InvoiceDetailId", V1_4, Conditional, Text),
    Column { until: V1_3, ..nullable("InvoiceId", V1_2, Recommended, Text) },
    nullable("InvoiceId", V1_4, Conditional, Text),
    column("InvoiceIssuerName", V1_0, Mandatory, Text),
    column("ListCost", V1_0, Mandatory, Decimal),
    nullable("ListUnitPrice", V1_0, Conditional, Price),
    nullable("PricingCategory", V1_0, Conditional, OneOf(PRICING)),
    column("PricingCurrency", V1_2, Conditional, Text),
    nullable("PricingCurrencyContractedUnitPrice", V1_2, Conditional, Price),
    column("PricingCurrencyEffectiveCost", V1_2, Conditional, Decimal),
    nullable("PricingCurrencyListUnitPrice", V1_2, Conditional, Price),
    nullable("PricingQuantity", V1_0, Mandatory, Decimal),
    nullable("PricingUnit", V1_0, Mandatory, Unit),
    Column { until: V1_3, ..column("ProviderName", V1_0, Mandatory, Text) },
    Column { until: V1_3, ..column("PublisherName", V1_0, Mandatory, Text) },
    nullable("RegionId", V1_0, Conditional, Text),
    nullable("RegionName", V1_0, Conditional, Text),
    nullable("ResourceId", V1_0, Conditional, Text),
    nullable("ResourceName", V1_0, Conditional, Text),
    nullable("ResourceType", V1_0, Conditional, Text),
    column("ServiceCategory", V1_0, Mandatory, Category),
    column("ServiceName", V1_0, Mandatory, Text),
    column("ServiceProviderName", V1_3, Mandatory, Text),
    column("ServiceSubcategory", V1_1, Recommended, Text),
    nullable("SkuId", V1_0, Conditional, Text),
    nullable("SkuMeter", V1_1, Conditional, Text),
    nullable("SkuPriceDetails", V1_1, Conditional, KeyValue),
    nullable("SkuPriceId", V1_0, Conditional, Text),
    nullable("SubAccountId", V1_0, Conditional, Text),
    nullable("SubAccountName", V1_0, Conditional, Text),
    nullable("SubAccountType", V1_2, Conditional, Text),
    nullable("Tags", V1_0, Conditional, KeyValue),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_order_and_each_version_has_as_many_as_published() {
        assert!(COLUMNS.is_sorted_by_key(|column| column.name));
        let count = |version| COLUMNS.iter().filter(|column| column.is_in(version)).count();
        assert_eq!([V1_0, V1_1, V1_2, V1_3, V1_4].map(count), [43, 50, 57, 65, 65]);
    }
}
