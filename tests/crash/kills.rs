//! `kill -9` at random moments, again and again.

use std::time::{Duration, Instant};

use rand::Rng;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::program::{self, Role, Service};
use tests::attack::reader::Reader;
use tests::attack::seed::{Seeded, kills, seeded};
use tests::attack::site::{Kind, Site};
use tests::attack::{exports, oracle};
use tests::repo;

at_each_site!(services_are_killed, up_is_killed, run_is_killed);

fn services_are_killed(kind: Kind) {
    let Seeded { seed, mut rng } = seeded("services");
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        let roles = [Role::Validator, Role::Sink, Role::Exporter];
        let mut services = battle.start(&roles);
        for _ in 0..kills() {
            std::thread::sleep(Duration::from_millis(rng.random_range(0..500)));
            let victim = services.swap_remove(rng.random_range(0..services.len()));
            let role = victim.role;
            victim.kill();
            services.push(Service::start(&site, role));
        }
        services
    });
    exports::judge_alone(&site);
    note(Fault::Deed(Deed::ServicesKilled), &site, kills(), Some(seed), &count, "goes on");
}

fn up_is_killed(kind: Kind) {
    let Seeded { seed, mut rng } = seeded("up");
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|_| {
        for _ in 0..kills() {
            let up = Service::start(&site, Role::Up);
            std::thread::sleep(Duration::from_millis(rng.random_range(0..900)));
            up.kill();
        }
        vec![Service::start(&site, Role::Up)]
    });
    exports::judge_alone(&site);
    note(Fault::Deed(Deed::UpKilled), &site, kills(), Some(seed), &count, "goes on");
}

/// Each run publishes the same findings once more: the same rows come many times, by intent, each of another source.
fn run_is_killed(kind: Kind) {
    let Seeded { seed, mut rng } = seeded("run");
    let site = Site::open(kind);
    let load = Load::new(&site);
    let lines: Vec<u8> =
        (0..1_500).filter(|n| n % 25 != 7).flat_map(|n| [&load.record(n, "acme")[..], b"\n"].concat()).collect();
    let file = site.folder().join("findings.ndjson");
    std::fs::write(&file, lines).unwrap();
    let sample = repo::root().join("examples/data/focus-1.0-sample.csv");
    let run = [
        "run",
        "--tenant",
        "acme",
        "--workspace",
        "prod",
        "--focus",
        sample.to_str().unwrap(),
        "--findings",
        file.to_str().unwrap(),
    ];
    let started = Instant::now();
    let _ = program::done(&site, &run);
    let whole = started.elapsed();
    let reader = Reader::start(&site, false);
    let mut killed = 0;
    // A run on Kafka takes seconds.
    for _ in 0..if kind.is_embedded() { kills() } else { kills() / 3 } {
        let mut child = program::command(&site, &run)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * rng.random_range(0..1_100) / 1_000);
        child.kill().unwrap();
        killed += u64::from(!child.wait().unwrap().success());
    }
    let _ = program::done(&site, &run);
    let _ = reader.end();
    let count = oracle::judge_all(&site, None);
    note(Fault::Deed(Deed::RunKilled), &site, killed, Some(seed), &count, "the next run takes it on");
}
