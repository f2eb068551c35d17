//! Attacks on the running program. `cargo test --workspace --test crash` is the short form; `cargo xtask attack` the
//! long one, which also writes `docs/guarantees.md`. Attacks with chance print their seed; `FINOPS_ATTACK_SEED` repeats
//! it, `FINOPS_ATTACK_KILLS` sets the number of random kills per attack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Makes a test of each attack at each site.
macro_rules! at_each_site {
    ($($attack:ident),+ $(,)?) => {
        /// For sites that can only be attacked by one at a time.
        pub const ATTACKS: &[crate::kafka::Attack] = &[$((concat!(module_path!(), "::", stringify!($attack)), $attack)),+];
        at_site!(embedded_local, EmbeddedLocal, $($attack),+);
        at_site!(embedded_s3, EmbeddedS3, $($attack),+);
    };
}

/// Makes a test of each attack at one site.
macro_rules! at_site {
    ($module:ident, $kind:ident, $($attack:ident),+ $(,)?) => {
        mod $module {
            $(#[test]
            fn $attack() {
                super::$attack(tests::attack::site::Kind::$kind);
            })+
        }
    };
}

mod buckets;
mod clocks;
mod failpoints;
mod guarantees;
mod kafka;
mod kills;
mod members;
mod positions;
mod room;
mod scale;
