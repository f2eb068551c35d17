//! `finops replay run|compare|swap|hand-over`.

mod compare;
mod fresh;
mod into_topic;
mod records;
mod swap;

use platform::exit::ExitCode;

use crate::cli::{Output, ReplayVerb};
use crate::failure::Result;
use crate::settings::Settings;

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
