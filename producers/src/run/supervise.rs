//! Runs one piece of work so that neither a panic nor a hang of it stops the run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Why supervised work gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mishap {
    /// It took too long; its thread is left to itself.
    #[error("not done within {} s", .0.as_secs_f32())]
    Deadline(Duration),
    /// It panicked.
    #[error("bug: {0}")]
    Panic(String),
    /// It could not be started.
    #[error("cannot start a thread: {0}")]
    Start(String),
}

/// Runs `work` on a thread of its own for at most `deadline`.
///
/// # Errors
/// What kept it from giving a result.
pub fn supervise<T: Send + 'static>(
    name: &str,
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Mishap> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let handle = thread
        .spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            // Nobody listens any more once the deadline has passed.
            drop(sender.send(outcome));
        })
        .map_err(|e| Mishap::Start(e.to_string()))?;
    match receiver.recv_timeout(deadline) {
        Ok(outcome) => {
            drop(handle.join());
            outcome.map_err(|panic| Mishap::Panic(panic_text(panic.as_ref())))
        }
        Err(RecvTimeoutError::Timeout) => Err(Mishap::Deadline(deadline)),
        Err(RecvTimeoutError::Disconnected) => Err(Mishap::Panic("it ended without a result".into())),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_comes_through() {
        assert_eq!(supervise("t", Duration::from_secs(5), || 7), Ok(7));
    }

    #[test]
    fn a_panic_is_a_mishap() {
        let outcome = supervise("t", Duration::from_secs(5), || panic!("boom {}", 1));
        assert_eq!(outcome, Err::<(), _>(Mishap::Panic("boom 1".into())));
    }

    #[test]
    fn a_hang_is_a_mishap() {
        let deadline = Duration::from_millis(20);
        let outcome = supervise("t", deadline, || std::thread::sleep(Duration::from_secs(3)));
        assert_eq!(outcome, Err(Mishap::Deadline(deadline)));
    }
}
