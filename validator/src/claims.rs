//! Which headers of a wire record count. Kafka authorises topics, never headers, so a header is input like any other: what it
//! says of tenants is checked against the policy of the topic, and what only our own resending may say needs its source position.

use contracts::dead_letter;
use contracts::source::Src;
use contracts::topics::headers;
use platform::broker::Message;

use crate::policy::ProducerPolicies;

/// The headers of one record, as far as they count.
pub(crate) struct Claims<'m> {
    message: &'m Message,
    has_tenant: bool,
    has_run: bool,
}

impl<'m> Claims<'m> {
    /// A producer of some tenants is believed its tenant when the policy allows it. Its run is believed only with tenant and
    /// workspace: a run id alone would be counted for the runs of that id of every tenant.
    pub fn of(message: &'m Message, policies: &ProducerPolicies) -> Self {
        let topic = &message.at.topic;
        let text = |name: &str| message.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if policies.speaks_for_all(topic) {
            return Self { message, has_tenant: true, has_run: true };
        }
        let has_tenant = text(headers::TENANT_ID).is_some_and(|tenant| policies.speaks_for(topic, tenant));
        let has_run = has_tenant && text(headers::WORKSPACE_ID).is_some() && text(headers::RUN_ID).is_some();
        Self { message, has_tenant, has_run }
    }

    /// The header may be believed. Those of other names say nothing of tenants.
    pub fn counts(&self, name: &str) -> bool {
        match name {
            headers::TENANT_ID => self.has_tenant,
            headers::WORKSPACE_ID | headers::RUN_ID => self.has_run,
            // Only a validator sets these, on valid records.
            headers::RUN | headers::RUN_DATE => false,
            _ => true,
        }
    }

    /// The last header of that name, when it counts.
    pub fn header(&self, name: &str) -> Option<&'m [u8]> {
        self.message.header(name).filter(|_| self.counts(name))
    }

    /// The run that the producer's headers name, `tenant/workspace/run_id`.
    pub fn run(&self) -> Option<String> {
        let text =
            |name: &str| self.header(name).and_then(|v| std::str::from_utf8(v).ok()).filter(|text| !text.is_empty());
        let (tenant, workspace) = (text(headers::TENANT_ID)?, text(headers::WORKSPACE_ID)?);
        Some(format!("{tenant}/{workspace}/{}", text(headers::RUN_ID)?))
    }
}

/// What a redrive keeps of the dead letter that it sends again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct History {
    pub first_seen_ms: i64,
    pub replays: u32,
}

/// The history that a record brings; that of a first refusal unless the record stands for an earlier one of its own topic and
/// partition, as every redriven record does. A time that is not set or ahead of the clock is none.
pub(crate) fn history(message: &Message, src: &Src, replay_of: Option<&Src>, now_ms: i64) -> History {
    let is_redriven = replay_of.is_some_and(|first| first.partition == src.partition && first.offset < src.offset);
    let text = |name: &str| message.header(name).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = |name: &str| text(name).filter(|_| is_redriven);
    let first_seen_ms = text(dead_letter::header::FIRST_SEEN).and_then(|text| text.parse().ok());
    History {
        first_seen_ms: first_seen_ms.filter(|ms| (1..=now_ms).contains(ms)).unwrap_or(now_ms),
        replays: text(dead_letter::header::REPLAYS).and_then(|text| text.parse().ok()).unwrap_or_default(),
    }
}
