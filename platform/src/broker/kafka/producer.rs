//! An appender. Each call is a transaction: all of its records are there, or none.

use std::time::Duration;

use uuid::Uuid;

use super::transaction::Transactor;
use super::{KafkaBroker, Result};
use crate::broker::{Appended, OutRecord, Producer};

const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct KafkaProducer {
    transactor: Transactor,
}

impl KafkaProducer {
    pub fn new(broker: KafkaBroker) -> Self {
        let id = format!("finops.producer.{}", Uuid::new_v4().simple());
        Self { transactor: Transactor::new(broker, id, TIMEOUT) }
    }
}

impl Producer for KafkaProducer {
    fn append(&mut self, records: &[OutRecord]) -> Result<Vec<Appended>> {
        self.transactor.run(records, None, "appending records")
    }
}
