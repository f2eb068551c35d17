//! The fresh root becomes the root where it is: nothing is moved, the services are given it as their store. For object
//! stores, where nothing can be moved at once, and for roots on another file system. The positions of the sinks' group say
//! whose the topics are from now on: a sink of the former root refuses to write.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::cost_manifest::FILE_NAME;
use contracts::layout;
use contracts::topics::PipelineTopics;
use lake::committed_offsets::OffsetMetadata;
use platform::broker::Broker;
use platform::clock::Clock;
use platform::store::{Entry, Store};
use serde::Serialize;

use super::alone::Alone;
use super::{ReplayError, Swapping, base, cover, delete_pipeline_topics, refused};

/// What the replay does not make, but readers of a root need. Derived data are rebuilt.
const KEPT: [&str; 5] =
    [layout::RUNS, layout::COST_FACTS, layout::AUDIT_REDRIVE, layout::AUDIT_REPLAY, layout::AUDIT_REPAIR];

/// What was handed over.
#[derive(Debug, Serialize)]
pub struct HandedOver {
    /// The replay.
    pub id: String,
    /// The root from now on.
    pub root: String,
    /// Objects that were copied: run manifests, cost facts, audit records.
    pub copied: u64,
    /// Source positions that are rows of the former root and none of the new one.
    pub not_covered: u64,
}

/// Hands over, or goes on with it. Waits `wait_max` for services to end: longer than their session.
///
/// # Errors
/// Something must be done first (it says what), or broker or store refuse.
pub fn hand_over(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    clock: &dyn Clock,
    allow_partial: bool,
    wait_max: Duration,
    by: &str,
) -> Result<HandedOver, ReplayError> {
    let pipeline_topics = PipelineTopics::replay(&Swapping::read(fresh)?.claim.id);
    let alone = Alone::wait(broker, wait_max)?;
    // Once more: while this one waited another may have handed over.
    let mut swapping = Swapping::read(fresh)?;
    let not_covered = cover::check(broker, current, fresh, &pipeline_topics, allow_partial)?;
    alone.check()?;
    let copied = copy(current, fresh)?;
    let ends = base::write(broker, current, fresh, clock, &swapping.claim.id)?;
    let metadata = serde_json::to_string(&OffsetMetadata { store_id: fresh.id().to_owned() });
    let metadata = metadata.map_err(|e| refused(fresh, e.to_string()))?;
    alone.check()?;
    // From here on the root is the fresh one.
    alone.leave_hints(&ends, &metadata)?;
    swapping.claim.swap_begins(not_covered, by, clock);
    swapping.claim.swapped_at.clone_from(&swapping.claim.swap_begun_at);
    swapping.write(fresh)?;
    delete_pipeline_topics(broker, &pipeline_topics);
    Ok(HandedOver { id: swapping.claim.id, root: fresh.location(), copied, not_covered })
}

/// Listings until nothing has changed since the one before. Runs may be loading bills meanwhile, each some seconds.
const LISTINGS_MAX: u32 = 20;

/// Copies what is there, in the place of what an earlier try has copied, until nothing has changed meanwhile: a manifest and the
/// files it names must be of one moment. Manifests come after the files beside them.
fn copy(from: &dyn Store, to: &dyn Store) -> Result<u64, ReplayError> {
    let mut copied: BTreeMap<String, Entry> = BTreeMap::new();
    for _ in 0..LISTINGS_MAX {
        let mut changed = Vec::new();
        for folder in KEPT {
            changed.extend(from.list(folder)?.into_iter().filter(|entry| copied.get(&entry.path) != Some(entry)));
        }
        if changed.is_empty() {
            return Ok(copied.len() as u64);
        }
        changed.sort_by_key(|entry| entry.path.ends_with(FILE_NAME));
        for entry in changed {
            if let Some(bytes) = from.get(&entry.path)? {
                to.put(&entry.path, &bytes)?;
                copied.insert(entry.path.clone(), entry);
            }
        }
    }
    let why =
        "runs keep changing cost facts of the current root: wait until they have ended, then give this command again";
    Err(ReplayError::NotYet(why.to_owned()))
}
