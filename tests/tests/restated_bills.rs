//! Bills that are restated, delivered twice and delivered in parts, of several sources, between runs and exports in any order: against a
//! naive model, no cost is counted twice and none is lost, in the cost facts and in the prices of findings.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Datelike, Days, NaiveDate};
use collectors::billing::{LoadError, LoadOptions, Overlap, load};
use contracts::layout;
use contracts::table_manifest::{TableManifest, evidence_period, path, priced_period};
use exporter::{DuckLimits, ExportOptions, ExporterConfig, ExporterDeps};
use platform::broker::Headers;
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::observe::Observer;
use platform::progress::{Progress, Silent};
use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::{Map, Value, json};
use tests::pipeline::Pipeline;
use tests::{repo, rows};

/// Cases; each loads and exports several times.
const CASES: u32 = 12;
/// The account that all sources bill, the resource that findings are about, and one that no finding is about.
const ACCOUNT: &str = "444455556666";
const RESOURCE: &str = "vol-0a1b2c3d4e5f60718";
const OTHER: &str = "vol-0ffffffffffffffff";

/// A source: billing account, `--source` name, and the days that each of its deliveries of a month is about.
struct Source {
    payer: &'static str,
    name: Option<&'static str>,
    /// First and last day.
    parts: &'static [(u32, u32)],
}

/// What an account is billed for grows until the month is closed: each delivery covers the one before it.
const GROWING: &[(u32, u32)] = &[(1, 9), (1, 17), (1, 28)];
/// A delivery every some days, which adds up.
const IN_PARTS: &[(u32, u32)] = &[(1, 9), (10, 17), (18, 28)];
const SOURCES: [Source; 4] = [
    Source { payer: "111111111111", name: None, parts: GROWING },
    Source { payer: "111111111111", name: Some("second export"), parts: GROWING },
    Source { payer: "222222222222", name: None, parts: GROWING },
    Source { payer: "333333333333", name: None, parts: IN_PARTS },
];
const MONTHS: [(i32, u32); 3] = [(2026, 1), (2026, 2), (2026, 3)];

/// A delivery: part and version of what a source bills for in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delivery {
    source: usize,
    month: usize,
    part: usize,
    version: u32,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The delivery; `doubled`: its file is there twice, the second one packed and under another name.
    Load {
        delivery: Delivery,
        doubled: bool,
        restate: bool,
    },
    /// A run in which a finding is reported.
    Run {
        days: u64,
    },
    Export,
}

fn step() -> impl Strategy<Value = Step> {
    let delivery = (0..SOURCES.len(), 0..MONTHS.len(), 0..3_usize, 0..3_u32)
        .prop_map(|(source, month, part, version)| Delivery { source, month, part, version });
    prop_oneof![
        6 => (delivery, any::<bool>(), any::<bool>())
            .prop_map(|(delivery, doubled, restate)| Step::Load { delivery, doubled, restate }),
        2 => (0..90_u64).prop_map(|days| Step::Run { days }),
        1 => Just(Step::Export),
    ]
}

impl Delivery {
    fn days(self) -> (u32, u32) {
        SOURCES[self.source].parts[self.part]
    }

    /// What a day costs: no two deliveries of one day bill the same.
    fn cost(self, day: u32) -> i64 {
        let [source, month, part] = [self.source, self.month, self.part].map(|n| i64::try_from(n).unwrap());
        1 + i64::from(day) + 100 * i64::from(self.version) + 1_000 * part + 10_000 * month + 100_000 * source
    }

    fn date(self, day: u32) -> NaiveDate {
        let (year, month) = MONTHS[self.month];
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    fn write(self, folder: &Path, doubled: bool) -> Vec<PathBuf> {
        let Source { payer, .. } = SOURCES[self.source];
        let (first, last) = self.days();
        let start = self.date(1);
        let end = start.checked_add_months(chrono::Months::new(1)).unwrap();
        let mut text = "BilledCost,EffectiveCost,BillingAccountId,SubAccountId,BillingCurrency,BillingPeriodStart,\
                        BillingPeriodEnd,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ProviderName,RegionId,ResourceId,\
                        ServiceName,x_ServiceCode\n"
            .to_owned();
        for (day, resource) in (first..=last).flat_map(|day| [(day, RESOURCE), (day, OTHER)]) {
            let (cost, date) = (self.cost(day), self.date(day));
            let next = date.succ_opt().unwrap();
            let _ = writeln!(
                text,
                "{cost},{cost},{payer},{ACCOUNT},USD,{start}T00:00:00Z,{end}T00:00:00Z,Usage,{date}T00:00:00Z,\
                 {next}T00:00:00Z,AWS,eu-west-3,{resource},Amazon Elastic Compute Cloud,AmazonEC2"
            );
        }
        let plain = folder.join("bill.csv");
        std::fs::write(&plain, &text).unwrap();
        if !doubled {
            return vec![plain];
        }
        let packed = folder.join("same.csv.gz");
        let mut encoder =
            flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
        vec![packed, plain]
    }
}

/// What is live, by the naive rule: a list of deliveries.
#[derive(Debug, Default)]
struct Model {
    live: Vec<Delivery>,
    runs: Vec<(String, NaiveDate)>,
}

impl Model {
    /// Takes a delivery; false when it is to be refused.
    fn take(&mut self, new: Delivery, restate: bool) -> bool {
        let (first, last) = new.days();
        let overlaps = |old: &Delivery| {
            let (begin, end) = old.days();
            (old.source, old.month) == (new.source, new.month) && begin <= last && first <= end
        };
        let covers = |old: &Delivery| first <= old.days().0 && old.days().1 <= last;
        let is_refused = !restate && self.live.iter().any(|old| *old != new && overlaps(old) && !covers(old));
        if !is_refused {
            self.live.retain(|old| !overlaps(old));
            self.live.push(new);
        }
        !is_refused
    }

    /// What the days from one (inclusive) to another (exclusive) cost; `None` when no day of them is billed.
    fn cost(&self, from: NaiveDate, to: NaiveDate) -> Option<i64> {
        let days = self.live.iter().flat_map(|delivery| {
            let (first, last) = delivery.days();
            (first..=last).map(|day| (delivery.date(day), delivery.cost(day)))
        });
        days.filter(|(date, _)| (from..to).contains(date)).map(|(_, cost)| cost).reduce(|sum, cost| sum + cost)
    }

    /// The windows of a finding: 7 days, 30 days, month to date, month before.
    fn windows(day: NaiveDate) -> [(NaiveDate, NaiveDate); 4] {
        let before = |days| day.checked_sub_days(Days::new(days)).unwrap();
        let month = day.with_day(1).unwrap();
        let month_before = month.checked_sub_months(chrono::Months::new(1)).unwrap();
        [(before(7), day), (before(30), day), (month, day.succ_opt().unwrap()), (month_before, month)]
    }

    fn prices(&self, day: NaiveDate) -> [Option<String>; 4] {
        Self::windows(day).map(|(from, to)| self.cost(from, to).map(|cost| format!("{cost}.000000")))
    }
}

struct World {
    folder: tempfile::TempDir,
    pipeline: Pipeline,
    model: Model,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open(&folder.path().join("data"));
        Self { folder, pipeline, model: Model::default() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Load { delivery, doubled, restate } => self.load(delivery, doubled, restate),
            Step::Run { days } => self.run(days),
            Step::Export => self.export(),
        }
    }

    fn load(&mut self, delivery: Delivery, doubled: bool, restate: bool) {
        let bills = tempfile::tempdir().unwrap();
        let options = LoadOptions {
            source_name: SOURCES[delivery.source].name.map(str::to_owned),
            overlap: if restate { Overlap::Restate } else { Overlap::Decide },
            ..LoadOptions::default()
        };
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let files = delivery.write(bills.path(), doubled);
        let loaded = load("acme", &files, &options, &*self.pipeline.store, &progress, &Shutdown::new());
        match (self.model.take(delivery, restate), loaded) {
            (true, Ok(_)) | (false, Err(LoadError::Overlap(_))) => {}
            (is_taken, loaded) => {
                panic!("{delivery:?}: taken {is_taken}: {:?}", loaded.map(|loaded| loaded.report.months))
            }
        }
        assert_eq!(self.facts(), self.model.live.iter().map(total).sum::<i64>() * 2, "{delivery:?}");
    }

    /// What all live facts add up to; both resources cost the same.
    fn facts(&self) -> i64 {
        let mut sum = 0;
        for (_, manifest) in collectors::billing::live(&*self.pipeline.store, "acme").unwrap() {
            for totals in manifest.deliveries.iter().flat_map(|delivery| delivery.totals.values()) {
                sum += totals.amortized.split('.').next().unwrap().parse::<i64>().unwrap();
            }
        }
        sum
    }

    fn run(&mut self, days: u64) {
        let day = NaiveDate::from_ymd_opt(2026, 1, 5).unwrap().checked_add_days(Days::new(days)).unwrap();
        let run_id = format!("run-{}-{day}", self.model.runs.len());
        let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
        wire["run_id"] = json!(run_id);
        wire["run_ts"] = json!(format!("{day}T12:00:00Z"));
        self.pipeline.publish([(Some("acme"), serde_json::to_vec(&wire).unwrap(), Headers::new())]);
        self.pipeline.drain();
        self.model.runs.push((run_id, day));
    }

    fn export(&self) {
        let config = ExporterConfig {
            tenant: None,
            export_dir: self.folder.path().join("export"),
            options: ExportOptions::default(),
            gold: false,
            default_currency: "USD".into(),
            limits: DuckLimits { threads: 1, ..DuckLimits::default() },
            poll_interval: exporter::DEFAULT_POLL_INTERVAL,
        };
        let (store, clock) = (Arc::clone(&self.pipeline.store), Arc::new(SystemClock));
        let deps = ExporterDeps { store, clock, observer: Observer::default() };
        match exporter::once(&config, &deps) {
            Ok(report) => {
                let errors: Vec<String> = report.errors().map(|(_, error)| error.to_string()).collect();
                assert_eq!(errors, [""; 0]);
            }
            Err(error) => assert!(self.model.runs.is_empty(), "{error}"),
        }
    }

    /// Rows of a table over all periods that begin like this, with the run that each is of.
    fn rows(&self, period: impl Fn(&str) -> String) -> Vec<Map<String, Value>> {
        let manifest = self.pipeline.store.get(&path(layout::FINDINGS_ENRICHED, "acme")).unwrap().unwrap();
        let manifest = TableManifest::parse(&manifest).unwrap();
        let dates: BTreeSet<String> = self.model.runs.iter().map(|(_, day)| day.to_string()).collect();
        let periods = dates.iter().filter_map(|date| manifest.periods.get(&period(date)));
        let files = periods.flat_map(|period| &period.files);
        files.flat_map(|file| rows::of_file(self.pipeline.store.get(file).unwrap().unwrap())).collect()
    }

    fn compare(&self) {
        if self.model.runs.is_empty() || self.model.live.is_empty() {
            return;
        }
        let found: BTreeMap<String, [Option<String>; 4]> = self.rows(priced_period).into_iter().map(priced).collect();
        let hit = |day| Model::windows(day).into_iter().any(|(from, to)| self.model.cost(from, to).is_some());
        let none = [None, None, None, None];
        let prices = |day| if hit(day) { self.model.prices(day) } else { none.clone() };
        let expected: BTreeMap<_, _> = self.model.runs.iter().map(|(run, day)| (run.clone(), prices(*day))).collect();
        assert_eq!(found, expected);
        let mut evidence: BTreeMap<String, i64> = BTreeMap::new();
        for row in self.rows(evidence_period) {
            let cost = row["cost_amount"].as_str().unwrap().split('.').next().unwrap().parse::<i64>().unwrap();
            *evidence.entry(row["run_id"].as_str().unwrap().to_owned()).or_default() += cost;
        }
        let of_30_days = |day: NaiveDate| self.model.cost(Model::windows(day)[1].0, day);
        let expected: BTreeMap<_, _> =
            self.model.runs.iter().filter_map(|(run, day)| Some((run.clone(), of_30_days(*day)?))).collect();
        assert_eq!(evidence, expected);
    }
}

/// What a delivery bills for one resource.
fn total(delivery: &Delivery) -> i64 {
    let (first, last) = delivery.days();
    (first..=last).map(|day| delivery.cost(day)).sum()
}

fn priced(row: Map<String, Value>) -> (String, [Option<String>; 4]) {
    let cost = |name: &str| row["actual"][name].as_str().map(str::to_owned);
    let costs = ["cost_7d", "cost_30d", "cost_mtd", "cost_prev_month"].map(cost);
    (row["run_id"].as_str().unwrap().to_owned(), costs)
}

proptest! {
    #![proptest_config(Config { cases: CASES, max_shrink_iters: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_cost_is_counted_twice(steps in prop::collection::vec(step(), 4..14)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.export();
        world.compare();
    }
}
