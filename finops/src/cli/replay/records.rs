//! Which wire records a replay is asked for.

use std::collections::BTreeSet;

use clap::Args;
use contracts::topics;
use contracts::wire_filter::WireFilter;
use operations::selection::{OffsetRange, ReplayRequest};
use platform::broker::{Broker, TopicInfo};

use super::ReplayRunArgs;
use crate::failure::{Failure, Result};

/// Which wire records.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which wire records [default: all that were judged]")]
pub struct WireArgs {
    /// Received at or after: a time such as 2026-01-20T06:00:00Z, a date, or an age such as 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub since: Option<i64>,
    /// Received before
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub until: Option<i64>,
    /// Only these offsets: <topic>/<partition>:<from>..<until>, the last one exclusive or left out; repeatable, once for a partition
    #[arg(long, value_name = "RANGE")]
    pub offsets: Vec<String>,
    /// Only of this tenant; repeatable
    #[arg(long)]
    pub tenant: Vec<String>,
    /// Only of this check_id; repeatable
    #[arg(long)]
    pub check: Vec<String>,
    /// Only of this run; repeatable
    #[arg(long, value_name = "RUN_ID")]
    pub run: Vec<String>,
}

/// What the arguments ask for.
pub fn request(args: &ReplayRunArgs) -> Result<ReplayRequest> {
    if let Some(id) = args.id.as_deref().filter(|id| !is_id(id)) {
        return Err(Failure::usage(format!("{id:?} is no id: 1 to 32 small letters, digits and -")));
    }
    let args = &args.records;
    let offset_ranges: Vec<OffsetRange> = args.offsets.iter().map(|text| offset_range(text)).collect::<Result<_>>()?;
    let places: BTreeSet<_> = offset_ranges.iter().map(|range| (&range.topic, range.partition)).collect();
    if places.len() < offset_ranges.len() {
        return Err(Failure::usage("--offsets names a partition twice: give one range of offsets for each"));
    }
    Ok(ReplayRequest {
        since_ms: args.since,
        until_ms: args.until,
        offset_ranges,
        filter: WireFilter { tenant_id: args.tenant.clone(), check_id: args.check.clone(), run_id: args.run.clone() },
    })
}

/// Refuses offsets of a partition that is not there: it would be a replay of nothing.
pub fn check(request: &ReplayRequest, broker: &dyn Broker) -> Result<()> {
    if request.offset_ranges.is_empty() {
        return Ok(());
    }
    let all = broker.topics()?;
    for OffsetRange { topic, partition, .. } in &request.offset_ranges {
        let is_there = |info: &TopicInfo| *info.name == **topic && *partition < info.partitions;
        if !topics::is_wire(topic) || !all.iter().any(is_there) {
            return Err(Failure::usage(format!(
                "--offsets: there is no partition {partition} of a wire topic {topic}"
            )));
        }
    }
    Ok(())
}

fn offset_range(text: &str) -> Result<OffsetRange> {
    let read = || {
        let (place, offsets) = text.rsplit_once(':')?;
        let (topic, partition) = place.rsplit_once('/')?;
        let (from, until) = offsets.split_once("..")?;
        let until = if until.is_empty() { None } else { Some(until.parse().ok()?) };
        let from = if from.is_empty() { 0 } else { from.parse().ok()? };
        if until.is_some_and(|until| until <= from) {
            return None;
        }
        Some(OffsetRange { topic: topic.to_owned(), partition: partition.parse().ok()?, from, until })
    };
    read().ok_or_else(|| {
        Failure::usage(format!("{text:?}: expected <topic>/<partition>:<from>..<until>, from below until"))
    })
}

fn is_id(id: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&id.len()) && id.bytes().all(is_allowed)
}
