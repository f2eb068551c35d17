//! `kill -9` at random moments, again and again.
//!
//! On Kafka a partition stays unassigned until the session of its dead owner is over. If all processes were killed before that, none
//! would have anything to lose: so every few kills the attacks wait until there is work again.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use platform::failpoint;
use rand::Rng;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::program::{self, Role, SIGKILL, Service};
use tests::attack::reader::Reader;
use tests::attack::seed::{Seeded, is_long, kills, seeded};
use tests::attack::site::{Site, SiteKind};
use tests::attack::{exports, oracle};
use tests::repo;

/// Kills on Kafka between which services get to work.
const KILLS_WITHOUT_WORK_MAX: u64 = 8;

at_each_site!(services_are_killed, up_is_killed, run_is_killed);

fn services_are_killed(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("services");
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Validator, Role::Sink, Role::Sink, Role::Exporter]);
        for n in 0..kills(kind) {
            if !kind.is_embedded() && n % KILLS_WITHOUT_WORK_MAX == 0 {
                battle.wait_for_work(1, &mut services);
            }
            std::thread::sleep(Duration::from_millis(rng.random_range(0..500)));
            let victim = services.swap_remove(rng.random_range(0..services.len()));
            let role = victim.role;
            victim.kill();
            services.push(Service::start(&site, role));
        }
        services
    });
    exports::judge_alone(&site);
    note(Fault::Deed(Deed::ServicesKilled), &site, kills(kind), Some(seed), &count, "goes on");
}

fn up_is_killed(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("up");
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        for n in 0..kills(kind) {
            let mut up = [Service::start(&site, Role::Up)];
            if !kind.is_embedded() && n % KILLS_WITHOUT_WORK_MAX == 0 {
                battle.wait_for_work(1, &mut up);
            }
            std::thread::sleep(Duration::from_millis(rng.random_range(0..900)));
            let [up] = up;
            up.kill();
        }
        vec![Service::start(&site, Role::Up)]
    });
    exports::judge_alone(&site);
    note(Fault::Deed(Deed::UpKilled), &site, kills(kind), Some(seed), &count, "goes on");
}

/// Each run publishes the same findings once more: the same rows come many times, by intent, each of another source.
fn run_is_killed(kind: SiteKind) {
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
    if !kind.is_embedded() {
        // What a hanging transaction hides is waited for.
        killed += killed_with_open_transactions(&site, &run);
        let _ = program::done(&site, &run);
    }
    // A run on Kafka takes seconds.
    for _ in 0..if kind.is_embedded() { kills(kind) } else { kills(kind) / 3 } {
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

/// While it publishes findings; in the long form also while it judges, which comes after the manifest of its run.
fn killed_with_open_transactions(site: &Site, run: &[&str]) -> u64 {
    let passes = if is_long() { &[1, 3][..] } else { &[1] };
    for pass in passes {
        let armed = format!("broker.kafka.transaction.prepared:{pass}");
        let ended = program::command(site, run).env(failpoint::VARIABLE, &armed).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.signal(), Some(SIGKILL), "{armed}: {}: {errors}", ended.status);
    }
    passes.len() as u64
}
