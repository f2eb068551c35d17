//! Sequences of loads against a model that knows days and resources only.

use std::collections::{BTreeMap, BTreeSet};

use collectors::billing::{LoadError, Overlap};
use proptest::prelude::*;

use crate::bills::{Charge, Desk, day};

const ACCOUNTS: [&str; 2] = ["1", "2"];

/// A bill of consecutive days, one or two resources each day.
#[derive(Debug, Clone)]
struct Bill {
    account: usize,
    first: u32,
    days: u32,
    resources: u8,
    cost: i64,
    overlap: Overlap,
}

impl Bill {
    fn days(&self) -> BTreeSet<u32> {
        (self.first..self.first + self.days).collect()
    }

    /// Bits: resource 1, resource 2.
    fn resources(&self) -> BTreeSet<u8> {
        (1..=2).filter(|bit| self.resources & bit != 0).collect()
    }

    fn charges(&self) -> Vec<Charge> {
        let charge =
            |(n, resource): (u32, u8)| day(n, &format!("i-{resource}"), self.cost).of("AWS", ACCOUNTS[self.account]);
        self.days().into_iter().flat_map(|n| self.resources().into_iter().map(move |r| (n, r))).map(charge).collect()
    }

    fn total(&self) -> i64 {
        self.cost * i64::from(self.days) * self.resources().len() as i64
    }

    /// The content, which is what makes two bills the same.
    fn content(&self) -> (usize, u32, u32, u8, i64) {
        (self.account, self.first, self.days, self.resources, self.cost)
    }
}

/// What is live after the bill, and whether it was taken.
fn expected(live: &mut Vec<Bill>, new: &Bill) -> bool {
    let of_source: Vec<Bill> = live.iter().filter(|old| old.account == new.account).cloned().collect();
    // To restate a bill that is live takes back what was added to it.
    let is_restated = matches!(new.overlap, Overlap::Restate);
    if !is_restated && of_source.iter().any(|old| old.content() == new.content()) {
        return true;
    }
    let mut replaced = Vec::new();
    for old in &of_source {
        let overlaps = !old.days().is_disjoint(&new.days());
        let is_other_part = old.resources().is_disjoint(&new.resources());
        let covers = old.days().is_subset(&new.days());
        match new.overlap {
            _ if !overlaps => {}
            Overlap::Increment => {}
            Overlap::Restate => replaced.push(old.content()),
            Overlap::Decide if is_other_part => {}
            Overlap::Decide if covers => replaced.push(old.content()),
            Overlap::Decide => return false,
        }
    }
    live.retain(|old| !replaced.contains(&old.content()));
    live.push(new.clone());
    true
}

fn bill() -> impl Strategy<Value = Bill> {
    let overlap = prop_oneof![6 => Just(Overlap::Decide), 1 => Just(Overlap::Restate), 1 => Just(Overlap::Increment)];
    (0_usize..2, 1_u32..8, 1_u32..5, 1_u8..4, 1_i64..4, overlap).prop_map(
        |(account, first, days, resources, cost, overlap)| Bill { account, first, days, resources, cost, overlap },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn loads_do_what_the_model_says(bills in prop::collection::vec(bill(), 1..10)) {
        let desk = Desk::new();
        let mut live = Vec::new();
        for bill in &bills {
            let before = desk.billed();
            let is_taken = expected(&mut live, bill);
            match desk.load_with(&bill.charges(), bill.overlap) {
                Ok(_) => prop_assert!(is_taken, "{bill:?} should be refused"),
                Err(LoadError::Overlap { .. }) => {
                    prop_assert!(!is_taken, "{bill:?} should be taken");
                    prop_assert_eq!(desk.billed(), before);
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
            let mut totals = BTreeMap::new();
            for bill in &live {
                *totals.entry(format!("aws/{:0>12}", ACCOUNTS[bill.account])).or_insert(0) += bill.total();
            }
            prop_assert_eq!(desk.billed(), totals);
        }
    }
}
