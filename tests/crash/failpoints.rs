//! Killed at every named crash point, under load: started again, nothing is lost and nothing is there twice.

use std::path::Path;
use std::time::{Duration, SystemTime};

use contracts::layout;
use platform::failpoint;
use tests::attack::battle::{Battle, note};
use tests::attack::exports;
use tests::attack::fault::Fault;
use tests::attack::program::{Role, Service};
use tests::attack::seed;
use tests::attack::site::{Kind, Site};

at_each_site!(validator, sink, sink_in_its_store, exporter, exporter_in_its_store, rare_points_of_the_sink);

/// Points that a sink passes only when something else has gone wrong before; they have attacks of their own.
const RARE: &[&str] = &["sink.checkpoint.begin", "sink.checkpoint.done", "sink.rebuild.begin", "sink.rebuild.done"];

#[test]
fn every_point_is_attacked_at_every_site_that_has_it() {
    for kind in Kind::ALL {
        for name in failpoint::NAMES {
            assert_eq!(roles(*kind, name).is_empty(), kind.lacks(name), "{name} at {}", kind.name());
        }
    }
}

/// Who passes a point.
fn roles(kind: Kind, name: &str) -> &'static [Role] {
    if kind.lacks(name) {
        return &[];
    }
    match name.split('.').next().unwrap() {
        "validator" | "broker" => &[Role::Validator],
        "sink" => &[Role::Sink],
        "exporter" => &[Role::Exporter],
        "store" => &[Role::Sink, Role::Exporter],
        other => panic!("whose points are {other}?"),
    }
}

fn points(kind: Kind, of: &'static [&'static str], role: Role) -> impl Iterator<Item = &'static str> {
    let mine = move |name: &&str| of.iter().any(|prefix| name.starts_with(prefix)) && !RARE.contains(name);
    failpoint::NAMES.iter().copied().filter(mine).filter(move |name| roles(kind, name).contains(&role))
}

fn validator(kind: Kind) {
    points(kind, &["validator.", "broker."], Role::Validator).for_each(|point| each_pass(kind, point, Role::Validator));
}

fn sink(kind: Kind) {
    points(kind, &["sink."], Role::Sink).for_each(|point| each_pass(kind, point, Role::Sink));
}

fn sink_in_its_store(kind: Kind) {
    points(kind, &["store."], Role::Sink).for_each(|point| each_pass(kind, point, Role::Sink));
}

fn exporter(kind: Kind) {
    points(kind, &["exporter."], Role::Exporter).for_each(|point| each_pass(kind, point, Role::Exporter));
}

fn exporter_in_its_store(kind: Kind) {
    points(kind, &["store."], Role::Exporter).for_each(|point| each_pass(kind, point, Role::Exporter));
}

/// The first time a point is passed, and in the long form some later times.
fn each_pass(kind: Kind, point: &str, role: Role) {
    // A pass of the exporter takes as long as several of the others.
    let passes = if !seed::is_long() {
        1
    } else if role == Role::Exporter {
        2
    } else {
        3
    };
    for pass in 1..=passes {
        killed_at(kind, point, pass, role);
    }
}

fn killed_at(kind: Kind, point: &str, pass: u32, role: Role) {
    let site = Site::open(kind);
    if point == "exporter.gold.retired.deleted" {
        leave_a_retired_file(&site);
    }
    let armed = format!("{point}:{pass}");
    let count = Battle::begin(&site).fight(|battle| {
        let others = [Role::Validator, Role::Sink].into_iter().filter(|other| *other != role);
        let mut services: Vec<_> = others.map(|other| Service::start(&site, other)).collect();
        let victim = Service::start_with(&site, role, &[], &[(failpoint::VARIABLE, &armed)]);
        victim.wait_for_kill(&armed);
        services.push(Service::start(&site, role));
        battle.wait_for_work(200, &mut services);
        services
    });
    if role == Role::Exporter {
        exports::judge_alone(&site);
    }
    note(Fault::Point(point.to_owned()), &site, 1, None, &count, "goes on");
}

/// A file of a gold table that no manifest has named for long: what a crash before a manifest leaves.
fn leave_a_retired_file(site: &Site) {
    for tenant in tests::attack::load::TENANTS {
        let path = format!("{}/tenant_id={tenant}/period=2026-01/part-left.parquet", layout::KPI_GOLD);
        site.store.put(&path, b"left by a crash").unwrap();
        make_old(&site.folder().join("data").join(path));
    }
}

fn make_old(path: &Path) {
    let hour_ago = SystemTime::now() - Duration::from_secs(3_600);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(hour_ago).unwrap();
}

fn rare_points_of_the_sink(kind: Kind) {
    ["sink.rebuild.begin", "sink.rebuild.done"].into_iter().for_each(|point| killed_while_rebuilding(kind, point));
    ["sink.checkpoint.begin", "sink.checkpoint.done"].into_iter().for_each(|point| killed_at_a_checkpoint(kind, point));
}

/// A sink dies with files committed and not published, and its staged files vanish: the next one makes them again.
fn killed_while_rebuilding(kind: Kind, point: &str) {
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator]);
        Service::start_with(&site, Role::Sink, &[], &[(failpoint::VARIABLE, "sink.commit.done")])
            .wait_for_kill("sink.commit.done");
        assert!(site.store.sweep(i64::MAX, &|_| false).unwrap() > 0, "something was staged");
        Service::start_with(&site, Role::Sink, &[], &[(failpoint::VARIABLE, point)]).wait_for_kill(point);
        services.push(Service::start(&site, Role::Sink));
        battle.wait_for_work(200, &mut services);
        services
    });
    note(Fault::Point(point.to_owned()), &site, 2, None, &count, "goes on");
}

/// Checkpoints are rare: here every third commit makes one.
fn killed_at_a_checkpoint(kind: Kind, point: &str) {
    let site = Site::open(kind).with("FINOPS_SINK_CHECKPOINT_COMMITS", "3");
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator]);
        Service::start_with(&site, Role::Sink, &[], &[(failpoint::VARIABLE, point)]).wait_for_kill(point);
        services.push(Service::start(&site, Role::Sink));
        battle.wait_for_work(200, &mut services);
        services
    });
    note(Fault::Point(point.to_owned()), &site, 1, None, &count, "goes on");
}
