//! Producers of findings: collectors read billing files and cloud APIs into inventories, pure checkers turn
//! inventories into findings, the runner supervises them and publishes findings and a run manifest. Nothing here knows
//! the validator, the sink or the exporter: they meet only in topics and dataset layout, both in `contracts`.

pub mod billing;
pub mod bootstrap;
pub mod checker;
pub mod checks;
pub mod collect;
pub mod draft;
pub mod finding;
pub mod progress;
pub mod publish;
pub mod registry;
pub mod rulepack;
pub mod run;
pub mod run_context;
pub mod services;
pub mod severity;
