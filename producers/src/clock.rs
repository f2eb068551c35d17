//! The wall clock as something that is passed in.

/// Tells wall-clock time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp_millis()
    }
}
