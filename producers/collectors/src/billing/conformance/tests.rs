//! Files that keep each version, and what is reported of those that do not.

use std::collections::BTreeMap;

use platform::progress::Silent;

use super::FocusVersion::{V1_0, V1_1, V1_2, V1_3, V1_4};
use super::*;

mod newer;

/// A row that keeps every version.
fn usage() -> BTreeMap<&'static str, &'static str> {
    let cells = [
        ("BilledCost", "1.50"),
        ("BillingAccountId", "111122223333"),
        ("BillingAccountName", "Main"),
        ("BillingAccountType", "Payer"),
        ("BillingCurrency", "USD"),
        ("BillingPeriodEnd", "2024-10-01T00:00:00Z"),
        ("BillingPeriodStart", "2024-09-01T00:00:00Z"),
        ("ChargeCategory", "Usage"),
        ("ChargeDescription", "an hour"),
        ("ChargeFrequency", "Usage-Based"),
        ("ChargePeriodEnd", "2024-09-02T00:00:00Z"),
        ("ChargePeriodStart", "2024-09-01T00:00:00Z"),
        ("ConsumedQuantity", "3"),
        ("ConsumedUnit", "Hours"),
        ("ContractedCost", "1.50"),
        ("ContractedUnitPrice", "0.5"),
        ("EffectiveCost", "1.50"),
        ("HostProviderName", "AWS"),
        ("InvoiceIssuerName", "AWS"),
        ("ListCost", "1.50"),
        ("ListUnitPrice", "0.5"),
        ("PricingCategory", "Standard"),
        ("PricingCurrency", "USD"),
        ("PricingCurrencyContractedUnitPrice", "0.5"),
        ("PricingCurrencyEffectiveCost", "1.50"),
        ("PricingCurrencyListUnitPrice", "0.5"),
        ("PricingQuantity", "3"),
        ("PricingUnit", "Hours"),
        ("ProviderName", "AWS"),
        ("PublisherName", "AWS"),
        ("RegionId", "eu-west-3"),
        ("RegionName", "Paris"),
        ("ResourceId", "i-1"),
        ("ResourceType", "Instance"),
        ("ServiceCategory", "Compute"),
        ("ServiceName", "EC2"),
        ("ServiceProviderName", "AWS"),
        ("ServiceSubcategory", "Virtual Machines"),
        ("SkuId", "s"),
        ("SkuMeter", "BoxUsage"),
        ("SkuPriceId", "p"),
        ("Tags", r#"{"a": "b"}"#),
    ];
    cells.into()
}

type Cells = BTreeMap<&'static str, &'static str>;

fn csv(version: FocusVersion, rows: &[Cells]) -> String {
    let columns: Vec<_> = COLUMNS.iter().filter(|column| column.is_in(version)).map(|column| column.name).collect();
    let line = |row: &Cells| {
        let cells = columns.iter().map(|name| row.get(name).copied().unwrap_or_default().replace('"', "\"\""));
        cells.map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(",")
    };
    let lines: Vec<String> = std::iter::once(columns.join(",")).chain(rows.iter().map(line)).collect();
    lines.join("\n")
}

fn check_text(version: Option<FocusVersion>, text: &str) -> FocusConformance {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let options = CheckOptions { version, source_name: None };
    check(&[file.path().to_owned()], &options, &progress, &Shutdown::new()).unwrap()
}

fn found(report: &FocusConformance) -> Vec<&str> {
    report.violations.iter().map(|violation| violation.rule.as_str()).collect()
}

fn changed(changes: &[(&'static str, &'static str)]) -> Cells {
    let mut row = usage();
    row.extend(changes.iter().copied());
    row
}

#[test]
fn a_dataset_that_keeps_a_version_has_no_violation() {
    for version in FocusVersion::ALL {
        let report = check_text(None, &csv(version, &[usage()]));
        assert_eq!(found(&report), [""; 0], "{version:?}");
        assert_eq!(report.files[0].version, version.as_str());
        assert!(report.rules_tested > 70 && report.rows == 1 && report.is_conformant(), "{report:?}");
    }
}

/// A second row with these changes does not keep these rules, and no others.
#[track_caller]
fn check_row(version: FocusVersion, changes: &[(&'static str, &'static str)], expected: &[&str]) {
    let report = check_text(Some(version), &csv(version, &[usage(), changed(changes)]));
    assert_eq!(found(&report), expected, "{version:?} {changes:?}");
    let is_second = |violation: &RuleViolation| {
        violation.count == 1 && (violation.first[0].row, violation.first[0].line) == (Some(2), Some(3))
    };
    assert!(report.violations.iter().all(is_second), "{report:?}");
}

#[test]
fn what_does_not_keep_a_version_is_named_with_its_rows() {
    check_row(V1_0, &[("BilledCost", "1,50")], &["BilledCost.format"]);
    check_row(V1_0, &[("BilledCost", "")], &["BilledCost.not_null"]);
    check_row(V1_0, &[("BillingCurrency", "usd")], &["BillingCurrency.format"]);
    check_row(V1_0, &[("ChargePeriodStart", "2024-09-01")], &["ChargePeriodStart.format"]);
    check_row(V1_0, &[("ChargePeriodEnd", "2024-09-01T00:00:00Z")], &["ChargePeriodEnd.after_its_start"]);
    check_row(V1_0, &[("ChargeClass", "correction")], &["ChargeClass.format"]);
    check_row(V1_0, &[("ListUnitPrice", "-0.5"), ("ListCost", "-1.5")], &["ListUnitPrice.not_negative"]);
    check_row(V1_0, &[("ListCost", "1.51")], &["ListCost.price_times_quantity"]);
    check_row(V1_0, &[("PricingUnit", "hours")], &["PricingUnit.format"]);
    check_row(V1_0, &[("ServiceCategory", "Cloud")], &["ServiceCategory.format", "ServiceCategory.one_for_a_service"]);
    check_row(V1_0, &[("Tags", "a=b")], &["Tags.format"]);
    check_row(V1_0, &[("ResourceId", "")], &["ResourceType.null_without_ResourceId"]);
    check_row(V1_0, &[("ResourceType", "")], &["ResourceType.set_with_ResourceId"]);
    check_row(V1_0, &[("SkuPriceId", "")], &["SkuPriceId.set_for_priced_charges"]);
    check_row(V1_0, &[("SkuPriceId", ""), ("ChargeClass", "Correction")], &[]);
    check_row(V1_0, &[("ConsumedQuantity", "")], &["ConsumedQuantity.set_for_usage"]);
    check_row(V1_1, &[("ConsumedQuantity", "")], &["ConsumedQuantity.set_for_used_usage"]);
    check_row(V1_2, &[("ConsumedUnit", "")], &["ConsumedUnit.set_with_ConsumedQuantity"]);
    let credit = [
        ("ChargeCategory", "Credit"),
        ("ConsumedQuantity", ""),
        ("ConsumedUnit", ""),
        ("ContractedUnitPrice", ""),
        ("ListUnitPrice", ""),
    ];
    check_row(V1_2, &credit, &[]);
    check_row(V1_0, &[&credit[..], &[("EffectiveCost", "2")]].concat(), &["EffectiveCost.billed_for_credits"]);
    check_row(V1_2, &[&credit[..], &[("ListCost", "2")]].concat(), &["ListCost.billed_for_credits"]);
    check_row(V1_1, &[("SkuId", "other")], &["SkuPriceId.one_sku"]);
    check_row(V1_0, &[("ChargeDescription", "")], &["ChargeDescription.set"]);
    check_row(V1_1, &[("SkuMeter", "")], &["SkuMeter.set_with_SkuId"]);
    check_row(
        V1_1,
        &[("ServiceSubcategory", "Caching")],
        &["ServiceSubcategory.of_its_category", "ServiceSubcategory.one_for_a_service"],
    );
    check_row(V1_2, &[("RegionName", "")], &["RegionName.set_with_RegionId"]);
}

#[test]
fn what_commitments_need_is_checked() {
    let commitment = [
        ("CommitmentDiscountId", "ri"),
        ("CommitmentDiscountCategory", "Usage"),
        ("CommitmentDiscountType", "Reserved"),
        ("CommitmentDiscountStatus", "Used"),
        ("CommitmentDiscountQuantity", "1"),
        ("CommitmentDiscountUnit", "Hours"),
    ];
    check_row(V1_2, &commitment, &[]);
    check_row(V1_0, &commitment[..4], &["PricingCategory.committed_with_a_commitment"]);
    let without = |name: &'static str| [&commitment[..], &[(name, "")]].concat();
    check_row(V1_2, &without("CommitmentDiscountStatus"), &["CommitmentDiscountStatus.set_for_usage"]);
    check_row(
        V1_2,
        &without("CommitmentDiscountUnit"),
        &["CommitmentDiscountUnit.set_with_CommitmentDiscountQuantity"],
    );
    let purchase = [
        &commitment[..],
        &[
            ("ChargeCategory", "Purchase"),
            ("ChargeFrequency", "Usage-Based"),
            ("CommitmentDiscountStatus", ""),
            ("ConsumedQuantity", ""),
            ("ConsumedUnit", ""),
        ],
    ]
    .concat();
    let expected = ["ChargeFrequency.not_usage_based_for_purchases", "EffectiveCost.zero_for_commitment_purchases"];
    check_row(V1_2, &purchase, &expected);
}

/// Whatever the lines end with, and whatever is inside cells.
#[test]
fn lines_are_those_of_an_editor() {
    let lines = changed(&[("Tags", "{\"a\": \"b\",\n\"c\": 1}")]);
    let text = csv(V1_2, &[lines, usage(), changed(&[("ListCost", "")])]);
    for text in [text.clone(), text.replace('\n', "\r\n")] {
        let report = check_text(None, &text);
        assert_eq!(found(&report), ["ListCost.not_null"]);
        assert_eq!((report.violations[0].first[0].row, report.violations[0].first[0].line), (Some(3), Some(5)));
    }
}

#[test]
fn columns_are_checked_without_rows() {
    let lacking = csv(V1_2, &[]).replace("ListCost", "listcost").replace("ServiceName", "Service");
    let report = check_text(Some(V1_2), &lacking);
    assert_eq!(found(&report), ["ListCost.spelling", "ServiceName.present", "Columns.custom_prefix"]);
    assert_eq!((report.violations[0].count, report.violations[0].first[0].row), (1, None));
    let report = check_text(Some(V1_0), &csv(V1_1, &[usage()]));
    assert!(report.is_conformant() && found(&report).contains(&"SkuMeter.of_the_version"), "{report:?}");
    let report = check_text(Some(V1_4), &csv(V1_3, &[usage()]));
    assert!(found(&report).contains(&"ProviderName.of_the_version"), "{:?}", found(&report));
}

#[test]
fn what_is_no_focus_dataset_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "a,b\n1,2\n").unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let refused = check(&[file.path().to_owned()], &CheckOptions::default(), &progress, &Shutdown::new());
    assert!(matches!(refused, Err(LoadError::FormatUnknown { .. })), "{refused:?}");
}

/// Two sources in two files: what is about rows is counted where the row is, what is about columns once for each source of the file.
#[test]
fn violations_are_counted_by_source_and_file() {
    let dir = tempfile::tempdir().unwrap();
    let other = [("BillingAccountId", "444455556666"), ("BilledCost", "x")];
    let bad = csv(V1_2, &[usage(), changed(&other), changed(&other), changed(&[("ListCost", "")])])
        .replace("ServiceName", "Service");
    let good = csv(V1_2, &[changed(&[("Tags", "{\"a\": \"two\nlines\"}"), ("BilledCost", "")])]);
    std::fs::write(dir.path().join("a.csv"), bad).unwrap();
    std::fs::write(dir.path().join("b.csv"), good).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    let options = CheckOptions { version: None, source_name: Some("daily".into()) };
    let report = check(&[dir.path().to_owned()], &options, &progress, &Shutdown::new()).unwrap();
    let by_source = |violation: &RuleViolation| {
        let counts = violation.by_source.iter().map(|source| format!("{} {}", source.source, source.count));
        format!("{} {} = {}", violation.rule, violation.count, counts.collect::<Vec<_>>().join(" + "))
    };
    assert_eq!(
        report.violations.iter().map(by_source).collect::<Vec<_>>(),
        [
            "BilledCost.not_null 1 = aws/111122223333 (daily) 1",
            "BilledCost.format 2 = aws/444455556666 (daily) 2",
            "ListCost.not_null 1 = aws/111122223333 (daily) 1",
            "ServiceName.present 1 = aws/111122223333 (daily) 1 + aws/444455556666 (daily) 1",
            "Tags.format 1 = aws/111122223333 (daily) 1",
            "Columns.custom_prefix 1 = aws/111122223333 (daily) 1 + aws/444455556666 (daily) 1",
        ]
    );
    assert_eq!(
        report.violations[1].first.iter().map(|found| (found.row, found.line)).collect::<Vec<_>>(),
        [(Some(2), Some(3)), (Some(3), Some(4))]
    );
    assert_eq!(report.sources.iter().map(|source| source.rows).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(report.files.iter().map(|file| file.rows).collect::<Vec<_>>(), [4, 1]);
}

/// Services of two providers may share a name.
#[test]
fn what_is_one_for_a_service_is_so_within_a_provider() {
    let azure = [
        ("ProviderName", "Microsoft"),
        ("ServiceProviderName", "Microsoft"),
        ("ServiceCategory", "Web"),
        ("ServiceSubcategory", "Other (Web)"),
    ];
    assert_eq!(found(&check_text(None, &csv(V1_2, &[usage(), changed(&azure)]))), [""; 0]);
    let aws = &azure[2..];
    let report = check_text(None, &csv(V1_2, &[usage(), changed(aws)]));
    assert_eq!(found(&report), ["ServiceName.one_category", "ServiceName.one_subcategory"]);
}

/// The page on conformance lists all rules about rows, in the words of reports.
#[test]
fn the_page_lists_the_rules() {
    let page = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../docs/focus-conformance.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.split("## Requirements about rows").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: Vec<&str> = rows.lines().filter(|line| line.starts_with("| `")).collect();
    let line = |at: usize| {
        let (rule, requirement) = (&RULES[at], Requirement::Row(at));
        let versions = match (rule.since.as_str(), rule.until.as_str()) {
            (since, until) if since == until => since.to_owned(),
            (since, until) => format!("{since}–{until}"),
        };
        let keyword = format!("{:?}", requirement.keyword()).to_uppercase();
        format!("| `{}` | {versions} | {keyword} | {} |", requirement.id(), requirement.described())
    };
    let rules: Vec<String> = (0..RULES.len()).map(line).collect();
    assert_eq!(listed, rules, "the page is to have:\n{}", rules.join("\n"));
}
