//! One wire message to one outgoing record. Pure: the clock reading and the policies come in.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use contracts::claims::{self, Claims, Producers as _};
use contracts::dead_letter::{self, CONTRACT_VERSION, CUT_VALUE_BYTES, CutValue, DeadLetter};
use contracts::identity::SaltMode;
use contracts::judge::{self, ValidFinding};
use contracts::source::{Src, SrcPartition};
use contracts::topics::{PipelineTopics, headers};
use contracts::violation::{Code, Violation};
use contracts::{frame, time};
use platform::broker::{Headers, Message, OutRecord};
use sha2::{Digest, Sha256};

use crate::cut;
use crate::history::History;
use crate::limits::TopicLimits;
use crate::policy::ProducerPolicies;

/// A trace context is 55 bytes; a later version of the standard may be longer. What is much longer is none.
const TRACEPARENT_BYTES_MAX: usize = 256;
/// `dlq.errors` holds at most this many violations; the rest is counted in a last entry.
const ERRORS_LISTED_MAX: usize = 100;

/// What became of a message.
pub enum MessageOutcome {
    /// A valid record for the topic of valid records.
    Valid(OutRecord),
    /// A dead letter for its topic, with the code of its first violation.
    Dead(OutRecord, Code),
}

/// Everything that is the same for all messages of a validator.
pub struct Transform {
    pub(crate) limits: TopicLimits,
    policies: ProducerPolicies,
    valid_topic: Arc<str>,
    dead_topic: Arc<str>,
    valid_partitions: u32,
    dead_partitions: u32,
    tenant_spread: u32,
}

/// Neighbours that stay together when a tenant is spread: each partition gets runs, not single records.
const SPREAD_BLOCK: u64 = 500;

impl Transform {
    /// `tenant_spread` is how many valid partitions one tenant may use (1 keeps files few and large).
    #[must_use]
    pub fn new(
        policies: ProducerPolicies,
        pipeline_topics: &PipelineTopics,
        valid_partitions: u32,
        dead_partitions: u32,
        tenant_spread: u32,
    ) -> Self {
        Self {
            limits: TopicLimits::LARGEST,
            policies,
            valid_topic: pipeline_topics.valid.as_str().into(),
            dead_topic: pipeline_topics.dead_letters.as_str().into(),
            valid_partitions,
            dead_partitions,
            tenant_spread: tenant_spread.clamp(1, valid_partitions.max(1)),
        }
    }

    /// What the record's headers say, as far as its producer may say it.
    pub(crate) fn claims<'m>(&'m self, message: &'m Message) -> Claims<'m> {
        Claims::of(&message.at.topic, |name| message.header(name), &self.policies)
    }

    /// Judges one message.
    #[must_use]
    pub fn apply(&self, message: &Message, topic_id: &str, now_ms: i64) -> MessageOutcome {
        let src = Src {
            partition: SrcPartition { topic_id: topic_id.to_owned(), partition: message.at.partition },
            offset: message.offset,
        };
        let finding = match self.judge(message, now_ms) {
            Ok(finding) => finding,
            Err(violations) => return self.dead(message, src, &violations, now_ms),
        };
        match finding.cast_for_storage() {
            Ok(record) => {
                let valid = self.valid(message, &finding, &src, record.encode(), now_ms);
                match self.refused_by_size(&valid) {
                    None => MessageOutcome::Valid(valid),
                    Some(violation) => self.dead(message, src, &[violation], now_ms),
                }
            }
            Err(violations) => self.dead(message, src, &violations, now_ms),
        }
    }

    fn judge<'m>(&self, message: &'m Message, now_ms: i64) -> Result<ValidFinding<'m>, Vec<Violation>> {
        if message.value.is_null() {
            return Err(vec![Violation::new(
                "",
                Code::BadJson,
                "no value (a tombstone): a finding is one JSON object",
            )]);
        }
        let asked = asked_mode(message)?;
        replay_of(message)?;
        let policy = self.policies.for_topic(&message.at.topic, asked, arrived_ms(message, now_ms));
        judge::judge(frame::payload(&message.value), &policy, now_ms).map_err(|r| r.violations)
    }

    fn refused_by_size(&self, valid: &OutRecord) -> Option<Violation> {
        let (topic, bytes, limit) = (&valid.topic, valid.bytes(), self.limits.valid);
        let words = || format!("as a valid record it has {bytes} bytes, which topic {topic} does not take");
        (!cut::fits(valid, limit)).then(|| Violation::new("", Code::TooLarge, words()))
    }

    fn valid(
        &self,
        message: &Message,
        finding: &ValidFinding<'_>,
        src: &Src,
        value: Vec<u8>,
        now_ms: i64,
    ) -> OutRecord {
        let partition = self.valid_partition(finding.tenant_id(), src);
        OutRecord {
            topic: self.valid_topic.clone(),
            partition: Some(partition),
            key: Some(Bytes::copy_from_slice(finding.tenant_id().as_bytes())),
            value: value.into(),
            headers: valid_headers(message, &self.claims(message), finding, src),
            timestamp_ms: Some(arrived_ms(message, now_ms)),
        }
    }

    /// The same source position always goes to the same partition, in the order of source positions: the sink relies
    /// on rising `src` per (valid partition, source partition). Our own producers key by tenant, so a hot tenant comes
    /// from one source partition: its blocks of offsets are spread, too.
    fn valid_partition(&self, tenant: &str, src: &Src) -> u32 {
        let base = platform::broker::partition_for_key(tenant.as_bytes(), self.valid_partitions);
        let spread = u64::from(self.tenant_spread);
        let slot = (u64::from(src.partition.partition) % spread + src.offset / SPREAD_BLOCK % spread) % spread;
        (base + u32::try_from(slot).unwrap_or_default()) % self.valid_partitions
    }

    fn dead(&self, message: &Message, src: Src, violations: &[Violation], now_ms: i64) -> MessageOutcome {
        let code = violations.first().map_or(Code::BadJson, |v| v.code);
        let letter = self.dead_letter(message, src, violations, code, now_ms);
        MessageOutcome::Dead(cut::fit(letter, message, self.limits.dead), code)
    }

    fn dead_letter(&self, message: &Message, src: Src, violations: &[Violation], code: Code, now_ms: i64) -> OutRecord {
        // A record that is too large for the topic of valid records only is kept whole, where there is room.
        let too_large = code == Code::TooLarge && message.value.len() > self.policies.message_bytes_max();
        let stands_for = stands_for(message, &src);
        let history = History::of(message, stands_for.is_some(), now_ms);
        let letter = DeadLetter {
            code: code.as_str().to_owned(),
            field: violations.first().map(|v| v.field.clone()).unwrap_or_default(),
            detail: violations.first().map(|v| v.message.clone()).unwrap_or_default(),
            errors: errors_json(violations),
            src,
            src_topic: message.at.topic.to_string(),
            src_timestamp_ms: time::clamp_ms(message.timestamp_ms),
            contract_version: CONTRACT_VERSION.to_owned(),
            validator_version: env!("CARGO_PKG_VERSION").to_owned(),
            first_seen_ms: history.first_seen_ms,
            replays: history.replays,
            cut: too_large.then(|| CutValue {
                bytes: message.value.len() as u64,
                sha256: hex::encode(Sha256::digest(&message.value)),
            }),
            value_is_null: message.value.is_null(),
            replay_of: None,
        };
        let claims = self.claims(message);
        let mut out = Headers::new();
        for (name, value) in message.headers.iter().filter(|(name, _)| !dead_letter::is_envelope_header(name)) {
            // A replay.of that cannot be read would make the letter unreadable, too.
            if claims.counts(name) && (stands_for.is_some() || name != headers::REPLAY_OF) {
                out.push(name, value);
            } else {
                out.push(&format!("{}{name}", headers::REFUSED_PREFIX), value);
            }
        }
        // Whose the records of a topic with one tenant are is known, whatever they say.
        if !claims.counts(headers::TENANT_ID)
            && let Some(tenant) = self.policies.only_tenant(&message.at.topic)
        {
            out.push(headers::TENANT_ID, tenant.as_bytes());
        }
        out.extend(letter.to_headers());
        let value = if too_large {
            message.value.as_bytes().map(|bytes| bytes.slice(..bytes.len().min(CUT_VALUE_BYTES))).into()
        } else {
            message.value.clone()
        };
        OutRecord {
            topic: self.dead_topic.clone(),
            partition: Some(message.at.partition % self.dead_partitions),
            key: message.key.clone(),
            value,
            headers: out,
            timestamp_ms: Some(arrived_ms(message, now_ms)),
        }
    }
}

/// When a record arrived: for the rule that a run does not start in the future, and the time of what is made of it. A broker may
/// refuse a time far ahead in one topic and not in another, and then no validator would get past the record. The time of its append
/// gives a replay the verdict of the first time. It may come from the producer's own clock, so a time ahead of ours is not
/// believed; one that is not set (0 or less) is none. A redriven record has the time of the redrive.
fn arrived_ms(message: &Message, now_ms: i64) -> i64 {
    if (1..=now_ms).contains(&message.timestamp_ms) { message.timestamp_ms } else { now_ms }
}

fn valid_headers(message: &Message, claims: &Claims<'_>, finding: &ValidFinding<'_>, src: &Src) -> Headers {
    let first = stands_for(message, src);
    let (src, run) = (src.to_string(), run_of(claims, finding));
    let mut out = Headers::from_iter([
        (headers::SRC, src.as_str()),
        (headers::TENANT_ID, finding.tenant_id()),
        (headers::WORKSPACE_ID, finding.workspace_id()),
        (headers::RUN_ID, finding.run_id()),
        (headers::RUN_DATE, finding.run_date()),
        (headers::RUN, &run),
    ]);
    if let Some(first) = first {
        out.push(headers::REPLAY_OF, first.to_string().as_bytes());
    }
    let trace = message.header(headers::TRACEPARENT).filter(|trace| trace.len() <= TRACEPARENT_BYTES_MAX);
    if let Some(trace) = trace {
        out.push(headers::TRACEPARENT, trace);
    }
    out
}

/// The run a record is counted for. A run may carry findings that name other runs (an import), and its manifest counts
/// them all: what the producer says of its own sending comes first.
fn run_of(claims: &Claims<'_>, finding: &ValidFinding<'_>) -> String {
    let own = || format!("{}/{}/{}", finding.tenant_id(), finding.workspace_id(), finding.run_id());
    claims.run().unwrap_or_else(own)
}

fn asked_mode(message: &Message) -> Result<Option<SaltMode>, Vec<Violation>> {
    header_value(message, headers::FINDING_ID_MODE, Code::Enum, "must be stable, per_run or per_day", |text| {
        SaltMode::from_str(text).ok()
    })
}

fn replay_of(message: &Message) -> Result<Option<Src>, Vec<Violation>> {
    header_value(message, headers::REPLAY_OF, Code::Text, "must be <topic id>/<partition>/<offset>", |text| {
        text.parse().ok()
    })
}

/// The record of its own partition that this one says to stand for.
fn stands_for(message: &Message, own: &Src) -> Option<Src> {
    replay_of(message).ok().flatten().filter(|first| claims::may_stand_for(first, own))
}

fn header_value<T>(
    message: &Message,
    name: &str,
    code: Code,
    rule: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Vec<Violation>> {
    let Some(bytes) = message.header(name) else { return Ok(None) };
    match std::str::from_utf8(bytes).ok().and_then(parse) {
        Some(value) => Ok(Some(value)),
        None => Err(vec![Violation::new(format!("headers[{name}]"), code, format!("header {name} {rule}"))]),
    }
}

fn errors_json(violations: &[Violation]) -> String {
    #[derive(serde::Serialize)]
    struct Listed<'a> {
        field: &'a str,
        code: &'a str,
        message: &'a str,
    }
    let mut listed: Vec<Listed<'_>> = violations
        .iter()
        .take(ERRORS_LISTED_MAX)
        .map(|v| Listed { field: &v.field, code: v.code.as_str(), message: &v.message })
        .collect();
    let rest = violations.len().saturating_sub(ERRORS_LISTED_MAX);
    let more = format!("{rest} more violations are not listed");
    if rest > 0 {
        listed.push(Listed { field: "", code: "more", message: &more });
    }
    serde_json::to_string(&listed).unwrap_or_else(|_| "[]".to_owned())
}

#[cfg(test)]
mod tests {
    use contracts::identity::SaltMode;

    use super::*;

    #[test]
    fn a_tenant_uses_as_many_partitions_as_it_may() {
        let check = |spread: u32, expected: usize| {
            let transform =
                Transform::new(ProducerPolicies::own_only(SaltMode::Stable), &PipelineTopics::live(), 8, 8, spread);
            let partition = |offset: u64| {
                let partition = SrcPartition { topic_id: "wire".to_owned(), partition: 3 };
                transform.valid_partition("acme", &Src { partition, offset })
            };
            let used: std::collections::BTreeSet<u32> = (0..10_000).map(partition).collect();
            assert_eq!(used.len(), expected, "spread {spread}: {used:?}");
            assert_eq!(partition(499), partition(0), "neighbours stay together");
        };
        check(1, 1);
        check(4, 4);
        check(100, 8);
    }
}
