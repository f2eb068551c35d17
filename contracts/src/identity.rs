//! Identity rules R33–R39, frozen: the fingerprint says *is this the same issue*, the finding id names a row.

use std::borrow::Cow;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::text::{self, NoText, Scalar, folded, trim, trimmed};
use crate::time;
use crate::violation::{Code, Violation};
use crate::wire::{self, Entries, Message, Raw};

/// What a finding id is stable over (R39).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SaltMode {
    /// The fingerprint alone.
    #[default]
    Stable,
    /// The run.
    PerRun,
    /// The UTC date of the run.
    PerDay,
}

/// Not the name of a salt mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a finding id mode: expected stable, per_run or per_day")]
pub struct UnknownSaltMode(pub String);

impl SaltMode {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Stable, Self::PerRun, Self::PerDay];
    /// Their names.
    pub const NAMES: [&str; 3] = [Self::Stable.as_str(), Self::PerRun.as_str(), Self::PerDay.as_str()];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::PerRun => "per_run",
            Self::PerDay => "per_day",
        }
    }
}

impl FromStr for SaltMode {
    type Err = UnknownSaltMode;
    fn from_str(text: &str) -> Result<Self, UnknownSaltMode> {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str() == text);
        named.ok_or_else(|| UnknownSaltMode(text.to_owned()))
    }
}

/// Scope members that are identity, in canonical order (R34), and whether their case is folded.
const SCOPE: [(&str, bool); 8] = [
    ("account_id", true),
    ("billing_account_id", true),
    ("cloud", true),
    ("region", true),
    ("resource_arn", false),
    ("resource_id", false),
    ("resource_type", true),
    ("service", true),
];

/// The four inputs of a fingerprint (R6, R33), canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueIdentity<'a> {
    tenant_id: Cow<'a, str>,
    check_id: Cow<'a, str>,
    scope: [Cow<'a, str>; 8],
    issue: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> IssueIdentity<'a> {
    /// Reads the identity of a draft; needs no more than `tenant_id`, `check_id`, `scope` and `issue_key`.
    ///
    /// # Errors
    /// Every violation that keeps the draft from having an identity.
    pub fn of_draft(bytes: &'a [u8]) -> Result<Self, Vec<Violation>> {
        let message = wire::parse(bytes).map_err(|why| vec![Violation::new("", Code::BadJson, why)])?;
        Self::of_message(&message)
    }

    pub(crate) fn of_message(message: &Message<'a>) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let raw = message.scope.and_then(wire::container::<wire::Scope<'a>>).unwrap_or_default();
        let members = [
            raw.account_id,
            raw.billing_account_id,
            raw.cloud,
            raw.region,
            raw.resource_arn,
            raw.resource_id,
            raw.resource_type,
            raw.service,
        ];
        let mut scope: [Cow<'a, str>; 8] = Default::default();
        for ((slot, member), (name, fold)) in scope.iter_mut().zip(members).zip(SCOPE) {
            *slot = member_text(member, &["scope.", name], &mut violations);
            *slot = if fold { folded(std::mem::take(slot)) } else { trimmed(std::mem::take(slot)) };
        }
        let tenant_id = folded(member_text(message.tenant_id, &["tenant_id"], &mut violations));
        let check_id = folded(member_text(message.check_id, &["check_id"], &mut violations));
        let issue = issue(message.issue_key, &mut violations);
        if violations.is_empty() { Ok(Self { tenant_id, check_id, scope, issue }) } else { Err(violations) }
    }

    /// R36: the canonical JSON that is hashed.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        let mut out = String::with_capacity(512);
        out.push_str("{\"check_id\":");
        quote(&mut out, &self.check_id);
        out.push_str(",\"issue\":{");
        members(&mut out, self.issue.iter().map(|(k, v)| (k.as_ref(), v)));
        out.push_str("},\"scope\":{");
        members(&mut out, SCOPE.iter().map(|(name, _)| *name).zip(&self.scope));
        out.push_str("},\"tenant_id\":");
        quote(&mut out, &self.tenant_id);
        out.push('}');
        out
    }

    /// R33: the fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        sha256(&self.canonical_json())
    }

    /// Canonical tenant.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.tenant_id
    }
}

/// R38: the finding id of a fingerprint under a salt.
#[must_use]
pub fn finding_id(fingerprint: &str, tenant_id: &str, salt: &str) -> String {
    let mut out = String::with_capacity(160);
    out.push_str("{\"fingerprint\":");
    quote(&mut out, &folded(fingerprint.into()));
    out.push_str(",\"salt\":");
    quote(&mut out, salt);
    out.push_str(",\"tenant_id\":");
    quote(&mut out, &folded(tenant_id.into()));
    out.push('}');
    sha256(&out)
}

/// R39: the salt of a mode; `None` when what it needs is blank or unreadable.
#[must_use]
pub fn salt(mode: SaltMode, run_id: &str, run_ts_ms: Option<i64>) -> Option<Cow<'_, str>> {
    match mode {
        SaltMode::Stable => Some(Cow::Borrowed("")),
        SaltMode::PerRun => Some(trim(run_id)).filter(|id| !id.is_empty()).map(Cow::Borrowed),
        SaltMode::PerDay => run_ts_ms.map(|ms| Cow::Owned(time::date_of(ms))),
    }
}

fn sha256(text: &str) -> String {
    let mut digits = [0; 64];
    // Cannot fail: 32 bytes are 64 digits.
    let _ = hex::encode_to_slice(Sha256::digest(text.as_bytes()), &mut digits);
    String::from_utf8_lossy(&digits).into_owned()
}

fn members<'m, V: AsRef<str> + 'm>(out: &mut String, entries: impl Iterator<Item = (&'m str, &'m V)>) {
    for (i, (key, value)) in entries.enumerate() {
        if i > 0 {
            out.push(',');
        }
        quote(out, key);
        out.push(':');
        quote(out, value.as_ref());
    }
}

/// A JSON string by R36.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    // No early end: the compiler then looks at many bytes at once.
    if text.bytes().fold(false, |found, b| found | (b < 0x20) | (b == b'"') | (b == b'\\')) {
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\u{8}' => out.push_str("\\b"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\u{c}' => out.push_str("\\f"),
                '\r' => out.push_str("\\r"),
                c if c < '\u{20}' => {
                    out.push_str("\\u00");
                    out.push(if c < '\u{10}' { '0' } else { '1' });
                    out.push(char::from_digit(u32::from(c) % 16, 16).unwrap_or('0'));
                }
                c => out.push(c),
            }
        }
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn member_text<'a>(raw: Raw<'a>, path: &[&str], violations: &mut Vec<Violation>) -> Cow<'a, str> {
    text::of_scalar(Scalar::of(raw)).unwrap_or_else(|why| {
        violations.push(no_text(path.concat(), why, raw));
        Cow::Borrowed("")
    })
}

pub(crate) fn no_text(path: String, why: NoText, raw: Raw<'_>) -> Violation {
    let (code, rule) = match why {
        NoText::Container => (Code::Text, "must be text, a number or a boolean"),
        NoText::NumberRange => (Code::NumberRange, "is a number beyond the range of a 64-bit float"),
    };
    Violation::new(path, code, rule).with_value(raw.map_or("", |r| r.get()))
}

/// R35.
fn issue<'a>(raw: Raw<'a>, violations: &mut Vec<Violation>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let scalar = Scalar::of(raw);
    if scalar.is_blank() {
        return Vec::new();
    }
    let Some(Entries(entries)) = raw.filter(|_| scalar == Scalar::Object).and_then(wire::container) else {
        violations.push(
            Violation::new("issue_key", Code::Object, "must be a flat object").with_value(raw.map_or("", |r| r.get())),
        );
        return Vec::new();
    };
    let mut issue: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let key = folded(key);
        match text::of_scalar(Scalar::of(value)) {
            Ok(text) => issue.push((key, trimmed(text))),
            Err(NoText::Container) => violations.push(Violation::new(
                format!("issue_key.{key}"),
                Code::IssueKeyNotFlat,
                "must be text, a number or a boolean: issue keys are flat",
            )),
            Err(why) => violations.push(no_text(format!("issue_key.{key}"), why, value)),
        }
    }
    issue.sort();
    issue.dedup();
    for pair in issue.windows(2) {
        if pair[0].0 == pair[1].0 {
            violations.push(Violation::new(
                format!("issue_key.{}", pair[0].0),
                Code::IssueKeyCollision,
                "stands twice with different values once keys are trimmed and lower-cased",
            ));
        }
    }
    issue
}
