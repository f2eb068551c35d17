//! `finops doctor`: what is wrong with configuration and environment, and what to do about it.

use std::time::Duration;

use clap::Args;
use platform::exit::ExitCode;
use serde_json::json;

use crate::doctor::{State, examine, verdict};
use crate::failure::Result;
use crate::output::{Output, Rows, print_text, print_value};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Only what can be said without asking broker and store
    #[arg(long)]
    pub offline: bool,
    /// Seconds each check of the environment may take
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
}

pub fn run(args: &DoctorArgs, settings: &Settings, output: Output) -> Result<ExitCode> {
    let checks = examine(settings, args.offline, Duration::from_secs(args.timeout));
    let state = |state: State| serde_json::to_value(state).unwrap_or_default();
    match output {
        Output::Table => {
            for check in &checks {
                let state = match check.state {
                    State::Ok => "ok  ",
                    State::Warn => "warn",
                    State::Fail => "fail",
                };
                print_text(&format!("{state} {}: {}\n", check.name, check.found))?;
                if !check.advice.is_empty() {
                    print_text(&format!("     → {}\n", check.advice))?;
                }
            }
        }
        Output::Json => print_value(&serde_json::to_value(&checks).unwrap_or_default(), output)?,
        _ => {
            let mut rows = Rows::new(&["name", "state", "found", "advice"]);
            for check in &checks {
                rows.push(vec![json!(check.name), state(check.state), json!(check.found), json!(check.advice)]);
            }
            rows.print(output)?;
        }
    }
    Ok(verdict(&checks))
}
