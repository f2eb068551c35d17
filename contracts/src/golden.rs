//! The golden vectors, against the functions they describe. Kept inside the crate because the cast is
//! checked on records that the contract would refuse, which the public API rightly cannot do.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::finding::{Form, read};
use crate::identity::{self, IssueIdentity, SaltMode};
use crate::judge::{MessageKind, Policy, judge};
use crate::violation::{Violation, normalize};
use crate::{rules, storage, wire};

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Error {
    field: String,
    code: String,
}

fn lines<'a, T: Deserialize<'a>>(text: &'a str) -> Vec<T> {
    let all: Vec<T> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!all.is_empty());
    all
}

fn errors(mut violations: Vec<Violation>) -> Vec<Error> {
    normalize(&mut violations);
    violations.into_iter().map(|v| Error { field: v.field, code: v.code.as_str().to_owned() }).collect()
}

#[derive(Deserialize)]
struct Fingerprint<'a> {
    name: String,
    #[serde(borrow)]
    draft: &'a RawValue,
    salt_mode: String,
    run_id: Option<String>,
    run_ts: Option<String>,
    fingerprint: Option<String>,
    finding_id: Option<String>,
    recommended: Option<String>,
}

impl Fingerprint<'_> {
    fn compute(&self) -> Result<(String, String), Vec<Violation>> {
        let identity = IssueIdentity::of_draft(self.draft.get().as_bytes())?;
        let fingerprint = identity.fingerprint();
        let run_ts = self.run_ts.as_deref().and_then(|t| crate::time::timestamp(t).ok());
        let mode: SaltMode = self.salt_mode.parse().unwrap();
        let salt = identity::salt(mode, self.run_id.as_deref().unwrap_or_default(), run_ts);
        let Some(salt) = salt else {
            return Err(vec![Violation::new("run_id", crate::violation::Code::Required, "")]);
        };
        let id = identity::finding_id(&fingerprint, identity.tenant_id(), &salt);
        Ok((fingerprint, id))
    }
}

#[test]
fn fingerprints() {
    for line in lines::<Fingerprint<'_>>(include_str!("../tests/golden/fingerprint.jsonl")) {
        let (fingerprint, id) = line.compute().unwrap_or_else(|e| panic!("{}: {e:?}", line.name));
        assert_eq!(Some(fingerprint), line.fingerprint, "{}", line.name);
        assert_eq!(Some(id), line.finding_id, "{}", line.name);
    }
}

#[test]
fn fingerprints_recommended() {
    for line in lines::<Fingerprint<'_>>(include_str!("../tests/golden/ambiguous/fingerprint.jsonl")) {
        let recommended = line.recommended.as_deref().unwrap();
        match recommended.strip_prefix("reject: ").and_then(|r| r.split_once(" at ")) {
            Some((code, field)) => {
                let error = Error { field: field.to_owned(), code: code.to_owned() };
                // The recommendation names one violation; R48 reports all.
                let found = errors(line.compute().unwrap_err());
                assert!(found.contains(&error), "{}: {found:?}", line.name);
            }
            None => {
                assert_eq!(recommended, "same as {}", "{}", line.name);
                let mut draft: Value = serde_json::from_str(line.draft.get()).unwrap();
                draft["issue_key"] = Value::Object(serde_json::Map::new());
                let empty = IssueIdentity::of_draft(draft.to_string().as_bytes()).unwrap().fingerprint();
                assert_eq!(line.compute().unwrap().0, empty, "{}", line.name);
            }
        }
    }
}

#[derive(Deserialize)]
struct Validate<'a> {
    name: String,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
    #[serde(borrow)]
    draft: Option<&'a RawValue>,
    valid: bool,
    errors: Vec<Error>,
    recommended: Option<Recommended>,
}

#[derive(Deserialize)]
struct Recommended {
    valid: bool,
    errors: Vec<Error>,
}

/// Meaning only: what reading and the rules find, without the widths of the storage cast.
fn validate(text: &str, form: Form) -> Vec<Error> {
    let message = wire::parse(text.as_bytes()).unwrap();
    let (finding, mut violations) = read(&message, form);
    let ids = if form == Form::Draft { rules::Ids::Computed } else { rules::Ids::Brought };
    violations.extend(rules::check(&finding, &violations, ids));
    errors(violations)
}

fn check_validate(line: &Validate<'_>, valid: bool, expected: &[Error]) {
    let (text, form) = match (line.record, line.draft) {
        (Some(record), _) => (record.get(), Form::Record),
        (None, Some(draft)) => (draft.get(), Form::Draft),
        (None, None) => panic!("{}: neither record nor draft", line.name),
    };
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(valid, expected.is_empty());
    // R66 is admission, younger than the vectors.
    let mut found = validate(text, form);
    found.retain(|e| e.code != "tenant_invalid");
    assert_eq!(found, expected, "{}", line.name);
}

#[test]
fn validation() {
    for line in lines::<Validate<'_>>(include_str!("../tests/golden/validate.jsonl")) {
        check_validate(&line, line.valid, &line.errors);
    }
}

#[test]
fn validation_recommended() {
    for line in lines::<Validate<'_>>(include_str!("../tests/golden/ambiguous/validate.jsonl")) {
        let recommended = line.recommended.as_ref().unwrap();
        check_validate(&line, recommended.valid, &recommended.errors);
    }
}

#[derive(Deserialize)]
struct Cast<'a> {
    name: String,
    #[serde(borrow)]
    wire: &'a RawValue,
    stored: Option<Value>,
    error: Option<Error>,
    recommended: Option<Value>,
}

fn cast(text: &str) -> Result<Value, Vec<Error>> {
    let message = wire::parse(text.as_bytes()).unwrap();
    let (finding, mut violations) = read(&message, Form::AsIs);
    match storage::cast(&finding) {
        Ok(record) if violations.is_empty() => Ok(record.to_json()),
        Ok(_) => Err(errors(violations)),
        Err(more) => {
            violations.extend(more);
            Err(errors(violations))
        }
    }
}

#[test]
fn storage_cast() {
    for line in lines::<Cast<'_>>(include_str!("../tests/golden/storage_cast.jsonl")) {
        match (cast(line.wire.get()), line.stored, line.error) {
            (Ok(row), Some(stored), _) => assert_eq!(row, stored, "{}", line.name),
            (Err(errors), None, Some(error)) => assert!(errors.contains(&error), "{}: {errors:?}", line.name),
            (got, ..) => panic!("{}: {got:?}", line.name),
        }
    }
}

#[test]
fn storage_cast_recommended() {
    for line in lines::<Cast<'_>>(include_str!("../tests/golden/ambiguous/storage_cast.jsonl")) {
        let recommended = line.recommended.unwrap();
        match cast(line.wire.get()) {
            Ok(row) => {
                let at = format!("/{}", recommended["stored_at"].as_str().unwrap().replace('.', "/"));
                assert_eq!(row.pointer(&at), Some(&recommended["value"]), "{}", line.name);
            }
            Err(errors) => {
                let error: Error = serde_json::from_value(recommended["error"].clone()).unwrap();
                assert_eq!(errors, [error], "{}", line.name);
            }
        }
    }
}

#[derive(Deserialize)]
struct Build<'a> {
    name: String,
    #[serde(borrow)]
    draft: &'a RawValue,
    salt_mode: String,
    record: Option<Value>,
    recommended: Option<String>,
}

fn build(line: &Build<'_>) -> Result<Value, Vec<Error>> {
    let policy = Policy { salt_mode: line.salt_mode.parse().unwrap(), kind: MessageKind::Draft, ..Policy::default() };
    match judge(line.draft.get().as_bytes(), &policy, 0) {
        Ok(finding) => Ok(finding.cast_for_storage().unwrap().to_json()),
        Err(rejection) => Err(errors(rejection.violations)),
    }
}

/// The vectors hold wire records; ours is the stored row made from the same draft. Every member of the
/// vector is there: numbers by value, times as instants, blank where the row has null.
fn same(name: &str, path: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                same(name, &format!("{path}.{key}"), ours.get(key).unwrap_or(&Value::Null), value);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{name} {path}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                same(name, path, ours, theirs);
            }
        }
        (Value::Null, Value::String(text)) if text.is_empty() => {}
        (Value::String(text), Value::Number(number)) => {
            let decimal = crate::number::Decimal::parse(&number.to_string()).unwrap().to_micros().unwrap().to_string();
            assert_eq!(*text, decimal, "{name} {path}");
        }
        (Value::String(ours), Value::String(theirs)) if path == ".run_ts" => {
            assert_eq!(crate::time::timestamp(ours), crate::time::timestamp(theirs), "{name}");
        }
        _ => assert_eq!(ours, theirs, "{name} {path}"),
    }
}

#[test]
fn records_from_drafts() {
    for line in lines::<Build<'_>>(include_str!("../tests/golden/build_record.jsonl")) {
        let row = build(&line).unwrap_or_else(|e| panic!("{}: {e:?}", line.name));
        same(&line.name, "", &row, line.record.as_ref().unwrap());
    }
}

#[test]
fn records_from_drafts_recommended() {
    for line in lines::<Build<'_>>(include_str!("../tests/golden/ambiguous/build_record.jsonl")) {
        let recommended = line.recommended.as_deref().unwrap();
        let built = build(&line);
        match recommended.strip_prefix("reject: ").and_then(|r| r.split_once(" at ")) {
            Some((code, field)) => {
                let error = Error { field: field.to_owned(), code: code.to_owned() };
                assert_eq!(built.unwrap_err(), [error], "{}", line.name);
            }
            None if line.name.starts_with("estimate.null") => {
                assert_eq!(built.unwrap()["estimated"]["monthly_savings"], Value::Null);
            }
            None if line.name.starts_with("tag.null") => {
                let tags = built.unwrap()["tags"].clone();
                assert!(tags.as_object().unwrap().values().any(|v| v == ""), "{tags}");
            }
            None => assert_eq!(built.unwrap()["estimated"]["confidence"], 0, "{}", line.name),
        }
    }
}
