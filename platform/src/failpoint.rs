//! Named crash points for crash tests. Test-only: in production the variable is not set and a point costs
//! one load and one branch.
//!
//! `FINOPS_FAILPOINT=<name>` kills the process by SIGKILL the first time it passes that point;
//! `<name>:<n>` the n-th time. SIGKILL, because nothing may run afterwards: no destructor, no flush.
//! `<name>:<n>:stop` freezes it there by SIGSTOP, until SIGCONT arrives. Several are separated by commas.
//!
//! A point has its name from [`NAMES`]: `<crate>.<what is being done>.<the step just finished>`; those of commands that an
//! operator gives begin with `operator`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use signal_hook::consts::{SIGKILL, SIGSTOP};

/// The variable that arms a point.
pub const VARIABLE: &str = "FINOPS_FAILPOINT";

/// Every point there is.
pub const NAMES: &[&str] = &[
    "broker.embedded.append.inserted",
    "broker.kafka.transaction.committed",
    "broker.kafka.transaction.prepared",
    "exporter.export.begin",
    "exporter.export.exchanged",
    "exporter.export.written",
    "exporter.gold.files.published",
    "exporter.gold.manifest.begin",
    "exporter.gold.manifest.replaced",
    "exporter.gold.retired.deleted",
    "operator.redrive.intended",
    "operator.redrive.noted",
    "operator.redrive.sent",
    "operator.swap.moved",
    "producers.facts.merged",
    "producers.facts.published",
    "producers.facts.removed",
    "producers.facts.replaced",
    "producers.facts.staged",
    "producers.facts.written",
    "sink.checkpoint.begin",
    "sink.checkpoint.done",
    "sink.claim.begin",
    "sink.claim.left",
    "sink.commit.begin",
    "sink.commit.done",
    "sink.discard.begin",
    "sink.discard.done",
    "sink.hint.begin",
    "sink.hint.left",
    "sink.publish.begin",
    "sink.publish.done",
    "sink.rebuild.begin",
    "sink.rebuild.done",
    "sink.stage.begin",
    "sink.stage.done",
    "sink.sweep.begin",
    "sink.sweep.done",
    "store.cache.fetched",
    "store.cache.placed",
    "store.local.publish.linked",
    "store.local.put.placed",
    "store.local.put.written",
    "store.local.stage.finished",
    "store.s3.publish.begin",
    "store.s3.publish.done",
    "store.s3.put.begin",
    "store.s3.put.done",
    "store.s3.stage.begun",
    "store.s3.stage.finished",
    "store.s3.stage.part",
    "validator.skip.begin",
    "validator.skip.committed",
    "validator.step.begin",
    "validator.step.committed",
];

/// Passes the point of that name; the process dies or freezes here if it is armed.
///
/// While one thread freezes the process, no other passes a point: a signal stops the other threads a moment later, and until
/// then one of them could reach the next armed point.
pub fn hit(name: &'static str) {
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
        eprintln!("{VARIABLE}={} names no crash point; there are: {}", text.display(), NAMES.join(", "));
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
    let name = NAMES.iter().find(|known| **known == name)?;
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
        check("store.local.put.written:2:stop,sink.commit.done", Some(&[(2, SIGSTOP), (1, SIGKILL)]));
        check("store.local.put.written,", None);
        check("store.local.put.written,sink.commit", None);
        check("store.local.put.written:stop", None);
        check("store.local.put.written:0", None);
        check("store.local.put.written:x", None);
        check("store.local.put", None);
        check("", None);
    }
}
