//! Waiting between attempts: longer each time up to a bound, spread so that many clients do not return at
//! once, and over at once when a stop is asked for.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::lifecycle::Shutdown;

/// Delays of one sequence of attempts. Doubles from `first` to `max`; each delay lies between half and
/// all of that.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    /// A sequence that begins with `first` and never waits longer than `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, attempt: 0 }
    }

    /// How many delays were given since the start or [`reset`](Self::reset).
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempt
    }

    /// Begins again with the first delay: the last attempt worked.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }

    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        let delay = delay(self.first, self.max, self.attempt, RandomState::new().hash_one(self.attempt));
        self.attempt = self.attempt.saturating_add(1);
        delay
    }

    /// Waits for the next delay. Returns true when a stop was requested meanwhile: give up.
    #[must_use]
    pub fn wait(&mut self, shutdown: &Shutdown) -> bool {
        let delay = self.next_delay();
        shutdown.wait_timeout(delay)
    }
}

/// Pauses of whatever is tried until it works: soon at first, and never so long that a person wonders.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Repeats an attempt until it works or fails with an error that will not pass; `None` when a stop was requested before.
///
/// # Errors
/// The first error that `may_pass` denies.
pub fn until_stopped<T, E>(
    shutdown: &Shutdown,
    may_pass: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<Option<T>, E> {
    let mut backoff = Backoff::new(FIRST, LONGEST);
    loop {
        match attempt() {
            Ok(done) => return Ok(Some(done)),
            Err(error) if !may_pass(&error) => return Err(error),
            Err(_) if backoff.wait(shutdown) => return Ok(None),
            Err(_) => {}
        }
    }
}

/// Half of the bounded exponential, plus a random part of the other half.
fn delay(first: Duration, max: Duration, attempt: u32, random: u64) -> Duration {
    let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
    let half = first.saturating_mul(factor).min(max) / 2;
    let part = u32::try_from(random % 1_001).unwrap_or(0);
    half + half * part / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_bound_and_stays_in_the_band() {
        let check = |attempt: u32, random: u64, expected_ms: u64| {
            let found = delay(Duration::from_millis(100), Duration::from_secs(5), attempt, random);
            assert_eq!(found, Duration::from_millis(expected_ms), "attempt {attempt}, random {random}");
        };
        check(0, 0, 50);
        check(0, 1_000, 100);
        check(1, 500, 150);
        check(5, 1_000, 3_200);
        check(6, 1_000, 5_000);
        check(31, 0, 2_500);
        check(u32::MAX, 1_000, 5_000);
    }

    #[test]
    fn delays_of_two_clients_differ() {
        let spread: std::collections::HashSet<_> =
            (0..20).map(|_| Backoff::new(Duration::from_secs(10), Duration::from_secs(10)).next_delay()).collect();
        assert!(spread.len() > 1);
    }

    #[test]
    fn starts_again_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        while backoff.attempts() < 10 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_secs(1));
    }

    #[test]
    fn an_attempt_is_repeated_while_its_error_may_pass() {
        let check = |outcomes: &[Result<u32, &'static str>], expected: Result<Option<u32>, &'static str>| {
            let mut outcomes = outcomes.iter();
            let found = until_stopped(&Shutdown::new(), |error| *error == "busy", || *outcomes.next().unwrap());
            assert_eq!((found, outcomes.len()), (expected, 0));
        };
        check(&[Ok(1)], Ok(Some(1)));
        check(&[Err("busy"), Err("busy"), Ok(2)], Ok(Some(2)));
        check(&[Err("busy"), Err("damaged")], Err("damaged"));
        let stopped = Shutdown::new();
        stopped.request("test");
        assert_eq!(until_stopped(&stopped, |_| true, || Err::<(), _>("busy")), Ok(None));
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let shutdown = Shutdown::new();
        shutdown.request("test");
        let mut backoff = Backoff::new(Duration::from_secs(3_600), Duration::from_secs(3_600));
        assert!(backoff.wait(&shutdown));
    }
}
