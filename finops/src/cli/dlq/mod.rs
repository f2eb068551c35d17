//! `finops dlq list|show|stats`; `dlq redrive` is beside it.

mod page;
mod redrive;

use clap::{Args, Subcommand};
use contracts::topics;
use exporter::{DeadLetterFilter, DeadLetterScope, dead_letter_stats, list_dead_letters, show_dead_letter};
use lake::cut::Cut;
use platform::exit::ExitCode;
use serde_json::{Value, json};

use self::page::page;
use self::redrive::RedriveArgs;
use crate::failure::{Failure, Result};
use crate::output::{Output, Rows, note, print_text, print_value, quoted, width};
use crate::ports::OpenPorts;
use crate::settings::Settings;

/// Which dead letters. Each option may be repeated: any of its values matches.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which dead letters")]
pub struct DlqFilter {
    /// Only this tenant; _unknown for records that name none. list and stats find those, too, whose value or key names it, and
    /// mark them as unverified
    #[arg(long)]
    pub tenant: Vec<String>,
    /// Only this code
    #[arg(long)]
    pub code: Vec<String>,
    /// Only of this producer: its name, or a wire topic
    #[arg(long, value_name = "NAME")]
    pub producer: Vec<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN_ID")]
    pub run: Vec<String>,
    /// Only this source position, as `dlq list` prints it
    #[arg(long)]
    pub src: Vec<String>,
    /// First refused at or after: a time such as 2026-01-20T06:00:00Z, a date, or an age such as 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub since: Option<i64>,
    /// First refused before
    #[arg(long, value_name = "TIME", value_parser = crate::instant::parse)]
    pub until: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub enum DlqVerb {
    /// Dead letters, newest first
    List {
        /// At most this many; 0 for all
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u64,
        #[command(flatten)]
        filter: DlqFilter,
    },
    /// One dead letter with its violations and bytes
    Show {
        /// Source position, as `dlq list` prints it
        src: String,
    },
    /// How many, by code, field and topic
    Stats {
        #[command(flatten)]
        filter: DlqFilter,
    },
    /// Sends dead letters back to the topic they came from, each once
    Redrive(RedriveArgs),
}

pub fn run(verb: &DlqVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    if let DlqVerb::Redrive(args) = verb {
        return redrive::run(args, settings, output);
    }
    let store = OpenPorts::store_only(settings)?;
    let cut = Cut::committed(store)?;
    match verb {
        DlqVerb::List { filter, limit } => {
            let scope = DeadLetterScope::Operator(filter.tenant.clone());
            let filter = DeadLetterFilter { limit: (*limit > 0).then_some(*limit), ..query(filter) };
            let found = list_dead_letters(&cut, &scope, &filter, &settings.duck)?;
            let mut rows = Rows::new(&[&["src"][..], tenant_columns(output), LIST].concat()).may_lack(&[
                "run_id",
                "bytes",
                "first_seen",
                "tenant",
            ]);
            for letter in &found.items {
                let mut row = vec![json!(letter.src)];
                row.extend(tenant_cells(output, &letter.tenant_id, &letter.tenant_unverified, letter.tenant_shown()));
                row.extend([
                    json!(letter.error_code),
                    json!(letter.error_field),
                    json!(letter.error_detail),
                    json!(letter.run_id),
                    json!(letter.value_bytes),
                    json!(letter.first_seen_ts),
                ]);
                rows.push(row);
            }
            rows.print(output)?;
            let (shown, total) = (rows.len() as u64, found.total);
            let show = format!("`finops dlq show {} SRC` shows one", settings.flags());
            match (shown < total, output) {
                (true, _) => {
                    note!("showing {shown} of {total} dead letters, newest first; --limit 0 shows all; {show}")
                }
                (false, Output::Table) => note!("{shown} of {total} dead letters; {show}"),
                _ => {}
            }
        }
        DlqVerb::Show { src } => {
            let Some(letter) = show_dead_letter(&cut, &DeadLetterScope::Operator(Vec::new()), src, &settings.duck)?
            else {
                let list = format!("`finops dlq list {}` lists what there is", settings.flags());
                return Err(Failure::bad_input(format!("there is no dead letter of source {src}; {list}")));
            };
            match output {
                Output::Table => {
                    let next = format!("finops dlq redrive --src {} {}", quoted(src), settings.flags());
                    print_text(&page(&letter, &next, width()))?;
                }
                _ => print_value(&serde_json::to_value(letter).unwrap_or_default(), output)?,
            }
        }
        DlqVerb::Redrive(_) => {}
        DlqVerb::Stats { filter } => {
            let (first, last) = (["count", "code", "field"], ["topic", "first_seen", "last_seen"]);
            let mut rows = Rows::new(&[&first[..], tenant_columns(output), &last[..]].concat());
            let scope = DeadLetterScope::Operator(filter.tenant.clone());
            for stat in dead_letter_stats(&cut, &scope, &query(filter), &settings.duck)? {
                let mut row = vec![json!(stat.count), json!(stat.error_code), json!(stat.error_field)];
                row.extend(tenant_cells(output, &stat.tenant_id, &stat.tenant_unverified, stat.tenant_shown()));
                row.extend([json!(stat.src_topic), json!(stat.first_seen_ts), json!(stat.last_seen_ts)]);
                rows.push(row);
            }
            rows.print(output)?;
        }
    }
    Ok(ExitCode::Done)
}

const LIST: &[&str] = &["code", "field", "detail", "run_id", "bytes", "first_seen"];

/// A tenant that only the record itself names is marked for people, and apart for programs.
fn tenant_columns(output: Output) -> &'static [&'static str] {
    if output == Output::Table { &["tenant"] } else { &["tenant", "tenant_unverified"] }
}

fn tenant_cells(
    output: Output,
    tenant: &Option<String>,
    unverified: &Option<String>,
    shown: Option<String>,
) -> Vec<Value> {
    if output == Output::Table { vec![json!(shown)] } else { vec![json!(tenant), json!(unverified)] }
}

fn query(filter: &DlqFilter) -> DeadLetterFilter {
    DeadLetterFilter {
        error_code: filter.code.clone(),
        src_topic: filter.producer.iter().map(|name| topics::wire_of(name)).collect(),
        run_id: filter.run.clone(),
        src: filter.src.clone(),
        since_ms: filter.since,
        until_ms: filter.until,
        ..DeadLetterFilter::default()
    }
}
