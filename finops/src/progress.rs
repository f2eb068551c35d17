//! A progress line in a terminal for anything longer than a second; nothing when piped.

use std::io::IsTerminal;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use platform::progress::{Progress, Unit};

/// All progress lines: what else is written to stderr goes above them.
static LINES: LazyLock<MultiProgress> = LazyLock::new(|| {
    let is_terminal = std::io::stderr().is_terminal();
    MultiProgress::with_draw_target(if is_terminal {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    })
});

/// Draws the stages of a run, one after another.
#[derive(Default)]
pub struct Bars(Mutex<Option<ProgressBar>>);

impl Progress for Bars {
    fn begin(&self, stage: &str, unit: Unit, total: Option<u64>) {
        self.replace(Some(bar(stage, unit, total)));
    }

    fn advance(&self, units: u64) {
        if let Some(bar) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(units);
        }
    }

    fn end(&self) {
        self.replace(None);
    }
}

impl Bars {
    fn replace(&self, next: Option<ProgressBar>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), next);
        if let Some(bar) = before {
            bar.finish_and_clear();
        }
    }
}

/// Writes to stderr while no progress line is there.
pub fn suspended<T>(write: impl FnOnce() -> T) -> T {
    LINES.suspend(write)
}

/// A line for a stage; hidden unless stderr is a terminal.
pub fn bar(stage: &str, unit: Unit, total: Option<u64>) -> ProgressBar {
    let bar = LINES.add(ProgressBar::new(total.unwrap_or_default())).with_message(stage.to_owned());
    if total.is_none() {
        bar.unset_length();
    }
    if let Ok(style) = ProgressStyle::with_template(&form(unit, total.is_some())) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// What a line shows; with a total it knows how much is left.
fn form(unit: Unit, has_total: bool) -> String {
    let (done, all, rate) = match unit {
        Unit::Bytes => ("{binary_bytes}".to_owned(), "{binary_total_bytes}", "{binary_bytes_per_sec}".to_owned()),
        Unit::Things(name) => (format!("{{human_pos}} {name}"), "{human_len}", format!("{{per_sec}} {name}")),
    };
    match (has_total, unit) {
        (false, _) => format!("{{msg:24}} {{spinner}} {done}, {rate}"),
        (true, Unit::Bytes) => format!("{{msg:24}} {{bar:24}} {done} of {all}, {rate}, {{eta}} left"),
        (true, Unit::Things(name)) => format!("{{msg:24}} {{bar:24}} {{human_pos}} of {all} {name}, {{eta}} left"),
    }
}

/// Shows how far a service is while `work` runs in this thread; `position` is asked four times a second.
pub fn watched<T>(
    stage: &str,
    unit: Unit,
    total: Option<u64>,
    position: impl Fn() -> u64 + Sync,
    work: impl FnOnce() -> T,
) -> T {
    let bar = bar(stage, unit, total);
    let done = platform::lifecycle::Shutdown::new();
    std::thread::scope(|scope| {
        if !bar.is_hidden() {
            scope.spawn(|| {
                while !done.wait_timeout(Duration::from_millis(250)) {
                    bar.set_position(position());
                }
            });
        }
        let result = work();
        done.request("finished");
        bar.finish_and_clear();
        result
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what was written to it.
    #[derive(Debug, Clone, Default)]
    struct Written(Arc<Mutex<String>>);

    impl TermLike for Written {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_form_has_units() {
        let drawn = |unit, total| {
            let term = Written::default();
            let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
            let bar = ProgressBar::with_draw_target(total, target).with_message("reading");
            bar.set_style(ProgressStyle::with_template(&form(unit, total.is_some())).unwrap());
            bar.set_position(1 << 20);
            bar.tick();
            String::clone(&term.0.lock().unwrap())
        };
        assert!(drawn(Unit::Bytes, Some(4 << 20)).contains("1.00 MiB of 4.00 MiB"), "bytes of a file");
        assert!(drawn(Unit::Bytes, None).contains("1.00 MiB"), "bytes of a pipe");
        assert!(drawn(Unit::Things("records"), Some(2 << 20)).contains("1,048,576 of 2,097,152 records"));
        assert!(drawn(Unit::Things("records"), None).contains("1,048,576 records"));
    }
}
