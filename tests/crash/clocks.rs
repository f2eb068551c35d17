//! Clocks that jump. Here alone services run inside the attacking process: the clock is handed to them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contracts::identity::SaltMode;
use platform::clock::{Clock, SystemClock};
use platform::lifecycle::Shutdown;
use platform::service::Until;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::site::{Site, SiteKind};
use validator::ProducerPolicies;

at_each_site!(clocks_jump);

const DAY_MS: i64 = 86_400_000;
/// More than the largest jump back.
const RUN_TS_AHEAD_MAX: Duration = Duration::from_secs(800 * 86_400);

/// Each look at it tells a time days before or after the last one.
#[derive(Default)]
struct Jumping(AtomicU64);

impl Clock for Jumping {
    fn now_ms(&self) -> i64 {
        const JUMPS: [i64; 6] = [0, 3, -3, 400, -400, 1];
        let n = self.0.fetch_add(1, Ordering::Relaxed) as usize;
        SystemClock.now_ms() + JUMPS[n % JUMPS.len()] * DAY_MS
    }
}

struct StopOnDrop<'a>(&'a Shutdown);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.request("time is up");
    }
}

#[expect(clippy::too_many_lines, reason = "two configurations")]
fn clocks_jump(kind: SiteKind) {
    let site = Site::open(kind);
    let age_max = Duration::from_millis(100);
    let validate = validator::ValidatorConfig {
        pipeline_topics: contracts::topics::PipelineTopics::live(),
        selection: None,
        member: "validator".into(),
        // A clock that is a year behind takes these findings for those of the future: that rule is not attacked here.
        policies: ProducerPolicies::own_only(SaltMode::Stable).with_run_ts_ahead_max(RUN_TS_AHEAD_MAX),
        valid_partitions: 4,
        dead_partitions: 4,
        tenant_spread: 1,
        step_records_max: 50,
        step_bytes_max: 1 << 20,
        session_timeout: kind.session_timeout(),
        until: Until::Shutdown,
        skips_expired: false,
        skips_judged: false,
    };
    let sink = sink::SinkConfig {
        pipeline_topics: contracts::topics::PipelineTopics::live(),
        member: "sink".into(),
        limits: sink::BatchLimits { age_max, ..sink::BatchLimits::default() },
        session_timeout: kind.session_timeout(),
        until: Until::Shutdown,
        skips_expired: false,
        replaced_store: None,
    };
    let (clock, stop) = (Jumping::default(), Shutdown::new());
    let battle = Battle::begin(&site);
    std::thread::scope(|scope| {
        // Also when rows do not come: the scope waits for all.
        let _stops = StopOnDrop(&stop);
        scope.spawn(|| {
            validator::run(
                &validate,
                validator::ValidatorDeps { broker: &*site.broker, clock: &clock, counters: &Default::default() },
                &stop,
            )
            .unwrap()
        });
        scope.spawn(|| {
            sink::run(
                &sink,
                sink::SinkDeps {
                    broker: &*site.broker,
                    store: &*site.store,
                    clock: &clock,
                    counters: &Default::default(),
                },
                &stop,
            )
            .unwrap()
        });
        for n in 1..=20 {
            // Sinks that start sweep staged files by their age: those of the other sink look old to them, or young.
            let short = Shutdown::new();
            let _stops = StopOnDrop(&short);
            scope.spawn({
                let (short, sink, site, clock) = (short.clone(), &sink, &site, &clock);
                move || {
                    sink::run(
                        sink,
                        sink::SinkDeps {
                            broker: &*site.broker,
                            store: &*site.store,
                            clock,
                            counters: &Default::default(),
                        },
                        &short,
                    )
                    .unwrap()
                }
            });
            assert!(battle.load.publish(40));
            // A batch is written when it is old enough by the clock that does not jump.
            battle.wait_for_rows(40 * n, &mut []);
        }
    });
    let count = battle.finish(Vec::new());
    note(
        Fault::Deed(Deed::ClockJumps),
        &site,
        0,
        None,
        &count,
        "goes on: ages are measured by a clock that cannot jump",
    );
}
