//! What `finops repair` brings back, and what it leaves alone.

use std::path::Path;

use contracts::layout;
use contracts::topics::{self, headers};
use lake::verify::Rule;
use operations::Operator;
use operations::repair;
use platform::broker::{Broker, Headers};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::store::Staged;
use tests::pipeline::Pipeline;

use super::world::{Filled, commits, drop_a_row, edit_last, good, lost, read_commit, rules, topic_id};

#[test]
fn what_was_lost_again_and_again_is_brought_back_once() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let wire = topic_id(&pipeline, topics::WIRE);
    let replay = |n| (Some("acme"), good("acme", n), Headers::from_iter([(headers::REPLAY_OF, format!("{wire}/0/0"))]));
    // One that was never sent before, one that says it was, and one that says nonsense about it.
    let nonsense = (Some("acme"), good("acme", 92), Headers::from_iter([(headers::REPLAY_OF, "nonsense")]));
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new()), replay(91), nonsense]);
    pipeline.pretend_to_have_judged();
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(lost(&pipeline.verify()), 3);

    let done = pipeline.repair(&plan);
    assert_eq!((done.sent, done.not_sent), (3, 0));
    let again = pipeline.repair(&plan);
    assert_eq!((again.sent, again.not_sent), (0, 3), "an old plan does nothing twice");
    assert!(repair::plan(&pipeline.verify()).is_empty());

    // What was sent again is lost as well: once more, but only the last ones.
    pipeline.pretend_to_have_judged();
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(lost(&pipeline.verify()), 3);
    assert_eq!(pipeline.repair(&plan).sent, 3);
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.findings_rows, report.dead_letter_rows), (15 + 3, 3));
}

#[test]
fn nothing_is_sent_while_a_chain_is_broken() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    pipeline.pretend_to_have_judged();
    let commits = commits(&pipeline);
    std::fs::write(&commits[0], b"{}").unwrap();
    let report = pipeline.verify();
    assert_eq!(
        rules(&report),
        [Rule::ChainBroken, Rule::FileForeign, Rule::RecordLost],
        "whose file it is, is not known"
    );
    let plan = repair::plan(&report);
    assert_eq!((plan.send.len(), plan.blocked_by.len()), (0, 1));
}

#[test]
fn a_file_that_cannot_be_rebuilt_does_not_stop_the_rest() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let commits = commits(&pipeline);
    let files: Vec<_> = commits.iter().map(|path| read_commit(path).files.remove(0).path).collect();
    std::fs::remove_file(pipeline.store.local_path(&files[0]).unwrap()).unwrap();
    edit_last(&pipeline, |commit| drop_a_row(&pipeline, commit));
    std::fs::remove_file(pipeline.store.local_path(&files[2]).unwrap()).unwrap();
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(plan.rebuild, [files[0].clone(), files[2].clone()]);
    let done = pipeline.repair(&plan);
    assert_eq!((done.files, done.failed.len(), done.sent), (1, 1, 1), "{done:?}");
}

/// A record that was judged, and whose topic is recreated before a sink has written it. Returns the old topic's id.
fn deleted_unwritten(pipeline: &Pipeline) -> String {
    let id = topic_id(pipeline, topics::VALID);
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    let _ = pipeline.validate();
    pipeline.broker.delete_topic(topics::VALID).unwrap();
    pipeline.drain();
    assert_ne!(topic_id(pipeline, topics::VALID), id);
    assert_eq!(lost(&pipeline.verify()), 1);
    id
}

/// Where a sink that still holds records behind this commit would commit them.
fn next_of(commit: &Path) -> String {
    let commit = read_commit(commit);
    layout::chain_record(&commit.topic_id, commit.partition, commit.end)
}

#[test]
fn chains_of_deleted_topics_are_closed_before_anything_is_sent_again() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let next = next_of(commits(&pipeline).last().unwrap());
    let _ = deleted_unwritten(&pipeline);
    assert_eq!(pipeline.repair(&repair::plan(&pipeline.verify())).sent, 1);
    assert!(pipeline.store.get(&next).unwrap().is_some(), "a late sink finds the name taken");
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert!(repair::plan(&report).is_empty());

    let chains = || pipeline.store.list(layout::CHAIN).unwrap().len();
    pipeline.publish([(Some("acme"), good("acme", 91), Headers::new())]);
    pipeline.pretend_to_have_judged();
    let before = chains();
    assert_eq!(pipeline.repair(&repair::plan(&pipeline.verify())).sent, 1);
    assert_eq!(chains(), before, "what is closed stays as it is");
}

#[test]
fn a_sink_that_commits_before_its_chain_is_closed_makes_the_plan_void() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let next = next_of(commits(&pipeline).last().unwrap());
    let _ = deleted_unwritten(&pipeline);
    let plan = repair::plan(&pipeline.verify());
    pipeline.store.put_if_absent(&next, b"{}").unwrap();
    let shutdown = Shutdown::new();
    let operator = Operator { by: "test", clock: &SystemClock, shutdown: &shutdown };
    let refused = repair::execute(&plan, &pipeline.broker, &*pipeline.store, &operator).unwrap_err().to_string();
    assert!(refused.contains("nothing was sent") && refused.contains(&next), "{refused}");
    assert_eq!(pipeline.records(topics::WIRE).len(), 18 + 1);
}

#[test]
fn what_was_committed_of_a_deleted_topic_and_not_published_is_published() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let file = read_commit(commits(&pipeline).last().unwrap()).files.remove(0);
    let published = pipeline.store.local_path(&file.path).unwrap();
    std::fs::rename(&published, pipeline.folder.join(Staged::name_of(&file.staged).unwrap())).unwrap();
    pipeline.broker.delete_topic(topics::VALID).unwrap();
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.unpublished.files, published.exists()), (1, false), "no sink goes on with this chain");
    let _ = pipeline.repair(&repair::plan(&report));
    assert!(published.exists());
    let report = pipeline.verify();
    assert_eq!((report.problems.len(), report.unpublished.files), (0, 0));
}
