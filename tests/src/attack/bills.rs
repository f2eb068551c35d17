//! Bills of one month, from several billing accounts, each in several versions; and what their cost facts add up to, read from the
//! files that the month's manifest names, with nothing of the product.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type};
use contracts::layout;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::site::Site;

/// The month of all bills.
pub const PERIOD: &str = "2026-09";
/// Charges of a bill.
const ROWS: u64 = 12;

/// A bill: a version of what one account is billed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Billing account: deliveries of one account replace each other, those of others add up.
    pub account: String,
    /// What its charges add up to, in whole dollars.
    pub total: i128,
    /// Where it is.
    pub path: PathBuf,
}

impl Bill {
    /// Writes the bill of an account, by number; equal numbers make equal bytes.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn write(folder: &Path, source: u64, version: u64) -> Self {
        let account = format!("{:012}", 999_900_000_000 + source);
        let mut text = "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingAccountId,BillingCurrency,BillingPeriodStart,\
                        BillingPeriodEnd,ChargeCategory,ChargeFrequency,ChargePeriodStart,ChargePeriodEnd,ChargeDescription,\
                        PricingCategory,PricingQuantity,PricingUnit,ListUnitPrice,ProviderName,PublisherName,\
                        InvoiceIssuerName,RegionId,ResourceId,ResourceType,ServiceCategory,ServiceName,SubAccountId,Tags,\
                        x_ServiceCode,x_UsageType\n"
            .to_owned();
        let mut total = 0;
        for n in 0..ROWS {
            let cost = 1_000 * (source + 1) + 10 * version + n;
            total += i128::from(cost);
            let (day, next) = (n + 1, n + 2);
            let _ = writeln!(
                text,
                "{cost},{cost},{cost},{cost},{account},USD,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,Usage,Usage-Based,\
                 2026-09-{day:02}T00:00:00Z,2026-09-{next:02}T00:00:00Z,$0.10 per GB-month of General Purpose SSD (gp2) \
                 provisioned storage,Standard,100,GB-Mo,0.1,AWS,AWS,AWS,us-east-1,vol-{source}-{n},Volume,Storage,Amazon \
                 Elastic Compute Cloud,111122223333,\"{{\"\"team\"\":\"\"a\"\"}}\",AmazonEC2,EBS:VolumeUsage.gp2"
            );
        }
        let path = folder.join(format!("bill-{source}-{version}.csv"));
        std::fs::write(&path, text).unwrap();
        Self { account, total, path }
    }
}

/// What the live cost facts of a tenant add up to, in whole dollars by billing account; nothing without a manifest.
///
/// # Panics
/// When a file that the manifest names is not there or is not what it says, or an amount is no whole number.
#[must_use]
pub fn live(site: &Site, tenant: &str) -> BTreeMap<String, i128> {
    let folder = layout::cost_facts_dir(tenant, PERIOD);
    let Some(bytes) = site.store.get(&format!("{folder}/_manifest.json")).unwrap() else { return BTreeMap::new() };
    let manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let further = manifest["further_parts"].as_array().cloned().unwrap_or_default();
    let mut totals = BTreeMap::new();
    for part in further.iter().chain([&manifest]) {
        let path = format!("{folder}/{}", part["part"].as_str().unwrap());
        let bytes =
            site.store.get(&path).unwrap().unwrap_or_else(|| panic!("{path} is live and not there: {manifest:#}"));
        assert_eq!(part["sha256"], hex::encode(Sha256::digest(&bytes)), "{path}: {manifest:#}");
        let mut rows = 0;
        for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            rows += batch.num_rows();
            let (accounts, costs) = (&batch["payer_account_id"], &batch["cost_unblended"]);
            let DataType::Decimal128(_, scale) = costs.data_type() else { panic!("{}", costs.data_type()) };
            let one = 10_i128.pow(u32::try_from(*scale).unwrap());
            for row in 0..batch.num_rows() {
                let cost = costs.as_primitive::<Decimal128Type>().value(row);
                assert_eq!(cost % one, 0);
                *totals.entry(accounts.as_string::<i32>().value(row).to_owned()).or_default() += cost / one;
            }
        }
        assert_eq!(part["rows"], rows, "{path}");
    }
    totals
}
