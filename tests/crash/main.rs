//! Attacks on the running program. `cargo test --workspace --test crash` is the short form; `cargo xtask attack` the
//! long one, which also writes `docs/guarantees.md`. Attacks with chance print their seed; `FINOPS_ATTACK_SEED` repeats
//! it, `FINOPS_ATTACK_KILLS` sets the number of random kills per attack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Makes a test of each attack at each site.
macro_rules! at_each_site {
    ($($attack:ident),+ $(,)?) => {
        mod embedded_local {
            $(#[test]
            fn $attack() {
                super::$attack(tests::attack::site::Kind::EmbeddedLocal);
            })+
        }
    };
}

mod clocks;
mod failpoints;
mod guarantees;
mod kills;
mod members;
mod positions;
mod room;
mod scale;
