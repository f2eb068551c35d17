//! FOCUS 1.0 to 1.2: columns to cost facts. Newer versions renamed some columns and added others; each fact column names
//! the columns it may come from, first match wins.

use std::collections::HashMap;
use std::sync::Arc;

use contracts::service_family;
use rust_decimal::Decimal;

use super::rejects::{Reason, Refusal};
use super::row::Row;
use crate::billing::cells;
use crate::billing::fact::{CostFact, Pricing, RowDetail};
use crate::billing::tags::{self, Tags};

/// Distinct tag texts remembered; a bill has few.
const TAGS_MAX: usize = 100_000;

/// Column numbers of a FOCUS file.
#[derive(Debug, Clone, Copy, Default)]
struct Columns {
    billed_cost: Option<usize>,
    effective_cost: Option<usize>,
    currency: Option<usize>,
    billing_account: Option<usize>,
    sub_account: Option<usize>,
    billing_start: Option<usize>,
    billing_end: Option<usize>,
    charge_start: Option<usize>,
    charge_end: Option<usize>,
    category: Option<usize>,
    class: Option<usize>,
    description: Option<usize>,
    region: [Option<usize>; 2],
    zone: Option<usize>,
    service: [Option<usize>; 2],
    resource: Option<usize>,
    resource_type: Option<usize>,
    usage_type: [Option<usize>; 2],
    operation: Option<usize>,
    commitment: Option<usize>,
    commitment_status: Option<usize>,
    pricing_category: Option<usize>,
    pricing_quantity: Option<usize>,
    list_unit_price: Option<usize>,
    provider: Option<usize>,
    tags: Option<usize>,
}

/// Reads FOCUS rows.
#[derive(Debug)]
pub struct FocusReader {
    columns: Columns,
    source_ref: Arc<str>,
    tags: HashMap<String, Option<Arc<Tags>>>,
    clouds: HashMap<String, Arc<str>>,
    /// Rows whose tags are not a JSON object: they are kept, without tags.
    pub unreadable_tags: u64,
}

impl FocusReader {
    /// For a file with these columns; `source_ref` goes into every fact.
    #[must_use]
    pub fn new(columns: &[String], source_ref: Arc<str>) -> Self {
        let lower: Vec<String> = columns.iter().map(|name| name.to_lowercase()).collect();
        let at = |name: &str| lower.iter().position(|column| *column == name);
        let columns = Columns {
            billed_cost: at("billedcost"),
            effective_cost: at("effectivecost"),
            currency: at("billingcurrency"),
            billing_account: at("billingaccountid"),
            sub_account: at("subaccountid"),
            billing_start: at("billingperiodstart"),
            billing_end: at("billingperiodend"),
            charge_start: at("chargeperiodstart"),
            charge_end: at("chargeperiodend"),
            category: at("chargecategory"),
            class: at("chargeclass"),
            description: at("chargedescription"),
            region: [at("regionid"), at("region")],
            zone: at("availabilityzone"),
            service: [at("x_servicecode"), at("servicename")],
            resource: at("resourceid"),
            resource_type: at("resourcetype"),
            usage_type: [at("x_usagetype"), at("skumeter")],
            operation: at("x_operation"),
            commitment: at("commitmentdiscountid"),
            commitment_status: at("commitmentdiscountstatus"),
            pricing_category: at("pricingcategory"),
            pricing_quantity: at("pricingquantity"),
            list_unit_price: at("listunitprice"),
            provider: at("providername"),
            tags: at("tags"),
        };
        Self { columns, source_ref, tags: HashMap::new(), clouds: HashMap::new(), unreadable_tags: 0 }
    }

    /// Numbers of the columns that are read.
    #[must_use]
    pub fn needed(&self) -> Vec<usize> {
        let c = &self.columns;
        let single = [
            c.billed_cost,
            c.effective_cost,
            c.currency,
            c.billing_account,
            c.sub_account,
            c.billing_start,
            c.billing_end,
            c.charge_start,
            c.charge_end,
            c.category,
            c.class,
            c.description,
            c.zone,
            c.resource,
            c.resource_type,
            c.operation,
            c.commitment,
            c.commitment_status,
            c.pricing_category,
            c.pricing_quantity,
            c.list_unit_price,
            c.provider,
            c.tags,
        ];
        let pairs = [c.region, c.service, c.usage_type];
        single.into_iter().chain(pairs.into_iter().flatten()).flatten().collect()
    }

    /// A row as fact and detail.
    ///
    /// # Errors
    /// Why the row is refused: times first, then account, currency, costs.
    pub fn read(&mut self, row: Row<'_>) -> Result<(CostFact, RowDetail), Refusal> {
        let c = self.columns;
        let text = |column| row.get(column).map(str::to_owned);
        let first = |pair: [Option<usize>; 2]| pair.into_iter().find_map(|column| row.get(column));
        let no = |reason, column| Refusal { reason, column };
        let time = |at, column| match row.get(at) {
            None => Ok(None),
            Some(cell) => cells::timestamp_ms(cell).map(Some).ok_or(no(Reason::BadTimestamp, column)),
        };
        let no_start = no(Reason::BadTimestamp, "ChargePeriodStart");
        let usage_start_ms = time(c.charge_start, "ChargePeriodStart")?.ok_or(no_start)?;
        let usage_end_ms = time(c.charge_end, "ChargePeriodEnd")?;
        let billing_period_start_ms = time(c.billing_start, "BillingPeriodStart")?;
        let billing_period_end_ms = time(c.billing_end, "BillingPeriodEnd")?;
        let account = row.get(c.sub_account).or_else(|| row.get(c.billing_account));
        let account_id = cells::account(account.ok_or(no(Reason::MissingAccount, "SubAccountId"))?);
        let currency = row.get(c.currency).ok_or(no(Reason::MissingCurrency, "BillingCurrency"))?.to_uppercase();
        let amount = |at, column| match row.get(at) {
            None => Ok(None),
            Some(cell) => cells::decimal(cell).map(Some).ok_or(no(Reason::BadDecimal, column)),
        };
        let billed: Decimal = amount(c.billed_cost, "BilledCost")?.ok_or(no(Reason::MissingCost, "BilledCost"))?;
        let effective = amount(c.effective_cost, "EffectiveCost")?;

        let service_code = first(c.service);
        let region = first(c.region).map(str::to_lowercase);
        let fact = CostFact {
            billing_period: month(billing_period_start_ms.unwrap_or(usage_start_ms)).ok_or(no_start)?,
            billing_period_start_ms,
            billing_period_end_ms,
            usage_start_ms,
            usage_end_ms,
            payer_account_id: row.get(c.billing_account).map(cells::account),
            account_id,
            region: region.or_else(|| row.get(c.zone).and_then(cells::region_of_zone)),
            service: service_code.map(service_family::family_of),
            service_code: service_code.map(str::to_owned),
            resource_id: text(c.resource),
            charge_category: text(c.category).unwrap_or_else(|| "Usage".to_owned()),
            is_correction: row.get(c.class) == Some("Correction"),
            usage_type: first(c.usage_type).map(str::to_owned),
            operation: text(c.operation),
            commitment_id: text(c.commitment),
            commitment_status: text(c.commitment_status),
            currency,
            cost_unblended: billed,
            cost_net: billed,
            cost_amortized: effective.unwrap_or(billed),
            cost_blended: billed,
            model_fallback: effective.is_none(),
            tags: self.tags(row.get(c.tags)),
            source_ref: Arc::clone(&self.source_ref),
        };
        let detail = RowDetail {
            cloud: self.cloud(row.get(c.provider)),
            description: text(c.description),
            resource_type: text(c.resource_type),
            pricing: Pricing::from_focus(row.get(c.pricing_category)),
            quantity: row.get(c.pricing_quantity).and_then(cells::decimal),
            unit_price: row.get(c.list_unit_price).and_then(cells::decimal),
        };
        Ok((fact, detail))
    }

    /// The same tag text comes with every row of a resource: it is parsed once.
    fn tags(&mut self, cell: Option<&str>) -> Arc<Tags> {
        let Some(cell) = cell else { return Arc::default() };
        if !self.tags.contains_key(cell) {
            if self.tags.len() >= TAGS_MAX {
                self.tags.clear();
            }
            self.tags.insert(cell.to_owned(), tags::parse(cell).map(Arc::new));
        }
        match self.tags.get(cell) {
            Some(Some(tags)) => Arc::clone(tags),
            _ => {
                self.unreadable_tags += 1;
                Arc::default()
            }
        }
    }

    fn cloud(&mut self, provider: Option<&str>) -> Arc<str> {
        let provider = provider.unwrap_or_default();
        if let Some(cloud) = self.clouds.get(provider) {
            return Arc::clone(cloud);
        }
        let cloud: Arc<str> = cloud_of(provider).into();
        self.clouds.insert(provider.to_owned(), Arc::clone(&cloud));
        cloud
    }
}

/// The short name findings use for a provider.
fn cloud_of(provider: &str) -> String {
    let lower = provider.to_lowercase();
    let known = [("aws", "aws"), ("amazon", "aws"), ("microsoft", "azure"), ("azure", "azure"), ("oracle", "oci")];
    let more = [("google", "gcp"), ("alibaba", "alibaba"), ("tencent", "tencent")];
    match known.iter().chain(&more).find(|(name, _)| lower.contains(name)) {
        Some((_, cloud)) => (*cloud).to_owned(),
        None if lower.is_empty() => "unknown".to_owned(),
        None => lower,
    }
}

fn month(instant_ms: i64) -> Option<String> {
    Some(chrono::DateTime::from_timestamp_millis(instant_ms)?.format("%Y-%m").to_string())
}

#[cfg(test)]
mod tests {
    use csv::StringRecord;

    use super::*;

    const HEADER: [&str; 11] = [
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
    ];
    const GOOD: [&str; 11] = [
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
    ];

    fn read(cells: [&str; 11]) -> Result<(CostFact, RowDetail), Refusal> {
        let mut reader = FocusReader::new(&HEADER.map(str::to_owned), "d/f".into());
        reader.read(Row::Csv(&StringRecord::from(cells.to_vec())))
    }

    fn with(column: &str, cell: &'static str) -> [&'static str; 11] {
        let mut cells = GOOD;
        cells[HEADER.iter().position(|name| *name == column).unwrap()] = cell;
        cells
    }

    #[test]
    fn a_row_becomes_a_fact() {
        let (fact, detail) = read(GOOD).unwrap();
        assert_eq!(fact.billing_period, "2024-10");
        assert_eq!((&*fact.account_id, fact.payer_account_id.as_deref()), ("011353890204", Some("1234567890123")));
        assert_eq!((&*fact.currency, fact.region.as_deref()), ("USD", Some("us-east-1")));
        assert_eq!(fact.service.as_deref(), Some("ec2"));
        assert_eq!((fact.cost_amortized, fact.model_fallback), (Decimal::new(15, 1), true));
        assert_eq!(fact.tags.get("a").map(String::as_str), Some("b"));
        assert_eq!(&*detail.cloud, "unknown");
    }

    #[test]
    fn the_first_failed_check_is_the_reason() {
        let cases = [
            ("ChargePeriodStart", "", Reason::BadTimestamp),
            ("BillingPeriodStart", "soon", Reason::BadTimestamp),
            ("BillingCurrency", "NULL", Reason::MissingCurrency),
            ("billedcost", "abc", Reason::BadDecimal),
            ("billedcost", "", Reason::MissingCost),
            ("EffectiveCost", "NaN", Reason::BadDecimal),
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
    fn unreadable_tags_are_counted_not_refused() {
        let mut reader = FocusReader::new(&HEADER.map(str::to_owned), "d/f".into());
        let record = StringRecord::from(with("Tags", "{oops").to_vec());
        for _ in 0..2 {
            assert!(reader.read(Row::Csv(&record)).unwrap().0.tags.is_empty());
        }
        assert_eq!(reader.unreadable_tags, 2);
    }

    #[test]
    fn providers_have_short_names() {
        let cases = [
            ("AWS", "aws"),
            ("Microsoft", "azure"),
            ("Oracle", "oci"),
            ("Google Cloud", "gcp"),
            ("Hetzner", "hetzner"),
        ];
        for (provider, cloud) in cases {
            assert_eq!(cloud_of(provider), cloud);
        }
    }
}
