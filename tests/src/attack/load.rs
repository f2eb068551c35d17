//! Wire records, published without end: most are good, some break the contract, some are no JSON at all.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::Duration;

use bytes::Bytes;
use contracts::source::{Src, SrcPartition};
use contracts::topics;
use platform::broker::{Appended, Headers, OutRecord, Producer};
use serde_json::{Value, json};

use super::site::Site;
use crate::repo;

/// Tenants of the load.
pub const TENANTS: &[&str] = &["acme", "globex", "initech"];

/// Publishes records and remembers those the broker acknowledged.
pub struct Load<'s> {
    site: &'s Site,
    template: Value,
    next: AtomicU64,
    acknowledged: Mutex<HashMap<Src, Bytes>>,
    /// The one that works; to begin one takes a Kafka some time.
    producer: Mutex<Option<Box<dyn Producer>>>,
    stop: AtomicBool,
}

impl<'s> Load<'s> {
    /// A load that has published nothing yet.
    ///
    /// # Panics
    /// When the example of a wire record cannot be read.
    #[must_use]
    pub fn new(site: &'s Site) -> Self {
        let template = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { site, template, next, acknowledged: Mutex::default(), producer: Mutex::default(), stop }
    }

    /// Goes on with this number: what was published before is not published again.
    #[must_use]
    pub fn from(self, n: u64) -> Self {
        self.next.store(n, Ordering::SeqCst);
        self
    }

    /// The wire record of a number; each number is another finding.
    #[must_use]
    pub fn record(&self, n: u64, tenant: &str) -> Bytes {
        if n % 25 == 7 {
            return Bytes::from(format!("{{\"tenant_id\":\"{tenant}\", {n} is no JSON"));
        }
        let mut wire = self.template.clone();
        wire["tenant_id"] = json!(tenant);
        wire["run_ts"] = json!(format!("2026-01-{:02}T10:00:00Z", 20 + n % 2));
        wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
        if n % 10 == 3 {
            wire["status"] = json!("nonsense");
        }
        serde_json::to_vec(&wire).unwrap().into()
    }

    /// Publishes that many records of the usual tenants; returns false when the broker would not take them.
    pub fn publish(&self, count: u64) -> bool {
        self.publish_as(count, |n| TENANTS[n as usize % TENANTS.len()].to_owned())
    }

    /// Publishes records of tenants by number.
    ///
    /// # Panics
    /// When the topic is not there.
    pub fn publish_as(&self, count: u64, tenant: impl Fn(u64) -> String) -> bool {
        let from = self.next.fetch_add(count, Ordering::SeqCst);
        let record = |n| {
            let tenant = tenant(n);
            let (value, key) = (self.record(n, &tenant).into(), Some(Bytes::from(tenant)));
            OutRecord {
                topic: topics::WIRE.into(),
                partition: None,
                key,
                value,
                headers: Headers::new(),
                timestamp_ms: None,
            }
        };
        let records: Vec<_> = (from..from + count).map(record).collect();
        let topic_id = || self.site.broker.topics().ok()?.into_iter().find(|t| &*t.name == topics::WIRE).map(|t| t.id);
        let Some(topic_id) = topic_id() else { return false };
        let Some(appended) = self.append(&records) else { return false };
        let mut acknowledged = self.acknowledged.lock().unwrap();
        for (record, at) in records.into_iter().zip(appended) {
            let partition = SrcPartition { topic_id: topic_id.to_string(), partition: at.partition };
            acknowledged.insert(Src { partition, offset: at.offset }, record.value.into_bytes());
        }
        true
    }

    fn append(&self, records: &[OutRecord]) -> Option<Vec<Appended>> {
        let mut kept = self.producer.lock().unwrap();
        let mut producer = kept.take().or_else(|| self.site.broker.producer().ok())?;
        let appended = producer.append(records).ok()?;
        *kept = Some(producer);
        Some(appended)
    }

    /// What the broker has acknowledged.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn acknowledged(&self) -> HashMap<Src, Bytes> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Publishes a little, again and again, on a thread of its own, until [`end`](Self::end) or a panic.
    pub fn keep_on<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        scope.spawn(|| {
            while !self.stop.load(Ordering::SeqCst) {
                self.publish(40);
                std::thread::sleep(Duration::from_millis(25));
            }
        });
    }

    /// Ends what [`keep_on`](Self::keep_on) began.
    pub fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}
