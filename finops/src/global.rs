//! Options of every command.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::output::Output;

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
pub enum LogFormat {
    Human,
    Json,
}
