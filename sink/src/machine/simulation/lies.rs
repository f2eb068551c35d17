//! Sinks of a store that begins to lie: the sink that is lied to stops.

use super::store::Lie;
use super::{Counts, World};

/// Worlds of each kind of lie.
const SEEDS_OF_LIES: u64 = 50;

/// The look before each commit finds the commit of another sink, so that no lie overwrites it.
#[test]
fn a_store_that_creates_what_is_there_doubles_nothing() {
    let counts: Vec<Counts> = (0..SEEDS_OF_LIES).map(|seed| World::run(seed, 1_000, Some(Lie::Overwrites))).collect();
    let races_lost: u64 = counts.iter().map(|counts| counts.races_lost).sum();
    assert!(races_lost >= SEEDS_OF_LIES, "only {races_lost} races: the store had nothing to lie about");
}

/// Reading back finds that there is no commit; the sink that starts again writes the records.
#[test]
fn a_store_that_forgets_what_it_answered_loses_nothing() {
    let counts: Vec<Counts> = (0..SEEDS_OF_LIES).map(|seed| World::run(seed, 1_000, Some(Lie::Forgets))).collect();
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
    let (lies, stopped) = (sum(|counts| counts.lies), sum(|counts| counts.stopped));
    assert!(stopped >= SEEDS_OF_LIES && lies >= stopped, "{lies} lies, {stopped} sinks stopped");
}
