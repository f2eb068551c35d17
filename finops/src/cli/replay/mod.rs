//! `finops replay run|compare|swap|hand-over`.

mod compare;
mod fresh;
mod into_topic;
mod records;
mod swap;

use clap::{Args, Subcommand};
use platform::exit::ExitCode;

use self::records::WireArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::settings::Settings;

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

pub fn run(verb: &ReplayVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    match verb {
        ReplayVerb::Run(args) => match &args.to {
            Some(root) => fresh::run(root, args, settings, output),
            None => into_topic::run(args, settings, output),
        },
        ReplayVerb::Compare { with, tenant, limit } => compare::run(with, tenant.as_deref(), *limit, settings, output),
        ReplayVerb::Swap(args) => swap::swap(args, settings, output),
        ReplayVerb::HandOver(args) => swap::hand_over(args, settings, output),
    }
}
