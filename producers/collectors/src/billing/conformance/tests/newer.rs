//! What 1.3 and 1.4 ask of rows beyond 1.2.

use super::*;

/// Rows that no version since 1.3 has a fault in, with these changes.
#[track_caller]
fn keeps(changes: &[(&'static str, &'static str)]) {
    for version in [V1_3, V1_4] {
        check_row(version, changes, &[]);
    }
}

/// The rules that 1.3 and 1.4 name, in this order.
#[track_caller]
fn breaks(changes: &[(&'static str, &'static str)], of_1_3: &[&str], of_1_4: &[&str]) {
    check_row(V1_3, changes, of_1_3);
    check_row(V1_4, changes, of_1_4);
}

const DETAILS: &str = r#"{"Elements": [{"AllocatedRatio": 0.25, "UsageUnit": "CPU", "UsageQuantity": 2}]}"#;

const ALLOCATED: [(&str, &str); 5] = [
    ("AllocatedMethodDetails", DETAILS),
    ("AllocatedMethodId", "by-cpu"),
    ("AllocatedResourceId", "pod"),
    ("AllocatedResourceName", "pod"),
    ("AllocatedTags", r#"{"app": "shop"}"#),
];

fn but<const N: usize>(
    row: [(&'static str, &'static str); N],
    column: &'static str,
    cell: &'static str,
) -> Vec<(&'static str, &'static str)> {
    row.into_iter().chain([(column, cell)]).collect()
}

#[test]
fn allocated_charges_say_to_what_and_how() {
    keeps(&ALLOCATED);
    // The unallocated part of a charge has a method and no resource.
    keeps(&but(but_of(but(ALLOCATED, "AllocatedResourceId", "")), "AllocatedResourceName", ""));
    let both = |changes: &[(&'static str, &'static str)], expected: &[&str]| breaks(changes, expected, expected);
    both(
        &but(ALLOCATED, "AllocatedMethodId", ""),
        &[
            "AllocatedMethodDetails.null_without_AllocatedMethodId",
            "AllocatedResourceId.null_without_AllocatedMethodId",
            "AllocatedTags.null_without_AllocatedMethodId",
        ],
    );
    both(&but(ALLOCATED, "AllocatedMethodDetails", ""), &["AllocatedMethodDetails.set_with_AllocatedMethodId"]);
    both(&but(ALLOCATED, "AllocatedResourceName", ""), &["AllocatedResourceName.set_with_AllocatedResourceId"]);
    both(&but(ALLOCATED, "AllocatedResourceId", ""), &["AllocatedResourceName.null_without_AllocatedResourceId"]);
    both(&but(ALLOCATED, "AllocatedTags", r#"{"a": "b"}"#), &["AllocatedTags.none_of_Tags"]);
    keeps(&but(ALLOCATED, "AllocatedTags", r#"{"a": "another"}"#));
}

fn but_of(row: Vec<(&'static str, &'static str)>) -> [(&'static str, &'static str); 6] {
    row.try_into().unwrap()
}

#[test]
fn details_of_an_allocation_have_the_form_of_the_specification() {
    let details = |cell| but(ALLOCATED, "AllocatedMethodDetails", cell);
    keeps(&details(r#"{"Elements": [{"AllocatedRatio": 1, "x_Why": {"a": 1}}], "x_More": []}"#));
    breaks(&details("[]"), &["AllocatedMethodDetails.format"], &["AllocatedMethodDetails.format"]);
    let lists = r#"{"Elements": [{"AllocatedRatio": 0.5}, {"AllocatedRatio": 0.5}]}"#;
    breaks(&details(lists), &["AllocatedMethodDetails.format"], &["AllocatedMethodDetails.format"]);
    breaks(&details("{}"), &["AllocatedMethodDetails.elements"], &["AllocatedMethodDetails.elements"]);
    breaks(&details(r#"{"Elements": []}"#), &[], &["AllocatedMethodDetails.an_element"]);
    let text = r#"{"Elements": [{"AllocatedRatio": "0.5"}]}"#;
    breaks(&details(text), &["AllocatedMethodDetails.members"], &["AllocatedMethodDetails.members"]);
    let key = r#"{"Elements": [{"AllocatedRatio": 0.5, "Cpu": 1}]}"#;
    breaks(&details(key), &["AllocatedMethodDetails.member_keys"], &["AllocatedMethodDetails.member_keys"]);
    breaks(&details(r#"{"Elements": [{"AllocatedRatio": 0.5}], "Own": 1}"#), &[], &["AllocatedMethodDetails.keys"]);
    breaks(&details(r#"{"Elements": [{"AllocatedRatio": 1.5}]}"#), &[], &["AllocatedMethodDetails.ratio"]);
    let unit = r#"{"Elements": [{"AllocatedRatio": 0.5, "UsageQuantity": 2}]}"#;
    breaks(&details(unit), &["AllocatedMethodDetails.unit"], &["AllocatedMethodDetails.unit"]);
}

#[test]
fn contracts_that_are_applied_are_named_with_an_amount() {
    let applied = |cell| [("ContractApplied", cell)];
    let cost =
        r#"{"Elements": [{"ContractId": "c", "ContractCommitmentId": "t", "ContractCommitmentAppliedCost": 15}]}"#;
    keeps(&applied(cost));
    let quantity = r#"{"Elements": [{"ContractId": "c", "ContractCommitmentId": "t",
        "ContractCommitmentAppliedQuantity": 0.5, "ContractCommitmentAppliedUnit": "Hours", "x_Left": 3}]}"#;
    keeps(&applied(quantity));
    // The text of 1.3 has another spelling than its errata.
    breaks(
        &applied(
            r#"{"Elements": [{"ContractID": "c", "ContractCommitmentID": "t", "ContractCommitmentAppliedCost": 15}]}"#,
        ),
        &[],
        &["ContractApplied.members_of_the_schema", "ContractApplied.member_keys_of_the_schema"],
    );
    breaks(&applied("{}"), &["ContractApplied.elements"], &["ContractApplied.elements"]);
    breaks(&applied(r#"{"Elements": []}"#), &[], &["ContractApplied.an_element"]);
    breaks(
        &applied(r#"{"Elements": [{"ContractId": "c", "ContractCommitmentAppliedCost": 15}]}"#),
        &["ContractApplied.members"],
        &["ContractApplied.members_of_the_schema"],
    );
    breaks(
        &applied(r#"{"Elements": [{"ContractId": "c", "ContractCommitmentId": "t"}]}"#),
        &["ContractApplied.cost_or_quantity"],
        &["ContractApplied.cost_xor_quantity"],
    );
    let both = r#"{"Elements": [{"ContractId": "c", "ContractCommitmentId": "t", "ContractCommitmentAppliedCost": 15,
        "ContractCommitmentAppliedQuantity": 1, "ContractCommitmentAppliedUnit": "Hours"}]}"#;
    breaks(&applied(both), &[], &["ContractApplied.cost_xor_quantity"]);
    let unit =
        r#"{"Elements": [{"ContractId": "c", "ContractCommitmentId": "t", "ContractCommitmentAppliedQuantity": 1}]}"#;
    breaks(&applied(unit), &["ContractApplied.unit"], &["ContractApplied.unit"]);
    let key = r#"{"Elements": [{"ContractId": "c", "ContractCommitmentId": "t", "ContractCommitmentAppliedCost": 1, "Left": 3}],
        "Own": 1}"#;
    breaks(
        &applied(key),
        &["ContractApplied.member_keys"],
        &["ContractApplied.member_keys_of_the_schema", "ContractApplied.keys"],
    );
}

const COVERED: [(&str, &str); 7] = [
    ("CommitmentDiscountId", "ri"),
    ("CommitmentDiscountCategory", "Usage"),
    ("CommitmentDiscountType", "Reserved"),
    ("CommitmentDiscountStatus", "Used"),
    ("CommitmentDiscountQuantity", "1"),
    ("CommitmentDiscountUnit", "Hours"),
    (
        "CommitmentProgramEligibilityDetails",
        r#"{"CommitmentPrograms": [{"ProgramType": "Spend"}, {"ProgramType": "Reserved"}]}"#,
    ),
];

#[test]
fn programs_that_a_charge_is_eligible_for_are_named() {
    keeps(&COVERED);
    let programs = |cell| but(COVERED, "CommitmentProgramEligibilityDetails", cell);
    let of_1_4 = |cell: &'static str, expected: &[&str]| breaks(&programs(cell), &[], expected);
    let column = "CommitmentProgramEligibilityDetails";
    let name = |rule: &str| format!("{column}.{rule}");
    of_1_4("", &[&name("set_for_covered_usage")]);
    of_1_4("{}", &[&name("programs"), &name("names_the_program")]);
    of_1_4(r#"{"CommitmentPrograms": []}"#, &[&name("a_program"), &name("names_the_program")]);
    of_1_4(r#"{"CommitmentPrograms": [{"ProgramType": "Spend"}]}"#, &[&name("names_the_program")]);
    of_1_4(r#"{"CommitmentPrograms": [{"ProgramType": "Reserved"}, {"ProgramType": 3}]}"#, &[&name("members")]);
    of_1_4(
        r#"{"CommitmentPrograms": [{"ProgramType": "Reserved", "Term": "1 year"}], "Own": 1}"#,
        &[&name("member_keys"), &name("keys")],
    );
}

#[test]
fn a_commitment_is_the_resource_of_its_own_charges() {
    let unused =
        [&COVERED[..], &[("CommitmentDiscountStatus", "Unused"), ("ConsumedQuantity", ""), ("ConsumedUnit", "")]]
            .concat();
    breaks(&unused, &[], &["CommitmentDiscountId.resource_when_unused"]);
    keeps(&[&unused[..], &[("ResourceId", "ri")]].concat());
    let purchase = [
        &unused[..],
        &[
            ("ChargeCategory", "Purchase"),
            ("ChargeFrequency", "One-Time"),
            ("CommitmentDiscountStatus", ""),
            ("EffectiveCost", "0"),
            ("PricingCurrencyEffectiveCost", "0"),
        ],
    ]
    .concat();
    breaks(&purchase, &[], &["CommitmentDiscountId.resource_of_its_purchase"]);
    keeps(&[&purchase[..], &[("ResourceId", "ri")]].concat());
    // A purchase that an existing commitment pays for.
    keeps(&[&purchase[..], &[("PricingCategory", "Committed")]].concat());
}

const ADJUSTMENT: [(&str, &str); 15] = [
    ("ChargeCategory", "Adjustment"),
    ("SkuId", ""),
    ("SkuMeter", ""),
    ("SkuPriceId", ""),
    ("ConsumedQuantity", ""),
    ("ConsumedUnit", ""),
    ("ContractedUnitPrice", ""),
    ("ListUnitPrice", ""),
    ("PricingCategory", ""),
    ("PricingCurrencyContractedUnitPrice", ""),
    ("PricingCurrencyListUnitPrice", ""),
    ("PricingQuantity", ""),
    ("PricingUnit", ""),
    ("HostProviderName", ""),
    ("ResourceName", ""),
];

/// Since 1.3; 1.2 allows them.
#[test]
fn what_has_no_sku_price_has_no_price_and_no_quantity() {
    keeps(&ADJUSTMENT);
    for (column, cell, rules) in [
        ("ContractedUnitPrice", "0.5", &["ContractedUnitPrice.null_without_SkuPriceId"][..]),
        ("ListUnitPrice", "0.5", &["ListUnitPrice.null_without_SkuPriceId"]),
        ("PricingCategory", "Other", &["PricingCategory.null_without_SkuPriceId"]),
        ("PricingCurrencyContractedUnitPrice", "0.5", &["PricingCurrencyContractedUnitPrice.null_without_SkuPriceId"]),
        ("PricingCurrencyListUnitPrice", "0.5", &["PricingCurrencyListUnitPrice.null_without_SkuPriceId"]),
        ("PricingQuantity", "3", &["PricingQuantity.null_without_SkuPriceId", "PricingUnit.set_with_PricingQuantity"]),
    ] {
        let changes = but(ADJUSTMENT, column, cell);
        breaks(&changes, rules, rules);
        let of_1_2: Vec<&str> = rules.iter().copied().filter(|rule| !rule.ends_with("SkuPriceId")).collect();
        check_row(V1_2, &changes, &of_1_2);
    }
    let corrected =
        [("ChargeClass", "Correction"), ("SkuPriceId", ""), ("ContractedUnitPrice", ""), ("ListUnitPrice", "")];
    let left = [
        "ConsumedQuantity.null_without_SkuPriceId",
        "PricingCategory.null_without_SkuPriceId",
        "PricingCurrencyContractedUnitPrice.null_without_SkuPriceId",
        "PricingCurrencyListUnitPrice.null_without_SkuPriceId",
        "PricingQuantity.null_without_SkuPriceId",
    ];
    breaks(&corrected, &left, &left);
    // What must have a SKU price is at fault for that only.
    let missing = ["SkuPriceId.set_for_priced_charges"];
    breaks(&[("SkuPriceId", "")], &missing, &missing);
}

#[test]
fn what_has_a_sku_price_has_its_unit_prices() {
    let columns =
        ["ContractedUnitPrice", "ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyListUnitPrice"];
    for column in columns {
        let changes = [("ChargeClass", "Correction"), (column, "")];
        let rule = format!("{column}.set_with_SkuPriceId");
        breaks(&changes, &[&rule], &[&rule]);
        check_row(V1_2, &changes, &[]);
    }
    check_row(V1_2, &[("PricingCurrencyListUnitPrice", "")], &["PricingCurrencyListUnitPrice.set_for_priced_charges"]);
    let without_column =
        csv(V1_3, &[changed(&but(ADJUSTMENT, "ListUnitPrice", "0.5"))]).replace("SkuPriceId", "x_SkuPriceId");
    let report = check_text(Some(V1_3), &without_column);
    assert!(report.rules_untested.contains(&"ListUnitPrice.null_without_SkuPriceId".to_owned()), "{report:?}");
    assert_eq!(found(&report), [""; 0]);
}

/// Up to 1.2 corrections may differ from price times quantity.
#[test]
fn costs_of_corrections_are_price_times_quantity() {
    let changes = [("ChargeClass", "Correction"), ("ListCost", "9"), ("ContractedCost", "9")];
    let rules = ["ContractedCost.price_times_quantity_of_corrections", "ListCost.price_times_quantity_of_corrections"];
    breaks(&changes, &rules, &rules);
    check_row(V1_2, &changes, &[]);
}

#[test]
fn amounts_of_1_4_agree() {
    let tax =
        [&ADJUSTMENT[..], &[("ChargeCategory", "Tax"), ("EffectiveCost", "1"), ("PricingCurrencyEffectiveCost", "1")]]
            .concat();
    breaks(&tax, &[], &["EffectiveCost.billed_for_taxes"]);
    breaks(
        &[("PricingCurrencyEffectiveCost", "1.60")],
        &[],
        &["PricingCurrencyEffectiveCost.effective_in_one_currency"],
    );
    keeps(&[("PricingCurrencyEffectiveCost", "1.60"), ("PricingCurrency", "EUR")]);
    breaks(&[("InvoiceDetailId", "d")], &[], &["InvoiceDetailId.null_without_InvoiceId"]);
    breaks(&[("InvoiceId", "i")], &[], &["InvoiceDetailId.set_with_InvoiceId"]);
    keeps(&[("InvoiceId", "i"), ("InvoiceDetailId", "d")]);
}

/// Also in 1.2.
#[test]
fn properties_of_skus_and_quantities_of_commitments_are_checked() {
    check_row(V1_2, &[("SkuPriceDetails", r#"{"CoreCount": 4, "x_Fast": true, "DiskType": "SSD"}"#)], &[]);
    check_row(V1_2, &[("SkuPriceDetails", r#"{"Cores": 4}"#)], &["SkuPriceDetails.keys"]);
    check_row(V1_4, &[("SkuPriceDetails", r#"{"CoreCount": "4"}"#)], &["SkuPriceDetails.types"]);
    check_row(V1_1, &[("SkuPriceDetails", r#"{"Cores": 4}"#)], &[]);
    let credit = [&ADJUSTMENT[..], &COVERED[..]].concat();
    let quantity = "CommitmentDiscountQuantity.null_for_other_charges";
    let without_price = "CommitmentDiscountQuantity.null_without_SkuPriceId";
    check_row(V1_2, &credit, &[quantity]);
    check_row(V1_3, &credit, &[quantity, without_price]);
}
