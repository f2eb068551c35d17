//! Is the process behind a member still there? Process ids are reused, so a member names its process by
//! id and start time.

use std::fs;

/// This process, as members name it.
pub(super) fn this() -> String {
    let id = std::process::id();
    format!("{id}/{}", start_of(id).unwrap_or_default())
}

/// False only when the process is surely gone; where it cannot be told, the session time-out decides.
pub(super) fn is_alive(process: &str) -> bool {
    let Some((id, start)) = process.split_once('/') else { return true };
    let Ok(id) = id.parse() else { return true };
    if start.is_empty() {
        return true;
    }
    start_of(id).is_some_and(|now| now == start)
}

/// Start time in clock ticks since boot: field 22 of `/proc/<id>/stat`, counted behind the command name. A
/// zombie is as gone as one that was reaped.
fn start_of(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_living_from_the_dead() {
        assert!(is_alive(&this()));
        assert!(!is_alive("4294967/1"));
        assert!(!is_alive(&format!("{}/1", std::process::id())), "another process had this id before");
    }
}
