//! The meaning of a canonical finding: required members, intervals, coherence (R40–R47, R66).

use crate::finding::{CURRENCY_RULE, ReadFinding, Text};
use crate::layout;
use crate::text::trim;
use crate::violation::{Code, Violation};

/// Whose business the ids are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Computed here: when they cannot be, the reason is reported at the field that is in the way.
    Computed,
    /// The record must bring them.
    Brought,
}

/// Checks a finding. `read` are the violations found while reading: a member that was there but of the
/// wrong kind is not reported as missing too.
pub(crate) fn check(finding: &ReadFinding<'_>, read: &[Violation], ids: Ids) -> Vec<Violation> {
    let mut out = Vec::new();
    required(finding, read, ids, &mut out);
    intervals(finding, &mut out);
    lifecycle(finding, &mut out);
    currency(finding, &mut out);
    tenant(finding, &mut out);
    out
}

fn is_blank(text: &Text<'_>) -> bool {
    text.as_deref().is_none_or(|t| trim(t).is_empty())
}

/// R40.
fn required(f: &ReadFinding<'_>, read: &[Violation], ids: Ids, out: &mut Vec<Violation>) {
    let scope = f.scope.as_ref();
    let missing = [
        ("tenant_id", is_blank(&f.tenant_id)),
        ("finding_id", ids == Ids::Brought && is_blank(&f.finding_id)),
        ("fingerprint", ids == Ids::Brought && is_blank(&f.fingerprint)),
        ("run_id", is_blank(&f.run_id)),
        ("run_ts", f.run_ts.is_none()),
        ("check_id", is_blank(&f.check_id)),
        ("status", is_blank(&f.status)),
        ("severity.level", f.severity.as_ref().is_none_or(|s| is_blank(&s.level))),
        ("scope.cloud", scope.is_none_or(|s| is_blank(&s.cloud))),
        ("scope.account_id", scope.is_none_or(|s| is_blank(&s.account_id))),
        ("scope.service", scope.is_none_or(|s| is_blank(&s.service))),
        ("source.schema_version", f.source.as_ref().is_none_or(|s| s.schema_version.is_none())),
    ];
    for (field, missing) in missing {
        if missing && !read.iter().any(|v| v.field == field) {
            out.push(Violation::new(field, Code::Required, "is required and must not be blank"));
        }
    }
}

/// R43.
fn intervals(f: &ReadFinding<'_>, out: &mut Vec<Violation>) {
    let attribution = f.actual.as_ref().and_then(|a| a.attribution.as_ref());
    let values = [
        ("actual.attribution.confidence", attribution.and_then(|a| a.confidence), 0, 100),
        ("estimated.confidence", f.estimated.as_ref().and_then(|e| e.confidence), 0, 100),
        ("severity.score", f.severity.as_ref().and_then(|s| s.score), 0, 1000),
        ("source.schema_version", f.source.as_ref().and_then(|s| s.schema_version), 1, 65_535),
        ("priority", f.priority, 0, 65_535),
    ];
    for (field, value, min, max) in values {
        if let Some(value) = value.filter(|v| !(min..=max).contains(v)) {
            let rule = format!("must be from {min} to {max}");
            out.push(Violation::new(field, Code::Range, rule).with_value(&value.to_string()));
        }
    }
}

/// R46.
fn lifecycle(f: &ReadFinding<'_>, out: &mut Vec<Violation>) {
    let Some(state) = f.lifecycle.as_ref().and_then(|l| l.status.as_deref()) else { return };
    let status = f.status.as_deref().unwrap_or_default();
    if matches!(status, "pass" | "info") && matches!(state, "open" | "acknowledged") {
        let rule = "cannot be open or acknowledged when status is pass or info";
        out.push(Violation::new("lifecycle.status", Code::LifecycleIncoherent, rule).with_value(state));
    }
}

/// R47. What is text was compared with the list of currencies when it was read.
fn currency(f: &ReadFinding<'_>, out: &mut Vec<Violation>) {
    let Some(actual) = &f.actual else { return };
    let costs = [&actual.cost_7d, &actual.cost_30d, &actual.cost_mtd, &actual.cost_prev_month];
    let currency = actual.model.as_ref().map_or((false, None), |m| (m.currency_is_text, m.currency.as_deref()));
    let (is_text, code) = (currency.0, currency.1.filter(|code| !trim(code).is_empty()));
    if !(is_text && code.is_some()) && costs.iter().any(|cost| cost.is_some()) {
        let rule = "must name the currency, as text, when an actual cost is given";
        out.push(Violation::new("actual.model.currency", Code::CurrencyMissing, rule));
    } else if let Some(code) = code.filter(|_| !is_text) {
        out.push(Violation::new("actual.model.currency", Code::CurrencyUnknown, CURRENCY_RULE).with_value(code));
    }
}

/// R66.
fn tenant(f: &ReadFinding<'_>, out: &mut Vec<Violation>) {
    if let Some(tenant) = f.tenant_id.as_deref().filter(|t| !t.is_empty() && !layout::is_tenant_slug(t)) {
        let rule = "must be 1 to 63 of a-z, 0-9, '.', '_', '-', starting with a letter or digit";
        out.push(Violation::new("tenant_id", Code::TenantInvalid, rule).with_value(tenant));
    }
}
