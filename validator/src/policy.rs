//! Who may send what: `producers.toml` binds a wire topic to the tenants and check_ids its producer may
//! speak for. The topic is the security boundary; payload fields only ever narrow it. `docs/producers.md` is the page for users.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use contracts::claims::Producers;
use contracts::identity::SaltMode;
use contracts::judge::{MessageKind, Policy};
use contracts::topics;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Default limit of one wire record (contract.md §2).
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Default of how far ahead of the clock a run may start: a day covers every offset from UTC that was left out (at most 14 hours)
/// and still keeps a wrong clock from hiding later runs for longer than that.
pub const RUN_TS_AHEAD_MAX: Duration = Duration::from_secs(86_400);

/// The file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not the TOML that is expected.
    #[error("producer policy: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Problems in the content, all of them.
    #[error("producer policy: {}", .0.join("; "))]
    Content(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    producer: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    topic: String,
    tenants: Vec<String>,
    #[serde(default)]
    check_prefixes: Vec<String>,
    #[serde(default)]
    records: bool,
    finding_id_mode: Option<String>,
}

/// What one topic's producer may do.
#[derive(Debug, Clone)]
pub struct Binding {
    /// `None` means any tenant.
    tenants: Option<Vec<String>>,
    check_prefixes: Vec<String>,
    records: bool,
    salt_mode: SaltMode,
}

/// All bindings.
#[derive(Debug, Clone)]
pub struct ProducerPolicies {
    by_topic: BTreeMap<String, Binding>,
    message_bytes_max: usize,
    run_ts_ahead_max: Duration,
}

impl ProducerPolicies {
    /// The policy without a file: our own topic may send drafts and records of any tenant, no other topic anything.
    #[must_use]
    pub fn own_only(salt_mode: SaltMode) -> Self {
        let own = Binding { tenants: None, check_prefixes: Vec::new(), records: true, salt_mode };
        Self {
            by_topic: BTreeMap::from([(topics::WIRE.to_owned(), own)]),
            message_bytes_max: MESSAGE_BYTES_MAX,
            run_ts_ahead_max: RUN_TS_AHEAD_MAX,
        }
    }

    /// Reads a policy file on top of [`own_only`](Self::own_only).
    ///
    /// # Errors
    /// Bad TOML, or every bad entry named by its topic.
    pub fn parse(text: &str, salt_mode: SaltMode) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text)?;
        let mut policies = Self::own_only(salt_mode);
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for entry in file.producer {
            if !seen.insert(entry.topic.clone()) {
                problems.push(format!("topic {} is bound twice", entry.topic));
            }
            match entry.into_binding(salt_mode) {
                Ok((topic, binding)) => {
                    policies.by_topic.insert(topic, binding);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(policies) } else { Err(PolicyError::Content(problems)) }
    }

    /// Sets the size above which a record is a dead letter.
    #[must_use]
    pub fn with_message_bytes_max(self, message_bytes_max: usize) -> Self {
        Self { message_bytes_max, ..self }
    }

    /// Sets how far ahead of the clock a run may start.
    #[must_use]
    pub fn with_run_ts_ahead_max(self, run_ts_ahead_max: Duration) -> Self {
        Self { run_ts_ahead_max, ..self }
    }

    /// How far ahead of the clock a run may start.
    pub(crate) fn run_ts_ahead_max(&self) -> Duration {
        self.run_ts_ahead_max
    }

    /// Digest of what the topic's producer may do. The order of names does not matter, and neither do the producers of other topics.
    pub(crate) fn digest_of(&self, topic: &str) -> String {
        const SHOWN: usize = 16;
        let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        let members = self.by_topic.get(topic).map(|binding| {
            let tenants = binding.tenants.as_deref().map(sorted);
            (tenants, sorted(&binding.check_prefixes), binding.records, binding.salt_mode.as_str())
        });
        let mut digest = hex::encode(Sha256::digest(serde_json::json!(members).to_string()));
        digest.truncate(SHOWN);
        digest
    }

    /// True when a producer is bound to the topic.
    #[must_use]
    pub fn is_bound(&self, topic: &str) -> bool {
        self.by_topic.contains_key(topic)
    }

    /// Limit of one wire record.
    pub(crate) fn message_bytes_max(&self) -> usize {
        self.message_bytes_max
    }

    /// The contract's policy for records of a topic that arrived at this time, milliseconds since the epoch. A topic without a
    /// producer may speak for no tenant.
    #[must_use]
    pub fn for_topic(&self, topic: &str, asked: Option<SaltMode>, arrived_ms: i64) -> Policy<'_> {
        let binding = self.by_topic.get(topic);
        Policy {
            salt_mode: asked.or(binding.map(|b| b.salt_mode)).unwrap_or_default(),
            kind: MessageKind::Auto,
            records_allowed: binding.is_some_and(|b| b.records),
            tenants: match binding {
                None => Some(&[]),
                Some(b) => b.tenants.as_deref(),
            },
            check_prefixes: binding.map_or(&[], |b| &b.check_prefixes),
            message_bytes_max: self.message_bytes_max,
            run_ts_max_ms: Some(
                arrived_ms.saturating_add(i64::try_from(self.run_ts_ahead_max.as_millis()).unwrap_or(i64::MAX)),
            ),
        }
    }
}

impl Producers for ProducerPolicies {
    fn speaks_for_all(&self, topic: &str) -> bool {
        self.by_topic.get(topic).is_some_and(|binding| binding.tenants.is_none())
    }

    fn speaks_for(&self, topic: &str, tenant: &str) -> bool {
        let tenants = self.by_topic.get(topic).map(|binding| binding.tenants.as_deref());
        tenants.is_some_and(|tenants| tenants.is_none_or(|all| all.iter().any(|allowed| allowed == tenant)))
    }

    fn only_tenant(&self, topic: &str) -> Option<&str> {
        match self.by_topic.get(topic)?.tenants.as_deref()? {
            [tenant] => Some(tenant),
            _ => None,
        }
    }
}

impl Entry {
    fn into_binding(self, default_mode: SaltMode) -> Result<(String, Binding), String> {
        let topic = self.topic;
        if !topics::is_wire(&topic) {
            return Err(format!("topic {topic} is not {} or {0}.<producer>", topics::WIRE));
        }
        if self.tenants.is_empty() {
            return Err(format!("topic {topic}: tenants is empty; name them, or \"*\" for any"));
        }
        let any = self.tenants.iter().any(|t| t == "*");
        if let Some(bad) = self.tenants.iter().find(|t| *t != "*" && !contracts::layout::is_tenant_slug(t)) {
            return Err(format!("topic {topic}: {bad:?} is not a tenant id ([a-z0-9][a-z0-9._-]{{0,62}})"));
        }
        let salt_mode = match self.finding_id_mode {
            None => default_mode,
            Some(text) => SaltMode::from_str(&text).map_err(|e| format!("topic {topic}: {e}"))?,
        };
        let tenants = if any { None } else { Some(self.tenants) };
        Ok((topic, Binding { tenants, check_prefixes: self.check_prefixes, records: self.records, salt_mode }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_without_a_binding_speaks_for_no_tenant() {
        let policies = ProducerPolicies::own_only(SaltMode::Stable);
        assert_eq!(policies.for_topic("finops.findings.wire.stranger", None, 0).tenants, Some(&[][..]));
        assert_eq!(policies.for_topic(topics::WIRE, None, 0).tenants, None);
    }

    #[test]
    fn a_binding_limits_tenants_checks_and_records() {
        let text = "[[producer]]\ntopic = \"finops.findings.wire.x\"\ntenants = [\"acme\"]\ncheck_prefixes = [\"x.\"]";
        let policies = ProducerPolicies::parse(text, SaltMode::PerDay).unwrap();
        let policy = policies.for_topic("finops.findings.wire.x", None, 0);
        assert_eq!(policy.tenants, Some(&["acme".to_owned()][..]));
        assert_eq!(policy.check_prefixes, ["x.".to_owned()]);
        assert!(!policy.records_allowed);
        assert_eq!(policy.salt_mode, SaltMode::PerDay);
    }

    #[test]
    fn the_digest_is_of_what_one_topic_may_do() {
        let of = |members: &str| {
            let text = format!(
                "[[producer]]\ntopic = \"finops.findings.wire.x\"\n{members}\n\
                 [[producer]]\ntopic = \"finops.findings.wire.y\"\ntenants = [\"y\"]"
            );
            ProducerPolicies::parse(&text, SaltMode::Stable).unwrap()
        };
        let digest = |members: &str| of(members).digest_of("finops.findings.wire.x");
        let first = digest("tenants = [\"a\", \"b\"]");
        assert_eq!(digest("tenants = [\"b\", \"a\", \"b\"]\nrecords = false"), first, "it means the same");
        for other in [
            "tenants = [\"a\"]",
            "tenants = [\"*\"]",
            "tenants = [\"a\", \"b\"]\nrecords = true",
            "tenants = [\"a\", \"b\"]\ncheck_prefixes = [\"x.\"]",
            "tenants = [\"a\", \"b\"]\nfinding_id_mode = \"per_run\"",
        ] {
            assert_ne!(digest(other), first, "{other}");
        }
        let y = |members: &str| of(members).digest_of("finops.findings.wire.y");
        assert_eq!(y("tenants = [\"a\"]"), y("tenants = [\"*\"]"), "another topic's producer");
        assert_ne!(of("tenants = [\"a\"]").digest_of("finops.findings.wire.z"), first, "no producer is bound to it");
    }

    #[test]
    fn the_example_of_the_documentation_can_be_used() {
        let page = include_str!("../../docs/producers.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let policies = ProducerPolicies::parse(example, SaltMode::Stable).unwrap();
        let scanner = policies.for_topic("finops.findings.wire.acme-scanner", None, 0);
        assert_eq!(scanner.tenants, Some(&["acme".to_owned(), "acme-eu".to_owned()][..]));
        assert_eq!((scanner.check_prefixes, scanner.records_allowed), (&["acme.".to_owned()][..], false));
        let importer = policies.for_topic("finops.findings.wire.importer", None, 0);
        assert_eq!((importer.tenants, importer.records_allowed, importer.salt_mode), (None, true, SaltMode::PerRun));
        let keys = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        assert_eq!(keys.collect::<Vec<_>>(), ["topic", "tenants", "check_prefixes", "records", "finding_id_mode"]);
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let text = "[[producer]]\ntopic = \"other\"\ntenants = [\"a\"]\n[[producer]]\ntopic = \"finops.findings.wire.x\"\ntenants = [\"../x\"]";
        let message = ProducerPolicies::parse(text, SaltMode::Stable).unwrap_err().to_string();
        assert!(message.contains("topic other is not"), "{message}");
        assert!(message.contains("\"../x\" is not a tenant id"), "{message}");
    }
}
