//! How a simulated world ends: no more accidents, everything is written, and what is there is judged.

use std::collections::BTreeSet;

use contracts::source::Src;
use lake::committed_offsets::CommittedOffset;

use super::SinkError;
use super::{CHECKPOINT_COMMITS, Event, MEMBERS, PARTITIONS, World, partition};

impl World {
    /// A sink that stops in good order takes its claims back. It is started again.
    pub(super) fn stopped(&mut self, who: usize, error: SinkError) {
        match error {
            SinkError::CommitNotKept { .. } if self.lie.is_some() => self.counts.stopped += 1,
            SinkError::ForeignStore { .. } if self.stores.len() > 1 => {
                let claims = self.members[who].machine.idle_claims();
                self.counts.refused += 1;
                self.counts.claims_met += u64::from(!claims.is_empty());
                for at in claims.into_iter().filter(|at| self.owner[at] == Some(who)) {
                    self.hints.insert(at, CommittedOffset { offset: 0, store_id: None });
                }
            }
            error if self.is_rolled_back => self.refused = Some(error),
            error => panic!("chain and topic belong together: {error}"),
        }
        self.start_again(who);
    }

    /// No more accidents: every partition gets an owner, everything is read and written.
    pub(super) fn come_to_rest(&mut self) {
        self.accidents = false;
        for n in 0..PARTITIONS {
            let at = partition(n);
            for member in &mut self.members {
                member.events.retain(|(p, event)| *p != at || !matches!(event, Event::Assigned));
                member.events.push((at.clone(), Event::Lost));
            }
            self.give(at, 0);
        }
        for _ in 0..20_000 {
            // One that was lied to before stops now, and starts again.
            let unowned: Vec<_> =
                self.owner.iter().filter(|(_, owner)| owner.is_none()).map(|(at, _)| at.clone()).collect();
            unowned.into_iter().for_each(|at| self.give(at, 0));
            for who in 0..MEMBERS {
                self.members[who].machine.flush();
                self.step(who);
            }
            let store = &self.stores[self.members[0].store];
            if (0..PARTITIONS).map(partition).all(|at| store.end(&at) == self.log[&at].len() as u64) {
                break;
            }
        }
        while self.members.iter_mut().any(|member| member.machine.next_action().is_some()) {
            (0..MEMBERS).for_each(|who| self.step(who));
        }
    }

    pub(super) fn judge(&self, seed: u64, store: usize) {
        let store = &self.stores[store];
        let written: BTreeSet<Src> = store.published.values().flatten().cloned().collect();
        let rows = store.published.values().map(Vec::len).sum::<usize>();
        assert_eq!(rows, written.len(), "seed {seed}: a row is there twice");
        assert_eq!(written, self.expected, "seed {seed}: not every record is there");
        let read_max = self.counts.read_max;
        assert!(read_max <= CHECKPOINT_COMMITS, "seed {seed}: a checkpoint is missing: {read_max} commits were read");
        for n in 0..PARTITIONS {
            let (head, _) = store.chain(&partition(n));
            assert_eq!(
                head.rows + head.duplicates,
                self.log[&partition(n)].len() as u64,
                "seed {seed}: the chain adds up"
            );
        }
    }
}
