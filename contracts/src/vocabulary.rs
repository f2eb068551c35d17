//! Closed lists of the contract (R20): rules, the command line and documents take them from here.

/// What a check said of its subject.
pub const STATUS: [&str; 4] = ["pass", "fail", "info", "unknown"];
/// Levels of severity, rising.
pub const SEVERITY: [&str; 5] = ["info", "low", "medium", "high", "critical"];
/// Where a finding is in its life.
pub const LIFECYCLE: [&str; 5] = ["open", "acknowledged", "snoozed", "resolved", "ignored"];
/// Which price an actual cost is of.
pub const COST_MODEL: [&str; 4] = ["unblended", "amortized", "net", "blended"];
/// How an actual cost was attributed.
pub const ATTRIBUTION_METHOD: [&str; 5] = ["exact_resource_id", "tag", "heuristic", "shared_unallocated", "none"];
