//! What collectors record and checkers judge: pure models of bills and cloud resources. Plain data and functions over it;
//! nothing here reads a file, calls an API or knows a checker.

pub mod billing;
pub mod bootstrap;
pub mod collected;
pub mod kind;
pub mod s3;
pub mod s3_uploads;
pub mod services;
