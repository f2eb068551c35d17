//! Counts tests from the lines that the test harness prints. Knows nothing of processes.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed tests, without those that said that they are skipped.
    pub passed: u64,
    /// Tests that said so: the harness, which knows nothing of it, calls them passed.
    pub skipped: u64,
    /// Failed tests; a step that failed otherwise (formatting, lints, documentation, compiler) counts as one.
    pub failed: u64,
    /// Those skipped since the last result. A test may say it more than once.
    skipping: BTreeSet<String>,
}

impl Tally {
    /// A step that could not be started.
    pub fn failed_step() -> Self {
        Self { failed: 1, ..Self::default() }
    }

    /// Adds the numbers of a `test result:` line, and what was skipped before it; other lines say nothing.
    pub fn read_line(&mut self, line: &str) {
        self.skipping.extend(skipped(line).map(str::to_owned));
        let Some(result) = line.trim_start().strip_prefix("test result: ") else { return };
        let skipped = std::mem::take(&mut self.skipping).len() as u64;
        self.passed += count_before(result, " passed").saturating_sub(skipped);
        self.skipped += skipped;
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
        self.skipped += other.skipped;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The test that a line `skipped: <test>: <reason>` is about. The harness may have begun the line, with any test that it waits for.
fn skipped(line: &str) -> Option<&str> {
    let said = line.strip_prefix("test ").and_then(|begun| begun.split_once(" ... ")).map_or(line, |(_, said)| said);
    Some(said.strip_prefix("skipped: ")?.split_once(": ")?.0)
}

fn count_before(result: &str, word: &str) -> u64 {
    let before = result.split(word).next().filter(|before| before.len() < result.len());
    before.and_then(|text| text.rsplit(' ').next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], success: bool, expected: (&str, u64)) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read_line(line));
        tally.close(success);
        assert_eq!((&*tally.to_string(), tally.skipped), expected, "{lines:#?}");
    }

    #[test]
    fn adds_up_all_results() {
        let lines = [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.10s\n",
            "test a::passed ... ok",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ];
        check(&lines, false, ("15 passed, 2 failed", 0));
    }

    #[test]
    fn a_failure_without_a_failed_test_counts_as_one() {
        check(&["error: could not compile `x`"], false, ("0 passed, 1 failed", 0));
        check(&[], true, ("0 passed, 0 failed", 0));
    }

    #[test]
    fn what_was_skipped_has_not_passed() {
        let result = "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        let skips = |lines: &[&str], expected| check(&[lines, &[result]].concat(), true, expected);
        skips(&["skipped: kafka::s3: no Kafka: no Docker\n"], ("3 passed, 0 failed", 1));
        // The harness says the name before the result, and flushes it.
        skips(&["test kafka::local ... skipped: kafka::s3: no Kafka\n", "ok\n"], ("3 passed, 0 failed", 1));
        skips(&["skipped: a: why", "skipped: b: why", "skipped: a: and why else"], ("2 passed, 0 failed", 2));
        skips(&["skipped: a: why", result, "skipped: a: why"], ("6 passed, 0 failed", 2));
        for other in [
            "test a::skipped ... ok",
            "            skipped: checks.aws.s3: no AWS credentials",
            "left: \"skipped: a: why\"",
            "skipped: nothing that has a name",
        ] {
            skips(&[other], ("4 passed, 0 failed", 0));
        }
        check(&["skipped: a: why", "error: test failed"], false, ("0 passed, 1 failed", 0));
    }
}
