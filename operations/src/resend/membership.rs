//! A place in a group that stays taken while its holder reads or writes something else, however long that takes: a
//! thread polls for it. The broker gives away what a member has that does not poll for a session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use platform::broker::{BrokerError, Consumer, Polled};
use platform::lifecycle::Shutdown;

/// Polls in a session: some may come late.
const POLLS: u32 = 10;

/// Held until dropped, if no other member takes it away.
pub(crate) struct Membership<M: Consumer + ?Sized> {
    state: Arc<Mutex<State<M>>>,
    over: Shutdown,
    thread: Option<JoinHandle<()>>,
}

struct State<M: ?Sized> {
    is_lost: bool,
    member: Box<M>,
}

impl<M: Consumer + ?Sized + 'static> Membership<M> {
    /// Keeps the partitions that this member has. Once they are lost, `on_loss` is asked to stop.
    pub fn keep(member: Box<M>, session: Duration, on_loss: &Shutdown) -> Self {
        let state = Arc::new(Mutex::new(State { is_lost: false, member }));
        let over = Shutdown::new();
        let (of_thread, is_over, on_loss) = (state.clone(), over.clone(), on_loss.clone());
        let thread = thread::spawn(move || {
            while !is_over.wait_timeout(session / POLLS) {
                let why = match lock(&of_thread).look() {
                    Ok(true) => continue,
                    Ok(false) => "what this command holds in the broker was revoked".to_owned(),
                    Err(error) if error.is_retriable() => continue,
                    Err(error) => error.to_string(),
                };
                tracing::warn!(why, "stopping");
                on_loss.request(why);
                break;
            }
        });
        Self { state, over, thread: Some(thread) }
    }

    /// Looks now whether it is held. If it is, no other member has the partitions within the session that begins here.
    ///
    /// # Errors
    /// The broker refuses: it is lost, unless that is retriable.
    pub fn is_held(&self) -> Result<bool, BrokerError> {
        lock(&self.state).look()
    }

    /// The member, between two polls.
    pub fn with<T>(&self, work: impl FnOnce(&mut M) -> T) -> T {
        work(&mut lock(&self.state).member)
    }
}

impl<M: Consumer + ?Sized> State<M> {
    /// A member that polls after a partition was revoked gives it up. So this one does not: it stays assigned until the session is over,
    /// for what its holder has just begun.
    fn look(&mut self) -> Result<bool, BrokerError> {
        if self.is_lost {
            return Ok(false);
        }
        let polled = self.member.poll(Duration::ZERO);
        self.is_lost = match &polled {
            Ok(polled) => matches!(polled, Polled::Revoked(_) | Polled::Lost(_)),
            Err(error) => !error.is_retriable(),
        };
        polled.map(|_| !self.is_lost)
    }
}

/// The thread has ended before the member leaves its group.
impl<M: Consumer + ?Sized> Drop for Membership<M> {
    fn drop(&mut self) {
        self.over.request("given up");
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::warn!("the thread that kept a place in a group panicked");
        }
    }
}

/// A panic in the other thread leaves nothing half done that a poll would not find out.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
    use platform::broker::{Broker, ConsumerConfig, GroupOffset, Start, TopicPartition, TopicSpec, Topics};

    use super::*;

    /// Longer than a busy machine keeps a thread waiting.
    const SESSION: Duration = Duration::from_secs(2);
    const LONG: Duration = Duration::from_secs(6);

    struct Log {
        broker: EmbeddedBroker,
        _folder: tempfile::TempDir,
    }

    impl Log {
        fn new(partitions: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let broker =
                EmbeddedBroker::open(&folder.path().join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
            let (name, retention_ms, retention_bytes) = ("t".to_owned(), None, None);
            broker
                .ensure_topic(&TopicSpec { name, partitions, compacted: false, retention_ms, retention_bytes })
                .unwrap();
            Self { broker, _folder: folder }
        }

        fn join(&self) -> Box<dyn Consumer> {
            let config = ConsumerConfig {
                group: "g".into(),
                topics: Topics::Names(vec!["t".into()]),
                member: "m".into(),
                start: Start::Earliest,
                session_timeout: SESSION,
                poll_records_max: 1,
                poll_bytes_max: 1,
            };
            self.broker.consumer(config).unwrap()
        }
    }

    /// Partitions that are given within this time, as soon as there are some.
    fn assigned(member: &mut dyn Consumer, within: Duration) -> usize {
        let until = std::time::Instant::now() + within;
        let mut count = 0;
        while count == 0 && std::time::Instant::now() < until {
            if let Polled::Assigned(assigned) = member.poll(Duration::from_millis(20)).unwrap() {
                count += assigned.len();
            }
        }
        count
    }

    #[test]
    fn it_stays_taken_while_its_holder_is_busy() {
        for is_kept in [true, false] {
            let (log, stop) = (Log::new(1), Shutdown::new());
            let mut first = log.join();
            assert_eq!(assigned(&mut *first, SESSION / 2), 1);
            let mut second = log.join();
            if is_kept {
                let kept = Membership::keep(first, SESSION, &stop);
                assert_eq!(assigned(&mut *second, LONG), 0);
                assert!(kept.is_held().unwrap() && !stop.is_requested());
                drop(kept);
            }
            assert_eq!(assigned(&mut *second, LONG), 1, "{is_kept}: silent or ended");
        }
    }

    #[test]
    fn a_newcomer_is_seen_and_gets_nothing_before_the_session_is_over() {
        let (log, stop) = (Log::new(2), Shutdown::new());
        let mut first = log.join();
        assert_eq!(assigned(&mut *first, SESSION / 2), 2);
        let kept = Membership::keep(first, SESSION, &stop);
        let mut second = log.join();
        assert!(stop.wait_timeout(SESSION), "the caller that holds it is stopped");
        assert!(!kept.is_held().unwrap());
        let hint = |partition| GroupOffset {
            at: TopicPartition { topic: "t".into(), partition },
            offset: 0,
            metadata: String::new(),
        };
        kept.with(|member| member.commit(&[hint(0), hint(1)])).unwrap();
        assert_eq!(assigned(&mut *second, LONG), 2);
        assert!(kept.with(|member| member.commit(&[hint(0), hint(1)])).is_err(), "then it has them");
    }
}
