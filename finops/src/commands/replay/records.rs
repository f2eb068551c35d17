//! Which wire records a replay is asked for.

use std::collections::BTreeSet;

use contracts::topics;
use contracts::wire_filter::WireFilter;
use platform::broker::{Broker, TopicInfo};
use sink::replay::{Asked, Stretch};

use crate::cli::ReplayRunArgs;
use crate::failure::{Failure, Result};

/// What the arguments ask for.
pub fn asked(args: &ReplayRunArgs) -> Result<Asked> {
    if let Some(id) = args.id.as_deref().filter(|id| !is_id(id)) {
        return Err(Failure::usage(format!("{id:?} is no id: 1 to 32 small letters, digits and -")));
    }
    let args = &args.records;
    let stretches: Vec<Stretch> = args.offsets.iter().map(|text| stretch(text)).collect::<Result<_>>()?;
    let places: BTreeSet<_> = stretches.iter().map(|stretch| (&stretch.topic, stretch.partition)).collect();
    if places.len() < stretches.len() {
        return Err(Failure::usage("--offsets names a partition twice: give one stretch for each"));
    }
    Ok(Asked {
        since_ms: args.since,
        until_ms: args.until,
        stretches,
        filter: WireFilter { tenant_id: args.tenant.clone(), check_id: args.check.clone(), run_id: args.run.clone() },
    })
}

/// Refuses offsets of a partition that is not there: it would be a replay of nothing.
pub fn check(asked: &Asked, broker: &dyn Broker) -> Result<()> {
    if asked.stretches.is_empty() {
        return Ok(());
    }
    let all = broker.topics()?;
    for Stretch { topic, partition, .. } in &asked.stretches {
        let is_there = |info: &TopicInfo| *info.name == **topic && *partition < info.partitions;
        if !topics::is_wire(topic) || !all.iter().any(is_there) {
            return Err(Failure::usage(format!(
                "--offsets: there is no partition {partition} of a wire topic {topic}"
            )));
        }
    }
    Ok(())
}

fn stretch(text: &str) -> Result<Stretch> {
    let read = || {
        let (place, offsets) = text.rsplit_once(':')?;
        let (topic, partition) = place.rsplit_once('/')?;
        let (from, until) = offsets.split_once("..")?;
        let until = if until.is_empty() { None } else { Some(until.parse().ok()?) };
        let from = if from.is_empty() { 0 } else { from.parse().ok()? };
        if until.is_some_and(|until| until <= from) {
            return None;
        }
        Some(Stretch { topic: topic.to_owned(), partition: partition.parse().ok()?, from, until })
    };
    read().ok_or_else(|| {
        Failure::usage(format!("{text:?}: expected <topic>/<partition>:<from>..<until>, from below until"))
    })
}

fn is_id(id: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&id.len()) && id.bytes().all(is_allowed)
}
