//! Metrics and crash points of the whole product. Crates declare their own where they use them; what is linked in is known, and here
//! every crate is.

use collectors as _;
use exporter as _;
use operations as _;
use sink as _;
use validator as _;

use platform::failpoint;
use platform::metrics::{self, Definition};

/// Every crash point, sorted.
#[must_use]
pub fn crash_points() -> Vec<&'static str> {
    failpoint::names()
}

/// Every metric, by name.
#[must_use]
pub fn metrics() -> Vec<&'static Definition> {
    metrics::declared()
}
