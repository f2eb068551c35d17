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

const USAGE: &str = "usage: cargo xtask test|attack

  test    formatting, lints, documentation and all tests of the workspace
  attack  the attacks of tests/crash in their long form; writes docs/guarantees.md";
/// Random kills per attack and site in the long form.
const ATTACK_KILLS: &str = "50";
/// `EX_USAGE` of sysexits, as in the product's own exit codes.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test(),
        ["attack"] => attack(),
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
    let strict = [("RUSTDOCFLAGS", OsStr::new("-D warnings"))];
    for (step, environment) in [
        (&["fmt", "--all", "--check"][..], &[][..]),
        (&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
        (&["doc", "--workspace", "--no-deps", "--document-private-items"], &strict),
        (&["test", "--workspace", "--no-fail-fast"], &[]),
    ] {
        total += run_step(step, environment);
    }
    end(&total)
}

/// Attacks the program as it is built here, then writes down how that went; not when an attack succeeded.
fn attack() -> ExitCode {
    let report = std::env::temp_dir().join(format!("finops-attack-{}.ndjson", std::process::id()));
    let long = [("FINOPS_ATTACK_KILLS", ATTACK_KILLS.as_ref()), ("FINOPS_ATTACK_REPORT", report.as_os_str())];
    let mut total = Tally::default();
    for step in [
        &["build", "--workspace", "--bin", "finops"][..],
        // The document is checked when it is written.
        &["test", "--workspace", "--test", "crash", "--no-fail-fast", "--", "--skip", "guarantees::"],
        &["test", "--workspace", "--test", "crash", "--", "--ignored", "--exact", "guarantees::write"],
    ] {
        if total.failed == 0 {
            total += run_step(step, &long);
        }
    }
    if total.failed == 0 {
        let _ = std::fs::remove_file(&report);
    } else if report.is_file() {
        println!("what was attacked until then: {}", report.display());
    }
    end(&total)
}

/// The last line is for programs, too, and always of one form.
fn end(total: &Tally) -> ExitCode {
    if total.skipped > 0 {
        println!("{} skipped, see above", total.skipped);
    }
    println!("{total}");
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_step(arguments: &[&str], environment: &[(&str, &OsStr)]) -> Tally {
    run(arguments, environment).unwrap_or_else(|error| {
        eprintln!("cargo {}: {error}", arguments.join(" "));
        Tally::failed_step()
    })
}

/// Runs one cargo command, passes its output on line by line and counts the tests it reports.
fn run(arguments: &[&str], environment: &[(&str, &OsStr)]) -> io::Result<Tally> {
    println!("==> cargo {}", arguments.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
        command.env_remove(name);
    }
    let mut child = command.args(arguments).envs(environment.iter().copied()).stdout(Stdio::piped()).spawn()?;
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
