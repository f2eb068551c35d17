//! Whatever arrives, however large a part of it is, becomes a valid record or a dead letter that its topic takes, and never stops
//! the validator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use bytes::Bytes;
use contracts::dead_letter::{DeadLetter, header};
use contracts::topics::{self, headers};
use platform::broker::embedded::EmbeddedSettings;
use platform::broker::meddled::{Meddled, MeddledAct};
use platform::broker::{Broker, BrokerError, Headers, Message, OutRecord, RECORD_BYTES_MAX, RecordValue};
use platform::lifecycle::Shutdown;
use serde_json::json;
use support::{World, config, draft_with, header as text_of, own, run};
use validator::ValidatorConfig;

/// Almost the largest record that a broker takes, in one part of it.
const LARGE: usize = RECORD_BYTES_MAX - 300;

fn record(key: usize, value: impl Into<RecordValue>, headers: Headers) -> OutRecord {
    OutRecord {
        topic: topics::WIRE.into(),
        partition: Some(1),
        key: Some(vec![b'k'; key].into()),
        value: value.into(),
        headers,
        timestamp_ms: None,
    }
}

fn headers_with(name: &str, value: Vec<u8>) -> Headers {
    Headers::from_iter([("x-own", b"kept".to_vec()), (name, value)])
}

fn good() -> Vec<u8> {
    draft_with("title", json!("good"))
}

/// What became of one record, which another one follows.
fn outcome(record: OutRecord) -> Message {
    let world = World::new();
    world.broker.producer().unwrap().append(&[record, self::record(4, good(), Headers::new())]).unwrap();
    assert_eq!(world.drain(own()).read, 2);
    let mut all = [world.records(topics::VALID), world.records(topics::DEAD_LETTERS)].concat();
    let first = all.iter().position(|message| text_of(message, headers::SRC).ends_with("/1/0")).unwrap();
    let first = all.swap_remove(first);
    assert_eq!((all.len(), &*all[0].at.topic), (1, topics::VALID), "what follows is not held up");
    first
}

#[test]
fn a_record_that_is_large_in_any_part_is_judged() {
    let check = |case: &str, record: OutRecord, expected: &str, cut: &[&str]| {
        let came_out = outcome(record);
        let code = came_out.header(header::ERROR_CODE).map(|code| std::str::from_utf8(code).unwrap());
        assert_eq!(code.unwrap_or("valid"), expected, "{case}");
        let marks = [header::VALUE_BYTES, header::KEY_BYTES, header::HEADERS_BYTES];
        let found: Vec<&str> = marks.into_iter().filter(|mark| came_out.header(mark).is_some()).collect();
        assert_eq!(found, cut, "{case}");
        if code.is_some() {
            assert_eq!(DeadLetter::from_headers(|name| came_out.header(name)).unwrap().src.offset, 0, "{case}");
        }
    };
    let none = Headers::new;
    let zeros = |length: usize| vec![0; length];
    check("value", record(4, vec![b' '; LARGE], none()), "too_large", &[header::VALUE_BYTES]);
    check("key", record(LARGE, "{", none()), "bad_json", &[header::KEY_BYTES]);
    check("key of a good one", record(LARGE - 5_000, good(), none()), "valid", &[]);
    check("key without value", record(LARGE, None::<Bytes>, none()), "bad_json", &[header::KEY_BYTES]);
    check("header", record(4, "{", headers_with("large", zeros(LARGE))), "bad_json", &[header::HEADERS_BYTES]);
    check("header of a good one", record(4, good(), headers_with("large", zeros(LARGE - 5_000))), "valid", &[]);
    let many: Headers = (0..200_000).map(|n| (format!("h{n}"), b"many")).collect();
    check("many headers", record(4, vec![b'{'; 6 << 20], many), "too_large", &[header::VALUE_BYTES]);
    let name = "n".repeat(LARGE - 10);
    check("name of a header", record(4, "{", headers_with(&name, zeros(1))), "bad_json", &[header::HEADERS_BYTES]);
    let third = LARGE / 3;
    let all = headers_with("large", zeros(third));
    let cut = [header::VALUE_BYTES];
    check("all of it", record(third, vec![b' '; third], all), "too_large", &cut);
    let trace = headers_with(headers::TRACEPARENT, zeros(LARGE - 5_000));
    check("trace context", record(4, good(), trace), "valid", &[]);
}

#[test]
fn what_was_cut_is_named_with_its_size_and_digest() {
    let sent = record(LARGE, "{", headers_with("small", b"s".to_vec()));
    let letter = outcome(sent.clone());
    assert_eq!((letter.key.as_ref().unwrap().len(), &letter.value[..]), (1 << 10, &b"{"[..]));
    assert_eq!(text_of(&letter, header::KEY_BYTES), LARGE.to_string());
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(sent.key.as_ref().unwrap()));
    assert_eq!(text_of(&letter, header::KEY_SHA256), digest);
    assert_eq!((text_of(&letter, "x-own"), text_of(&letter, "small")), ("kept", "s"));
}

#[test]
fn a_topic_that_takes_little_gets_letters_that_fit() {
    for limit in [200_000, 100_000, 20_000, 4_000, 2_200] {
        let world = World::new();
        let junk = record(10_000, vec![b'{'; 80_000], headers_with("large", vec![b'h'; 10_000]));
        let large = record(4, draft_with("tags", json!({ "filling": "x".repeat(300_000) })), Headers::new());
        world.broker.producer().unwrap().append(&[junk, large]).unwrap();
        let little = world.again(EmbeddedSettings { record_bytes_max: limit, ..EmbeddedSettings::default() });
        assert_eq!(run(&config("one"), &little, &Shutdown::new()).unwrap().dead, 2, "{limit}");
        let letters = world.records(topics::DEAD_LETTERS);
        let codes = ["bad_json", "too_large"];
        for (letter, code) in letters.iter().zip(codes) {
            assert_eq!(text_of(letter, header::ERROR_CODE), code, "{limit}");
            assert!(letter.bytes() <= limit, "{limit}: {}", letter.bytes());
        }
        assert_eq!(letters[0].header(header::KEY_BYTES).is_some(), limit < 110_000, "{limit}");
        assert!(letters[1].header(header::VALUE_BYTES).is_some(), "{limit}");
    }
}

/// The step fails that often, by the size of a record for this topic.
fn refusing(world: &World, times: u64, topic: &'static str, bytes: usize) -> Meddled {
    Meddled::new(world.broker.clone(), move |deed| match deed {
        MeddledAct::Step(n) if n <= times => {
            Err(BrokerError::TooLarge { topic: topic.to_owned(), bytes, limit: RECORD_BYTES_MAX })
        }
        _ => Ok(()),
    })
}

#[test]
fn a_letter_that_is_refused_is_cut_harder_and_never_fatal() {
    let world = World::new();
    world.send(topics::WIRE, vec![b'{'; 50_000], &[]);
    // The topic says that it takes 10 MiB.
    let broker = refusing(&world, 3, topics::DEAD_LETTERS, 50_000);
    let done = run(&config("one"), &broker, &Shutdown::new()).unwrap();
    assert_eq!((done.dead, done.retries), (1, 3));
    let letter = world.records(topics::DEAD_LETTERS).remove(0);
    assert_eq!((letter.value.len(), text_of(&letter, header::VALUE_BYTES)), (4 << 10, "50000"));
}

#[test]
fn a_valid_record_that_its_topic_refuses_is_a_dead_letter_that_can_be_redriven() {
    let world = World::new();
    let large = draft_with("tags", json!({ "filling": "x".repeat(100_000) }));
    world.send(topics::WIRE, large.clone(), &[]);
    world.send(topics::WIRE, good(), &[]);
    let broker = refusing(&world, 1, topics::VALID, 100_900);
    let done = run(&config("one"), &broker, &Shutdown::new()).unwrap();
    assert_eq!((done.valid, done.dead, done.retries), (1, 1, 1));
    let letter = world.records(topics::DEAD_LETTERS).remove(0);
    assert_eq!(text_of(&letter, header::ERROR_CODE), "too_large");
    assert_eq!((letter.value.clone().into_bytes().to_vec(), letter.header(header::VALUE_BYTES)), (large, None));
}

#[test]
fn a_topic_that_takes_no_record_at_all_is_waited_for() {
    let world = World::new();
    world.send(topics::WIRE, good(), &[]);
    let broker = refusing(&world, 2, topics::VALID, 3_000);
    let done = run(&ValidatorConfig { policies: own(), ..config("one") }, &broker, &Shutdown::new()).unwrap();
    assert_eq!((done.valid, done.dead, done.retries), (1, 0, 2), "it is no dead letter because of the topic");
}
