//! `finops costs`: bills as cost facts.

mod load;
mod report;
mod rows;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use platform::exit::ExitCode;

use super::bill::BillArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum CostsVerb {
    /// Reads bills and stores their rows as cost facts, without checking them
    #[command(
        after_help = "Ends with 0 when all rows that may count are stored, 65 when a bill cannot be used; then nothing of \
                            it is stored."
    )]
    Load(LoadArgs),
    /// What is live: deliveries by billing month and source, with rows, refused rows and totals
    Status(StatusArgs),
}

#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Tenant that is billed
    #[arg(long)]
    pub tenant: String,
    #[command(flatten)]
    pub taken: BillArgs,
    /// Write what was read, refused and stored, or why nothing was, as JSON into this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Bills: AWS cost and usage reports (legacy and 2.0) or FOCUS 0.5 to 1.4, as CSV, CSV.gz or Parquet; files, folders or
    /// manifests
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Tenant
    #[arg(long)]
    pub tenant: String,
}

pub fn run(verb: &CostsVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    match verb {
        CostsVerb::Load(args) => load::run(args, settings, output),
        CostsVerb::Status(args) => status::run(args, settings, output),
    }
}
