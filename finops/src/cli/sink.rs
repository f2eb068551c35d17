//! Arguments of `finops sink`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum SinkVerb {
    /// Until stopped
    Run {
        /// Stop when everything on the topics has been committed
        #[arg(long)]
        drain: bool,
        /// Skip records that expired on the broker before they were written, instead of stopping there
        #[arg(long)]
        skip_expired: bool,
        /// Take the place of this store, which no sink writes to any more: its id is in the message that refuses this one
        #[arg(long, value_name = "ID")]
        replace_store: Option<String>,
    },
    /// What is written and what is not yet: commit chains with their lag, files by tenant and day
    Inspect {
        /// Only files of this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
}
