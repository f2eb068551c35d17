//! The findings contract as types and pure functions: wire form, rules, identity, storage form,
//! dataset layout, dead letters, run manifests. Everything here is a function of its arguments: no I/O,
//! clock, environment, async runtime or database.
//!
//! A finding's way: [`judge::judge`] (bytes → [`judge::ValidFinding`] or every broken rule) →
//! [`judge::ValidFinding::cast_for_storage`] → [`storage::StorageRecord::encode`] → topic → Arrow by [`arrow_schema`] → Parquet by [`layout`].

pub mod arrow_schema;
pub mod avro;
pub mod chain;
pub mod claims;
pub mod cloud_ids;
mod columns;
pub mod commit_record;
pub mod cost_manifest;
pub mod currency;
pub mod datasets;
pub mod dead_letter;
pub mod draft;
pub mod export_manifest;
mod finding;
pub mod frame;
pub mod identity;
pub mod judge;
pub mod last_record;
pub mod layout;
pub mod members;
pub mod number;
pub mod position;
pub mod ranking;
pub mod resource_type;
mod rules;
pub mod run_manifest;
pub mod seal;
pub mod service_family;
pub mod source;
pub mod storage;
pub mod table_manifest;
pub mod tenant_scope;
pub mod text;
pub mod time;
pub mod topics;
pub mod violation;
pub mod vocabulary;
mod wire;
pub mod wire_filter;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod proof;
