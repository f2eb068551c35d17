//! The findings contract as types and pure functions: wire form, rules, identity, storage form,
//! dataset layout, dead letters, run manifests. Everything here is a function of its arguments: no I/O,
//! clock, environment, async runtime or database.

pub mod commit_record;
pub mod cost_manifest;
pub mod dead_letter;
pub mod layout;
pub mod run_manifest;
pub mod service_family;
pub mod source;
pub mod topics;
