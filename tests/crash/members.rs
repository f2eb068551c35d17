//! Members of a group come and go, or seem to be gone and come back.

use std::time::Duration;

use rand::Rng;
use tests::attack::battle::{Battle, note};
use tests::attack::fault::{Deed, Fault};
use tests::attack::program::{Role, Service};
use tests::attack::seed::{Seeded, is_long, kills, seeded};
use tests::attack::site::{Kind, Site};

at_each_site!(members_come_and_go, a_member_is_frozen_and_wakes_up);

/// Members of one role, at most.
const MEMBERS_MAX: usize = 4;

fn members_come_and_go(kind: Kind) {
    let Seeded { seed, mut rng } = seeded("storm");
    let site = Site::open(kind);
    let mut killed = 0;
    let count = Battle::begin(&site).fight(|battle| {
        let mut services = battle.start(&[Role::Validator, Role::Sink]);
        for _ in 0..2 * kills() {
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

/// The frozen member believes that it still owns its partitions when it wakes up, in the middle of whatever it did.
fn a_member_is_frozen_and_wakes_up(kind: Kind) {
    let Seeded { seed, mut rng } = seeded("freeze");
    for _ in 0..if is_long() { 10 } else { 1 } {
        for role in [Role::Validator, Role::Sink] {
            let site = Site::open(kind);
            let count = Battle::begin(&site).fight(|battle| {
                let mut services = battle.start(&[Role::Validator, Role::Sink, role]);
                battle.wait_for_work(50, &mut services);
                std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
                let frozen = services.pop().unwrap();
                frozen.signal("STOP");
                std::thread::sleep(kind.session_timeout() + Duration::from_secs(1));
                battle.wait_for_work(300, &mut services);
                frozen.signal("CONT");
                services.push(frozen);
                battle.wait_for_work(300, &mut services);
                services
            });
            note(Fault::Deed(Deed::MemberFrozen), &site, 0, Some(seed), &count, "goes on");
        }
    }
}
