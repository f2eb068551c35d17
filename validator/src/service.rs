//! The loop: poll, transform, one atomic step, again. Infrastructure errors never make a dead letter: the
//! step is tried again in place with backoff until it succeeds or a stop is requested.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::position::Position;
use contracts::topics::{self, PipelineTopics, headers};
use platform::broker::{
    self, Assignment, Broker, BrokerError, GroupOffset, Message, OutRecord, Polled, Processor, TopicPartition,
};
use platform::clock::Clock;
use platform::failpoint;
use platform::lifecycle::Shutdown;
use platform::retry::{self, Backoff};
use platform::service::{Expired, Member, serve};
use rayon::prelude::*;
use tracing::{debug, info, warn};

use crate::begin::{Begun, begin};
use crate::config::ValidatorConfig;
use crate::counters::ValidatorCounters;
use crate::error::ValidatorError;
use crate::limits::TopicLimits;
use crate::register::{self, Allowed, Assigned, Common, RegisterError, Registrar};
use crate::rollback;
use crate::selection::{Selected, Selection, selected};
use crate::transform::{MessageOutcome, Transform};

/// Fewer records than this (some 2 ms of work) are not worth another core.
const SHARE_RECORDS_MIN: usize = 256;

/// What a validator works with.
#[derive(Clone, Copy)]
pub struct ValidatorDeps<'a> {
    /// Where it reads and writes.
    pub broker: &'a dyn Broker,
    /// When records are judged.
    pub clock: &'a dyn Clock,
    /// What it has done.
    pub counters: &'a Arc<ValidatorCounters>,
}

/// Runs one validator until `config.until` or shutdown.
///
/// # Errors
/// Only what waiting cannot mend; nothing is lost then, the offsets stand where the last step put them.
pub fn run(config: &ValidatorConfig, deps: ValidatorDeps<'_>, shutdown: &Shutdown) -> Result<(), ValidatorError> {
    let ValidatorDeps { broker, clock, counters } = deps;
    let retried = || counters.retried("start");
    let begun = broker::until_answered(shutdown, "starting", retried, || begin(config, broker, shutdown))?;
    let Some(Begun { valid, valid_bytes_max, dead, dead_bytes_max, targets, processor }) = begun else { return Ok(()) };
    let transform = Transform::new(
        config.policies.clone(),
        &config.pipeline_topics,
        valid.partitions,
        dead.partitions,
        config.tenant_spread,
    );
    let limits = TopicLimits { dead: dead_bytes_max, ..TopicLimits::LARGEST };
    let dead_topic = dead.name.clone();
    let (selection, skips_expired) = (config.selection.as_ref(), config.skips_expired);
    let (topic_ids, positions) = (HashMap::new(), HashMap::new());
    let group = &config.pipeline_topics.validators;
    let common = Common::new(&config.policies, config.tenant_spread, &valid, valid_bytes_max, &dead);
    let is_replay = config.pipeline_topics != PipelineTopics::live();
    let registrar = Registrar::new(broker, group, common, is_replay, config.skips_judged);
    let mut member = Validator {
        group,
        targets,
        registrar,
        broker,
        processor,
        transform,
        limits,
        dead_topic,
        selection,
        topic_ids,
        positions,
        skips_expired,
        clock,
        counters,
        shutdown,
    };
    serve(&mut member, config.until, shutdown)?;
    if let Err(error) = member.processor.leave() {
        warn!(%error, "could not leave the group: other members wait for the session time-out");
    }
    let done = counters.snapshot();
    info!(read = done.read, valid = done.valid, dead = done.dead, "validator stopped");
    Ok(())
}

/// Judges on all cores; the records keep their order.
fn judge_all(
    transform: &Transform,
    chosen: &[(&Message, Arc<str>)],
    now_ms: i64,
) -> (Vec<OutRecord>, BTreeMap<&'static str, u64>) {
    let judge = |(message, topic_id): &(&Message, Arc<str>)| transform.apply(message, topic_id, now_ms);
    let outcomes: Vec<MessageOutcome> = chosen.par_iter().with_min_len(SHARE_RECORDS_MIN).map(judge).collect();
    let mut dead_by_code = BTreeMap::new();
    let records = outcomes.into_iter().map(|outcome| match outcome {
        MessageOutcome::Valid(record) => record,
        MessageOutcome::Dead(record, code) => {
            *dead_by_code.entry(code.as_str()).or_default() += 1;
            record
        }
    });
    (records.collect(), dead_by_code)
}

struct Validator<'a> {
    group: &'a str,
    /// Offsets that have to be reached before a drain ends.
    targets: Vec<(TopicPartition, u64)>,
    registrar: Registrar<'a>,
    broker: &'a dyn Broker,
    processor: Box<dyn Processor>,
    transform: Transform,
    /// What the topics take, as far as is known.
    limits: TopicLimits,
    dead_topic: Arc<str>,
    selection: Option<&'a Selection>,
    topic_ids: HashMap<TopicPartition, Arc<str>>,
    /// What is kept with the offsets of its partitions.
    positions: HashMap<TopicPartition, Position>,
    skips_expired: bool,
    clock: &'a dyn Clock,
    counters: &'a ValidatorCounters,
    shutdown: &'a Shutdown,
}

impl Member for Validator<'_> {
    type Error = ValidatorError;
    const NAME: &'static str = "validator";

    fn poll(&mut self, timeout: Duration) -> Result<Polled, BrokerError> {
        self.processor.poll(timeout)
    }

    fn polled(&mut self, polled: Polled) -> Result<(), ValidatorError> {
        match polled {
            Polled::Assigned(assigned) => {
                self.assigned(assigned)?;
                self.counters.owns(self.topic_ids.len());
            }
            Polled::Revoked(revoked) | Polled::Lost(revoked) => {
                for at in revoked {
                    self.topic_ids.remove(&at);
                    self.registrar.lost(&at);
                    self.positions.remove(&at);
                }
                self.counters.owns(self.topic_ids.len());
            }
            Polled::Records(messages) => self.step(&messages)?,
            Polled::Idle => self.counters.loop_iterated(),
        }
        Ok(())
    }

    fn expired(&mut self, expired: Expired) -> Result<(), ValidatorError> {
        let Expired { topic, partition, from, low } = expired;
        if !self.skips_expired {
            return Err(ValidatorError::RecordsExpired { topic, partition, from, low });
        }
        warn!(topic, partition, from, to = low, "passing over records that expired unjudged");
        self.go_on_at(TopicPartition { topic: topic.into(), partition }, low)
    }

    /// True when the group has passed the offsets of the drain.
    fn has_drained(&self) -> Result<bool, ValidatorError> {
        if self.targets.is_empty() {
            return Ok(true);
        }
        let offsets = self.broker.group_offsets(self.group)?;
        let reached: HashMap<&TopicPartition, &GroupOffset> = offsets.iter().map(|o| (&o.at, o)).collect();
        let is_reached =
            |(at, end): &(TopicPartition, u64)| reached.get(at).is_some_and(|reached| reached.offset >= *end);
        if !self.targets.iter().all(is_reached) {
            return Ok(false);
        }
        // Where there is nothing to judge, no partition need have been assigned.
        let retried = || self.counters.retried("poll");
        let reached = self.targets.iter().filter_map(|(at, _)| reached.get(at).copied());
        rollback::check_all(self.broker, reached, self.shutdown, retried)?;
        Ok(true)
    }

    fn may_pass(error: &ValidatorError) -> bool {
        matches!(error, ValidatorError::Broker(error) if error.may_pass())
    }

    fn retried(&self) {
        self.counters.retried("poll");
    }
}

impl Validator<'_> {
    fn assigned(&mut self, assigned: Vec<Assignment>) -> Result<(), ValidatorError> {
        let shutdown = self.shutdown;
        let known = self.until_known(|registrar| {
            register::ensure(registrar.broker)?;
            register::read(registrar.broker, registrar.group, shutdown)
        });
        let Some(known) = known? else { return Ok(()) };
        for assignment in assigned {
            let kept = assignment.metadata.as_deref().map(Position::of).unwrap_or_default();
            let retried = || self.counters.retried("poll");
            rollback::check(self.broker, &assignment, &kept, self.shutdown, retried)?;
            let is_left = kept.is_left_at(assignment.position);
            self.positions.insert(assignment.at.clone(), kept);
            let Assignment { at, topic_id, position, metadata } = assignment;
            info!(topic = %at.topic, partition = at.partition, position, "assigned");
            self.topic_ids.insert(at.clone(), topic_id.clone());
            let Some(position) = self.first_of(&at, position) else {
                self.pause(&at)?;
                continue;
            };
            let beginning = Assigned { at: &at, topic_id: &topic_id, position, is_left };
            let Some(allowed) = self.until_known(|registrar| registrar.assigned(&known, &beginning))? else {
                return Ok(());
            };
            match allowed {
                // The next poll reports that it was deleted.
                Allowed::Nowhere => self.pause(&at)?,
                Allowed::From(resume_at) => {
                    warn!(topic = %at.topic, partition = at.partition, from = position, to = resume_at, "passing over records that may have been judged under other settings");
                    self.go_on_at(at, resume_at)?;
                }
                Allowed::FromPosition if metadata.is_none() && self.selection.is_none() => {
                    self.restart_at(&at, position)?;
                }
                Allowed::FromPosition if position != assignment.position => self.seek(&at, position)?,
                Allowed::FromPosition => {}
            }
        }
        Ok(())
    }

    /// Asks the register until the broker answers; `None` when a stop was requested before.
    fn until_known<T>(
        &mut self,
        mut ask: impl FnMut(&mut Registrar<'_>) -> Result<T, RegisterError>,
    ) -> Result<Option<T>, RegisterError> {
        let (registrar, counters) = (&mut self.registrar, self.counters);
        let may_pass = |error: &RegisterError| {
            let may_pass = matches!(error, RegisterError::Broker(error) if error.may_pass());
            if may_pass {
                warn!(%error, "cannot tell yet where to begin, trying again");
                counters.retried("poll");
            }
            may_pass
        };
        retry::until_stopped(self.shutdown, may_pass, || ask(registrar))
    }

    /// Where the selection begins, or goes on, in this partition; `None` when nothing of it is left.
    fn first_of(&self, at: &TopicPartition, position: u64) -> Option<u64> {
        let Some(selection) = self.selection else { return Some(position) };
        let range = selection.ranges.get(at)?;
        (position < range.end).then(|| position.max(range.start))
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<(), ValidatorError> {
        match self.processor.seek(at, offset) {
            Err(BrokerError::Fenced { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Begins where the group has no offset: at the oldest record, unless one before it may have been missed.
    fn restart_at(&mut self, at: &TopicPartition, low: u64) -> Result<(), ValidatorError> {
        if low == 0 {
            return Ok(());
        }
        let (topic, partition) = (at.topic.to_string(), at.partition);
        if !self.skips_expired {
            return Err(ValidatorError::NoPosition { topic, partition, low });
        }
        warn!(topic, partition, to = low, "whether these expired records were judged is not known: passing over them");
        self.go_on_at(at.clone(), low)
    }

    /// Moves the group to an offset, past records that it does not judge.
    fn go_on_at(&mut self, at: TopicPartition, offset: u64) -> Result<(), ValidatorError> {
        failpoint::hit!("validator.skip.begin");
        let offsets = [self.offset(&at, offset, None)];
        let records = self.registrar.records(&offsets);
        let (processor, counters) = (&mut self.processor, self.counters);
        let retried = || counters.retried("poll");
        let committed = broker::until_answered(self.shutdown, "passing over records", retried, || {
            processor.seek(&offsets[0].at, offset)?;
            if records.is_empty() { processor.commit(&offsets) } else { processor.step(&records, &offsets).map(|_| ()) }
        });
        match committed {
            // The partition's next owner finds out for itself.
            Err(BrokerError::Fenced { .. }) | Ok(None) => {}
            Ok(Some(())) => self.registrar.committed(&offsets),
            Err(error) => return Err(error.into()),
        }
        failpoint::hit!("validator.skip.committed");
        Ok(())
    }

    fn pause(&mut self, at: &TopicPartition) -> Result<(), ValidatorError> {
        match self.processor.pause(std::slice::from_ref(at)) {
            Err(BrokerError::Fenced { .. }) => Ok(()),
            other => Ok(other?),
        }
    }

    fn step(&mut self, messages: &[Message]) -> Result<(), ValidatorError> {
        let now_ms = self.clock.now_ms();
        let tracer = self.counters.tracer();
        let links = tracer.links(messages.iter().filter_map(|message| message.header(headers::TRACEPARENT)));
        let mut span = tracer.process(topics::WIRE, self.group, links);
        let mut chosen: Vec<(&Message, Arc<str>)> = Vec::with_capacity(messages.len());
        let mut spans: BTreeMap<&TopicPartition, Range<u64>> = BTreeMap::new();
        let mut over: BTreeSet<TopicPartition> = BTreeSet::new();
        let mut last: BTreeMap<&TopicPartition, &Message> = BTreeMap::new();
        for message in messages {
            let Some(topic_id) = self.topic_ids.get(&message.at) else {
                // Not ours any more: its new owner will read it.
                debug!(topic = %message.at.topic, partition = message.at.partition, "record of a revoked partition");
                continue;
            };
            match selected(self.selection, &self.transform, message) {
                Selected::Judged => chosen.push((message, topic_id.clone())),
                Selected::PassedOver => {}
                Selected::Behind(end) => {
                    // Not every offset is a record: what is behind the last one says that the range is done.
                    spans.entry(&message.at).or_insert(end..end).end = end;
                    over.insert(message.at.clone());
                    continue;
                }
                Selected::NotRead => continue,
            }
            spans.entry(&message.at).or_insert(message.offset..message.offset).end = message.offset + 1;
            last.insert(&message.at, message);
        }
        if spans.is_empty() {
            return Ok(());
        }
        let offsets: Vec<GroupOffset> =
            spans.iter().map(|(at, span)| self.offset(at, span.end, last.get(at).copied())).collect();
        let began = Instant::now();
        let committed = self.judge_and_commit(&chosen, &offsets, now_ms).inspect_err(|error| span.fail(error))?;
        if let Some(dead_by_code) = committed {
            let (all, dead) = (chosen.len() as u64, dead_by_code.values().sum::<u64>());
            span.set_records(all);
            span.set("finops.dead_letters", || i64::try_from(dead).unwrap_or(i64::MAX));
            self.counters.committed(all - dead, &dead_by_code, began.elapsed());
            self.counters.loop_iterated();
            for at in over {
                self.pause(&at)?;
            }
            return Ok(());
        }
        span.fail(&"the step was given up");
        // A partition of the step that is still ours, or ours again, is read again from where the step began: going on
        // behind it would skip these records for good.
        for (at, span) in spans {
            match self.processor.seek(at, span.start) {
                Ok(()) | Err(BrokerError::Fenced { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// An offset with what the next owner of the partition compares.
    fn offset(&mut self, at: &TopicPartition, offset: u64, last: Option<&Message>) -> GroupOffset {
        let kept = self.positions.entry(at.clone()).or_default();
        kept.end = Some(offset);
        if let Some(last) = last {
            kept.last_record = Some(rollback::last_record(last));
        }
        GroupOffset { at: at.clone(), offset, metadata: kept.to_metadata() }
    }

    /// Dead letters by code when the step was committed; `None` when it was given up. What a topic refuses by its size is judged again:
    /// a valid record becomes a dead letter then, and a dead letter is cut harder.
    fn judge_and_commit(
        &mut self,
        chosen: &[(&Message, Arc<str>)],
        offsets: &[GroupOffset],
        now_ms: i64,
    ) -> Result<Option<BTreeMap<&'static str, u64>>, BrokerError> {
        self.transform.limits = self.limits;
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let (mut out, dead_by_code) = judge_all(&self.transform, chosen, now_ms);
            out.extend(self.registrar.records(offsets));
            let error = match self.commit(&out, offsets) {
                Ok(true) => {
                    self.registrar.committed(offsets);
                    return Ok(Some(dead_by_code));
                }
                Ok(false) => return Ok(None),
                Err(error) => error,
            };
            let BrokerError::TooLarge { topic, bytes, limit } = &error else { return Err(error) };
            self.counters.retried("step");
            let is_lower = if **topic == *self.dead_topic {
                self.limits.dead = self.limits.dead.min(*limit);
                self.transform.limits.lower_dead(*bytes, *limit)
            } else {
                self.transform.limits.lower_valid(*bytes)
            };
            if is_lower {
                warn!(%error, "judging the step again for what this topic takes");
                continue;
            }
            warn!(%error, "nothing can be made smaller: waiting for an administrator who raises max.message.bytes of this topic");
            if backoff.wait(self.shutdown) {
                return Ok(None);
            }
            // What it takes by then is seen when it refuses.
            self.limits = TopicLimits::LARGEST;
            self.transform.limits = self.limits;
        }
    }

    /// True when the step was committed; false when it was given up because the partitions were revoked or we stop.
    fn commit(&mut self, out: &[OutRecord], offsets: &[GroupOffset]) -> Result<bool, BrokerError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            failpoint::hit!("validator.step.begin");
            match self.processor.step(out, offsets) {
                Ok(_) => {
                    failpoint::hit!("validator.step.committed");
                    return Ok(true);
                }
                Err(BrokerError::Fenced { doing }) => {
                    warn!(
                        doing,
                        "fenced, dropping the step; the process that its partitions are assigned to repeats it"
                    );
                    return Ok(false);
                }
                Err(error) if error.is_retriable() || matches!(error, BrokerError::UnknownTopic(_)) => {
                    self.counters.retried("step");
                    warn!(%error, "step failed, trying again");
                    if backoff.wait(self.shutdown) {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}
