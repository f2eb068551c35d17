//! Counts tests from the lines that the test harness prints. Knows nothing of processes.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed tests.
    pub passed: u64,
    /// Failed tests; a step that failed otherwise (formatting, lints, compiler) counts as one.
    pub failed: u64,
}

impl Tally {
    /// A step that could not be started.
    pub fn failed_step() -> Self {
        Self { passed: 0, failed: 1 }
    }

    /// Adds the numbers of a `test result:` line; other lines say nothing.
    pub fn read_line(&mut self, line: &str) {
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        self.passed += count_before(result, " passed");
        self.failed += count_before(result, " failed");
    }

    /// Takes the exit of the step into account: a failure that no test explains is counted too.
    pub fn close(&mut self, success: bool) {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

fn count_before(result: &str, word: &str) -> u64 {
    let before = result.split(word).next().filter(|before| before.len() < result.len());
    before.and_then(|text| text.rsplit(' ').next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str], success: bool) -> String {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read_line(line));
        tally.close(success);
        tally.to_string()
    }

    #[test]
    fn adds_up_all_results() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s\n",
            "test a::passed ... ok",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ];
        assert_eq!(tally(&lines, false), "15 passed, 2 failed");
    }

    #[test]
    fn a_failure_without_a_failed_test_counts_as_one() {
        assert_eq!(tally(&["error: could not compile `x`"], false), "0 passed, 1 failed");
        assert_eq!(tally(&[], true), "0 passed, 0 failed");
    }
}
