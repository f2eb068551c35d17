//! Checkers: pure functions over an inventory, and what they share. Nothing here does I/O, reads a clock or knows a topic,
//! a store or a provider's SDK: the crate depends on no package that could, and `clippy.toml` refuses what the standard
//! library offers.

pub mod checker;
pub mod checks;
pub mod finding;
pub mod registry;
pub mod rulepack;
pub mod run_context;
pub mod severity;
