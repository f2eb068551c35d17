//! `finops replay run --to`: validator and sink once more, in a lane of the replay's own, into a fresh root.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use contracts::topics::Lane;
use platform::broker::TopicPartition;
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::lifecycle::Shutdown;
use serde_json::{Value, json};
use sink::replay::{claim, make_lane, ranges};
use sink::resend::lock::Lock;

use super::records::asked;
use crate::cli::{Output, ReplayRunArgs};
use crate::failure::{Failure, Result};
use crate::output::{Rows, print_text, print_value};
use crate::ports::{self, Ports};
use crate::progress::watched;
use crate::settings::Settings;

pub fn run(root: &str, args: &ReplayRunArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let asked = asked(args)?;
    let mut validator = ports::validator_config(settings, validator::Until::Drained)?;
    let Ports { broker, store } = Ports::existing(settings)?;
    let ranges = ranges(&*broker, &asked)?;
    if args.dry_run {
        return plan(&ranges, output);
    }
    let fresh = ports::root(root)?;
    let claim = claim(&*fresh, &*store, &SystemClock, args.id.as_deref(), &asked)?;
    let lane = Lane::replay(&claim.id);
    let lock = Lock::take(&*broker, &format!("{}.lock", lane.validators))?;
    eprintln!("replay {} into {}", claim.id, fresh.location());
    make_lane(&*broker, &lane)?;

    let shutdown = ports::stop_on_signals()?;
    let (judged, written) = (Arc::new(validator::Counters::default()), Arc::new(sink::Counters::default()));
    let offsets: u64 = ranges.values().map(|range| range.end - range.start).sum();
    validator.lane = lane.clone();
    validator.selection = Some(validator::Selection { ranges, filter: asked.filter });
    let mut sink = ports::sink_config(settings, sink::Until::Drained);
    sink.lane = lane;
    alone(lock, &shutdown, || {
        watched(
            "judging",
            None,
            || judged.snapshot().read,
            || validator::run(&validator, &*broker, &SystemClock, &judged, &shutdown),
        )?;
        watched(
            "writing",
            None,
            || written.snapshot().read,
            || sink::run(&sink, &*broker, &*fresh, &SystemClock, &written, &shutdown),
        )?;
        Ok(())
    })?;
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
    print_text(&format!(
        "{valid} findings and {dead} dead letters were judged now; the fresh root is {root}\n\
         next: `finops replay compare --with {root}`, then `finops replay swap --with {root}`\n"
    ))?;
    Ok(())
}

/// Holds the lock while `work` goes on; stops it when the lock is lost.
fn alone(mut lock: Lock, shutdown: &Shutdown, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let done = Shutdown::new();
    thread::scope(|scope| {
        let holder = scope.spawn(|| {
            while !done.wait_timeout(Duration::from_secs(1)) {
                if let Err(error) = lock.beat() {
                    shutdown.request(error.to_string());
                    return Err(error);
                }
            }
            Ok(())
        });
        let outcome = work();
        done.request("done");
        outcome?;
        match holder.join() {
            Ok(held) => Ok(held?),
            Err(_) => Err(Failure::new(ExitCode::Bug, "the thread that holds the lock panicked")),
        }
    })
}

fn plan(ranges: &BTreeMap<TopicPartition, Range<u64>>, output: Output) -> Result<ExitCode> {
    let mut rows = Rows::new(&["topic", "partition", "from", "until", "offsets"]);
    for (at, range) in ranges {
        let count = range.end - range.start;
        rows.push(vec![json!(at.topic), json!(at.partition), json!(range.start), json!(range.end), json!(count)]);
    }
    rows.print(output)?;
    Ok(ExitCode::Done)
}
