//! All attacks on real Kafka, one after another: its topics have fixed names, so each cluster is attacked by one at a
//! time. Those on the broker itself are here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use contracts::topics;
use platform::failpoint;
use rdkafka::producer::Producer as _;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::program::{Role, Service};
use tests::attack::seed::is_long;
use tests::attack::site::{BROKERS, Site, SiteKind, use_kafka};
use tests::kafka::Cluster;
use tests::network::Weather;
use tests::skip;

/// The name of an attack on the broker, and the attack.
type Attack = (&'static str, fn(SiteKind, &mut Cluster));

/// Attacks on the broker.
pub const ATTACKS: &[Attack] = &[
    ("the_broker_is_killed", the_broker_is_killed),
    ("the_network_before_the_broker_is_bad", the_network_before_the_broker_is_bad),
    ("a_transaction_times_out", a_transaction_times_out),
    ("the_coordinator_is_killed", the_coordinator_is_killed),
    ("a_foreign_transaction_hides_a_commit", a_foreign_transaction_hides_a_commit),
];

/// How long a transaction of a validator stays open at most, and how long the broker takes to notice.
const TRANSACTION: Duration = Duration::from_secs(10 + 2);

#[test]
fn local() {
    all(SiteKind::KafkaLocal);
}

#[test]
fn s3() {
    all(SiteKind::KafkaS3);
}

fn all(kind: SiteKind) {
    let Some(mut cluster) = Cluster::start_to_attack() else { return };
    use_kafka(kind, cluster.brokers());
    let mut failed = Vec::new();
    let mut attempt = |name: &'static str, attack: &mut dyn FnMut()| {
        if std::env::var("FINOPS_ATTACK_ONLY").is_ok_and(|only| only != name) {
            return true;
        }
        let started = Instant::now();
        let is_good = catch_unwind(AssertUnwindSafe(attack)).is_ok();
        if !is_good {
            failed.push(name);
        }
        println!("{name} at {}: {} s", kind.name(), started.elapsed().as_secs());
        is_good
    };
    for (name, attack) in crate::attacks(kind).into_iter().filter(|(name, _)| crate::short::is_due(kind, name)) {
        attempt(name, &mut || crate::attack(kind, (name, attack)));
    }
    for (name, attack) in ATTACKS.iter().filter(|(name, _)| crate::short::is_due(kind, name)) {
        if cluster.network().is_none() {
            skip::because(format!("{name} needs a broker that was started here from its jars"));
        } else if !attempt(name, &mut || attack(kind, &mut cluster)) {
            cluster.mend();
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn the_broker_is_killed(kind: SiteKind, cluster: &mut Cluster) {
    let site = Site::open(kind);
    let rounds = if is_long() { 6 } else { 2 };
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        for round in 0..rounds {
            battle.wait_for_work(100, &mut services);
            cluster.kill();
            // Back at once, or long after all sessions are over.
            std::thread::sleep(if round % 2 == 0 { Duration::ZERO } else { 2 * kind.session_timeout() });
            cluster.restart();
            battle.wait_for_work(200, &mut services);
        }
        services
    });
    note(Fault::Deed(Deed::BrokerKilled), &site, rounds, None, &count, "goes on");
}

fn the_network_before_the_broker_is_bad(kind: SiteKind, cluster: &mut Cluster) {
    let (network, behind) = cluster.network().unwrap();
    let site = Site::open(kind).with(BROKERS, &behind);
    let (short, long) = (Duration::from_secs(1), kind.session_timeout() + Duration::from_secs(2));
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        battle.wait_for_work(50, &mut services);
        for _ in 0..if is_long() { 3 } else { 1 } {
            for (weather, lasts) in [
                (Weather::Slow(Duration::from_millis(150)), long),
                (Weather::AnswersLost, short),
                (Weather::AnswersLost, long),
                (Weather::Silent, short),
                (Weather::Silent, long),
                (Weather::Cut, short),
                (Weather::Cut, long),
            ] {
                network.set(weather);
                std::thread::sleep(lasts);
                network.set(Weather::Fair);
                battle.wait_for_work(100, &mut services);
            }
        }
        services
    });
    assert!(network.connections() > 10, "services did not pass the network");
    note(Fault::Deed(Deed::BrokerNetworkBad), &site, 0, None, &count, "goes on");
}

/// Starts a validator that freezes with an open transaction, and waits until it has.
fn frozen_in_a_transaction(site: &Site) -> Service {
    let armed = [(failpoint::VARIABLE, "broker.kafka.transaction.prepared:3:stop")];
    let mut service = Service::start_with(site, Role::Validator, &[], &armed);
    service.wait_until_frozen();
    service
}

fn a_transaction_times_out(kind: SiteKind, _: &mut Cluster) {
    for _ in 0..if is_long() { 3 } else { 1 } {
        let site = Site::open(kind);
        let count = Battle::begin(&site).fight(|battle| {
            let sink = Service::start(&site, Role::Sink);
            let frozen = frozen_in_a_transaction(&site);
            let mut services = vec![Service::start(&site, Role::Validator), sink];
            std::thread::sleep(TRANSACTION);
            battle.wait_for_work(100, &mut services);
            frozen.signal("CONT");
            battle.wait_for_work(100, &mut services);
            // The one that was thrown out is a member like others again, and now the only one.
            let _ = services.remove(0).stop();
            services.push(frozen);
            battle.wait_for_work(300, &mut services);
            services
        });
        note(Fault::Deed(Deed::TransactionTimedOut), &site, 0, None, &count, "goes on");
    }
}

fn the_coordinator_is_killed(kind: SiteKind, cluster: &mut Cluster) {
    for _ in 0..if is_long() { 3 } else { 1 } {
        let site = Site::open(kind);
        let count = Battle::begin(&site).fight(|battle| {
            let sink = Service::start(&site, Role::Sink);
            let frozen = frozen_in_a_transaction(&site);
            cluster.kill();
            frozen.signal("CONT");
            // It asks to commit, and no coordinator is there.
            std::thread::sleep(Duration::from_secs(1));
            cluster.restart();
            let mut services = vec![frozen, sink];
            battle.wait_for_work(300, &mut services);
            services
        });
        note(Fault::Deed(Deed::CoordinatorKilled), &site, 1, None, &count, "goes on");
    }
}

/// Long form only: a client waits 30 s for the answer that is lost.
fn a_foreign_transaction_hides_a_commit(kind: SiteKind, cluster: &mut Cluster) {
    let (network, behind) = cluster.network().unwrap();
    let site = Site::open(kind).with(BROKERS, &behind);
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        battle.wait_for_work(100, &mut services);
        // All of them: what one partition hides, another might show.
        let foreign = cluster.open_transaction(&[topics::VALID, topics::DEAD_LETTERS]);
        network.set(Weather::CommitsUnanswered);
        services[0].wait_for_log("a Kafka transaction failed");
        network.set(Weather::Fair);
        foreign.abort_transaction(Duration::from_secs(60)).unwrap();
        battle.wait_for_work(300, &mut services);
        services
    });
    note(Fault::Deed(Deed::ForeignTransaction), &site, 0, None, &count, "goes on");
}
