//! Attacks on the running program. `cargo test --workspace --test crash` is the short form; `cargo xtask attack` the
//! long one, which also writes `docs/guarantees.md`. Attacks with chance print their seed; `FINOPS_ATTACK_SEED` repeats
//! it, `FINOPS_ATTACK_KILLS` sets the number of random kills per attack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use tests::attack::site::SiteKind;

/// The name of an attack, and the attack.
type Attack = (&'static str, fn(SiteKind));

/// Lists attacks.
macro_rules! list {
    ($($attack:ident),+ $(,)?) => {
        pub const ATTACKS: &[crate::Attack] = &[$((stringify!($attack), $attack)),+];
    };
}

/// Makes a test of each attack at one site. Only where attacks can go on side by side; those on Kafka take turns.
macro_rules! at_site {
    ($module:ident, $kind:ident, $($attack:ident),+ $(,)?) => {
        mod $module {
            $(#[test]
            fn $attack() {
                crate::attack(tests::attack::site::SiteKind::$kind, (stringify!($attack), super::$attack));
            })+
        }
    };
}

/// Lists attacks and makes a test of each at each site where that can be.
macro_rules! at_each_site {
    ($($attack:ident),+ $(,)?) => {
        list!($($attack),+);
        at_site!(embedded_local, EmbeddedLocal, $($attack),+);
        at_site!(embedded_s3, EmbeddedS3, $($attack),+);
    };
}

mod bits;
mod buckets;
mod clocks;
mod exporters;
mod failpoints;
mod guarantees;
mod hostile;
mod kafka;
mod kills;
mod leavers;
mod loads;
mod members;
mod positions;
mod rollbacks;
mod room;
mod scale;
mod short;
mod swaps;

/// All attacks at a site but those on its broker, in the long form.
fn attacks(kind: SiteKind) -> Vec<Attack> {
    let everywhere = [
        failpoints::ATTACKS,
        kills::ATTACKS,
        members::ATTACKS,
        scale::ATTACKS,
        positions::ATTACKS,
        clocks::ATTACKS,
        hostile::ATTACKS,
        swaps::anywhere::ATTACKS,
    ];
    let of_its_own: &[&[Attack]] = match kind {
        SiteKind::EmbeddedLocal => &[
            room::ATTACKS,
            room::of_the_broker::ATTACKS,
            loads::ATTACKS,
            exporters::ATTACKS,
            swaps::ATTACKS,
            bits::ATTACKS,
            leavers::ATTACKS,
            rollbacks::ATTACKS,
        ],
        SiteKind::EmbeddedS3 => {
            &[buckets::ATTACKS, loads::ATTACKS, exporters::ATTACKS, bits::ATTACKS, leavers::ATTACKS, rollbacks::ATTACKS]
        }
        SiteKind::KafkaLocal => &[room::ATTACKS, positions::of_groups::ATTACKS],
        SiteKind::KafkaS3 => &[buckets::ATTACKS, positions::of_groups::ATTACKS],
    };
    everywhere.into_iter().chain(of_its_own.iter().copied()).flatten().copied().collect()
}

fn attack(kind: SiteKind, (name, attack): Attack) {
    if short::is_due(kind, name) {
        attack(kind);
    } else {
        tests::skip::because(format_args!(
            "{name} is attacked at {} in the long form, `cargo xtask attack`",
            kind.name()
        ));
    }
}
