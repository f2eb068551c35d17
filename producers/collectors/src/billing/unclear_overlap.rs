//! A delivery of which nothing says whether it replaces what is live.

/// A delivery, and the live one that it overlaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnclearOverlap {
    /// Month.
    pub period: String,
    /// Source, for people.
    pub source: String,
    /// First instant and end of the new delivery's charge periods.
    pub new: (String, String),
    /// Those of the live one.
    pub live: (String, String),
    /// The live delivery.
    pub live_delivery: String,
    /// Its rows.
    pub live_rows: u64,
}

impl std::fmt::Display for UnclearOverlap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { period, source, new, live, live_delivery, live_rows } = self;
        write!(
            f,
            "billing month {period} of {source}: this bill charges for {} to {}, and the live delivery {live_delivery} \
             ({live_rows} rows) for {} to {}; they overlap, and the new one does not cover the other. Give --restate when it \
             replaces the whole deliveries that it overlaps, --increment when it adds to them, or --source NAME when it is \
             another export of the account. Nothing was changed",
            new.0, new.1, live.0, live.1
        )
    }
}
