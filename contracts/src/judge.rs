//! The verdict on one wire message: every rule, then identity. Pure; the policy says what its producer may do.

use crate::finding::{Form, ReadFinding, Text, read};
use crate::identity::{self, IssueIdentity, SaltMode};
use crate::rules;
use crate::storage::{self, StorageRecord};
use crate::text::{self, Scalar};
use crate::time;
use crate::violation::{Code, Violation, normalize};
use crate::wire::{self, Message};

/// What a message is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageKind {
    /// A draft when it has an `issue_key` or no ids, else a record.
    #[default]
    Auto,
    /// A draft: ids are computed.
    Draft,
    /// A complete record: ids are kept as given.
    Record,
}

/// What the producer of a message may do.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'p> {
    /// What finding ids are stable over.
    pub salt_mode: SaltMode,
    /// What messages are.
    pub kind: MessageKind,
    /// Complete records are accepted.
    pub records_allowed: bool,
    /// Tenants it may speak for; `None` for any.
    pub tenants: Option<&'p [String]>,
    /// Prefixes its check_ids must have; empty for any.
    pub check_prefixes: &'p [String],
    /// Largest message.
    pub message_bytes_max: usize,
    /// Latest start of a run, milliseconds since the epoch; `None` for any. One wrong clock would otherwise hide the findings of
    /// all later runs, as exports take the latest run.
    pub run_ts_max_ms: Option<i64>,
}

impl Default for Policy<'_> {
    fn default() -> Self {
        Self {
            salt_mode: SaltMode::Stable,
            kind: MessageKind::Auto,
            records_allowed: true,
            tenants: None,
            check_prefixes: &[],
            message_bytes_max: 1024 * 1024,
            run_ts_max_ms: None,
        }
    }
}

/// A finding that keeps every rule. Only [`judge`] makes one.
#[derive(Debug, Clone)]
pub struct ValidFinding<'a> {
    finding: ReadFinding<'a>,
    run_ts_ms: i64,
    run_date: String,
}

impl<'a> ValidFinding<'a> {
    /// The row that is stored of it: widths and the one rounding of money are decided in [`storage`].
    ///
    /// # Errors
    /// Amounts and numbers that do not fit their columns, all of them, under the record's paths.
    pub fn cast_for_storage(&self) -> Result<StorageRecord<'_>, Vec<Violation>> {
        storage::cast(&self.finding)
    }

    /// Canonical tenant.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        self.finding.tenant_id.as_deref().unwrap_or_default()
    }

    /// Workspace, may be empty.
    #[must_use]
    pub fn workspace_id(&self) -> &str {
        self.finding.workspace_id.as_deref().unwrap_or_default()
    }

    /// Run.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.finding.run_id.as_deref().unwrap_or_default()
    }

    /// Start of the run, milliseconds since the epoch.
    #[must_use]
    pub const fn run_ts_ms(&self) -> i64 {
        self.run_ts_ms
    }

    /// UTC date of the run, `YYYY-MM-DD` (R62).
    #[must_use]
    pub fn run_date(&self) -> &str {
        &self.run_date
    }

    /// Check.
    #[must_use]
    pub fn check_id(&self) -> &str {
        self.finding.check_id.as_deref().unwrap_or_default()
    }

    /// Fingerprint, 64 hex digits for a draft, as given for a record.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.finding.fingerprint.as_deref().unwrap_or_default()
    }

    /// Finding id, likewise.
    #[must_use]
    pub fn finding_id(&self) -> &str {
        self.finding.finding_id.as_deref().unwrap_or_default()
    }
}

/// Why a message was refused, and what is still known about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejection {
    /// All broken rules, by field and code (R48, R49); never empty.
    pub violations: Vec<Violation>,
    /// Fingerprint, when it could be computed.
    pub fingerprint: Option<String>,
    /// Finding id, when it could be computed.
    pub finding_id: Option<String>,
    /// Tenant as read.
    pub tenant_id: Option<String>,
    /// Check as read.
    pub check_id: Option<String>,
    /// Run as read.
    pub run_id: Option<String>,
}

/// Judges one message. `ingested_ts_ms` is the clock reading that a draft is stamped with (R8).
///
/// # Errors
/// Every rule the message breaks.
pub fn judge<'a>(
    bytes: &'a [u8],
    policy: &Policy<'_>,
    ingested_ts_ms: i64,
) -> Result<ValidFinding<'a>, Box<Rejection>> {
    let whole = |code, why: String| {
        Box::new(Rejection { violations: vec![Violation::new("", code, why)], ..Rejection::default() })
    };
    if bytes.len() > policy.message_bytes_max {
        let why = format!("message of {} bytes is over the limit of {}", bytes.len(), policy.message_bytes_max);
        return Err(whole(Code::TooLarge, why));
    }
    let message = wire::parse(bytes).map_err(|why| whole(Code::BadJson, why))?;
    let draft = match policy.kind {
        MessageKind::Draft => true,
        MessageKind::Record => false,
        MessageKind::Auto => is_draft(&message),
    };
    let (mut finding, mut violations) = read(&message, if draft { Form::Draft } else { Form::Record });
    if draft {
        identify(&mut finding, &message, policy, &mut violations);
        finding.ingested_ts = Some(ingested_ts_ms);
    } else if !policy.records_allowed {
        let why = "this producer may send drafts only: a complete record brings its own ids";
        violations.push(Violation::new("finding_id", Code::RecordForbidden, why));
    }
    finding.ingested_ts = finding.ingested_ts.or(Some(ingested_ts_ms));
    let ids = if draft { rules::Ids::Computed } else { rules::Ids::Brought };
    let broken = rules::check(&finding, &violations, ids);
    violations.extend(broken);
    permitted(&finding, policy, &mut violations);
    not_in_future(finding.run_ts, policy, &mut violations);
    match finding.run_ts {
        Some(run_ts_ms) if violations.is_empty() => {
            Ok(ValidFinding { run_date: time::date_of(run_ts_ms), run_ts_ms, finding })
        }
        _ => {
            violations.extend(storage::cast(&finding).err().unwrap_or_default());
            normalize(&mut violations);
            Err(Box::new(Rejection {
                violations,
                fingerprint: known(&finding.fingerprint),
                finding_id: known(&finding.finding_id),
                tenant_id: known(&finding.tenant_id),
                check_id: known(&finding.check_id),
                run_id: known(&finding.run_id),
            }))
        }
    }
}

fn known(text: &Text<'_>) -> Option<String> {
    text.as_deref().filter(|t| !t.is_empty()).map(str::to_owned)
}

fn is_draft(message: &Message<'_>) -> bool {
    let blank = |raw| Scalar::of(raw).is_blank();
    message.issue_key.is_some() || (blank(message.finding_id) && blank(message.fingerprint))
}

/// Computes the ids of a draft; ids that it brings must be the same.
fn identify<'a>(
    finding: &mut ReadFinding<'a>,
    message: &Message<'a>,
    policy: &Policy<'_>,
    violations: &mut Vec<Violation>,
) {
    let brought = (finding.fingerprint.take(), finding.finding_id.take());
    let identity = match IssueIdentity::of_message(message) {
        Ok(identity) => identity,
        Err(broken) => {
            violations.extend(broken);
            return;
        }
    };
    let fingerprint = identity.fingerprint();
    let run_id = text::of_scalar(Scalar::of(message.run_id)).unwrap_or_default();
    let id = identity::salt(policy.salt_mode, &run_id, finding.run_ts)
        .map(|salt| identity::finding_id(&fingerprint, identity.tenant_id(), &salt));
    for (field, brought, computed) in
        [("fingerprint", brought.0, Some(fingerprint.as_str())), ("finding_id", brought.1, id.as_deref())]
    {
        let brought = brought.filter(|text| !text.is_empty());
        if let (Some(brought), Some(computed)) = (brought, computed)
            && brought != computed
        {
            let why = "is not what the contract computes for this draft; leave it out";
            violations.push(Violation::new(field, Code::IdentityMismatch, why).with_value(&brought));
        }
    }
    finding.fingerprint = Some(fingerprint.into());
    finding.finding_id = id.map(Into::into);
}

/// The policy's latest `run_ts`.
fn not_in_future(run_ts_ms: Option<i64>, policy: &Policy<'_>, violations: &mut Vec<Violation>) {
    let Some((run_ts_ms, max_ms)) = run_ts_ms.zip(policy.run_ts_max_ms).filter(|(run_ts, max)| run_ts > max) else {
        return;
    };
    let why =
        format!("must not be later than {}: a run cannot start ahead of the clock", time::format_timestamp(max_ms));
    violations.push(Violation::new("run_ts", Code::InFuture, why).with_value(&time::format_timestamp(run_ts_ms)));
}

/// What the producer policy allows.
fn permitted(finding: &ReadFinding<'_>, policy: &Policy<'_>, violations: &mut Vec<Violation>) {
    let tenant = finding.tenant_id.as_deref().unwrap_or_default();
    if let Some(tenants) = policy.tenants
        && !tenant.is_empty()
        && !tenants.iter().any(|t| t == tenant)
    {
        let why = "the producer of this topic may not speak for this tenant";
        violations.push(Violation::new("tenant_id", Code::TenantForbidden, why).with_value(tenant));
    }
    let check = finding.check_id.as_deref().unwrap_or_default();
    let prefixes = policy.check_prefixes;
    if !prefixes.is_empty() && !check.is_empty() && !prefixes.iter().any(|p| check.starts_with(p.as_str())) {
        let why = "the producer of this topic may not send findings of this check";
        violations.push(Violation::new("check_id", Code::TenantForbidden, why).with_value(check));
    }
}
