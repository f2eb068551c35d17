//! The requirements of FOCUS that one row can be tested for, beyond the form of each cell. Facts as in [`super::columns`].

use inventories::billing::conformance::Keyword;

use super::FocusVersion::{self, V1_0, V1_1, V1_2, V1_3, V1_4};
use super::objects::{Member, MemberKind, ObjectNeed, needed, optional};
use super::rule::{Need, Rule, When};

const fn must(column: &'static str, id: &'static str, when: &'static [When], need: Need) -> Rule {
    Rule { column, since: V1_0, until: V1_4, keyword: Keyword::Must, when, unless: &[], need, id }
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

const fn in_1_3(rule: Rule) -> Rule {
    until(V1_3, since(V1_3, rule))
}

const fn unless(unless: &'static [When], rule: Rule) -> Rule {
    Rule { unless, ..rule }
}

const fn object(column: &'static str, id: &'static str, need: ObjectNeed) -> Rule {
    must(column, id, &[], Need::Object(need))
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
const CORRECTED: &[When] = &[When::Is("ChargeClass", &["Correction"])];
/// The commitment itself, not what it pays for.
const PURCHASE_OF_COMMITMENT: &[When] = &[
    When::NotNull("CommitmentDiscountId"),
    When::Is("ChargeCategory", &["Purchase"]),
    When::IsNot("PricingCategory", &["Committed"]),
];
const UNUSED_COMMITMENT: &[When] = &[
    When::NotNull("CommitmentDiscountId"),
    When::Is("ChargeCategory", &["Usage"]),
    When::Is("CommitmentDiscountStatus", &["Unused"]),
];
const COVERED: &[When] = &[When::Is("ChargeCategory", &["Usage"]), When::Is("CommitmentDiscountStatus", &["Used"])];
const ONE_CURRENCY: &[When] = &[When::Same("PricingCurrency", "BillingCurrency")];

use MemberKind::{Number, Text};

const ELEMENTS: &str = "Elements";
const PROGRAMS: &str = "CommitmentPrograms";
const ALLOCATION: &[Member] =
    &[needed(&["AllocatedRatio"], Number), optional(&["UsageUnit"], Text), optional(&["UsageQuantity"], Number)];
const USAGE_OF_ALLOCATION: [&str; 2] = ["UsageUnit", "UsageQuantity"];
/// As in 1.4 and in the errata of 1.3, whose text had `ID`: both are 1.3.
const CONTRACT_OF_1_3: &[Member] = &[
    needed(&["ContractId", "ContractID"], Text),
    needed(&["ContractCommitmentId", "ContractCommitmentID"], Text),
    optional(&[APPLIED_COST], Number),
    optional(&[APPLIED_QUANTITY], Number),
    optional(&[APPLIED_UNIT], Text),
];
const CONTRACT: &[Member] = &[
    needed(&["ContractId"], Text),
    needed(&["ContractCommitmentId"], Text),
    optional(&[APPLIED_COST], Number),
    optional(&[APPLIED_QUANTITY], Number),
    optional(&[APPLIED_UNIT], Text),
];
const APPLIED_COST: &str = "ContractCommitmentAppliedCost";
const APPLIED_QUANTITY: &str = "ContractCommitmentAppliedQuantity";
const APPLIED_UNIT: &str = "ContractCommitmentAppliedUnit";
const PROGRAM: &[Member] = &[needed(&["ProgramType"], Text)];
const SKU_PROPERTIES: &[Member] = &[
    optional(&["CoreCount"], Number),
    optional(&["DiskMaxIops"], Number),
    optional(&["DiskSpace"], Number),
    optional(&["DiskType"], Text),
    optional(&["GpuCount"], Number),
    optional(&["InstanceType"], Text),
    optional(&["InstanceSeries"], Text),
    optional(&["MemorySize"], Number),
    optional(&["NetworkMaxIops"], Number),
    optional(&["NetworkMaxThroughput"], Number),
    optional(&["OperatingSystem"], Text),
    optional(&["Redundancy"], Text),
    optional(&["StorageClass"], Text),
];

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

/// Since 1.3 what has no SKU price has no price and no quantity. Usage and purchases must have all of them: for these a missing SKU price is
/// the violation, not what is there without it.
macro_rules! null_without_price {
    ($column:literal) => {
        since(V1_3, unless(PRICED, must($column, "null_without_SkuPriceId", &[When::Empty("SkuPriceId")], Need::Null)))
    };
}

macro_rules! set_with_price {
    ($column:literal) => {
        since(V1_3, unless(PRICED, must($column, "set_with_SkuPriceId", &[When::NotNull("SkuPriceId")], Need::NotNull)))
    };
}

/// By column.
pub(super) const RULES: &[Rule] = &[
    null_with!(V1_3, "AllocatedMethodDetails", "AllocatedMethodId"),
    should(set_with!(V1_3, "AllocatedMethodDetails", "AllocatedMethodId")),
    since(V1_3, object("AllocatedMethodDetails", "elements", ObjectNeed::List(ELEMENTS))),
    since(V1_4, object("AllocatedMethodDetails", "an_element", ObjectNeed::Filled(ELEMENTS))),
    since(V1_3, object("AllocatedMethodDetails", "members", ObjectNeed::MembersOf(ELEMENTS, ALLOCATION))),
    since(V1_3, object("AllocatedMethodDetails", "member_keys", ObjectNeed::KeysOf(ELEMENTS, ALLOCATION))),
    since(V1_4, object("AllocatedMethodDetails", "keys", ObjectNeed::Keys(&[ELEMENTS]))),
    since(V1_4, object("AllocatedMethodDetails", "ratio", ObjectNeed::ShareOf(ELEMENTS, "AllocatedRatio"))),
    since(V1_3, object("AllocatedMethodDetails", "unit", ObjectNeed::WithOther(ELEMENTS, USAGE_OF_ALLOCATION))),
    null_with!(V1_3, "AllocatedResourceId", "AllocatedMethodId"),
    null_with!(V1_3, "AllocatedResourceName", "AllocatedResourceId"),
    set_with!(V1_3, "AllocatedResourceName", "AllocatedResourceId"),
    null_with!(V1_3, "AllocatedTags", "AllocatedMethodId"),
    since(V1_3, must("AllocatedTags", "none_of_Tags", &[], Need::NoneOf("Tags"))),
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
    since(
        V1_4,
        must("CommitmentDiscountId", "resource_of_its_purchase", PURCHASE_OF_COMMITMENT, Need::SameAs("ResourceId")),
    ),
    since(V1_4, must("CommitmentDiscountId", "resource_when_unused", UNUSED_COMMITMENT, Need::SameAs("ResourceId"))),
    null_with!(V1_0, "CommitmentDiscountName", "CommitmentDiscountId"),
    null_with!(V1_1, "CommitmentDiscountQuantity", "CommitmentDiscountId"),
    since(V1_2, must("CommitmentDiscountQuantity", "set_with_a_commitment", COMMITMENT_QUANTITY, Need::NotNull)),
    since(
        V1_2,
        must(
            "CommitmentDiscountQuantity",
            "null_for_other_charges",
            &[When::IsNot("ChargeCategory", &["Usage", "Purchase"])],
            Need::Null,
        ),
    ),
    null_without_price!("CommitmentDiscountQuantity"),
    null_with!(V1_0, "CommitmentDiscountStatus", "CommitmentDiscountId"),
    must("CommitmentDiscountStatus", "set_for_usage", COMMITTED_USAGE, Need::NotNull),
    null_with!(V1_0, "CommitmentDiscountType", "CommitmentDiscountId"),
    set_with!(V1_0, "CommitmentDiscountType", "CommitmentDiscountId"),
    null_with!(V1_2, "CommitmentDiscountUnit", "CommitmentDiscountQuantity"),
    set_with!(V1_2, "CommitmentDiscountUnit", "CommitmentDiscountQuantity"),
    since(V1_4, object("CommitmentProgramEligibilityDetails", "programs", ObjectNeed::List(PROGRAMS))),
    since(V1_4, object("CommitmentProgramEligibilityDetails", "a_program", ObjectNeed::Filled(PROGRAMS))),
    since(V1_4, object("CommitmentProgramEligibilityDetails", "members", ObjectNeed::MembersOf(PROGRAMS, PROGRAM))),
    since(V1_4, object("CommitmentProgramEligibilityDetails", "member_keys", ObjectNeed::KeysOf(PROGRAMS, PROGRAM))),
    since(V1_4, object("CommitmentProgramEligibilityDetails", "keys", ObjectNeed::Keys(&[PROGRAMS]))),
    since(V1_4, must("CommitmentProgramEligibilityDetails", "set_for_covered_usage", COVERED, Need::NotNull)),
    since(
        V1_4,
        must(
            "CommitmentProgramEligibilityDetails",
            "names_the_program",
            &[When::NotNull("CommitmentDiscountType")],
            Need::Names { list: PROGRAMS, key: "ProgramType", other: "CommitmentDiscountType" },
        ),
    ),
    must("ConsumedQuantity", "null_for_other_charges", NOT_USAGE, Need::Null),
    until(V1_0, must("ConsumedQuantity", "set_for_usage", USAGE, Need::NotNull)),
    since(V1_1, must("ConsumedQuantity", "null_for_unused_commitments", UNUSED, Need::Null)),
    since(V1_1, must("ConsumedQuantity", "set_for_used_usage", CONSUMED, Need::NotNull)),
    null_without_price!("ConsumedQuantity"),
    until(V1_1, must("ConsumedUnit", "null_for_other_charges", NOT_USAGE, Need::Null)),
    until(V1_0, must("ConsumedUnit", "set_for_usage", USAGE, Need::NotNull)),
    null_with!(V1_2, "ConsumedUnit", "ConsumedQuantity"),
    set_with!(V1_2, "ConsumedUnit", "ConsumedQuantity"),
    since(V1_3, object("ContractApplied", "elements", ObjectNeed::List(ELEMENTS))),
    since(V1_4, object("ContractApplied", "an_element", ObjectNeed::Filled(ELEMENTS))),
    in_1_3(object("ContractApplied", "members", ObjectNeed::MembersOf(ELEMENTS, CONTRACT_OF_1_3))),
    since(V1_4, object("ContractApplied", "members_of_the_schema", ObjectNeed::MembersOf(ELEMENTS, CONTRACT))),
    in_1_3(object("ContractApplied", "member_keys", ObjectNeed::KeysOf(ELEMENTS, CONTRACT_OF_1_3))),
    since(V1_4, object("ContractApplied", "member_keys_of_the_schema", ObjectNeed::KeysOf(ELEMENTS, CONTRACT))),
    since(V1_4, object("ContractApplied", "keys", ObjectNeed::Keys(&[ELEMENTS]))),
    in_1_3(object(
        "ContractApplied",
        "cost_or_quantity",
        ObjectNeed::EitherOf(ELEMENTS, [APPLIED_COST, APPLIED_QUANTITY]),
    )),
    since(
        V1_4,
        object("ContractApplied", "cost_xor_quantity", ObjectNeed::OneOf(ELEMENTS, [APPLIED_COST, APPLIED_QUANTITY])),
    ),
    since(V1_3, object("ContractApplied", "unit", ObjectNeed::Together(ELEMENTS, [APPLIED_UNIT, APPLIED_QUANTITY]))),
    must("ContractedCost", "billed_for_credits", CREDIT_WITHOUT_CONTRACTED_PRICE, Need::EqualTo("BilledCost")),
    must(
        "ContractedCost",
        "price_times_quantity",
        NOT_CORRECTED,
        Need::ProductOf("ContractedUnitPrice", "PricingQuantity"),
    ),
    since(
        V1_3,
        must(
            "ContractedCost",
            "price_times_quantity_of_corrections",
            CORRECTED,
            Need::ProductOf("ContractedUnitPrice", "PricingQuantity"),
        ),
    ),
    must("ContractedUnitPrice", "null_for_tax", TAX, Need::Null),
    must("ContractedUnitPrice", "set_for_priced_charges", PRICED, Need::NotNull),
    null_without_price!("ContractedUnitPrice"),
    set_with_price!("ContractedUnitPrice"),
    must("EffectiveCost", "billed_for_credits", CREDIT, Need::EqualTo("BilledCost")),
    since(V1_4, must("EffectiveCost", "billed_for_taxes", TAX, Need::EqualTo("BilledCost"))),
    must("EffectiveCost", "zero_for_commitment_purchases", COMMITMENT_PURCHASE, Need::Zero),
    null_with!(V1_4, "InvoiceDetailId", "InvoiceId"),
    set_with!(V1_4, "InvoiceDetailId", "InvoiceId"),
    must("ListCost", "billed_for_credits", CREDIT_WITHOUT_LIST_PRICE, Need::EqualTo("BilledCost")),
    must("ListCost", "price_times_quantity", NOT_CORRECTED, Need::ProductOf("ListUnitPrice", "PricingQuantity")),
    since(
        V1_3,
        must(
            "ListCost",
            "price_times_quantity_of_corrections",
            CORRECTED,
            Need::ProductOf("ListUnitPrice", "PricingQuantity"),
        ),
    ),
    must("ListUnitPrice", "null_for_tax", TAX, Need::Null),
    must("ListUnitPrice", "set_for_priced_charges", PRICED, Need::NotNull),
    null_without_price!("ListUnitPrice"),
    set_with_price!("ListUnitPrice"),
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
    null_without_price!("PricingCategory"),
    since(V1_2, must("PricingCurrencyContractedUnitPrice", "null_for_tax", TAX, Need::Null)),
    since(V1_2, must("PricingCurrencyContractedUnitPrice", "set_for_priced_charges", PRICED, Need::NotNull)),
    null_without_price!("PricingCurrencyContractedUnitPrice"),
    set_with_price!("PricingCurrencyContractedUnitPrice"),
    since(
        V1_4,
        must("PricingCurrencyEffectiveCost", "effective_in_one_currency", ONE_CURRENCY, Need::EqualTo("EffectiveCost")),
    ),
    since(V1_2, must("PricingCurrencyListUnitPrice", "null_for_tax", TAX, Need::Null)),
    since(V1_2, must("PricingCurrencyListUnitPrice", "set_for_priced_charges", PRICED, Need::NotNull)),
    null_without_price!("PricingCurrencyListUnitPrice"),
    set_with_price!("PricingCurrencyListUnitPrice"),
    must("PricingQuantity", "null_for_tax", TAX, Need::Null),
    must("PricingQuantity", "set_for_priced_charges", PRICED, Need::NotNull),
    null_without_price!("PricingQuantity"),
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
    since(V1_2, object("SkuPriceDetails", "keys", ObjectNeed::KnownKeys(SKU_PROPERTIES))),
    since(V1_2, object("SkuPriceDetails", "types", ObjectNeed::Types(SKU_PROPERTIES))),
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
            let conditions = rule.when.iter().chain(rule.unless).flat_map(|when| when.columns()).flatten();
            let others = conditions.chain(rule.need.columns());
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
