//! Collectors: the only crate of the producers that reads bills or calls a cloud API; one folder for bills, one file per AWS
//! service. Each records what it saw in an inventory; none judges it, and none knows a checker or a topic.

pub mod aws;
pub mod billing;
