//! An operator changes what services rely on: topics are recreated, offsets are set, retention is too short.
//! Each service goes on rightly, or stops and says what is lost and what to do; doing that is part of the attack.

use std::time::{Duration, Instant};

use contracts::source::{Src, SrcPartition};
use contracts::topics::{self, groups};
use platform::broker::{ConsumerConfig, GroupOffset, Polled, Start, TopicPartition, TopicSpec, Topics};
use platform::failpoint;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::oracle::{self, Count};
use tests::attack::program::{self, Role, Service, WAIT_MAX};
use tests::attack::reader::Reader;
use tests::attack::seed::is_long;
use tests::attack::site::{Site, SiteKind};
use tests::kafka::admin;

at_each_site!(
    the_valid_topic_is_recreated,
    the_wire_topic_is_recreated,
    sink_offsets_are_set_back,
    sink_offsets_are_set_ahead,
    validator_offsets_are_set_back,
    validator_offsets_are_set_ahead,
    settings_are_changed_and_validators_set_back,
    retention_passes_the_sink,
    retention_passes_the_validator,
);

/// Attacks on what only Kafka lets an operator do.
pub mod of_groups {
    use super::groups_are_deleted;

    list!(groups_are_deleted);
}

const PARTITIONS: u32 = 4;
const VALIDATE: &[&str] = &["validator", "run", "--drain"];
const SINK: &[&str] = &["sink", "run", "--drain"];

fn run(site: &Site, commands: &[&[&str]]) {
    for command in commands {
        let _ = program::done(site, command);
    }
}

/// What the sink had not written goes with the topic; `repair` finds it on the wire topic and sends it again.
fn the_valid_topic_is_recreated(kind: SiteKind) {
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        battle.wait_for_work(100, &mut services);
        services[1].freeze(&site);
        let written = ends(&site, topics::VALID);
        let deadline = Instant::now() + WAIT_MAX;
        while ends(&site, topics::VALID) == written {
            assert!(Instant::now() < deadline, "the validator writes nothing: {}", services[0].log());
            std::thread::sleep(Duration::from_millis(20));
        }
        site.broker.delete_topic(topics::VALID).unwrap();
        let _ = site.make_topic(topics::VALID, PARTITIONS);
        services[1].signal("CONT");
        battle.wait_for_work(200, &mut services);
        let report = program::verify(&site);
        assert!(report["problems"].to_string().contains("record_lost"), "verify does not see the loss: {report:#}");
        let _ = program::done(&site, &["repair"]);
        services
    });
    note(
        Fault::Deed(Deed::ValidTopicRecreated),
        &site,
        0,
        None,
        &count,
        "goes on; `verify` names what went with the topic, `repair` brings it back",
    );
}

/// Offsets begin again at 0: rows of the old topic must not be mistaken for those of the new one.
fn the_wire_topic_is_recreated(kind: SiteKind) {
    let site = Site::open(kind);
    let battle = Battle::begin(&site);
    let mut services = battle.start(&[Role::Validator, Role::Sink]);
    for _ in 0..if kind.is_embedded() || is_long() { 5 } else { 2 } {
        assert!(battle.load.publish(200));
        let wanted = battle.load.acknowledged().len() as u64;
        battle.wait_for_rows(wanted, &mut services);
        site.broker.delete_topic(topics::WIRE).unwrap();
        let _ = site.make_topic(topics::WIRE, PARTITIONS);
    }
    assert!(battle.load.publish(200));
    let count = battle.finish(services);
    note(Fault::Deed(Deed::WireTopicRecreated), &site, 0, None, &count, "goes on");
}

fn ends(site: &Site, topic: &str) -> Vec<u64> {
    let at = |partition| TopicPartition { topic: topic.into(), partition };
    (0..PARTITIONS).map(|partition| site.broker.watermarks(&at(partition)).unwrap().high).collect()
}

/// Does with a group what `kafka-consumer-groups --reset-offsets` does: sets offsets, leaves no metadata.
fn set_offsets(site: &Site, group: &str, topic_names: &[&str], offset: impl Fn(&TopicPartition) -> u64) {
    let config = ConsumerConfig {
        group: group.to_owned(),
        topics: Topics::Names(topic_names.iter().map(|name| (*name).to_owned()).collect()),
        member: "operator".to_owned(),
        start: Start::Earliest,
        session_timeout: Duration::from_secs(10),
        poll_records_max: 1,
        poll_bytes_max: 1,
    };
    let mut member = site.broker.consumer(config).unwrap();
    let mut given = Vec::new();
    while given.len() < topic_names.len() * PARTITIONS as usize {
        match member.poll(Duration::from_secs(10)).unwrap() {
            Polled::Assigned(assigned) => given.extend(assigned.into_iter().map(|assignment| assignment.at)),
            other => assert!(matches!(other, Polled::Idle | Polled::Records(_)), "{other:?}"),
        }
    }
    let to = |at: TopicPartition| GroupOffset { offset: offset(&at), at, metadata: String::new() };
    member.commit(&given.into_iter().map(to).collect::<Vec<_>>()).unwrap();
    member.leave().unwrap();
}

const WRITTEN_TOPICS: &[&str] = &[topics::VALID, topics::DEAD_LETTERS];

fn sink_offsets_are_set_back(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    set_offsets(&site, groups::SINK, WRITTEN_TOPICS, |_| 0);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    let _ = reader.end();
    let count = oracle::judge_all(&site, Some(&load));
    note(Fault::Deed(Deed::SinkOffsetsSetBack), &site, 0, None, &count, "goes on: the chain is the truth");
}

fn sink_offsets_are_set_ahead(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    assert!(load.publish(500));
    run(&site, &[VALIDATE]);
    set_offsets(&site, groups::SINK, WRITTEN_TOPICS, |at| site.broker.watermarks(at).unwrap().high);
    run(&site, &[SINK]);
    let _ = reader.end();
    let count = oracle::judge_all(&site, Some(&load));
    note(Fault::Deed(Deed::SinkOffsetsSetAhead), &site, 0, None, &count, "goes on: the chain is the truth");
}

/// Everything is judged a second time; the sink knows the source positions.
fn validator_offsets_are_set_back(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    set_offsets(&site, groups::VALIDATOR, &[topics::WIRE], |_| 0);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    let _ = reader.end();
    let count = oracle::judge_rows(&site, &oracle::produced(&site, Some(&load)), 500);
    note(
        Fault::Deed(Deed::ValidatorOffsetsSetBack),
        &site,
        0,
        None,
        &count,
        "goes on; what is judged twice is dropped by the sink and counted",
    );
}

/// Records would go to other partitions than the first time: the validator refuses, and each of the ways on that it names works.
fn settings_are_changed_and_validators_set_back(kind: SiteKind) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("finops.toml");
    let spread = |spread: u32| std::fs::write(&file, format!("validator.tenant_spread = {spread}\n")).unwrap();
    spread(1);
    let site = Site::open(kind).with("FINOPS_CONFIG", file.to_str().unwrap());
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    let is_refused = |was: u32, is: u32| {
        set_offsets(&site, groups::VALIDATOR, &[topics::WIRE], |_| 0);
        spread(is);
        let (code, said) = program::refused(&site, VALIDATE);
        assert_eq!(code, 78, "{said}");
        assert!(said.contains(&format!("validator.tenant_spread was {was} and is {is}")), "{said}");
        assert!(
            said.contains("restore what has changed; or run `finops validator run --drain --skip-judged` once"),
            "{said}"
        );
    };
    is_refused(1, 3);
    spread(1);
    run(&site, &[VALIDATE, SINK]);
    // Forward it may change.
    spread(2);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    // Some of these were not judged.
    assert!(load.publish(300));
    is_refused(2, 4);
    run(&site, &[&["validator", "run", "--drain", "--skip-judged"], SINK, &["repair"], VALIDATE, SINK]);
    let _ = reader.end();
    let count = oracle::judge_rows(&site, &oracle::produced(&site, Some(&load)), 500);
    note(
        Fault::Deed(Deed::SettingsChangedAndSetBack),
        &site,
        0,
        None,
        &count,
        "stops; goes on with the settings of before, or after `--skip-judged`, when `repair` sends what was not judged",
    );
}

/// Validators begin at the beginning, as [`validator_offsets_are_set_back`]; sinks find their place in the chain.
fn groups_are_deleted(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    for group in [groups::VALIDATOR, groups::SINK] {
        admin::delete_group(&site.kafka(), group);
        assert_eq!(site.broker.group_offsets(group).unwrap(), []);
    }
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    let _ = reader.end();
    let count = oracle::judge_rows(&site, &oracle::produced(&site, Some(&load)), 500);
    note(
        Fault::Deed(Deed::GroupsDeleted),
        &site,
        0,
        None,
        &count,
        "goes on; what is judged twice is dropped by the sink and counted",
    );
}

fn validator_offsets_are_set_ahead(kind: SiteKind) {
    let site = Site::open(kind);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(500));
    run(&site, &[VALIDATE]);
    assert!(load.publish(500));
    set_offsets(&site, groups::VALIDATOR, &[topics::WIRE], |at| site.broker.watermarks(at).unwrap().high);
    assert!(load.publish(500));
    run(&site, &[VALIDATE, SINK]);
    let report = program::verify(&site);
    assert!(report["problems"].to_string().contains("record_lost"), "verify does not see the loss: {report:#}");
    run(&site, &[&["repair"], VALIDATE, SINK]);
    let _ = reader.end();
    let count = oracle::judge_all(&site, Some(&load));
    note(
        Fault::Deed(Deed::ValidatorOffsetsSetAhead),
        &site,
        0,
        None,
        &count,
        "goes on; `verify` names what was passed over, `repair` brings it back",
    );
}

/// Recreates a topic, with room for little. On Kafka there is always room for a segment, of at least a megabyte.
fn make_small(site: &Site, name: &str) {
    if !site.kind.is_embedded() {
        return;
    }
    site.broker.delete_topic(name).unwrap();
    let retention_bytes = Some(20_000);
    let spec = TopicSpec {
        name: name.to_owned(),
        partitions: PARTITIONS,
        compacted: false,
        retention_ms: None,
        retention_bytes,
    };
    let _ = site.broker.ensure_topic(&spec).unwrap();
}

/// Removes old records, as retention does; all but the last of each partition.
fn remove_old(site: &Site, name: &str) {
    if site.kind.is_embedded() {
        assert!(site.broker.clean().unwrap() > 300, "some that were not consumed have to go");
        return;
    }
    let end = |partition| {
        let at = TopicPartition { topic: name.into(), partition };
        let end = site.broker.watermarks(&at).unwrap().high;
        (at, end.saturating_sub(50))
    };
    admin::delete_records(&site.kafka(), &(0..PARTITIONS).map(end).collect::<Vec<_>>());
}

fn retention_passes_the_sink(kind: SiteKind) {
    let site = Site::open(kind);
    make_small(&site, topics::VALID);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(300));
    run(&site, &[VALIDATE, SINK]);
    assert!(load.publish(900));
    run(&site, &[VALIDATE]);
    remove_old(&site, topics::VALID);
    let (code, said) = program::refused(&site, SINK);
    assert_eq!(code, 74, "{said}");
    assert!(said.contains("expired on the broker before they were written"), "{said}");
    assert!(said.contains("`finops sink run --drain --skip-expired` once; then `finops repair`"), "{said}");
    run(&site, &[&["sink", "run", "--drain", "--skip-expired"], &["repair"], VALIDATE, SINK]);
    let _ = reader.end();
    let count = oracle::judge_all(&site, Some(&load));
    note(
        Fault::Deed(Deed::RetentionPassedSink),
        &site,
        0,
        None,
        &count,
        "stops; after `--skip-expired`, `repair` brings it back from the wire topic",
    );
}

/// What no validator had judged is really lost. It must be named, to the last record, and everything else be there.
fn retention_passes_the_validator(kind: SiteKind) {
    let site = Site::open(kind);
    make_small(&site, topics::WIRE);
    let load = Load::new(&site);
    let reader = Reader::start(&site, true);
    assert!(load.publish(300));
    run(&site, &[VALIDATE, SINK]);
    let judged = load.acknowledged();
    assert!(load.publish(900));
    remove_old(&site, topics::WIRE);
    let (code, said) = program::refused(&site, VALIDATE);
    assert_eq!(code, 74, "{said}");
    assert!(said.contains("expired on the broker before they were judged"), "{said}");
    assert!(said.contains("`finops validator run --drain --skip-expired` once"), "{said}");
    let skip = ["--drain", "--skip-expired"];
    for point in ["validator.skip.begin", "validator.skip.committed"] {
        Service::start_with(&site, Role::Validator, &skip, &[(failpoint::VARIABLE, point)]).wait_for_kill(point);
        note(Fault::Point(point.to_owned()), &site, 1, None, &Count::default(), "goes on");
    }
    run(&site, &[&["validator", "run", "--drain", "--skip-expired"], SINK]);

    let topic = site.broker.topics().unwrap().into_iter().find(|topic| &*topic.name == topics::WIRE).unwrap();
    let low = |partition| {
        let at = TopicPartition { topic: topic.name.clone(), partition };
        site.broker.watermarks(&at).unwrap().low
    };
    let lows: Vec<_> = (0..PARTITIONS).map(low).collect();
    let has_expired = |src: &Src| src.offset < lows[src.partition.partition as usize] && !judged.contains_key(src);
    let expired: Vec<Src> = load.acknowledged().into_keys().filter(has_expired).collect();
    let named = program::verify(&site)["unproven"].clone();
    for partition in 0..PARTITIONS {
        let id = SrcPartition { topic_id: topic.id.to_string(), partition };
        let entry = named.as_array().unwrap().iter().find(|entry| entry["partition"] == id.to_string());
        let ranges = entry.map(|entry| entry["offsets"].as_array().unwrap().clone()).unwrap_or_default();
        let count: u64 = ranges.iter().map(|range| range[1].as_u64().unwrap() - range[0].as_u64().unwrap()).sum();
        let expired: Vec<u64> = expired.iter().filter(|src| src.partition == id).map(|src| src.offset).collect();
        let is_named = |offset: &u64| {
            ranges.iter().any(|range| (range[0].as_u64().unwrap()..range[1].as_u64().unwrap()).contains(offset))
        };
        assert!(expired.iter().all(is_named), "{id}: {expired:?} expired, {named}");
        // Not every offset of Kafka is a record.
        assert!(count == expired.len() as u64 || !kind.is_embedded(), "{id}: {named}");
    }
    let mut produced = oracle::produced(&site, Some(&load));
    produced.values_mut().for_each(|srcs| srcs.retain(|src| !has_expired(src)));
    let _ = reader.end();
    let rest = oracle::judge_rows(&site, &produced, 0);
    let lost = expired.len() as u64;
    let count = Count { produced: rest.produced + lost, lost, ..rest };
    note(
        Fault::Deed(Deed::RetentionPassedValidator),
        &site,
        0,
        None,
        &count,
        "stops; after `--skip-expired`, `verify` names each expired record: only producers can send them again",
    );
}
