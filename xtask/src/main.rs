//! Tasks of the workspace: `cargo xtask test` is what a developer and CI run before a change is taken.
//!
//! Knows cargo and nothing of the product. No dependencies, so that it starts at once. Every child is the
//! cargo that started this program, in the workspace root and with the same environment, hence with the
//! same target folder; every step takes the whole workspace, hence the same features: DuckDB is compiled once.

mod tally;

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use tally::Tally;

const USAGE: &str = "usage: cargo xtask test\n\n  test  formatting, lints and all tests of the workspace";
/// `EX_USAGE` of sysexits, as in the product's own exit codes.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Runs every step even when an earlier one failed: one run shows all that is wrong.
fn test() -> ExitCode {
    let mut total = Tally::default();
    for step in [
        &["fmt", "--all", "--check"][..],
        &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        &["test", "--workspace", "--no-fail-fast"],
    ] {
        total += run(step).unwrap_or_else(|error| {
            eprintln!("cargo {}: {error}", step.join(" "));
            Tally::failed_step()
        });
    }
    println!("{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one cargo command, passes its output on line by line and counts the tests it reports.
fn run(arguments: &[&str]) -> io::Result<Tally> {
    println!("==> cargo {}", arguments.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        command.env_remove(name);
    }
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        pass_on(BufReader::new(output), &mut io::stdout().lock(), &mut tally)?;
    }
    tally.close(child.wait()?.success());
    Ok(tally)
}

/// What `cargo run` tells a program about its own package. Build scripts look at it: handed on, it would have everything
/// behind them compiled again each time that `cargo build` and `cargo xtask` alternate.
fn is_of_this_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Tests print what they like: lines are bytes, not necessarily UTF-8.
fn pass_on(mut from: impl BufRead, to: &mut impl Write, tally: &mut Tally) -> io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        tally.read_line(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(())
}
