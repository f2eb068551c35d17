//! `finops contract test`: the producers' conformance check. One answer per line of input, in a stream.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use contracts::identity::SaltMode;
use contracts::judge::{Kind, Policy, judge};
use contracts::storage::cast_for_storage;
use contracts::violation::{Code, Violation};
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use producers::publish::next_line;
use serde::Serialize;

use crate::cli::{ContractTestArgs, ContractVerb, Output};
use crate::failure::{Failure, Result};
use crate::progress;
use crate::settings::Settings;

/// The answer to one line.
#[derive(Serialize)]
struct Answer {
    line: u64,
    valid: bool,
    fingerprint: Option<String>,
    finding_id: Option<String>,
    violations: Vec<Listed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Listed {
    field: String,
    code: &'static str,
    message: String,
}

pub fn run(verb: &ContractVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let ContractVerb::Test(args) = verb;
    if output == Output::Csv {
        return Err(Failure::usage("contract test answers as table, json or ndjson, not as csv"));
    }
    let policy = policy(args, settings)?;
    let unreadable = |e| Failure::bad_input(format!("reading {}: {e}", args.file.display()));
    if args.file == Path::new("-") {
        return test(&mut std::io::stdin().lock(), None, &policy, output, &unreadable);
    }
    let file = File::open(&args.file).map_err(unreadable)?;
    let bytes = file.metadata().ok().map(|meta| meta.len());
    test(&mut BufReader::with_capacity(1 << 16, file), bytes, &policy, output, &unreadable)
}

fn policy(args: &ContractTestArgs, settings: &Settings) -> Result<Policy<'static>> {
    let salt_mode: SaltMode = args
        .finding_id_mode
        .parse()
        .map_err(|_| Failure::usage(format!("unknown finding id mode {:?}", args.finding_id_mode)))?;
    let kind = match args.kind.as_str() {
        "draft" => Kind::Draft,
        "record" => Kind::Record,
        _ => Kind::Auto,
    };
    Ok(Policy { salt_mode, kind, message_bytes_max: settings.message_bytes_max, ..Policy::default() })
}

fn test(
    input: &mut impl BufRead,
    bytes: Option<u64>,
    policy: &Policy<'_>,
    output: Output,
    unreadable: &dyn Fn(std::io::Error) -> Failure,
) -> Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let bar = progress::bar("testing", bytes);
    let (mut number, mut valid, mut invalid) = (0, 0_u64, 0_u64);
    if output == Output::Json {
        write!(out, "[")?;
    }
    while let Some(line) = next_line(input, policy.message_bytes_max).map_err(unreadable)? {
        number += 1;
        bar.inc(line.read);
        let answer = match line.cut {
            Some((bytes, _)) => too_large(number, bytes, policy.message_bytes_max),
            None if line.bytes.trim_ascii().is_empty() => continue,
            None => answer(number, &line.bytes, policy),
        };
        write_answer(&mut out, &answer, output, valid + invalid == 0)?;
        *(if answer.valid { &mut valid } else { &mut invalid }) += 1;
    }
    if output == Output::Json {
        writeln!(out, "\n]")?;
    }
    out.flush()?;
    bar.finish_and_clear();
    eprintln!("{valid} valid, {invalid} invalid");
    match (valid, invalid) {
        (0, 0) => Err(Failure::bad_input("there is no finding in the input")),
        (_, 0) => Ok(ExitCode::Done),
        _ => Ok(ExitCode::BadInput),
    }
}

fn answer(line: u64, bytes: &[u8], policy: &Policy<'_>) -> Answer {
    let refused = |fingerprint, finding_id, violations: Vec<Violation>| Answer {
        line,
        valid: false,
        fingerprint,
        finding_id,
        violations: violations.into_iter().map(listed).collect(),
        stored: None,
    };
    let finding = match judge(bytes, policy, SystemClock.now_ms()) {
        Ok(finding) => finding,
        Err(rejection) => return refused(rejection.fingerprint, rejection.finding_id, rejection.violations),
    };
    let ids = (Some(finding.fingerprint().to_owned()), Some(finding.finding_id().to_owned()));
    match cast_for_storage(&finding) {
        Ok(record) => Answer {
            line,
            valid: true,
            fingerprint: ids.0,
            finding_id: ids.1,
            violations: Vec::new(),
            stored: Some(record.to_json()),
        },
        Err(violations) => refused(ids.0, ids.1, violations),
    }
}

/// What the validator would say of a line that is not even kept in memory here.
fn too_large(line: u64, bytes: u64, limit: usize) -> Answer {
    let why = format!("message of {bytes} bytes is over the limit of {limit}");
    let violations = vec![listed(Violation::new("", Code::TooLarge, why))];
    Answer { line, valid: false, fingerprint: None, finding_id: None, violations, stored: None }
}

fn listed(violation: Violation) -> Listed {
    Listed { field: violation.field, code: violation.code.as_str(), message: violation.message }
}

fn write_answer(out: &mut impl Write, answer: &Answer, output: Output, is_first: bool) -> Result<()> {
    match output {
        Output::Table => {
            let ids = answer.finding_id.as_deref().map(|id| format!("  finding_id {id}")).unwrap_or_default();
            writeln!(out, "line {}: {}{ids}", answer.line, if answer.valid { "valid" } else { "invalid" })?;
            for Listed { field, code, message } in &answer.violations {
                let field = if field.is_empty() { "the message" } else { field };
                writeln!(out, "  {field}: {code}: {message}")?;
            }
        }
        Output::Json => {
            write!(out, "{}", if is_first { "\n" } else { ",\n" })?;
            serde_json::to_writer(&mut *out, answer).map_err(std::io::Error::from)?;
        }
        Output::Ndjson | Output::Csv => {
            serde_json::to_writer(&mut *out, answer).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}
