//! What became of a transaction whose end was not confirmed, and how long that is looked for. Pure: looks, clock and pauses come in.

use std::time::Duration;

use tracing::warn;

use crate::broker::{BrokerError, Result};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// While the answer cannot be seen.
    pub hidden: Duration,
    /// While the cluster cannot be asked.
    pub unreachable: Duration,
}

impl Patience {
    /// Longer than Kafka's default transaction time-out (60 s): an open transaction of another producer that hides the answer
    /// usually ends within it.
    pub const FOR_RECORDS: Self = Self { hidden: Duration::from_secs(120), unreachable: Duration::from_secs(120) };
    /// A step that moves offsets of a group: these offsets tell it for certain, so a hidden answer is not waited for.
    pub const FOR_OFFSETS: Self = Self { hidden: Duration::from_secs(1), ..Self::FOR_RECORDS };
}

/// The time since the first look, and waiting.
pub(super) trait Clock {
    fn elapsed(&self) -> Duration;
    fn pause(&self, pause: Duration);
}

/// Whether the transaction was committed. A look says `None` when that cannot be seen; an open transaction of another producer
/// hides it, or retention has removed the records.
///
/// # Errors
/// [`BrokerError::Uncertain`] when patience ends. That it is hidden never means that it was not committed.
pub(super) fn is_committed(
    patience: Patience,
    doing: &str,
    clock: &impl Clock,
    mut look: impl FnMut() -> Result<Option<bool>>,
) -> Result<bool> {
    let uncertain = |reason: String| Err(BrokerError::Uncertain { doing: doing.to_owned(), reason });
    let mut is_reported = false;
    loop {
        match look() {
            Ok(Some(is_committed)) => return Ok(is_committed),
            Ok(None) if clock.elapsed() < patience.hidden => {
                if !is_reported {
                    warn!(
                        doing,
                        "an open transaction of another producer hides what became of a transaction: waiting for its end"
                    );
                    is_reported = true;
                }
            }
            Ok(None) => {
                let waited = patience.hidden.as_secs();
                return uncertain(format!(
                    "after {waited} s its records still lie behind an open transaction of another producer, or retention has \
                     removed them; `kafka-transactions.sh find-hanging` names transactions that hang"
                ));
            }
            Err(error) if error.is_retriable() && clock.elapsed() < patience.unreachable => {
                warn!(%error, doing, "cannot tell yet what became of a transaction");
            }
            Err(error) => return uncertain(error.to_string()),
        }
        clock.pause(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Passes only while it is waited for.
    #[derive(Default)]
    struct Stopped(Cell<Duration>);

    impl Clock for Stopped {
        fn elapsed(&self) -> Duration {
            self.0.get()
        }
        fn pause(&self, pause: Duration) {
            self.0.set(self.0.get() + pause);
        }
    }

    const SHORT: Patience = Patience { hidden: Duration::from_secs(2), unreachable: Duration::from_secs(5) };

    fn down() -> BrokerError {
        BrokerError::Retriable { doing: "asking".to_owned(), reason: "no broker".to_owned() }
    }

    /// The outcome, as words, and how long it took.
    fn outcome(look: impl Fn(Duration) -> Result<Option<bool>>) -> (String, Duration) {
        let clock = Stopped::default();
        let found = is_committed(SHORT, "appending records", &clock, || look(clock.elapsed()));
        let words = match found {
            Ok(is_committed) => format!("committed: {is_committed}"),
            Err(BrokerError::Uncertain { reason, .. }) => format!("uncertain: {reason}"),
            Err(other) => format!("another error: {other}"),
        };
        (words, clock.elapsed())
    }

    #[test]
    fn what_stays_hidden_is_uncertain_after_a_bounded_wait_and_never_not_committed() {
        let check = |look: fn(Duration) -> Result<Option<bool>>, expected: &str, took_ms: u64| {
            let (words, took) = outcome(look);
            assert!(words.starts_with(expected), "{words}, expected {expected}");
            assert_eq!(took, Duration::from_millis(took_ms), "{words}");
        };
        check(|_| Ok(Some(true)), "committed: true", 0);
        check(|_| Ok(Some(false)), "committed: false", 0);
        check(|_| Ok(None), "uncertain: after 2 s its records still lie behind an open transaction", 2_000);
        // The foreign transaction ends just in time.
        check(|now| Ok((now >= Duration::from_millis(1_750)).then_some(true)), "committed: true", 1_750);
        check(|now| Ok((now >= Duration::from_millis(1_750)).then_some(false)), "committed: false", 1_750);
        check(|_| Err(down()), "uncertain: asking: no broker", 5_000);
        // A cluster that is back says that it is hidden, when no caller waits for that any more.
        check(|now| if now < Duration::from_secs(3) { Err(down()) } else { Ok(None) }, "uncertain: after 2 s", 3_000);
        check(
            |_| Err(BrokerError::Fenced { doing: "asking".to_owned() }),
            "uncertain: asking: this member was fenced",
            0,
        );
    }

    #[test]
    fn records_are_waited_for_longer_than_a_transaction_lasts_by_default() {
        assert!(Patience::FOR_RECORDS.hidden > Duration::from_secs(60));
        assert!(Patience::FOR_OFFSETS.hidden < Duration::from_secs(5));
    }
}
