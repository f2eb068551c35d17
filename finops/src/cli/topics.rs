//! `finops topics list|alter|recreate`: topics, how they are kept, to keep them otherwise, and to create them again.

mod recreate;

use std::time::Duration;

use clap::{Args, Subcommand};
use contracts::{datasets, topics};
use platform::broker::{Broker, Limit, TopicChange, TopicInfo, TopicPartition, TopicSettings};
use platform::config::units;
use platform::exit::ExitCode;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::{Output, Rows, note, print_text};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;

/// Below this nothing could be read before it expires.
const RETENTION_MIN: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub enum TopicsVerb {
    /// All topics, with their partitions, records and limits
    List,
    /// Changes settings of a topic that exists; what is not named stays as it is
    Alter(AlterArgs),
    /// Creates the topics again after the broker was rolled back, with all that is no row yet
    Recreate(recreate::RecreateArgs),
}

#[derive(Debug, Args)]
pub struct AlterArgs {
    /// Topic
    pub topic: String,
    /// Age at which records expire: never, or a duration such as 24h or 7d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub retention: Option<Limit>,
    /// Bytes per partition above which the oldest records expire: all, or a size such as 10GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub retention_bytes: Option<Limit>,
    /// Number of partitions; it can only grow
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub partitions: Option<u32>,
    /// All validators are stopped: needed to add partitions to finops.findings.valid
    #[arg(long)]
    pub services_stopped: bool,
    /// Say what would be changed, and stop
    #[arg(long)]
    pub dry_run: bool,
}

pub fn run(verb: &TopicsVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    match verb {
        TopicsVerb::List => list(&*OpenPorts::broker_to_look(settings)?, output),
        TopicsVerb::Alter(args) => alter(args, settings, output),
        TopicsVerb::Recreate(args) => recreate::run(args, settings, output),
    }
}

fn list(broker: &dyn Broker, output: Output) -> Result<ExitCode> {
    let mut rows = Rows::new(&["topic", "partitions", "records", "retention", "bytes kept", "compacted", "copies"]);
    for topic in broker.topics()? {
        let kept = broker.topic_settings(&topic.name)?;
        let (age, bytes) = match output {
            Output::Table => (age(kept.retention_ms), bytes(kept.retention_bytes)),
            _ => (json!(kept.retention_ms), json!(kept.retention_bytes)),
        };
        rows.push(vec![
            json!(topic.name),
            json!(topic.partitions),
            json!(records(broker, &topic)?),
            age,
            bytes,
            json!(if kept.compacted { "yes" } else { "no" }),
            json!(kept.replication.map(|replication| replication.copies)),
        ]);
    }
    rows.print(output)?;
    Ok(ExitCode::Done)
}

/// Offsets that the topic holds; of a compacted topic some are no records.
fn records(broker: &dyn Broker, topic: &TopicInfo) -> Result<u64> {
    let mut sum = 0;
    for partition in 0..topic.partitions {
        let marks = broker.watermarks(&TopicPartition { topic: topic.name.clone(), partition })?;
        sum += marks.high.saturating_sub(marks.low);
    }
    Ok(sum)
}

fn alter(args: &AlterArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let change = TopicChange {
        partitions: args.partitions,
        retention_ms: args.retention,
        retention_bytes: args.retention_bytes,
    };
    if change == TopicChange::default() {
        return Err(Failure::usage("nothing to change: give --retention, --retention-bytes or --partitions"));
    }
    let broker = if args.dry_run { OpenPorts::broker_to_look(settings)? } else { OpenPorts::broker(settings)? };
    let all = broker.topics()?;
    let Some(topic) = all.iter().find(|topic| *topic.name == *args.topic) else {
        let names: Vec<_> = all.iter().map(|topic| &*topic.name).collect();
        return Err(Failure::usage(format!("there is no topic {}; there are: {}", args.topic, names.join(", "))));
    };
    let before = broker.topic_settings(&topic.name)?;
    check(&change, topic, &before, &all, args.services_stopped)?;
    let is_done = change.is_done(&before, topic.partitions);
    if !args.dry_run && !is_done {
        broker.alter_topic(&topic.name, &change)?;
    }
    print(&change, topic, &before, output)?;
    if output == Output::Table {
        print_text(match (is_done, args.dry_run) {
            (true, _) => "the topic has these settings already\n",
            (false, true) => "nothing was changed: --dry-run\n",
            (false, false) => "the topic was changed\n",
        })?;
    }
    if !is_done {
        advise(&change, topic, settings);
    }
    Ok(ExitCode::Done)
}

/// Refuses what no broker does, and more partitions where that would lose or double records.
fn check(
    change: &TopicChange,
    topic: &TopicInfo,
    kept: &TopicSettings,
    all: &[TopicInfo],
    services_are_stopped: bool,
) -> Result<()> {
    let name = &*topic.name;
    if let Some(why) = change.refusal(topic.partitions, kept.compacted) {
        return Err(Failure::usage(format!("topic {name} cannot be changed so: {why}")));
    }
    let Some(wanted) = change.partitions.filter(|wanted| *wanted > topic.partitions) else { return Ok(()) };
    if kept.compacted {
        return Err(Failure::usage(format!(
            "partitions of {name} cannot be added: it is compacted, and a key would have its newest record in two partitions"
        )));
    }
    let dead = all.iter().find(|topic| *topic.name == *topics::DEAD_LETTERS).map_or(0, |topic| topic.partitions);
    if topics::is_wire(name) && dead < wanted {
        return Err(Failure::usage(format!(
            "{} has {dead} partitions, and a dead letter keeps the partition of its source: first \
             `finops topics alter {0} --partitions {wanted}`",
            topics::DEAD_LETTERS
        )));
    }
    if name == topics::VALID && !services_are_stopped {
        return Err(Failure::usage(format!(
            "partitions of {name} may be added only while no validator runs: a tenant moves to another partition, and the sink \
             tells a record that comes twice by its order in one. Stop all validators (`finops up`, `finops validator run`, \
             `finops run`), give this command again with --services-stopped, then start them"
        )));
    }
    Ok(())
}

fn print(change: &TopicChange, topic: &TopicInfo, before: &TopicSettings, output: Output) -> Result<()> {
    let mut rows = Rows::new(&["topic", "setting", "before", "after"]);
    let is_table = output == Output::Table;
    let mut limit = |name: &str, before: Option<u64>, after: Option<Limit>, shown: fn(Option<u64>) -> Value| {
        if let Some(after) = after.map(Limit::value) {
            let value = |value| if is_table { shown(value) } else { json!(value) };
            rows.push(vec![json!(topic.name), json!(name), value(before), value(after)]);
        }
    };
    limit("retention", before.retention_ms, change.retention_ms, age);
    limit("retention-bytes", before.retention_bytes, change.retention_bytes, bytes);
    if let Some(after) = change.partitions {
        rows.push(vec![json!(topic.name), json!("partitions"), json!(topic.partitions), json!(after)]);
    }
    Ok(rows.print(output)?)
}

/// What else has to be done, on stderr.
fn advise(change: &TopicChange, topic: &TopicInfo, settings: &Settings) {
    let is_ours = topics::is_wire(&topic.name) || datasets::has_topic(&topic.name);
    let set = settings.retention.map(|age| Limit::AtMost(ports::millis(age)));
    let overrides = |set: &Limit| change.retention_ms.is_some_and(|wanted| wanted != *set);
    if let Some(set) = set.filter(|set| is_ours && settings.kafka.is_none() && overrides(set)) {
        note!(
            "warning: the setting broker.retention is {}: the next `finops run` or service applies it again; change or remove it there",
            age(set.value()).as_str().unwrap_or_default()
        );
    }
    if change.partitions.is_some() && is_ours {
        note!("services learn of partitions that are added when they start: start those that run again");
    }
}

fn age(ms: Option<u64>) -> Value {
    json!(ms.map_or_else(|| "never".to_owned(), |ms| units::show_duration(Duration::from_millis(ms))))
}

fn bytes(bytes: Option<u64>) -> Value {
    json!(bytes.map_or_else(|| "all".to_owned(), units::show_bytes))
}

/// A limit of age on the command line.
pub fn parse_age(text: &str) -> std::result::Result<Limit, String> {
    if text == "never" {
        return Ok(Limit::Unlimited);
    }
    let age = units::parse_duration(text).filter(|age| *age >= RETENTION_MIN);
    let age = age.ok_or("expected never, or a duration of 1s or more such as 90s, 24h or 7d")?;
    Ok(Limit::AtMost(ports::millis(age)))
}

/// A limit of bytes on the command line.
pub fn parse_bytes(text: &str) -> std::result::Result<Limit, String> {
    if text == "all" {
        return Ok(Limit::Unlimited);
    }
    let bytes = units::parse_bytes(text).filter(|bytes| *bytes > 0);
    Ok(Limit::AtMost(bytes.ok_or("expected all, or a size such as 512MiB or 10GiB")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_written_alike() {
        let check = |text: &str, expected: Option<Limit>| assert_eq!(parse_age(text).ok(), expected, "{text}");
        check("never", Some(Limit::Unlimited));
        check("1m", Some(Limit::AtMost(60_000)));
        check("7d", Some(Limit::AtMost(604_800_000)));
        check("0s", None);
        check("soon", None);
        assert_eq!(parse_bytes("1GiB"), Ok(Limit::AtMost(1 << 30)));
        assert_eq!(parse_bytes("all"), Ok(Limit::Unlimited));
        assert!(parse_bytes("0").is_err());
        let shown = |ms, expected: &str| assert_eq!(age(ms), json!(expected));
        shown(None, "never");
        shown(Some(60_000), "1m");
        shown(Some(90_000), "90s");
        shown(Some(604_800_000), "7d");
        shown(Some(1_500), "1500ms");
    }

    fn topic(name: &str, partitions: u32) -> TopicInfo {
        TopicInfo { name: name.into(), id: "1".into(), partitions }
    }

    #[test]
    fn partitions_are_added_only_where_nothing_is_lost_or_doubled() {
        let all = [topic(topics::WIRE, 4), topic(topics::VALID, 4), topic(topics::DEAD_LETTERS, 6), topic("own", 1)];
        let check = |name: &str, wanted, is_stopped, expected: Option<&str>| {
            let found = all.iter().find(|topic| *topic.name == *name).unwrap();
            let (compacted, record_bytes_max) = (name == topics::RUNS, 1);
            let kept = TopicSettings {
                compacted,
                retention_ms: None,
                retention_bytes: None,
                record_bytes_max,
                replication: None,
            };
            let change = TopicChange { partitions: Some(wanted), ..TopicChange::default() };
            let refused = super::check(&change, found, &kept, &all, is_stopped).err();
            let why = refused.as_ref().map_or("", Failure::message);
            assert_eq!(refused.is_some(), expected.is_some(), "{name} {wanted}: {why}");
            assert!(why.contains(expected.unwrap_or_default()), "{why}");
        };
        check(topics::WIRE, 6, false, None);
        check(topics::WIRE, 8, false, Some("first `finops topics alter finops.findings.dlq --partitions 8`"));
        check(topics::DEAD_LETTERS, 8, false, None);
        check(topics::VALID, 4, false, None);
        check(topics::VALID, 8, false, Some("--services-stopped"));
        check(topics::VALID, 8, true, None);
        check(topics::VALID, 2, true, Some("only become more"));
        check("own", 9, false, None);
    }
}
