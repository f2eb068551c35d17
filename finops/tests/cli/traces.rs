//! Traces of `finops run`: one run, three topics, and the spans that tie them together. And what happens when there is
//! no collector to send them to.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::collector::{Span, SpanCollector, SpanKind, attribute, context, is_failed, links};

use super::place::{Ended, FINOPS, Place, billing, good};

/// Two good findings, a broken one, and a bill.
fn run(place: &Place, env: &[(&str, &str)]) -> Ended {
    let mut lines = [good("acme", "vol-1"), good("acme", "vol-2")].join(&b'\n');
    lines.extend_from_slice(b"\n{\"tenant_id\":\"acme\"}\n");
    place.write("a.ndjson", lines);
    let mut command = place.command(FINOPS);
    command.args(["run", "--tenant", "acme", "--findings", "a.ndjson", "--output", "json", "--focus"]).arg(billing());
    command.envs(env.iter().copied()).output().unwrap().into()
}

fn parent(span: &Span) -> (String, String) {
    (tests::collector::context(span).0, span.parent_span_id.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[test]
fn a_run_is_one_trace_across_topics() {
    let (place, collector) = (Place::new(), SpanCollector::start());
    let endpoint = collector.endpoint();
    let ended = run(
        &place,
        &[
            ("FINOPS_TELEMETRY_OTLP_ENDPOINT", &endpoint),
            ("FINOPS_TELEMETRY_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=not%20this"),
            ("OTEL_SERVICE_NAME", "finops-test"),
        ],
    );
    assert_eq!(ended.code, Some(0), "{ended}");

    let run = collector.only("finops run");
    assert!(run.parent_span_id.is_empty());
    for span in collector.spans() {
        assert_eq!(span.trace_id, run.trace_id, "{} is a part of the run", span.name);
        assert!(!is_failed(&span), "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    }
    let stages = ["collect", "check", "send finops.findings.wire", "validate", "sink", "export"];
    for stage in stages {
        assert_eq!(parent(&collector.only(stage)), context(&run), "{stage}");
    }
    let checks: Vec<_> = collector.spans().into_iter().filter(|span| span.name.starts_with("check checks.")).collect();
    assert!(checks.len() >= 10, "{checks:?}");
    assert!(checks.iter().all(|check| parent(check) == context(&collector.only("check"))));

    // Through the header of the records, not through the process.
    let send = collector.only("send finops.findings.wire");
    let summary = ended.json(0);
    assert_eq!(attribute(&send, "messaging.batch.message_count"), summary["published"].to_string(), "{summary}");
    let mut records = 0;
    for (topic, parts) in [("wire", 0), ("valid", 5), ("dlq", 5)] {
        let batches = collector.named(&format!("process finops.findings.{topic}"));
        assert!(!batches.is_empty(), "{topic}");
        for batch in batches {
            assert_eq!(links(&batch), [context(&send)], "{topic}");
            assert_eq!(batch.kind(), SpanKind::Consumer);
            assert_eq!(attribute(&batch, "messaging.operation.type"), "process");
            assert_eq!(attribute(&batch, "messaging.system"), "finops_embedded");
            records += attribute(&batch, "messaging.batch.message_count").parse::<u64>().unwrap();
            let found = collector.spans().into_iter().filter(|span| parent(span) == context(&batch));
            let names: Vec<_> = found.map(|span| span.name).collect();
            assert_eq!(names.len(), parts, "{names:?}");
        }
    }
    assert_eq!(Value::from(records), json!(2 * summary["published"].as_u64().unwrap()), "{summary}");

    let requests = collector.requests();
    assert!(requests.iter().all(|request| request.head.starts_with("POST /v1/traces HTTP/1.1\r\n")));
    assert!(requests.iter().all(|request| request.head.contains("authorization: Bearer hunter2\r\n")));
    let sent = format!("{:?}", requests.iter().map(|request| &request.traces).collect::<Vec<_>>());
    for (text, is_reported) in [("finops-test", true), ("vol-1", false), ("acme", false), ("hunter2", false)] {
        assert_eq!(sent.contains(text), is_reported, "{text} in {sent}");
    }
}

#[test]
fn without_a_collector_records_carry_no_trace() {
    let place = Place::new();
    assert_eq!(run(&place, &[]).code, Some(0));
    let tapped = place.finops("tap finops.findings.wire --from earliest --no-follow --limit 1 --output ndjson").text();
    assert!(tapped.contains("run_id") && !tapped.contains("traceparent"), "{tapped}");
}

/// What a run did, without what differs from run to run.
fn outcome(ended: &Ended) -> Value {
    let summary = ended.json(0);
    json!(["published", "valid", "dead_letters", "rows"].map(|key| summary[key].clone()))
}

#[test]
fn a_collector_that_is_away_changes_nothing_and_is_reported_once() {
    let place = Place::new();
    let expected = outcome(&run(&place, &[]));
    // No process listens there, and none ever answers here.
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [refusing, silent.local_addr().unwrap()] {
        let (place, started) = (Place::new(), Instant::now());
        let endpoint = format!("http://{address}");
        let ended = run(
            &place,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("FINOPS_TELEMETRY_OTLP_TIMEOUT", "1s"),
                ("OTEL_BSP_SCHEDULE_DELAY", "20"),
            ],
        );
        assert_eq!(outcome(&ended), expected, "{ended}");
        assert_eq!(ended.stderr.matches("traces cannot be sent: going on without them").count(), 1, "{ended}");
        assert!(ended.stderr.contains(&endpoint), "{ended}");
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    }
}
