//! What the short form attacks where. Embedded and local, all of it; of the others, whose attacks take long, what is
//! about their own broker and store, and one of each kind. The long form attacks everything everywhere.

use tests::attack::seed::{is_long, kills};
use tests::attack::site::SiteKind;

const DUE: &[(SiteKind, &[&str])] = &[
    (
        SiteKind::EmbeddedS3,
        &[
            "errors",
            "slow_down",
            "commit_answers_are_lost",
            "commits_are_refused",
            "publish_answers_are_lost",
            "the_network_is_bad",
            "sink_in_its_store",
            "services_are_killed",
            "concurrent_loads",
            "an_exporter_wakes_up_with_an_older_cut",
            "the_bucket_lies",
        ],
    ),
    (
        SiteKind::KafkaLocal,
        &[
            "validator",
            "services_are_killed",
            "members_come_and_go",
            "more_processes_share_the_work",
            "a_hot_tenant_is_spread",
            "the_valid_topic_is_recreated",
            "the_wire_topic_is_recreated",
            "groups_are_deleted",
            "settings_are_changed_and_validators_set_back",
            "retention_passes_the_sink",
            "the_broker_is_killed",
            "a_transaction_times_out",
        ],
    ),
    (
        SiteKind::KafkaS3,
        &[
            "rare_points_of_the_sink",
            "a_member_is_frozen_and_wakes_up",
            "up_is_killed",
            "commit_answers_are_lost",
            "retention_passes_the_validator",
            "the_coordinator_is_killed",
            "the_network_before_the_broker_is_bad",
        ],
    ),
];

/// What the short form leaves to others even where it attacks all: a test of the program kills a load at each point once.
const LONG_ONLY: &[&str] = &["a_load_is_killed_at_each_point"];

/// True when this form makes that attack there.
pub fn is_due(kind: SiteKind, attack: &str) -> bool {
    let is_listed = || DUE.iter().any(|(of, attacks)| *of == kind && attacks.contains(&attack));
    is_long() || !LONG_ONLY.contains(&attack) && (kind == SiteKind::EmbeddedLocal || is_listed())
}

#[test]
fn this_form_kills_at_least_200_times_at_random_on_kafka() {
    let on_kafka = SiteKind::ALL.iter().copied().filter(|kind| !kind.is_embedded());
    // Each kills so often, or fails.
    let attacks = on_kafka.flat_map(|kind| ["services_are_killed", "up_is_killed"].map(|name| (kind, name)));
    let due: u64 = attacks.filter(|(kind, name)| is_due(*kind, name)).map(|(kind, _)| kills(kind)).sum();
    assert!(due >= 200, "{due}");
}

#[test]
fn what_is_due_exists() {
    for (kind, names) in DUE {
        for name in *names {
            let is_there = crate::attacks(*kind).iter().any(|attack| attack.0 == *name)
                || !kind.is_embedded() && crate::kafka::ATTACKS.iter().any(|attack| attack.0 == *name);
            assert!(is_there, "there is no attack {name} at {}", kind.name());
        }
    }
}
