//! The isolation matrix: a producer that is bound to one tenant puts what another tenant's records hold into every header, the key
//! and every field of its own, and nothing of the other tenant changes: its runs, dead letters, findings, exports, and what
//! a replay of it would send.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use contracts::identity::SaltMode;
use contracts::tenant_scope::TenantScope;
use contracts::topics::{self, headers};
use contracts::wire_filter::WireFilter;
use contracts::{dead_letter, layout};
use exporter::{
    DeadLetterFilter, DeadLetterScope, DuckLimits, ExportOptions, ExporterConfig, ExporterDeps, Population,
};
use lake::cut::Cut;
use lake::verify::Rule;
use operations::resend::wire;
use operations::selection::{ReplayRequest, matching, ranges};
use platform::broker::{Broker, Headers, OutRecord, RecordValue};
use platform::clock::ManualClock;
use platform::observe::Observer;
use serde_json::{Value, json};
use tests::pipeline::{Pipeline, run_manifest};
use tests::repo;
use validator::ProducerPolicies;

/// Bound to tenant evil, and to no other.
const EVIL: &str = "finops.findings.wire.evil";
const STRANGER: &str = "finops.findings.wire.stranger";
const NOW_MS: i64 = 1_800_000_000_000;

fn finding(tenant: &str, resource: &str) -> Value {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    (wire["tenant_id"], wire["workspace_id"], wire["run_id"]) = (json!(tenant), json!("prod"), json!("run-1"));
    wire["scope"]["resource_id"] = json!(resource);
    wire
}

fn run_of_acme(more: &[(&str, &str)]) -> Headers {
    let run = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, "run-1")];
    run.iter().chain(more).copied().collect()
}

/// Five findings were published, four are there: whatever is counted for the run in excess shows.
fn with_acme(folder: &Path) -> Pipeline {
    let mut pipeline = Pipeline::open(folder);
    let policy = format!("[[producer]]\ntopic = \"{EVIL}\"\ntenants = [\"evil\"]");
    pipeline.policies = ProducerPolicies::parse(&policy, SaltMode::Stable).unwrap();
    [EVIL, STRANGER].into_iter().for_each(|topic| pipeline.ensure_wire(topic));
    let manifest = run_manifest("run-1", 5);
    let path = layout::run_manifest("acme", "prod", "run-1");
    pipeline.store.put(&path, &serde_json::to_vec(&manifest).unwrap()).unwrap();
    let good = |n: u32| finding("acme", &format!("vol-{n}")).to_string().into_bytes();
    pipeline.publish((0..3).map(|n| (Some("acme"), good(n), run_of_acme(&[]))));
    pipeline.publish([(Some("acme"), b"{".to_vec(), run_of_acme(&[(headers::TRACEPARENT, "00-aa-bb-01")]))]);
    pipeline.drain();
    pipeline
}

/// All that people and programs can see of acme.
fn state(pipeline: &Pipeline, exported: &Path) -> Vec<String> {
    let report = pipeline.verify();
    let runs = report.incomplete_runs.iter().map(|run| format!("{run:?}"));
    let problems = report.problems.iter().map(|problem| format!("{problem:?}"));
    let mut seen: Vec<String> = runs.chain(problems).collect();

    let (cut, limits) = (Cut::committed(pipeline.store.clone()).unwrap(), DuckLimits::default());
    let scope = TenantScope::new("acme").unwrap();
    seen.push(cut.digest_of(&scope));
    let filter = exporter::FindingFilter { population: Population::All, ..Default::default() };
    let findings = exporter::list_findings(&cut, &scope, &filter, &limits).unwrap();
    seen.push(format!("{} findings: {}", findings.total, serde_json::to_string(&findings.items).unwrap()));
    let filter = DeadLetterFilter::default();
    for whose in [DeadLetterScope::Tenant(scope), DeadLetterScope::Operator(vec!["acme".into()])] {
        seen.push(format!("{:?}", exporter::list_dead_letters(&cut, &whose, &filter, &limits).unwrap()));
        seen.push(format!("{:?}", exporter::dead_letter_stats(&cut, &whose, &filter, &limits).unwrap()));
    }

    let replay = ReplayRequest {
        filter: WireFilter { tenant_id: vec!["acme".into()], ..WireFilter::default() },
        ..ReplayRequest::default()
    };
    let request = wire::WireRequest { replay: replay.clone(), id: None, rate: None };
    let plan = wire::plan(&request, &pipeline.broker, &*pipeline.store, &pipeline.policies).unwrap();
    seen.push(format!("{} would be sent again", plan.matching));
    let judged = ranges(&pipeline.broker, &replay).unwrap();
    let again = judged
        .iter()
        .map(|(at, range)| matching(&pipeline.broker, at, range, &replay.filter, &pipeline.policies).unwrap());
    seen.push(format!("{} would be judged again", again.sum::<u64>()));
    seen.extend(export(pipeline, exported));
    seen
}

/// The exported files of acme.
fn export(pipeline: &Pipeline, folder: &Path) -> Vec<String> {
    let config = ExporterConfig {
        tenant: Some("acme".into()),
        export_dir: folder.to_owned(),
        options: ExportOptions { population: Population::All, ..ExportOptions::default() },
        gold: false,
        default_currency: "USD".into(),
        limits: DuckLimits::default(),
        poll_interval: exporter::DEFAULT_POLL_INTERVAL,
    };
    let (store, clock) = (pipeline.store.clone(), Arc::new(ManualClock::at(NOW_MS)));
    let report = exporter::once(&config, &ExporterDeps { store, clock, observer: Observer::default() }).unwrap();
    assert!(report.errors().next().is_none(), "{report:?}");
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("acme")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| format!("{}: {}", path.display(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Every header that acme's records have anywhere in the pipeline, and those that only some records have.
fn forged_headers(pipeline: &Pipeline) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for topic in [topics::WIRE, topics::VALID, topics::DEAD_LETTERS] {
        for message in pipeline.records(topic) {
            all.extend(message.headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())));
        }
    }
    let src = all[headers::SRC].clone();
    let refused = format!("{}{}", headers::REFUSED_PREFIX, headers::TENANT_ID);
    let others: [(&str, &[u8]); 8] = [
        (headers::REPLAY_OF, &src),
        (headers::FINDING_ID_MODE, b"per_run"),
        (headers::VALUE_SCHEMA_ID, b"\0\0\0\0\x07"),
        (dead_letter::header::VALUE_BYTES, b"1"),
        (dead_letter::header::VALUE_SHA256, b"00"),
        (dead_letter::header::VALUE_NULL, b"true"),
        (&refused, b"acme"),
        ("ce_source", b"acme"),
    ];
    for (name, value) in others {
        all.entry(name.to_owned()).or_insert_with(|| value.to_vec());
    }
    for name in [headers::TENANT_ID, headers::RUN, headers::RUN_DATE, dead_letter::header::FIRST_SEEN] {
        assert!(all.contains_key(name), "{name}");
    }
    all
}

/// Evil's own finding with each field that acme's finding has set to what it is there, one by one, and with all of them.
fn forged_fields(acme: &Value) -> Vec<Value> {
    fn set(into: &mut Value, from: &Value, path: &[String]) {
        match (path.split_first(), from) {
            (Some((name, rest)), Value::Object(members)) => set(&mut into[name.as_str()], &members[name], rest),
            _ => *into = from.clone(),
        }
    }
    fn paths(value: &Value, at: &[String], all: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| paths(value, &[at, std::slice::from_ref(name)].concat(), all));
            }
            _ => all.push(at.to_vec()),
        }
    }
    let own = || {
        let mut own = finding("evil", "vol-evil");
        (own["workspace_id"], own["run_id"], own["title"]) = (json!("lair"), json!("run-of-evil"), json!("Evil"));
        own
    };
    let mut all = Vec::new();
    paths(acme, &[], &mut all);
    let one_by_one = all.iter().map(|path| {
        let mut forged = own();
        set(&mut forged, acme, path);
        forged
    });
    let but_for_the_tenant = {
        let mut forged = acme.clone();
        forged["tenant_id"] = json!("evil");
        forged
    };
    let spelt = ["ACME", " acme ", "acme/../acme", "acme\u{0}"].map(|tenant| {
        let mut forged = own();
        forged["tenant_id"] = json!(tenant);
        forged
    });
    one_by_one.chain(spelt).chain([own(), but_for_the_tenant, acme.clone()]).collect()
}

#[test]
fn nothing_of_another_tenant_changes_whatever_a_bound_producer_sends() {
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = with_acme(folders.0.path());
    let before = state(&pipeline, folders.1.path());
    assert_eq!(before.iter().filter(|line| line.contains("RunIncomplete")).count(), 1, "{before:#?}");
    assert!(before.iter().any(|line| line == "4 would be sent again"), "{before:#?}");

    let all_headers = forged_headers(&pipeline);
    let acme = finding("acme", "vol-0");
    let own = finding("evil", "vol-evil").to_string().into_bytes();
    let mut values: Vec<RecordValue> = vec![own.into(), "{".into(), acme.to_string().into(), RecordValue::NULL];
    let whole: Headers = all_headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let one_by_one = all_headers.iter().map(|(name, value)| Headers::from_iter([(name.as_str(), value.as_slice())]));
    // The own tenant first or last, so that a header that is there twice is seen from both ends.
    let twice = [["evil", "acme"], ["acme", "evil"]].map(|tenants| {
        let mut headers = run_of_acme(&[]);
        headers.retain(|name| name != headers::TENANT_ID);
        headers.extend(tenants.map(|tenant| (headers::TENANT_ID, tenant)));
        headers
    });
    let own_tenant = {
        let mut headers = run_of_acme(&[]);
        headers.retain(|name| name == headers::RUN_ID);
        headers.extend([(headers::TENANT_ID, "evil")]);
        headers
    };
    let header_sets: Vec<Headers> =
        one_by_one.chain(twice).chain([whole.clone(), run_of_acme(&[]), own_tenant, Headers::new()]).collect();
    let mut records: Vec<(RecordValue, Headers)> = Vec::new();
    for headers in &header_sets {
        records.extend(values.iter().map(|value| (value.clone(), headers.clone())));
    }
    values = forged_fields(&acme).into_iter().map(|value| value.to_string().into()).collect();
    for headers in [Headers::new(), whole] {
        records.extend(values.iter().map(|value| (value.clone(), headers.clone())));
    }
    let record = |topic: &str, key: Option<&'static str>, (value, headers): &(RecordValue, Headers)| OutRecord {
        topic: topic.into(),
        partition: None,
        key: key.map(Into::into),
        value: value.clone(),
        headers: headers.clone(),
        timestamp_ms: None,
    };
    let sent: Vec<OutRecord> = [(EVIL, Some("acme")), (EVIL, None), (STRANGER, Some("acme"))]
        .into_iter()
        .flat_map(|(topic, key)| records.iter().map(move |one| record(topic, key, one)))
        .collect();
    pipeline.broker.producer().unwrap().append(&sent).unwrap();

    assert_eq!(state(&pipeline, folders.1.path()), before, "not judged");
    let _judged = pipeline.validate();
    assert_eq!(state(&pipeline, folders.1.path()), before, "not written");
    pipeline.sink().unwrap();
    assert_eq!(state(&pipeline, folders.1.path()), before, "written");

    // And it was all taken in, as evil's.
    let report = pipeline.verify();
    assert_eq!(report.findings_rows + report.dead_letter_rows, 4 + sent.len() as u64);
    assert!(report.findings_rows > 100, "{report:?}");
    assert!(report.problems.iter().all(|problem| problem.rule == Rule::RunIncomplete), "{:?}", report.problems);
}
