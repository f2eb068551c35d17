//! A data folder made by hand: Parquet files, commit chains, run manifests and deliveries as the sinks and producers
//! write them.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::cost_manifest::{self, CostManifest, DeliverySource, FactsPart, LiveDelivery, RowGroups};
use contracts::layout;
use contracts::run_manifest::{BilledUsage, RunManifest, RunStatus, ScopeOutcome};
use contracts::source::{OffsetSet, SrcSet};
use contracts::tenant_scope::TenantScope;
use exporter::{DuckLimits, ExporterConfig, ExporterDeps};
use lake::cut::Cut;
use platform::clock::ManualClock;
use platform::observe::Observer;
use platform::store::Store;
use platform::store::local::LocalStore;
use sha2::{Digest, Sha256};

/// 2026-03-15T12:00:00Z, later than everything in the tests.
pub const NOW_MS: i64 = 1_773_576_000_000;

/// A finding with the members the tests care about.
#[derive(Clone)]
pub struct Finding {
    pub workspace: &'static str,
    pub run_id: &'static str,
    pub run_ts: &'static str,
    pub ingested_ts: &'static str,
    pub engine: &'static str,
    pub fingerprint: &'static str,
    pub finding_id: &'static str,
    pub check_id: &'static str,
    pub status: &'static str,
    pub level: &'static str,
    pub score: u16,
    pub category: &'static str,
    pub service: &'static str,
    pub account_id: &'static str,
    pub region: &'static str,
    pub title: &'static str,
    pub resource_arn: Option<&'static str>,
    pub method: Option<&'static str>,
    pub cost_30d: Option<&'static str>,
    pub savings: Option<&'static str>,
    pub currency: &'static str,
    pub state: &'static str,
    pub snooze_until: Option<&'static str>,
    pub source_ref: &'static str,
}

/// A failed check of run `r1` in workspace `prod`.
pub const FINDING: Finding = Finding {
    workspace: "prod",
    run_id: "r1",
    run_ts: "2026-01-20T10:00:00Z",
    ingested_ts: "2026-01-20T10:01:00Z",
    engine: "test",
    fingerprint: "f1",
    finding_id: "id-f1",
    check_id: "aws.ec2.ebs.gp2.to.gp3",
    status: "fail",
    level: "medium",
    score: 500,
    category: "cost",
    service: "AmazonEC2",
    account_id: "111122223333",
    region: "eu-west-3",
    title: "a title",
    resource_arn: None,
    method: None,
    cost_30d: None,
    savings: Some("10.5"),
    currency: "USD",
    state: "open",
    snooze_until: None,
    source_ref: "aws.ec2.ebs.storage",
};

/// A billing row.
#[derive(Clone)]
pub struct Fact {
    pub usage_start: &'static str,
    pub account_id: &'static str,
    pub region: Option<&'static str>,
    pub service: Option<&'static str>,
    pub category: &'static str,
    pub line_item_type: Option<&'static str>,
    pub commitment_status: Option<&'static str>,
    pub currency: &'static str,
    pub amortized: &'static str,
    pub unblended: &'static str,
}

pub const FACT: Fact = Fact {
    usage_start: "2026-01-20T00:00:00Z",
    account_id: "111122223333",
    region: Some("eu-west-3"),
    service: Some("ec2"),
    category: "Usage",
    line_item_type: None,
    commitment_status: None,
    currency: "USD",
    amortized: "1.25",
    unblended: "2.5",
};

pub struct World {
    pub folder: tempfile::TempDir,
    pub store: Arc<LocalStore>,
    next: u64,
    previous_sha256: String,
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn nullable(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), text)
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalStore::open(&folder.path().join("data"), layout::SINK).unwrap());
        Self { folder, store, next: 0, previous_sha256: String::new() }
    }

    pub fn export_dir(&self) -> PathBuf {
        self.folder.path().join("export")
    }

    pub fn deps(&self) -> ExporterDeps {
        ExporterDeps {
            store: self.store.clone(),
            clock: Arc::new(ManualClock::at(NOW_MS)),
            observer: Observer::default(),
        }
    }

    pub fn config(&self) -> ExporterConfig {
        ExporterConfig {
            tenant: None,
            export_dir: self.export_dir(),
            options: exporter::ExportOptions::default(),
            gold: true,
            default_currency: "USD".into(),
            limits: DuckLimits::default(),
            poll_interval: std::time::Duration::from_millis(20),
        }
    }

    pub fn cut(&self) -> Cut {
        Cut::committed(self.store.clone()).unwrap()
    }

    /// Writes a Parquet file from a query; returns size and digest.
    fn parquet(&self, path: &str, query: &str) -> (u64, String) {
        let local = self.store.local_path(path).unwrap();
        std::fs::create_dir_all(local.parent().unwrap()).unwrap();
        let duck = duckdb::Connection::open_in_memory().unwrap();
        duck.execute_batch(&format!("COPY ({query}) TO {} (FORMAT parquet)", text(&local.to_string_lossy()))).unwrap();
        let bytes = std::fs::read(&local).unwrap();
        (bytes.len() as u64, hex::encode(Sha256::digest(&bytes)))
    }

    /// Commits one file of findings whose path and rows name `tenant`.
    pub fn commit(&mut self, tenant: &str, findings: &[Finding]) -> String {
        self.commit_rows_of(tenant, tenant, findings)
    }

    /// As [`commit`](Self::commit), with another tenant in the rows than in the path.
    pub fn commit_rows_of(&mut self, tenant: &str, row_tenant: &str, findings: &[Finding]) -> String {
        let rows: Vec<String> = findings.iter().map(|f| row(row_tenant, f)).collect();
        let run_date = &findings[0].run_ts[..10];
        let path = self.next_path(layout::FINDINGS, tenant, run_date);
        let (bytes, sha256) = self.parquet(&path, &rows.join(" UNION ALL BY NAME "));
        let mut runs: BTreeMap<String, SrcSet> = BTreeMap::new();
        for (n, f) in findings.iter().enumerate() {
            let src = runs.entry(format!("{tenant}/{}/{}", f.workspace, f.run_id)).or_default();
            let offsets: &mut OffsetSet = src.entry("wire/0".parse().unwrap()).or_default();
            offsets.insert(self.next + n as u64);
        }
        self.record(layout::FINDINGS, tenant, run_date, &path, findings.len() as u64, bytes, sha256, runs);
        path
    }

    /// Commits a file of dead letters made by a query.
    pub fn commit_dead_letters(&mut self, tenant: &str, rows: u64, query: &str) {
        let path = self.next_path(layout::DEAD_LETTERS, tenant, "2026-01-20");
        let (bytes, sha256) = self.parquet(&path, query);
        self.record(layout::DEAD_LETTERS, tenant, "2026-01-20", &path, rows, bytes, sha256, BTreeMap::new());
    }

    /// Commits a file of findings made by a query.
    pub fn commit_query(&mut self, tenant: &str, run_date: &str, rows: u64, query: &str) -> String {
        let path = self.next_path(layout::FINDINGS, tenant, run_date);
        let (bytes, sha256) = self.parquet(&path, query);
        self.record(layout::FINDINGS, tenant, run_date, &path, rows, bytes, sha256, BTreeMap::new());
        path
    }

    /// Makes what these queries give the bill of a period, one delivery of a source of its own each; `days` are charged.
    pub fn deliver_queries(&self, tenant: &str, period: &str, days: (&str, &str), deliveries: &[(&str, u64, &str)]) {
        let folder = layout::cost_facts_dir(tenant, period);
        let day = |day: &str| format!("{day}T00:00:00.000Z");
        let (mut parts, mut live) = (Vec::new(), Vec::new());
        for (delivery_id, rows, query) in deliveries {
            let part = format!("part-{delivery_id}.parquet");
            let (bytes, sha256) = self.parquet(&format!("{folder}/{part}"), query);
            live.push(LiveDelivery {
                delivery_id: (*delivery_id).into(),
                source: DeliverySource { name: Some((*delivery_id).into()), ..DeliverySource::default() },
                source_format: "focus".into(),
                columns: String::new(),
                rows: *rows,
                totals: BTreeMap::new(),
                daily_periods: vec![(day(days.0), day(days.1))],
                longer_periods: Vec::new(),
                charges: BTreeMap::new(),
                row_groups: vec![RowGroups { part: part.clone(), row_groups: vec![0] }],
                rejected: BTreeMap::new(),
                flagged: BTreeMap::new(),
                usage_lengths: None,
                invoiced: BTreeMap::new(),
            });
            parts.push(FactsPart { part, rows: *rows, bytes, sha256 });
        }
        let main = parts.remove(0);
        let manifest = CostManifest {
            format_version: cost_manifest::FORMAT_VERSION,
            generation: 1,
            main,
            further_parts: parts,
            previous_parts: Vec::new(),
            deliveries: live,
        };
        self.store.put(&format!("{folder}/_manifest.json"), &serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    fn next_path(&self, dataset: &str, tenant: &str, run_date: &str) -> String {
        let name = layout::part_name("valid", 0, self.next, self.next + 1, tenant, run_date);
        format!("{}/{name}", layout::partition_dir(dataset, tenant, run_date))
    }

    #[expect(clippy::too_many_arguments, reason = "a record in a test")]
    fn record(
        &mut self,
        dataset: &str,
        tenant: &str,
        run_date: &str,
        path: &str,
        rows: u64,
        bytes: u64,
        sha256: String,
        runs: BTreeMap<String, SrcSet>,
    ) {
        let file = CommittedFile {
            path: path.to_owned(),
            tenant_id: tenant.to_owned(),
            run_date: run_date.to_owned(),
            rows,
            bytes,
            sha256,
            schema_version: 1,
            staged: serde_json::Value::Null,
        };
        let record = CommitRecord {
            format_version: 1,
            code_version: "test".into(),
            dataset: dataset.to_owned(),
            topic: "finops.findings.valid".into(),
            topic_id: "valid".into(),
            partition: 0,
            start: self.next,
            end: self.next + rows,
            rows,
            duplicates: 0,
            files: vec![file],
            src: SrcSet::default(),
            runs,
            source_watermarks: BTreeMap::new(),
            last_record: None,
            writer_id: "test".into(),
            nonce: "test".into(),
            previous_sha256: self.previous_sha256.clone(),
            committed_at: "2026-01-20T10:02:00.000Z".into(),
        };
        let bytes = serde_json::to_vec(&record).unwrap();
        self.store.put_if_absent(&layout::chain_record("valid", 0, self.next), &bytes).unwrap();
        self.previous_sha256 = hex::encode(Sha256::digest(&bytes));
        self.next += rows;
    }

    pub fn run_manifest(&self, tenant: &str, run_id: &str, run_ts: &str, status: RunStatus, published: u64) {
        self.run_manifest_of(tenant, (run_id, run_ts), status, published, &[]);
    }

    /// As [`run_manifest`](Self::run_manifest), of a run that made these checks everywhere.
    pub fn run_manifest_of(
        &self,
        tenant: &str,
        run: (&str, &str),
        status: RunStatus,
        published: u64,
        check_ids: &[&str],
    ) {
        self.put_run_manifest(tenant, run, status, published, check_ids, None);
    }

    /// As [`run_manifest`](Self::run_manifest), of a run that made these checks over a bill.
    pub fn run_manifest_over(
        &self,
        tenant: &str,
        run: (&str, &str),
        check_ids: &[&str],
        billed: BTreeMap<String, BilledUsage>,
    ) {
        self.put_run_manifest(tenant, run, RunStatus::Complete, 0, check_ids, Some(billed));
    }

    fn put_run_manifest(
        &self,
        tenant: &str,
        (run_id, run_ts): (&str, &str),
        status: RunStatus,
        published: u64,
        check_ids: &[&str],
        billed: Option<BTreeMap<String, BilledUsage>>,
    ) {
        let manifest = RunManifest {
            format_version: 1,
            tenant_id: tenant.into(),
            workspace_id: "prod".into(),
            run_id: run_id.into(),
            run_ts: run_ts.into(),
            created_at: run_ts.into(),
            status,
            finding_id_mode: "stable".into(),
            engine_name: "test".into(),
            engine_version: "1".into(),
            rulepack_version: "1".into(),
            schema_version: 1,
            published,
            scopes: vec![ScopeOutcome {
                checker: "checks.test:Checker".into(),
                check_ids: check_ids.iter().map(|check_id| (*check_id).to_owned()).collect(),
                account_id: "*".into(),
                region: "*".into(),
                status,
                reason: String::new(),
                denied_operations: Vec::new(),
                throttled_operations: Vec::new(),
                api_calls: 0,
                findings: published,
                duration_ms: 0,
            }],
            billed_accounts: billed.as_ref().map(|all| all.keys().cloned().collect()),
            billed_usage: billed,
            billing_deliveries: Vec::new(),
            notes: BTreeMap::new(),
        };
        let path = layout::run_manifest(tenant, "prod", run_id);
        self.store.put(&path, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    /// Delivers the bill of a period, replacing an earlier one.
    pub fn deliver(&self, tenant: &str, period: &str, delivery_id: &str, facts: &[Fact]) {
        self.deliver_rows_of(tenant, tenant, period, delivery_id, facts);
    }

    /// As [`deliver`](Self::deliver), with another tenant in the rows than in the path.
    pub fn deliver_rows_of(&self, tenant: &str, row_tenant: &str, period: &str, delivery_id: &str, facts: &[Fact]) {
        let rows: Vec<String> = facts.iter().map(|f| fact(row_tenant, period, f)).collect();
        let folder = layout::cost_facts_dir(tenant, period);
        let part = format!("part-{delivery_id}.parquet");
        let (bytes, sha256) = self.parquet(&format!("{folder}/{part}"), &rows.join(" UNION ALL BY NAME "));
        let rows = facts.len() as u64;
        let delivery = LiveDelivery {
            delivery_id: delivery_id.into(),
            source: DeliverySource::default(),
            invoiced: BTreeMap::new(),
            flagged: BTreeMap::new(),
            usage_lengths: None,
            rejected: BTreeMap::new(),
            source_format: "focus".into(),
            columns: String::new(),
            rows,
            totals: BTreeMap::new(),
            daily_periods: Vec::new(),
            longer_periods: Vec::new(),
            charges: BTreeMap::new(),
            row_groups: vec![RowGroups { part: part.clone(), row_groups: vec![0] }],
        };
        let manifest = CostManifest {
            format_version: cost_manifest::FORMAT_VERSION,
            generation: 1,
            main: FactsPart { part, rows, bytes, sha256 },
            further_parts: Vec::new(),
            previous_parts: Vec::new(),
            deliveries: vec![delivery],
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        self.store.put(&format!("{folder}/_manifest.json"), &manifest).unwrap();
    }

    /// The rows of a tenant's gold tables as readers find them, one text each:
    /// `period workspace kpi{dim_key} value currency`.
    pub fn gold(&self, tenant: &str) -> Vec<String> {
        let scope = TenantScope::new(tenant).unwrap();
        let manifest = exporter::gold_manifest(&*self.store, &scope).unwrap().unwrap();
        let duck = duckdb::Connection::open_in_memory().unwrap();
        let mut rows = Vec::new();
        for file in manifest.periods.values().flat_map(|table| &table.files) {
            let local = self.store.local_path(file).unwrap();
            let sql = format!(
                "SELECT concat_ws(' ', period, workspace_id, kpi_name || '{{' || dim_key || '}}', value, currency) \
                 FROM read_parquet({}, hive_partitioning = false) WHERE tenant_id = {}",
                text(&local.to_string_lossy()),
                text(tenant)
            );
            let mut statement = duck.prepare(&sql).unwrap();
            rows.extend(statement.query_map([], |r| r.get::<_, String>(0)).unwrap().map(Result::unwrap));
        }
        rows
    }
}

fn row(tenant: &str, f: &Finding) -> String {
    format!(
        "SELECT {} AS tenant_id, {} AS workspace_id, {} AS finding_id, {} AS fingerprint, {} AS run_id, \
         CAST({} AS TIMESTAMPTZ) AS run_ts, CAST({} AS TIMESTAMPTZ) AS ingested_ts, {} AS engine_name, \
         {} AS check_id, {} AS status, \
         {{'level': {}, 'score': CAST({} AS USMALLINT)}} AS severity, {} AS category, \
         {{'cloud': 'aws', 'service': {}, 'account_id': {}, 'region': {}, 'resource_arn': CAST({} AS VARCHAR)}} AS scope, {} AS title, \
         {{'monthly_savings': CAST({} AS DECIMAL(18,6))}} AS estimated, \
         {{'cost_30d': CAST({} AS DECIMAL(18,6)), 'model': {{'currency': {}}}, \
           'attribution': {{'method': CAST({} AS VARCHAR)}}}} AS actual, \
         {{'status': {}, 'snooze_until_ts': CAST({} AS TIMESTAMPTZ)}} AS lifecycle, {{'source_ref': {}}} AS source",
        text(tenant),
        text(f.workspace),
        text(f.finding_id),
        text(f.fingerprint),
        text(f.run_id),
        text(f.run_ts),
        text(f.ingested_ts),
        text(f.engine),
        text(f.check_id),
        text(f.status),
        text(f.level),
        f.score,
        text(f.category),
        text(f.service),
        text(f.account_id),
        text(f.region),
        nullable(f.resource_arn),
        text(f.title),
        nullable(f.savings),
        nullable(f.cost_30d),
        text(f.currency),
        nullable(f.method),
        text(f.state),
        nullable(f.snooze_until),
        text(f.source_ref),
    )
}

fn fact(tenant: &str, period: &str, f: &Fact) -> String {
    format!(
        "SELECT {} AS tenant_id, {} AS billing_period, CAST({} AS TIMESTAMPTZ) AS usage_start, {} AS account_id, \
         CAST({} AS VARCHAR) AS region, CAST({} AS VARCHAR) AS service, {} AS charge_category, \
         CAST({} AS VARCHAR) AS line_item_type, CAST({} AS VARCHAR) AS commitment_status, {} AS currency, \
         CAST({} AS DECIMAL(38,12)) AS cost_amortized, CAST({} AS DECIMAL(38,12)) AS cost_unblended",
        text(tenant),
        text(period),
        text(f.usage_start),
        text(f.account_id),
        nullable(f.region),
        nullable(f.service),
        text(f.category),
        nullable(f.line_item_type),
        nullable(f.commitment_status),
        text(f.currency),
        text(f.amortized),
        text(f.unblended),
    )
}
