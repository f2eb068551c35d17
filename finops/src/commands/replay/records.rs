//! Which wire records a replay is asked for.

use contracts::wire_filter::WireFilter;
use sink::replay::{Asked, Stretch};

use crate::cli::ReplayRunArgs;
use crate::failure::{Failure, Result};

/// What the arguments ask for.
pub fn asked(args: &ReplayRunArgs) -> Result<Asked> {
    if let Some(id) = args.id.as_deref().filter(|id| !is_id(id)) {
        return Err(Failure::usage(format!("{id:?} is no id: 1 to 32 small letters, digits and -")));
    }
    let args = &args.records;
    Ok(Asked {
        since_ms: args.since,
        until_ms: args.until,
        stretches: args.offsets.iter().map(|text| stretch(text)).collect::<Result<_>>()?,
        filter: WireFilter { tenant_id: args.tenant.clone(), check_id: args.check.clone(), run_id: args.run.clone() },
    })
}

fn stretch(text: &str) -> Result<Stretch> {
    let read = || {
        let (place, offsets) = text.rsplit_once(':')?;
        let (topic, partition) = place.rsplit_once('/')?;
        let (from, until) = offsets.split_once("..")?;
        let until = if until.is_empty() { None } else { Some(until.parse().ok()?) };
        let from = if from.is_empty() { 0 } else { from.parse().ok()? };
        Some(Stretch { topic: topic.to_owned(), partition: partition.parse().ok()?, from, until })
    };
    read().ok_or_else(|| Failure::usage(format!("{text:?}: expected <topic>/<partition>:<from>..<until>")))
}

fn is_id(id: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&id.len()) && id.bytes().all(is_allowed)
}
