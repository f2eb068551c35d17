//! Small bills, loads of them, and an independent reader of what is live.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Decimal128Type;
use collectors::billing::{LoadError, LoadOptions, LoadReport, Overlap, load};
use contracts::cost_manifest::{CostManifest, LiveDelivery};
use contracts::layout;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::lifecycle::Shutdown;
use platform::progress::{Progress, Silent};
use platform::store::Store;
use platform::store::local::LocalStore;
use sha2::{Digest, Sha256};

pub const MONTH: &str = "2026-09";
const HEADER: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,ProviderName,ChargePeriodStart,\
                      ChargePeriodEnd,BillingPeriodStart,BillingPeriodEnd,ChargeCategory,ServiceName,ResourceId";

/// A charge.
#[derive(Debug, Clone)]
pub struct Charge {
    pub provider: &'static str,
    pub account: &'static str,
    pub month: &'static str,
    pub resource: String,
    pub start: String,
    pub end: String,
    pub cost: i64,
}

/// A charge of one day of September.
pub fn day(day: u32, resource: &str, cost: i64) -> Charge {
    hours(&format!("{day:02}T00"), &format!("{:02}T00", day + 1), resource, cost)
}

/// A charge of September, `DDTHH` to `DDTHH`.
pub fn hours(start: &str, end: &str, resource: &str, cost: i64) -> Charge {
    let time = |text: &str| match text {
        "31T00" => "2026-10-01T00:00:00Z".to_owned(),
        text => format!("2026-09-{text}:00:00Z"),
    };
    Charge {
        provider: "AWS",
        account: "999988887777",
        month: MONTH,
        resource: resource.to_owned(),
        start: time(start),
        end: time(end),
        cost,
    }
}

/// A charge of all September.
pub fn month_long(resource: &str, cost: i64) -> Charge {
    hours("01T00", "31T00", resource, cost)
}

impl Charge {
    pub fn of(self, provider: &'static str, account: &'static str) -> Self {
        Self { provider, account, ..self }
    }

    pub fn in_month(self, month: &'static str) -> Self {
        Self { month, ..self }
    }
}

/// The bill as CSV; `more` columns make it another export.
pub fn csv_with(charges: &[Charge], more: &str) -> String {
    let mut text = format!("{HEADER}{more}\n");
    for c in charges {
        let (year, month) = c.month.split_once('-').unwrap();
        let next = format!("{year}-{:02}", month.parse::<u32>().unwrap() + 1);
        text += &format!(
            "{},{},USD,{},111122223333,{},{},{},{}-01T00:00:00Z,{next}-01T00:00:00Z,Usage,Compute,{}{}\n",
            c.cost,
            c.cost,
            c.account,
            c.provider,
            c.start,
            c.end,
            c.month,
            c.resource,
            more.replace(|letter| letter != ',', "")
        );
    }
    text
}

pub fn csv(charges: &[Charge]) -> String {
    csv_with(charges, "")
}

/// A folder with a store and bills.
pub struct Desk {
    pub dir: tempfile::TempDir,
    pub store: LocalStore,
}

impl Desk {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(&dir.path().join("data"), layout::SINK).unwrap();
        Self { dir, store }
    }

    /// The same folder, opened as by another process.
    pub fn reopened(&self) -> LocalStore {
        LocalStore::open(&self.dir.path().join("data"), layout::SINK).unwrap()
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn load(&self, charges: &[Charge]) -> Result<LoadReport, LoadError> {
        self.load_with(charges, Overlap::Decide)
    }

    pub fn load_with(&self, charges: &[Charge], overlap: Overlap) -> Result<LoadReport, LoadError> {
        let path = self.file("bill.csv", csv(charges));
        load_files(&self.store, &[path], &LoadOptions { overlap, ..LoadOptions::default() })
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("data").join(layout::cost_facts_dir("acme", MONTH))
    }

    pub fn manifest(&self) -> CostManifest {
        CostManifest::parse(&std::fs::read(self.folder().join("_manifest.json")).unwrap()).unwrap()
    }

    /// Live billed cost by source.
    pub fn billed(&self) -> BTreeMap<String, i64> {
        billed(&self.folder())
    }

    pub fn total(&self) -> i64 {
        self.billed().values().sum()
    }

    /// Parquet files of the month.
    pub fn files(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".parquet")).collect()
    }
}

pub fn load_files(store: &dyn Store, paths: &[PathBuf], options: &LoadOptions) -> Result<LoadReport, LoadError> {
    let silent: Arc<dyn Progress> = Arc::new(Silent);
    load("acme", paths, options, store, &silent, &Shutdown::new()).map(|loaded| loaded.report)
}

/// Live billed cost by source, read from the files alone, after proving that the manifest says what is in them.
pub fn billed(folder: &Path) -> BTreeMap<String, i64> {
    let Ok(bytes) = std::fs::read(folder.join("_manifest.json")) else { return BTreeMap::new() };
    let manifest = CostManifest::parse(&bytes).unwrap();
    let mut named: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for part in manifest.parts() {
        let bytes = std::fs::read(folder.join(&part.part)).expect("a live file is there");
        assert_eq!(
            (part.bytes, &part.sha256),
            (bytes.len() as u64, &hex::encode(Sha256::digest(&bytes))),
            "{}",
            part.part
        );
        let rows = ParquetRecordBatchReaderBuilder::try_new(File::open(folder.join(&part.part)).unwrap());
        let groups = rows.unwrap().metadata().num_row_groups();
        assert!(named.insert(&part.part, (0..u32::try_from(groups).unwrap()).collect()).is_none(), "named once");
    }
    let mut all = BTreeMap::new();
    for delivery in &manifest.deliveries {
        for groups in &delivery.row_groups {
            let left = named.get_mut(&*groups.part).expect("its row groups are in a live file");
            assert!(groups.row_groups.iter().all(|number| left.remove(number)), "a row group is of one delivery");
        }
        let (rows, cost) = rows_and_cost(folder, delivery);
        assert_eq!(rows, delivery.rows, "{}", delivery.source);
        let stated: i64 = delivery.totals.values().map(|totals| totals.unblended.parse::<i64>().unwrap()).sum();
        assert_eq!(cost, stated, "{}", delivery.source);
        *all.entry(delivery.source.to_string()).or_default() += cost;
    }
    assert!(named.values().all(BTreeSet::is_empty), "every row group is of a delivery: {named:?}");
    let rows: u64 = manifest.parts().map(|part| part.rows).sum();
    assert_eq!(rows, manifest.deliveries.iter().map(|delivery| delivery.rows).sum::<u64>());
    all
}

fn rows_and_cost(folder: &Path, delivery: &LiveDelivery) -> (u64, i64) {
    let (mut rows, mut cost) = (0, 0);
    for groups in &delivery.row_groups {
        let file = File::open(folder.join(&groups.part)).unwrap();
        let numbers = groups.row_groups.iter().map(|number| *number as usize).collect();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_row_groups(numbers).build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            rows += batch.num_rows() as u64;
            let costs = batch.column_by_name("cost_unblended").unwrap().as_primitive::<Decimal128Type>();
            cost += costs.iter().flatten().map(|cost| i64::try_from(cost / 10_i128.pow(12)).unwrap()).sum::<i64>();
            let refs = batch.column_by_name("source_ref").unwrap().as_string::<i32>();
            assert!(
                refs.iter().flatten().all(|source| source.starts_with(&delivery.delivery_id)),
                "whose rows are these?"
            );
        }
    }
    (rows, cost)
}
