//! Whether all has arrived that the runs published.

use contracts::layout;
use contracts::topics::{self, headers};
use lake::verify::{Rule, verify};
use operations::repair;
use platform::broker::{Broker, Headers, TopicPartition};
use platform::lifecycle::Shutdown;
use runner::publish::publish_manifest;
use tests::pipeline::{Pipeline, run_manifest};

use super::world::{good, rules, topic_id};

#[test]
fn a_run_is_incomplete_when_nothing_more_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let own = |value: Vec<u8>, more: &[(&str, &str)]| {
        let run = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, "run-1")];
        let all: Headers = run.iter().chain(more).copied().collect();
        (Some("acme"), value, all)
    };
    let publish_manifest = |published| {
        let path = layout::run_manifest("acme", "prod", "run-1");
        pipeline.store.put(&path, &serde_json::to_vec(&run_manifest("run-1", published)).unwrap()).unwrap();
    };
    let state = || {
        let report = pipeline.verify();
        let runs: Vec<_> = report.incomplete_runs.iter().map(|r| (r.published, r.arrived, r.on_the_way)).collect();
        (rules(&report), runs)
    };
    publish_manifest(4);
    pipeline.publish([own(good("acme", 1), &[]), own(b"{".to_vec(), &[]), own(good("acme", 2), &[])]);
    pipeline.drain();
    pipeline.publish([own(good("acme", 3), &[])]);
    assert_eq!(state(), (vec![], vec![(4, 3, 1)]), "not judged");
    let _ = pipeline.validate();
    assert_eq!(state(), (vec![], vec![(4, 3, 1)]), "not written");
    publish_manifest(5);
    assert_eq!(state(), (vec![Rule::RunIncomplete], vec![(5, 3, 1)]), "what is on its way is not enough");
    pipeline.drain();
    assert_eq!(state(), (vec![Rule::RunIncomplete], vec![(5, 4, 0)]));
    // Others' records on their way are no excuse, a record that is sent again is no second one.
    pipeline.publish([(Some("globex"), good("globex", 1), Headers::new())]);
    assert_eq!(state().0, [Rule::RunIncomplete]);
    let letter = pipeline.verify().problems.len();
    assert_eq!(letter, 1);
    let wire = topic_id(&pipeline, topics::WIRE);
    let at = (0..2)
        .map(|partition| TopicPartition { topic: topics::WIRE.into(), partition })
        .find(|at| pipeline.broker.watermarks(at).unwrap().high >= 4)
        .unwrap();
    let first = format!("{wire}/{}/1", at.partition);
    pipeline.publish([own(good("acme", 9), &[(headers::REPLAY_OF, &first)])]);
    assert_eq!(state().0, [Rule::RunIncomplete]);
    pipeline.drain();
    assert_eq!(state(), (vec![Rule::RunIncomplete], vec![(5, 4, 0)]));
    publish_manifest(4);
    assert_eq!(state(), (vec![], vec![]));
    let alone = verify(&*pipeline.store, None, &|| {}).unwrap();
    assert_eq!(alone.problems, []);
    publish_manifest(9);
    let alone = verify(&*pipeline.store, None, &|| {}).unwrap();
    assert_eq!((rules(&alone), alone.incomplete_runs.len()), (vec![], 1), "unknown without a broker");
}

/// A run stores its manifest, then announces it: who removes `_runs` cannot hide that.
#[test]
fn a_run_that_was_announced_has_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let publish = |run_id: &str| {
        let (mut producer, manifest) = (pipeline.broker.producer().unwrap(), run_manifest(run_id, 0));
        publish_manifest(&manifest, producer.as_mut(), &*pipeline.store, &Shutdown::new()).unwrap();
        layout::run_manifest("acme", "prod", run_id)
    };
    let paths = ["run-1", "run-2"].map(publish);
    let bytes = |path: &str| pipeline.store.get(path).unwrap();
    let stored = bytes(&paths[0]);
    assert_eq!(rules(&pipeline.verify()), []);
    std::fs::remove_dir_all(folder.path().join(layout::RUNS).join("acme")).unwrap();
    let report = pipeline.verify();
    assert_eq!(rules(&report), [Rule::ManifestMissing; 2]);
    assert_eq!(report.problems[0].object, paths[0]);
    let plan = repair::plan(&report);
    assert_eq!(plan.manifests, paths);
    assert_eq!(pipeline.repair(&plan).manifests, 2);
    assert_eq!((rules(&pipeline.verify()), bytes(&paths[0])), (vec![], stored));

    let changed = serde_json::to_vec(&run_manifest("run-2", 0)).unwrap();
    pipeline.store.put(&paths[1], &changed).unwrap();
    assert_eq!(rules(&pipeline.verify()), [Rule::ManifestChanged]);
}
