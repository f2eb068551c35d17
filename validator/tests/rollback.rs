//! A wire topic that holds something else than what was judged is not judged further.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use contracts::position::Position;
use contracts::topics::{self, groups};
use platform::broker::{Broker, ConsumerConfig, GroupOffset, Polled, Start, Topics};
use platform::lifecycle::Shutdown;
use support::{World, config, draft_with, own, run};
use validator::ValidatorError;

/// What the validators' group has for partition 1 of the wire topic, after three records.
fn judged(world: &World) -> GroupOffset {
    for n in 0..3 {
        world.send(topics::WIRE, draft_with("message", n.to_string().into()), &[]);
    }
    assert_eq!(world.drain(own()).read, 3);
    let all = world.broker.group_offsets(groups::VALIDATOR).unwrap();
    all.into_iter().find(|offset| offset.at.partition == 1).unwrap()
}

fn set(world: &World, offset: GroupOffset) {
    let mut member = world
        .broker
        .consumer(ConsumerConfig {
            group: groups::VALIDATOR.into(),
            topics: Topics::Family(topics::WIRE.into()),
            member: "operator".into(),
            start: Start::Earliest,
            session_timeout: Duration::from_secs(10),
            poll_records_max: 1,
            poll_bytes_max: 1,
        })
        .unwrap();
    while !matches!(member.poll(Duration::from_millis(50)).unwrap(), Polled::Assigned(_)) {}
    member.commit(&[offset]).unwrap();
    member.leave().unwrap();
}

#[test]
fn the_last_judged_record_is_kept_and_compared() {
    let world = World::new();
    let right = judged(&world);
    let kept = Position::of(&right.metadata).last_record.unwrap();
    assert_eq!((right.offset, kept.offset), (3, 2));
    assert_eq!(world.drain(own()).read, 0, "it is what it was");

    let with = |offset: u64, sha256: &str| {
        let mut last = kept.clone();
        (last.offset, last.sha256) = (offset, sha256.to_owned());
        Position { end: Some(offset + 1), last_record: Some(last) }.to_metadata()
    };
    let check = |offset: u64, metadata: String| {
        set(&world, GroupOffset { offset, metadata, ..right.clone() });
        run(&config("one"), &world.broker, &Shutdown::new()).map(|done| done.read)
    };
    let other = "f".repeat(64);
    let refused = check(3, with(2, &other)).unwrap_err();
    assert!(matches!(&refused, ValidatorError::RolledBack { partition: 1, offset: 2, .. }), "{refused}");
    let said = refused.to_string();
    for part in ["ffffffffffffffff", &kept.sha256[..16], "wire/1", "offset 2", "docs/backup.md"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let behind = check(6, with(5, &kept.sha256)).unwrap_err();
    assert!(matches!(behind, ValidatorError::TopicBehind { partition: 1, position: 6, high: 3, .. }), "{behind}");
    assert_eq!(check(3, with(2, &kept.sha256)).unwrap(), 0);
    // Set by tools, or of other versions.
    for metadata in [String::new(), "by hand".to_owned(), "{}".to_owned()] {
        assert_eq!(check(2, metadata.clone()).unwrap(), 1, "{metadata}");
    }
}
