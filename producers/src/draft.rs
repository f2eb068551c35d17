//! A finding with the facts of its run: the wire draft of the contract, as bytes.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use crate::checker::{CheckInfo, CheckerRegistration};
use crate::finding::Finding;
use crate::run_context::RunContext;

/// The wire draft. Money is text, so that no reader takes it through a binary float.
#[derive(Debug, Serialize)]
struct FindingDraft<'a> {
    tenant_id: &'a str,
    workspace_id: &'a str,
    run_id: &'a str,
    run_ts: String,
    engine_name: &'a str,
    engine_version: &'a str,
    rulepack_version: String,
    schema_version: u16,
    default_currency: &'a str,
    checker_id: &'a str,
    source_type: &'a str,
    check_id: &'a str,
    check_name: &'a str,
    category: &'a str,
    sub_category: &'a str,
    frameworks: [&'a str; 1],
    status: &'a str,
    severity: SeverityDraft<'a>,
    title: &'a str,
    message: &'a str,
    advice: &'a str,
    scope: ScopeDraft<'a>,
    issue_key: &'a BTreeMap<&'static str, String>,
    estimated: EstimateDraft<'a>,
    tags: &'a BTreeMap<String, String>,
    dimensions: &'a BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct SeverityDraft<'a> {
    level: &'a str,
    score: u16,
}

#[derive(Debug, Serialize)]
struct ScopeDraft<'a> {
    cloud: &'a str,
    provider_partition: &'a str,
    organization_id: &'a str,
    billing_account_id: &'a str,
    account_id: &'a str,
    region: &'a str,
    availability_zone: &'a str,
    service: &'a str,
    resource_type: &'a str,
    resource_id: &'a str,
    resource_arn: &'a str,
}

#[derive(Debug, Serialize)]
struct EstimateDraft<'a> {
    #[serde(serialize_with = "money")]
    monthly_savings: Option<Decimal>,
    #[serde(serialize_with = "money")]
    monthly_cost: Option<Decimal>,
    one_time_savings: Option<()>,
    confidence: u8,
    notes: &'a str,
}

fn money<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(&amount.normalize()),
        None => serializer.serialize_none(),
    }
}

/// The draft of a finding as JSON bytes.
///
/// # Errors
/// Never in practice: all members are text and numbers.
pub fn encode(
    context: &RunContext,
    registration: &CheckerRegistration,
    check: &CheckInfo,
    finding: &Finding,
) -> serde_json::Result<Vec<u8>> {
    let scope = &finding.scope;
    serde_json::to_vec(&FindingDraft {
        tenant_id: &context.tenant_id,
        workspace_id: &context.workspace_id,
        run_id: &context.run_id,
        run_ts: context.run_ts_text(),
        engine_name: &context.engine_name,
        engine_version: &context.engine_version,
        rulepack_version: context.rulepack.version(),
        schema_version: context.schema_version,
        default_currency: finding.currency.as_deref().unwrap_or(&context.default_currency),
        checker_id: registration.checker_id,
        source_type: "scanner",
        check_id: check.check_id,
        check_name: check.name,
        category: check.category,
        sub_category: check.sub_category,
        frameworks: ["FinOps"],
        status: finding.status.as_str(),
        severity: SeverityDraft { level: finding.severity.level, score: finding.severity.score },
        title: &finding.title,
        message: &finding.message,
        advice: &finding.advice,
        scope: ScopeDraft {
            cloud: &scope.cloud,
            provider_partition: &scope.provider_partition,
            organization_id: "",
            billing_account_id: &scope.billing_account_id,
            account_id: &scope.account_id,
            region: &scope.region,
            availability_zone: "",
            service: &scope.service,
            resource_type: &scope.resource_type,
            resource_id: &scope.resource_id,
            resource_arn: &scope.resource_arn,
        },
        issue_key: &finding.issue_key,
        estimated: EstimateDraft {
            monthly_savings: finding.estimate.savings_monthly,
            monthly_cost: finding.estimate.cost_monthly,
            one_time_savings: None,
            confidence: finding.estimate.confidence,
            notes: &finding.estimate.notes,
        },
        tags: &finding.tags,
        dimensions: &finding.dimensions,
    })
}
