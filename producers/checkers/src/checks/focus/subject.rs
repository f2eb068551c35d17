//! What all findings about a bill have in common: scope, currency and figures.

use contracts::draft::{Scope, Status};
use contracts::ranking::in_usd_for_ranking;
use contracts::resource_type::ResourceType;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::Figures;
use super::group::Group;
use super::text::short_id;
use crate::finding::Finding;
use crate::severity;

/// Region of what is bound to none.
const NO_REGION: &str = "global";
/// What the bill does not tell.
const UNKNOWN: &str = "unknown";
/// Sums over many resources below this, in US dollars, are not worth a person's time.
const WORTH_TELLING: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// True when the sum over an account, region or service is at least a cent: below that, a finding is not worth reading.
pub(super) fn is_worth_telling(sum: Decimal, currency: &str) -> bool {
    in_usd_for_ranking(sum, currency).unwrap_or(sum) >= WORTH_TELLING
}

/// Scope of a group about one resource. `arn` gives the service and path kind of an ARN to build where the bill only has
/// the bare id.
pub(super) fn resource_scope(line: &UsageLine, resource_type: ResourceType, arn: Option<(&str, &str)>) -> Scope {
    let resource = &*line.key.resource;
    let mut scope = named_scope(line, resource_type, &short_id(resource));
    // A name may be that of resources in two resource groups or zones; the path is that of one.
    if resource.starts_with("arn:") || resource.contains('/') && scope.cloud != "aws" {
        scope.resource_arn = resource.to_owned();
    } else if let Some((service, kind)) = arn.filter(|_| scope.cloud == "aws" && !line.key.region.is_empty()) {
        let Scope { provider_partition, region, account_id, .. } = &scope;
        scope.resource_arn = format!("arn:{provider_partition}:{service}:{region}:{account_id}:{kind}/{resource}");
    }
    scope
}

/// Scope of a group about one resource, or about all of the kind in its account and region where the bill names none.
pub(super) fn resource_or_all_scope(
    line: &UsageLine,
    resource_type: ResourceType,
    arn: Option<(&str, &str)>,
    all: &str,
) -> Scope {
    match line.key.resource.is_empty() {
        true => named_scope(line, ResourceType::ResourcePortfolio, all),
        false => resource_scope(line, resource_type, arn),
    }
}

/// Scope of a group about something that is not one resource.
pub(super) fn named_scope(line: &UsageLine, resource_type: ResourceType, resource_id: &str) -> Scope {
    let key = &line.key;
    Scope {
        cloud: key.cloud.to_string(),
        provider_partition: if &*key.cloud == "aws" { partition_of(&key.region).to_owned() } else { String::new() },
        billing_account_id: key.billing_account.to_string(),
        account_id: key.account.to_string(),
        region: region_of(line).to_owned(),
        service: match line.service() {
            "" => UNKNOWN.to_owned(),
            service => service.to_owned(),
        },
        resource_type: resource_type.into(),
        resource_id: resource_id.to_owned(),
        ..Scope::default()
    }
}

/// The same scope in no region: for what an account spends wherever it spends it.
pub(super) fn account_scope(line: &UsageLine, resource_type: ResourceType, resource_id: &str) -> Scope {
    Scope { region: NO_REGION.to_owned(), ..named_scope(line, resource_type, resource_id) }
}

/// The region as findings have it. All that is metered here lies in a region, so a bill that names none leaves it unknown;
/// other charges, such as plans for the whole account, may be bound to none.
pub(super) fn region_of(line: &UsageLine) -> &str {
    match (&*line.key.region, &line.key.meter) {
        ("", Meter::Other) => NO_REGION,
        ("", _) => UNKNOWN,
        (region, _) => region,
    }
}

/// A region for messages.
pub(super) fn place(line: &UsageLine) -> String {
    match region_of(line) {
        UNKNOWN => "a region the bill does not name".to_owned(),
        region => region.to_owned(),
    }
}

fn partition_of(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// A finding about a group with the money, currency and figures every one has.
pub(super) fn finding(
    check_id: &'static str,
    group: &Group<'_>,
    scope: Scope,
    status: Status,
    figures: &Figures,
) -> Finding {
    let mut finding =
        Finding::new(check_id, scope, status, severity::of(status, figures.estimated(), group.currency()))
            // Amounts of two currencies are never one issue.
            .issue("currency", group.currency())
            .dimension("billing_period", group.period())
            .dimension("rows", group.rows())
            .estimated(figures.estimated().clone());
    for (name, value) in figures.dimensions() {
        finding = finding.dimension(name, value);
    }
    finding.currency = Some(group.currency().to_owned());
    finding
}
