//! The operator of a command.

use platform::clock::Clock;
use platform::lifecycle::Shutdown;

/// Who gave the command, and what can stop it.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    /// Name, for the audit record.
    pub by: &'a str,
    /// Time of the audit record.
    pub clock: &'a dyn Clock,
    /// Asked to stop.
    pub shutdown: &'a Shutdown,
}
