//! What all findings about a bill have in common: scope, names of resources, money as billed and as text.

use contracts::resource_type::ResourceType;
use rust_decimal::{Decimal, RoundingStrategy};

use super::figures::Figures;
use super::group::Group;
use crate::billing::line::UsageLine;
use crate::billing::meter::Meter;
use crate::finding::{Finding, Scope, Status};
use crate::severity;

/// Places of stored amounts. Less than half a unit of the last one would be stored as 0, and a zero is a claim.
const MONEY_PLACES: u32 = 6;

/// True when an amount is more than what rounds to 0 in storage.
pub(super) fn is_visible(amount: Decimal) -> bool {
    amount.round_dp(MONEY_PLACES) > Decimal::ZERO
}

/// Region of what is bound to none.
const NO_REGION: &str = "global";
/// What the bill does not tell.
const UNKNOWN: &str = "unknown";
/// Sums over many resources below this, in billing currency, are not worth a person's time.
const WORTH_TELLING: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// True when the sum over an account, region or service is at least a cent: below that, a finding is not worth reading.
pub(super) fn is_worth_telling(sum: Decimal) -> bool {
    sum >= WORTH_TELLING
}

/// Scope of a group about one resource. `arn` gives the service and path kind of an ARN to build where the bill only has
/// the bare id.
pub(super) fn resource_scope(line: &UsageLine, resource_type: ResourceType, arn: Option<(&str, &str)>) -> Scope {
    let resource = &*line.key.resource;
    let mut scope = named_scope(line, resource_type, &short_id(resource));
    if resource.starts_with("arn:") {
        scope.resource_arn = resource.to_owned();
    } else if let Some((service, kind)) = arn.filter(|_| scope.cloud == "aws" && !line.key.region.is_empty()) {
        let Scope { provider_partition, region, account_id, .. } = &scope;
        scope.resource_arn = format!("arn:{provider_partition}:{service}:{region}:{account_id}:{kind}/{resource}");
    }
    scope
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

/// The part of an ARN or resource path that people call the resource.
pub(super) fn short_id(resource: &str) -> String {
    let Some(arn) = resource.strip_prefix("arn:") else { return last_part(resource, &['/']).to_owned() };
    let mut parts = arn.splitn(5, ':');
    let service = parts.nth(1).unwrap_or_default();
    let rest = parts.nth(2).unwrap_or(resource).trim_end_matches(":*");
    let path = |n: usize| rest.split('/').nth(n).unwrap_or(rest);
    match service {
        "s3" => path(0),
        "logs" => rest.strip_prefix("log-group:").unwrap_or(rest),
        "lambda" => rest.split(':').nth(1).unwrap_or(rest),
        "elasticloadbalancing" if matches!(path(1), "app" | "net" | "gwy") => path(2),
        "elasticloadbalancing" => path(1),
        _ if rest.contains('/') => last_part(rest, &['/']),
        _ => last_part(rest, &[':']),
    }
    .to_owned()
}

fn last_part<'a>(text: &'a str, separators: &[char]) -> &'a str {
    text.rsplit(separators).next().filter(|part| !part.is_empty()).unwrap_or(text)
}

/// An amount with the places that are stored.
pub(super) fn round(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(MONEY_PLACES, RoundingStrategy::MidpointNearestEven).normalize()
}

/// A finding about a group with the money, currency and figures every one has.
pub(super) fn finding(
    check_id: &'static str,
    group: &Group<'_>,
    scope: Scope,
    status: Status,
    figures: &Figures,
) -> Finding {
    let mut finding = Finding::new(check_id, scope, status, severity::of(status, figures.estimated()))
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

/// `1 hour`, `2 hours`.
pub(super) fn counted<N: PartialEq + From<u8> + std::fmt::Display>(count: N, one: &str, many: &str) -> String {
    let noun = if count == N::from(1) { one } else { many };
    format!("{count} {noun}")
}

/// An amount for people: two places from one unit on, else as many as are stored.
pub(super) fn money(amount: Decimal, currency: &str) -> String {
    let places = if amount.abs() >= Decimal::ONE { 2 } else { MONEY_PLACES };
    format!("{} {currency}", amount.round_dp(places).normalize())
}

/// A figure for people and dimensions: at most so many places.
pub(super) fn figure(number: Decimal, places: u32) -> String {
    number.round_dp(places).normalize().to_string()
}

/// A share for people, in per cent.
pub(super) fn percent(share: Decimal) -> String {
    figure(share * Decimal::ONE_HUNDRED, 1)
}

/// `part / whole`, 0 when there is no whole.
pub(super) fn share_of(part: Decimal, whole: Decimal) -> Decimal {
    if whole > Decimal::ZERO { part.checked_div(whole).unwrap_or_default() } else { Decimal::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_are_what_people_call_it() {
        let cases = [
            ("arn:aws:ec2:us-west-2:1:natgateway/nat-0a", "nat-0a"),
            ("arn:aws:elasticloadbalancing:us-west-2:1:loadbalancer/app/web/50dc", "web"),
            ("arn:aws:elasticloadbalancing:us-west-2:1:loadbalancer/classic", "classic"),
            ("arn:aws:logs:us-west-2:1:log-group:/aws/eks/c:*", "/aws/eks/c"),
            ("arn:aws:lambda:us-west-2:1:function:f:1", "f"),
            ("arn:aws:rds:us-west-2:1:db:prod", "prod"),
            ("arn:aws:s3:::b/key", "b"),
            ("vol-0a", "vol-0a"),
            ("/subscriptions/1/providers/x/disks/d", "d"),
            ("arn:odd", "odd"),
        ];
        for (resource, expected) in cases {
            assert_eq!(short_id(resource), expected, "{resource}");
        }
    }

    #[test]
    fn amounts_read_like_amounts() {
        let cases = [("1234.5678", "1234.57 USD"), ("0.0000316", "0.000032 USD"), ("0", "0 USD"), ("2.00", "2 USD")];
        for (amount, text) in cases {
            assert_eq!(money(amount.parse().unwrap(), "USD"), text);
        }
        assert!(!is_visible("0.0000004".parse().unwrap()) && is_visible("0.000001".parse().unwrap()));
    }
}
