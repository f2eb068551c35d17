//! What becomes of a batch, as a trace: a span from its staging until its files are visible, linked to the traces of its
//! records, with its stages as parts.

use std::collections::HashMap;

use contracts::topics::headers;
use lake::batch::Staging;
use lake::row::Record;
use platform::broker::TopicPartition;
use platform::trace::{Span, Tracer};

use crate::machine::Action;

/// Spans of the batches that are being written.
pub(crate) struct Batches {
    tracer: Tracer,
    group: String,
    open: HashMap<TopicPartition, Open>,
}

/// Fields end in this order: parts before their whole.
struct Open {
    publish: Option<Span>,
    parts: Tracer,
    batch: Span,
}

impl Batches {
    /// None yet.
    pub fn new(tracer: Tracer, group: &str) -> Self {
        Self { tracer, group: group.to_owned(), open: HashMap::new() }
    }

    /// An action begins; it ends with the span that is returned.
    pub fn begin(&mut self, topic_partition: &TopicPartition, action: &Action<'_, Record>) -> Span {
        if !self.tracer.is_on() {
            return Span::default();
        }
        match action {
            Action::Stage(batch) => {
                let Self { tracer, group, open } = self;
                open.entry(topic_partition.clone())
                    .or_insert_with(|| begin(tracer, topic_partition, group, batch))
                    .parts
                    .span("stage")
            }
            Action::Look { .. } => self.part(topic_partition, "look"),
            Action::Commit { .. } => self.part(topic_partition, "commit"),
            Action::ReadCommit(_) => self.part(topic_partition, "read commit"),
            // One part for all its files: there may be thousands.
            Action::Publish { .. } | Action::Rebuild(_) => {
                if let Some(Open { publish, parts, .. }) = self.open.get_mut(topic_partition) {
                    publish.get_or_insert_with(|| parts.span("publish"));
                }
                Span::default()
            }
            Action::Discard(_) => {
                if let Some(mut open) = self.open.remove(topic_partition) {
                    open.batch.fail(&"another sink had committed these records");
                }
                Span::default()
            }
            Action::ReadOffsets { before_commit: true } => Span::default(),
            Action::LoadChain { .. }
            | Action::Seek(_)
            | Action::ReadOffsets { .. }
            | Action::Claim(_)
            | Action::CommitOffset(_)
            | Action::Checkpoint(_) => {
                self.end(topic_partition);
                Span::default()
            }
        }
    }

    /// The partition's batch is written, or dropped.
    pub fn end(&mut self, topic_partition: &TopicPartition) {
        self.open.remove(topic_partition);
    }

    fn part(&self, at: &TopicPartition, name: &'static str) -> Span {
        self.open.get(at).map(|open| open.parts.span(name)).unwrap_or_default()
    }
}

fn begin(tracer: &Tracer, at: &TopicPartition, group: &str, batch: &Staging<'_, Record>) -> Open {
    let rows = || batch.files.values().flat_map(|file| &file.rows);
    let links = tracer.links(rows().filter_map(|record| record.message.header(headers::TRACEPARENT)));
    let mut span = tracer.process(&at.topic, group, links);
    span.set_partition(at.partition);
    span.set_records(batch.files.values().map(|file| file.rows.len() as u64).sum());
    Open { publish: None, parts: tracer.within(&span), batch: span }
}
