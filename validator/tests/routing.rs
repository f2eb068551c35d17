//! What the register of routings does for a validator, whatever happens between two steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use contracts::topics;
use contracts::topics::groups::VALIDATOR as GROUP;
use platform::broker::meddled::{Meddled, MeddledAct};
use platform::broker::{Broker, BrokerError, ConsumerConfig, GroupOffset, OutRecord, Polled, Start, Topics};
use platform::lifecycle::Shutdown;
use serde_json::{Value, json};
use validator::register::RegisterError;
use validator::{ValidatorConfig, ValidatorError};

use support::{PARTITIONS, World, config, draft_with, run};

fn fill(world: &World, count: u64) {
    (0..count).for_each(|_| world.send(topics::WIRE, draft_with("title", json!("t")), &[]));
}

fn set_back(world: &World) {
    let mut member = world
        .broker
        .consumer(ConsumerConfig {
            group: GROUP.to_owned(),
            topics: Topics::Names(vec![topics::WIRE.to_owned()]),
            member: "operator".to_owned(),
            start: Start::Earliest,
            session_timeout: Duration::from_secs(10),
            poll_records_max: 1,
            poll_bytes_max: 1,
        })
        .unwrap();
    let mut given = Vec::new();
    while given.len() < PARTITIONS as usize {
        if let Polled::Assigned(assigned) = member.poll(Duration::from_millis(50)).unwrap() {
            given.extend(assigned.into_iter().map(|assignment| assignment.at));
        }
    }
    let to = |at| GroupOffset { at, offset: 0, metadata: String::new() };
    member.commit(&given.into_iter().map(to).collect::<Vec<_>>()).unwrap();
    member.leave().unwrap();
}

fn spread(tenant_spread: u32) -> ValidatorConfig {
    ValidatorConfig { tenant_spread, ..config("one") }
}

fn judge(world: &World, config: &ValidatorConfig) -> Result<u64, String> {
    match run(config, &world.broker, &Shutdown::new()) {
        Ok(done) => Ok(done.read),
        Err(ValidatorError::Register(RegisterError::JudgedOtherwise(refused))) => Err(refused.to_string()),
        Err(other) => panic!("{other}"),
    }
}

/// Records of the register: partition, since, reach and spread.
fn kept(world: &World) -> Vec<(u64, u64, u64, u64)> {
    let records = world.records(topics::ROUTING);
    let number = |value: &Value| value.as_u64().unwrap();
    let row = |message: &platform::broker::Message| {
        let value: Value = serde_json::from_slice(&message.value).unwrap();
        assert_eq!(value["format_version"], 1);
        let [partition, since, reach] = ["partition", "since", "reach"].map(|member| number(&value[member]));
        (partition, since, reach, number(&value["routing"]["tenant_spread"]))
    };
    records.iter().map(row).collect()
}

#[test]
fn a_change_is_kept_with_the_first_step_under_it_or_not_at_all() {
    let world = World::new();
    fill(&world, 10);
    let fails = |first: u64| {
        Meddled::new(world.broker.clone(), move |deed| match deed {
            MeddledAct::Step(n) if n >= first => {
                Err(BrokerError::Fatal { doing: "stepping".into(), reason: "killed".into() })
            }
            _ => Ok(()),
        })
    };
    assert!(run(&spread(1), &fails(1), &Shutdown::new()).is_err());
    assert_eq!(kept(&world), []);
    // Nothing was judged by the first setting.
    assert!(run(&spread(2), &fails(2), &Shutdown::new()).is_err());
    assert_eq!(kept(&world), [(1, 0, 0, 2)]);
    // Another one is in force from where nothing was judged; once kept it is not kept again.
    assert!(run(&spread(1), &fails(1), &Shutdown::new()).is_err());
    assert_eq!(judge(&world, &spread(1)), Ok(3));
    assert_eq!(kept(&world), [(1, 0, 0, 2), (1, 7, 7, 1)]);
    fill(&world, 5);
    assert_eq!(judge(&world, &spread(1)), Ok(5));
    assert_eq!(judge(&world, &spread(2)), Ok(0), "nothing to judge, nothing to keep");
    assert_eq!(kept(&world).len(), 2);
    set_back(&world);
    assert!(judge(&world, &spread(2)).unwrap_err().contains("from there to 15 (exclusive)"));
    assert!(judge(&world, &spread(1)).unwrap_err().contains("resumes at 7."));
}

#[test]
fn members_with_old_and_new_settings_take_turns() {
    let world = World::new();
    for turn in 0..6 {
        fill(&world, 4);
        assert_eq!(judge(&world, &spread(1 + turn % 2)), Ok(4));
    }
    assert_eq!(kept(&world).last(), Some(&(1, 20, 20, 2)));
    assert_eq!(world.records(topics::VALID).len(), 24);
    // A larger spread than there are partitions is the same.
    fill(&world, 4);
    assert_eq!(judge(&world, &spread(99)), Ok(4));
    assert_eq!(kept(&world).len(), 6);
}

/// The register says that an earlier program judged: forward without a word, not back.
#[test]
fn another_version_of_the_program_judges_on_and_not_again() {
    let world = World::new();
    fill(&world, 10);
    assert_eq!(judge(&world, &spread(1)), Ok(10));
    let message = world.records(topics::ROUTING).pop().unwrap();
    let mut value: Value = serde_json::from_slice(&message.value).unwrap();
    value["routing"]["program"] = json!("0.0.9");
    let older = OutRecord {
        topic: topics::ROUTING.into(),
        partition: Some(0),
        key: message.key.clone(),
        value: value.to_string().into_bytes().into(),
        headers: message.headers.clone(),
        timestamp_ms: None,
    };
    let mut producer = world.broker.producer().unwrap();
    producer.append(std::slice::from_ref(&older)).unwrap();
    set_back(&world);
    let said = judge(&world, &spread(1)).unwrap_err();
    assert!(said.contains("the version of the program was 0.0.9 and is "), "{said}");
    assert!(world.broker.clean().unwrap() > 0, "of each key the newest is kept");
    assert!(judge(&world, &spread(1)).is_err());
    let resuming = ValidatorConfig { skips_judged: true, ..spread(1) };
    assert_eq!(judge(&world, &resuming), Ok(0));
    fill(&world, 3);
    assert_eq!(judge(&world, &spread(1)), Ok(3));

    // What this program cannot understand it does not pass over.
    let newer = OutRecord { value: b"{\"format_version\":2}".to_vec().into(), ..older.clone() };
    producer.append(&[newer]).unwrap();
    fill(&world, 2);
    let error = run(&spread(1), &world.broker, &Shutdown::new()).unwrap_err().to_string();
    assert!(error.contains("of topic finops.routing does not say under which settings finops.validator/"), "{error}");
    let tombstone = OutRecord { value: platform::broker::RecordValue::NULL, ..older };
    producer.append(&[tombstone]).unwrap();
    assert_eq!(judge(&world, &spread(1)), Ok(2));
}

/// Offsets of an earlier version of the program say nothing of who left them, and no register is there.
#[test]
fn the_first_start_after_an_upgrade_begins_where_the_group_stands() {
    let world = World::new();
    fill(&world, 10);
    assert_eq!(judge(&world, &spread(1)), Ok(10));
    world.broker.delete_topic(topics::ROUTING).unwrap();
    set_back(&world);
    assert_eq!(judge(&world, &spread(2)), Ok(10));
    assert_eq!(kept(&world), [(1, 0, 0, 2)]);
}
