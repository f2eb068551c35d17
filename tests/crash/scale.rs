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
use tests::attack::program::{self, Role, Service};
use tests::attack::reader::Glob;
use tests::attack::seed::is_long;
use tests::attack::site::{Kind, Site};

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
fn more_processes_share_the_work(kind: Kind) {
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
    assert!(shares.iter().all(|(_, records)| *records > 0), "somebody had nothing to do: {shares:?}");
    for role in [Role::Validator, Role::Sink] {
        let total: u64 = shares.iter().filter(|(of, _)| *of == role).map(|(_, records)| records).sum();
        assert_eq!(total, published, "{shares:?}");
    }
    println!("{shares:?}");
    let count = battle.finish(Vec::new());
    note(Fault::Deed(Deed::ScaledOut), &site, 0, None, &count, "each takes a part of the work; the same rows");
}

fn a_hot_tenant_is_spread(kind: Kind) {
    let site = Site::open(kind).with("FINOPS_VALIDATOR_TENANT_SPREAD", "4");
    let battle = Battle::begin(&site);
    let services = battle.start(&[Role::Validator, Role::Sink, Role::Sink]);
    for _ in 0..10 {
        assert!(battle.load.publish_as(500, |_| "acme".to_owned()));
    }
    let count = battle.finish(services);
    let high = |partition| {
        let at = TopicPartition { topic: topics::VALID.into(), partition };
        site.broker.watermarks(&at).unwrap().high
    };
    let highs: Vec<u64> = (0..4).map(high).collect();
    assert!(highs.iter().all(|high| *high > 400), "not spread: {highs:?}");
    note(Fault::Deed(Deed::HotTenant), &site, 0, None, &count, "all partitions, hence all sinks, take part");
}

/// Memory and files follow the number of tenants, not of records or commits.
fn many_tenants_stay_small(kind: Kind) {
    let (tenants, each) = if is_long() { (5_000, 20) } else { (300, 10) };
    let site = Site::open(kind).with("FINOPS_SINK_AGE_MAX", "60s").with("FINOPS_VALIDATOR_STEP_RECORDS_MAX", "5000");
    let load = Load::new(&site);
    for _ in 0..each {
        assert!(load.publish_as(tenants, |n| format!("tenant-{}", n % tenants)));
    }
    let _ = program::done(&site, &["validator", "run", "--drain"]);
    let sink = Service::start_with(&site, Role::Sink, &["--drain"], &[]);
    let resident_bytes = sink.resident_until_end(Duration::from_secs(300));
    let count = oracle::judge_all(&site, Some(&load));
    let files = Glob::of(&site).files();
    let folders: BTreeSet<_> =
        files.iter().filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
    // A tenant is in one partition, so each folder gets a file per commit of it: of one, or two where a batch had to end.
    assert!(files.len() < folders.len() * 2, "{} files in {} folders", files.len(), folders.len());
    assert!(resident_bytes < 1 << 30, "{resident_bytes} bytes");
    let result = format!(
        "{tenants} tenants with {each} records each: {} files in {} folders, sink at most {} MiB",
        files.len(),
        folders.len(),
        resident_bytes >> 20
    );
    note(Fault::Deed(Deed::ManyTenants), &site, 0, None, &count, &result);
}
