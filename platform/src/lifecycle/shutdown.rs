//! The request to stop.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request to stop, made once and seen by every clone. Services look at it between two steps and wait
/// on it instead of sleeping.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    reason: Mutex<Option<String>>,
    changed: Condvar,
}

impl Shutdown {
    /// A token on which nothing is requested.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody to stop. The first reason stays.
    pub fn request(&self, reason: impl Into<String>) {
        let mut slot = self.lock();
        if slot.is_none() {
            *slot = Some(reason.into());
            self.0.changed.notify_all();
        }
    }

    /// True once a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.lock().is_some()
    }

    /// Why, once a stop was requested.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Waits until a stop is requested, at most `timeout`; true when it was.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.lock(), timeout, |reason| reason.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn every_clone_sees_the_first_reason() {
        let shutdown = Shutdown::new();
        let clone = shutdown.clone();
        assert!(!clone.is_requested());
        assert_eq!(clone.reason(), None);
        shutdown.request("first");
        clone.request("second");
        assert_eq!(clone.reason().as_deref(), Some("first"));
        assert!(shutdown.is_requested());
    }

    #[test]
    fn waits_no_longer_than_needed() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait_timeout(Duration::from_millis(5)));
        let waiting = shutdown.clone();
        let started = Instant::now();
        let waiter = std::thread::spawn(move || waiting.wait_timeout(Duration::from_secs(60)));
        shutdown.request("now");
        assert!(waiter.join().unwrap());
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
