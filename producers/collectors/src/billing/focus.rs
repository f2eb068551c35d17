//! FOCUS 0.5 to 1.4: columns to cost facts. Newer versions renamed some columns and added others; each fact column names
//! the columns it may come from, first match wins.

use std::sync::Arc;

use contracts::service_family;
use inventories::billing::cells;
use inventories::billing::closed_lists::{
    ChargeCategory, ChargeClass, ChargeFrequency, CommitmentCategory, CommitmentStatus, ListCell, Listed, Pricing,
};
use inventories::billing::fact::{Charge, CostFact, RowDetail, SplitCost};
use inventories::billing::sku::Sku;
use inventories::billing::tags::{self, RowTags};
use rust_decimal::Decimal;

use super::clouds::Clouds;
use super::fields::{TagsCache, TimeColumns, Times, account, amount, currency, number};
use super::focus_columns::Columns;
use super::known_charges::{KnownCharge, KnownCharges, Noticed};
use super::observed::Observed;
use super::read_row::ReadRow;
use super::rejects::{Reason, Refusal};
use super::row::Row;

/// Reads FOCUS rows.
#[derive(Debug)]
pub struct FocusReader {
    columns: Columns,
    source_ref: Arc<str>,
    times: Times,
    known: KnownCharges<()>,
    tags: TagsCache,
    /// True when the column of tags has a type that cannot be read.
    are_tags_unreadable: bool,
    /// True when the file has a readable column that marks corrections.
    has_class: bool,
    clouds: Clouds,
    /// What was noticed in accepted rows.
    pub observed: Observed,
}

impl FocusReader {
    /// For a file with these columns; `source_ref` goes into every fact.
    #[must_use]
    pub fn new(columns: &[String], source_ref: Arc<str>) -> Self {
        let columns = Columns::of(columns);
        Self {
            has_class: columns.class.is_some(),
            clouds: Clouds::of(&columns),
            times: Times::default(),
            known: KnownCharges::new(columns.of_charge()),
            columns,
            source_ref,
            tags: TagsCache::default(),
            are_tags_unreadable: false,
            observed: Observed::default(),
        }
    }

    /// What a column must hold for figures to be right; `None` for all others.
    #[must_use]
    pub fn wanted(&self, column: usize) -> Option<&'static str> {
        self.columns.wanted(column)
    }

    /// Numbers of the columns that are read.
    #[must_use]
    pub fn needed(&self) -> Vec<usize> {
        self.columns.all().collect()
    }

    /// True for columns that may hold maps, structs and lists: tags, and properties of a SKU.
    #[must_use]
    pub fn takes_nested(&self, column: usize) -> bool {
        let nested = [self.columns.tags, self.columns.allocated_tags];
        nested.contains(&Some(column)) || self.columns.sku_details.contains(&Some(column))
    }

    /// A column whose type `kind` cannot be read: its cells are unknown from here on.
    ///
    /// # Errors
    /// What the column must hold, when figures would be wrong without it.
    pub fn unreadable(&mut self, column: usize, name: &str, kind: &str) -> Result<(), &'static str> {
        if let Some(wanted) = self.columns.wanted(column) {
            return Err(wanted);
        }
        self.are_tags_unreadable |= self.columns.tags == Some(column);
        self.has_class &= self.columns.class != Some(column);
        if self.observed.unreadable_columns.insert(name.to_owned(), kind.to_owned()).is_none() {
            self.known.forget();
        }
        Ok(())
    }

    /// A row.
    ///
    /// # Errors
    /// Why the row is refused: times first, then account, currency, costs.
    pub fn read(&mut self, row: Row<'_>) -> Result<ReadRow, Refusal> {
        let times = self.times.of(row, &self.time_columns())?;
        if times.ends_too_early {
            self.observed.unreadable_cell("ChargePeriodEnd");
        }
        let known = match self.known.find(row, &times.month) {
            Some(known) => known,
            None => {
                let new = self.charge(row, &times.month)?;
                self.known.add(&new);
                new
            }
        };
        let c = self.columns;
        let billed: Decimal = amount(row, &[c.billed_cost], "BilledCost")?
            .ok_or_else(|| Refusal::blank(Reason::MissingCost, "BilledCost"))?;
        let effective = amount(row, &c.effective_cost, "EffectiveCost")?;
        let mut fact = CostFact {
            charge: Arc::clone(&known.charge),
            billing_period_start_ms: times.billing_start_ms,
            billing_period_end_ms: times.billing_end_ms,
            usage_start_ms: times.usage_start_ms,
            usage_end_ms: times.usage_end_ms,
            cost_unblended: billed,
            cost_net: billed,
            cost_amortized: effective.unwrap_or(billed),
            cost_blended: billed,
            model_fallback: effective.is_none(),
            quantity: number(row, c.pricing_quantity, "PricingQuantity", &mut self.observed),
            split: None,
            source_ref: Arc::clone(&self.source_ref),
        };
        fact.split = self.split(row, &fact);
        let detail =
            RowDetail { unit_price: number(row, c.list_unit_price, "ListUnitPrice", &mut self.observed), parts: None };
        self.observed.model_fallback += u64::from(fact.model_fallback);
        known.observe(&mut self.observed);
        Ok(ReadRow { fact, detail, charge_hash: known.hash })
    }

    /// The billing month of a row that was refused, when it tells it.
    pub fn month_of(&mut self, row: Row<'_>) -> Option<Arc<str>> {
        self.times.month_of_refused(row, &self.time_columns())
    }

    /// Where the times of a row are.
    fn time_columns(&self) -> TimeColumns {
        let c = &self.columns;
        TimeColumns {
            usage_start: (c.charge_start, "ChargePeriodStart"),
            usage_end: (c.charge_end, "ChargePeriodEnd"),
            billing_start: (c.billing_start, "BillingPeriodStart"),
            billing_end: (c.billing_end, "BillingPeriodEnd"),
        }
    }

    /// What a row charges for, from the cells that say it.
    fn charge(&mut self, row: Row<'_>, month: &str) -> Result<Arc<KnownCharge<()>>, Refusal> {
        let c = self.columns;
        let text = |column| row.get(column).map(str::to_owned);
        let cloud = self.clouds.name(row);
        let payer_account_id = account(row, c.billing_account, "BillingAccountId", &cloud)?;
        let account_id = account(row, c.sub_account, "SubAccountId", &cloud)?
            .or_else(|| payer_account_id.clone())
            .ok_or_else(|| Refusal::blank(Reason::MissingAccount, "SubAccountId"))?;
        let code = row.first(&c.currency).ok_or_else(|| Refusal::blank(Reason::MissingCurrency, "BillingCurrency"))?;
        let currency = currency(code, "BillingCurrency")?;
        let noticed = &mut Vec::new();
        let class = listed::<ChargeClass>(row.get(c.class), noticed);
        let service_code = row.first(&c.service);
        let region = row.first(&c.region).map(str::to_lowercase);
        let charge = Charge {
            cloud,
            billing_period: month.to_owned(),
            payer_account_id,
            account_id,
            region: region.or_else(|| row.get(c.zone).and_then(cells::region_of_zone)),
            service: service_code.map(service_family::family_of),
            service_code: service_code.map(str::to_owned),
            resource_id: text(c.resource),
            resource_type: text(c.resource_type),
            line_item_type: None,
            charge_category: category(row, &c, noticed),
            is_correction: class.as_ref().is_some_and(|class| class.is(ChargeClass::Correction)),
            is_class_stated: self.has_class && !matches!(class, Some(ListCell::Unlisted(_))),
            usage_type: row.first(&c.usage_type).map(str::to_owned),
            operation: text(c.operation),
            description: text(c.description),
            sku: sku(row, &c),
            pricing: pricing(row, &c, noticed),
            commitment_id: text(c.commitment),
            commitment_status: commitment_status(row, &c, noticed),
            currency,
            currency_defaulted: false,
            unknown_type: false,
            invoice: text(c.invoice),
            tags: self.tags(row.nested(c.tags).as_deref(), noticed),
        };
        // Lists that no fact needs yet, so that a bill which spells them in a new way is noticed.
        listed::<ChargeFrequency>(row.get(c.frequency), noticed);
        listed::<CommitmentCategory>(row.get(c.commitment_category), noticed);
        Ok(KnownCharge::new(charge, std::mem::take(noticed), ()))
    }

    fn tags(&mut self, cell: Option<&str>, noticed: &mut Vec<Noticed>) -> RowTags {
        let tags = match cell {
            _ if self.are_tags_unreadable => RowTags::Unknown,
            Some(cell) => self.tags.of(cell, || tags::parse(cell)),
            // A bill without the column tells nothing; a blank cell tells that there are none.
            None if self.columns.tags.is_some() => RowTags::default(),
            None => return RowTags::Unknown,
        };
        if tags == RowTags::Unknown {
            noticed.push(Noticed::Unreadable("Tags"));
        }
        tags
    }

    /// An allocated charge: a part of what was charged for its resource. All parts of a charge add up to it.
    fn split(&mut self, row: Row<'_>, fact: &CostFact) -> Option<Box<SplitCost>> {
        let resource_id = row.get(self.columns.allocated_resource)?.to_owned();
        let cell = row.nested(self.columns.allocated_tags);
        let tags = cell.map_or_else(RowTags::default, |cell| self.tags.of(&cell, || tags::parse(&cell)));
        if tags == RowTags::Unknown {
            self.observed.unreadable_cell("AllocatedTags");
        }
        Some(Box::new(SplitCost {
            resource_id,
            parent_id: fact.charge.resource_id.clone(),
            tags,
            unblended: Some(fact.cost_unblended),
            net: Some(fact.cost_net),
            amortized: Some(fact.cost_amortized),
            blended: Some(fact.cost_blended),
        }))
    }
}

/// A cell of a closed list. A value outside the list is counted.
fn listed<T: Listed>(cell: Option<&str>, noticed: &mut Vec<Noticed>) -> Option<ListCell<T>> {
    let cell = cell?;
    Some(match T::LIST.find(cell) {
        Some(value) => ListCell::Known(value),
        None => {
            noticed.push(Noticed::Unlisted(T::LIST.column, cell.to_owned()));
            ListCell::Unlisted(cell.into())
        }
    })
}

/// A blank category is taken for usage, as AWS does with its line types, and counted.
fn category(row: Row<'_>, c: &Columns, noticed: &mut Vec<Noticed>) -> ListCell<ChargeCategory> {
    listed(row.first(&c.category), noticed).unwrap_or_else(|| {
        noticed.push(Noticed::Unlisted(ChargeCategory::LIST.column, String::new()));
        ListCell::Known(ChargeCategory::Usage)
    })
}

/// FOCUS 1.0-preview has the status in the subcategory of the charge, among values of other meaning.
fn commitment_status(row: Row<'_>, c: &Columns, noticed: &mut Vec<Noticed>) -> Option<ListCell<CommitmentStatus>> {
    let status = listed(row.get(c.commitment_status), noticed);
    let of_preview = || CommitmentStatus::LIST.find(row.get(c.subcategory)?).map(ListCell::Known);
    status.or_else(of_preview)
}

/// What the columns of the SKU say. Its properties may be a map.
fn sku(row: Row<'_>, c: &Columns) -> Sku {
    let text = |column| row.get(column).map(str::to_owned);
    let details = c.sku_details.iter().find_map(|column| row.nested(*column));
    let sku = Sku {
        category: text(c.sku_category),
        subcategory: text(c.sku_subcategory),
        kind: text(c.service_kind),
        unit: text(c.pricing_unit),
        ..Sku::default()
    };
    sku.with_details(details.as_deref())
}

fn pricing(row: Row<'_>, c: &Columns, noticed: &mut Vec<Noticed>) -> Pricing {
    match listed::<Pricing>(row.first(&c.pricing_category), noticed) {
        Some(ListCell::Known(pricing)) => pricing,
        _ => Pricing::Unknown,
    }
}

#[cfg(test)]
mod tests {
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
        let columns: Vec<String> = HEADER
            .iter()
            .chain(&["ResourceId", "AllocatedResourceId", "AllocatedTags"])
            .map(|c| (*c).to_owned())
            .collect();
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
            (
                &[("ServiceProviderName", "Databricks"), ("ProviderName", "AWS"), ("HostProviderName", "AWS")],
                "databricks",
            ),
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
}
