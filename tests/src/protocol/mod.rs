//! Stage–commit–publish and the swap of a replayed root as a small model, whose every reachable state is looked at. A process
//! takes one step at a time and may be frozen between any two of them for as long as it likes, be killed, and be started
//! again; nothing but the folder itself keeps a frozen sink out.
//!
//! One step of the model is one call that a file system does at once: a link, a rename, a look. What the model is of:
//! `sink/src/machine`, `operations/src/replay/swap.rs`, `platform/src/store/local/fence.rs`. Change it with them.

mod explore;
mod model;
mod sink;
mod swap;

use explore::{Explored, explore};
use model::Rules;

const STATES_MIN: usize = 1_000_000;

#[test]
fn every_record_is_a_row_once_whichever_process_is_frozen_or_killed() {
    match explore(Rules::default()) {
        Explored::Whole(states) => {
            assert!(states >= STATES_MIN, "only {states} states: the model has become too small")
        }
        Explored::Broken(steps) => panic!("{}", steps.join("\n")),
    }
}

/// A rule that the model would not miss is no rule, or the model is none.
#[test]
fn without_a_rule_something_is_lost_or_doubled() {
    let broken = |without: &str, rules: Rules| match explore(rules) {
        Explored::Whole(states) => panic!("{without}: {states} states, and nothing is found"),
        Explored::Broken(steps) => steps,
    };
    let swapped = broken("fence of a swap", Rules { fences: false, ..Rules::default() });
    assert!(swapped.iter().any(|step| step.starts_with("swap")), "the frozen sink of a swap: {swapped:#?}");
    // Moving the files away keeps out who has made one already; who makes one later must look.
    broken("look at the fence", Rules { looks: false, ..Rules::default() });
    broken("commit only if absent", Rules { only_if_absent: false, ..Rules::default() });
    broken("publish only what is committed", Rules { commits_first: false, ..Rules::default() });
}
