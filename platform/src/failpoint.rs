//! Named crash points for crash tests. Test-only: in production the variable is not set and a point costs
//! one load and one branch.
//!
//! `FINOPS_FAILPOINT=<name>` kills the process by SIGKILL the first time it passes that point;
//! `<name>:<n>` the n-th time. SIGKILL, because nothing may run afterwards: no destructor, no flush.
//! `<name>:<n>:stop` freezes it there by SIGSTOP, until SIGCONT arrives. Several are separated by commas.
//!
//! A point is declared where it is passed, by [`hit!`]. Its name is `<part>.<what is being done>.<the step just finished>`, where
//! `part` says which crate it belongs to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use signal_hook::consts::{SIGKILL, SIGSTOP};

/// The variable that arms a point.
pub const VARIABLE: &str = "FINOPS_FAILPOINT";

/// A crash point that is linked into this program. Made by [`hit!`], by nothing else.
#[derive(Debug)]
pub struct CrashPoint(#[doc(hidden)] pub &'static str);

inventory::collect!(CrashPoint);

#[doc(hidden)]
pub use inventory;

/// Passes a crash point; the process dies or freezes here if it is armed. The call is the declaration: the point is known to
/// [`names`] wherever its crate is linked in.
///
/// ```
/// platform::failpoint::hit!("example.write.done");
/// assert!(platform::failpoint::names().contains(&"example.write.done"));
/// ```
#[doc(inline)]
pub use crate::__failpoint_hit as hit;

#[doc(hidden)]
#[macro_export]
macro_rules! __failpoint_hit {
    ($name:literal) => {{
        $crate::failpoint::inventory::submit! { $crate::failpoint::CrashPoint($name) }
        $crate::failpoint::pass($name);
    }};
}

/// Every point that is linked into this program, sorted.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = inventory::iter::<CrashPoint>().map(|point| point.0).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Reads the variable now: a point that does not exist ends the process before it has done anything, not when the first point is
/// passed. Called at the start of a program.
pub fn arm() {
    LazyLock::force(&ARMED);
}

/// What [`hit!`] does. While one thread freezes the process, no other passes a point: a signal stops the other threads a moment
/// later, and until then one of them could reach the next armed point.
#[doc(hidden)]
pub fn pass(name: &'static str) {
    if ARMED.is_empty() {
        return;
    }
    let _one_at_a_time = PASSING.lock().unwrap_or_else(PoisonError::into_inner);
    for armed in &*ARMED {
        if armed.name == name && armed.passes_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Cannot fail: a process may always signal itself.
            let _ = signal_hook::low_level::raise(armed.signal);
        }
    }
}

static PASSING: Mutex<()> = Mutex::new(());

/// Read once. A crash test that names no real point would pass without crashing, so it is refused loudly.
static ARMED: LazyLock<Vec<Armed>> = LazyLock::new(|| {
    let Some(text) = std::env::var_os(VARIABLE) else { return Vec::new() };
    parse(&text.to_string_lossy()).unwrap_or_else(|| {
        eprintln!("{VARIABLE}={} names no crash point; there are: {}", text.display(), names().join(", "));
        std::process::exit(crate::exit::ExitCode::Configuration as i32);
    })
});

#[derive(Debug)]
struct Armed {
    name: &'static str,
    passes_left: AtomicU64,
    signal: i32,
}

fn parse(text: &str) -> Option<Vec<Armed>> {
    text.split(',').map(parse_one).collect()
}

fn parse_one(text: &str) -> Option<Armed> {
    let (name, rest) = text.split_once(':').unwrap_or((text, "1"));
    let name = names().into_iter().find(|known| *known == name)?;
    let (passes, signal) = match rest.strip_suffix(":stop") {
        Some(passes) => (passes, SIGSTOP),
        None => (rest, SIGKILL),
    };
    let passes = passes.parse().ok().filter(|n| *n > 0)?;
    Some(Armed { name, passes_left: AtomicU64::new(passes), signal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_counts() {
        let check = |text: &str, expected: Option<&[(u64, i32)]>| {
            let found: Option<Vec<_>> =
                parse(text).map(|all| all.into_iter().map(|one| (one.passes_left.into_inner(), one.signal)).collect());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("store.local.put.written", Some(&[(1, SIGKILL)]));
        check("store.local.put.written:3", Some(&[(3, SIGKILL)]));
        check("store.local.put.written:2:stop", Some(&[(2, SIGSTOP)]));
        check("store.local.put.written:2:stop,store.local.put.placed", Some(&[(2, SIGSTOP), (1, SIGKILL)]));
        check("store.local.put.written,", None);
        check("store.local.put.written,store.local", None);
        check("store.local.put.written:stop", None);
        check("store.local.put.written:0", None);
        check("store.local.put.written:x", None);
        check("store.local.put", None);
        check("", None);
    }
}
