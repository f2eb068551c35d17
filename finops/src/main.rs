//! `finops`: every role and every operator tool in one command. Presentation and wiring only; what a
//! role does is in its own crate.

// Help texts name what is to be filled in as <topic>.
#![allow(rustdoc::invalid_html_tags)]
// What people and programs read passes through `output`, which makes it safe to show.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod cli;
mod doctor;
mod failure;
mod global;
mod instant;
mod output;
mod ports;
mod progress;
mod resources;
mod scratch;
mod settings;
mod tap;
mod watch;

use clap::Parser;
use clap::error::ErrorKind;
use platform::exit::ExitCode;
use platform::failpoint;

/// Gives memory back that a burst has taken, which the C library's keeps in pieces: half the resident memory under load.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    failpoint::arm();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            match is_asked_for {
                // A reader that went away while help is printed is no failure.
                true => drop(error.print()),
                // It repeats arguments, which a script may have from elsewhere.
                false => output::to_stderr(error.render().to_string().trim_end()),
            }
            return if is_asked_for { ExitCode::Done } else { ExitCode::Usage }.into();
        }
    };
    match std::panic::catch_unwind(|| cli::dispatch(cli)) {
        Ok(Ok(code)) => code.into(),
        Ok(Err(failure)) => failure.report().into(),
        // Reported where it happened.
        Err(_panic) => ExitCode::Bug.into(),
    }
}
