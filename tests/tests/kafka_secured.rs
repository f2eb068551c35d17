//! Every way into a Kafka that is secured, as a user configures it; and what is said to those who do not get in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

use platform::broker::kafka::{self, KafkaBroker, KafkaSettings};
use platform::broker::{
    Broker, BrokerError, ConsumerConfig, GroupOffset, Headers, Message, OutRecord, Polled, Start, TopicPartition,
    TopicSpec, Topics,
};
use platform::config::ConfigBuilder;
use tests::identity::{CLIENT_ID, CLIENT_SECRET};
use tests::kafka::secured::{PASSWORD, Secured, USERNAME};

/// Settings under `broker.kafka.`, and their values.
type Values = Vec<(&'static str, String)>;

fn settings(values: &Values) -> Result<KafkaSettings, String> {
    let variables = values.iter().map(|(key, value)| (format!("FINOPS_BROKER_KAFKA_{}", key.to_uppercase()), value));
    let config = ConfigBuilder::new(&[kafka::SETTINGS]).env(variables).resolve().unwrap();
    KafkaSettings::from_config(&config).map(Option::unwrap).map_err(|problems| problems.to_string())
}

fn with(values: &Values, changed: &[(&'static str, &str)]) -> Values {
    let is_kept = |(key, _): &&(&'static str, String)| changed.iter().all(|(other, _)| other != key);
    let changed = changed.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (*key, (*value).to_owned()));
    values.iter().filter(is_kept).cloned().chain(changed).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn by_certificate(cluster: &Secured) -> Values {
    let (certificate, key) = cluster.client();
    vec![
        ("brokers", cluster.mutual.clone()),
        ("security_protocol", "ssl".to_owned()),
        ("ca_file", text(&cluster.authority())),
        ("certificate_file", text(&certificate)),
        ("key_file", text(&key)),
    ]
}

fn by_password(cluster: &Secured, mechanism: &str) -> Values {
    vec![
        ("brokers", cluster.encrypted.clone()),
        ("security_protocol", "sasl_ssl".to_owned()),
        ("ca_file", text(&cluster.authority())),
        ("sasl_mechanism", mechanism.to_owned()),
        ("username", USERNAME.to_owned()),
        ("password", PASSWORD.to_owned()),
    ]
}

fn by_password_in_clear(cluster: &Secured) -> Values {
    let changed = [
        ("brokers", cluster.clear.as_str()),
        ("security_protocol", "sasl_plaintext"),
        ("sasl_mechanism", "PLAIN"),
        ("ca_file", ""),
    ];
    with(&by_password(cluster, ""), &changed)
}

fn by_token(cluster: &Secured) -> Values {
    let token_url = cluster.provider.token_url();
    let changed = [
        ("sasl_mechanism", "OAUTHBEARER"),
        ("username", ""),
        ("password", ""),
        ("oauth_token_url", &token_url),
        ("oauth_client_id", CLIENT_ID),
        ("oauth_client_secret", CLIENT_SECRET),
        ("oauth_scope", "findings.write"),
    ];
    with(&by_password(cluster, ""), &changed)
}

fn connect(values: &Values) -> KafkaBroker {
    KafkaBroker::connect(settings(values).unwrap()).unwrap()
}

fn topic(broker: &KafkaBroker, name: &str) -> TopicPartition {
    let spec =
        TopicSpec { name: name.to_owned(), partitions: 1, compacted: false, retention_ms: None, retention_bytes: None };
    broker.ensure_topic(&spec).unwrap();
    TopicPartition { topic: name.into(), partition: 0 }
}

fn record(at: &TopicPartition, value: Vec<u8>) -> OutRecord {
    let (topic, value) = (at.topic.clone(), value.into());
    OutRecord { topic, partition: Some(0), key: None, value, headers: Headers::new(), timestamp_ms: None }
}

/// Every kind of client does its work: one that makes topics, one that appends, a member of a group with transactions,
/// one that reads.
fn works(name: &str, values: &Values) {
    let broker = connect(values);
    let (from, to) = (topic(&broker, &format!("finops.{name}.in")), topic(&broker, &format!("finops.{name}.out")));
    broker.producer().unwrap().append(&[record(&from, name.into())]).unwrap();
    let config = ConsumerConfig {
        group: format!("finops.{name}"),
        topics: Topics::Names(vec![from.topic.to_string()]),
        member: "member".to_owned(),
        start: Start::Earliest,
        session_timeout: Duration::from_secs(30),
        poll_records_max: 10,
        poll_bytes_max: 1 << 20,
    };
    let mut member = broker.processor(config).unwrap();
    let started = Instant::now();
    let messages = loop {
        match member.poll(Duration::from_millis(200)).unwrap() {
            Polled::Records(messages) => break messages,
            _ => assert!(started.elapsed() < Duration::from_secs(60), "{name}: no records came"),
        }
    };
    let moved = GroupOffset { at: from, offset: 1, metadata: String::new() };
    member.step(&[record(&to, messages[0].value.to_vec())], &[moved]).unwrap();
    assert_eq!(value(&broker, &to), name);
}

fn value(broker: &KafkaBroker, at: &TopicPartition) -> String {
    let read: Vec<Message> = broker.read(at, 0, 10, 1 << 20).unwrap();
    String::from_utf8(read[0].value.to_vec()).unwrap()
}

fn refused(values: &Values, expected: &[&str]) {
    let error = KafkaBroker::connect(settings(values).unwrap()).unwrap_err();
    // Not an error that callers answer by trying again.
    assert!(matches!(error, BrokerError::Denied { .. }), "{error}");
    let error = error.to_string();
    assert!(expected.iter().all(|part| error.contains(part)), "{error}");
    for secret in [PASSWORD, CLIENT_SECRET, "wrong-secret"] {
        assert!(!error.contains(secret), "{error}");
    }
}

#[test]
fn every_way_in_is_found_and_no_other() {
    let Some(cluster) = Secured::start() else { return };
    works("certificate", &by_certificate(&cluster));
    works("plain", &by_password_in_clear(&cluster));
    works("scram-256", &by_password(&cluster, "SCRAM-SHA-256"));
    works("scram-512", &by_password(&cluster, "SCRAM-SHA-512"));
    works("token", &by_token(&cluster));
    a_token_is_renewed_in_time(&cluster);
    what_is_not_allowed_is_named(&cluster);

    refused(&with(&by_certificate(&cluster), &[("certificate_file", ""), ("key_file", "")]), &["certificate"]);
    let stranger = text(&cluster.stranger());
    refused(&with(&by_certificate(&cluster), &[("ca_file", &stranger)]), &["certificate verify failed"]);
    let wrong = [("password", "wrong-secret")];
    refused(&with(&by_password_in_clear(&cluster), &wrong), &["Authentication failed"]);
    refused(&with(&by_password(&cluster, "SCRAM-SHA-512"), &wrong), &["Authentication failed"]);
    refused(&with(&by_token(&cluster), &[("oauth_client_secret", "wrong-secret")]), &["invalid_client"]);
    let nowhere = "http://127.0.0.1:1/token";
    refused(&with(&by_token(&cluster), &[("oauth_token_url", nowhere)]), &["token"]);
}

/// Tokens live for six seconds, and brokers ask for a new one in time: the clients work on through several of them.
fn a_token_is_renewed_in_time(cluster: &Secured) {
    let broker = connect(&by_token(cluster));
    let at = topic(&broker, "finops.renewed");
    let mut producer = broker.producer().unwrap();
    let (started, before) = (Instant::now(), cluster.provider.given());
    let mut sent = 0;
    while cluster.provider.given() < before + 12 {
        assert!(started.elapsed() < Duration::from_secs(120), "tokens were not renewed");
        producer.append(&[record(&at, "still in".into())]).unwrap();
        assert_eq!(value(&broker, &at), "still in");
        sent += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(broker.read(&at, 0, usize::MAX, 1 << 20).unwrap().len(), sent);
}

fn what_is_not_allowed_is_named(cluster: &Secured) {
    let broker = connect(&by_password_in_clear(cluster));
    let spec = TopicSpec {
        name: "payroll".to_owned(),
        partitions: 1,
        compacted: false,
        retention_ms: None,
        retention_bytes: None,
    };
    let error = broker.ensure_topic(&spec).unwrap_err();
    assert!(matches!(error, BrokerError::Denied { .. }) && error.to_string().contains("payroll"), "{error}");
    assert!(error.to_string().to_lowercase().contains("authoriz"), "{error}");
}

#[test]
fn what_would_not_protect_the_connection_is_refused() {
    let given = [("brokers", "kafka:9092"), ("sasl_mechanism", "PLAIN"), ("username", "me"), ("ca_file", "ca.pem")];
    let said = settings(&given.map(|(key, value)| (key, value.to_owned())).into()).unwrap_err();
    for key in ["sasl_mechanism", "username", "ca_file"] {
        let problem = format!("broker.kafka.{key}: has no effect with broker.kafka.security_protocol = \"plaintext\"");
        assert!(said.contains(&problem), "{said}");
    }
}

#[test]
fn what_a_mechanism_needs_is_said() {
    let check = |values: Values, expected: &[&str]| {
        let said = settings(&values).unwrap_err();
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(said.matches("is needed").count(), expected.len(), "{said}");
    };
    let sasl = |more: &[(&'static str, &str)]| {
        with(&vec![("brokers", "kafka:9093".to_owned()), ("security_protocol", "sasl_ssl".to_owned())], more)
    };
    check(sasl(&[]), &["broker.kafka.sasl_mechanism: is needed with SASL"]);
    check(sasl(&[("sasl_mechanism", "PLAIN"), ("username", "me")]), &["broker.kafka.password: is needed with PLAIN"]);
    check(
        sasl(&[("sasl_mechanism", "OAUTHBEARER"), ("username", "me")]),
        &[
            "broker.kafka.oauth_token_url: is needed with OAUTHBEARER",
            "broker.kafka.oauth_client_id: is needed with OAUTHBEARER",
            "broker.kafka.oauth_client_secret: is needed with OAUTHBEARER",
        ],
    );
}
