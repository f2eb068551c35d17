//! What this process uses, as Linux counts it. Elsewhere nothing is known.

use std::fs;
use std::time::Duration;

/// Ticks of processor time in a second: `USER_HZ`, 100 on every architecture that Rust's standard library runs on.
const TICKS_PER_SECOND: u64 = 100;

/// Time on processors since the process began, in user and system mode.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    cpu_time_of(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// Fields 14 and 15, counted behind the command's name, which may hold anything.
fn cpu_time_of(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some(Duration::from_millis(user.checked_add(system)?.checked_mul(1_000 / TICKS_PER_SECOND)?))
}

/// Bytes of the process that are in RAM.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    resident_bytes_of(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_bytes_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0 99 0";
        assert_eq!(cpu_time_of(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(resident_bytes_of("Name:\tx\nVmRSS:\t   12 kB\nThreads: 1"), Some(12_288));
        assert_eq!((cpu_time_of("7 (a) S"), resident_bytes_of("Name: x")), (None, None));
        // A test binary needs more than a megabyte, and less than all there is.
        assert!((1 << 20..1 << 40).contains(&resident_bytes().unwrap()));
        assert!(cpu_time().is_some());
    }
}
