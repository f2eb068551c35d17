//! `finops costs`: bills as cost facts.

mod check;
mod load;
mod report;
mod rows;
mod status;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use collectors::billing::conformance::FocusVersion;
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
    /// Checks FOCUS files against the FOCUS specification 1.0 to 1.4: columns, the form of cells, how cells relate
    #[command(
        after_help = "Ends with 0 when the files keep all that the specification says must be, else 65; what it says should be \
                            is listed and changes nothing. Loads nothing. With --findings, each requirement that a \
                            billing account's bill does not keep is a finding of the workspace."
    )]
    Check(CheckArgs),
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
    /// manifests, also in a bucket (s3://BUCKET/PREFIX)
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Version to check by [default: the one that the columns of a file are of]
    #[arg(long, value_name = "VERSION", value_parser = FocusVersion::NAMES)]
    pub focus_version: Option<String>,
    /// Also publish what is found as findings, which become rows as those of finops run
    #[arg(long, requires = "tenant")]
    pub findings: bool,
    /// Tenant the findings belong to
    #[arg(long, requires = "findings")]
    pub tenant: Option<String>,
    /// Workspace of the tenant
    #[arg(long, default_value = "default")]
    pub workspace: String,
    /// Name of this export, where one billing account has several
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub source: Option<String>,
    /// FOCUS cost and usage exports, as CSV, CSV.gz or Parquet; files or folders, also in a
    /// bucket (s3://BUCKET/PREFIX)
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
        CostsVerb::Check(args) => check::run(args, settings, output),
        CostsVerb::Status(args) => status::run(args, settings, output),
    }
}
