//! Carries out what the [machine](crate::machine) decides: reads the topics, writes the store, tries again what may
//! work later. One thread owns all of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::commit_record::CommittedFile;
use contracts::layout;
use contracts::topics::PipelineTopics;
use lake::chain;
use lake::committed_offsets::{CommittedOffsets, OffsetMetadata};
use lake::files::{self, Publisher};
use lake::repair::rebuild;
use lake::row::Record;
use platform::broker::{
    self, Assignment, Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Message, Polled, Start,
    TopicPartition, TopicSpec, Topics,
};
use platform::clock::Clock;
use platform::failpoint;
use platform::lifecycle::Shutdown;
use platform::retry::Backoff;
use platform::service::{self, Expired, Member, Until};
use platform::store::{Published, PutOutcome, Store};
use tracing::{debug, info, warn};
use uuid::Uuid;

use crate::counters::SinkCounters;
use crate::drained::is_drained;
use crate::error::SinkError;
use crate::limits::BatchLimits;
use crate::machine::{
    Action, ActionOutcome, AssignedPartition, CommitOutcome, LoadedChain, Machine, Now, RecordOutcome, WriterIdentity,
};
use crate::metrics;
use crate::topic_end::topic_end;
use crate::trace::Batches;

/// Staging that no chain names is swept at this age: no writer takes so long from staging to commit.
const SWEEP_AGE_MS: i64 = 86_400_000;
const SWEEP_EVERY: Duration = Duration::from_secs(6 * 3_600);

/// Settings.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// Name of this member.
    pub member: String,
    /// What it reads, and as which group.
    pub pipeline_topics: PipelineTopics,
    /// What an open batch may hold.
    pub limits: BatchLimits,
    /// A member silent for this long loses its partitions.
    pub session_timeout: Duration,
    /// When to stop.
    pub until: Until,
    /// Skip records that expired on the broker before they were written, instead of stopping at them.
    pub skips_expired: bool,
    /// Id of a store that no sink writes to any more and that this store takes the place of: hints of its sinks do not count.
    pub replaced_store: Option<String>,
}

/// What a sink works with.
#[derive(Clone, Copy)]
pub struct SinkDeps<'a> {
    /// Where it reads.
    pub broker: &'a dyn Broker,
    /// Where it writes.
    pub store: &'a dyn Store,
    /// When it commits.
    pub clock: &'a dyn Clock,
    /// What it has done.
    pub counters: &'a Arc<SinkCounters>,
}

/// Runs one sink until `config.until` or shutdown; what was read by then is written.
///
/// # Errors
/// Only what waiting cannot mend. Nothing is lost then: what is not committed is still in the topics.
pub fn run(config: &SinkConfig, deps: SinkDeps<'_>, shutdown: &Shutdown) -> Result<(), SinkError> {
    let SinkDeps { broker, store, clock, counters } = deps;
    let pipeline_topics = &config.pipeline_topics;
    let retried = || counters.retried("start");
    let begun = broker::until_answered(shutdown, "starting", retried, || begin(config, broker, shutdown))?;
    let Some((ends, consumer)) = begun else { return Ok(()) };
    let identity = WriterIdentity {
        writer_id: format!("{}/{}", config.member, Uuid::new_v4().simple()),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        store_id: store.id().to_owned(),
    };
    let writer_id = identity.writer_id.clone();
    let mut machine = Machine::new(identity, config.limits.clone());
    if config.skips_expired {
        machine.skip_expired();
    }
    let mut sink = Sink {
        machine,
        pipeline_topics,
        until: config.until,
        ends,
        writer_id,
        consumer,
        broker,
        store,
        hints: CommittedOffsets {
            group: &pipeline_topics.sinks,
            replaced: config.replaced_store.as_deref().filter(|id| *id != store.id()),
        },
        clock,
        counters,
        shutdown,
        started: Instant::now(),
        swept: None,
        batches: Batches::new(counters.tracer().clone(), &pipeline_topics.sinks),
    };
    let served = sink.serve();
    if matches!(served, Ok(()) | Err(SinkError::ForeignStore { .. })) {
        sink.take_back_claims();
    }
    served?;
    if let Err(error) = sink.consumer.leave() {
        warn!(%error, "could not leave the group: other members wait for the session time-out");
    }
    let done = counters.snapshot();
    info!(findings = done.findings_rows, dead_letters = done.dead_letter_rows, files = done.files, "sink stopped");
    Ok(())
}

/// Makes the topics that are missing and joins the group; returns the offsets that a drain has to reach, too. May be done again
/// when it fails.
#[expect(clippy::type_complexity, reason = "two things, named where they are used")]
fn begin(
    config: &SinkConfig,
    broker: &dyn Broker,
    shutdown: &Shutdown,
) -> Result<(Vec<(TopicPartition, u64)>, Box<dyn Consumer>), BrokerError> {
    let pipeline_topics = &config.pipeline_topics;
    for name in pipeline_topics.written() {
        let (retention_ms, retention_bytes) = (None, None);
        broker.ensure_topic(&TopicSpec {
            name: name.to_owned(),
            partitions: 1,
            compacted: false,
            retention_ms,
            retention_bytes,
        })?;
    }
    let ends = match config.until {
        Until::Shutdown => Vec::new(),
        Until::Drained => {
            let is_ours = |topic: &str| pipeline_topics.written().contains(&topic);
            platform::broker::lag::ends(broker, is_ours, shutdown)?
        }
    };
    let consumer = broker.consumer(ConsumerConfig {
        group: pipeline_topics.sinks.clone(),
        topics: Topics::Names(pipeline_topics.written().map(str::to_owned).to_vec()),
        member: config.member.clone(),
        start: Start::Earliest,
        session_timeout: config.session_timeout,
        poll_records_max: 10_000,
        poll_bytes_max: 16 << 20,
    })?;
    Ok((ends, consumer))
}

struct Sink<'a> {
    machine: Machine<Record>,
    pipeline_topics: &'a PipelineTopics,
    until: Until,
    /// Offsets that have to be reached before a drain ends.
    ends: Vec<(TopicPartition, u64)>,
    writer_id: String,
    consumer: Box<dyn Consumer>,
    broker: &'a dyn Broker,
    store: &'a dyn Store,
    hints: CommittedOffsets<'a>,
    clock: &'a dyn Clock,
    counters: &'a SinkCounters,
    shutdown: &'a Shutdown,
    started: Instant,
    swept: Option<Instant>,
    batches: Batches,
}

impl Member for Sink<'_> {
    type Error = SinkError;
    const NAME: &'static str = "sink";

    fn poll(&mut self, timeout: Duration) -> Result<Polled, BrokerError> {
        self.consumer.poll(timeout)
    }

    fn polled(&mut self, polled: Polled) -> Result<(), SinkError> {
        self.counters.loop_iterated(self.machine.buffered_bytes(), self.machine.partitions());
        match polled {
            Polled::Assigned(assigned) => assigned.into_iter().try_for_each(|assignment| self.assigned(assignment))?,
            Polled::Revoked(revoked) => revoked.iter().for_each(|at| self.machine.revoked(at)),
            Polled::Lost(lost) => lost.iter().for_each(|at| self.lost(at)),
            Polled::Records(messages) => {
                self.counters.polled(messages.len());
                messages.into_iter().for_each(|message| self.record(message));
            }
            Polled::Idle if self.until == Until::Drained => self.machine.flush(),
            Polled::Idle => {}
        }
        Ok(())
    }

    /// What the sink holds is written first: the broker may not have it any more.
    fn expired(&mut self, Expired { topic, partition, from, low }: Expired) -> Result<(), SinkError> {
        self.machine.flush();
        self.drive_actions()?;
        Err(SinkError::RecordsExpired { topic, partition, from, low })
    }

    fn work(&mut self) -> Result<(), SinkError> {
        self.drive_actions()?;
        self.sweep_if_due();
        Ok(())
    }

    fn has_drained(&self) -> Result<bool, SinkError> {
        let drained = is_drained(self.broker, self.store, self.pipeline_topics, &self.ends)?;
        Ok(drained && self.hints.are_replaced(self.broker)?)
    }

    fn may_pass(error: &SinkError) -> bool {
        error.may_pass()
    }

    fn retried(&self) {
        self.counters.retried("poll");
    }
}

impl Sink<'_> {
    fn serve(&mut self) -> Result<(), SinkError> {
        service::serve(self, self.until, self.shutdown)?;
        self.machine.flush();
        self.drive_actions()
    }

    /// So that a sink of another store can start when this one has written nothing.
    fn take_back_claims(&mut self) {
        let claims = self.machine.idle_claims();
        if claims.is_empty() {
            return;
        }
        let unclaimed = |at| GroupOffset { at, offset: 0, metadata: String::new() };
        if let Err(error) = self.consumer.commit(&claims.into_iter().map(unclaimed).collect::<Vec<_>>()) {
            warn!(%error, store = self.store.id(), "the group's positions still name this store, which nothing was written to");
        }
    }

    fn assigned(&mut self, assignment: Assignment) -> Result<(), SinkError> {
        let Assignment { at, topic_id, position, metadata } = assignment;
        let hint = metadata.map(|text| self.hints.of(position, &text));
        info!(topic = %at.topic, partition = at.partition, hint = ?hint.as_ref().map(|h| h.offset), "assigned");
        self.machine.assigned(AssignedPartition { at, topic_id, hint })
    }

    fn lost(&mut self, at: &TopicPartition) {
        self.machine.lost(at);
        self.batches.end(at);
    }

    fn record(&mut self, message: Message) {
        let (at, offset) = (message.at.clone(), message.offset);
        let Some(topic_id) = self.machine.topic_id(&at) else { return };
        self.counters.read();
        let row = files::row_of(message, &topic_id);
        let src = row.src.clone();
        match self.machine.record(&at, offset, row) {
            RecordOutcome::Kept => {}
            RecordOutcome::Ignored => debug!(topic = %at.topic, partition = at.partition, offset, "read before"),
            RecordOutcome::Duplicate => {
                warn!(topic = %at.topic, partition = at.partition, offset, %src, "this source record is a duplicate: dropped");
            }
        }
    }

    /// Does all that is due.
    fn drive_actions(&mut self) -> Result<(), SinkError> {
        self.machine.tick(Now { elapsed: self.started.elapsed(), wall_ms: self.clock.now_ms() });
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut executor = ActionExecutor {
            consumer: self.consumer.as_mut(),
            broker: self.broker,
            store: self.store,
            hints: &self.hints,
            counters: self.counters,
            writer_id: &self.writer_id,
            publisher: Publisher::default(),
        };
        loop {
            let Some((at, action)) = self.machine.next_action() else { return Ok(()) };
            let mut span = self.batches.begin(&at, &action);
            let is_claim = matches!(action, Action::Claim(_));
            // The chain is the truth, and the next sink leaves the hint; that no other store is in the group was seen before.
            let may_be_missed = matches!(action, Action::CommitOffset(_) | Action::ReadOffsets { before_commit: true });
            let outcome = match executor.perform(&at, &action).inspect_err(|error| span.fail(error)) {
                Ok(outcome) => outcome,
                Err(error) if error.is_retriable() => {
                    warn!(%error, topic = %at.topic, partition = at.partition, "trying again");
                    self.counters.retried("write");
                    match backoff.wait(self.shutdown) {
                        _ if is_claim => ActionOutcome::NotClaimed,
                        false => continue,
                        // What the partitions hold is written.
                        true if may_be_missed => ActionOutcome::Done,
                        true => return Err(error),
                    }
                }
                // The next poll says what is to be read now.
                Err(SinkError::Broker(error @ BrokerError::UnknownTopic(_))) => {
                    warn!(%error, partition = at.partition, "its topic was deleted: dropping what was read of it");
                    self.machine.lost(&at);
                    self.batches.end(&at);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match &outcome {
                ActionOutcome::Committed(CommitOutcome::Unknown(_)) if backoff.wait(self.shutdown) => {
                    info!("stopping with an unanswered commit: the next sink finds out whether it was made");
                    return Ok(());
                }
                // That reading works says nothing of writing.
                ActionOutcome::Committed(CommitOutcome::Unknown(_))
                | ActionOutcome::CommitRead(_)
                | ActionOutcome::Looked(_) => {}
                _ => backoff.reset(),
            }
            self.machine.done(&at, outcome)?;
        }
    }

    /// Sweeping is housekeeping: when it fails, the next one does it.
    fn sweep_if_due(&mut self) {
        if self.swept.is_some_and(|at| at.elapsed() < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(Instant::now());
        let before_ms = self.clock.now_ms().saturating_sub(SWEEP_AGE_MS);
        failpoint::hit!("sink.sweep.begin");
        let swept = sweep(self.store, before_ms);
        failpoint::hit!("sink.sweep.done");
        match swept {
            Ok(0) => {}
            Ok(swept) => info!(swept, "removed staged files that no commit names"),
            Err(error) => warn!(%error, "could not sweep staged files"),
        }
    }
}

fn sweep(store: &dyn Store, before_ms: i64) -> Result<u64, SinkError> {
    if !store.staged()?.iter().any(|entry| entry.modified_ms < before_ms) {
        return Ok(0);
    }
    let in_use = chain::staged_names_in_use(store)?;
    Ok(store.sweep(before_ms, &|name| in_use.contains(name))?)
}

/// Does one action. Every action can be done again.
struct ActionExecutor<'a> {
    consumer: &'a mut dyn Consumer,
    broker: &'a dyn Broker,
    store: &'a dyn Store,
    hints: &'a CommittedOffsets<'a>,
    counters: &'a SinkCounters,
    writer_id: &'a str,
    publisher: Publisher,
}

impl ActionExecutor<'_> {
    fn perform(&mut self, at: &TopicPartition, action: &Action<'_, Record>) -> Result<ActionOutcome, SinkError> {
        Ok(match action {
            Action::LoadChain { topic_id, partition } => self.load(at, topic_id, *partition)?,
            Action::Publish { file, next } => ActionOutcome::Published(self.publish(file, next)?),
            Action::Rebuild(commit) => {
                failpoint::hit!("sink.rebuild.begin");
                rebuild::rebuild(self.broker, self.store, at, commit)?;
                failpoint::hit!("sink.rebuild.done");
                ActionOutcome::Rebuilt
            }
            Action::Seek(offset) => {
                self.consumer.seek(at, *offset)?;
                ActionOutcome::Done
            }
            Action::Stage(batch) => {
                failpoint::hit!("sink.stage.begin");
                let began = Instant::now();
                let staged = files::stage(self.store, batch)?;
                self.counters.took(&metrics::STAGE_SECONDS, began);
                failpoint::hit!("sink.stage.done");
                ActionOutcome::Staged(staged)
            }
            Action::Look { last, last_sha256, next } => {
                let last = last.as_deref().map(|path| (path, *last_sha256));
                ActionOutcome::Looked(chain::look(self.store, last, next)?)
            }
            Action::Commit { path, bytes } => ActionOutcome::Committed(self.commit(path, bytes)),
            Action::ReadCommit(path) => {
                let commit = chain::read_commit(self.store, path)?;
                if let Some(own) = commit.as_ref().filter(|commit| commit.writer_id == self.writer_id) {
                    self.counters.committed(own);
                }
                ActionOutcome::CommitRead(commit)
            }
            Action::Discard(staged) => {
                self.counters.race_lost();
                warn!(topic = %at.topic, partition = at.partition, "another sink has written these records: going on from its end");
                failpoint::hit!("sink.discard.begin");
                files::discard(self.store, staged);
                failpoint::hit!("sink.discard.done");
                ActionOutcome::Done
            }
            Action::ReadOffsets { .. } => ActionOutcome::OffsetsRead(self.hints.read(self.broker)?),
            Action::Claim(offset) => {
                failpoint::hit!("sink.claim.begin");
                let is_left = self.commit_offset(at, *offset)?;
                failpoint::hit!("sink.claim.left");
                if is_left { ActionOutcome::Done } else { ActionOutcome::NotClaimed }
            }
            Action::CommitOffset(offset) => {
                failpoint::hit!("sink.offset.begin");
                let _chain_decides = self.commit_offset(at, *offset)?;
                failpoint::hit!("sink.offset.left");
                ActionOutcome::Done
            }
            Action::Checkpoint(head) => {
                let path = layout::chain_checkpoint(&head.topic_id, head.partition, head.end);
                failpoint::hit!("sink.checkpoint.begin");
                self.store.put(&path, &head.to_checkpoint()?)?;
                failpoint::hit!("sink.checkpoint.done");
                ActionOutcome::Done
            }
        })
    }

    fn load(&self, at: &TopicPartition, topic_id: &str, partition: u32) -> Result<ActionOutcome, SinkError> {
        let chain::Chain { head, last, checkpointed } = chain::read(self.store, topic_id, partition)?;
        let (marks, found) = topic_end(self.broker, at, topic_id, &head)?;
        if let Some(end) = head.position().filter(|end| *end < marks.low) {
            warn!(topic = %at.topic, partition = at.partition, from = end, to = marks.low, "records expired unwritten");
        }
        let (low, high) = (marks.low, marks.high);
        Ok(ActionOutcome::ChainLoaded(Box::new(LoadedChain { head, last, checkpointed, low, high, found })))
    }

    fn publish(&mut self, file: &CommittedFile, next: &[CommittedFile]) -> Result<Published, SinkError> {
        failpoint::hit!("sink.publish.begin");
        let began = Instant::now();
        let published = self.publisher.publish(self.store, file, next)?;
        self.counters.took(&metrics::PUBLISH_SECONDS, began);
        if published == Published::Missing {
            warn!(path = file.path, "a committed file is missing before it was published: rebuilding it");
        }
        failpoint::hit!("sink.publish.done");
        Ok(published)
    }

    fn commit(&self, path: &str, bytes: &[u8]) -> CommitOutcome {
        failpoint::hit!("sink.commit.begin");
        let began = Instant::now();
        match self.store.put_if_absent(path, bytes) {
            Ok(PutOutcome::Created) => {
                self.counters.took(&metrics::COMMIT_SECONDS, began);
                failpoint::hit!("sink.commit.done");
                CommitOutcome::Created
            }
            Ok(PutOutcome::Exists) => CommitOutcome::Exists,
            Err(error) => {
                warn!(%error, "no answer to a commit: looking whether it was made");
                self.counters.retried("write");
                CommitOutcome::Unknown(error)
            }
        }
    }

    /// False when the partition is not this member's now.
    fn commit_offset(&mut self, at: &TopicPartition, offset: u64) -> Result<bool, SinkError> {
        let metadata = serde_json::to_string(&OffsetMetadata { store_id: self.store.id().to_owned() })?;
        match self.consumer.commit(&[GroupOffset { at: at.clone(), offset, metadata }]) {
            Err(BrokerError::Fenced { .. }) => {
                debug!(topic = %at.topic, partition = at.partition, "no offset committed: fenced");
                Ok(false)
            }
            other => Ok(other.map(|()| true)?),
        }
    }
}
