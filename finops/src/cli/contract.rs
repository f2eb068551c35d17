//! `finops contract test`: the producers' conformance check. One answer per record of input, in a stream.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use contracts::identity::SaltMode;
use contracts::judge::{MessageKind, Policy, judge};
use contracts::members::misspelt;
use contracts::topics;
use contracts::violation::{Code, Violation};
use platform::clock::{Clock, SystemClock};
use platform::exit::ExitCode;
use platform::progress::Unit;
use platform::terminal::escaped;
use runner::publish::FindingsInput;
use serde::Serialize;
use validator::ProducerPolicies;

use crate::failure::{Failure, Result};
use crate::output::{Output, json_line, note, write_json_line};
use crate::ports;
use crate::progress;
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum ContractVerb {
    /// Judges wire findings, one JSON object on each line or in a whole file, as the validator would
    Test(ContractTestArgs),
}

#[derive(Debug, Args)]
pub struct ContractTestArgs {
    /// Files, packed with gzip or not, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Judge as records of this wire topic: its tenants, check_ids and kinds by the producer policy; a producer's name is enough
    #[arg(long)]
    pub topic: Option<String>,
    /// What a line is: a draft gets its ids computed, a record brings them
    #[arg(long, default_value = "auto", value_parser = ["draft", "record", "auto"])]
    pub kind: String,
    /// What a finding id is stable over [default: stable, or as the producer policy says of the topic]
    #[arg(long, value_name = "MODE", value_parser = SaltMode::NAMES)]
    pub finding_id_mode: Option<String>,
}

/// The answer to one record.
#[derive(Serialize)]
struct Answer {
    file: String,
    line: u64,
    valid: bool,
    fingerprint: Option<String>,
    finding_id: Option<String>,
    violations: Vec<Listed>,
    /// What is ignored and probably meant; makes no record invalid.
    warnings: Vec<Warning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct Listed {
    field: String,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

#[derive(Serialize)]
struct Warning {
    field: String,
    nearest: String,
    message: String,
}

/// How many records there were.
#[derive(Default)]
struct Counts {
    valid: u64,
    invalid: u64,
    with_warnings: u64,
}

pub fn run(verb: &ContractVerb, settings: &Settings, output: Output) -> Result<ExitCode> {
    let ContractVerb::Test(args) = verb;
    if output == Output::Csv {
        return Err(Failure::usage("contract test answers as table, json or ndjson, not as csv"));
    }
    let policies = ports::producer_policies(settings)?;
    let policy = policy(args, settings, &policies)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut counts = Counts::default();
    if output == Output::Json {
        write!(out, "[")?;
    }
    for path in &args.files {
        test(path, &policy, output, &mut out, &mut counts)?;
    }
    if output == Output::Json {
        writeln!(out, "\n]")?;
    }
    out.flush()?;
    let Counts { valid, invalid, with_warnings } = counts;
    let warned = if with_warnings > 0 { format!(", {with_warnings} with warnings") } else { String::new() };
    note!("{valid} valid, {invalid} invalid{warned}");
    match (valid, invalid) {
        (0, 0) => Err(Failure::bad_input("there is no finding in the input")),
        (_, 0) => Ok(ExitCode::Done),
        _ => Ok(ExitCode::BadInput),
    }
}

/// What the validator would judge by, now.
fn policy<'p>(args: &ContractTestArgs, settings: &Settings, policies: &'p ProducerPolicies) -> Result<Policy<'p>> {
    let mode: Option<SaltMode> = args.finding_id_mode.as_deref().map(str::parse).transpose()?;
    let kind = match args.kind.as_str() {
        "draft" => MessageKind::Draft,
        "record" => MessageKind::Record,
        _ => MessageKind::Auto,
    };
    let topic = match &args.topic {
        None => topics::WIRE.to_owned(),
        Some(name) if name.starts_with("finops.") && !topics::is_wire(name) => {
            let why =
                format!("{name} is no wire topic: give {} or {0}.<producer>, or the producer's name", topics::WIRE);
            return Err(Failure::usage(why));
        }
        Some(name) => topics::wire_of(name),
    };
    if !policies.is_bound(&topic) {
        let place = match &settings.producers {
            Some(file) => file.display().to_string(),
            None => "the setting validator.producers names no policy file".to_owned(),
        };
        note!("warning: no producer is bound to {topic}, so it may speak for no tenant: {place}");
    }
    // Without a topic only the contract is judged by, not what a producer may do.
    let by_topic = policies.for_topic(&topic, mode, SystemClock.now_ms());
    Ok(match args.topic {
        Some(_) => Policy { kind, ..by_topic },
        None => Policy { kind, records_allowed: true, tenants: None, check_prefixes: &[], ..by_topic },
    })
}

fn test(path: &Path, policy: &Policy<'_>, output: Output, out: &mut impl Write, counts: &mut Counts) -> Result<()> {
    let mut input = FindingsInput::open(path, policy.message_bytes_max)?;
    let file = input.name().to_owned();
    let bar = progress::bar("testing", Unit::Bytes, std::fs::metadata(path).ok().map(|meta| meta.len()));
    while let Some((number, line)) = input.next_record()? {
        bar.set_position(input.taken());
        let place = (file.as_str(), number);
        let answer = match line.cut {
            Some((bytes, _)) => too_large(place, bytes, policy.message_bytes_max),
            None => answer(place, &line.bytes, policy),
        };
        write_answer(out, &answer, output, counts.valid + counts.invalid == 0)?;
        *(if answer.valid { &mut counts.valid } else { &mut counts.invalid }) += 1;
        counts.with_warnings += u64::from(!answer.warnings.is_empty());
    }
    bar.finish_and_clear();
    Ok(())
}

fn answer((file, line): (&str, u64), bytes: &[u8], policy: &Policy<'_>) -> Answer {
    let warning =
        |m: contracts::members::Misspelt| Warning { message: m.to_string(), field: m.field, nearest: m.nearest };
    let mut answer = Answer {
        file: file.to_owned(),
        line,
        valid: false,
        fingerprint: None,
        finding_id: None,
        violations: Vec::new(),
        warnings: misspelt(bytes).into_iter().map(warning).collect(),
        stored: None,
    };
    let violations = match judge(bytes, policy, SystemClock.now_ms()) {
        Ok(finding) => {
            answer.fingerprint = Some(finding.fingerprint().to_owned());
            answer.finding_id = Some(finding.finding_id().to_owned());
            match finding.cast_for_storage() {
                Ok(record) => {
                    answer.stored = Some(record.to_json());
                    Vec::new()
                }
                Err(violations) => violations,
            }
        }
        Err(rejection) => {
            (answer.fingerprint, answer.finding_id) = (rejection.fingerprint, rejection.finding_id);
            rejection.violations
        }
    };
    answer.valid = violations.is_empty();
    answer.violations = violations.into_iter().map(listed).collect();
    answer
}

/// What the validator would say of a line that is not even kept in memory here.
fn too_large((file, line): (&str, u64), bytes: u64, limit: usize) -> Answer {
    let why = format!("message of {bytes} bytes is over the limit of {limit}");
    Answer {
        file: file.to_owned(),
        line,
        valid: false,
        fingerprint: None,
        finding_id: None,
        violations: vec![listed(Violation::new("", Code::TooLarge, why))],
        warnings: Vec::new(),
        stored: None,
    }
}

fn listed(violation: Violation) -> Listed {
    let Violation { field, code, message, value } = violation;
    Listed { field, code: code.as_str(), message, value: value.filter(|value| !value.is_empty()) }
}

fn write_answer(out: &mut impl Write, answer: &Answer, output: Output, is_first: bool) -> Result<()> {
    match output {
        Output::Table => {
            let ids =
                answer.finding_id.as_deref().map(|id| format!("  finding_id {}", escaped(id))).unwrap_or_default();
            let verdict = if answer.valid { "valid" } else { "invalid" };
            writeln!(out, "{}, line {}: {verdict}{ids}", escaped(&answer.file), answer.line)?;
            for Listed { field, code, message, value } in &answer.violations {
                let field = if field.is_empty() { "the message" } else { field };
                let value = value.as_deref().map(|value| format!("; it is {}", escaped(value))).unwrap_or_default();
                writeln!(out, "  {}: {code}: {}{value}", escaped(field), escaped(message))?;
            }
            for Warning { message, .. } in &answer.warnings {
                writeln!(out, "  warning: {}", escaped(message))?;
            }
        }
        Output::Json => {
            write!(out, "{}", if is_first { "\n" } else { ",\n" })?;
            write!(out, "{}", json_line(answer)?)?;
        }
        Output::Ndjson | Output::Csv => {
            write_json_line(out, answer)?;
        }
    }
    Ok(())
}
