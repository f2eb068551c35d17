//! What any broker must do, as tests that any implementation runs. `open` gives a broker on the same data
//! each time it is called, so that a restart can be played. Only tests call it, so a broken promise is a panic.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Headers, Limit, Message, OutRecord, Polled,
    RecordValue, Start, TopicChange, TopicPartition, TopicSpec, Topics, Watermarks, record_at,
};

/// Opens the broker under test on its data.
pub type Open<'o> = &'o dyn Fn() -> Arc<dyn Broker>;

/// One promise by name.
pub type BrokerCheck = (&'static str, fn(Open<'_>));

/// Every check; each needs a broker with empty data.
pub const CHECKS: &[BrokerCheck] = &[
    ("order_headers_and_times_are_kept", order_headers_and_times_are_kept),
    ("a_null_value_is_no_empty_value", a_null_value_is_no_empty_value),
    ("a_key_keeps_its_partition", a_key_keeps_its_partition),
    ("offsets_are_found_by_time", offsets_are_found_by_time),
    ("reading_outside_is_an_error", reading_outside_is_an_error),
    ("keys_and_headers_count_towards_limits", keys_and_headers_count_towards_limits),
    ("a_step_is_all_or_nothing", a_step_is_all_or_nothing),
    ("a_step_may_be_large", a_step_may_be_large),
    ("two_members_share_and_take_over", two_members_share_and_take_over),
    ("what_is_assigned_and_revoked_unseen_moves_on", what_is_assigned_and_revoked_unseen_moves_on),
    ("a_stale_member_is_fenced", a_stale_member_is_fenced),
    ("paused_partitions_are_not_delivered", paused_partitions_are_not_delivered),
    ("everything_survives_a_restart", everything_survives_a_restart),
    ("a_recreated_topic_has_another_id", a_recreated_topic_has_another_id),
    ("a_family_takes_in_new_topics", a_family_takes_in_new_topics),
    ("a_topic_is_kept_as_it_was_made", a_topic_is_kept_as_it_was_made),
    ("a_topic_that_is_there_is_left_as_it_is", a_topic_that_is_there_is_left_as_it_is),
    ("settings_of_a_topic_can_be_changed", settings_of_a_topic_can_be_changed),
    ("partitions_can_be_added_and_not_removed", partitions_can_be_added_and_not_removed),
    ("an_unknown_topic_is_named", an_unknown_topic_is_named),
];

const WAIT: Duration = Duration::from_secs(20);

fn topic(broker: &dyn Broker, name: &str, partitions: u32) {
    let spec =
        TopicSpec { name: name.to_owned(), partitions, compacted: false, retention_ms: None, retention_bytes: None };
    assert_eq!(broker.ensure_topic(&spec).unwrap().partitions, partitions);
}

fn at(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

fn record(topic: &str, partition: u32, value: &str) -> OutRecord {
    OutRecord {
        topic: topic.into(),
        partition: Some(partition),
        key: None,
        value: Bytes::copy_from_slice(value.as_bytes()).into(),
        headers: Headers::new(),
        timestamp_ms: None,
    }
}

fn append(broker: &dyn Broker, records: &[OutRecord]) {
    broker.producer().unwrap().append(records).unwrap();
}

fn values(messages: &[Message]) -> Vec<String> {
    messages.iter().map(|m| String::from_utf8_lossy(&m.value).into_owned()).collect()
}

fn all(broker: &dyn Broker, topic: &str, partition: u32) -> Vec<Message> {
    let at = at(topic, partition);
    let marks = broker.watermarks(&at).unwrap();
    let (mut out, mut next) = (Vec::new(), marks.low);
    while next < marks.high {
        let batch = broker.read(&at, next, 1000, 1 << 20).unwrap();
        let Some(last) = batch.last() else { break };
        next = last.offset + 1;
        out.extend(batch);
    }
    out
}

fn config(member: &str, topics: Topics) -> ConsumerConfig {
    ConsumerConfig {
        group: "group".to_owned(),
        topics,
        member: member.to_owned(),
        start: Start::Earliest,
        session_timeout: Duration::from_secs(10),
        poll_records_max: 100,
        poll_bytes_max: 1 << 20,
    }
}

fn names(topic: &str) -> Topics {
    Topics::Names(vec![topic.to_owned()])
}

fn offset(at: &TopicPartition, offset: u64) -> GroupOffset {
    GroupOffset { at: at.clone(), offset, metadata: String::new() }
}

/// Polls until `done` says so; returns the records that came.
fn poll_until(consumer: &mut dyn Consumer, mut done: impl FnMut(&Polled) -> bool) {
    let deadline = Instant::now() + WAIT;
    loop {
        let polled = consumer.poll(Duration::from_millis(100)).unwrap();
        if done(&polled) {
            return;
        }
        assert!(Instant::now() < deadline, "nothing of what was expected came in time");
    }
}

fn assigned(consumer: &mut dyn Consumer, partitions: usize) {
    let mut have = BTreeSet::new();
    poll_until(consumer, |polled| {
        match polled {
            Polled::Assigned(new) => have.extend(new.iter().map(|a| a.at.clone())),
            Polled::Revoked(revoked) | Polled::Lost(revoked) => have.retain(|at| !revoked.contains(at)),
            _ => {}
        }
        have.len() == partitions
    });
}

fn records(consumer: &mut dyn Consumer) -> Vec<Message> {
    let mut out = Vec::new();
    poll_until(consumer, |polled| {
        if let Polled::Records(messages) = polled {
            out.clone_from(messages);
        }
        !out.is_empty()
    });
    out
}

fn order_headers_and_times_are_kept(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 2);
    let mut first = record("t", 1, "a");
    first.headers = Headers::from_iter([("h", b"1"), ("h", b"\xff")]);
    first.key = Some(Bytes::from_static(b"k"));
    first.timestamp_ms = Some(1_700_000_000_123);
    let more: Vec<OutRecord> = (0..2500).map(|i| record("t", 1, &i.to_string())).collect();
    append(&*broker, std::slice::from_ref(&first));
    append(&*broker, &more);
    let read = all(&*broker, "t", 1);
    assert_eq!(read.len(), 2501);
    assert!(read.windows(2).all(|pair| pair[0].offset < pair[1].offset));
    assert_eq!((read[0].timestamp_ms, read[0].key.as_deref()), (1_700_000_000_123, Some(&b"k"[..])));
    assert_eq!(read[0].header("h"), Some(&b"\xff"[..]));
    assert_eq!(read[0].headers, first.headers);
    assert_eq!(values(&read[1..]), values_of(&more));
    assert!(all(&*broker, "t", 0).is_empty());
}

fn values_of(records: &[OutRecord]) -> Vec<String> {
    records.iter().map(|r| String::from_utf8_lossy(&r.value).into_owned()).collect()
}

fn a_null_value_is_no_empty_value(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 1);
    let tombstone = OutRecord { key: Some(Bytes::from_static(b"k")), value: RecordValue::NULL, ..record("t", 0, "") };
    append(&*broker, &[record("t", 0, ""), tombstone.clone(), record("t", 0, "x")]);
    topic(&*broker, "out", 1);
    let mut member = broker.processor(config("m", names("t"))).unwrap();
    let read = records(&mut *member);
    let nulls = |messages: &[Message]| messages.iter().map(|m| m.value.is_null()).collect::<Vec<_>>();
    assert_eq!(nulls(&read), [false, true, false]);
    let passed_on: Vec<OutRecord> =
        read.into_iter().map(|m| OutRecord { key: m.key, value: m.value, ..record("out", 0, "") }).collect();
    member.step(&passed_on, &[offset(&at("t", 0), 3)]).unwrap();
    let out = all(&*broker, "out", 0);
    assert_eq!(nulls(&out), [false, true, false]);
    assert_eq!((values(&out), out[1].key.as_deref()), (vec!["".into(), "".into(), "x".into()], Some(&b"k"[..])));
}

fn a_key_keeps_its_partition(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 7);
    let keyed = |key: &str| OutRecord {
        partition: None,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..record("t", 0, key)
    };
    let keys: Vec<String> = (0..50).map(|i| format!("key-{i}")).collect();
    let mut producer = broker.producer().unwrap();
    for key in &keys {
        let appended = producer.append(&[keyed(key), keyed(key)]).unwrap();
        let expected = super::partition_for_key(key.as_bytes(), 7);
        assert!(appended.iter().all(|a| a.partition == expected), "{key}");
    }
}

fn offsets_are_found_by_time(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 1);
    let base = 1_700_000_000_000;
    let timed = |ms: i64| OutRecord { timestamp_ms: Some(base + ms), ..record("t", 0, "x") };
    append(&*broker, &[timed(0), timed(10), timed(20)]);
    let find = |ms: i64| broker.offset_for_time(&at("t", 0), base + ms).unwrap();
    assert_eq!((find(-5), find(10), find(11), find(21)), (Some(0), Some(1), Some(2), None));
}

fn reading_outside_is_an_error(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 1);
    append(&*broker, &[record("t", 0, "x")]);
    assert!(broker.read(&at("t", 0), 1, 10, 1000).unwrap().is_empty());
    assert_eq!(broker.watermarks(&at("t", 0)).unwrap(), Watermarks { low: 0, high: 1 }, "the end of the records");
    let error = broker.read(&at("t", 0), 99, 10, 1000).unwrap_err();
    assert!(matches!(error, BrokerError::OffsetOutOfRange { offset: 99, .. }), "{error}");
}

/// A record may have no value to speak of and hold megabytes: what is read at once must stay bounded all the same.
fn keys_and_headers_count_towards_limits(open: Open<'_>) {
    const LARGE: usize = 10_000;
    let broker = open();
    topic(&*broker, "t", 1);
    let keyed = OutRecord { key: Some(vec![b'k'; LARGE].into()), ..record("t", 0, "x") };
    let headed = OutRecord { headers: Headers::from_iter([("h", vec![b'h'; LARGE])]), ..record("t", 0, "x") };
    let records: Vec<OutRecord> = (0..10).flat_map(|_| [keyed.clone(), headed.clone()]).collect();
    append(&*broker, &records);
    // A limit is about what is read: the record that passes it is the last one.
    let (bytes_max, count_max) = (3 * LARGE, 4);
    assert!(broker.read(&at("t", 0), 0, 1_000, bytes_max).unwrap().len() <= count_max);
    let config = ConsumerConfig { poll_bytes_max: bytes_max, ..config("m", names("t")) };
    let mut consumer = broker.consumer(config).unwrap();
    assigned(&mut *consumer, 1);
    let mut read = 0;
    while read < records.len() {
        let some = self::records(&mut *consumer).len();
        assert!(some <= count_max, "{some} records at once");
        read += some;
    }
}

fn a_step_is_all_or_nothing(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "in", 1);
    topic(&*broker, "out", 1);
    append(&*broker, &[record("in", 0, "a"), record("in", 0, "b")]);
    let mut member = broker.processor(config("m", names("in"))).unwrap();
    let read = records(&mut *member);
    assert_eq!(values(&read), ["a", "b"]);
    let bad = [record("out", 0, "A"), record("nowhere", 0, "B")];
    assert!(member.step(&bad, &[offset(&at("in", 0), 2)]).is_err());
    assert!(all(&*broker, "out", 0).is_empty(), "a failed step left records");
    assert!(broker.group_offsets("group").unwrap().is_empty(), "a failed step left offsets");
    let done = GroupOffset { metadata: "note".to_owned(), ..offset(&at("in", 0), 2) };
    member.step(&[record("out", 0, "A"), record("out", 0, "B")], std::slice::from_ref(&done)).unwrap();
    assert_eq!(values(&all(&*broker, "out", 0)), ["A", "B"]);
    assert_eq!(broker.group_offsets("group").unwrap(), [done]);
}

/// Many records, and some as large as they may be, of several partitions.
fn a_step_may_be_large(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "in", 1);
    topic(&*broker, "out", 2);
    append(&*broker, &[record("in", 0, "a")]);
    let mut member = broker.processor(config("m", names("in"))).unwrap();
    assert_eq!(records(&mut *member).len(), 1);
    let many = (0..6_000).map(|n| record("out", n % 2, &format!("{n:02048}")));
    let large = (0..2).map(|n| record("out", n, &n.to_string().repeat(5 << 20)));
    let sent: Vec<OutRecord> = many.chain(large).collect();
    let appended = member.step(&sent, &[offset(&at("in", 0), 1)]).unwrap();
    for partition in 0..2 {
        let of_it = |(record, _): &(&OutRecord, _)| record.partition == Some(partition);
        let (wanted, offsets): (Vec<_>, Vec<_>) =
            sent.iter().zip(&appended).filter(of_it).map(|(record, at)| (record.value.clone(), at.offset)).unzip();
        let read = all(&*broker, "out", partition);
        assert!(read.iter().map(|message| &message.value).eq(&wanted), "partition {partition}");
        assert!(read.iter().map(|message| &message.offset).eq(&offsets), "partition {partition}");
    }
}

fn two_members_share_and_take_over(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 4);
    let mut one = broker.consumer(config("one", names("t"))).unwrap();
    assigned(&mut *one, 4);
    let mut two = broker.consumer(config("two", names("t"))).unwrap();
    share([&mut *one, &mut *two], [4, 0]);
    one.leave().unwrap();
    let mut count = 2;
    poll_until(&mut *two, |polled| {
        if let Polled::Assigned(new) = polled {
            count += i64::try_from(new.len()).unwrap();
        }
        count == 4
    });
}

/// Polls two members, which have so many partitions, until each has two.
fn share(mut members: [&mut dyn Consumer; 2], mut have: [usize; 2]) {
    let deadline = Instant::now() + WAIT;
    while have != [2, 2] {
        for (member, count) in members.iter_mut().zip(&mut have) {
            match member.poll(Duration::from_millis(50)).unwrap() {
                Polled::Assigned(new) => *count += new.len(),
                Polled::Revoked(revoked) | Polled::Lost(revoked) => *count -= revoked.len(),
                _ => {}
            }
        }
        assert!(Instant::now() < deadline, "never shared out evenly: {have:?}");
    }
}

/// A member that does not poll for a while gets partitions assigned, which another member then has.
fn what_is_assigned_and_revoked_unseen_moves_on(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 4);
    let mut one = broker.consumer(config("one", names("t"))).unwrap();
    assigned(&mut *one, 4);
    let mut two = broker.consumer(config("two", names("t"))).unwrap();
    one.leave().unwrap();
    let mut three = broker.consumer(config("three", names("t"))).unwrap();
    share([&mut *two, &mut *three], [0, 0]);
}

fn a_stale_member_is_fenced(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "in", 1);
    topic(&*broker, "out", 1);
    append(&*broker, &[record("in", 0, "a")]);
    let short = ConsumerConfig { session_timeout: Duration::from_millis(300), ..config("stale", names("in")) };
    let mut stale = broker.processor(short).unwrap();
    assert_eq!(values(&records(&mut *stale)), ["a"]);
    std::thread::sleep(Duration::from_millis(500));
    let fresh = ConsumerConfig { member: "fresh".to_owned(), ..config("stale", names("in")) };
    let mut fresh = broker.processor(fresh).unwrap();
    assert_eq!(values(&records(&mut *fresh)), ["a"], "the offset was never committed");
    fresh.step(&[record("out", 0, "fresh")], &[offset(&at("in", 0), 1)]).unwrap();
    let error = stale.step(&[record("out", 0, "stale")], &[offset(&at("in", 0), 1)]).unwrap_err();
    assert!(matches!(error, BrokerError::Fenced { .. }), "{error}");
    assert_eq!(values(&all(&*broker, "out", 0)), ["fresh"]);
    poll_until(&mut *stale, |polled| matches!(polled, Polled::Lost(_)));
}

fn paused_partitions_are_not_delivered(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 1);
    append(&*broker, &[record("t", 0, "a")]);
    let mut member = broker.consumer(config("m", names("t"))).unwrap();
    assigned(&mut *member, 1);
    member.pause(&[at("t", 0)]).unwrap();
    for _ in 0..5 {
        let polled = member.poll(Duration::from_millis(50)).unwrap();
        assert!(!matches!(polled, Polled::Records(_)), "delivered while paused");
    }
    member.resume(&[at("t", 0)]).unwrap();
    assert_eq!(values(&records(&mut *member)), ["a"]);
    member.seek(&at("t", 0), 0).unwrap();
    assert_eq!(values(&records(&mut *member)), ["a"]);
}

fn everything_survives_a_restart(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 1);
    append(&*broker, &[record("t", 0, "a"), record("t", 0, "b")]);
    let before = broker.topics().unwrap();
    let mut member = broker.consumer(config("m", names("t"))).unwrap();
    assert_eq!(records(&mut *member).len(), 2);
    member.commit(&[offset(&at("t", 0), 1)]).unwrap();
    drop(member);
    drop(broker);
    let broker = open();
    assert_eq!(broker.topics().unwrap(), before);
    assert_eq!(values(&all(&*broker, "t", 0)), ["a", "b"]);
    let mut member = broker.consumer(config("m", names("t"))).unwrap();
    assert_eq!(values(&records(&mut *member)), ["b"]);
}

fn a_recreated_topic_has_another_id(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 1);
    append(&*broker, &[record("t", 0, "a")]);
    let (at, before) = (at("t", 0), broker.topics().unwrap()[0].id.clone());
    let mut marks = broker.watermarks(&at).unwrap();
    broker.delete_topic("t").unwrap();
    topic(&*broker, "t", 1);
    assert_ne!(broker.topics().unwrap()[0].id, before);
    assert!(all(&*broker, "t", 0).is_empty());
    // A reader that knows the former topic must not take the offsets of this one for its own.
    let looked_up = record_at(&*broker, &at, &before, 0, &mut marks);
    assert!(matches!(looked_up, Err(BrokerError::UnknownTopic(_))), "{looked_up:?}");
}

fn a_family_takes_in_new_topics(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "wire", 1);
    topic(&*broker, "wired", 1);
    let mut member = broker.consumer(config("m", Topics::Family("wire".to_owned()))).unwrap();
    assigned(&mut *member, 1);
    topic(&*broker, "wire.partner", 1);
    append(&*broker, &[record("wired", 0, "not ours"), record("wire.partner", 0, "ours")]);
    assert_eq!(values(&records(&mut *member)), ["ours"]);
}

fn an_unknown_topic_is_named(open: Open<'_>) {
    let broker = open();
    let error = broker.producer().unwrap().append(&[record("nowhere", 0, "x")]).unwrap_err();
    assert!(matches!(&error, BrokerError::UnknownTopic(name) if name.contains("nowhere")), "{error}");
}

fn a_topic_that_is_there_is_left_as_it_is(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 3);
    let before = broker.topics().unwrap();
    for partitions in [1, 5] {
        let (name, compacted) = ("t".to_owned(), true);
        let spec = TopicSpec { name, partitions, compacted, retention_ms: Some(1), retention_bytes: None };
        assert_eq!(broker.ensure_topic(&spec).unwrap(), before[0]);
    }
    assert_eq!(broker.topics().unwrap(), before);
    assert!(!broker.topic_settings("t").unwrap().compacted);
}

fn settings_of_a_topic_can_be_changed(open: Open<'_>) {
    let broker = open();
    let spec = |name: &str, compacted: bool| {
        let (name, retention_ms) = (name.to_owned(), (!compacted).then_some(3_600_000));
        TopicSpec { name, partitions: 2, compacted, retention_ms, retention_bytes: None }
    };
    broker.ensure_topic(&spec("t", false)).unwrap();
    broker.ensure_topic(&spec("newest", true)).unwrap();
    append(&*broker, &[record("t", 1, "kept")]);
    let before = broker.topics().unwrap();
    let kept = || {
        let settings = broker.topic_settings("t").unwrap();
        (settings.retention_ms, settings.retention_bytes)
    };
    let change = |retention_ms, retention_bytes| {
        let change = TopicChange { partitions: None, retention_ms, retention_bytes };
        broker.alter_topic("t", &change).unwrap();
    };
    change(Some(Limit::AtMost(86_400_000)), None);
    assert_eq!(kept(), (Some(86_400_000), None));
    // What is not named stays, also what was changed before.
    change(None, Some(Limit::AtMost(1 << 30)));
    assert_eq!(kept(), (Some(86_400_000), Some(1 << 30)));
    change(Some(Limit::Unlimited), Some(Limit::Unlimited));
    assert_eq!(kept(), (None, None));
    let settings = broker.topic_settings("t").unwrap();
    assert_eq!((settings.compacted, settings.record_bytes_max), (false, super::RECORD_BYTES_MAX));
    assert_eq!((broker.topics().unwrap(), values(&all(&*broker, "t", 1))), (before, vec!["kept".to_owned()]));

    let retention = TopicChange { retention_ms: Some(Limit::AtMost(1)), ..TopicChange::default() };
    let missing = broker.alter_topic("missing", &retention).unwrap_err();
    assert!(matches!(&missing, BrokerError::UnknownTopic(name) if name == "missing"), "{missing}");
    let compacted = broker.alter_topic("newest", &retention).unwrap_err();
    assert!(compacted.to_string().contains("compacted"), "{compacted}");
    assert_eq!(broker.topic_settings("newest").unwrap().retention_ms, None);
}

fn partitions_can_be_added_and_not_removed(open: Open<'_>) {
    let broker = open();
    topic(&*broker, "t", 2);
    append(&*broker, &[record("t", 0, "a"), record("t", 1, "b")]);
    let before = broker.topics().unwrap()[0].clone();
    let partitions = |wanted| TopicChange { partitions: Some(wanted), ..TopicChange::default() };
    broker.alter_topic("t", &partitions(4)).unwrap();
    broker.alter_topic("t", &partitions(4)).unwrap();
    let after = broker.topics().unwrap()[0].clone();
    assert_eq!((after.partitions, &after.id), (4, &before.id), "it is the same topic");
    append(&*broker, &[record("t", 3, "c")]);
    let found: Vec<_> = (0..4).map(|partition| values(&all(&*broker, "t", partition))).collect();
    assert_eq!(found, [vec!["a"], vec!["b"], vec![], vec!["c"]]);
    let fewer = broker.alter_topic("t", &partitions(3)).unwrap_err();
    assert!(fewer.to_string().contains("can only become more"), "{fewer}");
    assert_eq!(broker.topics().unwrap()[0].partitions, 4);
}

fn a_topic_is_kept_as_it_was_made(open: Open<'_>) {
    let broker = open();
    for (name, compacted, retention_ms, retention_bytes) in
        [("kept", false, None, None), ("passing", false, Some(3_600_000), Some(1 << 30)), ("newest", true, None, None)]
    {
        let spec = TopicSpec { name: name.to_owned(), partitions: 2, compacted, retention_ms, retention_bytes };
        let _ = broker.ensure_topic(&spec).unwrap();
        let settings = broker.topic_settings(name).unwrap();
        let kept = (settings.compacted, settings.retention_ms, settings.retention_bytes);
        assert_eq!(kept, (compacted, retention_ms, retention_bytes), "{name}");
    }
    let missing = broker.topic_settings("missing").unwrap_err();
    assert!(matches!(&missing, BrokerError::UnknownTopic(name) if name == "missing"), "{missing}");
}
