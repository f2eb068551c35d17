//! Any producer can write `replay.of`. Only what this store's audit records say was sent again stands for an earlier record: in what
//! `verify` finds, in what a replay plans, and in what a redrive passes on.

use contracts::claims::OwnProducers;
use contracts::topics::{self, headers};
use contracts::{dead_letter, layout};
use lake::verify::{Rule, VerifyReport};
use operations::Operator;
use operations::repair;
use operations::resend::letters::Filter;
use operations::resend::{redrive, wire};
use operations::selection::ReplayRequest;
use platform::broker::{Headers, Message};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use serde_json::Value;
use tests::pipeline::Pipeline;

use super::good;

fn source(pipeline: &Pipeline, message: &Message) -> String {
    let id = tests::pipeline::topic_id(&pipeline.broker, &message.at.topic);
    format!("{id}/{}/{}", message.at.partition, message.offset)
}

fn lost(report: &VerifyReport) -> (u64, u64) {
    report.missing.iter().fold((0, 0), |sum, m| (sum.0 + m.offsets.count(), sum.1 + m.claimed))
}

fn said(message: &Message) -> String {
    String::from_utf8_lossy(message.header(headers::REPLAY_OF).unwrap_or_default()).into_owned()
}

/// Two findings of one partition, the second one lost.
struct Lossy {
    _folder: tempfile::TempDir,
    pipeline: Pipeline,
    /// Where the lost one is.
    lost: String,
}

impl Lossy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open(folder.path());
        pipeline.publish([(Some("acme"), good("acme", 1), Headers::new())]);
        pipeline.drain();
        pipeline.publish([(Some("acme"), good("acme", 2), Headers::new())]);
        pipeline.pretend_to_have_judged();
        let lost = source(&pipeline, pipeline.records(topics::WIRE).last().unwrap());
        Self { _folder: folder, pipeline, lost }
    }

    /// Another producer claims that this is the lost record.
    fn forge(&self, value: Vec<u8>) {
        self.pipeline.publish([(Some("acme"), value, Headers::from_iter([(headers::REPLAY_OF, &self.lost)]))]);
    }

    fn plan(&self) -> wire::WireReport {
        let request = wire::WireRequest { replay: ReplayRequest::default(), id: None, rate: None };
        wire::plan(&request, &self.pipeline.broker, &*self.pipeline.store, &OwnProducers).unwrap()
    }
}

#[test]
fn a_forged_claim_hides_no_lost_record_and_changes_no_plan() {
    let lossy = Lossy::new();
    let pipeline = &lossy.pipeline;
    assert_eq!(lost(&pipeline.verify()), (1, 0));
    for value in [good("acme", 3), good("acme", 2)] {
        lossy.forge(value);
        assert_eq!(lost(&pipeline.verify()), (1, 1), "on its way");
        pipeline.drain();
        let report = pipeline.verify();
        assert_eq!(lost(&report), (1, 1), "written");
        let [problem] = &report.problems[..] else { panic!("{:?}", report.problems) };
        assert_eq!(problem.rule, Rule::RecordLost);
        assert!(problem.detail.contains("no audit record of this store says that they were sent again"), "{problem:?}");
    }
    // Each of them is a record of its own.
    assert_eq!(lossy.plan().matching, 4);
    let request = wire::WireRequest { replay: ReplayRequest::default(), id: None, rate: None };
    let operator = Operator { by: "test", clock: &SystemClock, shutdown: &Shutdown::new() };
    let (broker, store) = (&pipeline.broker, &*pipeline.store);
    wire::execute(&request, &lossy.plan(), broker, store, &OwnProducers, &operator).unwrap();
    let sent: Vec<String> = pipeline.records(topics::WIRE).iter().skip(4).map(said).collect();
    let all: Vec<String> = pipeline.records(topics::WIRE).iter().take(4).map(|m| source(pipeline, m)).collect();
    assert_eq!(sent, all, "what was sent stands for itself, the lost one among them");
    assert!(sent.contains(&lossy.lost));
    assert_eq!(lost(&pipeline.verify()), (0, 0));
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.problems, report.findings_rows), (Vec::new(), 3 + 4));
}

#[test]
fn what_a_repair_sends_counts_however_much_its_audit_record_tells() {
    let check = |what: &str, is_known: bool, tamper: fn(&Pipeline, &str)| {
        let lossy = Lossy::new();
        let pipeline = &lossy.pipeline;
        assert_eq!(pipeline.repair(&repair::plan(&pipeline.verify())).sent, 1);
        for entry in pipeline.store.list(layout::AUDIT_REPAIR).unwrap() {
            tamper(pipeline, &entry.path);
        }
        assert_eq!(lost(&pipeline.verify()) == (0, 0), is_known, "{what}: on its way");
        pipeline.drain();
        assert_eq!(lost(&pipeline.verify()) == (0, 0), is_known, "{what}: written");
        // What another producer says of the same record changes nothing, not even when it holds the same.
        lossy.forge(good("acme", 3));
        lossy.forge(good("acme", 2));
        pipeline.drain();
        assert_eq!(lost(&pipeline.verify()).0 == 0, is_known, "{what}: claimed by others");
        let copies = lossy.plan().matching;
        // The lost one and what was sent in its place are one; while only its content is known, so is a copy of it.
        assert!(copies >= 3, "{what}: {copies}");
    };
    check("nothing", true, |_, _| {});
    check("its answer is lost", true, |pipeline, path| {
        if path.ends_with(".done.json") {
            pipeline.store.delete(path).unwrap();
        }
    });
    check("a version before noted no contents", true, |pipeline, path| {
        if path.ends_with("00000000.json") {
            rewrite(pipeline, path, |part| drop(part.as_object_mut().unwrap().remove("sent_as").unwrap()));
        }
    });
    check("a version before noted no contents, and the answer was lost", false, |pipeline, path| {
        if path.ends_with("00000000.json") {
            rewrite(pipeline, path, |part| drop(part.as_object_mut().unwrap().remove("sent_as").unwrap()));
        }
        if path.ends_with(".done.json") {
            rewrite(pipeline, path, |done| done["positions"] = Value::Null);
        }
    });
    check("it was not sent", false, |pipeline, path| {
        if path.ends_with(".done.json") {
            rewrite(pipeline, path, |done| done["is_sent"] = Value::Bool(false));
        }
    });
}

fn rewrite(pipeline: &Pipeline, path: &str, edit: fn(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&pipeline.store.get(path).unwrap().unwrap()).unwrap();
    edit(&mut value);
    pipeline.store.put(path, &serde_json::to_vec(&value).unwrap()).unwrap();
}

#[test]
fn an_audit_record_that_cannot_be_read_is_named_and_nothing_is_sent() {
    let lossy = Lossy::new();
    let pipeline = &lossy.pipeline;
    pipeline.store.put(&format!("{}/x/00000000.json", layout::AUDIT_REDRIVE), b"{").unwrap();
    let report = pipeline.verify();
    let rules: Vec<Rule> = report.problems.iter().map(|problem| problem.rule).collect();
    assert_eq!(rules, [Rule::RecordLost, Rule::AuditUnreadable]);
    let plan = repair::plan(&report);
    assert_eq!((plan.send.len(), plan.blocked_by.len()), (0, 1));
}

/// What is refused and redriven passes on no claim but its own.
#[test]
fn a_redrive_passes_on_no_forged_claim() {
    let lossy = Lossy::new();
    let pipeline = &lossy.pipeline;
    lossy.forge(b"{".to_vec());
    pipeline.drain();
    let request = redrive::RedriveRequest {
        filter: Filter { error_code: vec!["bad_json".into()], ..Filter::default() },
        patch: None,
        rate: None,
        max: None,
        replays_max: 3,
        by: "test".into(),
    };
    let redrive = || {
        let (broker, store) = (&pipeline.broker, &*pipeline.store);
        let plan = redrive::plan(&request, broker, store).unwrap();
        redrive::execute(&request, &plan, broker, store, &SystemClock, &Shutdown::new()).unwrap().sent
    };
    let own = source(pipeline, pipeline.records(topics::WIRE).last().unwrap());
    for count in 1..=2 {
        assert_eq!(redrive(), 1);
        let sent = pipeline.records(topics::WIRE).pop().unwrap();
        assert_eq!(said(&sent), own, "the first one that it stands for");
        assert_eq!(sent.header(dead_letter::header::REPLAYS), Some(count.to_string().as_bytes()));
        assert_eq!(lost(&pipeline.verify()).0, 1);
        pipeline.drain();
    }
    assert_eq!(lost(&pipeline.verify()), (1, 1));
}
