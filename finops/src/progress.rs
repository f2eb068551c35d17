//! A progress line in a terminal for anything longer than a second; nothing when piped.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use producers::progress::Progress;

/// Draws the stages of a run, one after another.
#[derive(Default)]
pub struct Bars(Mutex<Option<ProgressBar>>);

impl Progress for Bars {
    fn begin(&self, stage: &str, total: Option<u64>) {
        self.replace(Some(bar(stage, total)));
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

/// A line for a stage; hidden unless stderr is a terminal.
pub fn bar(stage: &str, total: Option<u64>) -> ProgressBar {
    let is_terminal = std::io::stderr().is_terminal();
    let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total, target).with_message(stage.to_owned());
    let form = match total {
        Some(_) => "{msg:24} {bar:30} {human_pos}/{human_len} {per_sec} {eta}",
        None => "{msg:24} {spinner} {human_pos} {per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Shows how far a service is while `work` runs in this thread; `position` is asked four times a second.
pub fn watched<T>(stage: &str, total: Option<u64>, position: impl Fn() -> u64 + Sync, work: impl FnOnce() -> T) -> T {
    let bar = bar(stage, total);
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
