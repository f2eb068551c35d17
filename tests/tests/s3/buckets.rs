//! The collectors over buckets against a server: what it records, what it may not see, and what a run says of both.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use checkers::registry::Registry;
use collectors::billing::LoadOptions;
use collectors::registry::CollectorRegistry;
use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::topics;
use platform::clock::ManualClock;
use platform::lifecycle::Shutdown;
use platform::progress::Silent;
use platform::trace::Tracer;
use runner::run::{DEADLINE_DEFAULT, Ports, RunPlan, TaskLimits};
use runner::selection::select;
use serde_json::Value;
use tests::pipeline::Pipeline;
use tests::proxy::{Fault, Proxy, s3_error};
use tests::s3::S3Server;

/// Set in the copy of this test that runs with the credentials.
const CHILD: &str = "S3_BUCKETS_TEST_CHILD";
const RULE: &str = "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
                    <Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>";
/// Long after every upload was begun.
const NOW_MS: i64 = 4_000_000_000_000;

/// Credentials and the server's address come from the environment, as every AWS program takes them: a process of its own.
#[test]
fn buckets_are_recorded_and_what_a_role_may_not_see_is_reported() {
    if std::env::var_os(CHILD).is_some() {
        return check_outcome();
    }
    let server = S3Server::start();
    for request in ["/closed", "/plain", "/ruled"] {
        assert!(server.request("PUT", request, b"").starts_with("HTTP/1.1 200 "), "{request}");
    }
    let ruled = server.request("PUT", "/ruled?lifecycle", RULE.as_bytes());
    assert!(ruled.starts_with("HTTP/1.1 200 "), "{ruled}");
    let begun = server.request("POST", "/plain/large.bin?uploads", b"");
    assert!(begun.starts_with("HTTP/1.1 200 "), "{begun}");
    let proxy = Proxy::before(&server.url());
    proxy.plan("GET", "/closed/?lifecycle", u32::MAX, Fault::Answer(403, s3_error("AccessDenied")));
    // The old upload is on the second page; of another bucket the server does not say where the next page is.
    let next = "<NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>";
    proxy.plan("GET", "upload-id-marker=1", 1, Fault::Answer(200, page("2026-01-20T10:00:00.000Z", "")));
    proxy.plan("GET", "/plain/?uploads", 1, Fault::Answer(200, page("2096-10-01T10:00:00.000Z", &more(next))));
    proxy.plan("GET", "/closed/?uploads", 1, Fault::Answer(200, page("2096-10-01T10:00:00.000Z", &more(""))));
    proxy.plan("GET", "/ruled/?location", u32::MAX, Fault::Answer(400, s3_error("Odd")));
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "buckets::buckets_are_recorded_and_what_a_role_may_not_see_is_reported", "--nocapture"])
        .env_clear()
        .envs([(CHILD, "1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .envs([("AWS_REGION", "eu-west-3"), ("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_ENDPOINT_URL", &proxy.url())])
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}\n{}", String::from_utf8_lossy(&child.stderr), proxy.seen().join("\n"));
    assert_eq!(proxy.unmet(), []);
}

fn page(initiated: &str, rest: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListMultipartUploadsResult>{rest}<Upload><Key>k</Key><UploadId>1</UploadId>\
         <Initiated>{initiated}</Initiated></Upload></ListMultipartUploadsResult>"
    )
}

fn more(next: &str) -> String {
    format!("<IsTruncated>true</IsTruncated>{next}")
}

fn check_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let manifest = run(&pipeline);
    let [scope, uploads] = manifest.scopes.as_slice() else { panic!("{manifest:?}") };
    assert_eq!((&*scope.account_id, &*scope.region, scope.status), ("123456789012", "global", RunStatus::Partial));
    let region = "bucket ruled: its region is unknown: Odd: ";
    assert!(
        scope.reason.starts_with("denied: s3:GetLifecycleConfiguration") && scope.reason.contains(region),
        "{scope:?}"
    );
    assert_eq!(scope.denied_operations, ["s3:GetLifecycleConfiguration"]);
    // One list, and for each of three buckets its region and its rules.
    assert_eq!((scope.api_calls, scope.findings), (7, 2));
    assert_eq!((uploads.status, uploads.api_calls, uploads.findings), (RunStatus::Partial, 8, 1), "{uploads:?}");
    for gap in [region, "bucket closed: only the first 1 uploads were looked at"] {
        assert!(uploads.reason.contains(gap), "{uploads:?}");
    }
    let values = pipeline.records(topics::WIRE).into_iter().map(|record| record.value.into_bytes());
    let found: Vec<Value> = values.map(|value| serde_json::from_slice(&value).unwrap()).collect();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = found.iter().map(|finding| {
        let scope = &finding["scope"];
        (
            text(&scope["resource_id"]),
            text(&finding["status"]),
            text(&scope["resource_arn"]),
            text(&scope["account_id"]),
        )
    });
    let line = |name: &str, status: &str| {
        (name.to_owned(), status.to_owned(), format!("arn:aws:s3:::{name}"), "123456789012".to_owned())
    };
    assert_eq!(found.collect::<Vec<_>>(), [line("closed", "info"), line("plain", "fail"), line("plain", "fail")]);
}

fn run(pipeline: &Pipeline) -> RunManifest {
    let checkers = ["aws.s3.governance.lifecycle_missing", "aws.s3.uploads.incomplete"].map(str::to_owned);
    let plan = RunPlan {
        context: tests::pipeline::run_context(NOW_MS),
        checkers: select(&Registry::linked().unwrap(), &checkers, &[]).unwrap(),
        checkers_named: true,
        collectors: CollectorRegistry::linked().unwrap(),
        billing_files: Vec::new(),
        billing_options: LoadOptions::default(),
        findings_files: Vec::new(),
        regions: Vec::new(),
        deadline: DEADLINE_DEFAULT,
        limits: TaskLimits::default(),
        given: Vec::new(),
        notes: BTreeMap::default(),
    };
    let ports = Ports {
        broker: &pipeline.broker,
        store: &*pipeline.store,
        clock: &ManualClock::at(NOW_MS),
        progress: Arc::new(Silent),
        tracer: Tracer::default(),
        shutdown: Shutdown::new(),
    };
    runner::run::run(&plan, &ports).unwrap().manifest
}
