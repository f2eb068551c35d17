//! Looks whether topics are there and kept as the services need them. Who made them may have had other things in mind.

use std::time::Duration;

use contracts::topics;
use platform::broker::{Broker, RECORD_BYTES_MAX, TopicInfo, TopicSettings};

use super::Check;

const WANTED: [&str; 4] = [topics::WIRE, topics::VALID, topics::DEAD_LETTERS, topics::RUNS];

pub fn checks(broker: &dyn Broker, all: &[TopicInfo], retention: Option<Duration>) -> Vec<Check> {
    let ours = all.iter().filter(|topic| WANTED.contains(&&*topic.name) || topics::is_wire(&topic.name));
    let mut checks = vec![of_presence(all)];
    let mut is_well = true;
    for topic in ours {
        match broker.topic_settings(&topic.name) {
            Ok(settings) => {
                let found = deviations(&topic.name, &settings, retention);
                is_well &= found.is_empty();
                checks.extend(found);
            }
            Err(error) => {
                is_well = false;
                let advice = format!("allow this account to describe the configuration of {}", topic.name);
                checks.push(Check::warn(SETTINGS, error.to_string(), advice));
            }
        }
    }
    if is_well && checks[0].advice.is_empty() {
        checks.push(Check::ok(SETTINGS, "nothing is removed, refused or lost sooner than it should"));
    }
    checks
}

fn of_presence(all: &[TopicInfo]) -> Check {
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
    Check::warn(NAME, found, "add partitions: a dead letter then has the partition of its source")
}

const SETTINGS: &str = "topic settings";

/// How a topic is not kept as it should be. What loses records fails; what may lose some, or refuse some, is a warning.
fn deviations(name: &str, settings: &TopicSettings, retention: Option<Duration>) -> Vec<Check> {
    let mut found = Vec::new();
    let is_runs = name == topics::RUNS;
    if settings.compacted && !is_runs {
        let advice =
            format!("set cleanup.policy=delete on {name}: of records with one key all but the newest are removed");
        found.push(Check::fail(SETTINGS, format!("{name} is compacted"), advice));
    }
    if !settings.compacted && is_runs {
        let advice = format!("set cleanup.policy=compact on {name}: it holds the newest state of every run");
        found.push(Check::warn(SETTINGS, format!("{name} is not compacted"), advice));
    }
    let mut warn = |is_so: bool, what: String, advice: &str| {
        if is_so {
            found.push(Check::warn(SETTINGS, format!("{name} {what}"), advice));
        }
    };
    let age = settings.retention_ms.map(Duration::from_millis);
    let is_shorter = age.is_some_and(|age| retention.is_none_or(|wanted| age < wanted));
    warn(
        is_shorter,
        format!("keeps records for {}", age.map(shown).unwrap_or_default()),
        "set its retention.ms to broker.retention, or that to it: a service that is away for longer loses records, and \
         replay reaches back no further",
    );
    warn(
        settings.retention_bytes.is_some(),
        format!("keeps {} bytes per partition", settings.retention_bytes.unwrap_or_default()),
        "set its retention.bytes to -1: records may go at any age, read or not",
    );
    warn(
        settings.record_bytes_max < RECORD_BYTES_MAX,
        format!("takes records of {} bytes at most", settings.record_bytes_max),
        &format!(
            "set its max.message.bytes to {RECORD_BYTES_MAX}: a larger record, or its dead letter, stops services"
        ),
    );
    if let Some(replication) = &settings.replication {
        warn(
            replication.copies < 2,
            "has one copy".to_owned(),
            "give it three, on a cluster of brokers: what a lost disk had is gone",
        );
        warn(
            replication.copies > 2 && replication.in_sync_min < 2,
            format!("takes records that only one of its {} copies has", replication.copies),
            "set its min.insync.replicas to 2",
        );
        warn(
            replication.unclean_leader_election,
            "lets a copy that lacks records take over".to_owned(),
            "set its unclean.leader.election.enable to false: records that were acknowledged can vanish",
        );
    }
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

    use super::super::State;
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
    fn each_deviation_is_told() {
        let told = |name: &str, settings: &TopicSettings, expected: &[(State, &str)]| {
            let found = deviations(name, settings, Some(Duration::from_secs(86_400)));
            let found: Vec<_> = found.iter().map(|check| (check.state, check.found.as_str())).collect();
            assert_eq!(found, expected);
        };
        let check = |name: &str, change: fn(&mut TopicSettings), expected: &[(State, &str)]| {
            let mut settings = good();
            change(&mut settings);
            told(name, &settings, expected);
        };
        let copied = |change: fn(&mut Replication), expected: &[(State, &str)]| {
            let mut settings = good();
            settings.replication.iter_mut().for_each(change);
            told("t", &settings, expected);
        };
        check("t", |_| {}, &[]);
        check("t", |s| s.compacted = true, &[(State::Fail, "t is compacted")]);
        check(topics::RUNS, |s| s.compacted = true, &[]);
        check(topics::RUNS, |_| {}, &[(State::Warn, "finops.runs is not compacted")]);
        check("t", |s| s.retention_ms = Some(86_400_000), &[]);
        check("t", |s| s.retention_ms = Some(86_399_999), &[(State::Warn, "t keeps records for 23 h")]);
        check("t", |s| s.retention_bytes = Some(9), &[(State::Warn, "t keeps 9 bytes per partition")]);
        check("t", |s| s.record_bytes_max = 1_048_588, &[(State::Warn, "t takes records of 1048588 bytes at most")]);
        check("t", |s| s.replication = None, &[]);
        copied(|r| r.copies = 1, &[(State::Warn, "t has one copy")]);
        copied(|r| r.in_sync_min = 1, &[(State::Warn, "t takes records that only one of its 3 copies has")]);
        copied(|r| r.unclean_leader_election = true, &[(State::Warn, "t lets a copy that lacks records take over")]);
    }
}
