//! Asks broker and store, as the services will: every operation they need is tried once, on objects of its own that are
//! removed again.

use std::sync::Arc;
use std::time::Duration;

use contracts::topics::groups;
use platform::broker::{Broker, BrokerError, OutRecord, TopicPartition, TopicSpec};
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::store::{PutOutcome, Store, StoreError};
use uuid::Uuid;

use super::{Check, topics, within};
use crate::ports::Ports;
use crate::settings::Settings;

/// Topic that is made, written, read and removed.
const PROBE_TOPIC: &str = "finops.doctor";
/// A clock further off than this makes ages and run dates wrong.
const CLOCK_WARN_MS: u64 = 5_000;
const CLOCK_FAIL_MS: u64 = 300_000;

pub fn checks(settings: &Settings, timeout: Duration) -> Vec<Check> {
    let ports = match Ports::existing(settings) {
        Ok(ports) => ports,
        // Nothing was ever written here.
        Err(failure) if failure.code() == ExitCode::BadInput => {
            return vec![Check::warn(
                "data",
                failure.message(),
                "nothing to do: the first `finops run` or `finops up` makes it",
            )];
        }
        Err(failure) => {
            return vec![Check::fail("data", failure.message(), "look at the settings of broker and store")];
        }
    };
    let (broker, store) = (ports.broker.clone(), ports.store.clone());
    let retention = settings.retention;
    let mut checks = within("broker", timeout, move || of_broker(&*broker, retention));
    let (broker, store_of_group) = (ports.broker.clone(), ports.store.clone());
    checks.extend(within("store of the group", timeout, move || vec![store_of_sinks(&*broker, &*store_of_group)]));
    checks.extend(within("store", timeout, move || of_store(&store)));
    checks
}

fn of_broker(broker: &dyn Broker, retention: Option<Duration>) -> Vec<Check> {
    let all = match broker.topics() {
        Ok(all) => all,
        Err(error) => {
            return vec![Check::fail("broker", error.to_string(), "look whether it runs and credentials are right")];
        }
    };
    let mut checks = vec![Check::ok("broker", format!("answers; {} topics", all.len()))];
    checks.extend(topics::checks(broker, &all, retention));
    checks.push(of_groups(broker));
    checks.push(of_permissions(broker));
    checks
}

fn of_groups(broker: &dyn Broker) -> Check {
    const NAME: &str = "consumer groups";
    for group in [groups::VALIDATOR, groups::SINK] {
        if let Err(error) = broker.group_offsets(group) {
            return Check::fail(
                NAME,
                error.to_string(),
                format!("allow this account to describe and read group {group}"),
            );
        }
    }
    Check::ok(NAME, "their offsets can be read")
}

/// An account that may not create topics is well, if an administrator made them: a warning.
fn of_permissions(broker: &dyn Broker) -> Check {
    const NAME: &str = "broker permissions";
    let tried = probe_topic(broker);
    if let Err(error) = broker.delete_topic(PROBE_TOPIC)
        && tried.is_ok()
    {
        return Check::warn(NAME, error.to_string(), format!("remove topic {PROBE_TOPIC}: it is of no use"));
    }
    match tried {
        Ok(()) => Check::ok(NAME, "a topic could be made, written, read and removed"),
        Err(error) => Check::warn(
            NAME,
            error.to_string(),
            "needed only where services make their own topics: else allow them to write to and read from the finops topics",
        ),
    }
}

fn probe_topic(broker: &dyn Broker) -> Result<(), BrokerError> {
    let name = PROBE_TOPIC.to_owned();
    broker.ensure_topic(&TopicSpec {
        name,
        partitions: 1,
        compacted: false,
        retention_ms: None,
        retention_bytes: None,
    })?;
    let topic: Arc<str> = Arc::from(PROBE_TOPIC);
    let value = bytes::Bytes::from_static(b"{}");
    let record = OutRecord {
        topic: topic.clone(),
        partition: Some(0),
        key: None,
        value,
        headers: Vec::new(),
        timestamp_ms: None,
    };
    let appended = broker.producer()?.append(&[record])?;
    let offset = appended.first().map_or(0, |at| at.offset);
    broker.read(&TopicPartition { topic, partition: 0 }, offset, 1, 1 << 20).map(|_| ())
}

/// Two stores behind one group would each hold a part of the rows.
fn store_of_sinks(broker: &dyn Broker, store: &dyn Store) -> Check {
    const NAME: &str = "store of the group";
    let offsets = match broker.group_offsets(groups::SINK) {
        Ok(offsets) => offsets,
        Err(error) => return Check::fail(NAME, error.to_string(), "see above"),
    };
    let named = |metadata: &str| {
        let hint: serde_json::Value = serde_json::from_str(metadata).ok()?;
        hint["store_id"].as_str().map(str::to_owned)
    };
    let others: Vec<_> = offsets.iter().filter_map(|o| named(&o.metadata)).filter(|id| id != store.id()).collect();
    match others.first() {
        None => Check::ok(NAME, format!("the sinks' group writes to {}", store.location())),
        Some(other) => Check::fail(
            NAME,
            format!("the sinks' group has written to store {other}, this is {} in {}", store.id(), store.location()),
            "use that store again, or give this one its own broker or topics",
        )
        .of_configuration(),
    }
}

fn of_store(store: &Arc<dyn Store>) -> Vec<Check> {
    let path = format!("_doctor/{}.json", Uuid::new_v4().simple());
    let checks = match probe_store(&**store, &path) {
        Ok(checks) => checks,
        Err(error) => vec![Check::fail(
            "store",
            error.to_string(),
            "look at address, credentials and permissions: put, get, list, delete and multipart upload are needed",
        )],
    };
    match store.delete(&path) {
        Err(error) if checks.iter().all(|check| check.state != super::State::Fail) => {
            let told = Check::warn("store cleaning", error.to_string(), format!("allow deletes; remove {path}"));
            checks.into_iter().chain([told]).collect()
        }
        _ => checks,
    }
}

fn probe_store(store: &dyn Store, path: &str) -> Result<Vec<Check>, StoreError> {
    let before_ms = SystemClock.now_ms();
    let (first, second) = (store.put_if_absent(path, b"{}")?, store.put_if_absent(path, b"[]")?);
    let is_kept = store.get(path)?.is_some_and(|bytes| &*bytes == b"{}");
    let entries = store.list("_doctor")?;
    let staged = {
        use std::io::Write;
        let target = format!("{path}.staged");
        let mut write = store.stage(&target)?;
        write.write_all(b"{}").map_err(|error| StoreError::io("staging", target.as_str(), error))?;
        write.finish()?
    };
    store.discard(&staged)?;
    let mut checks = vec![Check::ok("store", format!("{} can be written, read, listed and staged", store.location()))];
    checks.push(if (first, second) == (PutOutcome::Created, PutOutcome::Exists) && is_kept {
        Check::ok("put-if-absent", "the second of two writers was told that the first was there")
    } else {
        Check::fail(
            "put-if-absent",
            format!("{first:?}, then {second:?}: this store lets two writers take one name"),
            "use a store with conditional writes (If-None-Match): without it rows would be lost or doubled",
        )
        .of_configuration()
    });
    if let Some(entry) = entries.iter().find(|entry| entry.path == path) {
        checks.push(clock(before_ms, entry.modified_ms));
    }
    Ok(checks)
}

fn clock(ours_ms: i64, theirs_ms: i64) -> Check {
    const NAME: &str = "clock";
    let off_ms = ours_ms.abs_diff(theirs_ms);
    let found = format!("{off_ms} ms between this machine and the store");
    const ADVICE: &str = "let NTP set the clock: ages, run dates and the sweep of old staging depend on it";
    match off_ms {
        0..CLOCK_WARN_MS => Check::ok(NAME, "this machine and the store agree"),
        CLOCK_WARN_MS..CLOCK_FAIL_MS => Check::warn(NAME, found, ADVICE),
        _ => Check::fail(NAME, found, ADVICE),
    }
}
