//! Looks for what is wrong before it hurts: each check is one line that says how it is and, if not well, what to do. Checks of
//! the configuration need no network; those of the environment have a time-out each, so that one that hangs hides no other.

mod broker;
mod environment;
mod files;
mod offline;
mod permissions;
mod store;
mod topics;

use std::sync::mpsc::channel;
use std::time::Duration;

use platform::exit::ExitCode;
use serde::Serialize;

use crate::settings::Settings;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Ok,
    Warn,
    Fail,
}

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; empty when all is well.
    pub advice: String,
    /// Whether mending it means another configuration.
    #[serde(skip)]
    is_configuration: bool,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: String::new(), is_configuration: false }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warn, advice: advice.into(), ..Self::ok(name, found) }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::warn(name, found, advice) }
    }

    fn of_configuration(self) -> Self {
        Self { is_configuration: true, ..self }
    }
}

/// What to do about a broker or store that no run has made yet.
const NOT_YET: &str = "nothing to do: the first `finops run` or `finops up` makes it";

/// Makes all checks; those of the environment unless `is_offline`.
pub fn examine(settings: &Settings, is_offline: bool, timeout: Duration) -> Vec<Check> {
    let mut checks = offline::checks(settings);
    if !is_offline {
        checks.extend(environment::checks(settings, timeout));
    }
    checks
}

/// 0 when nothing fails, 78 when the configuration has to change, else 75: mend it and try again.
pub fn verdict(checks: &[Check]) -> ExitCode {
    let failed: Vec<_> = checks.iter().filter(|check| check.state == State::Fail).collect();
    match failed.iter().any(|check| check.is_configuration) {
        true => ExitCode::Configuration,
        false if failed.is_empty() => ExitCode::Done,
        false => ExitCode::TryAgain,
    }
}

/// The answer of `look`, or a failure after `timeout`; what hangs then is left behind and ends with the process.
fn within<T: Send + 'static>(
    name: &'static str,
    timeout: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Check> {
    let (answer, answers) = channel();
    std::thread::Builder::new().name(name.to_owned()).spawn(move || answer.send(look())).map_err(|error| {
        Check::fail(name, format!("no thread to look: {error}"), "look at the limits of this process")
    })?;
    answers.recv_timeout(timeout).map_err(|_| {
        let found = format!("no answer within {} s", timeout.as_secs());
        Check::fail(name, found, "look at address, network and firewall; --timeout waits longer")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides_the_exit_code() {
        let check = |checks: &[Check], expected| assert_eq!(verdict(checks), expected);
        let (ok, warn) = (Check::ok("a", ""), Check::warn("b", "", ""));
        let (fail, wrong) = (Check::fail("c", "", ""), Check::fail("d", "", "").of_configuration());
        check(&[ok.clone(), warn.clone()], ExitCode::Done);
        check(&[ok, fail.clone()], ExitCode::TryAgain);
        check(&[fail, warn, wrong], ExitCode::Configuration);
    }

    #[test]
    fn one_that_hangs_is_left_behind() {
        let late = within("broker", Duration::from_millis(20), || std::thread::sleep(Duration::from_secs(30)));
        assert_eq!(late.map_err(|check| (check.name, check.state)), Err(("broker", State::Fail)));
        assert_eq!(within("broker", Duration::from_secs(30), || 1), Ok(1));
    }
}
