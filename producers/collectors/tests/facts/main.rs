//! Cost facts of several loads: what adds up, what replaces, what is refused, and that neither a crash nor other loads at the
//! same time change that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod bills;
mod concurrent;
mod crashes;
mod faulty;
mod files;
mod model;
mod rules;
