//! Whatever was changed behind the back of the services is noticed.

use std::collections::BTreeSet;

use contracts::chain::ChainHead;
use contracts::{layout, topics};
use lake::verify::{Rule, Unpublished, verify};
use operations::repair;
use platform::broker::{Broker, Message, OutRecord, TopicPartition};
use platform::store::local::LocalStore;
use tests::pipeline::{Pipeline, copy, run_manifest};

use super::world::{Filled, commits, drop_a_row, edit_last, fill, read_commit, rules};

#[test]
fn what_digests_do_not_give_away_is_noticed() {
    let filled = Filled::new();
    let check = |what: &str, expected: &[Rule], tamper: fn(&Pipeline)| {
        let (_folder, pipeline) = filled.copied();
        tamper(&pipeline);
        let report = pipeline.verify();
        assert_eq!(rules(&report), expected, "{what}: {:#?}", report.problems);
    };
    check("nothing", &[], |_| {});
    check("the last commit removed", &[Rule::ChainBroken, Rule::FileForeign], |p| {
        std::fs::remove_file(commits(p).pop().unwrap()).unwrap();
    });
    check("the last commit and its file removed", &[Rule::ChainBroken], |p| {
        let last = commits(p).pop().unwrap();
        std::fs::remove_file(p.store.local_path(&read_commit(&last).files[0].path).unwrap()).unwrap();
        std::fs::remove_file(last).unwrap();
    });
    check("a chain removed", &[Rule::ChainBroken, Rule::FileForeign, Rule::FileForeign, Rule::FileForeign], |p| {
        std::fs::remove_dir_all(commits(p)[0].parent().unwrap()).unwrap();
    });
    // The sink would find none in its place and write everything once more.
    check("a chain in another partition's folder", &[Rule::ChainBroken, Rule::ChainBroken], |p| {
        let chain = commits(p)[0].parent().unwrap().to_owned();
        std::fs::rename(&chain, chain.with_file_name("7")).unwrap();
    });
    check("a commit that is none", &[Rule::ChainBroken], |p| {
        let first = &commits(p)[0];
        std::fs::copy(first, first.with_file_name(format!("{:020}.json", 2))).unwrap();
    });
    check("an object beside the chains", &[Rule::ChainBroken], |p| {
        p.store.put(&format!("{}/x.json", layout::CHAIN), b"{}").unwrap();
    });
    check("a row taken out of file and commit", &[Rule::RecordLost], |p| edit_last(p, |commit| drop_a_row(p, commit)));
    check("a row taken out of the file, the commit half right", &[Rule::CommitAddsUp, Rule::RecordLost], |p| {
        edit_last(p, |commit| {
            drop_a_row(p, commit);
            commit.rows += 1;
        });
    });
    // The name of a file tells the range it was made from.
    check("records skipped", &[Rule::TopicBehind, Rule::FileContent], |p| edit_last(p, |commit| commit.end += 1));
    check("a file moved to another tenant", &[Rule::FileContent], |p| {
        edit_last(p, |commit| {
            let file = &mut commit.files[0];
            let from = p.store.local_path(&file.path).unwrap();
            file.path = file.path.replace("tenant_id=acme", "tenant_id=globex");
            let to = p.store.local_path(&file.path).unwrap();
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::rename(from, to).unwrap();
        });
    });
    check("a forged checkpoint", &[Rule::CheckpointDiffers], |p| {
        let commit = read_commit(&commits(p).pop().unwrap());
        let mut head = ChainHead::empty(&commit.topic_id, commit.partition);
        head.advance(&commit, String::new());
        let path = layout::chain_checkpoint(&commit.topic_id, commit.partition, commit.end);
        p.store.put(&path, &serde_json::to_vec(&head).unwrap()).unwrap();
    });
    check("a manifest in another's place", &[Rule::ManifestUnreadable], |p| {
        let path = layout::run_manifest("globex", "prod", "run-9");
        p.store.put(&path, &serde_json::to_vec(&run_manifest("run-9", 0)).unwrap()).unwrap();
    });
}

#[test]
fn a_source_position_in_two_rows_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    fill(&pipeline);
    // A chain drops what it holds already; another one does not know.
    let at = |partition| TopicPartition { topic: topics::VALID.into(), partition };
    let full = (0..2).map(at).find(|at| pipeline.broker.watermarks(at).unwrap().high > 0).unwrap();
    let Message { key, value, headers, .. } = pipeline.broker.read(&full, 0, 1, 1).unwrap().remove(0);
    let (topic, partition) = (full.topic.clone(), Some(1 - full.partition));
    let twice = OutRecord { topic, partition, key, value, headers, timestamp_ms: None };
    pipeline.broker.producer().unwrap().append(&[twice]).unwrap();
    pipeline.drain();
    assert_eq!(rules(&pipeline.verify()), [Rule::SourceTwice]);
}

#[test]
fn a_broker_that_was_set_back_is_noticed_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    {
        let pipeline = Pipeline::open(folder.path());
        fill(&pipeline);
    }
    copy(folder.path(), kept.path());
    {
        let pipeline = Pipeline::open(folder.path());
        fill(&pipeline);
    }
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("broker.sqlite") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(kept.path()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("broker.sqlite") {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let report = Pipeline::open(folder.path()).verify();
    let found: BTreeSet<Rule> = rules(&report).into_iter().collect();
    assert_eq!(found, BTreeSet::from([Rule::TopicBehind]), "{:#?}", report.problems);
    assert!(report.problems.iter().any(|p| p.detail.contains("taken for duplicates")), "{:#?}", report.problems);
    assert!(!repair::plan(&report).blocked_by.is_empty());
}

#[test]
fn another_store_is_not_compared_and_nothing_is_sent() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = LocalStore::open(elsewhere.path(), layout::SINK).unwrap();
    let report = verify(&other, Some(&pipeline.broker), &|| {}).unwrap();
    assert_eq!(rules(&report), [Rule::StoreForeign]);
    assert!(repair::plan(&report).is_empty());
}

#[test]
fn only_the_last_commit_may_wait_to_be_published() {
    let filled = Filled::new();
    let check = |commit: usize, expected: &[Rule]| {
        let (_folder, pipeline) = filled.copied();
        let file = read_commit(&commits(&pipeline)[commit]).files.remove(0);
        let staged = pipeline.folder.join(file.staged["name"].as_str().unwrap());
        std::fs::create_dir_all(staged.parent().unwrap()).unwrap();
        std::fs::rename(pipeline.store.local_path(&file.path).unwrap(), staged).unwrap();
        let report = pipeline.verify();
        assert_eq!(rules(&report), expected);
        let Unpublished { files, rows } = report.unpublished;
        assert_eq!((files, rows, report.is_complete()), if commit == 2 { (1, 5, false) } else { (0, 0, true) });
    };
    check(2, &[]);
    check(1, &[Rule::FileMissing]);
}
