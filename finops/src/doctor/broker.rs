//! The broker: what services do to one is tried once, on a topic and a group of doctor's own that are removed again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::topics::groups;
use platform::broker::{
    Broker, BrokerError, ConsumerConfig, FileSize, GroupOffset, Headers, OutRecord, Polled, Start, TopicPartition,
    TopicSpec, Topics,
};
use platform::config::units::show_size;
use platform::exit::ExitCode;
use platform::service::Until;
use platform::store::Store;
use uuid::Uuid;

use super::{Check, NOT_YET, topics, within};
use crate::ports::{self, Purpose};
use crate::scratch::{is_writable, is_writable_file};
use crate::settings::Settings;

/// Topic that is made, written, read and removed; what the name of the group begins with.
const PROBE: &str = "finops.doctor";
/// One wait for the group.
const POLL: Duration = Duration::from_millis(200);

const BROKER: &str = "broker";
const GROUPS: &str = "consumer groups";
const PERMISSIONS: &str = "broker permissions";
const STEP: &str = "step of a group";
const CLEANING: &str = "broker cleaning";
const FILE: &str = "broker file";
const JUDGED: &str = "judged records";
pub const STORE_OF_SINKS: &str = "store of the group";

const ADVICE: &str = "look whether it runs, and whether address and credentials are right";

/// What the broker is opened for: where this user may not write, only to look.
fn purpose(settings: &Settings) -> Purpose {
    let file = ports::broker_file(&settings.data);
    let may_write =
        settings.kafka.is_some() || is_writable(&settings.data) && (!file.exists() || is_writable_file(&file));
    if may_write { Purpose::Write } else { Purpose::Look }
}

/// The broker, or how it is with it.
pub fn open(settings: &Settings, timeout: Duration) -> Result<Arc<dyn Broker>, Check> {
    let (kafka, data, embedded) = (settings.kafka.clone(), settings.data.clone(), settings.broker.clone());
    let purpose = purpose(settings);
    within(BROKER, timeout, move || ports::existing_broker(kafka, &data, embedded, purpose))?.map_err(|failure| {
        match failure.code() {
            // Nothing was ever written here.
            ExitCode::BadInput => Check::warn(BROKER, failure.message(), NOT_YET),
            _ => Check::fail(BROKER, failure.message(), ADVICE),
        }
    })
}

pub fn checks(broker: &Arc<dyn Broker>, settings: &Settings, timeout: Duration) -> Vec<Check> {
    let all = match ask(broker, BROKER, timeout, |broker| broker.topics()) {
        Ok(Ok(all)) => all,
        Ok(Err(error)) => return vec![Check::fail(BROKER, error.to_string(), ADVICE)],
        Err(late) => return vec![late],
    };
    let mut checks = vec![Check::ok(BROKER, format!("answers; {} topics", all.len())), topics::presence(&all)];
    let retention = settings.retention;
    let kept = ask(broker, topics::SETTINGS, timeout, move |broker| topics::settings(broker, &all, retention));
    checks.extend(kept.unwrap_or_else(|late| vec![late]));
    checks.push(ask(broker, GROUPS, timeout, of_groups).unwrap_or_else(|late| late));
    // Of a policy file that cannot be used the checks of the configuration tell.
    if let Ok(config) = ports::validator_config(settings, Until::Shutdown) {
        checks.extend(ask(broker, JUDGED, timeout, move |broker| of_judged(broker, &config)).unwrap_or_else(Some));
    }
    checks.extend(ask(broker, FILE, timeout, of_file).unwrap_or_else(Some));
    checks.extend(match purpose(settings) {
        Purpose::Write => probes(broker, settings.session_timeout, timeout),
        Purpose::Look => vec![Check::warn(PERMISSIONS, only_read(&settings.data), SERVICES_WRITE)],
    });
    checks
}

fn ask<T: Send + 'static>(
    broker: &Arc<dyn Broker>,
    name: &'static str,
    timeout: Duration,
    look: impl FnOnce(&dyn Broker) -> T + Send + 'static,
) -> Result<T, Check> {
    let broker = broker.clone();
    within(name, timeout, move || look(&*broker))
}

/// Above this, and the bytes that are live, free pages of the file are many.
const FREE_WARN_BYTES: u64 = 64 << 20;

fn of_file(broker: &dyn Broker) -> Option<Check> {
    let size = match broker.file_size() {
        Ok(size) => size?,
        Err(error) => return Some(Check::fail(FILE, error.to_string(), ADVICE)),
    };
    let FileSize { file_bytes, live_bytes, free_bytes, gives_back } = size;
    let [file, live, free] = [file_bytes, live_bytes, free_bytes].map(show_size);
    let found = format!("{file} on disk, {live} live, {free} free");
    if !gives_back {
        let advice =
            "stop all services and commands once, then start one: it converts the file, which then gives room back";
        return Some(Check::warn(FILE, format!("{found}; made by an earlier version, it keeps free room"), advice));
    }
    if free_bytes > live_bytes.max(FREE_WARN_BYTES) {
        return Some(Check::warn(FILE, found, "start a service or `finops run`: they give free room back to the disk"));
    }
    Some(Check::ok(FILE, found))
}

/// What was found where this user may not write.
pub fn only_read(folder: &std::path::Path) -> String {
    format!("this user may only read {}: nothing was tried", folder.display())
}

/// What to do about it.
pub const SERVICES_WRITE: &str =
    "nothing, to look; services and `finops run` need the right to write: run them, and doctor, as the folder's owner";

fn of_groups(broker: &dyn Broker) -> Check {
    for group in [groups::VALIDATOR, groups::SINK] {
        if let Err(error) = broker.group_offsets(group) {
            let advice = format!("allow this account to describe and read group {group}");
            return Check::fail(GROUPS, error.to_string(), advice);
        }
    }
    Check::ok(GROUPS, "their offsets can be read")
}

/// Whether a validator that starts would refuse.
fn of_judged(broker: &dyn Broker, config: &validator::ValidatorConfig) -> Option<Check> {
    match validator::register::refusals(config, broker) {
        Ok(refused) => {
            let first = refused.first()?;
            let more = match refused.len() - 1 {
                0 => String::new(),
                more => format!("; so do {more} more partitions"),
            };
            Some(Check::fail(JUDGED, first.problem() + &more, first.advice()).of_configuration())
        }
        Err(error) => {
            Some(Check::fail(JUDGED, error.to_string(), "allow this account to read topics that begin with finops."))
        }
    }
}

fn probes(broker: &Arc<dyn Broker>, session_timeout: Duration, timeout: Duration) -> Vec<Check> {
    // An account that may not create topics is well, if an administrator made them: a warning.
    let made = ask(broker, PERMISSIONS, timeout, |broker| broker.ensure_topic(&probe_topic()));
    let is_made = matches!(made, Ok(Ok(_)));
    let mut checks = match made {
        Ok(Ok(_)) => vec![
            ask(broker, PERMISSIONS, timeout, of_records).unwrap_or_else(|late| late),
            ask(broker, STEP, timeout, move |broker| of_step(broker, session_timeout, timeout))
                .unwrap_or_else(|late| late),
        ],
        Ok(Err(error)) => vec![Check::warn(
            PERMISSIONS,
            error.to_string(),
            "needed only where services make their own topics: else allow them to write to and read from the finops topics",
        )],
        Err(late) => vec![late],
    };
    let removed = ask(broker, CLEANING, timeout, |broker| broker.delete_topic(PROBE));
    let why = match removed {
        Ok(removed) => removed.err().map(|error| error.to_string()),
        Err(late) => Some(late.found),
    };
    checks.extend(why.filter(|_| is_made).map(|why| {
        let advice = format!("remove topic {PROBE}; allow Delete on topics finops.: a replay removes its own, too");
        Check::warn(CLEANING, why, advice)
    }));
    checks
}

fn probe_topic() -> TopicSpec {
    let name = PROBE.to_owned();
    TopicSpec { name, partitions: 1, compacted: false, retention_ms: None, retention_bytes: None }
}

fn record() -> OutRecord {
    let (topic, value) = (Arc::from(PROBE), "{}".into());
    OutRecord { topic, partition: Some(0), key: None, value, headers: Headers::new(), timestamp_ms: None }
}

fn of_records(broker: &dyn Broker) -> Check {
    let done = broker.producer().and_then(|mut producer| producer.append(&[record()])).and_then(|appended| {
        let offset = appended.first().map_or(0, |at| at.offset);
        broker.read(&TopicPartition { topic: Arc::from(PROBE), partition: 0 }, offset, 1, 1 << 20)
    });
    match done {
        Ok(_) => Check::ok(PERMISSIONS, "a topic could be made, written and read"),
        Err(error) => Check::fail(
            PERMISSIONS,
            error.to_string(),
            "allow this account Read and Write on topics, and Write on transactional ids, that begin with finops.",
        ),
    }
}

fn of_step(broker: &dyn Broker, session_timeout: Duration, timeout: Duration) -> Check {
    match step(broker, session_timeout, timeout) {
        Ok(()) => Check::ok(STEP, "a member joined, and moved its offset together with a record"),
        Err(error) => Check::fail(
            STEP,
            error.to_string(),
            "allow this account Read on groups, and Write on transactional ids, that begin with finops.; a session time-out that \
             is refused is broker.session_timeout",
        ),
    }
}

/// What a validator does, in a group without other members.
fn step(broker: &dyn Broker, session_timeout: Duration, timeout: Duration) -> Result<(), BrokerError> {
    let group = format!("{PROBE}.{}", Uuid::new_v4().simple());
    let mut member = broker.processor(ConsumerConfig {
        group: group.clone(),
        topics: Topics::Names(vec![PROBE.to_owned()]),
        member: "doctor".to_owned(),
        start: Start::Earliest,
        session_timeout,
        poll_records_max: 1,
        poll_bytes_max: 1 << 20,
    })?;
    // A group takes its time to share out. Who gives up before the time-out of the check can say what was waited for: a group
    // that may not be read tells nothing.
    let patience = timeout * 3 / 4;
    let began = Instant::now();
    let read = loop {
        let is_late = began.elapsed() > patience;
        match member.poll(POLL) {
            Ok(Polled::Records(read)) => break read,
            Err(error) if is_late || !error.is_retriable() => return Err(error),
            _ if is_late => {
                let reason = format!("it gave no partition within {} ms", patience.as_millis());
                return Err(BrokerError::Retriable { doing: format!("joining group {group}"), reason });
            }
            _ => {}
        }
    };
    let offsets = read.iter().map(|message| GroupOffset {
        at: message.at.clone(),
        offset: message.offset + 1,
        metadata: String::new(),
    });
    member.step(&[record()], &offsets.collect::<Vec<_>>())?;
    member.leave()
}

/// Two stores behind one group would each hold a part of the rows.
pub fn store_of_sinks(broker: &dyn Broker, store: Option<&dyn Store>, location: &str) -> Check {
    const NAME: &str = STORE_OF_SINKS;
    let offsets = match broker.group_offsets(groups::SINK) {
        Ok(offsets) => offsets,
        Err(error) => return Check::fail(NAME, error.to_string(), "see above"),
    };
    let (id, location) = (store.map(Store::id), store.map_or_else(|| location.to_owned(), Store::location));
    let other = offsets
        .iter()
        .filter_map(|offset| lake::committed_offsets::store_of(&offset.metadata))
        .find(|other| id != Some(other.as_str()));
    let Some(other) = other else { return Check::ok(NAME, format!("the sinks' group writes to {location}")) };
    let this = id.map_or_else(|| format!("there is none in {location}"), |id| format!("this is {id} in {location}"));
    Check::fail(
        NAME,
        format!("the sinks' group writes to store {other}, {this}"),
        format!(
            "use that store again, or give this one its own broker or topics; if no sink will ever write to that store again, run \
             `finops sink run --drain --replace-store {other}` once"
        ),
    )
    .of_configuration()
}
