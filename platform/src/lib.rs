//! What every service needs and no finding knows: broker seam, store seam, configuration,
//! telemetry, lifecycle. Nothing here knows what a finding is.

pub mod broker;
pub mod store;
