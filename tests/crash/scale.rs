//! More processes, hot tenants, many tenants.

use std::collections::BTreeSet;
use std::time::Duration;

use contracts::topics;
use platform::broker::TopicPartition;
use serde_json::Value;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::oracle;
use tests::attack::program::{Role, Service};
use tests::attack::reader::Glob;
use tests::attack::seed::is_long;
use tests::attack::site::{Site, SiteKind};

at_each_site!(more_processes_share_the_work, a_hot_tenant_is_spread, many_tenants_stay_small);

/// Rows that a sink has written, or records that a validator has judged, as it says when it stops.
fn work(service: Service) -> (Role, u64) {
    let role = service.role;
    let done: Value = serde_json::from_str(&service.stop()).unwrap();
    let number = |name: &str| done[name].as_u64().unwrap_or_else(|| panic!("no {name} in {done}"));
    match role {
        Role::Validator => (role, number("read")),
        _ => (role, number("findings_rows") + number("dead_letter_rows")),
    }
}

/// One of each, then two, four, and two again: each takes its part, nothing is lost on the way.
fn more_processes_share_the_work(kind: SiteKind) {
    let site = Site::open(kind);
    // Each has files of its own, and the server of the bucket is slow.
    let tenants = if site.network.is_some() { 8 } else { 40 };
    let battle = Battle::begin(&site);
    let mut services: Vec<Service> = Vec::new();
    let mut published = 0;
    for members in [1, 2, 4] {
        while services.len() < 2 * members {
            services.extend(battle.start(&[Role::Validator, Role::Sink]));
        }
        // Everybody has to have joined before the work is shared out.
        services.iter().for_each(|service| service.wait_for_log(" assigned "));
        for _ in 0..10 {
            assert!(battle.load.publish_as(200, |n| format!("tenant-{}", n % tenants)));
            published += 200;
            std::thread::sleep(Duration::from_millis(50));
        }
        battle.wait_for_rows(published, &mut services);
    }
    let rest = services.split_off(4);
    let mut shares: Vec<_> = services.into_iter().map(work).collect();
    let mut services = rest;
    assert!(battle.load.publish_as(2_000, |n| format!("tenant-{}", n % tenants)));
    published += 2_000;
    battle.wait_for_rows(published, &mut services);
    shares.extend(services.into_iter().map(work));
    assert_eq!(shares.len(), 8);
    assert!(shares.iter().all(|(_, records)| *records > 0), "a process had nothing to do: {shares:?}");
    for role in [Role::Validator, Role::Sink] {
        let total: u64 = shares.iter().filter(|(of, _)| *of == role).map(|(_, records)| records).sum();
        assert_eq!(total, published, "{shares:?}");
    }
    println!("{shares:?}");
    let count = battle.finish(Vec::new());
    note(Fault::Deed(Deed::ScaledOut), &site, 0, None, &count, "each takes a part of the work; the same rows");
}

fn a_hot_tenant_is_spread(kind: SiteKind) {
    let site = Site::open(kind).with("FINOPS_VALIDATOR_TENANT_SPREAD", "4");
    let battle = Battle::begin(&site);
    let mut services = battle.start(&[Role::Validator, Role::Sink, Role::Sink]);
    services.iter().for_each(|service| service.wait_for_log(" assigned "));
    for _ in 0..10 {
        assert!(battle.load.publish_as(500, |_| "acme".to_owned()));
    }
    battle.wait_for_rows(5_000, &mut services);
    let shares: Vec<_> = services.into_iter().map(work).collect();
    assert!(shares.iter().all(|(_, records)| *records > 0), "a process had nothing to do: {shares:?}");
    let count = battle.finish(Vec::new());
    let high = |partition| {
        let at = TopicPartition { topic: topics::VALID.into(), partition };
        site.broker.watermarks(&at).unwrap().high
    };
    let highs: Vec<u64> = (0..4).map(high).collect();
    assert!(highs.iter().all(|high| *high > 400), "not spread: {highs:?}");
    note(Fault::Deed(Deed::HotTenant), &site, 0, None, &count, "all partitions, hence all sinks, take part");
}

/// Memory and files follow the number of tenants and dates: twice as many records of the same make no more files.
fn many_tenants_stay_small(kind: SiteKind) {
    // Each has good and bad records, of both dates: their number has no divisor in common with what the load counts by.
    let (tenants, each) = match (is_long(), kind) {
        (false, _) => (307, 8),
        // Each file is a handful of requests to a small server.
        (true, SiteKind::EmbeddedS3 | SiteKind::KafkaS3) => (503, 20),
        (true, SiteKind::EmbeddedLocal | SiteKind::KafkaLocal) => (5_003, 20),
    };
    let site = Site::open(kind).with("FINOPS_SINK_AGE_MAX", "60s").with("FINOPS_VALIDATOR_STEP_RECORDS_MAX", "5000");
    let load = Load::new(&site);
    let (mut files, mut validator_bytes, mut sink_bytes) = (vec![0], 0, 0);
    for times in [1, 2] {
        for _ in 0..each * times {
            assert!(load.publish_as(tenants, |n| format!("tenant-{}", n % tenants)));
        }
        validator_bytes = resident_bytes(&site, Role::Validator).max(validator_bytes);
        sink_bytes = resident_bytes(&site, Role::Sink).max(sink_bytes);
        files.push(Glob::of(&site).files().len());
    }
    let count = oracle::judge_all(&site, Some(&load));
    let listed = Glob::of(&site).files();
    let folders: BTreeSet<_> = listed.iter().filter_map(|path| path.rsplit_once('/')).map(|(at, _)| at).collect();
    assert!(folders.len() as u64 > 2 * tenants, "{} folders", folders.len());
    let (first, second) = (files[1] - files[0], files[2] - files[1]);
    assert!(second <= first + first / 10, "{first} files of {each} records a tenant, {second} of twice as many");
    assert!(validator_bytes.max(sink_bytes) < 1 << 30, "{validator_bytes} and {sink_bytes} bytes");
    let result = format!(
        "{tenants} tenants in {} folders: {first} files of {each} records a tenant, {second} of {}; validator at most {} MiB, \
         sink {} MiB",
        folders.len(),
        2 * each,
        validator_bytes >> 20,
        sink_bytes >> 20
    );
    note(Fault::Deed(Deed::ManyTenants), &site, 0, None, &count, &result);
}

/// The most memory that it takes to do all there is to do.
fn resident_bytes(site: &Site, role: Role) -> u64 {
    Service::start_with(site, role, &["--drain"], &[]).resident_until_end(Duration::from_secs(300))
}
