//! The command line as types. Help texts are the doc comments; completions are generated from here.

pub mod findings;
mod sink;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use producers::collect::billing::Overlap;

use self::findings::FindingsVerb;
pub use self::sink::SinkVerb;

/// Cloud-cost findings from checkers to Parquet, JSON and KPI tables: nothing lost, nothing counted twice.
#[derive(Debug, Parser)]
#[command(name = "finops", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Configuration file [default: $FINOPS_CONFIG, else ./finops.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the embedded broker and, by default, of all data [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Folder of the valid findings; its parent is the store of all datasets [default: <data>/finops_findings]
    #[arg(long, global = true, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Brokers of a Kafka cluster, with commas between [default: none, the embedded broker]
    #[arg(long, global = true, value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// Bucket of all datasets, instead of a folder
    #[arg(long, global = true, value_name = "s3://BUCKET/PREFIX")]
    pub store: Option<String>,
    /// Folder of the exported JSON [default: <data>/export]
    #[arg(long, global = true, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Form of what is printed to stdout; cells of csv are safe to open in a spreadsheet, json has what is stored
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Characters a line of a table may have [default: $COLUMNS, else those of the terminal; not limited when piped]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(20..))]
    pub width: Option<u16>,
    /// Log level or filter, to stderr [default: warn]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// Form of the log [default: human]
    #[arg(long, global = true, value_enum)]
    pub log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    Ndjson,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Human,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The main job, once: collect, check, publish, validate, sink, export; then exit
    Run(Box<RunArgs>),
    /// All services in one process, until stopped
    Up,
    /// The validator as a service
    #[command(subcommand)]
    Validator(ValidatorVerb),
    /// The sink as a service
    #[command(subcommand)]
    Sink(SinkVerb),
    /// The exporter: once, or as a service
    #[command(subcommand)]
    Exporter(ExporterVerb),
    /// What the checkers are and what they look for
    #[command(subcommand)]
    Checkers(CheckersVerb),
    /// The contract, for producers
    #[command(subcommand)]
    Contract(ContractVerb),
    /// Findings of one tenant, from the dataset
    #[command(subcommand)]
    Findings(FindingsVerb),
    /// Dead letters: what was refused and why
    #[command(subcommand)]
    Dlq(DlqVerb),
    /// Proves that nothing is lost, doubled or changed, and names what it could not compare
    #[command(
        after_help = "Ends with 0 when everything was compared and is as it must be, 65 when something is not, 4 when what \
                      could be compared is as it must be, but not everything could be."
    )]
    Verify(VerifyArgs),
    /// Brings back what `verify` found missing, as far as the broker still holds it
    Repair(RepairArgs),
    /// How far every service is: lag, commits, files, dead letters, runs
    Status(StatusArgs),
    /// Shows the records of a topic as they come; joins no group and leaves no trace
    Tap(TapArgs),
    /// Topics of the broker, and how they are kept
    #[command(subcommand)]
    Topics(crate::commands::topics::TopicsVerb),
    /// Says what is wrong with configuration and environment, and what to do about it
    #[command(
        after_help = "Ends with 0 when nothing fails, 75 when something around it does (mend it and try again), \
                      78 when the configuration has to change."
    )]
    Doctor(DoctorArgs),
    /// Judges wire records once more: into a fresh root that is compared and swapped in, or into the same dataset
    #[command(subcommand)]
    Replay(ReplayVerb),
    /// The configuration in force
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Completions for a shell, to stdout
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// End with 0 also when not everything could be compared
    #[arg(long)]
    pub allow_incomplete: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Tenant the findings belong to
    #[arg(long)]
    pub tenant: String,
    /// Workspace of the tenant
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// Billing files in FOCUS 0.5 to 1.4: CSV, CSV.gz or Parquet; repeatable
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub focus: Vec<PathBuf>,
    /// Name of this export, where one billing account has several: each name adds up and is restated by itself
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub source: Option<String>,
    /// The bill replaces the deliveries of the same account and month that it overlaps, each as a whole
    #[arg(long, conflicts_with = "increment")]
    pub restate: bool,
    /// The bill adds to what it overlaps of the same account and month
    #[arg(long)]
    pub increment: bool,
    /// Another producer's wire findings, one JSON object on each line, packed with gzip or not, published as they are; - is
    /// standard input; repeatable
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub findings: Vec<PathBuf>,
    /// Only these checkers, by SPEC or checker id; repeatable [default: all]
    #[arg(long, num_args = 1.., value_name = "SPEC")]
    pub checker: Vec<String>,
    /// All but these checkers; repeatable
    #[arg(long, num_args = 1.., value_name = "SPEC")]
    pub exclude_checker: Vec<String>,
    /// What a finding id is stable over
    #[arg(long, default_value = "stable", value_name = "MODE", value_parser = ["stable", "per_run", "per_day"])]
    pub finding_id_mode: String,
    /// Thresholds of the checkers
    #[arg(long, value_name = "FILE")]
    pub rulepack: Option<PathBuf>,
    /// Rows in findings.json [default: exporter.findings_max]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Say what would be checked, and stop
    #[arg(long)]
    pub dry_run: bool,
}

impl RunArgs {
    /// How a bill is taken that overlaps what is live.
    pub fn overlap(&self) -> Overlap {
        match (self.restate, self.increment) {
            (true, _) => Overlap::Restate,
            (_, true) => Overlap::Increment,
            _ => Overlap::Decide,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum ValidatorVerb {
    /// Until stopped
    Run {
        /// Stop when everything on the wire topics has been judged
        #[arg(long)]
        drain: bool,
        /// Skip records that expired on the broker before they were judged, instead of stopping there
        #[arg(long)]
        skip_expired: bool,
        /// Resume after records that may have been judged under other settings, instead of stopping there
        #[arg(long)]
        skip_judged: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ExporterVerb {
    /// Build the exports and KPI tables of all tenants once
    Once(ExportArgs),
    /// Build them all, then those of each tenant that gets something new, until stopped
    Run(ExportArgs),
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only this tenant [default: all]
    #[arg(long)]
    pub tenant: Option<String>,
    /// Rows in findings.json [default: exporter.findings_max]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Rows that count: of the latest complete run per workspace and producer, or of all runs
    #[arg(long, default_value = "latest_run", value_parser = ["latest_run", "all"])]
    pub population: String,
}

#[derive(Debug, Subcommand)]
pub enum CheckersVerb {
    /// All checkers, by SPEC
    List,
    /// What a checker looks for, its formula and thresholds
    Explain {
        /// SPEC, checker id or check_id
        spec: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum ContractVerb {
    /// Judges wire findings, one JSON object on each line or in a whole file, as the validator would
    Test(ContractTestArgs),
}

#[derive(Debug, Args)]
pub struct ContractTestArgs {
    /// Files, packed with gzip or not, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Judge as records of this wire topic: its tenants, check_ids and kinds by the producer policy; a producer's name is enough
    #[arg(long)]
    pub topic: Option<String>,
    /// What a line is: a draft gets its ids computed, a record brings them
    #[arg(long, default_value = "auto", value_parser = ["draft", "record", "auto"])]
    pub kind: String,
    /// What a finding id is stable over [default: stable, or as the producer policy says of the topic]
    #[arg(long, value_name = "MODE", value_parser = ["stable", "per_run", "per_day"])]
    pub finding_id_mode: Option<String>,
}

/// Which dead letters. Each option may be repeated: any of its values matches.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which dead letters")]
pub struct DlqFilter {
    /// Only this tenant; _unknown for records that name none. list and stats find those, too, whose value or key names it, and
    /// mark them as unverified
    #[arg(long)]
    pub tenant: Vec<String>,
    /// Only this code
    #[arg(long)]
    pub code: Vec<String>,
    /// Only of this producer: its name, or a wire topic
    #[arg(long, value_name = "NAME")]
    pub producer: Vec<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN_ID")]
    pub run: Vec<String>,
    /// Only this source position, as `dlq list` prints it
    #[arg(long)]
    pub src: Vec<String>,
    /// First refused at or after: a time such as 2026-01-20T06:00:00Z, a date, or an age such as 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub since: Option<i64>,
    /// First refused before
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub until: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub enum DlqVerb {
    /// Dead letters, newest first
    List {
        /// At most this many; 0 for all
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u64,
        #[command(flatten)]
        filter: DlqFilter,
    },
    /// One dead letter with its violations and bytes
    Show {
        /// Source position, as `dlq list` prints it
        src: String,
    },
    /// How many, by code, field and topic
    Stats {
        #[command(flatten)]
        filter: DlqFilter,
    },
    /// Sends dead letters back to the topic they came from, each once
    Redrive(RedriveArgs),
}

#[derive(Debug, Args)]
pub struct RedriveArgs {
    /// All dead letters; without it a filter is needed
    #[arg(long)]
    pub all: bool,
    /// Say what would be sent, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// JSON Patch (RFC 6902) to apply to each record; a record it does not fit is left alone
    #[arg(long, value_name = "FILE")]
    pub patch: Option<PathBuf>,
    /// Send at most this many records a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Send at most this many records
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
    /// Leave alone what was redriven this often
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub replays_max: u32,
    /// Who asks, for the audit record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
    #[command(flatten)]
    pub filter: DlqFilter,
}

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Say what would be sent, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Who asks, for the audit record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Again every two seconds, until stopped
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct TapArgs {
    /// Topic
    pub topic: String,
    /// Where to begin: earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or an age such as 1h
    #[arg(long, default_value = "latest", value_name = "WHERE")]
    pub from: crate::tap::From,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<u32>,
    /// Only records of this tenant, by header or key
    #[arg(long)]
    pub tenant: Option<String>,
    /// Stop after this many
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Stop at the end of what is there
    #[arg(long)]
    pub no_follow: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Only what can be said without asking broker and store
    #[arg(long)]
    pub offline: bool,
    /// Seconds each check of the environment may take
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

/// Which wire records.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which wire records [default: all that were judged]")]
pub struct WireArgs {
    /// Received at or after: a time such as 2026-01-20T06:00:00Z, a date, or an age such as 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub since: Option<i64>,
    /// Received before
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub until: Option<i64>,
    /// Only these offsets: <topic>/<partition>:<from>..<until>, the last one exclusive or left out; repeatable, once for a partition
    #[arg(long, value_name = "RANGE")]
    pub offsets: Vec<String>,
    /// Only of this tenant; repeatable
    #[arg(long)]
    pub tenant: Vec<String>,
    /// Only of this check_id; repeatable
    #[arg(long)]
    pub check: Vec<String>,
    /// Only of this run; repeatable
    #[arg(long, value_name = "RUN_ID")]
    pub run: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum ReplayVerb {
    /// Replays; given again after it was stopped or killed, it goes on
    Run(ReplayRunArgs),
    /// What differs between the current root and a fresh one; exit code 3 when something does
    Compare {
        /// Root that the replay has made
        #[arg(long, value_name = "ROOT")]
        with: String,
        /// Only this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// List at most this many findings of each kind
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: u64,
    },
    /// Puts the fresh root in the place of the current one, which moves there; services must be stopped
    Swap(SwapArgs),
    /// Makes the fresh root the root where it is (object stores): services must be stopped, and given it as their store
    HandOver(SwapArgs),
}

#[derive(Debug, Args)]
pub struct SwapArgs {
    /// Root that the replay has made
    #[arg(long, value_name = "ROOT")]
    pub with: String,
    /// Also when the fresh root lacks records that the current one has
    #[arg(long)]
    pub allow_partial: bool,
    /// Who asks, for the record in the fresh root
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
}

#[derive(Debug, Args)]
pub struct ReplayRunArgs {
    /// Into a fresh root: an empty folder, to be swapped on the file system of the current one
    #[arg(long, value_name = "ROOT", required_unless_present = "into_topic", conflicts_with = "into_topic")]
    pub to: Option<String>,
    /// Into the current root: records are sent again through their wire topic and become new rows
    #[arg(long)]
    pub into_topic: bool,
    /// Id of the replay, small letters, digits and - [default: that of the same replay, if it has not ended, or a new one]
    #[arg(long)]
    pub id: Option<String>,
    /// Into a topic: send at most this many records a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "into_topic")]
    pub rate: Option<u32>,
    /// Who asks, for the audit record, or the record in the fresh root
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    pub by: String,
    /// Say what would be replayed, and stop
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub records: WireArgs,
}

#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Every setting, its value and where it comes from
    Show,
}
