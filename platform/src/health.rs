//! Whether a process lives and whether it works. A service beats its [`Pulse`] at every turn of its loop and says whether
//! the turn went well; [`Health`] judges all of them by their age. It is alive as long as its loop turns, also while it
//! waits for a broker that is away: a restart would not bring that back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// The sign of life of one service or dependency; clones are the same. The default reports to no one.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Option<Arc<Part>>);

#[derive(Debug)]
struct Part {
    name: &'static str,
    /// Silent for longer, it hangs; `None` for a dependency, whose silence is no reason for a restart.
    stalled_after: Option<Duration>,
    ready_within: Duration,
    started: Instant,
    beat_ms: AtomicU64,
    works: AtomicBool,
}

impl Pulse {
    /// The loop turned and all is well.
    pub fn works(&self) {
        self.beat(true);
    }

    /// The loop turned, but what it needs is away: it tries again.
    pub fn waits(&self) {
        self.beat(false);
    }

    /// Still at work on something long; whether it works is as before.
    pub fn busy(&self) {
        if let Some(part) = &self.0 {
            part.beat_ms.store(part.elapsed_ms(), Relaxed);
        }
    }

    fn beat(&self, works: bool) {
        if let Some(part) = &self.0 {
            part.works.store(works, Relaxed);
        }
        self.busy();
    }
}

impl Part {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> PartState {
        let silent = Duration::from_millis(self.elapsed_ms().saturating_sub(self.beat_ms.load(Relaxed)));
        PartState {
            name: self.name,
            alive: self.stalled_after.is_none_or(|limit| silent <= limit),
            ready: self.works.load(Relaxed) && silent <= self.ready_within,
            silent_ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// How one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartState {
    /// Service or dependency.
    pub name: &'static str,
    /// Its loop turns.
    pub alive: bool,
    /// It works.
    pub ready: bool,
    /// Time since its last sign of life.
    pub silent_ms: u64,
}

/// All parts of a process.
#[derive(Debug, Default)]
pub struct Health(Mutex<Vec<Arc<Part>>>);

impl Health {
    /// A service that hangs when silent for longer than `stalled_after`; ready once it has worked.
    pub fn service(&self, name: &'static str, stalled_after: Duration) -> Pulse {
        self.part(name, Some(stalled_after), stalled_after)
    }

    /// Something needed that is looked at now and then; ready when it worked within `ready_within`.
    pub fn dependency(&self, name: &'static str, ready_within: Duration) -> Pulse {
        self.part(name, None, ready_within)
    }

    fn part(&self, name: &'static str, stalled_after: Option<Duration>, ready_within: Duration) -> Pulse {
        let (beat_ms, works) = (AtomicU64::new(0), AtomicBool::new(false));
        let part = Arc::new(Part { name, stalled_after, ready_within, started: Instant::now(), beat_ms, works });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(part.clone());
        Pulse(Some(part))
    }

    /// How all parts are.
    #[must_use]
    pub fn states(&self) -> Vec<PartState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|part| part.state()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_service_is_ready_once_it_has_worked_and_hangs_when_silent() {
        let health = Health::default();
        let pulse = health.service("reader", Duration::from_millis(40));
        let check = |alive, ready| {
            let state = health.states().remove(0);
            assert_eq!((state.alive, state.ready), (alive, ready), "{state:?}");
        };
        check(true, false);
        pulse.works();
        check(true, true);
        pulse.waits();
        check(true, false);
        pulse.works();
        std::thread::sleep(Duration::from_millis(80));
        check(false, false);
        pulse.busy();
        check(true, true);
    }

    #[test]
    fn a_dependency_that_is_away_kills_no_process() {
        let health = Health::default();
        let broker = health.dependency("broker", Duration::from_millis(1));
        let reader = health.service("reader", LONG);
        broker.works();
        reader.works();
        std::thread::sleep(Duration::from_millis(20));
        let states = health.states();
        assert!(states.iter().all(|state| state.alive));
        assert_eq!(states.iter().map(|state| state.ready).collect::<Vec<_>>(), [false, true]);
    }
}
