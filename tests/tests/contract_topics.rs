//! AsyncAPI and the dead letter's schema against what the program does: names of topics, and the headers that records
//! really have after the validator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use contracts::topics::{self, headers};
use platform::broker::{Broker, Headers, Message, TopicPartition};
use serde_json::{Value, json};
use tests::pipeline::{Pipeline, topic_id};
use tests::{repo, schemas};

fn asyncapi() -> Value {
    serde_saphyr::from_str(&repo::read("schemas/asyncapi.yaml")).unwrap()
}

fn names_of(node: &Value) -> BTreeSet<String> {
    match node {
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(items) => items.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        other => panic!("{other}"),
    }
}

fn set<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn topics_are_those_of_the_program() {
    let api = asyncapi();
    let addresses = api["channels"].as_object().unwrap().values().map(|c| c["address"].as_str().unwrap());
    let producer = format!("{}.{{producer}}", topics::WIRE);
    let all = [topics::WIRE, &producer, topics::VALID, topics::DEAD_LETTERS, topics::RUNS, topics::LIFECYCLE];
    assert_eq!(set(addresses), set(all));
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'v>(node: &'v Value, out: &mut Vec<&'v str>) {
        out.extend(node.get("$ref").and_then(Value::as_str));
        match node {
            Value::Object(members) => members.values().for_each(|inner| references(inner, out)),
            Value::Array(items) => items.iter().for_each(|inner| references(inner, out)),
            _ => {}
        }
    }
    let api = asyncapi();
    let mut all = Vec::new();
    references(&api, &mut all);
    assert!(all.len() > 20, "{all:?}");
    for reference in all {
        match reference.strip_prefix('#') {
            Some(pointer) => assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere"),
            None => assert!(repo::root().join("schemas").join(reference).is_file(), "{reference} is no file"),
        }
    }
}

/// Every header a producer may send.
fn producer_headers() -> Headers {
    let src = "topic/0/1";
    let all = [
        (headers::RUN_ID, "run-1"),
        (headers::TENANT_ID, "acme"),
        (headers::WORKSPACE_ID, "prod"),
        (headers::FINDING_ID_MODE, "per_run"),
        (headers::REPLAY_OF, src),
        (headers::TRACEPARENT, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        (headers::VALUE_SCHEMA_ID, "1"),
    ];
    Headers::from_iter(all)
}

/// Value and headers of a record.
type Sent = (Vec<u8>, Headers);

/// What the validator makes of these: the records of a topic.
fn judged(topic: &str, records: Vec<Sent>) -> Vec<Message> {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let count = records.len();
    // A record can stand for an earlier one of its own partition only.
    let wire = topic_id(&pipeline.broker, topics::WIRE);
    let first = format!("{wire}/{}/0", platform::broker::partition_for_key(b"acme", 2));
    pipeline.publish(records.into_iter().map(|(value, mut headers)| {
        if headers.get(headers::REPLAY_OF).is_some() {
            headers.retain(|name| name != headers::REPLAY_OF);
            headers.push(headers::REPLAY_OF, first.as_bytes());
        }
        (Some("acme"), value, headers)
    }));
    let _ = pipeline.validate();
    let read =
        |partition| pipeline.broker.read(&TopicPartition { topic: topic.into(), partition }, 0, 100, 64 << 20).unwrap();
    let messages: Vec<_> = (0..2).flat_map(read).collect();
    assert_eq!(messages.len(), count, "{topic}");
    messages
}

fn header_names(message: &Message) -> BTreeSet<String> {
    set(message.headers.iter().map(|(name, _)| name))
}

#[test]
fn producers_may_send_the_headers_that_are_described() {
    let described = &asyncapi()["components"]["schemas"]["wireHeaders"]["properties"];
    assert_eq!(names_of(described), set(producer_headers().iter().map(|(name, _)| name)));
}

#[test]
fn valid_records_have_the_headers_that_are_described() {
    let described = &asyncapi()["components"]["schemas"]["validHeaders"];
    let good = || repo::read("schemas/examples/valid/aws_ebs_gp2.json").into_bytes();
    let valid = judged(topics::VALID, vec![(good(), Headers::new()), (good(), producer_headers())]);
    assert_eq!(header_names(&valid[0]), names_of(&described["required"]), "of a record that came with none");
    assert_eq!(header_names(&valid[1]), names_of(&described["properties"]), "of a record that came with all");
}

#[test]
fn dead_letters_have_the_headers_that_are_described() {
    let (schema, validator) = (schemas::schema("dead_letter"), schemas::validator("dead_letter"));
    let large = || vec![b' '; contracts::judge::Policy::default().message_bytes_max + 1];
    let mut with_own = producer_headers();
    with_own.push("x-own", b"kept");
    let huge = Headers::from_iter([("huge", vec![0; (10 << 20) - 100])]);
    let dead =
        judged(topics::DEAD_LETTERS, vec![(b"{".to_vec(), Headers::new()), (large(), with_own), (b"{".to_vec(), huge)]);
    use contracts::dead_letter::header;
    let of_headers = set([header::HEADERS_BYTES, header::HEADERS_SHA256]);
    let of_others = &of_headers | &set([header::VALUE_NULL, header::KEY_BYTES, header::KEY_SHA256]);
    assert_eq!(header_names(&dead[0]), names_of(&schema["required"]), "of a record that came with none");
    let came = &set(producer_headers().iter().map(|(name, _)| name)) | &set(["x-own"]);
    assert_eq!(
        header_names(&dead[1]),
        &(&names_of(&schema["properties"]) - &of_others) | &came,
        "of one that came with all and was cut"
    );
    assert_eq!(
        header_names(&dead[2]),
        &names_of(&schema["required"]) | &of_headers,
        "of one whose header was too large for the topic"
    );
    for message in &dead {
        let text = |(name, value): (&str, &[u8])| (name.to_owned(), std::str::from_utf8(value).unwrap().to_owned());
        let headers: BTreeMap<_, _> = message.headers.iter().map(text).collect();
        schemas::assert_valid(&validator, &json!(headers), "dead letter");
        let errors: Value = serde_json::from_str(&headers["dlq.errors"]).unwrap();
        let content = &schema["properties"]["dlq.errors"]["contentSchema"];
        schemas::assert_valid(&schemas::validator_of_node(&schema, content), &errors, "dlq.errors");
    }
}

#[test]
fn the_codes_are_those_of_the_program() {
    let codes = schemas::schema("dead_letter")["$defs"]["code"]["enum"].clone();
    assert_eq!(names_of(&codes), set(contracts::violation::Code::ALL.iter().map(|code| code.as_str())));
}
