//! Service threads that live and die together.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Shutdown;

/// While a stop takes longer than this, the services still running are named in the log, again and again.
const STOP_REMINDER: Duration = Duration::from_secs(10);

/// Whatever a service failed with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A service to be run on its own thread.
pub struct SupervisedService<T> {
    name: String,
    run: Box<dyn FnOnce(Shutdown) -> Result<T, BoxError> + Send>,
}

impl<T> SupervisedService<T> {
    /// A service named for people, and what it does until it is done or asked to stop.
    pub fn new<F, E>(name: impl Into<String>, run: F) -> Self
    where
        F: FnOnce(Shutdown) -> Result<T, E> + Send + 'static,
        E: Into<BoxError>,
    {
        Self { name: name.into(), run: Box::new(|shutdown| run(shutdown).map_err(Into::into)) }
    }
}

/// How a service ended.
#[derive(Debug)]
pub enum ServiceOutcome<T> {
    /// By itself or as asked, with this result.
    Done(T),
    /// With an error.
    Failed(BoxError),
    /// By a panic, with this message: a bug.
    Panicked(String),
}

/// One service that has ended.
#[derive(Debug)]
pub struct Ended<T> {
    /// Its name.
    pub name: String,
    /// How.
    pub outcome: ServiceOutcome<T>,
    /// How long it ran.
    pub after: Duration,
}

/// Runs all services until each has ended and says how, in the order in which they ended. When one fails
/// or panics, the others are asked to stop; one that is done leaves the others running.
pub fn supervise<T: Send + 'static>(services: Vec<SupervisedService<T>>, shutdown: &Shutdown) -> Vec<Ended<T>> {
    let (report, reports) = channel();
    let mut running: Vec<String> = services.iter().map(|s| s.name.clone()).collect();
    for service in services {
        start(service, shutdown, report.clone());
    }
    drop(report);
    let mut ended = Vec::with_capacity(running.len());
    while let Some(one) = next(&reports, shutdown, &running) {
        running.retain(|name| *name != one.name);
        log(&one);
        if let Some(why) = failure(&one) {
            shutdown.request(why);
        }
        ended.push(one);
    }
    ended
}

/// The first service that failed or panicked, and why; `None` when all are done.
#[must_use]
pub fn first_failure<T>(ended: &[Ended<T>]) -> Option<String> {
    ended.iter().find_map(failure)
}

fn start<T: Send + 'static>(service: SupervisedService<T>, shutdown: &Shutdown, report: Sender<Ended<T>>) {
    let SupervisedService { name, run } = service;
    let started = Instant::now();
    let (thread_name, thread_report, shutdown) = (name.clone(), report.clone(), shutdown.clone());
    let body = move || {
        // Nothing of the service outlives the panic but its message.
        let outcome = match catch_unwind(AssertUnwindSafe(|| run(shutdown))) {
            Ok(Ok(result)) => ServiceOutcome::Done(result),
            Ok(Err(error)) => ServiceOutcome::Failed(error),
            Err(panic) => ServiceOutcome::Panicked(message(panic.as_ref())),
        };
        // The supervisor listens until every sender is dropped.
        let _ = thread_report.send(Ended { name: thread_name, outcome, after: started.elapsed() });
    };
    if let Err(error) = thread::Builder::new().name(name.clone()).spawn(body) {
        let outcome = ServiceOutcome::Failed(format!("starting its thread: {error}").into());
        let _ = report.send(Ended { name, outcome, after: started.elapsed() });
    }
}

fn next<T>(reports: &Receiver<Ended<T>>, shutdown: &Shutdown, running: &[String]) -> Option<Ended<T>> {
    loop {
        match reports.recv_timeout(STOP_REMINDER) {
            Ok(ended) => return Some(ended),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if shutdown.is_requested() => {
                tracing::warn!(services = running.join(", "), "still stopping");
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn failure<T>(ended: &Ended<T>) -> Option<String> {
    match &ended.outcome {
        ServiceOutcome::Done(_) => None,
        ServiceOutcome::Failed(error) => Some(format!("{} failed: {}", ended.name, chain(error.as_ref()))),
        ServiceOutcome::Panicked(message) => Some(format!("{} panicked: {message}", ended.name)),
    }
}

fn log<T>(ended: &Ended<T>) {
    let after_ms = u64::try_from(ended.after.as_millis()).unwrap_or(u64::MAX);
    match failure(ended) {
        None => tracing::info!(service = ended.name, after_ms, "service ended"),
        Some(why) => tracing::error!(service = ended.name, after_ms, "{why}"),
    }
}

/// An error with its causes, leaving out a cause that its parent's message ends with already.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = inner.source();
    }
    text
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn waiting(name: &str) -> SupervisedService<&'static str> {
        SupervisedService::new(name, |shutdown| match shutdown.wait_timeout(LONG) {
            true => Ok::<_, BoxError>("stopped"),
            false => Err("was never asked to stop".into()),
        })
    }

    fn summary(ended: &[Ended<&'static str>]) -> Vec<String> {
        let how = |e: &Ended<&'static str>| failure(e).unwrap_or_else(|| format!("{} done", e.name));
        ended.iter().map(how).collect()
    }

    #[test]
    fn one_failure_stops_all_and_comes_first() {
        let shutdown = Shutdown::new();
        let failing = SupervisedService::new("reader", |_| Err(std::io::Error::other("disk on fire")));
        let ended = supervise(vec![waiting("writer"), failing], &shutdown);
        assert_eq!(summary(&ended), ["reader failed: disk on fire", "writer done"]);
        assert_eq!(first_failure(&ended).as_deref(), Some("reader failed: disk on fire"));
        assert_eq!(shutdown.reason().as_deref(), Some("reader failed: disk on fire"));
        assert!(ended.iter().all(|e| e.after < LONG));
    }

    #[test]
    fn a_panic_is_caught_with_its_message() {
        let shutdown = Shutdown::new();
        let panicking = SupervisedService::new("archiver", |_| -> Result<_, BoxError> { panic!("index {} of 2", 3) });
        let ended = supervise(vec![panicking, waiting("reader")], &shutdown);
        assert_eq!(summary(&ended), ["archiver panicked: index 3 of 2", "reader done"]);
        assert!(matches!(ended[1].outcome, ServiceOutcome::Done("stopped")));
    }

    #[test]
    fn one_that_is_done_leaves_the_others_running() {
        let shutdown = Shutdown::new();
        let later = shutdown.clone();
        let short = SupervisedService::new("producers", |_| Ok::<_, BoxError>("published"));
        let asker = SupervisedService::new("asker", move |s| {
            let early = s.wait_timeout(Duration::from_millis(50));
            later.request("test is over");
            if early { Err("stopped too early") } else { Ok("asked") }
        });
        let ended = supervise(vec![waiting("reader"), short, asker], &shutdown);
        assert_eq!(ended.len(), 3);
        assert_eq!(ended[0].name, "producers");
        assert_eq!(first_failure(&ended), None);
    }

    #[test]
    fn causes_are_reported_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("writing batch")]
        struct Outer(#[source] std::io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("writing batch: {0}")]
        struct Telling(#[source] std::io::Error);
        assert_eq!(chain(&Outer(std::io::Error::other("no room"))), "writing batch: no room");
        assert_eq!(chain(&Telling(std::io::Error::other("no room"))), "writing batch: no room");
    }

    #[test]
    fn nothing_to_run_ends_at_once() {
        assert!(supervise(Vec::<SupervisedService<()>>::new(), &Shutdown::new()).is_empty());
    }
}
