//! Records and headers that no honest producer sends: whatever arrives becomes a row, in bounded memory, and says nothing of tenants
//! that its producer may not speak for.

use std::time::Duration;

use contracts::topics::{self, headers};
use contracts::{dead_letter, layout};
use platform::broker::{Headers, OutRecord, RecordValue};
use serde_json::Value;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::oracle;
use tests::attack::program::{self, Role, Service};
use tests::attack::seed::is_long;
use tests::attack::site::{Site, SiteKind};

at_each_site!(hostile_records_come_in, a_bound_producer_forges_headers);

const LARGE: usize = 900_000;
/// What `docs/operating.md` says a validator and a sink need at most with their default settings.
const RESIDENT_MAX: [u64; 2] = [512 << 20, 1 << 30];

fn record(key: Option<Vec<u8>>, value: RecordValue, headers: Headers, timestamp_ms: Option<i64>) -> OutRecord {
    OutRecord { topic: topics::WIRE.into(), partition: None, key: key.map(Into::into), value, headers, timestamp_ms }
}

/// Records that are no JSON, each hostile in another way.
fn hostile(n: usize) -> Vec<OutRecord> {
    let value = || RecordValue::from(format!("{n} is no JSON"));
    let keyed = record(Some(vec![b'k'; LARGE]), value(), Headers::new(), None);
    let headed = record(None, value(), (0..9).map(|_| ("h", vec![b'h'; LARGE / 9])).collect(), None);
    let named = record(None, value(), Headers::from_iter([("n".repeat(30_000), b"v")]), None);
    let null = record(Some(Vec::new()), RecordValue::NULL, Headers::new(), None);
    let times = [i64::MIN, -1, 0, 9_300_000_000_000_000, i64::MAX];
    let timed = times.map(|ms| {
        let forged =
            [(dead_letter::header::FIRST_SEEN, ms.to_string()), (dead_letter::header::SRC_TIMESTAMP, ms.to_string())];
        record(None, value(), Headers::from_iter(forged), Some(ms))
    });
    let nested = record(None, RecordValue::from("[".repeat(500_000)), Headers::new(), None);
    [keyed, headed, named, null, nested].into_iter().chain(timed).collect()
}

fn hostile_records_come_in(kind: SiteKind) {
    let site = Site::open(kind);
    let send = |records: &[OutRecord]| {
        let mut producer = site.broker.producer().unwrap();
        // A Kafka may refuse a time or a size; what it takes must become a row.
        records.iter().filter(|record| producer.append(std::slice::from_ref(*record)).is_ok()).count()
    };
    let mut taken = 0;
    let mut count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink, Role::Exporter]);
        battle.wait_for_work(100, &mut services);
        taken = (0..5).map(|n| send(&hostile(n))).sum();
        battle.wait_for_work(100, &mut services);
        services
    });
    assert!(taken >= 5 * 4, "{taken} hostile records were taken");
    let _ = program::done(&site, &["dlq", "stats"]);
    let listed = program::done(&site, &["dlq", "list", "--since", "2001-01-01", "--limit", "3", "--output", "json"]);
    assert!(serde_json::from_str::<Value>(&listed).is_ok(), "{listed}");
    let mut result = "each becomes a dead letter that can be read".to_owned();
    if is_long() {
        let large = record(Some(vec![b'k'; LARGE]), RecordValue::from("{"), Headers::new(), None);
        for _ in 0..300 {
            assert_eq!(send(&vec![large.clone(); 10]), 10);
        }
        let [validator, sink] = [Role::Validator, Role::Sink].map(|role| {
            let drain = [("FINOPS_SINK_AGE_MAX", "60s"), ("FINOPS_VALIDATOR_STEP_RECORDS_MAX", "5000")];
            Service::start_with(&site, role, &["--drain"], &drain).resident_until_end(Duration::from_secs(600))
        });
        assert!(validator < RESIDENT_MAX[0] && sink < RESIDENT_MAX[1], "{validator} and {sink} bytes");
        count = oracle::judge_all(&site, None);
        result +=
            &format!("; 3,000 keys of 900 kB: validator at most {} MiB, sink {} MiB", validator >> 20, sink >> 20);
    }
    note(Fault::Deed(Deed::HostileRecords), &site, 0, None, &count, &result);
}

/// All that acme's operators see.
fn seen_of_acme(site: &Site) -> [String; 2] {
    let list = ["--tenant", "acme", "--limit", "10000", "--output", "json"];
    let findings = program::done(site, &[&["findings", "list", "--all-runs"], &list[..]].concat());
    [findings, program::done(site, &[&["dlq", "list"], &list[..]].concat())]
}

fn a_bound_producer_forges_headers(kind: SiteKind) {
    const EVIL: &str = "finops.findings.wire.evil";
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("producers.toml");
    std::fs::write(&policy, format!("[[producer]]\ntopic = \"{EVIL}\"\ntenants = [\"evil\"]\n")).unwrap();
    let site = Site::open(kind).with("FINOPS_VALIDATOR_PRODUCERS", policy.to_str().unwrap());
    let _ = site.make_topic(EVIL, 4);
    let battle = Battle::begin(&site);
    assert!(battle.load.publish(120));
    let mut services = battle.start(&[Role::Validator, Role::Sink]);
    battle.wait_for_work(120, &mut services);
    let before = seen_of_acme(&site);
    let src = format!("{}/0/0", tests::pipeline::topic_id(&*site.broker, topics::WIRE));
    let run = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, "run-1")];
    let forged: Headers = run
        .into_iter()
        .chain([(headers::RUN, "acme/prod/run-1"), (headers::RUN_DATE, "2026-01-20"), (headers::SRC, &src)])
        .chain([(headers::REPLAY_OF, &*src), (dead_letter::header::SRC, &src), (dead_letter::header::REPLAYS, "3")])
        .collect();
    let values = (0..60).map(|n| battle.load.record(n, "acme")).chain((0..60).map(|n| battle.load.record(n, "evil")));
    let records: Vec<OutRecord> = values
        .map(|value| OutRecord {
            topic: EVIL.into(),
            ..record(Some(b"acme".to_vec()), value.into(), forged.clone(), None)
        })
        .collect();
    let _appended = site.broker.producer().unwrap().append(&records).unwrap();
    battle.wait_for_work(120, &mut services);
    assert!(seen_of_acme(&site) == before, "what acme's operators see has changed");
    for service in services {
        let _ = service.stop();
    }
    let _ = battle.reader.end();
    let report = program::verify(&site);
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["findings_rows"].as_u64().unwrap() + report["dead_letter_rows"].as_u64().unwrap(), 240);
    let of_evil = site.store.list(&format!("{}/tenant_id=evil", layout::DEAD_LETTERS)).unwrap();
    assert!(!of_evil.is_empty(), "what evil's topic held is evil's");
    let count = oracle::Count { produced: 240, ..oracle::Count::default() };
    note(Fault::Deed(Deed::ForgedHeaders), &site, 0, None, &count, "changes nothing of another tenant");
}
