//! Apache Kafka keeps the broker's promises, the same as the embedded log does, and those only it makes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use contracts::dead_letter::header;
use contracts::identity::SaltMode;
use contracts::topics;
use platform::broker::conformance::CHECKS;
use platform::broker::kafka::{GroupProtocol, KafkaBroker, KafkaSettings};
use platform::broker::{
    Broker, BrokerError, ConsumerConfig, GroupOffset, Headers, Message, OutRecord, Polled, Processor, RecordValue,
    Start, TopicPartition, TopicSpec, Topics,
};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tests::kafka::{Cluster, admin};
use tests::network::Weather;

const WITHIN: Duration = Duration::from_secs(120);

fn topic(broker: &dyn Broker, name: &str) {
    let spec =
        TopicSpec { name: name.to_owned(), partitions: 1, compacted: false, retention_ms: None, retention_bytes: None };
    broker.ensure_topic(&spec).unwrap();
}

fn at(topic: &str) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition: 0 }
}

fn record(topic: &str, value: impl Into<RecordValue>) -> OutRecord {
    let (topic, value) = (topic.into(), value.into());
    OutRecord { topic, partition: Some(0), key: None, value, headers: Headers::new(), timestamp_ms: None }
}

fn processor(broker: &dyn Broker) -> Box<dyn Processor> {
    let config = ConsumerConfig {
        group: "group".to_owned(),
        topics: Topics::Names(vec!["in".to_owned()]),
        member: "member".to_owned(),
        start: Start::Earliest,
        session_timeout: Duration::from_secs(30),
        poll_records_max: 10,
        poll_bytes_max: 1 << 20,
    };
    broker.processor(config).unwrap()
}

fn next_records(member: &mut dyn Processor) -> Vec<Message> {
    let (started, mut last) = (Instant::now(), None);
    loop {
        match member.poll(Duration::from_millis(200)) {
            Ok(Polled::Records(messages)) => return messages,
            Ok(Polled::Idle) => {}
            other => last = Some(other),
        }
        assert!(started.elapsed() < WITHIN, "no records came, but {last:?}");
    }
}

/// Records, or an error that does not pass.
fn next_outcome(member: &mut dyn Processor) -> Result<Vec<Message>, BrokerError> {
    let started = Instant::now();
    loop {
        match member.poll(Duration::from_millis(200)) {
            Ok(Polled::Records(messages)) => return Ok(messages),
            Err(error) if !error.is_retriable() => return Err(error),
            _ => assert!(started.elapsed() < WITHIN, "nothing came"),
        }
    }
}

fn values(broker: &dyn Broker, topic: &str) -> Vec<Bytes> {
    let (mut all, mut next) = (Vec::new(), 0);
    while let Some(last) = {
        let batch = broker.read(&at(topic), next, 1_000, 1 << 20).unwrap();
        let last = batch.last().map(|message| message.offset);
        all.extend(batch.into_iter().map(|message| message.value.into_bytes()));
        last
    } {
        next = last + 1;
    }
    all
}

/// Passes messages on in one step.
fn pass_on(member: &mut dyn Processor, messages: &[Message]) -> Result<(), BrokerError> {
    let out: Vec<_> = messages.iter().map(|message| record("out", message.value.clone())).collect();
    let offset = messages.last().unwrap().offset + 1;
    member.step(&out, &[GroupOffset { at: at("in"), offset, metadata: String::new() }]).map(drop)
}

#[test]
fn keeps_every_promise_of_the_seam() {
    let Some(cluster) = Cluster::start() else { return };
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        for (name, check) in CHECKS {
            println!("{name}, {protocol:?}");
            cluster.empty();
            check(&|| Arc::new(cluster.connect_by(protocol)));
        }
    }
    cluster.empty();
    ids_of_topics_can_be_in_paths(&cluster);
    ends_are_reported_while_records_come(&cluster);
    cluster.empty();
    a_zombie_of_the_same_name_is_fenced(&cluster);
    a_refused_connection_is_reported_clearly_and_soon();
}

fn ids_of_topics_can_be_in_paths(cluster: &Cluster) {
    let broker = cluster.connect();
    for n in 0..30 {
        topic(&broker, &format!("topic-{n}"));
    }
    let ids: Vec<_> = broker.topics().unwrap().into_iter().map(|topic| topic.id).collect();
    let is_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(ids.len() == 30 && ids.iter().all(|id| id.len() == 22 && id.chars().all(is_safe)), "{ids:?}");
    assert!(ids.iter().any(|id| id.contains(['-', '_'])), "{ids:?}");
}

fn ends_are_reported_while_records_come(cluster: &Cluster) {
    let broker = cluster.connect();
    topic(&broker, "in");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut producer = broker.producer().unwrap();
            while !is_over.load(Ordering::SeqCst) {
                producer.append(&[record("in", "next")]).unwrap();
            }
        });
        let started = Instant::now();
        let mut ends = Vec::new();
        while started.elapsed() < Duration::from_secs(3) {
            ends.push(broker.watermarks(&at("in")).map(|marks| marks.high));
        }
        is_over.store(true, Ordering::SeqCst);
        let highs: Vec<u64> = ends.into_iter().map(Result::unwrap).collect();
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}: {highs:?}", started.elapsed());
        assert!(highs.is_sorted() && highs.first() < highs.last(), "{highs:?}");
    });
}

fn a_zombie_of_the_same_name_is_fenced(cluster: &Cluster) {
    let broker = cluster.connect();
    topic(&broker, "in");
    topic(&broker, "out");
    let mut zombie = processor(&broker);
    zombie.step(&[record("out", "first")], &[]).unwrap();
    let mut newer = processor(&broker);
    newer.step(&[record("out", "newer")], &[]).unwrap();
    let error = zombie.step(&[record("out", "zombie")], &[]).unwrap_err();
    assert!(matches!(error, BrokerError::Fenced { .. }), "{error}");
    assert_eq!(values(&broker, "out"), ["first", "newer"]);
}

fn a_refused_connection_is_reported_clearly_and_soon() {
    let fails = |settings: KafkaSettings| {
        let started = Instant::now();
        let error = KafkaBroker::connect(settings).unwrap_err().to_string();
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}: {error}", started.elapsed());
        error
    };
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = fails(KafkaSettings::plaintext(&[&unused]));
    assert!(error.contains(&unused) && error.contains("refused"), "{error}");
}

#[test]
fn a_step_is_there_once_when_the_broker_dies_in_it() {
    let Some(mut cluster) = Cluster::start_to_attack() else { return };
    what_an_open_transaction_hides_is_not_sent_twice(&cluster);
    cluster.empty();
    a_damaged_batch_is_an_error_and_never_skipped(&cluster);
    a_batch_fits_a_topic_that_takes_little(&cluster);
    cluster.empty();
    records_of_any_size_pass_a_validator(&cluster);
    cluster.empty();
    let broker = cluster.connect();
    topic(&broker, "in");
    topic(&broker, "out");
    let sent: Vec<_> = (0..20).map(|n| record("in", n.to_string())).collect();
    broker.producer().unwrap().append(&sent).unwrap();
    let mut member = processor(&broker);
    let first = next_records(&mut *member);
    pass_on(&mut *member, &first).unwrap();
    let second = next_records(&mut *member);
    if !cluster.kill() {
        tests::skip::because("this cluster is not ours to kill");
        return;
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(3));
            cluster.restart();
        });
        let started = Instant::now();
        while let Err(error) = pass_on(&mut *member, &second) {
            let may_pass = error.is_retriable() || matches!(error, BrokerError::Fenced { .. });
            assert!(may_pass && started.elapsed() < WITHIN, "{error}");
            let _ = member.poll(Duration::from_millis(200));
        }
    });
    let expected: Vec<Bytes> = sent.into_iter().map(|record| record.value.into_bytes()).collect();
    assert_eq!(values(&broker, "out"), expected);
}

/// The answer to a commit is lost while a transaction of another producer hides what was committed.
fn what_an_open_transaction_hides_is_not_sent_twice(cluster: &Cluster) {
    let Some((network, behind)) = cluster.network() else {
        return tests::skip::because("this cluster has no network before it");
    };
    let direct = cluster.connect();
    ["in", "out", "sent"].iter().for_each(|name| topic(&direct, name));
    direct.producer().unwrap().append(&[record("in", "a"), record("in", "b")]).unwrap();
    let broker = KafkaBroker::connect(KafkaSettings::plaintext(&[&behind])).unwrap();
    let (mut producer, mut member) = (broker.producer().unwrap(), processor(&broker));
    let messages = next_records(&mut *member);
    let foreign = cluster.open_transaction(&["out", "sent"]);
    network.set(Weather::CommitsUnanswered);
    std::thread::scope(|scope| {
        let step = scope.spawn(|| {
            // The offsets of its group tell the member what was committed, while the records are still hidden.
            let error = pass_on(&mut *member, &messages).unwrap_err();
            assert!(matches!(error, BrokerError::Fenced { .. }), "{error}");
        });
        let sent = scope.spawn(|| producer.append(&[record("sent", "ours")]));
        step.join().unwrap();
        // That took as long as the other one waits for the answer to its commit.
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(3) {
            assert!(!sent.is_finished(), "what cannot be seen yet is not decided: {:?}", sent.join());
            std::thread::sleep(Duration::from_millis(20));
        }
        network.set(Weather::Fair);
        foreign.commit_transaction(WITHIN).unwrap();
        assert_eq!(sent.join().unwrap().unwrap()[0].offset, 1);
    });
    direct.producer().unwrap().append(&[record("in", "c")]).unwrap();
    let next = next_records(&mut *member);
    assert_eq!(next.iter().map(|message| message.value.clone().into_bytes()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(values(&direct, "sent"), ["foreign", "ours"]);
    assert_eq!(values(&direct, "out"), ["foreign", "a", "b"]);
}

/// A producer that sends each record in a batch of its own, with these settings.
fn plain_producer(cluster: &Cluster, settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.brokers());
    settings.iter().for_each(|(key, value)| {
        config.set(*key, *value);
    });
    config.create().unwrap()
}

/// Appends a record in a batch of its own.
fn send_plainly(producer: &BaseProducer, topic: &str, value: &str) {
    producer.send(BaseRecord::<(), _>::to(topic).partition(0).payload(value)).map_err(|(error, _)| error).unwrap();
    producer.flush(WITHIN).unwrap();
}

/// The broker's disk has damaged one of three batches.
fn a_damaged_batch_is_an_error_and_never_skipped(cluster: &Cluster) {
    let broker = cluster.connect();
    topic(&broker, "in");
    let producer = plain_producer(cluster, &[]);
    ["the first", "the second", "the third"].iter().for_each(|value| send_plainly(&producer, "in", value));
    if !cluster.invert("in", 0, b"the second") {
        return tests::skip::because("the disk of this cluster is not ours to damage");
    }
    let at = TopicPartition { topic: "in".into(), partition: 0 };
    let assert_named = |error: BrokerError| {
        let words = error.to_string();
        assert!(matches!(error, BrokerError::Unreadable { .. }), "{words}");
        assert!(words.starts_with("reading in/0 from offset 1: the batch there cannot be read"), "{words}");
    };
    let read = |offset| broker.read(&at, offset, 10, 1 << 20);
    assert_eq!(texts(&read(0).unwrap()), ["the first"]);
    assert_named(read(1).unwrap_err());
    assert_eq!(texts(&read(2).unwrap()), ["the third"]);

    let mut member = processor(&broker);
    assert_eq!(texts(&next_records(&mut *member)), ["the first"]);
    // However often it is asked.
    for _ in 0..2 {
        assert_named(next_outcome(&mut *member).unwrap_err());
    }
    assert!(cluster.invert("in", 0, b"the second"));
    let mut rest = next_records(&mut *member);
    while rest.len() < 2 {
        rest.extend(next_records(&mut *member));
    }
    assert_eq!(texts(&rest), ["the second", "the third"]);
    member.leave().unwrap();
}

fn texts(messages: &[Message]) -> Vec<String> {
    let text = |message: &Message| String::from_utf8(message.value.clone().into_bytes().to_vec()).unwrap();
    messages.iter().map(text).collect()
}

/// Many records go in batches that their topic takes; only one that is too large by itself is refused, and it is named.
fn a_batch_fits_a_topic_that_takes_little(cluster: &Cluster) {
    let broker = cluster.connect();
    topic(&broker, "out");
    admin::set_topic(cluster.brokers(), "out", "max.message.bytes", "20000");
    let mut producer = broker.producer().unwrap();
    // What does not pack: else all of them would fit in one batch.
    let noise = |seed: u64, length: usize| -> String {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(33 + u8::try_from((state >> 33) % 90).unwrap())
        };
        (0..length).map(next).collect()
    };
    let many: Vec<OutRecord> = (0..40).map(|n| record("out", noise(n, 5_000))).collect();
    assert_eq!(producer.append(&many).unwrap().len(), 40);
    // The limit is lowered after the producer has asked for it.
    admin::set_topic(cluster.brokers(), "out", "max.message.bytes", "9000");
    assert_eq!(producer.append(&many).unwrap().len(), 40);
    let mut one_too_large = many[..5].to_vec();
    one_too_large[3].headers = Headers::from_iter([("noise", noise(99, 9_000))]);
    let error = producer.append(&one_too_large).unwrap_err().to_string();
    assert_eq!(error, "a record of 14013 bytes for topic out is over the limit of 9000 bytes");
    assert_eq!(values(&broker, "out").len(), 80);
}

/// What other producers may send: as large as the topic takes, or much larger and packed.
fn records_of_any_size_pass_a_validator(cluster: &Cluster) {
    let broker = cluster.connect();
    topic(&broker, topics::WIRE);
    let blanks = vec![b' '; 40 << 20];
    let good = tests::repo::read("schemas/examples/valid/aws_ebs_gp2.json").into_bytes();
    let send = |codec: &str, key: &[u8], value: &[u8], header: &[u8]| {
        let settings = [("message.max.bytes", "200000000"), ("batch.size", "1"), ("compression.type", codec)];
        let headers = OwnedHeaders::new().insert(Header { key: "large", value: Some(header) });
        let record = BaseRecord::to(topics::WIRE).partition(0).key(key).payload(value).headers(headers);
        let producer = plain_producer(cluster, &settings);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(WITHIN).unwrap();
    };
    send("none", b"key", b"{", &vec![0; (10 << 20) - 300]);
    send("lz4", b"key", &blanks, b"small");
    send("zstd", &blanks, b"{", b"small");
    send("lz4", b"key", b"{", &blanks);
    send("zstd", &blanks, &blanks, &blanks);
    send("none", b"key", &good, b"small");
    let config = validator::ValidatorConfig {
        member: "one".to_owned(),
        pipeline_topics: topics::PipelineTopics::live(),
        selection: None,
        policies: validator::ProducerPolicies::own_only(SaltMode::Stable),
        valid_partitions: 1,
        dead_partitions: 1,
        tenant_spread: 1,
        step_records_max: 100,
        step_bytes_max: 8 << 20,
        session_timeout: Duration::from_secs(30),
        until: Until::Drained,
        skips_expired: false,
        skips_judged: false,
    };
    let counters = Arc::new(validator::ValidatorCounters::default());
    validator::run(
        &config,
        validator::ValidatorDeps { broker: &broker, clock: &SystemClock, counters: &counters },
        &Shutdown::new(),
    )
    .unwrap();
    assert_eq!(values(&broker, topics::VALID).len(), 1);
    let letters = broker.read(&at(topics::DEAD_LETTERS), 0, 100, 100 << 20).unwrap();
    let marks = [header::VALUE_BYTES, header::KEY_BYTES, header::HEADERS_BYTES];
    let cut = |letter: &Message| marks.map(|mark| letter.header(mark).is_some());
    let expected = [[false, false, true], [true, false, false], [false, true, false], [false, false, true], [true; 3]];
    assert_eq!(letters.iter().map(cut).collect::<Vec<_>>(), expected);
}
