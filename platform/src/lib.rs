//! What every service needs: broker seam, store seam, configuration, telemetry, lifecycle. Nothing here knows what a record says,
//! or names a topic, a metric or a crash point of the product; a test keeps its words out.

pub mod broker;
pub mod clock;
pub mod config;
pub mod exit;
pub mod failpoint;
pub mod health;
pub mod http;
pub mod io_error;
pub mod lifecycle;
pub mod metrics;
pub mod names;
pub mod observe;
pub mod permissions;
pub mod progress;
pub mod resources;
pub mod retry;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod terminal;
pub mod trace;
