//! What an administrator does to records and groups, and the product never does.

use std::thread;
use std::time::{Duration, Instant};

use platform::broker::TopicPartition;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::runtime::{Builder, Runtime};

/// Removes the records before these offsets.
///
/// # Panics
/// When the cluster refuses.
pub fn delete_records(brokers: &str, before: &[(TopicPartition, u64)]) {
    let mut list = TopicPartitionList::new();
    for (at, offset) in before {
        let (partition, offset) = (i32::try_from(at.partition).unwrap(), i64::try_from(*offset).unwrap());
        list.add_partition_offset(&at.topic, partition, Offset::Offset(offset)).unwrap();
    }
    let deleted = runtime().block_on(client(brokers).delete_records(&list, &AdminOptions::new())).unwrap();
    deleted.elements().iter().for_each(|element| element.error().unwrap());
}

/// Sets one setting of a topic, and all others of its own to their defaults.
///
/// # Panics
/// When the cluster refuses.
pub fn set_topic(brokers: &str, topic: &str, key: &str, value: &str) {
    let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
    let altered = runtime().block_on(client(brokers).alter_configs([&change], &AdminOptions::new())).unwrap();
    altered.into_iter().for_each(|topic| drop(topic.unwrap()));
}

/// Deletes a group whose members have ended; on a busy machine the coordinator learns a little later of it.
///
/// # Panics
/// When the cluster refuses, or still sees a member after two minutes.
pub fn delete_group(brokers: &str, group: &str) {
    let last_try = Instant::now() + Duration::from_secs(120);
    loop {
        let deleted = runtime().block_on(client(brokers).delete_groups(&[group], &AdminOptions::new())).unwrap();
        match deleted.into_iter().next().unwrap() {
            Ok(_) => return,
            Err((_, RDKafkaErrorCode::NonEmptyGroup)) if Instant::now() < last_try => {
                thread::sleep(Duration::from_millis(200));
            }
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

fn client(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}
