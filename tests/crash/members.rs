//! Members of a group come and go, or seem to end and come back.

use std::time::Duration;

use rand::Rng;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::program::{Role, Service};
use tests::attack::seed::{Seeded, is_long, seeded};
use tests::attack::site::{Site, SiteKind};

at_each_site!(members_come_and_go, a_member_is_frozen_and_wakes_up);

/// So often in a row a member may be frozen in the middle of a write.
const FREEZES_MAX: u32 = 8;
/// Members of one role, at most.
const MEMBERS_MAX: usize = 4;

fn members_come_and_go(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("storm");
    let site = Site::open(kind);
    let mut killed = 0;
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        for _ in 0..if is_long() { 100 } else { 24 } {
            std::thread::sleep(Duration::from_millis(rng.random_range(50..400)));
            let role = if rng.random() { Role::Validator } else { Role::Sink };
            let members: Vec<_> = (0..services.len()).filter(|n| services[*n].role == role).collect();
            if members.len() < 2 || (members.len() < MEMBERS_MAX && rng.random()) {
                services.push(Service::start(&site, role));
                continue;
            }
            let leaver = services.swap_remove(members[rng.random_range(0..members.len())]);
            if rng.random() {
                let _ = leaver.stop();
            } else {
                leaver.kill();
                killed += 1;
            }
        }
        services
    });
    note(Fault::Deed(Deed::RebalanceStorm), &site, killed, Some(seed), &count, "goes on");
}

fn result(kind: SiteKind) -> &'static str {
    match kind.is_embedded() {
        true => "goes on; while it is frozen in the middle of a write, the others wait",
        false => "goes on",
    }
}

/// The frozen member believes that it still owns its partitions when it wakes up, in the middle of whatever it did.
fn a_member_is_frozen_and_wakes_up(kind: SiteKind) {
    let Seeded { seed, mut rng } = seeded("freeze");
    for role in [Role::Validator, Role::Sink] {
        let (mut rounds, mut taken_over) = (0, false);
        while rounds < if is_long() { 4 } else { 1 } || !taken_over {
            assert!(rounds < FREEZES_MAX, "no process has ever taken over from a {role:?}");
            rounds += 1;
            let site = Site::open(kind);
            let count = Battle::begin(&site).fight(|battle| {
                let mut services = battle.start(&[role, Role::Validator, Role::Sink]);
                let frozen = services.remove(0);
                frozen.wait_for_log(" assigned ");
                battle.wait_for_work(50, &mut services);
                std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
                frozen.signal("STOP");
                std::thread::sleep(kind.session_timeout() + Duration::from_secs(1));
                // Frozen in the middle of a write it keeps the file of an embedded broker locked: no process can take over,
                // and the others have to wait until it is woken, or killed.
                let goes_on = battle.works(300, Duration::from_secs(10));
                assert!(goes_on || kind.is_embedded(), "no process has taken over");
                taken_over |= goes_on;
                frozen.signal("CONT");
                services.push(frozen);
                battle.wait_for_work(300, &mut services);
                services
            });
            note(Fault::Deed(Deed::MemberFrozen), &site, 0, Some(seed), &count, result(kind));
        }
    }
}
