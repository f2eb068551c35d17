//! Runs one piece of work so that neither a panic nor a hang of it stops the run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use platform::lifecycle::Shutdown;

/// How often a stop request is looked for while work is waited for.
const TICK: Duration = Duration::from_millis(50);

/// Why supervised work gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// It took too long; its thread is left to itself.
    #[error("not done within {} s", .0.as_secs_f32())]
    Deadline(Duration),
    /// The run was asked to stop; its thread is left to itself.
    #[error("stopped")]
    Stopped,
    /// It panicked.
    #[error("bug: {0}")]
    Panic(String),
    /// It could not be started.
    #[error("cannot start a thread: {0}")]
    Start(String),
}

/// Runs `work` on a thread of its own for at most `deadline`, and no longer than until a stop is requested.
///
/// # Errors
/// What kept it from giving a result.
pub fn supervise<T: Send + 'static>(
    name: &str,
    deadline: Duration,
    shutdown: &Shutdown,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskError> {
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let handle = thread
        .spawn(move || {
            let outcome = catch_unwind(AssertUnwindSafe(work));
            // No receiver is left once the deadline has passed.
            drop(sender.send(outcome));
        })
        .map_err(|e| TaskError::Start(e.to_string()))?;
    let started = Instant::now();
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        match receiver.recv_timeout(left.min(TICK)) {
            Ok(outcome) => {
                drop(handle.join());
                return outcome.map_err(|panic| TaskError::Panic(panic_text(panic.as_ref())));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(TaskError::Panic("it ended without a result".into())),
            Err(RecvTimeoutError::Timeout) if shutdown.is_requested() => return Err(TaskError::Stopped),
            Err(RecvTimeoutError::Timeout) if left <= TICK => return Err(TaskError::Deadline(deadline)),
            Err(RecvTimeoutError::Timeout) => {}
        }
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
        assert_eq!(supervise("t", Duration::from_secs(5), &Shutdown::new(), || 7), Ok(7));
    }

    #[test]
    fn a_panic_is_a_task_error() {
        let outcome = supervise("t", Duration::from_secs(5), &Shutdown::new(), || panic!("boom {}", 1));
        assert_eq!(outcome, Err::<(), _>(TaskError::Panic("boom 1".into())));
    }

    #[test]
    fn a_hang_is_a_task_error() {
        let deadline = Duration::from_millis(20);
        let outcome = supervise("t", deadline, &Shutdown::new(), || std::thread::sleep(Duration::from_secs(3)));
        assert_eq!(outcome, Err(TaskError::Deadline(deadline)));
    }

    #[test]
    fn a_stop_ends_waiting_long_before_the_deadline() {
        let shutdown = Shutdown::new();
        let (asked, waiting) = (shutdown.clone(), Shutdown::new());
        let work = move || {
            asked.request("test");
            waiting.wait_timeout(Duration::from_secs(600))
        };
        let started = Instant::now();
        assert_eq!(supervise("t", Duration::from_secs(600), &shutdown, work), Err(TaskError::Stopped));
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
