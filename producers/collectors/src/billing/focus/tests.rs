//! FOCUS rows of every kind.

use csv::StringRecord;

use super::*;

const HEADER: [&str; 12] = [
    "billedcost",
    "EffectiveCost",
    "BillingCurrency",
    "SubAccountId",
    "BillingAccountId",
    "ChargePeriodStart",
    "BillingPeriodStart",
    "RegionId",
    "AvailabilityZone",
    "ServiceName",
    "Tags",
    "ProviderName",
];
const GOOD: [&str; 12] = [
    "1.5",
    "NULL",
    "usd",
    "11353890204",
    "1234567890123",
    "2024-09-30 22:00:00",
    "2024-10-01 00:00:00",
    "NULL",
    "us-east-1a",
    "Amazon Elastic Compute Cloud",
    r#"{"a":"b"}"#,
    "AWS",
];

fn read(cells: [&str; 12]) -> Result<(CostFact, RowDetail), Refusal> {
    let mut reader = FocusReader::new(&HEADER.map(str::to_owned), "d/f".into());
    let row = reader.read(Row::Csv(&StringRecord::from(cells.to_vec())))?;
    Ok((row.fact, row.detail))
}

fn with(column: &str, cell: &'static str) -> [&'static str; 12] {
    let mut cells = GOOD;
    cells[HEADER.iter().position(|name| *name == column).unwrap()] = cell;
    cells
}

#[test]
fn a_row_becomes_a_fact() {
    let (fact, _) = read(GOOD).unwrap();
    assert_eq!(fact.charge.billing_period, "2024-10");
    assert_eq!(
        (&*fact.charge.account_id, fact.charge.payer_account_id.as_deref()),
        ("011353890204", Some("1234567890123"))
    );
    assert_eq!((&*fact.charge.currency, fact.charge.region.as_deref()), ("USD", Some("us-east-1")));
    assert_eq!(fact.charge.service.as_deref(), Some("ec2"));
    assert_eq!((fact.cost_amortized, fact.model_fallback), (Decimal::new(15, 1), true));
    assert_eq!(fact.charge.tags.known().unwrap().get("a").map(String::as_str), Some("b"));
    assert_eq!(&*fact.charge.cloud, "aws");
}

#[test]
fn an_allocated_charge_is_a_part_of_the_charge_of_its_resource() {
    let columns: Vec<String> =
        HEADER.iter().chain(&["ResourceId", "AllocatedResourceId", "AllocatedTags"]).map(|c| (*c).to_owned()).collect();
    let read = |cells: [&str; 3]| {
        let all: Vec<&str> = GOOD.iter().copied().chain(cells).collect();
        FocusReader::new(&columns, "d/f".into()).read(Row::Csv(&StringRecord::from(all))).unwrap().fact
    };
    let fact = read(["i-0abc", "pod-1", r#"{"app":"web"}"#]);
    let part = fact.split.unwrap();
    assert_eq!((&*part.resource_id, part.parent_id.as_deref()), ("pod-1", Some("i-0abc")));
    assert_eq!(part.tags.known().unwrap().get("app").map(String::as_str), Some("web"));
    assert_eq!([part.unblended, part.net, part.amortized, part.blended], [Some(fact.cost_unblended); 4]);
    assert_eq!(read(["i-0abc", "", ""]).split, None);
    assert_eq!(read(["i-0abc", "pod-1", ""]).split.unwrap().tags, RowTags::default());
}

#[test]
fn the_first_failed_check_is_the_reason() {
    let cases = [
        ("ChargePeriodStart", "", Reason::BadTimestamp),
        ("BillingPeriodStart", "soon", Reason::BadTimestamp),
        ("BillingCurrency", "NULL", Reason::MissingCurrency),
        ("BillingCurrency", "CNH", Reason::UnknownCurrency),
        ("billedcost", "abc", Reason::BadDecimal),
        ("billedcost", "", Reason::MissingCost),
        ("EffectiveCost", "NaN", Reason::BadDecimal),
        ("SubAccountId", "1.11122E+11", Reason::BadAccount),
        ("BillingAccountId", "1234567890123.0", Reason::BadAccount),
    ];
    for (column, cell, reason) in cases {
        let refusal = read(with(column, cell)).unwrap_err();
        assert_eq!((refusal.reason, refusal.column.to_lowercase()), (reason, column.to_lowercase()), "{cell}");
    }
    let mut cells = with("SubAccountId", "");
    cells[4] = " ";
    assert_eq!(read(cells).unwrap_err().reason, Reason::MissingAccount);
    cells[5] = "x";
    assert_eq!(read(cells).unwrap_err().reason, Reason::BadTimestamp);
}

#[test]
fn a_refusal_tells_the_value() {
    let refusal = read(with("ChargePeriodStart", "09/03/2026")).unwrap_err();
    assert_eq!(refusal.value.as_deref(), Some("\"09/03/2026\""));
    assert_eq!(read(with("billedcost", "")).unwrap_err().value, None);
}

#[test]
fn unreadable_tags_are_unknown_not_absent() {
    let mut reader = FocusReader::new(&HEADER.map(str::to_owned), "d/f".into());
    let mut read = |cell| {
        let record = StringRecord::from(with("Tags", cell).to_vec());
        reader.read(Row::Csv(&record)).unwrap().fact.charge.tags.clone()
    };
    assert_eq!([read("{oops"), read("{oops")], [RowTags::Unknown, RowTags::Unknown]);
    for none in ["", "NULL", "None", "{}", "[]"] {
        assert_eq!(read(none), RowTags::default(), "{none}");
    }
    assert_eq!(reader.observed.unreadable_cells["Tags"], 2);
}

#[test]
fn an_end_before_the_start_is_unknown() {
    let header: Vec<String> = HEADER.into_iter().chain(["ChargePeriodEnd"]).map(str::to_owned).collect();
    let mut reader = FocusReader::new(&header, "d/f".into());
    let mut read = |end| {
        let record = StringRecord::from([GOOD.as_slice(), &[end]].concat());
        let end_ms = reader.read(Row::Csv(&record)).unwrap().fact.usage_end_ms;
        reader.observed.note_place("f.csv", 7);
        end_ms.is_some()
    };
    assert_eq!([read("2020-01-01T00:00:00Z"), read("2099-01-01T00:00:00Z")], [false, true]);
    let said = reader.observed.lines().join("\n");
    assert!(said.contains("ChargePeriodEnd could not be used in 1 row(s), the first is row 7 of f.csv"), "{said}");
}

#[test]
fn a_column_without_money_never_stops_a_load() {
    let header = HEADER.map(str::to_owned);
    let at = |name: &str| HEADER.iter().position(|column| *column == name).unwrap();
    let mut reader = FocusReader::new(&header, "d/f".into());
    assert_eq!(reader.unreadable(at("RegionId"), "RegionId", "a list"), Ok(()));
    assert_eq!(reader.unreadable(at("Tags"), "Tags", "a list"), Ok(()));
    assert_eq!(reader.unreadable(at("billedcost"), "billedcost", "a list"), Err("decimal numbers"));
    assert_eq!(reader.unreadable(at("SubAccountId"), "SubAccountId", "a list"), Err("account ids as text"));
    let record = StringRecord::from(with("Tags", "").to_vec());
    assert_eq!(reader.read(Row::Csv(&record)).unwrap().fact.charge.tags, RowTags::Unknown);
}

/// What a row of these columns and cells says its cloud is.
fn cloud(cells: &[(&str, &str)]) -> String {
    let bill = HEADER.iter().zip(GOOD).take(11);
    let (columns, cells): (Vec<_>, Vec<_>) = bill.map(|(c, v)| (*c, v)).chain(cells.iter().copied()).unzip();
    let columns: Vec<_> = columns.into_iter().map(str::to_owned).collect();
    let record = StringRecord::from(cells);
    FocusReader::new(&columns, "d/f".into()).read(Row::Csv(&record)).unwrap().fact.charge.cloud.to_string()
}

#[test]
fn the_provider_is_read_under_all_its_names() {
    let cases: [(&[(&str, &str)], &str); 11] = [
        (&[("ServiceProviderName", "Databricks"), ("ProviderName", "AWS"), ("HostProviderName", "AWS")], "databricks"),
        (&[("ServiceProviderName", "Databricks"), ("HostProviderName", "AWS")], "databricks"),
        // Bought at a marketplace, and bought from the vendor.
        (&[("ServiceProviderName", "Databricks"), ("InvoiceIssuerName", "Amazon Web Services, Inc.")], "aws"),
        (&[("ServiceProviderName", "Databricks"), ("InvoiceIssuerName", "Databricks")], "databricks"),
        (&[("ServiceProviderName", ""), ("ProviderName", "AWS")], "aws"),
        (&[("HostProviderName", "Google Cloud")], "gcp"),
        (&[("Provider", "Microsoft")], "azure"),
        (&[("InvoiceIssuerName", "Amazon Web Services, Inc."), ("PublisherName", "Vendor")], "aws"),
        (&[("InvoiceIssuerName", "Reseller GmbH"), ("PublisherName", "Microsoft Corporation")], "azure"),
        (&[("InvoiceIssuerName", "Reseller GmbH")], "unknown"),
        (&[], "unknown"),
    ];
    for (cells, expected) in cases {
        assert_eq!(cloud(cells), expected, "{cells:?}");
    }
}

#[test]
fn spelling_of_closed_lists_does_not_matter() {
    let columns = ["ChargeCategory", "ChargeClass", "PricingCategory", "CommitmentDiscountStatus"];
    let mut header = HEADER.to_vec();
    header.extend(columns);
    let header: Vec<_> = header.into_iter().map(str::to_owned).collect();
    let mut reader = FocusReader::new(&header, "d/f".into());
    let mut read = |cells: [&str; 4]| {
        let record = StringRecord::from([GOOD.as_slice(), &cells].concat());
        let row = reader.read(Row::Csv(&record)).unwrap();
        (row.fact, row.detail)
    };
    let (fact, _) = read(["tax", "CORRECTION", "commitment based", "un_used"]);
    assert_eq!((fact.charge.charge_category.as_str(), fact.charge.is_correction), ("Tax", true));
    assert_eq!(fact.charge.pricing, Pricing::Committed);
    assert!(fact.charge.commitment_status.clone().unwrap().is(CommitmentStatus::Unused));
    let (fact, _) = read(["Surcharge", "", "Spot", ""]);
    assert_eq!((fact.charge.charge_category.as_str(), fact.charge.pricing), ("Surcharge", Pricing::Unknown));
    assert!(fact.charge.is_class_stated && !read(["Usage", "Corrected", "", ""]).0.charge.is_class_stated);
    assert!(
        !self::read(GOOD).unwrap().0.charge.is_class_stated,
        "without the column a correction looks like any other row"
    );
    let unlisted = &reader.observed.unlisted_values;
    assert_eq!((unlisted["ChargeCategory"]["Surcharge"], unlisted["PricingCategory"]["Spot"]), (1, 1));
    assert_eq!(unlisted["ChargeClass"]["Corrected"], 1);
}

/// A good row with these cells in further columns.
fn read_more(cells: &[(&str, &str)]) -> Result<(CostFact, RowDetail), Refusal> {
    let columns: Vec<String> = HEADER.iter().copied().chain(cells.iter().map(|(c, _)| *c)).map(str::to_owned).collect();
    let all: Vec<&str> = GOOD.iter().copied().chain(cells.iter().map(|(_, cell)| *cell)).collect();
    let row = FocusReader::new(&columns, "d/f".into()).read(Row::Csv(&StringRecord::from(all)))?;
    Ok((row.fact, row.detail))
}

#[test]
fn costs_that_no_cost_model_needs_must_be_decimals_too() {
    for column in ["ListCost", "ContractedCost"] {
        let refusal = read_more(&[(column, "1,5")]).unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.column, refusal.value.as_deref()),
            (Reason::BadDecimal, column, Some("\"1,5\""))
        );
        assert!(read_more(&[(column, "")]).is_ok() && read_more(&[(column, "NULL")]).is_ok());
    }
}

#[test]
fn a_public_price_is_one_in_the_billing_currency_or_unknown() {
    let price =
        |cells: &[(&str, &str)]| read_more(cells).unwrap().1.unit_price.map(|price| price.normalize().to_string());
    let own = [("ListUnitPrice", "0.1"), ("PricingCurrency", "usd")];
    let other = [("ListUnitPrice", "0.1"), ("PricingCurrency", "EUR")];
    let more = |cells: &[(&'static str, &'static str)]| price(&[&other[..], cells].concat());
    assert_eq!([price(&own), price(&own[..1])].map(|price| price.unwrap()), ["0.1", "0.1"]);
    assert_eq!(more(&[]), None, "the file does not say that it is converted");
    assert_eq!(more(&[("PricingCurrencyListUnitPrice", "0.09")]).as_deref(), Some("0.1"), "it gives both");
    assert_eq!(more(&[("PricingCurrencyListUnitPrice", "0.1")]), None, "the same figure in two currencies");
    assert_eq!(
        more(&[("ListCost", "3"), ("PricingQuantity", "25")]).as_deref(),
        Some("0.12"),
        "costs are in the billing currency"
    );
    assert_eq!([more(&[("ListCost", "3")]), more(&[("ListCost", "3"), ("PricingQuantity", "0")])], [None, None]);
}
