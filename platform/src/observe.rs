//! What a service tells about itself while it runs, passed into it: numbers and signs of life.

use crate::health::Pulse;
use crate::metrics::Metrics;

/// Where one service reports; the default reports to nobody.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    /// Its numbers.
    pub metrics: Metrics,
    /// Its sign of life.
    pub pulse: Pulse,
}
