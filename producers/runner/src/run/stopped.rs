//! A run that was asked to stop: how far it had come, and what was and was not published.

use std::fmt;

/// The stage in which a run was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading bills and accounts.
    Collect,
    /// Running checkers.
    Check,
    /// Publishing findings.
    Publish,
}

/// How far a stopped run had come. It has no manifest, so it counts as complete for no reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedRun {
    /// Where it was stopped.
    pub stage: Stage,
    /// Rows of billing files that are stored as cost facts.
    pub cost_facts: u64,
    /// Findings that own checkers had found.
    pub findings_found: u64,
    /// Findings of own checkers that are published.
    pub findings_published: u64,
    /// Lines of findings files that are published.
    pub lines_published: u64,
}

impl StoppedRun {
    /// Records that are published.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.findings_published + self.lines_published
    }
}

impl fmt::Display for StoppedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, cost_facts, findings_found, findings_published, lines_published } = self;
        let doing = match stage {
            Stage::Collect => "collecting",
            Stage::Check => "checking",
            Stage::Publish => "publishing",
        };
        write!(f, "stopped while {doing}. ")?;
        match (self.published(), findings_found) {
            (0, 0) => write!(f, "Nothing was published")?,
            (0, _) => write!(f, "Nothing was published: {findings_found} finding(s) were found and are dropped")?,
            _ => {
                write!(f, "Published: {findings_published} of {findings_found} finding(s) of own checkers")?;
                if *lines_published > 0 {
                    write!(f, " and {lines_published} line(s) of findings files")?;
                }
                write!(f, ". Not published: the rest, and the run manifest")?;
            }
        }
        match cost_facts {
            0 => write!(f, "; no cost facts were stored"),
            rows => write!(f, "; {rows} billing row(s) are stored as cost facts"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stage: Stage, counts: [u64; 4], expected: &str) {
        let [cost_facts, findings_found, findings_published, lines_published] = counts;
        let stopped = StoppedRun { stage, cost_facts, findings_found, findings_published, lines_published };
        assert_eq!(stopped.to_string(), expected);
    }

    #[test]
    fn a_stopped_run_says_what_was_and_was_not_published() {
        check(
            Stage::Collect,
            [0, 0, 0, 0],
            "stopped while collecting. Nothing was published; no cost facts were stored",
        );
        check(
            Stage::Check,
            [700, 12, 0, 0],
            "stopped while checking. Nothing was published: 12 finding(s) were found and are dropped; 700 billing row(s) \
             are stored as cost facts",
        );
        check(
            Stage::Publish,
            [0, 0, 0, 5000],
            "stopped while publishing. Published: 0 of 0 finding(s) of own checkers and 5000 line(s) of findings files. \
             Not published: the rest, and the run manifest; no cost facts were stored",
        );
    }
}
