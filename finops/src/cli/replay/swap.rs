//! `finops replay swap` and `finops replay hand-over`.

use std::time::Duration;

use platform::clock::SystemClock;
use platform::exit::ExitCode;
use serde::Serialize;

use super::SwapArgs;
use crate::failure::Result;
use crate::output::{Output, print_text, print_value};
use crate::ports::{self, OpenPorts};
use crate::settings::Settings;

pub fn swap(args: &SwapArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let OpenPorts { broker, store } = OpenPorts::existing(settings)?;
    let fresh = ports::existing_root(&args.with, settings)?;
    let (partial, wait_max) = (args.allow_partial, wait_max(settings));
    let done = operations::replay::swap::swap(&*broker, &*store, &*fresh, &SystemClock, partial, wait_max, &args.by)?;
    let text = format!(
        "replay {} is in place in {}; the former data are in {}\n\
         services may be started again; they go on where the replay ended\n",
        done.id,
        store.location(),
        done.before
    );
    print(&done, &text, done.not_covered, output)
}

pub fn hand_over(args: &SwapArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let OpenPorts { broker, store } = OpenPorts::existing(settings)?;
    let fresh = ports::existing_root(&args.with, settings)?;
    let (partial, wait_max) = (args.allow_partial, wait_max(settings));
    let done = operations::replay::hand_over::hand_over(
        &*broker,
        &*store,
        &*fresh,
        &SystemClock,
        partial,
        wait_max,
        &args.by,
    )?;
    let text = format!(
        "the root is {} from now on: give it to the services as their store, then start them\n\
         {} stays as it is; {} run manifests, cost facts and audit records were copied\n",
        done.root,
        store.location(),
        done.copied
    );
    print(&done, &text, done.not_covered, output)
}

/// A service that was killed keeps its partitions for a session.
fn wait_max(settings: &Settings) -> Duration {
    settings.session_timeout + Duration::from_secs(5)
}

fn print(done: &impl Serialize, text: &str, not_covered: u64, output: Output) -> Result<ExitCode> {
    if output != Output::Table {
        print_value(&serde_json::to_value(done).unwrap_or_default(), output)?;
        return Ok(ExitCode::Done);
    }
    print_text(text)?;
    if not_covered > 0 {
        print_text(&format!("{not_covered} record(s) of the former data are in no file of the new root\n"))?;
    }
    Ok(ExitCode::Done)
}
