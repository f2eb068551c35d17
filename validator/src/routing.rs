//! Where wire records go, and whether they may be judged again. The sink recognizes a record that comes twice by its source position,
//! within one commit chain. So a record that is judged again must go where it went the first time: to the same partition of the same
//! topic. The *routing* is all that decides this. A routing that changed is no problem for records that are not judged yet; records
//! that were judged under another one must not be judged again. Here is the decision, without I/O; [`register`](crate::register)
//! keeps what it needs to know.

use contracts::dead_letter::CONTRACT_VERSION;
use platform::broker::TopicPartition;
use serde::{Deserialize, Serialize};

/// All that decides which topic and partition a record of one wire topic goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routing {
    /// Version of the program that judges: rules may change with it.
    pub program: String,
    /// Version of the contract.
    pub contract: String,
    /// Valid partitions one tenant may use.
    pub tenant_spread: u32,
    /// Where valid records go.
    pub valid: VerdictTarget,
    /// Where dead letters go.
    pub dead_letters: VerdictTarget,
    /// Digest of what the topic's producer may do.
    pub producer: String,
    /// Above this a record is a dead letter.
    pub message_bytes_max: u64,
    /// How far ahead of the clock a run may start.
    pub run_ts_ahead_max_ms: u64,
}

/// A topic that verdicts go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictTarget {
    /// Topic.
    pub topic: String,
    /// Its id. A recreated topic has another one, and another commit chain, which knows of no earlier record.
    pub topic_id: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// What it takes, where that decides between valid and dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_bytes_max: Option<u64>,
}

impl Routing {
    /// The program's and the contract's version as they are now.
    pub(crate) fn versions() -> (String, String) {
        (env!("CARGO_PKG_VERSION").to_owned(), CONTRACT_VERSION.to_owned())
    }

    /// What differs, in words: how it was, and how it is `now`.
    #[must_use]
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, before: String, after: String| {
            if before != after {
                found.push(format!("{what} was {before} and is {after}"));
            }
        };
        compare("the version of the program", self.program.clone(), now.program.clone());
        compare("the version of the contract", self.contract.clone(), now.contract.clone());
        compare("validator.tenant_spread", self.tenant_spread.to_string(), now.tenant_spread.to_string());
        compare("validator.message_bytes_max", self.message_bytes_max.to_string(), now.message_bytes_max.to_string());
        let ahead = |routing: &Self| format!("{} s", routing.run_ts_ahead_max_ms / 1_000);
        compare("validator.run_ts_ahead_max", ahead(self), ahead(now));
        for (before, after) in [(&self.valid, &now.valid), (&self.dead_letters, &now.dead_letters)] {
            let topic = &after.topic;
            compare(&format!("the id of topic {topic}"), before.topic_id.clone(), after.topic_id.clone());
            let partitions = |target: &VerdictTarget| target.partitions.to_string();
            compare(&format!("the number of partitions of {topic}"), partitions(before), partitions(after));
            let bytes = |target: &VerdictTarget| target.record_bytes_max.unwrap_or_default().to_string();
            compare(&format!("max.message.bytes of {topic}"), bytes(before), bytes(after));
        }
        if self.producer != now.producer {
            let (before, after) = (&self.producer, &now.producer);
            let changed = "the policy of its producer (validator.producers) has changed";
            found.push(format!("{changed} (digest {before}, now {after})"));
        }
        found
    }
}

/// What is known of a wire partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingEntry {
    /// Under which records are judged now.
    pub routing: Routing,
    /// First offset that it is in force for: what was judged from here on was judged under it.
    pub since: u64,
    /// Nothing at or after this offset was judged when this was written.
    pub reach: u64,
    /// The routing before it, to name what changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Routing>,
}

/// Where the group stands in a wire partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Next offset to be judged.
    pub position: u64,
    /// A validator left this position; else a tool has set it, or there is none and reading begins at the oldest record.
    pub is_left: bool,
    /// End of the partition. Only asked for of a position that no validator left.
    pub end: u64,
}

/// What to do with a wire partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingDecision {
    /// Judge; all is known already.
    Judge,
    /// Judge, and keep this with the first step.
    Keep(Box<RoutingEntry>),
    /// Judge nothing: records would go another way than the first time.
    Refuse(Box<RoutingRefusal>),
}

/// Records would be judged again, under another routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingRefusal {
    /// Where to resume without judging such a record again.
    pub resume_at: u64,
    /// What to keep then.
    pub entry: RoutingEntry,
    /// Every record before `resume_at` was judged or passed over; else some may not have been judged at all.
    pub is_all_judged: bool,
    /// What differs, in words.
    pub differences: Vec<String>,
}

/// Whether a wire partition may be judged from where the group stands.
#[must_use]
pub fn decide(known: Option<&RoutingEntry>, now: &Routing, standing: Standing) -> RoutingDecision {
    let Standing { position, is_left, end } = standing;
    let Some(known) = known else {
        // The first validator of this partition, or the first that keeps this.
        let routing = now.clone();
        return RoutingDecision::Keep(Box::new(RoutingEntry {
            routing,
            since: position,
            reach: position,
            before: None,
        }));
    };
    // A position that no validator left says nothing of what was judged: anything that is there may have been.
    let reach = known.reach.max(if is_left { position } else { end });
    if known.routing == *now {
        let entry = RoutingEntry { reach, ..known.clone() };
        if position < known.since {
            let differences = known.before.as_ref().map(|before| before.differences(now)).unwrap_or_default();
            let refusal = RoutingRefusal { resume_at: known.since, entry, is_all_judged: true, differences };
            return RoutingDecision::Refuse(Box::new(refusal));
        }
        let is_changed = position < reach && known.reach < reach;
        return if is_changed { RoutingDecision::Keep(Box::new(entry)) } else { RoutingDecision::Judge };
    }
    let since = position.max(reach);
    let entry = RoutingEntry { routing: now.clone(), since, reach: since, before: Some(known.routing.clone()) };
    if position >= reach {
        return RoutingDecision::Keep(Box::new(entry));
    }
    let differences = known.routing.differences(now);
    RoutingDecision::Refuse(Box::new(RoutingRefusal { resume_at: reach, entry, is_all_judged: false, differences }))
}

/// A validator refuses to judge records again. In words: what would happen, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedOtherwise {
    /// Wire partition.
    pub at: TopicPartition,
    /// Where its group stands.
    pub position: u64,
    /// What was decided.
    pub refusal: RoutingRefusal,
    /// The group is that of a replay.
    pub is_replay: bool,
}

impl std::error::Error for JudgedOtherwise {}

impl JudgedOtherwise {
    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> String {
        let TopicPartition { topic, partition } = &self.at;
        let RoutingRefusal { resume_at, entry, differences, .. } = &self.refusal;
        let differences = match differences.as_slice() {
            [] => format!("those of now are in force since offset {}", entry.since),
            differences => differences.join("; "),
        };
        format!(
            "the group stands at offset {} of {topic}/{partition}, and records from there to {resume_at} (exclusive) may have been \
             judged before, under settings that would send them another way ({differences}): the sink could not tell them from \
             new records, and there would be a second row, or a row and a dead letter",
            self.position
        )
    }

    /// What to do.
    #[must_use]
    pub fn advice(&self) -> String {
        let RoutingRefusal { resume_at, is_all_judged, .. } = &self.refusal;
        if self.is_replay {
            return "restore these settings, or begin another replay, with an id and a fresh root of its own"
                .to_owned();
        }
        let resume = match is_all_judged {
            true => format!("run `finops validator run --drain --skip-judged` once, which resumes at {resume_at}"),
            false => format!(
                "restore what has changed; or run `finops validator run --drain --skip-judged` once, which resumes at \
                 {resume_at}, then `finops repair`, which sends what was not judged"
            ),
        };
        format!("{resume}. To judge all records by the settings of now, use `finops replay run --to`")
    }
}

impl std::fmt::Display for JudgedOtherwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}. What to do: {}", self.problem(), self.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(tenant_spread: u32) -> Routing {
        let target = |topic: &str, record_bytes_max| VerdictTarget {
            topic: topic.to_owned(),
            topic_id: format!("id of {topic}"),
            partitions: 4,
            record_bytes_max,
        };
        Routing {
            program: "1.0.0".to_owned(),
            contract: "1".to_owned(),
            tenant_spread,
            valid: target("valid", Some(10)),
            dead_letters: target("dlq", None),
            producer: "digest".to_owned(),
            message_bytes_max: 20,
            run_ts_ahead_max_ms: 86_400_000,
        }
    }

    fn entry(since: u64, reach: u64) -> RoutingEntry {
        RoutingEntry { routing: routing(1), since, reach, before: None }
    }

    const fn left(position: u64) -> Standing {
        Standing { position, is_left: true, end: 0 }
    }

    /// Set by a tool, or there is none; the partition ends at 1000.
    const fn set(position: u64) -> Standing {
        Standing { position, is_left: false, end: 1_000 }
    }

    /// Since, reach, and whether it is of now.
    fn kept(decision: RoutingDecision) -> (u64, u64, bool) {
        let RoutingDecision::Keep(entry) = decision else { panic!("{decision:?}") };
        (entry.since, entry.reach, entry.before.is_some())
    }

    #[test]
    fn where_nothing_is_known_it_is_kept_from_where_the_group_stands() {
        for standing in [left(7), set(7)] {
            assert_eq!(kept(decide(None, &routing(1), standing)), (7, 7, false));
        }
    }

    #[test]
    fn under_the_same_routing_all_since_it_may_be_judged_again() {
        let check = |known: RoutingEntry, standing, expected: Option<(u64, u64, bool)>| {
            let decision = decide(Some(&known), &routing(1), standing);
            match expected {
                None => assert_eq!(decision, RoutingDecision::Judge, "{standing:?}"),
                Some(expected) => assert_eq!(kept(decision), expected, "{standing:?}"),
            }
        };
        check(entry(0, 0), left(500), None);
        // All that is there may have been judged: that is kept once.
        check(entry(0, 0), set(0), Some((0, 1_000, false)));
        check(entry(200, 200), set(200), Some((200, 1_000, false)));
        check(entry(0, 1_000), set(0), None);
        check(entry(0, 1_000), left(500), None);
        // Nothing is judged again.
        check(entry(0, 0), set(1_000), None);
    }

    #[test]
    fn what_was_judged_before_the_routing_is_not_judged_again() {
        let known = RoutingEntry { before: Some(routing(3)), ..entry(500, 500) };
        for standing in [set(499), left(0)] {
            let decision = decide(Some(&known), &routing(1), standing);
            let RoutingDecision::Refuse(refusal) = decision else { panic!("{decision:?}") };
            assert_eq!((refusal.resume_at, refusal.is_all_judged, refusal.entry.since), (500, true, 500));
            assert_eq!(refusal.differences, ["validator.tenant_spread was 3 and is 1"]);
            assert_eq!(refusal.entry.reach, if standing.is_left { 500 } else { 1_000 });
        }
    }

    #[test]
    fn another_routing_is_in_force_from_where_nothing_was_judged() {
        let of = |known: RoutingEntry, standing| decide(Some(&known), &routing(2), standing);
        assert_eq!(kept(of(entry(0, 0), left(500))), (500, 500, true));
        assert_eq!(kept(of(entry(0, 500), left(500))), (500, 500, true));
        assert_eq!(kept(of(entry(0, 0), set(1_000))), (1_000, 1_000, true));
        let refused = |known, standing| {
            let decision = of(known, standing);
            let RoutingDecision::Refuse(refusal) = decision else { panic!("{decision:?}") };
            assert_eq!((refusal.entry.since, refusal.entry.reach), (refusal.resume_at, refusal.resume_at));
            assert_eq!(refusal.entry.routing, routing(2));
            assert!(!refusal.is_all_judged);
            refusal.resume_at
        };
        assert_eq!(refused(entry(0, 0), set(0)), 1_000);
        assert_eq!(refused(entry(0, 0), set(999)), 1_000);
        // Set back under the first routing, judged again in part, and then changed.
        assert_eq!(refused(entry(0, 1_000), left(999)), 1_000);
        assert_eq!(refused(entry(0, 2_000), set(1_500)), 2_000);
    }

    /// Random acts of operators and validators: no record is ever judged under two routings.
    #[test]
    fn whatever_is_changed_and_set_back_no_record_is_judged_under_two_routings() {
        let mut seed = 38_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let (mut refused, mut judged_again, mut changed) = (0, 0, 0);
        for _ in 0..500 {
            let mut judged: Vec<Option<u32>> = Vec::new();
            let (mut known, mut position, mut is_left, mut spread) = (None::<RoutingEntry>, 0_u64, false, 1);
            for _ in 0..40 {
                judged.resize(judged.len() + usize::try_from(random(20)).unwrap(), None);
                let end = judged.len() as u64;
                match random(6) {
                    0 => (position, is_left) = (random(end + 1), false),
                    1 => spread = 1 + u32::try_from(random(3)).unwrap(),
                    _ => {}
                }
                let (pending, start) =
                    match decide(known.as_ref(), &routing(spread), Standing { position, is_left, end }) {
                        RoutingDecision::Judge => (None, position),
                        RoutingDecision::Keep(entry) => (Some(*entry), position),
                        RoutingDecision::Refuse(refusal) => {
                            refused += 1;
                            if random(2) == 0 {
                                continue;
                            }
                            (Some(refusal.entry), refusal.resume_at)
                        }
                    };
                // Killed before the first step.
                if random(5) == 0 {
                    continue;
                }
                changed += usize::from(pending.as_ref().is_some_and(|entry| entry.before.is_some()));
                known = pending.or(known);
                let until = start + random(end - start + 1);
                for offset in start..until {
                    let before = judged[usize::try_from(offset).unwrap()].replace(spread);
                    assert!(before.is_none_or(|before| before == spread), "{offset} under {before:?} and {spread}");
                    judged_again += usize::from(before.is_some());
                }
                (position, is_left) = (until, true);
            }
        }
        assert!(refused > 500 && judged_again > 500 && changed > 500, "{refused} {judged_again} {changed}");
    }

    #[test]
    fn each_difference_is_named() {
        let check = |change: fn(&mut Routing), expected: &str| {
            let mut now = routing(1);
            change(&mut now);
            assert_eq!(routing(1).differences(&now), [expected]);
        };
        check(|r| r.program = "2.0.0".into(), "the version of the program was 1.0.0 and is 2.0.0");
        check(|r| r.contract = "2".into(), "the version of the contract was 1 and is 2");
        check(|r| r.tenant_spread = 4, "validator.tenant_spread was 1 and is 4");
        check(|r| r.message_bytes_max = 21, "validator.message_bytes_max was 20 and is 21");
        check(|r| r.run_ts_ahead_max_ms = 0, "validator.run_ts_ahead_max was 86400 s and is 0 s");
        check(
            |r| r.producer = "b".into(),
            "the policy of its producer (validator.producers) has changed (digest digest, now b)",
        );
        check(|r| r.valid.topic_id = "b".into(), "the id of topic valid was id of valid and is b");
        check(|r| r.valid.partitions = 8, "the number of partitions of valid was 4 and is 8");
        check(|r| r.dead_letters.partitions = 8, "the number of partitions of dlq was 4 and is 8");
        check(|r| r.valid.record_bytes_max = Some(9), "max.message.bytes of valid was 10 and is 9");
        assert_eq!(routing(1).differences(&routing(1)), [""; 0]);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let RoutingDecision::Refuse(refusal) = decide(Some(&entry(0, 0)), &routing(4), set(3)) else {
            panic!("not refused")
        };
        let at = TopicPartition { topic: "wire".into(), partition: 2 };
        let refused = JudgedOtherwise { at, position: 3, refusal: *refusal, is_replay: false };
        assert_eq!(
            refused.to_string(),
            "the group stands at offset 3 of wire/2, and records from there to 1000 (exclusive) may have been judged before, under \
             settings that would send them another way (validator.tenant_spread was 1 and is 4): the sink could not tell them from \
             new records, and there would be a second row, or a row and a dead letter. What to do: restore what has changed; or \
             run `finops validator run --drain --skip-judged` once, which resumes at 1000, then `finops repair`, which sends what \
             was not judged. To judge all records by the settings of now, use `finops replay run --to`"
        );
        let replay = JudgedOtherwise { is_replay: true, ..refused };
        assert!(replay.advice().starts_with("restore these settings, or begin another replay"), "{replay}");
    }
}
