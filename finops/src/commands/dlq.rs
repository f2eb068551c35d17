//! `finops dlq list|show|stats`; `dlq redrive` is beside it.

use contracts::topics;
use exporter::{Cut, DeadLetterFilter, dead_letter_stats, list_dead_letters, show_dead_letter};
use platform::exit::ExitCode;
use serde_json::json;

use crate::cli::{DlqFilter, DlqVerb, Output};
use crate::failure::{Failure, Result};
use crate::output::{Rows, print_value};
use crate::ports::Ports;
use crate::settings::Settings;

pub fn run(verb: &DlqVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    if let DlqVerb::Redrive(args) = verb {
        return super::redrive::run(args, settings, output);
    }
    let store = Ports::store_only(settings)?;
    let cut = Cut::committed(store)?;
    match verb {
        DlqVerb::List { filter, limit } => {
            let filter = DeadLetterFilter { limit: Some(*limit), ..query(filter) };
            let found = list_dead_letters(&cut, &filter, &settings.duck)?;
            let mut rows = Rows::new(&["src", "tenant", "code", "field", "detail", "run_id", "bytes", "first_seen"]);
            for letter in &found.items {
                rows.push(vec![
                    json!(letter.src),
                    json!(letter.tenant_id),
                    json!(letter.error_code),
                    json!(letter.error_field),
                    json!(letter.error_detail),
                    json!(letter.run_id),
                    json!(letter.value_bytes),
                    json!(letter.first_seen_ts),
                ]);
            }
            rows.print(output)?;
            if output == Output::Table {
                eprintln!("{} of {} dead letters; `finops dlq show SRC` tells all about one", rows.len(), found.total);
            }
        }
        DlqVerb::Show { src } => {
            let Some(letter) = show_dead_letter(&cut, src, &settings.duck)? else {
                return Err(Failure::bad_input(format!("there is no dead letter of source {src}")));
            };
            print_value(&serde_json::to_value(letter).unwrap_or_default(), output)?;
        }
        DlqVerb::Redrive(_) => {}
        DlqVerb::Stats { filter } => {
            let mut rows = Rows::new(&["count", "code", "field", "tenant", "topic", "first_seen", "last_seen"]);
            for stat in dead_letter_stats(&cut, &query(filter), &settings.duck)? {
                rows.push(vec![
                    json!(stat.count),
                    json!(stat.error_code),
                    json!(stat.error_field),
                    json!(stat.tenant_id),
                    json!(stat.src_topic),
                    json!(stat.first_seen_ts),
                    json!(stat.last_seen_ts),
                ]);
            }
            rows.print(output)?;
        }
    }
    Ok(ExitCode::Done)
}

fn query(filter: &DlqFilter) -> DeadLetterFilter {
    DeadLetterFilter {
        tenant_id: filter.tenant.clone(),
        error_code: filter.code.clone(),
        src_topic: filter.producer.iter().map(|name| topics::wire_of(name)).collect(),
        run_id: filter.run.clone(),
        src: filter.src.clone(),
        since_ms: filter.since,
        until_ms: filter.until,
        ..DeadLetterFilter::default()
    }
}
