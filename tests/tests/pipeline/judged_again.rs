//! Settings that decide where records go are changed, and the validators' group is set back: no record gets a second row, or a
//! row and a dead letter. Where it would, the validator refuses and says what to do, and doing that works.

use contracts::identity::SaltMode;
use contracts::topics;
use operations::repair;
use platform::broker::{Broker, GroupOffset, Headers, TopicChange, TopicPartition};
use serde_json::Value;
use tests::pipeline::Pipeline;
use tests::repo;
use validator::register::{RegisterError, refusals};
use validator::routing::JudgedOtherwise;
use validator::{ProducerPolicies, ValidatorError};

const PRODUCER: &str = "finops.findings.wire.scanner";
/// More than one block of the spread: some of a tenant go to another partition.
const MANY: u64 = 520;

/// One tenant's findings, written.
fn written(folder: &std::path::Path, count: u64) -> Pipeline {
    let pipeline = Pipeline::open(folder);
    publish(&pipeline, count);
    pipeline.drain();
    assert_eq!(rows(&pipeline), (count, 0));
    pipeline
}

fn publish(pipeline: &Pipeline, count: u64) {
    let wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    let bytes = serde_json::to_vec(&wire).unwrap();
    pipeline.publish((0..count).map(|_| (Some("acme"), bytes.clone(), Headers::new())));
}

/// Rows of findings and of dead letters, in a store that `verify` finds nothing wrong with.
fn rows(pipeline: &Pipeline) -> (u64, u64) {
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    (report.findings_rows, report.dead_letter_rows)
}

/// As tools do, which leave no metadata.
fn set_back(pipeline: &Pipeline) {
    pipeline.set_validators(|at| GroupOffset { at: at.clone(), offset: 0, metadata: String::new() });
}

fn refused(pipeline: &Pipeline) -> JudgedOtherwise {
    let doctor = refusals(&pipeline.validator(), &pipeline.broker).unwrap();
    match pipeline.validate_by(&pipeline.validator()) {
        Err(ValidatorError::Register(RegisterError::JudgedOtherwise(refused))) => {
            assert!(doctor.contains(&refused), "doctor sees it, too: {doctor:?}");
            *refused
        }
        other => panic!("{other:?}"),
    }
}

/// Resumes as the refusal says, and repairs.
fn resume_and_repair(pipeline: &Pipeline) {
    let skipping = validator::ValidatorConfig { skips_judged: true, ..pipeline.validator() };
    let done = pipeline.validate_by(&skipping).unwrap();
    assert_eq!(done.read, 0, "nothing is judged again");
    assert_eq!(refusals(&pipeline.validator(), &pipeline.broker).unwrap(), []);
    let _ = pipeline.sink().unwrap();
    let _ = pipeline.repair(&repair::plan(&pipeline.verify()));
    pipeline.drain();
}

#[test]
fn another_spread_and_a_group_that_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = written(folder.path(), MANY);
    // Judging on by another spread is fine, and so is going back to the first one.
    pipeline.tenant_spread = 2;
    publish(&pipeline, 10);
    pipeline.drain();
    pipeline.tenant_spread = 1;
    publish(&pipeline, 10);
    pipeline.drain();
    assert_eq!(rows(&pipeline), (MANY + 20, 0));

    pipeline.tenant_spread = 2;
    set_back(&pipeline);
    let said = refused(&pipeline).to_string();
    assert!(said.contains("validator.tenant_spread was 1 and is 2"), "{said}");
    assert!(said.contains("resumes at 540, then `finops repair`"), "{said}");
    pipeline.sink().unwrap();
    assert_eq!(rows(&pipeline), (MANY + 20, 0));

    // The setting of before is not in force since the beginning: what was judged before it is passed over, and no more.
    pipeline.tenant_spread = 1;
    let said = refused(&pipeline).to_string();
    assert!(said.contains("validator.tenant_spread was 2 and is 1"), "{said}");
    assert!(said.contains(&format!("resumes at {}", MANY + 10)), "{said}");
    let skipping = validator::ValidatorConfig { skips_judged: true, ..pipeline.validator() };
    assert_eq!(pipeline.validate_by(&skipping).unwrap().read, 10);
    assert_eq!(pipeline.sink().unwrap().duplicates, 10);

    // Then there is nothing that was not judged, and the other setting is fine again.
    pipeline.tenant_spread = 2;
    publish(&pipeline, 10);
    pipeline.drain();
    assert_eq!(rows(&pipeline), (MANY + 30, 0));
}

/// What the register is for: without it the same acts make second rows.
#[test]
fn without_its_register_a_validator_would_make_second_rows() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = written(folder.path(), MANY);
    pipeline.tenant_spread = 2;
    set_back(&pipeline);
    let _ = refused(&pipeline);
    pipeline.broker.delete_topic(topics::ROUTING).unwrap();
    pipeline.drain();
    assert!(pipeline.verify().findings_rows > MANY);
}

#[test]
fn the_same_settings_and_a_group_that_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = written(folder.path(), MANY);
    for part in 1..=2 {
        set_back(&pipeline);
        publish(&pipeline, 5);
        assert_eq!(pipeline.validate().read, MANY + part * 5);
        assert_eq!(pipeline.sink().unwrap().duplicates, MANY + (part - 1) * 5);
        assert_eq!(rows(&pipeline), (MANY + part * 5, 0));
    }
}

/// Set back, judged again in part, and then the setting is changed: the position is a validator's, the rest was judged before.
#[test]
fn a_setting_that_is_changed_while_records_are_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = written(folder.path(), MANY);
    set_back(&pipeline);
    let (broker, stop) = (pipeline.broker.clone(), platform::lifecycle::Shutdown::new());
    let stopping = stop.clone();
    let meddled = platform::broker::meddled::Meddled::new(broker, move |deed| {
        if deed == platform::broker::meddled::MeddledAct::Step(2) {
            stopping.request("test");
        }
        Ok(())
    });
    let clock = platform::clock::SystemClock;
    validator::run(
        &pipeline.validator(),
        validator::ValidatorDeps { broker: &meddled, clock: &clock, counters: &std::sync::Arc::default() },
        &stop,
    )
    .unwrap();
    let standing = pipeline.broker.group_offsets(topics::groups::VALIDATOR).unwrap();
    assert!(standing.iter().any(|offset| (100..MANY).contains(&offset.offset)), "{standing:?}");
    pipeline.tenant_spread = 2;
    assert!(!refused(&pipeline).refusal.is_all_judged);
    pipeline.tenant_spread = 1;
    pipeline.drain();
    pipeline.tenant_spread = 2;
    pipeline.drain();
    assert_eq!(rows(&pipeline), (MANY, 0));
}

#[test]
fn another_policy_and_a_group_that_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::open(folder.path());
    pipeline.ensure_wire(PRODUCER);
    let policy = |tenant: &str, other: &str| {
        let text = format!(
            "[[producer]]\ntopic = \"{PRODUCER}\"\ntenants = [\"{tenant}\"]\n\
             [[producer]]\ntopic = \"{PRODUCER}.other\"\ntenants = [\"{other}\"]"
        );
        ProducerPolicies::parse(&text, SaltMode::Stable).unwrap()
    };
    let send = |pipeline: &Pipeline| {
        let wire = repo::read("schemas/examples/valid/aws_ebs_gp2.json");
        let tenant = serde_json::from_str::<Value>(&wire).unwrap()["tenant_id"].as_str().unwrap().to_owned();
        let record = platform::broker::OutRecord {
            topic: PRODUCER.into(),
            partition: Some(0),
            key: None,
            value: wire.into_bytes().into(),
            headers: Headers::new(),
            timestamp_ms: None,
        };
        pipeline.broker.producer().unwrap().append(&vec![record; 20]).unwrap();
        tenant
    };
    let tenant = send(&pipeline);
    pipeline.policies = policy(&tenant, "a");
    pipeline.drain();
    assert_eq!(rows(&pipeline), (20, 0));

    pipeline.policies = policy("other", "a");
    set_back(&pipeline);
    let said = refused(&pipeline).to_string();
    assert!(said.contains("the policy of its producer (validator.producers) has changed"), "{said}");
    assert_eq!(rows(&pipeline), (20, 0));

    // What another topic's producer may do does not matter here.
    pipeline.policies = policy(&tenant, "b");
    pipeline.drain();
    assert_eq!(rows(&pipeline), (20, 0));
    pipeline.policies = policy("other", "a");
    let _ = send(&pipeline);
    pipeline.drain();
    assert_eq!(rows(&pipeline), (20, 20), "each by the policy of its time");
}

#[test]
fn other_topics_and_a_group_that_is_set_back() {
    let partitions = |pipeline: &Pipeline, topic: &str| {
        let change = TopicChange { partitions: Some(3), ..TopicChange::default() };
        pipeline.broker.alter_topic(topic, &change).unwrap();
    };
    let recreated = |pipeline: &Pipeline, topic: &str| {
        pipeline.broker.delete_topic(topic).unwrap();
        let spec = platform::broker::TopicSpec {
            name: topic.to_owned(),
            partitions: 2,
            compacted: false,
            retention_ms: None,
            retention_bytes: None,
        };
        pipeline.broker.ensure_topic(&spec).unwrap();
    };
    type Act<'a> = &'a dyn Fn(&Pipeline, &str);
    let acts: [(Act<'_>, &str, &str); 4] = [
        (&partitions, topics::VALID, "the number of partitions of finops.findings.valid was 2 and is 3"),
        (&partitions, topics::DEAD_LETTERS, "the number of partitions of finops.findings.dlq was 2 and is 3"),
        (&recreated, topics::VALID, "the id of topic finops.findings.valid was "),
        (&recreated, topics::DEAD_LETTERS, "the id of topic finops.findings.dlq was "),
    ];
    for (act, topic, expected) in acts {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = written(folder.path(), 20);
        act(&pipeline, topic);
        set_back(&pipeline);
        let said = refused(&pipeline).to_string();
        assert!(said.contains(expected), "{said}");
        // A record that no validator has judged is passed over with the rest, and `repair` brings it back.
        publish(&pipeline, 3);
        resume_and_repair(&pipeline);
        assert_eq!(rows(&pipeline), (23, 0), "{expected}");
    }
}

/// A tool that keeps the metadata, or another one that sets it ahead and back.
#[test]
fn however_the_group_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = written(folder.path(), MANY);
    let found = pipeline.broker.group_offsets(topics::groups::VALIDATOR).unwrap();
    let metadata = |at: &TopicPartition| {
        let offset = found.iter().find(|offset| offset.at == *at);
        offset.map_or_else(String::new, |offset| offset.metadata.clone())
    };
    pipeline.tenant_spread = 2;
    pipeline.set_validators(|at| GroupOffset { at: at.clone(), offset: 1, metadata: metadata(at) });
    let _ = refused(&pipeline);
    pipeline.pretend_to_have_judged();
    assert_eq!(pipeline.validate().read, 0);
    set_back(&pipeline);
    let _ = refused(&pipeline);
    pipeline.tenant_spread = 1;
    pipeline.drain();
    assert_eq!(rows(&pipeline), (MANY, 0));
}
