//! One partition, action by action: what it does when an answer is lost, when the store lies, and when another store is in the group.

use contracts::datasets;
use contracts::topics::VALID;
use lake::batch::FileTarget;
use lake::committed_offsets::CommittedOffset;

use super::super::{Machine, Now};
use super::*;

#[derive(Debug, Clone)]
struct Nothing;

impl RecordPayload for Nothing {
    fn last_record(&self, offset: u64) -> LastRecord {
        LastRecord { offset, src: None, sha256: String::new() }
    }
}

/// A sink that has staged one record and asks whether another store is in the group.
fn asking() -> (Machine<Nothing>, TopicPartition) {
    let identity = WriterIdentity { writer_id: "w".into(), code_version: "0".into(), store_id: "s".into() };
    let mut machine = Machine::new(identity, BatchLimits::default());
    let at = TopicPartition { topic: VALID.into(), partition: 0 };
    machine.assigned(AssignedPartition { at: at.clone(), topic_id: "id".into(), hint: None }).unwrap();
    let head = ChainHead::empty("id", 0);
    let loaded = LoadedChain { head, last: None, checkpointed: 0, low: 0, high: 1, found: None };
    machine.done(&at, ActionOutcome::ChainLoaded(Box::new(loaded))).unwrap();
    machine.done(&at, ActionOutcome::OffsetsRead(Vec::new())).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::Claim(0)))));
    machine.done(&at, ActionOutcome::Done).unwrap();
    machine.done(&at, ActionOutcome::OffsetsRead(Vec::new())).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::Seek(0)))));
    machine.done(&at, ActionOutcome::Done).unwrap();
    machine.tick(Now::default());
    let target = FileTarget { tenant: "acme".into(), dataset: &datasets::FINDINGS, run_date: "2026-01-20".into() };
    let row = BatchRow { target, src: "w/0/1".parse().unwrap(), run: None, bytes: 1, payload: Nothing };
    assert_eq!(machine.record(&at, 0, row), RecordOutcome::Kept);
    machine.flush();
    assert!(matches!(machine.next_action(), Some((_, Action::Stage(_)))));
    machine.done(&at, ActionOutcome::Staged(Vec::new())).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::ReadOffsets { before_commit: true }))));
    (machine, at)
}

/// No other store is in the group.
fn staged() -> (Machine<Nothing>, TopicPartition) {
    let (mut machine, at) = asking();
    machine.done(&at, ActionOutcome::OffsetsRead(Vec::new())).unwrap();
    (machine, at)
}

/// One that has looked before.
fn committing() -> (Machine<Nothing>, TopicPartition) {
    let (mut machine, at) = staged();
    let Some((_, Action::Look { last: None, next, .. })) = machine.next_action() else { panic!("no look") };
    assert_eq!(next, layout::chain_record("id", 0, 0));
    machine.done(&at, ActionOutcome::Looked(Looked::Ready)).unwrap();
    (machine, at)
}

fn own_commit(machine: &mut Machine<Nothing>) -> Box<CommitRecord> {
    let Some((_, Action::Commit { bytes, .. })) = machine.next_action() else { panic!("no commit") };
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn what_the_store_says_to_have_created_is_read_back_before_anything_is_built_upon_it() {
    let (mut machine, at) = committing();
    let own = own_commit(&mut machine);
    machine.done(&at, ActionOutcome::Committed(CommitOutcome::Created)).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::ReadCommit(_)))));
    machine.done(&at, ActionOutcome::CommitRead(Some(own))).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::CommitOffset(1)))));

    let check = |found: Option<Box<CommitRecord>>, expected: &str| {
        let (mut machine, at) = committing();
        machine.done(&at, ActionOutcome::Committed(CommitOutcome::Created)).unwrap();
        let stopped = machine.done(&at, ActionOutcome::CommitRead(found)).unwrap_err().to_string();
        assert!(stopped.contains(expected), "{stopped}");
    };
    check(None, "it is not there");
    let mut other = own_commit(&mut committing().0);
    (other.nonce, other.writer_id) = ("n".into(), "another".into());
    check(Some(other), "it holds the commit of another");
}

#[test]
fn a_name_that_is_taken_is_not_written_whatever_the_store_would_say() {
    let (mut machine, at) = staged();
    machine.done(&at, ActionOutcome::Looked(Looked::NameTaken)).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::ReadCommit(_)))));
    let mut other = own_commit(&mut committing().0);
    other.nonce = "n".into();
    machine.done(&at, ActionOutcome::CommitRead(Some(other))).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::Discard(_)))));
}

#[test]
fn a_commit_that_is_not_what_it_was_is_not_built_upon() {
    for (looked, expected) in [(Looked::LastMissing, "not there any more"), (Looked::LastChanged, "other bytes")] {
        let (mut machine, at) = staged();
        let stopped = machine.done(&at, ActionOutcome::Looked(looked)).unwrap_err().to_string();
        assert!(stopped.contains(expected), "{stopped}");
    }
}

fn denied() -> StoreError {
    StoreError::Denied { doing: "writing", path: "a".into(), reason: "AccessDenied".into() }
}

fn lost() -> StoreError {
    StoreError::NoSpace { doing: "writing", path: "a".into() }
}

#[test]
fn a_commit_that_failed_is_looked_for_first() {
    for error in [denied(), lost()] {
        let (mut machine, at) = committing();
        let commit = own_commit(&mut machine);
        machine.done(&at, ActionOutcome::Committed(CommitOutcome::Unknown(error))).unwrap();
        assert!(matches!(machine.next_action(), Some((_, Action::ReadCommit(_)))));
        machine.done(&at, ActionOutcome::CommitRead(Some(commit))).unwrap();
        assert!(matches!(machine.next_action(), Some((_, Action::CommitOffset(1)))), "it was made");
    }
}

#[test]
fn a_commit_that_was_not_made_is_tried_again_unless_it_was_refused_for_good() {
    let (mut machine, at) = committing();
    machine.done(&at, ActionOutcome::Committed(CommitOutcome::Unknown(lost()))).unwrap();
    machine.done(&at, ActionOutcome::CommitRead(None)).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::Look { .. }))));
    machine.done(&at, ActionOutcome::Looked(Looked::Ready)).unwrap();
    assert!(matches!(machine.next_action(), Some((_, Action::Commit { .. }))));
    machine.done(&at, ActionOutcome::Committed(CommitOutcome::Unknown(denied()))).unwrap();
    let refused = machine.done(&at, ActionOutcome::CommitRead(None));
    assert!(matches!(refused, Err(SinkError::Store(StoreError::Denied { .. }))), "{refused:?}");
}

#[test]
fn a_hint_of_another_store_stops_a_commit() {
    let other = TopicPartition { topic: VALID.into(), partition: 1 };
    let hint = |store: &str| vec![(other.clone(), CommittedOffset { offset: 0, store_id: Some(store.into()) })];
    let (mut machine, at) = asking();
    let stopped = machine.done(&at, ActionOutcome::OffsetsRead(hint("foreign"))).unwrap_err().to_string();
    assert!(stopped.contains("valid/1") && stopped.contains("--replace-store foreign"), "{stopped}");
    assert_eq!(machine.idle_claims(), [at], "nothing was committed");

    let (mut machine, at) = asking();
    machine.done(&at, ActionOutcome::OffsetsRead(hint("s"))).unwrap();
    machine.done(&at, ActionOutcome::Looked(Looked::Ready)).unwrap();
    assert_eq!(machine.idle_claims(), [], "a commit was begun");
}

#[test]
fn a_claim_that_cannot_be_left_is_left_after_the_next_poll() {
    let identity = WriterIdentity { writer_id: "w".into(), code_version: "0".into(), store_id: "s".into() };
    let mut machine = Machine::<Nothing>::new(identity, BatchLimits::default());
    let at = TopicPartition { topic: VALID.into(), partition: 0 };
    machine.assigned(AssignedPartition { at: at.clone(), topic_id: "id".into(), hint: None }).unwrap();
    let loaded =
        LoadedChain { head: ChainHead::empty("id", 0), last: None, checkpointed: 0, low: 0, high: 1, found: None };
    machine.done(&at, ActionOutcome::ChainLoaded(Box::new(loaded))).unwrap();
    machine.done(&at, ActionOutcome::OffsetsRead(Vec::new())).unwrap();
    machine.done(&at, ActionOutcome::NotClaimed).unwrap();
    assert!(machine.next_action().is_none(), "nothing is read of a partition that may be another member's");
    machine.tick(Now::default());
    assert!(matches!(machine.next_action(), Some((_, Action::ReadOffsets { .. }))));
    machine.done(&at, ActionOutcome::OffsetsRead(Vec::new())).unwrap();
    machine.done(&at, ActionOutcome::NotClaimed).unwrap();
    machine.revoked(&at);
    assert_eq!(machine.partitions(), 0);
}
