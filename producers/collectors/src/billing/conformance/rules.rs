//! The requirements of FOCUS that one row can be tested for, beyond the form of each cell. Facts as in [`super::columns`].

use inventories::billing::conformance::Keyword;

use super::FocusVersion::{self, V1_0, V1_1, V1_2, V1_4};

/// What has to hold for a rule to apply to a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Is(&'static str, &'static [&'static str]),
    /// Also null.
    IsNot(&'static str, &'static [&'static str]),
    Null(&'static str),
    NotNull(&'static str),
}

impl When {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Is(column, _) | Self::IsNot(column, _) | Self::Null(column) | Self::NotNull(column) => column,
        }
    }

    pub(super) fn holds(self, cell: Option<&str>) -> bool {
        match self {
            Self::Is(_, values) => cell.is_some_and(|cell| values.contains(&cell)),
            Self::IsNot(_, values) => cell.is_none_or(|cell| !values.contains(&cell)),
            Self::Null(_) => cell.is_none(),
            Self::NotNull(_) => cell.is_some(),
        }
    }
}

/// What a rule asks of its column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    Null,
    NotNull,
    NotOneOf(&'static [&'static str]),
    Is(&'static str),
    Zero,
    /// The amount in the other column.
    EqualTo(&'static str),
    /// The product of the two columns, as exactly as their digits say.
    ProductOf(&'static str, &'static str),
    /// Later than the other column.
    After(&'static str),
    /// A subcategory of the category in the other column.
    SubcategoryOf(&'static str),
    /// Always the same for one value of the other column and one provider.
    OneFor(&'static str),
    /// Its own values have one value of the other column each, within one provider.
    HasOne(&'static str),
}

impl Need {
    /// Columns it looks at beside its own.
    pub(super) fn columns(self) -> Vec<&'static str> {
        match self {
            Self::ProductOf(a, b) => vec![a, b],
            Self::After(other)
            | Self::SubcategoryOf(other)
            | Self::OneFor(other)
            | Self::HasOne(other)
            | Self::EqualTo(other) => vec![other],
            Self::Null | Self::NotNull | Self::NotOneOf(_) | Self::Is(_) | Self::Zero => Vec::new(),
        }
    }
}

/// A requirement.
#[derive(Debug)]
pub(super) struct Rule {
    pub column: &'static str,
    pub since: FocusVersion,
    pub until: FocusVersion,
    pub keyword: Keyword,
    pub when: &'static [When],
    pub need: Need,
    /// Behind the column, its id.
    pub id: &'static str,
}

impl Rule {
    pub(super) fn is_in(&self, version: FocusVersion) -> bool {
        (self.since..=self.until).contains(&version)
    }
}

const fn must(column: &'static str, id: &'static str, when: &'static [When], need: Need) -> Rule {
    Rule { column, since: V1_0, until: V1_4, keyword: Keyword::Must, when, need, id }
}

const fn since(version: FocusVersion, rule: Rule) -> Rule {
    Rule { since: version, ..rule }
}

const fn until(version: FocusVersion, rule: Rule) -> Rule {
    Rule { until: version, ..rule }
}

const fn should(rule: Rule) -> Rule {
    Rule { keyword: Keyword::Should, ..rule }
}

const TAX: &[When] = &[When::Is("ChargeCategory", &["Tax"])];
/// What has a price.
const PRICED: &[When] =
    &[When::Is("ChargeCategory", &["Usage", "Purchase"]), When::IsNot("ChargeClass", &["Correction"])];
const NOT_USAGE: &[When] = &[When::IsNot("ChargeCategory", &["Usage"])];
const USAGE: &[When] = &[When::Is("ChargeCategory", &["Usage"]), When::IsNot("ChargeClass", &["Correction"])];
const CONSUMED: &[When] = &[
    When::Is("ChargeCategory", &["Usage"]),
    When::IsNot("CommitmentDiscountStatus", &["Unused"]),
    When::IsNot("ChargeClass", &["Correction"]),
];
const UNUSED: &[When] = &[When::Is("CommitmentDiscountStatus", &["Unused"])];
const COMMITTED_USAGE: &[When] = &[When::NotNull("CommitmentDiscountId"), When::Is("ChargeCategory", &["Usage"])];
const COMMITMENT_PURCHASE: &[When] =
    &[When::NotNull("CommitmentDiscountId"), When::Is("ChargeCategory", &["Purchase"])];
const RESERVED_USAGE: &[When] = &[When::NotNull("CapacityReservationId"), When::Is("ChargeCategory", &["Usage"])];
const COMMITMENT_QUANTITY: &[When] = &[
    When::NotNull("CommitmentDiscountId"),
    When::Is("ChargeCategory", &["Usage", "Purchase"]),
    When::IsNot("ChargeClass", &["Correction"]),
];
const CREDIT: &[When] = &[When::Is("ChargeCategory", &["Credit"])];
const CREDIT_WITHOUT_CONTRACTED_PRICE: &[When] =
    &[When::Is("ChargeCategory", &["Credit"]), When::Null("ContractedUnitPrice")];
const CREDIT_WITHOUT_LIST_PRICE: &[When] = &[When::Is("ChargeCategory", &["Credit"]), When::Null("ListUnitPrice")];
const NOT_CORRECTED: &[When] = &[When::IsNot("ChargeClass", &["Correction"])];

macro_rules! null_with {
    ($version:ident, $column:literal, $other:literal) => {
        since($version, must($column, concat!("null_without_", $other), &[When::Null($other)], Need::Null))
    };
}

macro_rules! set_with {
    ($version:ident, $column:literal, $other:literal) => {
        since($version, must($column, concat!("set_with_", $other), &[When::NotNull($other)], Need::NotNull))
    };
}

/// By column.
pub(super) const RULES: &[Rule] = &[
    since(
        V1_1,
        must(
            "CapacityReservationId",
            "set_when_unused",
            &[When::Is("CapacityReservationStatus", &["Unused"])],
            Need::NotNull,
        ),
    ),
    null_with!(V1_1, "CapacityReservationStatus", "CapacityReservationId"),
    since(V1_1, must("CapacityReservationStatus", "set_for_usage", RESERVED_USAGE, Need::NotNull)),
    must("BillingPeriodEnd", "after_its_start", &[], Need::After("BillingPeriodStart")),
    null_with!(V1_2, "BillingAccountType", "BillingAccountId"),
    must(
        "ChargeFrequency",
        "not_usage_based_for_purchases",
        &[When::Is("ChargeCategory", &["Purchase"])],
        Need::NotOneOf(&["Usage-Based"]),
    ),
    should(must("ChargeDescription", "set", &[], Need::NotNull)),
    must("ChargePeriodEnd", "after_its_start", &[], Need::After("ChargePeriodStart")),
    null_with!(V1_0, "CommitmentDiscountCategory", "CommitmentDiscountId"),
    set_with!(V1_0, "CommitmentDiscountCategory", "CommitmentDiscountId"),
    null_with!(V1_0, "CommitmentDiscountName", "CommitmentDiscountId"),
    null_with!(V1_1, "CommitmentDiscountQuantity", "CommitmentDiscountId"),
    since(V1_2, must("CommitmentDiscountQuantity", "set_with_a_commitment", COMMITMENT_QUANTITY, Need::NotNull)),
    null_with!(V1_0, "CommitmentDiscountStatus", "CommitmentDiscountId"),
    must("CommitmentDiscountStatus", "set_for_usage", COMMITTED_USAGE, Need::NotNull),
    null_with!(V1_0, "CommitmentDiscountType", "CommitmentDiscountId"),
    set_with!(V1_0, "CommitmentDiscountType", "CommitmentDiscountId"),
    null_with!(V1_2, "CommitmentDiscountUnit", "CommitmentDiscountQuantity"),
    set_with!(V1_2, "CommitmentDiscountUnit", "CommitmentDiscountQuantity"),
    must("ConsumedQuantity", "null_for_other_charges", NOT_USAGE, Need::Null),
    until(V1_0, must("ConsumedQuantity", "set_for_usage", USAGE, Need::NotNull)),
    since(V1_1, must("ConsumedQuantity", "null_for_unused_commitments", UNUSED, Need::Null)),
    since(V1_1, must("ConsumedQuantity", "set_for_used_usage", CONSUMED, Need::NotNull)),
    until(V1_1, must("ConsumedUnit", "null_for_other_charges", NOT_USAGE, Need::Null)),
    until(V1_0, must("ConsumedUnit", "set_for_usage", USAGE, Need::NotNull)),
    null_with!(V1_2, "ConsumedUnit", "ConsumedQuantity"),
    set_with!(V1_2, "ConsumedUnit", "ConsumedQuantity"),
    must("ContractedCost", "billed_for_credits", CREDIT_WITHOUT_CONTRACTED_PRICE, Need::EqualTo("BilledCost")),
    must(
        "ContractedCost",
        "price_times_quantity",
        NOT_CORRECTED,
        Need::ProductOf("ContractedUnitPrice", "PricingQuantity"),
    ),
    must("ContractedUnitPrice", "null_for_tax", TAX, Need::Null),
    must("ContractedUnitPrice", "set_for_priced_charges", PRICED, Need::NotNull),
    must("EffectiveCost", "billed_for_credits", CREDIT, Need::EqualTo("BilledCost")),
    must("EffectiveCost", "zero_for_commitment_purchases", COMMITMENT_PURCHASE, Need::Zero),
    must("ListCost", "billed_for_credits", CREDIT_WITHOUT_LIST_PRICE, Need::EqualTo("BilledCost")),
    must("ListCost", "price_times_quantity", NOT_CORRECTED, Need::ProductOf("ListUnitPrice", "PricingQuantity")),
    must("ListUnitPrice", "null_for_tax", TAX, Need::Null),
    must("ListUnitPrice", "set_for_priced_charges", PRICED, Need::NotNull),
    until(
        V1_0,
        must(
            "PricingCategory",
            "committed_with_a_commitment",
            &[When::NotNull("CommitmentDiscountId"), When::NotNull("PricingCategory")],
            Need::Is("Committed"),
        ),
    ),
    must("PricingCategory", "null_for_tax", TAX, Need::Null),
    must("PricingCategory", "set_for_priced_charges", PRICED, Need::NotNull),
    since(V1_2, must("PricingCurrencyListUnitPrice", "null_for_tax", TAX, Need::Null)),
    must("PricingQuantity", "null_for_tax", TAX, Need::Null),
    must("PricingQuantity", "set_for_priced_charges", PRICED, Need::NotNull),
    until(V1_1, must("PricingUnit", "null_for_tax", TAX, Need::Null)),
    until(V1_1, must("PricingUnit", "set_for_priced_charges", PRICED, Need::NotNull)),
    null_with!(V1_2, "PricingUnit", "PricingQuantity"),
    set_with!(V1_2, "PricingUnit", "PricingQuantity"),
    null_with!(V1_2, "RegionName", "RegionId"),
    set_with!(V1_2, "RegionName", "RegionId"),
    null_with!(V1_2, "ResourceName", "ResourceId"),
    null_with!(V1_0, "ResourceType", "ResourceId"),
    set_with!(V1_0, "ResourceType", "ResourceId"),
    until(V1_1, should(must("ServiceCategory", "one_for_a_service", &[], Need::OneFor("ServiceName")))),
    since(V1_2, must("ServiceName", "one_category", &[], Need::HasOne("ServiceCategory"))),
    since(V1_2, should(must("ServiceName", "one_subcategory", &[], Need::HasOne("ServiceSubcategory")))),
    since(V1_1, must("ServiceSubcategory", "of_its_category", &[], Need::SubcategoryOf("ServiceCategory"))),
    since(V1_1, until(V1_1, should(must("ServiceSubcategory", "one_for_a_service", &[], Need::OneFor("ServiceName"))))),
    must("SkuId", "null_for_tax", TAX, Need::Null),
    must("SkuId", "set_for_priced_charges", PRICED, Need::NotNull),
    null_with!(V1_1, "SkuMeter", "SkuId"),
    should(since(V1_1, must("SkuMeter", "set_with_SkuId", &[When::NotNull("SkuId")], Need::NotNull))),
    null_with!(V1_1, "SkuPriceDetails", "SkuPriceId"),
    since(V1_1, must("SkuPriceId", "one_sku", &[When::Null("CommitmentDiscountId")], Need::HasOne("SkuId"))),
    must("SkuPriceId", "null_for_tax", TAX, Need::Null),
    must("SkuPriceId", "set_for_priced_charges", PRICED, Need::NotNull),
    null_with!(V1_0, "SubAccountName", "SubAccountId"),
    set_with!(V1_2, "SubAccountName", "SubAccountId"),
    null_with!(V1_2, "SubAccountType", "SubAccountId"),
    set_with!(V1_2, "SubAccountType", "SubAccountId"),
];

#[cfg(test)]
mod tests {
    use super::super::columns;
    use super::*;

    #[test]
    fn rules_speak_of_columns_that_their_versions_have() {
        let mut ids = std::collections::HashSet::new();
        for rule in RULES {
            assert!(ids.insert((rule.column, rule.id)), "{}.{}", rule.column, rule.id);
            let others = rule.when.iter().map(|when| when.column()).chain(rule.need.columns());
            for name in others.chain([rule.column]) {
                let versions = FocusVersion::ALL.into_iter().filter(|version| rule.is_in(*version));
                for version in versions {
                    let has = columns::named(name, version).is_some_and(|at| columns::COLUMNS[at].is_in(version));
                    assert!(has, "{name} of {}.{} in {version:?}", rule.column, rule.id);
                }
            }
        }
    }
}
