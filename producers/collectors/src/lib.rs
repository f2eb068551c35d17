//! Collectors: the only crate of the producers that reads bills or calls a cloud API; one folder for bills, one for each
//! provider with one file per collector. Each registers itself and records what it saw in an inventory; none judges it, and none
//! knows a checker or a topic.

pub mod aws;
mod aws_client;
pub mod billing;
mod billing_files;
pub mod collector;
mod focus_conformance;
pub mod registry;
