//! `finops replay run --to`: validator and sink once more, in pipeline topics of the replay's own, into a fresh root.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use contracts::claims::Producers;
use contracts::topics::PipelineTopics;
use contracts::wire_filter::WireFilter;
use operations::replay::{claim, claim_pipeline_topics, create_pipeline_topics, look};
use operations::resend::lock::Lock;
use operations::selection::{matching, ranges};
use platform::broker::{Broker, TopicPartition};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::progress::Unit;
use platform::service::Until;
use serde_json::{Value, json};
use uuid::Uuid;
use validator::ValidatorError;

use super::ReplayRunArgs;
use super::records::{check, request};
use crate::failure::{Failure, Result};
use crate::output::{Output, Rows, note, print_text, print_value, quoted};
use crate::ports::{self, OpenPorts};
use crate::progress::watched;
use crate::settings::Settings;

pub fn run(root: &str, args: &ReplayRunArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let request = request(args)?;
    let mut validator = ports::validator_config(settings, Until::Drained)?;
    let OpenPorts { broker, store } = OpenPorts::existing(settings)?;
    check(&request, &*broker)?;
    let ranges = ranges(&*broker, &request)?;
    if args.dry_run {
        // One that is not there yet will be made.
        if let Ok(fresh) = ports::existing_root(root, settings) {
            look(&*fresh, &*store, args.id.as_deref(), &request)?;
        }
        return plan(&*broker, &ranges, &request.filter, &validator.policies, output);
    }
    let fresh = ports::root(root, settings)?;
    let id = match (look(&*fresh, &*store, args.id.as_deref(), &request)?, &args.id) {
        (Some(begun), _) => begun.id,
        (None, Some(id)) => id.clone(),
        (None, None) => Uuid::new_v4().simple().to_string()[..12].to_owned(),
    };
    let pipeline_topics = PipelineTopics::replay(&id);
    let shutdown = ports::stop_on_signals()?;
    let mut lock = Lock::take(&*broker, &format!("{}.lock", pipeline_topics.validators), &shutdown)?;
    claim_pipeline_topics(&mut lock, &*fresh)?;
    let claim = claim(&*fresh, &*store, &SystemClock, &id, &request, &args.by)?;
    note!("replay {} into {}", claim.id, fresh.location());
    create_pipeline_topics(&*broker, &pipeline_topics)?;

    let (judged, written) =
        (Arc::new(validator::ValidatorCounters::default()), Arc::new(sink::SinkCounters::default()));
    let offsets: u64 = ranges.values().map(|range| range.end - range.start).sum();
    validator.pipeline_topics = pipeline_topics.clone();
    validator.selection = Some(validator::Selection { ranges, filter: request.filter });
    let mut sink = ports::sink_config(settings, Until::Drained);
    sink.pipeline_topics = pipeline_topics;
    let deps = validator::ValidatorDeps { broker: &*broker, clock: &SystemClock, counters: &judged };
    let judge = || validator::run(&validator, deps, &shutdown);
    watched("judging", Unit::Things("records"), None, || judged.snapshot().read, judge).map_err(judging_failed)?;
    let deps = sink::SinkDeps { broker: &*broker, store: &*fresh, clock: &SystemClock, counters: &written };
    let write = || sink::run(&sink, deps, &shutdown);
    watched("writing", Unit::Things("records"), None, || written.snapshot().read, write)?;
    lock.check()?;
    if shutdown.is_requested() {
        let why = "stopped before everything was replayed; the same command goes on from here";
        return Err(Failure::new(ExitCode::TryAgain, why));
    }
    let judged = judged.snapshot();
    let done = json!({
        "id": claim.id,
        "root": fresh.location(),
        "offsets": offsets,
        "judged": { "valid": judged.valid, "dead": judged.dead },
        "written": written.snapshot(),
    });
    print_done(&done, output)?;
    Ok(ExitCode::Done)
}

fn print_done(done: &Value, output: Output) -> Result<()> {
    if output != Output::Table {
        return Ok(print_value(done, output)?);
    }
    let root = done["root"].as_str().unwrap_or_default();
    let (valid, dead) = (&done["judged"]["valid"], &done["judged"]["dead"]);
    let with = quoted(root);
    print_text(&format!(
        "{valid} findings and {dead} dead letters were judged now; the fresh root is {root}\n\
         next: `finops replay compare --with {with}`, then `finops replay swap --with {with}`\n"
    ))?;
    Ok(())
}

/// What retention takes from a replay is not lost: the current root has it.
fn judging_failed(error: ValidatorError) -> Failure {
    match error {
        ValidatorError::RecordsExpired { topic, partition, from, low } => Failure::new(
            ExitCode::TryAgain,
            format!(
                "records {from} to {low} (exclusive) of {topic}/{partition} left the broker before they were replayed: \
                 only the current root has them. The same command resumes after them"
            ),
        ),
        other => other.into(),
    }
}

/// Records are counted only when not all are meant: for that they have to be read.
fn plan(
    broker: &dyn Broker,
    ranges: &BTreeMap<TopicPartition, Range<u64>>,
    filter: &WireFilter,
    producers: &dyn Producers,
    output: Output,
) -> Result<ExitCode> {
    let mut rows = Rows::new(&["topic", "partition", "from", "until", "offsets", "matching"]);
    for (at, range) in ranges {
        let offsets = range.end - range.start;
        let matching = if filter.is_empty() { None } else { Some(matching(broker, at, range, filter, producers)?) };
        rows.push(vec![
            json!(at.topic),
            json!(at.partition),
            json!(range.start),
            json!(range.end),
            json!(offsets),
            json!(matching),
        ]);
    }
    rows.print(output)?;
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_retention_took_from_a_replay_needs_no_change_of_the_live_group() {
        let expired = ValidatorError::RecordsExpired { topic: "wire".into(), partition: 1, from: 3, low: 7 };
        let failure = judging_failed(expired);
        assert_eq!(failure.code(), ExitCode::TryAgain);
        assert!(failure.message().starts_with("records 3 to 7 (exclusive) of wire/1"), "{}", failure.message());
        assert!(!failure.message().contains("--skip-expired"), "{}", failure.message());
    }
}
