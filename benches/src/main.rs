//! `cargo run --bin bench -- <what>`: throughput and memory, measured in CPU time and beside a peer in the same run. A
//! plain program, so that it is built as the product is and DuckDB is not compiled a second time.

mod bills;
mod chain;
mod cpu;
mod feed;
mod findings;
mod naive;
mod sink;
mod validator;

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// As the product has it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const USAGE: &str = "usage: bench validator | sink FOLDER RECORDS [TENANTS] | chain FOLDER RECORDS [BROKERS] | \
                     side-by-side FOLDER RECORDS [BROKERS] | findings RECORDS | bill-files FOLDER LINES | \
                     bills FOLDER BILL… | bill-findings RECORDS LINES";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["validator"] => validator::run(),
        ["sink", folder, records] => run_sink(folder, count(records), Ok(findings::TENANTS)),
        ["sink", folder, records, tenants] => run_sink(folder, count(records), count(tenants)),
        [stages @ ("chain" | "side-by-side"), folder, records, ref brokers @ ..] if brokers.len() < 2 => {
            let run = |n| chain::run(Path::new(folder), n, brokers.first().copied(), stages == "chain");
            count(records).and_then(run)
        }
        ["bill-files", folder, lines] => count(lines).and_then(|lines| bills::write(Path::new(folder), lines)),
        ["bills", folder, ref bills @ ..] if !bills.is_empty() => bills::run(Path::new(folder), bills),
        ["bill-findings", records, lines] => {
            count(records).and_then(|records| bills::print_findings(records, count(lines)?))
        }
        ["findings", records] => count(records).and_then(print),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run_sink(folder: &str, records: Result<usize, String>, tenants: Result<usize, String>) -> Result<(), String> {
    sink::run(Path::new(folder), records? as u64, tenants?)
}

/// The findings themselves, for a peer that reads a file.
fn print(total: usize) -> Result<(), String> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    (0..total).try_for_each(|n| writeln!(out, "{}", findings::finding(n))).map_err(|e| e.to_string())
}

fn count(text: &str) -> Result<usize, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text:?} is no number of records; {USAGE}"))
}
