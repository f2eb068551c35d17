//! Is the process behind a member still there? Process ids are reused, so a member names its process by id and start time. They
//! mean something only where the same processes are seen: in one PID namespace of one running system. Containers that share the
//! broker's folder have a namespace each, so a member names that, too, and members of other namespaces are judged by their session
//! time-out alone.

use std::fs;

/// This process, as members name it: `<namespace>/<id>/<start time>`.
pub(super) fn this() -> String {
    let id = std::process::id();
    format!("{}/{id}/{}", namespace().unwrap_or_default(), start_of(id).unwrap_or_default())
}

/// False only when the process has surely ended; where that is unknown, the session time-out decides.
pub(super) fn is_alive(process: &str) -> bool {
    // Another form is that of another version.
    let [theirs, id, start] = process.split('/').collect::<Vec<_>>()[..] else { return true };
    let (Ok(id), Some(ours)) = (id.parse(), namespace()) else { return true };
    if theirs != ours || start.is_empty() {
        return true;
    }
    start_of(id).is_some_and(|now| now == start)
}

/// Where process ids mean what they mean here: the boot of the system, and the PID namespace whose processes `/proc` shows. Begins
/// with a letter, so that versions that know only `<id>/<start time>` do not take it for an id.
fn namespace() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    // A process that entered another namespace than its `/proc` is of sees the ids of that one.
    let here = fs::read_link("/proc/self/ns/pid").ok()?;
    let seen = fs::read_link("/proc/self").ok()?;
    (seen.to_str() == Some(std::process::id().to_string().as_str())).then_some(())?;
    Some(format!("boot:{} {}", boot.trim(), here.to_str()?.replace('/', "")))
}

/// Start time in clock ticks since boot: field 22 of `/proc/<id>/stat`, counted behind the command name. A
/// zombie has ended like one that was reaped.
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
        let (own, here) = (std::process::id(), namespace().unwrap());
        assert!(!is_alive(&format!("{here}/4294967/1")));
        assert!(!is_alive(&format!("{here}/{own}/1")), "another process had this id before");
    }

    #[test]
    fn of_processes_of_another_container_or_version_nothing_is_known() {
        for process in ["boot:b pid:[1]/4294967/1", "/4294967/1", "4294967/1", "4294967", ""] {
            assert!(is_alive(process), "{process}");
        }
        let this = this();
        let (before, _) = this.split_once('/').unwrap();
        assert!(before.parse::<u32>().is_err(), "an earlier version takes {before} for a process id");
    }
}
