//! A bucket that answers badly, or whose answers are lost on the way.

use std::time::{Duration, Instant};

use contracts::layout;
use platform::failpoint;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::program::{Role, Service, WAIT_MAX};
use tests::attack::site::{Site, SiteKind};
use tests::proxy::{self, s3_error};

list!(
    errors,
    slow_down,
    commit_answers_are_lost,
    commits_are_refused,
    publish_answers_are_lost,
    the_network_is_bad,
    the_bucket_lies,
);
at_site!(
    embedded_s3,
    EmbeddedS3,
    errors,
    slow_down,
    commit_answers_are_lost,
    commits_are_refused,
    publish_answers_are_lost,
    the_network_is_bad,
    the_bucket_lies,
);

/// A planned fault: method, part of the target, how often, what.
type Plan = (&'static str, &'static str, u32, proxy::Fault);

/// Plans the faults twice while services work, waits until they were met, and lets them go on.
fn attacked(kind: SiteKind, deed: Deed, plans: &[Plan]) {
    let site = Site::open(kind);
    let network = site.network.as_ref().unwrap();
    let count = Battle::begin(&site).fight(|battle| {
        // A sink that works only writes; exporters read.
        let mut services = battle.start(&[Role::Validator, Role::Sink, Role::Exporter]);
        battle.wait_for_work(50, &mut services);
        for _ in 0..2 {
            for (method, part_of_target, times, fault) in plans {
                network.plan(method, part_of_target, *times, fault.clone());
            }
            battle.wait_for_work(150, &mut services);
        }
        // Rows may come of what was on its way before.
        let deadline = Instant::now() + WAIT_MAX;
        while !network.unmet().is_empty() {
            assert!(Instant::now() < deadline, "these faults met no request: {:?}", network.unmet());
            battle.wait_for_work(20, &mut services);
        }
        network.clear();
        services
    });
    note(Fault::Deed(deed), &site, 0, None, &count, "goes on");
}

fn errors(kind: SiteKind) {
    attacked(kind, Deed::BucketErrors, &[("", "", 40, proxy::Fault::Answer(500, s3_error("InternalError")))]);
}

fn slow_down(kind: SiteKind) {
    attacked(kind, Deed::BucketSlowDown, &[("", "", 40, proxy::Fault::Answer(503, s3_error("SlowDown")))]);
}

fn commit_answers_are_lost(kind: SiteKind) {
    attacked(kind, Deed::BucketCommitAnswersLost, &[("PUT", layout::CHAIN, 8, proxy::Fault::LoseAnswer)]);
}

fn commits_are_refused(kind: SiteKind) {
    let refused = proxy::Fault::Answer(412, s3_error("PreconditionFailed"));
    attacked(kind, Deed::BucketCommitsRefused, &[("PUT", layout::CHAIN, 8, refused)]);
}

fn publish_answers_are_lost(kind: SiteKind) {
    attacked(kind, Deed::BucketPublishAnswersLost, &[("POST", "uploadId=", 12, proxy::Fault::LoseAnswer)]);
}

/// Sinks stop at a commit that was answered and is not there, and are started again. Meanwhile the bucket creates what is there
/// already; a member that is frozen before its commit and woken after another took over finds that out by looking.
fn the_bucket_lies(kind: SiteKind) {
    let site = Site::open(kind);
    let network = site.network.as_ref().unwrap();
    let mut stopped = 0;
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        battle.wait_for_work(50, &mut services);
        for _ in 0..2 {
            network.plan("PUT", layout::CHAIN, 1, proxy::Fault::Answer(200, String::new()));
            let mut sink = services.pop().unwrap();
            let status = sink.wait(WAIT_MAX);
            assert!(!status.success() && sink.log().contains("does not keep what it answers"), "{}", sink.log());
            stopped += 1;
            services.push(Service::start(&site, Role::Sink));
            battle.wait_for_work(50, &mut services);
        }
        network.plan("PUT", layout::CHAIN, u32::MAX, proxy::Fault::ForgetHeader("if-none-match".into()));
        let armed = [(failpoint::VARIABLE, "sink.stage.done:1:stop")];
        services.pop().unwrap().stop();
        let mut frozen = Service::start_with(&site, Role::Sink, &[], &armed);
        frozen.wait_until_frozen();
        services.push(Service::start(&site, Role::Sink));
        // The frozen one has lost its partitions, and its commit is another's.
        battle.wait_for_work(100, &mut services);
        frozen.signal("CONT");
        battle.wait_for_work(50, &mut services);
        services.push(frozen);
        network.clear();
        services
    });
    let result =
        format!("{stopped} sinks stop before they publish, the next one writes the records; nothing is overwritten");
    note(Fault::Deed(Deed::BucketLies), &site, 0, None, &count, &result);
}

fn the_network_is_bad(kind: SiteKind) {
    let plans = [
        ("PUT", "", 6, proxy::Fault::LoseRequest),
        ("PUT", "", 6, proxy::Fault::LoseAnswer),
        ("POST", "", 6, proxy::Fault::LoseAnswer),
        ("GET", "", 4, proxy::Fault::CutAnswer(40)),
        ("POST", "", 4, proxy::Fault::Delay(Duration::from_millis(700))),
        ("PUT", "", 2, proxy::Fault::Hang),
    ];
    attacked(kind, Deed::BucketNetworkBad, &plans);
}
