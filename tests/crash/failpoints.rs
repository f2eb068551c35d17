//! Killed at every named crash point, under load: started again, nothing is lost and nothing is there twice.

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use contracts::datasets;
use contracts::layout;
use contracts::topics::groups;
use platform::broker::{GroupOffset, TopicPartition, lag};
use platform::failpoint;
use platform::lifecycle::Shutdown;
use platform::store::Staged;
use serde_json::json;
use tests::attack::battle::{Battle, note};
use tests::attack::exports;
use tests::attack::fault::Fault;
use tests::attack::oracle::Count;
use tests::attack::program::{Role, Service, WAIT_MAX};
use tests::attack::seed;
use tests::attack::site::{Site, SiteKind};
use tests::declared;

at_each_site!(validator, sink, sink_in_its_store, exporter, exporter_in_its_store, rare_points_of_the_sink);

/// Points that are passed only when something else has failed before; they have attacks of their own.
const RARE: &[&str] = &[
    "sink.checkpoint.begin",
    "sink.checkpoint.done",
    "sink.discard.begin",
    "sink.discard.done",
    "sink.rebuild.begin",
    "sink.rebuild.done",
    "sink.sweep.begin",
    "sink.sweep.done",
    "validator.skip.begin",
    "validator.skip.committed",
];

#[test]
fn every_point_is_attacked_at_every_site_that_has_it() {
    for kind in SiteKind::ALL {
        let of = |prefixes, role| points(*kind, prefixes, role);
        let attacked: Vec<_> = of(VALIDATORS, Role::Validator)
            .chain(of(SINKS, Role::Sink))
            .chain(of(STORES, Role::Sink))
            .chain(of(STORES, Role::Exporter))
            .chain(of(EXPORTERS, Role::Exporter))
            .chain(RARE.iter().copied())
            .chain(crate::loads::points())
            .collect();
        for name in declared::crash_points().into_iter().filter(|name| !kind.lacks(name)) {
            assert!(attacked.contains(&name), "no attack covers {name} at {}", kind.name());
        }
    }
}

const VALIDATORS: &[&str] = &["validator.", "broker."];
const SINKS: &[&str] = &["sink."];
const EXPORTERS: &[&str] = &["exporter."];
const STORES: &[&str] = &["store."];

/// Who passes a point.
fn roles(kind: SiteKind, name: &str) -> &'static [Role] {
    if kind.lacks(name) {
        return &[];
    }
    match name.split('.').next().unwrap() {
        "validator" | "broker" => &[Role::Validator],
        "sink" => &[Role::Sink],
        "exporter" => &[Role::Exporter],
        // Copies are for those who read.
        "store" if name.starts_with("store.cache.") => &[Role::Exporter],
        "store" => &[Role::Sink, Role::Exporter],
        other => panic!("whose points are {other}?"),
    }
}

fn points(kind: SiteKind, of: &'static [&'static str], role: Role) -> impl Iterator<Item = &'static str> {
    let mine = move |name: &&str| of.iter().any(|prefix| name.starts_with(prefix)) && !RARE.contains(name);
    declared::crash_points().into_iter().filter(mine).filter(move |name| roles(kind, name).contains(&role))
}

fn validator(kind: SiteKind) {
    points(kind, VALIDATORS, Role::Validator).for_each(|point| each_pass(kind, point, Role::Validator));
}

fn sink(kind: SiteKind) {
    points(kind, SINKS, Role::Sink).for_each(|point| each_pass(kind, point, Role::Sink));
}

fn sink_in_its_store(kind: SiteKind) {
    points(kind, STORES, Role::Sink).for_each(|point| each_pass(kind, point, Role::Sink));
}

fn exporter(kind: SiteKind) {
    points(kind, EXPORTERS, Role::Exporter).for_each(|point| each_pass(kind, point, Role::Exporter));
}

fn exporter_in_its_store(kind: SiteKind) {
    points(kind, STORES, Role::Exporter).for_each(|point| each_pass(kind, point, Role::Exporter));
}

/// The first time a point is passed, and in the long form some later times.
fn each_pass(kind: SiteKind, point: &str, role: Role) {
    // On Kafka a dead member is missed only after its session; a pass of the exporter takes as long as several of others.
    let passes = match (seed::is_long() && kind.is_embedded(), role) {
        (false, _) => 1,
        (true, Role::Exporter) => 2,
        (true, _) => 3,
    };
    for pass in 1..=passes {
        killed_at(kind, point, pass, role);
    }
}

fn killed_at(kind: SiteKind, point: &str, pass: u32, role: Role) {
    let site = Site::open(kind);
    if point == "exporter.gold.retired.deleted" {
        leave_a_retired_file(&site);
    }
    let count = killed_and_replaced(&site, &format!("{point}:{pass}"), role);
    if role == Role::Exporter {
        exports::judge_alone(&site);
    }
    note(Fault::Point(point.to_owned()), &site, 1, None, &count, "goes on");
}

/// Under load one service runs into an armed point, and another takes its place.
fn killed_and_replaced(site: &Site, armed: &str, role: Role) -> Count {
    Battle::begin(site).fight(|battle| {
        let others = [Role::Validator, Role::Sink].into_iter().filter(|other| *other != role);
        let mut services: Vec<_> = others.map(|other| Service::start(site, other)).collect();
        let victim = Service::start_with(site, role, &[], &[(failpoint::VARIABLE, armed)]);
        victim.wait_for_kill(armed);
        services.push(Service::start(site, role));
        battle.wait_for_work(200, &mut services);
        services
    })
}

/// A file of a gold table that has been retired for long.
fn leave_a_retired_file(site: &Site) {
    for tenant in tests::attack::load::TENANTS {
        let folder = format!("{}/tenant_id={tenant}", layout::KPI_GOLD);
        let path = format!("{folder}/period=2026-01/part-left.parquet");
        site.store.put(&path, b"of a former build").unwrap();
        let manifest = json!({
            "format_version": 1,
            "schema_version": 1,
            "tenant_id": tenant,
            "cut": "",
            "computed_ts": "2026-01-01T00:00:00.000Z",
            "periods": {},
            "retired": {path: 0},
        });
        site.store.put(&format!("{folder}/_manifest.json"), manifest.to_string().as_bytes()).unwrap();
    }
}

fn rare_points_of_the_sink(kind: SiteKind) {
    ["sink.rebuild.begin", "sink.rebuild.done"].into_iter().for_each(|point| killed_while_rebuilding(kind, point));
    ["sink.checkpoint.begin", "sink.checkpoint.done"].into_iter().for_each(|point| killed_at_a_checkpoint(kind, point));
    ["sink.discard.begin", "sink.discard.done"].into_iter().for_each(|point| killed_after_a_lost_race(kind, point));
    ["sink.sweep.begin", "sink.sweep.done"].into_iter().for_each(|point| killed_while_sweeping(kind, point));
}

/// A sink dies with files committed and not published, and its staged files vanish: the next one rebuilds them.
fn killed_while_rebuilding(kind: SiteKind, point: &str) {
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
fn killed_at_a_checkpoint(kind: SiteKind, point: &str) {
    let site = Site::open(kind).with("FINOPS_SINK_CHECKPOINT_COMMITS", "3");
    let count = killed_and_replaced(&site, point, Role::Sink);
    note(Fault::Point(point.to_owned()), &site, 1, None, &count, "goes on");
}

/// A sink is frozen with its files staged; another one commits these records; the first wakes up, is refused, and dies with files
/// that no caller wants.
fn killed_after_a_lost_race(kind: SiteKind, point: &str) {
    let site = Site::open(kind);
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator]);
        let armed = format!("sink.stage.done:1:stop,{point}");
        let mut loser = Service::start_with(&site, Role::Sink, &[], &[(failpoint::VARIABLE, &armed)]);
        loser.wait_until_frozen();
        let is_ours = |topic: &str| datasets::has_topic(topic);
        let its_records_end = lag::ends(&*site.broker, is_ours, &Shutdown::new()).unwrap();
        services.push(Service::start(&site, Role::Sink));
        wait_until_written(&site, &its_records_end);
        loser.signal("CONT");
        loser.wait_for_kill(point);
        battle.wait_for_work(200, &mut services);
        services
    });
    note(Fault::Point(point.to_owned()), &site, 1, None, &count, "goes on");
}

/// Waits until the sinks have written all before these offsets.
fn wait_until_written(site: &Site, ends: &[(TopicPartition, u64)]) {
    let deadline = Instant::now() + WAIT_MAX;
    let is_written = |reached: &[GroupOffset], (at, end): &(TopicPartition, u64)| {
        reached.iter().any(|group| group.at == *at && group.offset >= *end)
    };
    loop {
        let reached = site.broker.group_offsets(groups::SINK).unwrap_or_default();
        if ends.iter().all(|end| is_written(&reached, end)) {
            return;
        }
        assert!(Instant::now() < deadline, "no process has taken over: {reached:?}, wanted {ends:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A sink dies while it looks for what others have left, of which there is some (in a bucket nothing can be made to look old).
fn killed_while_sweeping(kind: SiteKind, point: &str) {
    let site = Site::open(kind);
    let left = site.store.stage("left/behind").unwrap().finish().unwrap();
    let name = Staged::name_of(&left.token).unwrap();
    let file = site.store.local_path(name);
    if let Some(file) = &file {
        let days_ago = SystemTime::now() - Duration::from_secs(3 * 24 * 3600);
        File::options().write(true).open(file).unwrap().set_modified(days_ago).unwrap();
    }
    let count = killed_and_replaced(&site, point, Role::Sink);
    let is_there = site.store.staged().unwrap().iter().any(|entry| entry.path == name);
    assert_eq!(is_there, file.is_none(), "old leftovers are swept, and only old ones");
    note(Fault::Point(point.to_owned()), &site, 1, None, &count, "goes on");
}
