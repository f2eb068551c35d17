//! The validator as a member of a group over the real embedded log: whatever happens between two steps, every wire
//! record becomes exactly one valid record or dead letter, in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contracts::topics;
use platform::broker::meddled::{self, Meddled, MeddledAct};
use platform::broker::{Broker, BrokerError, TopicPartition, TopicSpec};
use platform::lifecycle::Shutdown;
use platform::service::Until;
use serde_json::json;
use validator::{ValidatorConfig, ValidatorError};

use support::{PARTITIONS, World, config, draft_with, header, own, run};

/// Every third record is broken.
fn fill(world: &World, per_partition: u64) {
    for partition in 0..PARTITIONS {
        for n in 0..per_partition {
            let status = if n % 3 == 2 { "broken" } else { "fail" };
            world.send_to(topics::WIRE, partition, draft_with("status", json!(status)), &[]);
        }
    }
}

/// Every source of the wire topic came out once, on the right side, and in order.
fn assert_each_once(world: &World, per_partition: u64) {
    let topic_id = world.topic(topics::WIRE).id;
    for partition in 0..PARTITIONS {
        let prefix = format!("{topic_id}/{partition}/");
        for (topic, is_dead) in [(topics::VALID, false), (topics::DEAD_LETTERS, true)] {
            let records = world.records(topic);
            let offsets: Vec<u64> =
                records.iter().filter_map(|r| header(r, "src").strip_prefix(&prefix)?.parse().ok()).collect();
            let expected: Vec<u64> = (0..per_partition).filter(|n| (n % 3 == 2) == is_dead).collect();
            assert_eq!(offsets, expected, "sources of partition {partition} on {topic}");
        }
    }
}

fn group_offsets(world: &World) -> Vec<u64> {
    let offsets = world.broker.group_offsets(contracts::topics::groups::VALIDATOR).unwrap();
    let of = |partition| TopicPartition { topic: topics::WIRE.into(), partition };
    (0..PARTITIONS).map(|p| offsets.iter().find(|o| o.at == of(p)).map_or(0, |o| o.offset)).collect()
}

/// A broker whose members ask before each step.
fn meddling(world: &World, meddle: impl Fn(u64) -> Result<(), BrokerError> + Send + Sync + 'static) -> Meddled {
    Meddled::new(world.broker.clone(), move |deed| match deed {
        MeddledAct::Step(n) => meddle(n),
        MeddledAct::Commit | MeddledAct::Call(_) => Ok(()),
    })
}

#[test]
fn drained_mode_ends_when_there_is_nothing_and_when_everything_is_judged() {
    let world = World::new();
    assert_eq!(world.drain(own()).read, 0);
    fill(&world, 20);
    let done = world.drain(own());
    assert_eq!((done.read, done.valid, done.dead, done.retries), (40, 28, 12, 0));
    assert_each_once(&world, 20);
    assert_eq!(group_offsets(&world), [20, 20]);
    assert_eq!(world.drain(own()).read, 0, "nothing is judged twice");
    assert_each_once(&world, 20);
}

#[test]
fn a_producer_topic_made_later_is_read_too() {
    let world = World::new();
    fill(&world, 3);
    let _ = world.drain(own());
    world.topic("finops.findings.wire.late");
    world.send("finops.findings.wire.late", draft_with("title", json!("t")), &[]);
    assert_eq!(world.drain(own()).dead, 1, "no tenant is bound to it yet");
}

#[test]
fn a_restart_goes_on_exactly_where_it_stopped() {
    let world = World::new();
    fill(&world, 30);
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let broker = meddling(&world, move |n| {
        if n == 3 {
            stop.request("test");
        }
        Ok(())
    });
    let done = run(&config("first"), &broker, &shutdown).unwrap();
    assert_eq!(done.read, 21, "three steps of seven");
    assert_eq!(group_offsets(&world).iter().sum::<u64>(), 21);
    let rest = world.drain(own());
    assert_eq!(rest.read, 39);
    assert_each_once(&world, 30);
}

#[test]
fn trouble_that_may_pass_is_waited_out_in_place() {
    let world = World::new();
    fill(&world, 10);
    let broker = meddling(&world, |n| match n {
        2 | 3 => Err(BrokerError::Retriable { doing: "stepping".into(), reason: "the disk is busy".into() }),
        4 => Err(BrokerError::NoSpace { doing: "stepping".into(), path: "/somewhere".into() }),
        _ => Ok(()),
    });
    let done = run(&config("one"), &broker, &Shutdown::new()).unwrap();
    assert_eq!((done.read, done.retries), (20, 3));
    assert_each_once(&world, 10);
}

#[test]
fn no_call_that_times_out_once_ends_a_drain() {
    let world = World::new();
    fill(&world, 10);
    let broker = Meddled::new(world.broker.clone(), meddled::each_call_fails_once());
    let done = run(&config("one"), &broker, &Shutdown::new()).unwrap();
    // ensure_topic, topics, watermarks, processor and group_offsets.
    assert_eq!((done.read, done.retries), (20, 5));
    assert_each_once(&world, 10);
}

#[test]
fn a_start_that_never_works_ends_when_it_is_stopped() {
    let world = World::new();
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let broker = Meddled::new(world.broker.clone(), move |_| {
        stop.request("test");
        Err(BrokerError::Retriable { doing: "asking".into(), reason: "timed out".into() })
    });
    assert_eq!(run(&config("one"), &broker, &shutdown).unwrap().read, 0);
}

#[test]
fn trouble_that_will_not_pass_ends_it_and_moves_nothing() {
    let world = World::new();
    fill(&world, 10);
    let broker = meddling(&world, |n| match n {
        2 => Err(BrokerError::Fatal { doing: "stepping".into(), reason: "the file is damaged".into() }),
        _ => Ok(()),
    });
    let error = run(&config("one"), &broker, &Shutdown::new()).unwrap_err();
    assert_eq!(error.to_string(), "validator: stepping: the file is damaged");
    assert_eq!(group_offsets(&world).iter().sum::<u64>(), 7);
    let _ = world.drain(own());
    assert_each_once(&world, 10);
}

#[test]
fn shutdown_ends_the_wait_for_trouble_to_pass() {
    let world = World::new();
    fill(&world, 3);
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let broker = meddling(&world, move |_| {
        stop.request("test");
        Err(BrokerError::Retriable { doing: "stepping".into(), reason: "never ends".into() })
    });
    assert_eq!(run(&config("one"), &broker, &shutdown).unwrap().read, 0);
    assert_eq!(group_offsets(&world), [0, 0]);
    let _ = world.drain(own());
    assert_each_once(&world, 3);
}

#[test]
fn two_validators_share_the_partitions() {
    let world = World::new();
    fill(&world, 200);
    let (one, two) = std::thread::scope(|threads| {
        let member = |name: &'static str| {
            let broker = &world.broker;
            let config = ValidatorConfig { step_records_max: 3, ..config(name) };
            threads.spawn(move || run(&config, broker, &Shutdown::new()).unwrap())
        };
        let (one, two) = (member("one"), member("two"));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one.read + two.read, 400);
    assert_each_once(&world, 200);
}

#[test]
fn a_validator_that_lost_its_partitions_writes_nothing() {
    let world = World::new();
    fill(&world, 10);
    let (taken_over, both_done) = (Arc::new(AtomicBool::new(false)), Shutdown::new());
    let seen = taken_over.clone();
    // Holds its first step back until another member has judged everything.
    let broker = meddling(&world, move |n| {
        while n == 1 && !seen.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    });
    let stale =
        ValidatorConfig { session_timeout: Duration::from_millis(300), until: Until::Shutdown, ..config("stale") };
    std::thread::scope(|threads| {
        let stale = threads.spawn(|| run(&stale, &broker, &both_done).unwrap());
        std::thread::sleep(Duration::from_millis(1_000));
        assert_eq!(world.drain(own()).read, 20);
        taken_over.store(true, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(500));
        both_done.request("test");
        assert_eq!(stale.join().unwrap().read, 0, "what it had judged was its successor's to write");
    });
    assert_each_once(&world, 10);
}

#[test]
fn a_step_that_was_refused_to_one_who_keeps_its_partitions_is_repeated() {
    let world = World::new();
    fill(&world, 10);
    let broker = meddling(&world, |n| match n {
        1 | 3 => Err(BrokerError::Fenced { doing: "stepping".into() }),
        _ => Ok(()),
    });
    let done = run(&config("one"), &broker, &Shutdown::new()).unwrap();
    assert_eq!(done.read, 20);
    assert_each_once(&world, 10);
}

#[test]
fn a_group_without_an_offset_does_not_begin_after_expired_records() {
    let world = World::new();
    world.broker.delete_topic(topics::WIRE).unwrap();
    let (name, retention_bytes) = (topics::WIRE.to_owned(), Some(3_000));
    let spec = TopicSpec { name, partitions: PARTITIONS, compacted: false, retention_ms: None, retention_bytes };
    let _ = world.broker.ensure_topic(&spec).unwrap();
    (0..10).for_each(|_| world.send(topics::WIRE, draft_with("title", json!("t")), &[]));
    assert!(world.broker.clean().unwrap() > 1);
    let low = world.broker.watermarks(&TopicPartition { topic: topics::WIRE.into(), partition: 1 }).unwrap().low;

    let error = run(&config("one"), &world.broker, &Shutdown::new()).unwrap_err();
    assert!(matches!(error, ValidatorError::NoPosition { partition: 1, low: found, .. } if found == low), "{error}");
    assert_eq!(group_offsets(&world), [0, 0], "nothing was decided");
    let skipping = ValidatorConfig { skips_expired: true, ..config("one") };
    assert_eq!(run(&skipping, &world.broker, &Shutdown::new()).unwrap().read, 10 - low);
    assert_eq!(group_offsets(&world), [0, 10]);
}
