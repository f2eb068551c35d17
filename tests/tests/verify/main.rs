//! What `finops verify` must notice, what it must not cry about, and that `finops repair` ends what it begins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checkpoints;
mod commits;
mod repaired;
mod rolled_back;
mod running;
mod runs;
mod tampered;
mod wire;
mod world;
mod written;
