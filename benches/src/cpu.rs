//! CPU time and memory of this process: what a machine that is not quiet cannot distort much.

use std::fs;
use std::time::Duration;

/// `USER_HZ`: the unit of `/proc/<id>/stat` on every Linux architecture in use.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time so far.
pub fn time() -> Result<Duration, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|e| format!("reading /proc/self/stat: {e}"))?;
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>());
    let ticks = |i: usize| fields.as_ref()?.get(i)?.parse::<u64>().ok();
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND)),
        _ => Err("reading /proc/self/stat: no CPU times in it".to_owned()),
    }
}

/// Model of the machine's processor, for the report.
pub fn model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Resident memory now, MiB.
pub fn resident_mib() -> u64 {
    status_mib("VmRSS:")
}

/// The most memory that was resident since [`forget_peak`], MiB.
pub fn peak_mib() -> u64 {
    status_mib("VmHWM:")
}

/// From here on a new peak counts.
pub fn forget_peak() -> Result<(), String> {
    fs::write("/proc/self/clear_refs", "5").map_err(|e| format!("writing /proc/self/clear_refs: {e}"))
}

fn status_mib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() / 1024
}
