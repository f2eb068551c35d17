//! The whole chain in process: a folder with a broker and a store, and the services drained one after another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use checkers::run_context::{RunContext, RunFacts};
use chrono::DateTime;
use contracts::identity::SaltMode;
use contracts::layout;
use contracts::run_manifest::{self, RunManifest, RunStatus};
use contracts::topics;
use lake::verify::Subject;
use operations::Operator;
use operations::repair;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{
    Broker, ConsumerConfig, GroupOffset, Headers, Message, OutRecord, Polled, Start, TopicPartition, TopicSpec, Topics,
};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::Store;
use platform::store::local::LocalStore;
use validator::ProducerPolicies;

/// The facts of run `run-1` of acme, which starts then.
#[must_use]
pub fn run_context(started_ms: i64) -> RunContext {
    let facts = RunFacts {
        tenant_id: "acme".into(),
        workspace_id: "prod".into(),
        run_id: "run-1".into(),
        run_ts: DateTime::from_timestamp_millis(started_ms).unwrap(),
        engine_name: "finops".into(),
        engine_version: "0.1.0".into(),
        schema_version: 1,
        default_currency: "USD".into(),
        finding_id_mode: SaltMode::Stable,
        rulepack: Arc::default(),
    };
    RunContext::new(facts).unwrap()
}

/// A data folder with everything in it.
pub struct Pipeline {
    /// Log.
    pub broker: EmbeddedBroker,
    /// Datasets.
    pub store: Arc<dyn Store>,
    /// Folder of the log, and of the datasets unless they are elsewhere.
    pub folder: PathBuf,
    /// Who may send what.
    pub policies: ProducerPolicies,
    /// Valid partitions one tenant may use.
    pub tenant_spread: u32,
}

impl Pipeline {
    /// Opens or makes one.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self::open_on(folder, Arc::new(LocalStore::open(folder, layout::SINK).unwrap()))
    }

    /// Opens or makes one whose datasets are in this store.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn open_on(folder: &Path, store: Arc<dyn Store>) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let broker = EmbeddedBroker::open(&folder.join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
        for name in [topics::WIRE, topics::VALID, topics::DEAD_LETTERS, topics::RUNS] {
            let (name, compacted) = (name.to_owned(), name == topics::RUNS);
            let spec = TopicSpec { name, partitions: 2, compacted, retention_ms: None, retention_bytes: None };
            broker.ensure_topic(&spec).unwrap();
        }
        let policies = ProducerPolicies::own_only(SaltMode::Stable);
        Self { broker, store, folder: folder.to_owned(), policies, tenant_spread: 1 }
    }

    /// A topic of a producer, in the shape of the wire topic.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn ensure_wire(&self, topic: &str) {
        let (name, retention_ms, retention_bytes) = (topic.to_owned(), None, None);
        let spec = TopicSpec { name, partitions: 2, compacted: false, retention_ms, retention_bytes };
        self.broker.ensure_topic(&spec).unwrap();
    }

    /// Publishes records on the wire topic.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn publish(&self, records: impl IntoIterator<Item = (Option<&'static str>, Vec<u8>, Headers)>) {
        let record = |(key, value, headers): (Option<&'static str>, Vec<u8>, Headers)| OutRecord {
            topic: topics::WIRE.into(),
            partition: None,
            key: key.map(|key| Bytes::from_static(key.as_bytes())),
            value: value.into(),
            headers,
            timestamp_ms: None,
        };
        let records: Vec<_> = records.into_iter().map(record).collect();
        self.broker.producer().unwrap().append(&records).unwrap();
    }

    /// Judges all that is on the wire topics.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn validate(&self) -> validator::ValidatorSnapshot {
        self.validate_by(&self.validator()).unwrap()
    }

    /// Judges by other settings.
    ///
    /// # Errors
    /// The validator's.
    pub fn validate_by(
        &self,
        config: &validator::ValidatorConfig,
    ) -> Result<validator::ValidatorSnapshot, validator::ValidatorError> {
        let counters = Arc::default();
        validator::run(
            config,
            validator::ValidatorDeps { broker: &self.broker, clock: &SystemClock, counters: &counters },
            &Shutdown::new(),
        )?;
        Ok(counters.snapshot())
    }

    /// Settings of the validator.
    #[must_use]
    pub fn validator(&self) -> validator::ValidatorConfig {
        validator::ValidatorConfig {
            member: "validator".into(),
            pipeline_topics: contracts::topics::PipelineTopics::live(),
            selection: None,
            policies: self.policies.clone(),
            valid_partitions: 2,
            dead_partitions: 2,
            tenant_spread: self.tenant_spread,
            step_records_max: 100,
            step_bytes_max: 1 << 20,
            session_timeout: Duration::from_secs(10),
            until: Until::Drained,
            skips_expired: false,
            skips_judged: false,
        }
    }

    /// Writes all that was judged.
    ///
    /// # Errors
    /// The sink's.
    pub fn sink(&self) -> Result<sink::SinkSnapshot, sink::SinkError> {
        let config = sink::SinkConfig {
            member: "sink".into(),
            pipeline_topics: contracts::topics::PipelineTopics::live(),
            limits: sink::BatchLimits::default(),
            session_timeout: Duration::from_secs(10),
            until: Until::Drained,
            skips_expired: false,
            replaced_store: None,
        };
        let counters = Arc::default();
        sink::run(
            &config,
            sink::SinkDeps { broker: &self.broker, store: &*self.store, clock: &SystemClock, counters: &counters },
            &Shutdown::new(),
        )?;
        Ok(counters.snapshot())
    }

    /// Judges and writes all there is.
    ///
    /// # Panics
    /// When it fails.
    pub fn drain(&self) {
        let _ = self.validate();
        self.sink().unwrap();
    }

    /// What `finops verify` finds.
    ///
    /// # Panics
    /// When it cannot look.
    #[must_use]
    pub fn verify(&self) -> lake::verify::VerifyReport {
        let (store, broker) = (&*self.store, Some(&self.broker as &dyn Broker));
        let subject = Subject { store, broker, exports: None, producers: &self.policies };
        lake::verify::verify_all(subject, &|| {}).unwrap()
    }

    /// What `finops repair` does.
    ///
    /// # Panics
    /// When it fails.
    pub fn repair(&self, plan: &repair::Plan) -> repair::Repaired {
        let operator = Operator { by: "test", clock: &SystemClock, shutdown: &Shutdown::new() };
        repair::execute(plan, &self.broker, &*self.store, &operator).unwrap()
    }

    /// Moves the validators' group to the end of the wire topics, without judging: what is there now is lost.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn pretend_to_have_judged(&self) {
        self.set_validators(|at| GroupOffset {
            offset: self.broker.watermarks(at).unwrap().high,
            at: at.clone(),
            metadata: String::new(),
        });
    }

    /// Sets the offsets of the validators' group, as an operator's tool does.
    ///
    /// # Panics
    /// When the broker refuses.
    pub fn set_validators(&self, offset: impl Fn(&TopicPartition) -> GroupOffset) {
        let mut member = self
            .broker
            .consumer(ConsumerConfig {
                group: topics::groups::VALIDATOR.into(),
                topics: Topics::Family(topics::WIRE.into()),
                member: "liar".into(),
                start: Start::Earliest,
                session_timeout: Duration::from_secs(10),
                poll_records_max: 100,
                poll_bytes_max: 1 << 20,
            })
            .unwrap();
        let assigned = loop {
            if let Polled::Assigned(all) = member.poll(Duration::from_millis(50)).unwrap() {
                break all;
            }
        };
        member.commit(&assigned.iter().map(|assignment| offset(&assignment.at)).collect::<Vec<_>>()).unwrap();
        member.leave().unwrap();
    }

    /// Every record of a wire topic, by partition and offset.
    ///
    /// # Panics
    /// When the broker refuses.
    #[must_use]
    pub fn records(&self, topic: &str) -> Vec<Message> {
        let read = |partition| {
            let at = TopicPartition { topic: topic.into(), partition };
            self.broker.read(&at, 0, 100_000, 1 << 30).unwrap()
        };
        (0..2).flat_map(read).collect()
    }
}

/// Id of a topic.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn topic_id(broker: &dyn Broker, name: &str) -> String {
    broker.topics().unwrap().into_iter().find(|topic| &*topic.name == name).unwrap().id.to_string()
}

/// The manifest of a complete run of tenant `acme`, workspace `prod`, that published so many findings.
#[must_use]
pub fn run_manifest(run_id: &str, published: u64) -> RunManifest {
    RunManifest {
        format_version: run_manifest::FORMAT_VERSION,
        tenant_id: "acme".into(),
        workspace_id: "prod".into(),
        run_id: run_id.into(),
        run_ts: "2026-01-20T10:00:00.000Z".into(),
        created_at: "2026-01-20T10:00:00.000Z".into(),
        status: RunStatus::Complete,
        finding_id_mode: "stable".into(),
        engine_name: "finops".into(),
        engine_version: "0.1.0".into(),
        rulepack_version: "2026.1".into(),
        schema_version: 1,
        published,
        scopes: Vec::new(),
        billed_accounts: None,
        billed_usage: None,
        billing_deliveries: Vec::new(),
        notes: BTreeMap::new(),
    }
}

/// Copies a folder with all that is in it.
///
/// # Panics
/// When it cannot.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
