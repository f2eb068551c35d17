//! `cargo run --bin bench -- <what>`: throughput, measured in CPU time and beside a peer in the same run. A plain
//! program, so that it is built as the product is and DuckDB is not compiled a second time.

mod cpu;
mod findings;
mod naive;
mod validator;

use std::process::ExitCode;

fn main() -> ExitCode {
    let what = std::env::args().nth(1);
    let done = match what.as_deref() {
        Some("validator") => validator::run(),
        _ => Err("usage: bench validator".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}
