//! A broker that was rolled back, in the simulated world.

use platform::broker::TopicPartition;
use rand::Rng;

use super::{MEMBERS, PARTITIONS, SEEDS, World, partition};
use crate::error::SinkError;

impl World {
    /// The broker loses the last records of a partition and gets others, perhaps up to the old end and more; then a sink starts. True
    /// when it had to refuse.
    fn roll_back(&mut self, at: &TopicPartition) -> bool {
        let end = self.stores[0].end(at) as usize;
        (self.accidents, self.is_rolled_back) = (false, true);
        (0..MEMBERS).for_each(|who| self.crash(who));
        let kept = self.rng.random_range(0..=end + 1).min(self.log[at].len());
        let grown = kept + self.rng.random_range(0..2 * end + 2);
        self.log.get_mut(at).expect("a log").truncate(kept);
        while self.log[at].len() < grown {
            self.produce_new(at);
        }
        let before = self.stores[0].commits.clone();
        self.give(at.clone(), 0);
        (0..200).for_each(|_| self.step(0));
        match (kept < end, self.refused.take()) {
            (false, None) => return false,
            (true, Some(SinkError::RolledBack { offset, .. })) if grown >= end => assert_eq!(offset, end as u64 - 1),
            (true, Some(SinkError::TopicBehind { .. })) if grown < end => {}
            (_, other) => panic!("{end} were written, {kept} of {grown} records are those of before: {other:?}"),
        }
        assert_eq!(self.stores[0].commits, before, "nothing is built on it");
        true
    }
}

#[test]
fn a_broker_that_was_rolled_back_is_refused_however_far_it_has_grown_again() {
    let mut refused = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed, 1);
        world.live(600);
        refused += (0..PARTITIONS).filter(|n| world.roll_back(&partition(*n))).count() as u64;
    }
    assert!(refused >= SEEDS, "only {refused} refused: nothing was rolled back");
}
