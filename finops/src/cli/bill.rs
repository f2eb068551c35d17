//! Arguments of all verbs that read bills.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use collectors::billing::{Dialect, LoadOptions, Overlap};

use crate::settings::Settings;

/// How bills are taken.
#[derive(Debug, Args)]
pub struct BillArgs {
    /// Name of this export, where one billing account has several: each name adds up and is restated by itself
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub source: Option<String>,
    /// Read bills of this dialect only, where one bill is there in several
    #[arg(long, value_name = "DIALECT", value_parser = Dialect::NAMES)]
    pub dialect: Option<String>,
    /// The bill replaces the deliveries of the same account and month that it overlaps, each as a whole
    #[arg(long, conflicts_with = "increment")]
    pub restate: bool,
    /// The bill adds to what it overlaps of the same account and month
    #[arg(long)]
    pub increment: bool,
}

impl BillArgs {
    /// How a bill is taken that overlaps what is live.
    fn overlap(&self) -> Overlap {
        match (self.restate, self.increment) {
            (true, _) => Overlap::Restate,
            (_, true) => Overlap::Increment,
            _ => Overlap::Decide,
        }
    }

    /// As collectors take them.
    pub fn options(&self, settings: &Settings) -> LoadOptions {
        LoadOptions {
            source_name: self.source.clone(),
            overlap: self.overlap(),
            dialect: self.dialect.as_deref().and_then(Dialect::of_name),
            rejects_per_thousand_max: settings.rejects_per_thousand_max,
            ..LoadOptions::default()
        }
    }
}
