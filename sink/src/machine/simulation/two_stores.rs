//! Sinks of two stores in one group: two machines with one cluster and each with a data folder of its own. Whatever happens, only
//! one of the stores ever gets a commit; the sinks of the other one stop. When those of a store have ended for good, the other store
//! can take its place.

use std::collections::BTreeMap;

use lake::committed_offsets::CommittedOffset;
use platform::broker::TopicPartition;

use super::super::ActionOutcome;
use super::{Counts, MEMBERS, SEEDS, World, partition};

pub(super) fn store_id(store: usize) -> String {
    format!("store-{store}")
}

/// What a sink reads of the group's hints.
pub(super) fn hints(
    all: &BTreeMap<TopicPartition, CommittedOffset>,
    replaced: Option<usize>,
) -> impl Iterator<Item = (TopicPartition, CommittedOffset)> + '_ {
    let replaced = replaced.map(store_id);
    all.iter().map(move |(at, CommittedOffset { offset, store_id })| {
        let store_id = store_id.clone().filter(|id| Some(id) != replaced.as_ref());
        (at.clone(), CommittedOffset { offset: *offset, store_id })
    })
}

impl World {
    /// The sinks of both stores run, are killed and started again; then those of one store go on alone.
    fn run_two_stores(seed: u64, steps: usize) -> (Counts, bool) {
        let mut world = Self::new(seed, 2);
        (0..MEMBERS).for_each(|who| world.give(partition(who as u32), who));
        world.live(steps);
        let written: Vec<usize> = (0..2).filter(|store| !world.stores[*store].commits.is_empty()).collect();
        assert!(written.len() < 2, "seed {seed}: both stores hold a part of the rows");
        let stays = written.first().copied().unwrap_or_default();
        world.replace(1 - stays);
        world.come_to_rest();
        world.judge(seed, stays);
        assert!(world.stores[1 - stays].commits.is_empty(), "seed {seed}: the store that was replaced is written to");
        (world.counts, !written.is_empty())
    }

    fn replace(&mut self, lost: usize) {
        self.replaced = Some(lost);
        for who in 0..MEMBERS {
            self.members[who] = self.member(1 - lost);
        }
        self.owner.values_mut().for_each(|owner| *owner = None);
    }

    /// Members 0 and 1, of two stores, get a partition each, and have claimed it.
    fn claim_at_once(&mut self) {
        self.accidents = false;
        (0..2).for_each(|who| self.give(partition(who), who as usize));
        for _ in 0..4 {
            (0..2).for_each(|who| self.step(who));
        }
        assert_eq!(self.hints.len(), 2);
    }

    /// Does all that is due.
    fn drive_actions(&mut self, who: usize) {
        while !self.members[who].events.is_empty() || self.members[who].machine.next_action().is_some() {
            self.step(who);
        }
    }
}

#[test]
fn of_two_stores_in_one_group_only_one_gets_commits() {
    let (mut refused, mut claims_met, mut written) = (0, 0, 0);
    for seed in 0..SEEDS {
        let (counts, is_written) = World::run_two_stores(seed, 1_000);
        refused += counts.refused;
        claims_met += counts.claims_met;
        written += u64::from(is_written);
    }
    println!("{refused} refused, {claims_met} of them after a claim, rows in {written} of {SEEDS} worlds");
    assert!(refused >= SEEDS, "only {refused} sinks were refused");
    assert!(claims_met >= SEEDS / 10, "only {claims_met} sinks met the claim of another after their own");
    assert!(written >= SEEDS / 2, "one of the stores was written to in only {written} worlds");
}

#[test]
fn of_two_stores_that_claim_at_once_one_stops_and_takes_its_claim_back() {
    let mut world = World::new(0, 2);
    world.claim_at_once();
    world.drive_actions(0);
    world.drive_actions(1);
    assert_eq!((world.counts.refused, world.counts.claims_met), (1, 1));
    assert_eq!((world.members[0].reading.len(), world.members[1].reading.len()), (0, 1), "the other one reads");
    let claims: Vec<_> = world.hints.values().map(|hint| hint.store_id.clone()).collect();
    assert_eq!(claims, [None, Some(store_id(1))]);
}

#[test]
fn two_stores_that_see_the_claims_of_each_other_both_stop_and_either_can_start_alone() {
    for alone in 0..2 {
        let mut world = World::new(0, 2);
        world.claim_at_once();
        let both: Vec<_> = hints(&world.hints, None).collect();
        for who in 0..2 {
            let machine = &mut world.members[who].machine;
            let refused = machine.done(&partition(who as u32), ActionOutcome::OffsetsRead(both.clone())).unwrap_err();
            world.stopped(who, refused);
        }
        assert_eq!((world.counts.refused, world.counts.claims_met), (2, 2));
        assert!(world.hints.values().all(|hint| hint.store_id.is_none()), "both have taken their claims back");
        (0..2).for_each(|n| world.give(partition(n), alone));
        world.drive_actions(alone);
        assert_eq!((world.counts.refused, world.members[alone].reading.len()), (2, 2), "it reads both partitions");
    }
}
