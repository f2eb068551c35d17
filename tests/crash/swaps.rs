//! A sink is frozen while operators do what assumes that it has ended: a replayed root takes the place of the current one, or what
//! its topic has lost is sent again. What it does when it wakes up must change nothing.

use contracts::topics;
use platform::failpoint;
use tests::attack::battle::note;
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::oracle;
use tests::attack::program::{self, Role, Service, WAIT_MAX};
use tests::attack::seed::is_long;
use tests::attack::site::{Site, SiteKind};

list!(a_sink_wakes_up_after_a_swap);

/// Attacks that need no folder.
pub mod anywhere {
    use super::a_sink_wakes_up_after_a_repair;

    list!(a_sink_wakes_up_after_a_repair);
}

at_site!(embedded_local, EmbeddedLocal, a_sink_wakes_up_after_a_swap, a_sink_wakes_up_after_a_repair);
at_site!(embedded_s3, EmbeddedS3, a_sink_wakes_up_after_a_repair);

/// Between what it reads and what it writes next, in each of its steps.
const POINTS: &[&str] = &["store.local.put.written", "sink.publish.begin", "sink.stage.done", "sink.commit.begin"];

fn a_sink_wakes_up_after_a_swap(kind: SiteKind) {
    let points = if is_long() { POINTS } else { &POINTS[..2] };
    for point in points {
        let site = Site::open(kind);
        let load = Load::new(&site);
        let judged = || {
            assert!(load.publish(40));
            let _ = program::done(&site, &["validator", "run", "--drain"]);
        };
        let written = || {
            let _ = program::done(&site, &["sink", "run", "--drain"]);
        };
        judged();
        written();
        judged();
        let armed = format!("{point}:1:stop");
        let mut frozen = Service::start_with(&site, Role::Sink, &[], &[(failpoint::VARIABLE, &armed)]);
        frozen.wait_until_frozen();
        written();
        let fresh = site.folder().join("fresh");
        let fresh = fresh.to_str().unwrap();
        let _ = program::done(&site, &["replay", "run", "--to", fresh]);
        let _ = program::done(&site, &["replay", "swap", "--with", fresh]);
        frozen.signal("CONT");
        let ended = frozen.wait(WAIT_MAX);
        assert_eq!(ended.code(), Some(75), "{point}: {}", frozen.log());
        assert!(frozen.log().contains("exchanged while this program was at work"), "{point}: {}", frozen.log());
        judged();
        written();
        assert_eq!(program::verify(&site)["problems"], serde_json::json!([]), "{point}");
        let count = oracle::judge_all(&site, Some(&load));
        note(
            Fault::Deed(Deed::SwapUnderFrozenSink),
            &site,
            0,
            None,
            &count,
            "stops with 75; what it writes does not appear",
        );
    }
}

/// Before it commits what it holds.
const POINTS_OF_COMMIT: &[&str] = &["sink.commit.begin", "sink.stage.begin", "sink.stage.done"];

/// It holds records of a topic that is recreated; what is lost with the topic is sent again. Then it commits.
fn a_sink_wakes_up_after_a_repair(kind: SiteKind) {
    let points = if is_long() { POINTS_OF_COMMIT } else { &POINTS_OF_COMMIT[..1] };
    for point in points {
        let site = Site::open(kind);
        let load = Load::new(&site);
        let run = |role| drop(program::done(&site, &[role, "run", "--drain"]));
        assert!(load.publish(40));
        program::drain(&site);
        assert!(load.publish(40));
        run("validator");
        let armed = format!("{point}:1:stop");
        let mut frozen = Service::start_with(&site, Role::Sink, &[], &[(failpoint::VARIABLE, &armed)]);
        frozen.wait_until_frozen();
        site.broker.delete_topic(topics::VALID).unwrap();
        let _ = site.make_topic(topics::VALID, 4);
        run("sink");
        let report = program::verify(&site);
        assert!(report["problems"].to_string().contains("record_lost"), "{point}: {report:#}");
        let _ = program::done(&site, &["repair"]);
        program::drain(&site);
        frozen.signal("CONT");
        // A member of Kafka hears of it at its next poll, before it commits.
        let log = if kind.is_embedded() { "its topic was deleted" } else { "topics were deleted or recreated" };
        frozen.wait_for_log(log);
        let _ = frozen.stop();
        assert_eq!(program::verify(&site)["problems"], serde_json::json!([]), "{point}");
        let count = oracle::judge_all(&site, Some(&load));
        let result = "drops what it held: `repair` closes the chain before it sends anything again";
        note(Fault::Deed(Deed::RepairUnderFrozenSink), &site, 0, None, &count, result);
    }
}
