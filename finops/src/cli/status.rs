//! `finops status`: how far every service is, what was written last, what was refused lately, and which runs have arrived.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use contracts::dead_letter::header;
use contracts::topics;
use lake::cut::{Cut, RunFact};
use operations::inspect::{ChainView, inspect};
use platform::broker::lag::lag;
use platform::broker::{Broker, FileSize, TopicInfo, TopicPartition};
use platform::clock::{Clock, SystemClock};
use platform::config::units::show_size;
use platform::exit::ExitCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::failure::Result;
use crate::output::{Output, Rows, clear_screen, note, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;
use crate::watch::topics_of;

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Again every two seconds, until stopped
    #[arg(long)]
    pub watch: bool,
}

const GROUPS: [&str; 2] = [topics::groups::VALIDATOR, topics::groups::SINK];
/// Dead letters of each partition that are looked at: enough to see what is wrong now.
const RECENT_DEAD_LETTERS: u64 = 1_000;
/// Runs that are shown, newest first.
const RECENT_RUNS: usize = 10;
/// How often a watched status is refreshed.
const REFRESH: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Status {
    groups: Vec<GroupView>,
    chains: Vec<ChainView>,
    files: Vec<FilesView>,
    recent_dead_letters: Vec<CodeView>,
    /// The newest.
    runs: Vec<RunView>,
    runs_total: usize,
    /// Of the embedded broker.
    broker_file: Option<FileView>,
}

#[derive(Serialize)]
struct FileView {
    file_bytes: u64,
    live_bytes: u64,
    free_bytes: u64,
}

#[derive(Serialize)]
struct GroupView {
    group: &'static str,
    topic: String,
    partition: u32,
    position: u64,
    end: u64,
    lag: u64,
    oldest_age_ms: Option<i64>,
}

#[derive(Serialize)]
struct FilesView {
    dataset: String,
    files: u64,
    rows: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct CodeView {
    code: String,
    count: u64,
}

#[derive(Serialize)]
struct RunView {
    tenant: String,
    workspace: String,
    run_id: String,
    run_ts: String,
    status: Value,
    published: u64,
    delivered: u64,
    is_complete: bool,
}

pub fn run(args: &StatusArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let ports = OpenPorts::to_look(settings)?;
    if !args.watch {
        print(&status(&ports)?, output)?;
        return Ok(ExitCode::Done);
    }
    let shutdown = ports::stop_on_signals()?;
    loop {
        match status(&ports) {
            Ok(now) => {
                if output == Output::Table && std::io::stdout().is_terminal() {
                    clear_screen()?;
                }
                print(&now, output)?;
                std::io::stdout().flush()?;
            }
            // What is away may come back: that is one of the things to watch for.
            Err(failure) if failure.code() == ExitCode::Io => note!("{}; trying again", failure.message()),
            Err(failure) => return Err(failure),
        }
        if shutdown.wait_timeout(REFRESH) {
            return Ok(ExitCode::Done);
        }
    }
}

fn status(ports: &OpenPorts) -> Result<Status> {
    let OpenPorts { broker, store } = ports;
    let (topics, now_ms) = (broker.topics()?, SystemClock.now_ms());
    let mut groups = Vec::new();
    for group in GROUPS {
        for part in lag(&**broker, group, &topics_of(group, &topics))? {
            groups.push(GroupView {
                group,
                topic: part.at.topic.to_string(),
                partition: part.at.partition,
                position: part.position,
                end: part.end,
                lag: part.lag,
                oldest_age_ms: part.oldest_ms.map(|oldest| now_ms.saturating_sub(oldest).max(0)),
            });
        }
    }
    let inspection = inspect(&**store, Some(&**broker), None)?;
    let mut files: BTreeMap<String, FilesView> = BTreeMap::new();
    for folder in inspection.folders {
        let dataset = folder.dataset.clone();
        let none = FilesView { dataset: folder.dataset, files: 0, rows: 0, bytes: 0 };
        let sum = files.entry(dataset).or_insert(none);
        sum.files += folder.files;
        sum.rows += folder.rows;
        sum.bytes += folder.bytes;
    }
    let cut = Cut::committed(store.clone())?;
    for (tenant, error) in cut.unreadable() {
        note!("warning: {tenant} is not exported: {error}");
    }
    let mut runs = cut.runs;
    runs.sort_by(|a, b| b.run_ts.cmp(&a.run_ts));
    let runs_total = runs.len();
    Ok(Status {
        groups,
        chains: inspection.chains,
        files: files.into_values().collect(),
        recent_dead_letters: recent_dead_letters(&**broker, &topics)?,
        runs: runs.into_iter().take(RECENT_RUNS).map(run_view).collect(),
        runs_total,
        broker_file: broker.file_size()?.map(|FileSize { file_bytes, live_bytes, free_bytes, .. }| FileView {
            file_bytes,
            live_bytes,
            free_bytes,
        }),
    })
}

fn run_view(run: RunFact) -> RunView {
    RunView {
        status: serde_json::to_value(run.status).unwrap_or_default(),
        tenant: run.tenant_id,
        workspace: run.workspace_id,
        run_id: run.run_id,
        run_ts: run.run_ts,
        published: run.published,
        delivered: run.delivered,
        is_complete: run.is_complete,
    }
}

/// The last dead letters of each partition by code, the most frequent first.
fn recent_dead_letters(broker: &dyn Broker, topics: &[TopicInfo]) -> Result<Vec<CodeView>> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for topic in topics.iter().filter(|topic| *topic.name == *topics::DEAD_LETTERS) {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            let marks = broker.watermarks(&at)?;
            let mut next = marks.high.saturating_sub(RECENT_DEAD_LETTERS).max(marks.low);
            while next < marks.high {
                let messages = broker.read(&at, next, 1_000, 4 << 20)?;
                let Some(last) = messages.last() else { break };
                next = last.offset + 1;
                for message in &messages {
                    let code = message.header(header::ERROR_CODE).unwrap_or(b"unknown");
                    *counts.entry(String::from_utf8_lossy(code).into_owned()).or_default() += 1;
                }
            }
        }
    }
    let mut views: Vec<_> = counts.into_iter().map(|(code, count)| CodeView { code, count }).collect();
    views.sort_by_key(|view| std::cmp::Reverse(view.count));
    Ok(views)
}

fn print(status: &Status, output: Output) -> Result<()> {
    match output {
        Output::Table => print_tables(status),
        Output::Csv => Ok(groups(status).print(output)?),
        _ => Ok(print_value(&serde_json::to_value(status).unwrap_or_default(), output)?),
    }
}

fn groups(status: &Status) -> Rows {
    let mut rows =
        Rows::new(&["group", "topic", "partition", "position", "end", "lag", "oldest"]).may_lack(&["end", "position"]);
    for part in &status.groups {
        rows.push(vec![
            json!(part.group),
            json!(part.topic),
            json!(part.partition),
            json!(part.position),
            json!(part.end),
            json!(part.lag),
            json!(part.oldest_age_ms.map(age)),
        ]);
    }
    rows
}

fn print_tables(status: &Status) -> Result<()> {
    groups(status).print(Output::Table)?;
    let mut chains =
        Rows::new(&["written", "partition", "commits", "rows", "duplicates", "last commit"]).may_lack(&["duplicates"]);
    for chain in &status.chains {
        chains.push(vec![
            json!(chain.topic),
            json!(chain.partition),
            json!(chain.commits),
            json!(chain.rows),
            json!(chain.duplicates),
            json!(chain.committed_at),
        ]);
    }
    section(&chains)?;
    for broken in status.chains.iter().filter_map(|chain| chain.broken.as_ref()) {
        print_text(&format!("{broken}; `finops verify` tells more\n"))?;
    }
    let mut files = Rows::new(&["dataset", "files", "rows", "bytes"]);
    for sum in &status.files {
        files.push(vec![json!(sum.dataset), json!(sum.files), json!(sum.rows), json!(sum.bytes)]);
    }
    section(&files)?;
    if let Some(FileView { file_bytes, live_bytes, free_bytes }) = &status.broker_file {
        let mut file = Rows::new(&["broker file", "live", "free inside"]);
        file.push([file_bytes, live_bytes, free_bytes].map(|bytes| json!(show_size(*bytes))).to_vec());
        section(&file)?;
    }
    let mut codes = Rows::new(&["refused lately", "count"]);
    for code in &status.recent_dead_letters {
        codes.push(vec![json!(code.code), json!(code.count)]);
    }
    section(&codes)?;
    let mut runs = Rows::new(&["tenant", "workspace", "run", "status", "published", "arrived", "complete"])
        .may_lack(&["published", "arrived"]);
    for run in &status.runs {
        runs.push(vec![
            json!(run.tenant),
            json!(run.workspace),
            json!(run.run_id),
            run.status.clone(),
            json!(run.published),
            json!(run.delivered),
            json!(if run.is_complete { "yes" } else { "no" }),
        ]);
    }
    section(&runs)?;
    if status.runs.len() < status.runs_total {
        let (shown, total) = (status.runs.len(), status.runs_total);
        print_text(&format!("showing {shown} of {total} runs, newest first\n"))?;
    }
    Ok(())
}

/// A table below the others, unless there is nothing in it.
fn section(rows: &Rows) -> Result<()> {
    if rows.len() > 0 {
        print_text("\n")?;
        rows.print(Output::Table)?;
    }
    Ok(())
}

/// An age with its two largest units at most.
fn age(ms: i64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ages_are_short() {
        let check = |ms, expected: &str| assert_eq!(super::age(ms), expected);
        check(999, "0s");
        check(61_000, "1m1s");
        check(3_660_000, "1h1m");
        check(90_000_000, "1d1h");
    }
}
