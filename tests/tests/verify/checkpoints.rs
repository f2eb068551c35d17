//! A checkpoint that is not what the commit records add up to.

use contracts::chain::ChainHead;
use contracts::{layout, topics};
use operations::repair;
use platform::broker::Headers;

use super::world::{Filled, commits, good, read_commit, topic_id};

/// Watermarks that are too high make the sink drop what is sent again: first the checkpoint, then the records.
#[test]
fn nothing_is_sent_while_a_checkpoint_differs_and_repair_writes_it_again() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    pipeline.pretend_to_have_judged();
    let mut head = ChainHead::empty(&topic_id(&pipeline, topics::VALID), 0);
    let mut at = String::new();
    for path in commits(&pipeline) {
        let commit = read_commit(&path);
        head = ChainHead { partition: commit.partition, ..head };
        at = layout::chain_record(&commit.topic_id, commit.partition, commit.start);
        head.follow(&at, &std::fs::read(&path).unwrap()).unwrap();
    }
    assert!(!at.is_empty());
    let right = head.clone();
    head.source_watermarks.values_mut().for_each(|watermark| *watermark += 4_096);
    let path = layout::chain_checkpoint(&head.topic_id, head.partition, head.end);
    pipeline.store.put(&path, &serde_json::to_vec(&head).unwrap()).unwrap();
    let plan = repair::plan(&pipeline.verify());
    assert_eq!((plan.send.len(), plan.blocked_by.len(), plan.checkpoints.len()), (0, 1, 1));
    assert_eq!(pipeline.repair(&plan).checkpoints, 1);
    let written = pipeline.store.get(&path).unwrap().unwrap();
    assert_eq!(ChainHead::from_checkpoint(&path, &written).unwrap().0, right);
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(pipeline.repair(&plan).sent, 1);
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.problems.len(), report.findings_rows), (0, 16), "{:#?}", report.problems);
}

/// What the sink reads is not what the records add up to: nothing is dropped, whatever a checkpoint says.
#[test]
fn a_sink_passes_over_a_checkpoint_that_differs() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let path = commits(&pipeline).pop().unwrap();
    let last = read_commit(&path);
    let mut head = lake::chain::load(&*pipeline.store, &last.topic_id, last.partition).unwrap().0;
    head.source_watermarks.values_mut().for_each(|watermark| *watermark += 4_096);
    let path = layout::chain_checkpoint(&head.topic_id, head.partition, head.end);
    pipeline.store.put(&path, &serde_json::to_vec(&head).unwrap()).unwrap();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    pipeline.drain();
    assert_eq!(pipeline.verify().findings_rows, 16);
}
