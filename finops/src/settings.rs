//! Every setting of every role, in one table; `finops config show` prints it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use contracts::layout;
use platform::broker::embedded::EmbeddedSettings;
use platform::broker::kafka::{self, KafkaSettings};
use platform::config::{self, Config, ConfigProblem, ConfigProblems, Declaration, Flag, Setting};
use platform::permissions::Readers;
use platform::store::s3::{self, S3Settings};
use platform::telemetry;
use platform::trace::{self, Traces};
use runner::run::TaskLimits;

use crate::global::{Global, LogFormat};
use crate::output::quoted;
use crate::scratch;

const DATA: Setting<Option<PathBuf>> = Setting::path("data.dir")
    .help("folder of the broker and of all data [default: data, or the parent of data.out]")
    .optional();
const OUT: Setting<Option<PathBuf>> = Setting::path("data.out")
    .help("folder of the findings; its parent is the store of all datasets [default: finops_findings in data.dir]")
    .optional();
const EXPORT: Setting<Option<PathBuf>> =
    Setting::path("export.dir").help("folder of the exported JSON [default: export, beside the findings]").optional();
const PERMISSIONS: Setting<String> = Setting::one_of("data.permissions", &["owner", "group", "all"])
    .default("owner")
    .help("who may read files and folders that are created, beside root: this user, also its group, or all users");
const CURRENCY: Setting<String> =
    Setting::text("run.default_currency").default("USD").help("currency of amounts that name none");
const DEADLINE: Setting<Duration> =
    Setting::duration("run.deadline", Duration::from_secs(1)..=Duration::from_secs(86_400))
        .default("300s")
        .help("time a checker has in one scope, and a collector in one account and region");
const REGIONS: Setting<Option<Vec<String>>> = Setting::list("run.regions")
    .help("regions that collectors look at [default: the region that the AWS configuration names, else us-east-1]")
    .optional();
const COLLECTORS_MAX: Setting<usize> = Setting::integer("run.collectors_max", 1..=256).default("8").help(
    "collectors at the same time, each in one account and region: they wait for answers; more meet the rate limits of an API",
);
const CHECKERS_MAX: Setting<Option<usize>> = Setting::integer("run.checkers_max", 1..=256)
    .help("checkers at the same time: they compute [default: one for each core]")
    .optional();
const BROKER_BYTES_MAX: Setting<Option<u64>> =
    Setting::bytes("broker.bytes_max", 1 << 20..=1 << 50).help("largest size of the broker's file").optional();
const RETENTION: Setting<Option<Duration>> =
    Setting::duration("broker.retention", Duration::from_secs(60)..=Duration::from_secs(3_650 * 86_400))
        .help("age at which records expire; the embedded broker applies it to topics that exist, too [default: never]")
        .optional();
const SESSION: Setting<Duration> =
    Setting::duration("broker.session_timeout", Duration::from_secs(1)..=Duration::from_secs(600))
        .default("45s")
        .help("a service silent for this long loses its partitions to others");
const PARTITIONS: Setting<u32> = Setting::integer("broker.partitions", 1..=1_024)
    .default("4")
    .help("partitions of each topic, when it has to be created: as many services can share the work");
const PRODUCERS: Setting<Option<PathBuf>> =
    Setting::path("validator.producers").help("policy file: which producer may send what").optional();
const MESSAGE_BYTES_MAX: Setting<usize> =
    Setting::bytes("validator.message_bytes_max", 1_024..=8 << 20).default("1MiB").help("largest wire record");
const RUN_TS_AHEAD_MAX: Setting<Duration> =
    Setting::duration("validator.run_ts_ahead_max", Duration::ZERO..=Duration::from_secs(3_650 * 86_400))
        .default("24h")
        .help("how far ahead of the clock a run may start; more is refused: it would hide the findings of later runs");
const TENANT_SPREAD: Setting<u32> = Setting::integer("validator.tenant_spread", 1..=1_024)
    .default("1")
    .help("partitions that one tenant's findings may use; holds for records that are not judged yet");
const STEP_RECORDS: Setting<usize> =
    Setting::integer("validator.step_records_max", 1..=100_000).default("5000").help("records of one atomic step");
const FILE_ROWS: Setting<u64> =
    Setting::integer("sink.file_rows_max", 1..=10_000_000).default("200000").help("rows at which a file is written");
const FILE_BYTES: Setting<u64> = Setting::bytes("sink.file_bytes_target", 1_024..=1 << 32)
    .default("128MiB")
    .help("bytes of records at which a file is written");
const AGE_MAX: Setting<Duration> =
    Setting::duration("sink.age_max", Duration::from_millis(50)..=Duration::from_secs(86_400))
        .default("60s")
        .help("age of a record at which its batch is written");
const OPEN_FILES: Setting<usize> =
    Setting::integer("sink.open_files_max", 1..=100_000).default("10000").help("files of one batch");
const SINK_MEMORY: Setting<u64> = Setting::bytes("sink.memory_bytes_max", 1 << 20..=1 << 40)
    .default("512MiB")
    .help("bytes of records over all open batches");
const CHECKPOINT: Setting<u64> = Setting::integer("sink.checkpoint_commits", 1..=1_000_000)
    .default("1000")
    .help("commits between two checkpoints of a chain: what a starting sink reads, at most");
const POLL: Setting<Duration> =
    Setting::duration("exporter.poll_interval", Duration::from_millis(100)..=Duration::from_secs(86_400))
        .default("2s")
        .help("how often a running exporter looks for new findings");
const FINDINGS_MAX: Setting<u64> = Setting::integer("exporter.findings_max", 1..=10_000_000)
    .default("50000")
    .help("rows of findings.json, of each currency those with the largest savings; about 1.3 KB each");
const REJECTS_MAX: Setting<u64> = Setting::integer("costs.rejects_per_thousand_max", 0..=999)
    .default("1")
    .help("refused rows in a thousand of a bill; with more of them nothing of the bill is stored");
const DUCK_MEMORY: Setting<u64> = Setting::bytes("exporter.memory_bytes_max", 64 << 20..=1 << 40)
    .default("2GiB")
    .help("memory DuckDB may use in one process");
const DUCK_THREADS: Setting<Option<usize>> = Setting::integer("exporter.threads_max", 1..=1_024)
    .help("threads DuckDB may use in one process [default: one for each core]")
    .optional();
const COST_MODEL: Setting<String> = Setting::one_of("costs.model", &["amortized", "unblended", "net", "blended"])
    .default("amortized")
    .help("which cost of a billing line counts as the actual cost of a finding");
const COST_TAG_KEYS: Setting<Vec<String>> =
    Setting::list("costs.tag_keys").default("Name,app,application").help("tags that tell the resource of a finding");
const COST_EXCLUDED: Setting<Vec<String>> =
    Setting::list("costs.exclude_charge_categories").default("Tax").help("charge categories that no finding is given");
const COST_ROLLUP: Setting<bool> = Setting::bool("costs.resource_rollup")
    .default("false")
    .help("give a finding about a resource without billing lines the cost of the whole service of its account");

const HTTP_LISTEN: Setting<Option<String>> = Setting::text("http.listen")
    .help("address such as 127.0.0.1:9464 where a service answers /live, /ready and /metrics [default: nowhere]")
    .optional();
const HTTP_STALLED: Setting<Duration> =
    Setting::duration("http.stalled_after", Duration::from_secs(1)..=Duration::from_secs(86_400))
        .default("10m")
        .help("a service whose loop has not run for so long is reported as not alive");

const SETTINGS: &[Declaration] = &[
    DATA.declared(),
    OUT.declared(),
    EXPORT.declared(),
    PERMISSIONS.declared(),
    CURRENCY.declared(),
    DEADLINE.declared(),
    REGIONS.declared(),
    COLLECTORS_MAX.declared(),
    CHECKERS_MAX.declared(),
    BROKER_BYTES_MAX.declared(),
    RETENTION.declared(),
    SESSION.declared(),
    PARTITIONS.declared(),
    PRODUCERS.declared(),
    MESSAGE_BYTES_MAX.declared(),
    RUN_TS_AHEAD_MAX.declared(),
    TENANT_SPREAD.declared(),
    STEP_RECORDS.declared(),
    FILE_ROWS.declared(),
    FILE_BYTES.declared(),
    AGE_MAX.declared(),
    OPEN_FILES.declared(),
    SINK_MEMORY.declared(),
    CHECKPOINT.declared(),
    POLL.declared(),
    FINDINGS_MAX.declared(),
    REJECTS_MAX.declared(),
    DUCK_MEMORY.declared(),
    DUCK_THREADS.declared(),
    COST_MODEL.declared(),
    COST_TAG_KEYS.declared(),
    COST_EXCLUDED.declared(),
    COST_ROLLUP.declared(),
    HTTP_LISTEN.declared(),
    HTTP_STALLED.declared(),
];

/// What traces call the embedded broker.
const EMBEDDED: &str = "finops_embedded";

/// A user of a command reads its result, an operator of a service reads its log. The clients of AWS and Kafka report
/// as a warning what they then return as an error, too.
const QUIET: &[Declaration] = &[
    telemetry::LOG_FILTER.default("warn,aws_config=error,platform::broker::kafka=error").declared(),
    telemetry::LOG_FORMAT.declared(),
];

/// The configuration in force.
pub struct Settings {
    pub config: Config,
    /// Folder of the broker's file.
    pub data: PathBuf,
    /// Root of the store: the parent of the findings dataset.
    pub root: PathBuf,
    pub export: PathBuf,
    /// Of what is created.
    pub readers: Readers,
    pub default_currency: String,
    pub deadline: Duration,
    pub regions: Vec<String>,
    pub task_limits: TaskLimits,
    pub broker: EmbeddedSettings,
    /// The cluster, instead of the embedded broker.
    pub kafka: Option<KafkaSettings>,
    /// The bucket, instead of the root.
    pub s3: Option<S3Settings>,
    pub retention: Option<Duration>,
    pub session_timeout: Duration,
    pub partitions: u32,
    pub producers: Option<PathBuf>,
    pub message_bytes_max: usize,
    pub run_ts_ahead_max: Duration,
    pub tenant_spread: u32,
    pub step_records_max: usize,
    pub sink_limits: sink::BatchLimits,
    pub export_poll_interval: Duration,
    pub findings_max: u64,
    /// Refused rows in a thousand of a bill.
    pub rejects_per_thousand_max: u64,
    pub duck: exporter::DuckLimits,
    pub attribution: exporter::AttributionOptions,
    pub http_listen: Option<String>,
    pub http_stalled_after: Duration,
    /// The last ones are sent when the settings go.
    pub traces: Traces,
}

/// Reads all sources; `is_service` decides how much is logged unless the settings say. A command that `only_looks` creates nothing in
/// the folders of the data.
pub fn load(global: &Global, is_service: bool, only_looks: bool) -> Result<Settings, ConfigProblems> {
    let telemetry = if is_service { telemetry::SETTINGS } else { QUIET };
    let tables = [SETTINGS, kafka::SETTINGS, s3::SETTINGS, telemetry, trace::SETTINGS];
    let config = config::load(&tables, global.config.as_deref(), flags(global))?;
    let readers = Readers::named(&config.get(&PERMISSIONS)?).unwrap_or_default();
    // Before anything is created.
    readers.apply();
    telemetry::TelemetryConfig::from_config(&config).map(telemetry::init)?.map_err(|e| ConfigProblem {
        origin: None,
        key: None,
        reason: e.to_string(),
    })?;
    let (data, root) = folders(&config)?;
    let kafka = KafkaSettings::from_config(&config)?;
    let cache = if only_looks { scratch::cache(&data) } else { data.join("cache") };
    let s3 = S3Settings::from_config(&config, &cache)?;
    if s3.is_some() && config.get(&OUT)?.is_some() {
        return Err(config.problem(&OUT, "and store.url name two places for the same datasets").into());
    }
    let duck = exporter::DuckLimits {
        memory_max_mb: config.get(&DUCK_MEMORY)? >> 20,
        threads: config.get(&DUCK_THREADS)?.unwrap_or_else(|| exporter::DuckLimits::default().threads),
        spill_dir: if only_looks { std::env::temp_dir() } else { root.join("_exporter").join("spill") },
    };
    Ok(Settings {
        export: config.get(&EXPORT)?.unwrap_or_else(|| root.join("export")),
        readers,
        data,
        root,
        default_currency: currency(&config)?,
        deadline: config.get(&DEADLINE)?,
        regions: config.get(&REGIONS)?.unwrap_or_default(),
        task_limits: TaskLimits {
            collectors: config.get(&COLLECTORS_MAX)?,
            checkers: config.get(&CHECKERS_MAX)?.unwrap_or_else(|| TaskLimits::default().checkers),
        },
        broker: EmbeddedSettings { bytes_max: config.get(&BROKER_BYTES_MAX)?, ..EmbeddedSettings::default() },
        traces: Traces::start(&config, if kafka.is_some() { "kafka" } else { EMBEDDED })?,
        kafka,
        s3,
        retention: config.get(&RETENTION)?,
        session_timeout: config.get(&SESSION)?,
        partitions: config.get(&PARTITIONS)?,
        producers: config.get(&PRODUCERS)?,
        message_bytes_max: config.get(&MESSAGE_BYTES_MAX)?,
        run_ts_ahead_max: config.get(&RUN_TS_AHEAD_MAX)?,
        tenant_spread: config.get(&TENANT_SPREAD)?,
        step_records_max: config.get(&STEP_RECORDS)?,
        sink_limits: sink::BatchLimits {
            file_rows_max: config.get(&FILE_ROWS)?,
            file_bytes_target: config.get(&FILE_BYTES)?,
            age_max: config.get(&AGE_MAX)?,
            open_files_max: config.get(&OPEN_FILES)?,
            commit_record_bytes_max: sink::limits::COMMIT_RECORD_BYTES_MAX,
            memory_bytes_max: config.get(&SINK_MEMORY)?,
            checkpoint_commits: config.get(&CHECKPOINT)?,
        },
        export_poll_interval: config.get(&POLL)?,
        findings_max: config.get(&FINDINGS_MAX)?,
        rejects_per_thousand_max: config.get(&REJECTS_MAX)?,
        duck,
        attribution: attribution(&config)?,
        http_listen: config.get(&HTTP_LISTEN)?,
        http_stalled_after: config.get(&HTTP_STALLED)?,
        config,
    })
}

impl Settings {
    /// Where the broker is, for people.
    pub fn broker_location(&self) -> String {
        match &self.kafka {
            Some(kafka) => kafka.brokers.join(","),
            None => self.data.display().to_string(),
        }
    }

    /// Where the store is, for people.
    pub fn store_location(&self) -> String {
        match &self.s3 {
            Some(s3) => format!("s3://{}/{}", s3.bucket, s3.prefix),
            None => self.root.display().to_string(),
        }
    }

    /// Flags with which another command finds the same broker and store, quoted for a shell.
    pub fn flags(&self) -> String {
        let mut flags = format!("--data {}", quoted(&self.data.to_string_lossy()));
        if self.s3.is_none() && self.root != self.data {
            let findings = self.root.join(layout::FINDINGS);
            flags += &format!(" --out {}", quoted(&findings.to_string_lossy()));
        }
        if let Some(kafka) = &self.kafka {
            flags += &format!(" --brokers {}", quoted(&kafka.brokers.join(",")));
        }
        if self.s3.is_some() {
            flags += &format!(" --store {}", quoted(&self.store_location()));
        }
        flags
    }
}

/// In capitals. A code that is none would make a dead letter of every own finding.
fn currency(config: &Config) -> Result<String, ConfigProblems> {
    let code = config.get(&CURRENCY)?.trim().to_ascii_uppercase();
    if contracts::currency::is_known(&code) {
        return Ok(code);
    }
    Err(config.problem(&CURRENCY, "must be the code of a currency by ISO 4217, such as USD or EUR").into())
}

/// How costs are attributed. An unknown model is refused before, by its choices.
fn attribution(config: &Config) -> Result<exporter::AttributionOptions, ConfigProblems> {
    let model = exporter::CostModel::named(&config.get(&COST_MODEL)?);
    Ok(exporter::AttributionOptions {
        model: model.ok_or_else(|| config.problem(&COST_MODEL, "must be the name of a cost model"))?,
        tag_keys: config.get(&COST_TAG_KEYS)?,
        excluded_charge_categories: config.get(&COST_EXCLUDED)?,
        resource_rollup: config.get(&COST_ROLLUP)?,
    })
}

/// Data folder and store root: each follows from the other unless both are given.
fn folders(config: &Config) -> Result<(PathBuf, PathBuf), ConfigProblems> {
    let (data, out) = (config.get(&DATA)?, config.get(&OUT)?);
    let Some(out) = out else {
        let data = data.unwrap_or_else(|| PathBuf::from("data"));
        return Ok((data.clone(), data));
    };
    if out.file_name().is_none_or(|name| name != layout::FINDINGS) {
        let reason = format!("must be a folder named {}, such as data/{0}", layout::FINDINGS);
        return Err(config.problem(&OUT, reason).into());
    }
    let parent = out.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new(".")).to_owned();
    Ok((data.unwrap_or_else(|| parent.clone()), parent))
}

fn flags(global: &Global) -> Vec<Flag> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.display().to_string());
    let format = global.log_format.map(|format| match format {
        LogFormat::Human => "human".to_owned(),
        LogFormat::Json => "json".to_owned(),
    });
    let given = [
        ("--data", "data.dir", path(&global.data)),
        ("--out", "data.out", path(&global.out)),
        ("--brokers", "broker.kafka.brokers", global.brokers.clone()),
        ("--store", "store.url", global.store.clone()),
        ("--export", "export.dir", path(&global.export)),
        ("--log", "log.filter", global.log.clone()),
        ("--log-format", "log.format", format),
    ];
    given
        .into_iter()
        .filter_map(|(name, key, value)| Some(Flag { name: name.into(), key: key.into(), value: value? }))
        .collect()
}
