//! Rows of reports and what becomes of them.

use csv::StringRecord;
use inventories::billing::closed_lists::Pricing;
use rust_decimal::Decimal;

use super::*;

const GOOD: [(&str, &str); 15] = [
    ("lineItem/UsageStartDate", "2026-01-18T00:00:00Z"),
    ("lineItem/UsageEndDate", "2026-01-19T00:00:00Z"),
    ("bill/BillingPeriodStartDate", "2026-01-01T00:00:00Z"),
    ("bill/BillingPeriodEndDate", "2026-02-01T00:00:00Z"),
    ("bill/PayerAccountId", "722183438864"),
    ("lineItem/UsageAccountId", "55413496693"),
    ("lineItem/LineItemType", "Usage"),
    ("lineItem/UnblendedCost", "1.5"),
    ("lineItem/CurrencyCode", "usd"),
    ("lineItem/ProductCode", "AmazonEC2"),
    ("lineItem/AvailabilityZone", "us-west-2-lax-1a"),
    ("lineItem/UsageAmount", "24"),
    ("reservation/ReservationARN", ""),
    ("reservation/EffectiveCost", ""),
    ("resourceTags/user:app", "pixel"),
];

/// A row that differs from the good one in these cells; a column that is not there is added.
fn read(cells: &[(&str, &str)]) -> Result<(CostFact, RowDetail), Refusal> {
    read_by(cells).1
}

fn read_by(cells: &[(&str, &str)]) -> (CurReader, Result<(CostFact, RowDetail), Refusal>) {
    let mut all: Vec<(&str, &str)> = GOOD.to_vec();
    for (column, cell) in cells {
        match all.iter_mut().find(|(name, _)| name == column) {
            Some(known) => known.1 = cell,
            None => all.push((column, cell)),
        }
    }
    let (columns, cells): (Vec<_>, Vec<_>) = all.into_iter().map(|(c, v)| (c.to_owned(), v.to_owned())).unzip();
    let mut reader = CurReader::new(&columns, "d/f".into());
    let row = reader.read(Row::Csv(&StringRecord::from(cells))).map(|row| (row.fact, row.detail));
    (reader, row)
}

#[test]
fn a_row_becomes_a_fact() {
    let fact = read(&[]).unwrap().0;
    assert_eq!((&*fact.charge.billing_period, &*fact.charge.account_id), ("2026-01", "055413496693"));
    assert_eq!((&*fact.charge.currency, fact.charge.currency_defaulted), ("USD", false));
    assert_eq!((fact.charge.region.as_deref(), fact.charge.service.as_deref()), (Some("us-west-2"), Some("ec2")));
    assert_eq!((fact.charge.line_item_type.as_deref(), fact.charge.charge_category.as_str()), (Some("Usage"), "Usage"));
    assert_eq!([fact.cost_net, fact.cost_amortized, fact.cost_blended], [Decimal::new(15, 1); 3]);
    assert!(!fact.model_fallback && !fact.charge.unknown_type && !fact.charge.is_correction);
    assert_eq!(fact.charge.tags.known().unwrap().get("app").map(String::as_str), Some("pixel"));
    assert_eq!((&*fact.charge.cloud, fact.charge.pricing, fact.quantity), ("aws", Pricing::Standard, Some(24.into())));
}

#[test]
fn a_split_line_item_tells_its_share_of_the_parent_and_charges_nothing_itself() {
    let split = |cells: &[(&'static str, &'static str)]| {
        let of_pod = [
            ("lineItem/UnblendedCost", "0"),
            ("lineItem/ResourceId", "arn:aws:eks:us-east-1:1:pod/c/ns/web/7f"),
            ("splitLineItem/ParentResourceId", "i-0abc"),
        ];
        read(&[&of_pod[..], cells].concat()).unwrap().0
    };
    let fact = split(&[("splitLineItem/SplitCost", "0.4"), ("splitLineItem/UnusedCost", "0.1")]);
    let share = fact.split.unwrap();
    assert_eq!((fact.cost_unblended, fact.cost_amortized), (Decimal::ZERO, Decimal::ZERO));
    assert_eq!(
        (&*share.resource_id, share.parent_id.as_deref()),
        ("arn:aws:eks:us-east-1:1:pod/c/ns/web/7f", Some("i-0abc"))
    );
    let half = Some(Decimal::new(5, 1));
    assert_eq!([share.amortized, share.net, share.unblended, share.blended], [half, half, None, None]);
    assert_eq!(share.tags, fact.charge.tags);
    let with_discount = split(&[
        ("splitLineItem/SplitCost", "0.4"),
        ("splitLineItem/NetSplitCost", "0.3"),
        ("splitLineItem/NetUnusedCost", ""),
    ]);
    let share = with_discount.split.unwrap();
    assert_eq!([share.amortized, share.net], [Some(Decimal::new(4, 1)), Some(Decimal::new(3, 1))]);
    // Without an amount, or without a parent (tasks of Fargate are charged themselves), nothing is split off.
    assert_eq!(split(&[("splitLineItem/SplitCost", "")]).split, None);
    assert_eq!(split(&[("splitLineItem/ParentResourceId", ""), ("splitLineItem/SplitCost", "1")]).split, None);
    assert_eq!(
        read(&[("splitLineItem/ParentResourceId", "i-0abc"), ("splitLineItem/SplitCost", "1")]).unwrap().0.split,
        None
    );
    let refusal = read(&[
        ("lineItem/ResourceId", "pod"),
        ("splitLineItem/ParentResourceId", "i-0abc"),
        ("splitLineItem/UnusedCost", "x"),
    ]);
    assert_eq!(refusal.unwrap_err().reason, Reason::BadDecimal);
}

#[test]
fn the_first_failed_check_is_the_reason() {
    let all_bad = [
        ("lineItem/UsageEndDate", "soon"),
        ("lineItem/UsageAccountId", ""),
        ("lineItem/UnblendedCost", "abc"),
        ("reservation/EffectiveCost", "NaN"),
    ];
    let reasons = [Reason::BadTimestamp, Reason::MissingAccount, Reason::BadDecimal, Reason::BadDecimal];
    for (first, reason) in reasons.into_iter().enumerate() {
        let refusal = read(&all_bad[first..]).unwrap_err();
        assert_eq!(refusal.reason, reason, "{refusal:?}");
    }
    let cases = [
        ("lineItem/UsageStartDate", "", Reason::BadTimestamp),
        ("bill/BillingPeriodEndDate", "01/02/2026", Reason::BadTimestamp),
        ("bill/PayerAccountId", "7.22183E+11", Reason::BadAccount),
        ("lineItem/UsageAccountId", "55413496693.0", Reason::BadAccount),
        ("lineItem/CurrencyCode", "CNH", Reason::UnknownCurrency),
        ("lineItem/UnblendedCost", "", Reason::MissingCost),
        ("lineItem/UnblendedCost", "1e26", Reason::BadDecimal),
        ("pricing/publicOnDemandCost", "1,5", Reason::BadDecimal),
        ("lineItem/BlendedCost", "x", Reason::BadDecimal),
        ("lineItem/NetUnblendedCost", "inf", Reason::BadDecimal),
        ("savingsPlan/UsedCommitment", "1,5", Reason::BadDecimal),
    ];
    for (column, cell, reason) in cases {
        assert_eq!(read(&[(column, cell)]).unwrap_err().reason, reason, "{column} {cell}");
    }
}

#[test]
fn what_is_not_said_has_a_default_and_is_counted() {
    let cells = [("lineItem/CurrencyCode", " "), ("lineItem/LineItemType", "SomethingNew")];
    let (reader, row) = read_by(&cells);
    let fact = row.unwrap().0;
    assert_eq!((&*fact.charge.currency, fact.charge.currency_defaulted, fact.charge.unknown_type), ("USD", true, true));
    assert_eq!(
        (fact.charge.line_item_type.as_deref(), fact.charge.charge_category.as_str()),
        (Some("SomethingNew"), "Usage")
    );
    assert_eq!(reader.observed.currency_defaulted, 1);
    assert_eq!(reader.observed.unlisted_values["line_item_line_item_type"]["SomethingNew"], 1);
    let (reader, row) = read_by(&[("lineItem/LineItemType", "DiscountedUsage")]);
    let fact = row.unwrap().0;
    assert_eq!((fact.model_fallback, fact.cost_amortized), (true, fact.cost_unblended));
    assert_eq!(reader.observed.model_fallback, 1);
    let blank = read(&[("lineItem/LineItemType", "")]).unwrap().0;
    assert_eq!((blank.charge.line_item_type.as_deref(), blank.charge.unknown_type), (Some("Usage"), false));
}

#[test]
fn regions_are_read_in_order() {
    let product = ("product", r#"{"region":"EU-West-1","product_name":"x"}"#);
    let check = |cells: &[(&str, &str)], expected: Option<&str>| {
        let fact = read(cells).unwrap().0;
        assert_eq!(fact.charge.region.as_deref(), expected, "{cells:?}");
    };
    check(&[("product/regionCode", "us-east-1"), ("product/region", "x"), product], Some("us-east-1"));
    check(&[("product/regionCode", ""), ("product/region", "Us-East-2"), product], Some("us-east-2"));
    check(&[("product/region", ""), product], Some("eu-west-1"));
    check(&[("product", r#"{"product_name":"x"}"#)], Some("us-west-2"));
    check(&[("product", "{oops"), ("lineItem/AvailabilityZone", "")], None);
}

#[test]
fn tags_come_from_columns_and_maps() {
    let tags = |cells: &[(&str, &str)]| {
        let fact = read(cells).unwrap().0;
        fact.charge.tags.known().map(|tags| tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(","))
    };
    assert_eq!(
        tags(&[("resourceTags/aws:createdBy", " x "), ("resourceTags/user:e", " ")]).unwrap(),
        "app=pixel,aws:createdBy= x "
    );
    let maps = [
        ("resource_tags", r#"{"user_name":"a","aws_created_by":"b","user_blank":""}"#),
        ("tags", r#"{"resourceTags/team":"c","accountTag/x":"d","userAttribute/y":"e","costCategory/z":"f"}"#),
    ];
    assert_eq!(tags(&maps).unwrap(), "app=pixel,aws_created_by=b,name=a,team=c");
    assert_eq!(tags(&[("resourceTags/user:app", "")]).unwrap(), "");
    assert_eq!(tags(&[("resource_tags", "{oops")]), None);
}

#[test]
fn a_bill_without_tags_tells_none() {
    let columns: Vec<_> = GOOD[..14].iter().map(|(column, _)| (*column).to_owned()).collect();
    let cells = StringRecord::from(GOOD[..14].iter().map(|(_, cell)| *cell).collect::<Vec<_>>());
    let mut reader = CurReader::new(&columns, "d/f".into());
    assert_eq!(reader.read(Row::Csv(&cells)).unwrap().fact.charge.tags, RowTags::Unknown);
    assert!(reader.observed.unreadable_cells.is_empty(), "there was nothing to read");
}

#[test]
fn prices_are_of_the_kind_that_focus_says() {
    let pricing = |line_type, usage_type| pricing(line_type, Some(usage_type), None);
    assert_eq!(pricing(Some(LineType::Usage), "USW2-BoxUsage:m5.large"), Pricing::Standard);
    assert_eq!(pricing(Some(LineType::Usage), "USW2-SpotUsage:m5.large"), Pricing::Dynamic);
    assert_eq!(pricing(Some(LineType::DiscountedUsage), ""), Pricing::Committed);
    assert_eq!(pricing(Some(LineType::SavingsPlanCoveredUsage), ""), Pricing::Committed);
    assert_eq!(pricing(None, ""), Pricing::Unknown);
}

#[test]
fn a_split_line_item_may_leave_its_cost_blank() {
    let of_pod = [
        ("lineItem/UnblendedCost", ""),
        ("lineItem/ResourceId", "arn:aws:eks:us-east-1:1:pod/c/ns/web/7f"),
        ("splitLineItem/ParentResourceId", "i-0abc"),
        ("splitLineItem/SplitCost", "0.4"),
    ];
    let fact = read(&of_pod).unwrap().0;
    assert_eq!([fact.cost_unblended, fact.cost_net, fact.cost_amortized, fact.cost_blended], [Decimal::ZERO; 4]);
    assert_eq!(fact.split.unwrap().amortized, Some(Decimal::new(4, 1)));
    assert_eq!(read(&of_pod[..2]).unwrap_err().reason, Reason::MissingCost, "any other line has a cost");
}

#[test]
fn a_public_price_in_another_currency_than_the_bill_is_unknown() {
    let price = |cells: &[(&'static str, &'static str)]| {
        read(&[&[("pricing/publicOnDemandRate", "0.1")], cells].concat()).unwrap().1.unit_price
    };
    assert_eq!([price(&[]), price(&[("pricing/currency", "USD")])], [Some(Decimal::new(1, 1)); 2]);
    assert_eq!(price(&[("pricing/currency", "USD"), ("lineItem/CurrencyCode", "INR")]), None);
}

#[test]
fn usage_of_another_year_than_its_billing_period_is_counted() {
    let far = |cells: &[(&str, &str)]| read_by(cells).0.observed.usage_far_from_period;
    let at = |start| [("lineItem/UsageStartDate", start), ("lineItem/UsageEndDate", "")];
    let counted = ["2026-01-18", "2025-11-01", "2026-04-03", "2025-10-30", "2026-04-04", "2025-01-18"];
    assert_eq!(counted.map(|start| far(&at(start))), [0, 0, 0, 1, 1, 1]);
    let fee = [("lineItem/LineItemType", "RIFee"), ("lineItem/UsageStartDate", "2024-01-18")];
    assert_eq!(far(&fee), 0, "a purchase may be of years ago");
}
