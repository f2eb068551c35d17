//! Looks whether topics are there and kept as the services need them. Who made them may have had other things in mind.

use std::time::Duration;

use contracts::topics;
use platform::broker::{Broker, RECORD_BYTES_MAX, TopicInfo, TopicSettings};

use super::{Check, State};

const WANTED: [&str; 5] = [topics::WIRE, topics::VALID, topics::DEAD_LETTERS, topics::RUNS, topics::ROUTING];

/// Of those topics that are there, how they are kept.
pub fn settings(broker: &dyn Broker, all: &[TopicInfo], retention: Option<Duration>) -> Vec<Check> {
    let mut deviating: Vec<(Deviation, Vec<&str>)> = Vec::new();
    let ours: Vec<_> =
        all.iter().filter(|topic| WANTED.contains(&&*topic.name) || topics::is_wire(&topic.name)).collect();
    for topic in &ours {
        let found = match broker.topic_settings(&topic.name) {
            Ok(settings) => deviations(&topic.name, &settings, retention),
            Err(error) => vec![Deviation {
                state: State::Warn,
                what: error.to_string(),
                advice: "allow this account to describe the configuration of its topics".to_owned(),
            }],
        };
        for deviation in found {
            match deviating.iter_mut().find(|(known, _)| *known == deviation) {
                Some((_, names)) => names.push(&topic.name),
                None => deviating.push((deviation, vec![&topic.name])),
            }
        }
    }
    if ours.is_empty() {
        return Vec::new();
    }
    if deviating.is_empty() {
        return vec![Check::ok(SETTINGS, "nothing is removed, refused or lost sooner than it should")];
    }
    let report = |(Deviation { state, what, advice }, names): (Deviation, Vec<&str>)| {
        let found = format!("{}: {what}", names.join(", "));
        Check { state, ..Check::warn(SETTINGS, found, advice) }
    };
    deviating.into_iter().map(report).collect()
}

/// How a topic is not kept as it should be. What loses records fails; what may lose some, or refuse some, is a warning.
#[derive(PartialEq)]
struct Deviation {
    state: State,
    what: String,
    advice: String,
}

/// Whether all are there.
pub fn presence(all: &[TopicInfo]) -> Check {
    const NAME: &str = "topics";
    let partitions = |name: &str| all.iter().find(|topic| *topic.name == *name).map(|topic| topic.partitions);
    let missing: Vec<_> = WANTED.into_iter().filter(|name| partitions(name).is_none()).collect();
    if !missing.is_empty() {
        let found = format!("not there: {}", missing.join(", "));
        return Check::warn(NAME, found, "the first service makes them, if it may create topics; else create them");
    }
    let dead = partitions(topics::DEAD_LETTERS).unwrap_or_default();
    let wire = all.iter().filter(|topic| topics::is_wire(&topic.name));
    let differing: Vec<_> = wire.filter(|topic| topic.partitions > dead).map(|topic| topic.name.to_string()).collect();
    if differing.is_empty() {
        return Check::ok(NAME, format!("{} of {} are there", WANTED.len(), WANTED.len()));
    }
    let found = format!("{} has fewer partitions than {}", topics::DEAD_LETTERS, differing.join(", "));
    Check::warn(
        NAME,
        found,
        "finops topics alter finops.findings.dlq --partitions N: a dead letter then has the partition of its source",
    )
}

/// Name of the checks of [`settings`].
pub const SETTINGS: &str = "topic settings";

fn deviations(name: &str, settings: &TopicSettings, retention: Option<Duration>) -> Vec<Deviation> {
    let mut found = Vec::new();
    let mut check = |is_so: bool, state: State, what: &str, advice: &str| {
        if is_so {
            found.push(Deviation { state, what: what.to_owned(), advice: advice.to_owned() });
        }
    };
    let is_to_be_compacted = topics::is_compacted(name);
    check(
        settings.compacted && !is_to_be_compacted,
        State::Fail,
        "compacted",
        "set cleanup.policy=delete: of records with one key all but the newest are removed",
    );
    check(
        !settings.compacted && is_to_be_compacted,
        State::Warn,
        "not compacted",
        "set cleanup.policy=compact: it holds the newest state of every run, or of every wire partition",
    );
    let age = settings.retention_ms.map(Duration::from_millis);
    check(
        age.is_some_and(|age| retention.is_none_or(|wanted| age < wanted)),
        State::Warn,
        &format!("records are kept for {}", age.map(shown).unwrap_or_default()),
        "give both one value, by `finops topics alter TOPIC --retention` or broker.retention: a service that is away for longer \
         loses records, and replay reaches back no further",
    );
    check(
        settings.retention_bytes.is_some(),
        State::Warn,
        &format!("{} bytes per partition are kept", settings.retention_bytes.unwrap_or_default()),
        "finops topics alter TOPIC --retention-bytes all: records may go at any age, read or not",
    );
    check(
        settings.record_bytes_max < RECORD_BYTES_MAX,
        State::Warn,
        &format!("records have {} bytes at most", settings.record_bytes_max),
        &format!(
            "set max.message.bytes to {RECORD_BYTES_MAX}: larger dead letters are cut, and larger valid records become dead letters"
        ),
    );
    let Some(replication) = &settings.replication else { return found };
    check(
        replication.copies < 2,
        State::Warn,
        "one copy",
        "make it three, on a cluster of brokers: what a lost disk had is lost",
    );
    check(
        replication.copies > 2 && replication.in_sync_min < 2,
        State::Warn,
        &format!("{} copies, one of which is enough", replication.copies),
        "set min.insync.replicas to 2: what is acknowledged is then there twice",
    );
    check(
        replication.unclean_leader_election,
        State::Warn,
        "a copy that lacks records may take over",
        "set unclean.leader.election.enable to false: records that were acknowledged can vanish",
    );
    found
}

fn shown(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..7_200 => format!("{seconds} s"),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use platform::broker::Replication;

    use super::*;

    fn good() -> TopicSettings {
        let replication = Replication { copies: 3, in_sync_min: 2, unclean_leader_election: false };
        TopicSettings {
            compacted: false,
            retention_ms: None,
            retention_bytes: None,
            record_bytes_max: RECORD_BYTES_MAX,
            replication: Some(replication),
        }
    }

    #[test]
    fn each_deviation_is_reported() {
        let report = |name: &str, settings: &TopicSettings, expected: &[(State, &str)]| {
            let found = deviations(name, settings, Some(Duration::from_secs(86_400)));
            let found: Vec<_> = found.iter().map(|deviation| (deviation.state, deviation.what.as_str())).collect();
            assert_eq!(found, expected);
        };
        let check = |name: &str, change: fn(&mut TopicSettings), expected: &[(State, &str)]| {
            let mut settings = good();
            change(&mut settings);
            report(name, &settings, expected);
        };
        let copied = |change: fn(&mut Replication), expected: &str| {
            let mut settings = good();
            settings.replication.iter_mut().for_each(change);
            report("t", &settings, &[(State::Warn, expected)]);
        };
        check("t", |_| {}, &[]);
        check("t", |s| s.compacted = true, &[(State::Fail, "compacted")]);
        check(topics::RUNS, |s| s.compacted = true, &[]);
        check(topics::RUNS, |_| {}, &[(State::Warn, "not compacted")]);
        check(topics::ROUTING, |_| {}, &[(State::Warn, "not compacted")]);
        check("t", |s| s.retention_ms = Some(86_400_000), &[]);
        check("t", |s| s.retention_ms = Some(86_399_999), &[(State::Warn, "records are kept for 23 h")]);
        check("t", |s| s.retention_bytes = Some(9), &[(State::Warn, "9 bytes per partition are kept")]);
        check("t", |s| s.record_bytes_max = 1_048_588, &[(State::Warn, "records have 1048588 bytes at most")]);
        check("t", |s| s.replication = None, &[]);
        copied(|r| r.copies = 1, "one copy");
        copied(|r| r.in_sync_min = 1, "3 copies, one of which is enough");
        copied(|r| r.unclean_leader_election = true, "a copy that lacks records may take over");
    }
}
