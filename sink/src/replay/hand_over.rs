//! The fresh root becomes the root where it is: nothing is moved, the services are given it as their store. For object
//! stores, where nothing can be moved at once, and for roots on another file system. The positions of the sinks' group say
//! whose the topics are from now on: a sink of the former root refuses to write.

use std::time::Duration;

use contracts::layout;
use contracts::topics::Lane;
use platform::broker::Broker;
use platform::clock::Clock;
use platform::store::Store;
use serde::Serialize;

use super::alone::Alone;
use super::{Claim, ReplayError, base, cover, drop_lane, refused};
use crate::service::HintMetadata;

/// What the replay does not make, but readers of a root need. Derived data are made again.
const KEPT: [&str; 4] = [layout::RUNS, layout::COST_FACTS, layout::AUDIT_REDRIVE, layout::AUDIT_REPLAY];

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

/// Hands over, or goes on with it. Waits `wait_max` for services to be gone: longer than their session.
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
    let mut claim = Claim::to_be_swapped(fresh)?;
    let lane = Lane::replay(&claim.id);
    let alone = Alone::wait(broker, wait_max)?;
    let not_covered = cover::check(broker, current, fresh, &lane, allow_partial)?;
    let copied = copy(current, fresh)?;
    let ends = base::write(broker, current, fresh, clock, &claim.id)?;
    let metadata = serde_json::to_string(&HintMetadata { store_id: fresh.id().to_owned() });
    let metadata = metadata.map_err(|e| refused(fresh, e.to_string()))?;
    alone.check()?;
    // From here on the root is the fresh one.
    alone.leave_hints(&ends, &metadata)?;
    claim.swap_begins(not_covered, by, clock);
    claim.swapped_at.clone_from(&claim.swap_begun_at);
    claim.put(fresh)?;
    drop_lane(broker, &lane);
    Ok(HandedOver { id: claim.id, root: fresh.location(), copied, not_covered })
}

/// Replaces what an earlier try has copied: cost facts of a period may have been delivered anew since.
fn copy(from: &dyn Store, to: &dyn Store) -> Result<u64, ReplayError> {
    let mut copied = 0;
    for folder in KEPT {
        for entry in from.list(folder)? {
            if let Some(bytes) = from.get(&entry.path)? {
                to.put(&entry.path, &bytes)?;
                copied += 1;
            }
        }
    }
    Ok(copied)
}
