//! A finding with the facts of its run: the contract's wire draft.

use contracts::draft::FindingDraft;

use checkers::checker::{CheckInfo, CheckerRegistration};
use checkers::finding::Finding;
use checkers::run_context::RunContext;

/// The draft of a finding of this check, made by this checker in this run.
#[must_use]
pub fn draft(
    context: &RunContext,
    registration: &CheckerRegistration,
    check: &CheckInfo,
    finding: &Finding,
) -> FindingDraft {
    let Finding {
        check_id,
        scope,
        status,
        severity,
        title,
        message,
        advice,
        remediation,
        links,
        issue_key,
        estimated,
        currency,
        tags,
        labels,
        dimensions,
        metrics,
        own_line_min_usd: _,
    } = finding.clone();
    FindingDraft {
        tenant_id: context.tenant_id.clone(),
        workspace_id: context.workspace_id.clone(),
        run_id: context.run_id.clone(),
        run_ts: context.run_ts_text(),
        engine_name: context.engine_name.clone(),
        engine_version: context.engine_version.clone(),
        rulepack_version: context.rulepack.version(),
        schema_version: context.schema_version,
        default_currency: currency.unwrap_or_else(|| context.default_currency.clone()),
        checker_id: registration.checker_id.to_owned(),
        source_type: "scanner".to_owned(),
        check_id: check_id.to_owned(),
        check_name: check.name.to_owned(),
        category: check.category.to_owned(),
        sub_category: check.sub_category.to_owned(),
        frameworks: vec!["FinOps".to_owned()],
        status,
        severity,
        title,
        message,
        advice,
        remediation,
        links,
        scope,
        issue_key,
        estimated,
        tags,
        labels,
        dimensions,
        metrics,
        ..FindingDraft::default()
    }
}
