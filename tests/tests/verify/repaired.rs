//! What `finops repair` brings back, and what it leaves alone.

use contracts::topics::{self, headers};
use platform::broker::Headers;
use sink::repair;
use sink::verify::Rule;

use super::world::{Filled, drop_a_row, edit_last, good, links, lost, read_link, rules, topic_id};

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
    let links = links(&pipeline);
    std::fs::write(&links[0], b"{}").unwrap();
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
fn a_file_that_cannot_be_made_again_does_not_stop_the_rest() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let links = links(&pipeline);
    let files: Vec<_> = links.iter().map(|path| read_link(path).files.remove(0).path).collect();
    std::fs::remove_file(pipeline.store.local_path(&files[0]).unwrap()).unwrap();
    edit_last(&pipeline, |link| drop_a_row(&pipeline, link));
    std::fs::remove_file(pipeline.store.local_path(&files[2]).unwrap()).unwrap();
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(plan.rebuild, [files[0].clone(), files[2].clone()]);
    let done = pipeline.repair(&plan);
    assert_eq!((done.files, done.failed.len(), done.sent), (1, 1, 1), "{done:?}");
}
