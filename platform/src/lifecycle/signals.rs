//! SIGINT and SIGTERM.

use std::io;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Shutdown;
use crate::exit::ExitCode;

/// From now on the first SIGINT or SIGTERM requests `shutdown`; the second ends the process at once with
/// [`ExitCode::Interrupted`], for a user who will not wait.
///
/// # Errors
/// When the handlers or their thread cannot be set up.
pub fn stop_on_signals(shutdown: &Shutdown) -> io::Result<()> {
    stop_on_signals_telling(shutdown, |_| {})
}

/// As [`stop_on_signals`]; `tell` is called with the name of the first signal before anything else happens, so that a person
/// who pressed Ctrl-C is answered at once.
///
/// # Errors
/// When the handlers or their thread cannot be set up.
pub fn stop_on_signals_telling(shutdown: &Shutdown, tell: impl Fn(&str) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let shutdown = shutdown.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stopping = false;
        for signal in &mut signals {
            if stopping {
                // No destructor and no exit handler: they may be what hangs.
                signal_hook::low_level::exit(ExitCode::Interrupted as i32);
            }
            stopping = true;
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
            tell(name);
            tracing::info!(signal = name, "stopping; send it again to stop at once");
            shutdown.request(format!("{name} received"));
        }
    })?;
    Ok(())
}
