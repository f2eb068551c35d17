//! Skips that are seen. What a passed test prints, the harness keeps to itself, unless it does not come by `print!`.

use std::fmt::Display;
use std::io::Write;
use std::thread;

/// Says in a line of its own that the running test does not do what its name says, or not all of it, and why.
/// `cargo xtask test` does not count such a test as passed.
pub fn because(reason: impl Display) {
    let reason = reason.to_string();
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let thread = thread::current();
    let _ = writeln!(std::io::stdout(), "skipped: {}: {reason}", thread.name().unwrap_or("a test"));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const SKIPS: &str = "FINOPS_TEST_SKIPS";

    /// The test runs itself once more, in a harness of its own.
    #[test]
    fn a_skip_is_seen_although_its_test_passes() {
        if std::env::var_os(SKIPS).is_some() {
            println!("this is not seen");
            return because("there is no\n  moon");
        }
        let name = thread::current().name().unwrap().to_owned();
        let itself = Command::new(std::env::current_exe().unwrap()).args(["--exact", &name]).env(SKIPS, "1").output();
        let ended = itself.unwrap();
        let seen = String::from_utf8(ended.stdout).unwrap();
        assert!(ended.status.success() && seen.contains("1 passed"), "{seen}");
        assert!(seen.contains(&format!("skipped: {name}: there is no moon\n")), "{seen}");
        assert!(!seen.contains("not seen"), "{seen}");
    }
}
