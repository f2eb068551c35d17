//! What is done for each dataset that sinks write: an entry says where the row of a record belongs and what makes its files.

use std::sync::Arc;

use contracts::datasets::{self, Dataset};
use platform::broker::Message;

use super::encoder::Encoder;
use super::{dead_letters, findings};
use crate::batch::BatchRow;
use crate::commit::dataset_of;
use crate::row::{self, Record};

pub(super) struct Format {
    dataset: &'static Dataset,
    /// The row of a record of its topic, without decoding it.
    row: fn(&Arc<Message>) -> Result<BatchRow<Record>, String>,
    pub encoder: fn() -> Box<dyn Encoder>,
}

static FINDINGS: Format =
    Format { dataset: &datasets::FINDINGS, row: findings::row, encoder: || Box::<findings::Decoder>::default() };

static DEAD_LETTERS: Format =
    Format { dataset: &datasets::DEAD_LETTERS, row: dead_letters::row, encoder: || Box::new(dead_letters::Letters) };

static ALL: [&Format; 2] = [&FINDINGS, &DEAD_LETTERS];

pub(super) fn of(dataset: &Dataset) -> &'static Format {
    ALL.into_iter().find(|format| format.dataset == dataset).unwrap_or(&DEAD_LETTERS)
}

/// Finds out where a record's row belongs. A record that is not what its topic promises becomes a dead letter of itself.
pub fn row_of(message: Message, topic_id: &str) -> BatchRow<Record> {
    let message = Arc::new(message);
    let row = dataset_of(&message.at.topic).map_err(|e| e.to_string()).and_then(|dataset| (of(dataset).row)(&message));
    row.unwrap_or_else(|problem| row::quarantined(&message, topic_id, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dataset_that_sinks_write_has_its_format() {
        for dataset in datasets::ALL {
            assert_eq!(of(dataset).dataset, dataset);
        }
    }
}
