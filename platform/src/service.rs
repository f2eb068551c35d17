//! The loop of a service that reads topics as a member of a group: polls, and what becomes of a poll that failed. What a service does
//! with records is its own.

use std::time::Duration;

use tracing::warn;

use crate::broker::{BrokerError, Polled};
use crate::lifecycle::Shutdown;

/// How long a poll waits for something to come.
pub const POLL_TIMEOUT: Duration = Duration::from_millis(200);
/// Before a topic that is not there is asked for again.
const TOPIC_PAUSE: Duration = Duration::from_secs(1);

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When a stop is requested.
    Shutdown,
    /// When everything that was on the topics at the start is done, by this or another member.
    Drained,
}

/// Records that the broker has removed before this member read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// First one that expired.
    pub from: u64,
    /// Oldest one still there.
    pub low: u64,
}

/// What [`serve`] needs of a service.
pub trait Member {
    /// What the service cannot go on from.
    type Error: From<BrokerError> + std::fmt::Display;
    /// What the log calls it.
    const NAME: &'static str;

    /// Waits for an event.
    ///
    /// # Errors
    /// The broker's.
    fn poll(&mut self, timeout: Duration) -> Result<Polled, BrokerError>;

    /// Something came, or nothing did.
    ///
    /// # Errors
    /// What the service cannot go on from.
    fn polled(&mut self, polled: Polled) -> Result<(), Self::Error>;

    /// Retention has overtaken this member.
    ///
    /// # Errors
    /// What the service cannot go on from: this, unless it is configured to pass over them.
    fn expired(&mut self, expired: Expired) -> Result<(), Self::Error>;

    /// What is due, after every poll.
    ///
    /// # Errors
    /// What the service cannot go on from.
    fn work(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Everything is done that [`Until::Drained`] waits for.
    ///
    /// # Errors
    /// What the service cannot go on from, or cannot tell yet.
    fn has_drained(&self) -> Result<bool, Self::Error>;

    /// True when waiting may mend this error.
    fn may_pass(error: &Self::Error) -> bool;

    /// Something failed and is tried again.
    fn retried(&self);
}

/// Serves until `until`, or until a stop is requested.
///
/// # Errors
/// What the service cannot go on from.
pub fn serve<M: Member>(member: &mut M, until: Until, shutdown: &Shutdown) -> Result<(), M::Error> {
    while !shutdown.is_requested() {
        if until == Until::Drained && has_drained(member)? {
            break;
        }
        poll_once(member, shutdown)?;
        member.work()?;
    }
    Ok(())
}

/// When that is not known yet, it is asked again after the next poll.
fn has_drained<M: Member>(member: &M) -> Result<bool, M::Error> {
    match member.has_drained() {
        Err(error) if M::may_pass(&error) => {
            warn!(service = M::NAME, %error, "whether all is done is not known yet");
            member.retried();
            Ok(false)
        }
        other => other,
    }
}

fn poll_once<M: Member>(member: &mut M, shutdown: &Shutdown) -> Result<(), M::Error> {
    match member.poll(POLL_TIMEOUT) {
        Ok(polled) => member.polled(polled),
        Err(error) if error.is_retriable() || matches!(error, BrokerError::Fenced { .. }) => {
            warn!(service = M::NAME, %error, "poll failed, trying again");
            member.retried();
            let _stop = shutdown.wait_timeout(POLL_TIMEOUT);
            Ok(())
        }
        // Deleted, and perhaps about to be recreated.
        Err(error @ BrokerError::UnknownTopic(_)) => {
            warn!(service = M::NAME, %error, "waiting for the topic; a service that starts creates it");
            let _stop = shutdown.wait_timeout(TOPIC_PAUSE);
            Ok(())
        }
        Err(BrokerError::OffsetOutOfRange { topic, partition, offset, low, .. }) if offset < low => {
            member.expired(Expired { topic, partition, from: offset, low })
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::VecDeque;

    use super::*;

    /// Answers polls from a list; counts what it is asked.
    #[derive(Default)]
    struct Scripted {
        polls: VecDeque<Result<Polled, BrokerError>>,
        drained: VecDeque<Result<bool, BrokerError>>,
        expired: Vec<Expired>,
        worked: u32,
        retried: Cell<u32>,
        stop: Shutdown,
    }

    impl Member for Scripted {
        type Error = BrokerError;
        const NAME: &'static str = "test";

        fn poll(&mut self, _: Duration) -> Result<Polled, BrokerError> {
            self.polls.pop_front().unwrap_or_else(|| {
                self.stop.request("the script ends");
                Ok(Polled::Idle)
            })
        }

        fn polled(&mut self, _: Polled) -> Result<(), BrokerError> {
            Ok(())
        }

        fn expired(&mut self, expired: Expired) -> Result<(), BrokerError> {
            self.expired.push(expired);
            Ok(())
        }

        fn work(&mut self) -> Result<(), BrokerError> {
            self.worked += 1;
            Ok(())
        }

        fn has_drained(&self) -> Result<bool, BrokerError> {
            match self.drained.front() {
                Some(Ok(drained)) => Ok(*drained && self.worked > 1),
                Some(Err(_)) if self.worked == 0 => Err(unavailable()),
                _ => Ok(true),
            }
        }

        fn may_pass(error: &BrokerError) -> bool {
            error.may_pass()
        }

        fn retried(&self) {
            self.retried.set(self.retried.get() + 1);
        }
    }

    fn unavailable() -> BrokerError {
        BrokerError::Retriable { doing: "asking".into(), reason: "no answer".into() }
    }

    fn out_of_range(offset: u64) -> BrokerError {
        BrokerError::OffsetOutOfRange { topic: "t".into(), partition: 1, offset, low: 5, high: 9 }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_work_follows_every_poll() {
        let polls = [Err(unavailable()), Ok(Polled::Idle), Err(out_of_range(3))].into();
        let mut member = Scripted { polls, ..Scripted::default() };
        let stop = member.stop.clone();
        serve(&mut member, Until::Shutdown, &stop).unwrap();
        assert_eq!((member.worked, member.retried.get()), (4, 1));
        assert_eq!(member.expired, [Expired { topic: "t".into(), partition: 1, from: 3, low: 5 }]);
    }

    #[test]
    fn what_cannot_pass_ends_the_service() {
        // Behind the end: nothing has expired.
        let mut member = Scripted { polls: [Err(out_of_range(11))].into(), ..Scripted::default() };
        let stop = member.stop.clone();
        assert!(matches!(serve(&mut member, Until::Shutdown, &stop), Err(BrokerError::OffsetOutOfRange { .. })));
    }

    #[test]
    fn a_drain_ends_when_all_is_done_and_waits_while_that_is_not_known() {
        for (drained, retried) in [(Ok(true), 0), (Err(unavailable()), 1)] {
            let mut member = Scripted {
                polls: (0..9).map(|_| Ok(Polled::Idle)).collect(),
                drained: [drained].into(),
                ..Scripted::default()
            };
            let stop = member.stop.clone();
            serve(&mut member, Until::Drained, &stop).unwrap();
            assert!(!stop.is_requested(), "it ended before the script did");
            assert_eq!(member.retried.get(), retried);
        }
    }
}
