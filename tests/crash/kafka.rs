//! All attacks on real Kafka, one after another: its topics have fixed names, so there is one site at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::program::Role;
use tests::attack::seed::is_long;
use tests::attack::site::{Kind, Site, use_kafka};
use tests::kafka::Cluster;

/// An attack and its name.
pub type Attack = (&'static str, fn(Kind));

#[test]
fn attacks() {
    let Some(mut cluster) = Cluster::start() else { return };
    use_kafka(cluster.brokers());
    let mut failed = Vec::new();
    let mut attempt = |name: &'static str, attack: &mut dyn FnMut()| {
        let started = Instant::now();
        if catch_unwind(AssertUnwindSafe(attack)).is_err() {
            failed.push(name);
        }
        println!("{name}: {:?}", started.elapsed());
    };
    let groups = [crate::failpoints::ATTACKS, crate::kills::ATTACKS, crate::members::ATTACKS, crate::scale::ATTACKS];
    for (name, attack) in groups.into_iter().flatten() {
        attempt(name, &mut || attack(Kind::KafkaLocal));
        if is_long() {
            attempt(name, &mut || attack(Kind::KafkaS3));
        }
    }
    attempt("the_broker_is_killed", &mut || the_broker_is_killed(&mut cluster));
    assert!(failed.is_empty(), "failed: {failed:?}");
}

fn the_broker_is_killed(cluster: &mut Cluster) {
    let site = Site::open(Kind::KafkaLocal);
    let rounds = if is_long() { 6 } else { 1 };
    let mut killed = 0;
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        for _ in 0..rounds {
            battle.wait_for_work(100, &mut services);
            killed += u64::from(cluster.kill());
            std::thread::sleep(Duration::from_secs(2));
            cluster.restart();
            battle.wait_for_work(200, &mut services);
        }
        services
    });
    note(Fault::Deed(Deed::BrokerKilled), &site, killed, None, &count, "goes on");
}
