//! Cost facts on disk: the facts of a load, and how they join those that are live. `writer` encodes the load's rows into a
//! file of its own per month; `rule` decides what each delivery does to the live ones; `publish` makes a month live by one
//! conditional replace of its manifest, with the files that `merge` wrote.
//!
//! Invariants, whatever is killed, and however many loads run at once:
//! - The files that a manifest names are complete and never change. A load writes under names that no other load uses.
//! - A manifest changes only by conditional replace, so it always follows from the one that was read.
//! - A file is removed only when it is this load's own and no manifest names it, when the manifest before the current
//!   one named it last, or when no manifest names it and it is older than a day.
//! - A delivery's facts are whole row groups of their own, named in the manifest: others' facts are copied, never decoded.
//! - The same content loaded twice is live once. Loading again completes what a crash left, and mends a lost file.

mod batch;
mod charges;
mod live;
mod merge;
mod month;
mod options;
mod periods;
mod plan;
mod publish;
mod report;
mod rule;
mod stats;
mod upgrade;
mod writer;

pub use self::charges::hash as charge_hash;
pub use self::live::live;
pub use self::options::LoadOptions;
pub use self::report::{Effect, LiveMonth, LoadedDelivery, SupersededDelivery};
pub use self::rule::Overlap;
pub use self::stats::scaled;
pub use self::writer::FactsWriter;
