//! Support of the cross-crate tests: the repository's files, the published schemas. Only tests use it, so it
//! may panic; it knows no service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "support of tests: a failure is a failed test"
)]

pub mod attack;
pub mod collector;
pub mod declared;
pub mod http;
pub mod identity;
pub mod kafka;
pub mod network;
pub mod pipeline;
#[cfg(test)]
mod protocol;
pub mod proxy;
pub mod read_hook;
pub mod repo;
pub mod rows;
pub mod s3;
pub mod sample;
pub mod schemas;
pub mod shape;
pub mod skip;
