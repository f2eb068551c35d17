//! Chance that can be repeated. `FINOPS_ATTACK_SEED` repeats a run, `FINOPS_ATTACK_KILLS` says how many random kills
//! each attack makes.

use std::time::SystemTime;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::site::SiteKind;

/// Random kills per attack from which on it is the long form.
const LONG: u64 = 40;

/// Random numbers of one attack, and the seed they come from.
pub struct Seeded {
    /// Seed.
    pub seed: u64,
    /// Numbers.
    pub rng: StdRng,
}

/// Numbers from the given seed, or from a new one that is printed.
///
/// # Panics
/// When `FINOPS_ATTACK_SEED` is no number.
#[must_use]
pub fn seeded(attack: &str) -> Seeded {
    let random = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = number("FINOPS_ATTACK_SEED").unwrap_or_else(random);
    println!("{attack}: FINOPS_ATTACK_SEED={seed}");
    Seeded { seed, rng: StdRng::seed_from_u64(seed) }
}

/// How many random kills an attack makes there. The short form makes few attacks on Kafka, each with many kills: at
/// least 200 in all.
#[must_use]
pub fn kills(kind: SiteKind) -> u64 {
    number("FINOPS_ATTACK_KILLS").unwrap_or(if kind.is_embedded() { 12 } else { 100 })
}

/// True in the long form, which also measures.
#[must_use]
pub fn is_long() -> bool {
    number("FINOPS_ATTACK_KILLS").is_some_and(|kills| kills >= LONG)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}
