//! How long work reports how far it is. The library reports; what is drawn, and whether, is the caller's business.

/// What a stage counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of input.
    Bytes,
    /// Things of this name, in the plural.
    Things(&'static str),
}

/// Hears of progress. Called from one thread at a time, often: must be cheap.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` units of work are expected, when known.
    fn begin(&self, stage: &str, unit: Unit, total: Option<u64>);
    /// So many units more are done.
    fn advance(&self, units: u64);
    /// The stage is over.
    fn end(&self);
}

/// No listener.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: Unit, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}
