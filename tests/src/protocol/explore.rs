//! All states that can be reached, breadth first, so that the way to a broken one is a shortest one.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::model::{Rules, Step, World};

/// What was found.
pub enum Explored {
    /// All states keep the promise; how many there are.
    Whole(usize),
    /// The steps to one that does not, and what is wrong with it.
    Broken(Vec<String>),
}

pub fn explore(rules: Rules) -> Explored {
    // Of each state: who came before it, and by whose step.
    let mut found = vec![(World::new(rules), usize::MAX, Step::Swap)];
    let mut seen = HashSet::from([fingerprint(&found[0].0)]);
    let mut next = 0;
    while next < found.len() {
        for (step, after) in found[next].0.steps() {
            if !seen.insert(fingerprint(&after)) {
                continue;
            }
            found.push((after, next, step));
            if let Err(problem) = after.check() {
                return Explored::Broken(way(&found, problem));
            }
        }
        next += 1;
    }
    Explored::Whole(found.len())
}

fn way(found: &[(World, usize, Step)], problem: String) -> Vec<String> {
    let mut steps = vec![problem];
    let mut at = found.len() - 1;
    while at != 0 {
        let (world, before, step) = &found[at];
        steps.push(match step {
            Step::Sink(of) => format!("sink {of}: then {:?}", world.sinks[*of].phase),
            Step::Swap => format!("swap: then {:?}", world.swap),
            Step::Kill(_) | Step::SwapAgain => format!("{step:?}"),
        });
        at = *before;
    }
    steps.reverse();
    steps
}

/// 64 bits: among two million states two of the same are as likely as one in nine million.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}
