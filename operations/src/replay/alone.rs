//! Being the only member of the live groups: then no service is judging or writing, without asking the broker who is there.

use std::time::{Duration, Instant};

use contracts::datasets;
use contracts::topics::{self, groups};
use platform::broker::{Broker, Consumer, ConsumerConfig, GroupOffset, Polled, Start, TopicPartition, Topics};
use platform::lifecycle::Shutdown;

use super::ReplayError;
use crate::resend::membership::Membership;

const SESSION: Duration = Duration::from_secs(15);

/// Membership of the live groups that holds all their partitions: no service is judging or writing.
pub(crate) struct Alone {
    validator: Membership<dyn Consumer>,
    sink: Membership<dyn Consumer>,
}

impl Alone {
    /// Waits until it is so.
    ///
    /// # Errors
    /// Services are there, or the broker refuses.
    pub fn wait(broker: &dyn Broker, wait_max: Duration) -> Result<Self, ReplayError> {
        let all = broker.topics()?;
        let of = |wanted: &dyn Fn(&str) -> bool| -> usize {
            all.iter().filter(|topic| wanted(&topic.name)).map(|topic| topic.partitions as usize).sum()
        };
        let judged = datasets::topics().map(str::to_owned).to_vec();
        let wire = Topics::Family(topics::WIRE.to_owned());
        Ok(Self {
            validator: join(broker, groups::VALIDATOR, wire, of(&topics::is_wire), wait_max)?,
            sink: join(broker, groups::SINK, Topics::Names(judged), of(&datasets::has_topic), wait_max)?,
        })
    }

    /// Just before what must not happen beside services: no service judges or writes for a session from here on.
    ///
    /// # Errors
    /// A service has started, or the broker refuses.
    pub fn check(&self) -> Result<(), ReplayError> {
        for (group, membership) in [(groups::VALIDATOR, &self.validator), (groups::SINK, &self.sink)] {
            if !membership.is_held()? {
                let why =
                    format!("a service of group {group} has started meanwhile: stop it, then give this command again");
                return Err(ReplayError::NotYet(why));
            }
        }
        Ok(())
    }

    /// Leaves the sinks' positions.
    pub fn leave_hints(&self, hints: &[(TopicPartition, u64)], metadata: &str) -> Result<(), ReplayError> {
        let hint = |(at, offset): &(TopicPartition, u64)| GroupOffset {
            at: at.clone(),
            offset: *offset,
            metadata: metadata.to_owned(),
        };
        let hints: Vec<_> = hints.iter().map(hint).collect();
        Ok(self.sink.with(|member| member.commit(&hints))?)
    }
}

fn join(
    broker: &dyn Broker,
    group: &str,
    topics: Topics,
    partitions: usize,
    wait_max: Duration,
) -> Result<Membership<dyn Consumer>, ReplayError> {
    let mut member = broker.consumer(ConsumerConfig {
        group: group.to_owned(),
        topics,
        member: format!("swap-{}", uuid::Uuid::new_v4().simple()),
        start: Start::Earliest,
        session_timeout: SESSION,
        poll_records_max: 1,
        poll_bytes_max: 1,
    })?;
    let deadline = Instant::now() + wait_max;
    let mut count = 0;
    while count < partitions {
        if Instant::now() > deadline {
            member.leave()?;
            let why = format!("services of group {group} are running on the current root: stop them first");
            return Err(ReplayError::NotYet(why));
        }
        match member.poll(Duration::from_millis(100)) {
            Ok(Polled::Assigned(assigned)) => {
                count += assigned.len();
                let at: Vec<TopicPartition> = assigned.into_iter().map(|assignment| assignment.at).collect();
                member.pause(&at)?;
            }
            Ok(Polled::Revoked(revoked) | Polled::Lost(revoked)) => count = count.saturating_sub(revoked.len()),
            Ok(Polled::Records(_) | Polled::Idle) => {}
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Membership::keep(member, SESSION, &Shutdown::new()))
}
