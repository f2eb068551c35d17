//! What a service tells about itself while it runs, passed into it: numbers, signs of life and traces.

use crate::health::Pulse;
use crate::metrics::Metrics;
use crate::trace::Tracer;

/// Where one service reports; the default reports to no one.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    /// Its numbers.
    pub metrics: Metrics,
    /// Its sign of life.
    pub pulse: Pulse,
    /// Its traces.
    pub tracer: Tracer,
}
