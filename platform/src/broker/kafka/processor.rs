//! A member that reads and writes in one transaction.

use std::time::Duration;

use tracing::warn;

use super::member::Member;
use super::transaction::Transactor;
use super::{KafkaBroker, Result};
use crate::broker::{
    Appended, BrokerError, Consumer, ConsumerConfig, GroupOffset, OutRecord, Polled, Processor, TopicPartition,
};

pub(super) struct KafkaProcessor {
    member: Member,
    transactor: Transactor,
    group: String,
}

impl KafkaProcessor {
    pub fn join(broker: KafkaBroker, config: ConsumerConfig) -> Result<Self> {
        // The id is this member's alone: members of a group fence each other by their generation.
        let id = format!("{}.{}", config.group, config.member);
        let transactor = Transactor::new(broker.clone(), id, config.session_timeout);
        let group = config.group.clone();
        Ok(Self { member: Member::join(broker, config)?, transactor, group })
    }
}

impl Processor for KafkaProcessor {
    fn step(&mut self, records: &[OutRecord], offsets: &[GroupOffset]) -> Result<Vec<Appended>> {
        let doing = format!("a step of group {}", self.group);
        let moves = match offsets {
            [] => None,
            _ => Some((self.member.offsets_list(offsets), self.member.membership(offsets)?)),
        };
        self.transactor.run(records, moves, &doing).map_err(|error| match error {
            // The group's offsets will tell. As a new member, it begins there.
            BrokerError::Uncertain { .. } => {
                warn!(%error, "restarting from the committed offsets");
                self.member.give_up_client();
                BrokerError::Fenced { doing }
            }
            other => other,
        })
    }
}

impl Consumer for KafkaProcessor {
    fn poll(&mut self, timeout: Duration) -> Result<Polled> {
        self.member.poll(timeout)
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        self.member.seek(at, offset)
    }

    fn pause(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.member.pause(at)
    }

    fn resume(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.member.resume(at)
    }

    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()> {
        self.member.commit(offsets)
    }

    fn leave(&mut self) -> Result<()> {
        self.member.leave()
    }
}
