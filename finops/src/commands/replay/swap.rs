//! `finops replay swap`.

use std::path::Path;
use std::time::Duration;

use platform::clock::SystemClock;
use platform::exit::ExitCode;
use sink::replay::swap::swap;

use crate::cli::Output;
use crate::failure::Result;
use crate::output::{print_text, print_value};
use crate::ports::{self, Ports};
use crate::settings::Settings;

pub fn run(with: &Path, allow_partial: bool, settings: &Settings, output: Output) -> Result<ExitCode> {
    let Ports { broker, store } = Ports::existing(settings)?;
    let fresh = ports::existing_root(with)?;
    // A service that was killed keeps its partitions for a session.
    let wait_max = settings.session_timeout + Duration::from_secs(5);
    let done = swap(&*broker, &*store, &*fresh, &SystemClock, allow_partial, wait_max)?;
    if output != Output::Table {
        print_value(&serde_json::to_value(&done).unwrap_or_default(), output)?;
        return Ok(ExitCode::Done);
    }
    print_text(&format!(
        "replay {} is in place in {}; the former data are in {}\n",
        done.id,
        store.location(),
        done.before
    ))?;
    if done.not_covered > 0 {
        print_text(&format!("{} record(s) of the former data are in no file now\n", done.not_covered))?;
    }
    print_text("services may be started again; they go on where the replay ended\n")?;
    Ok(ExitCode::Done)
}
