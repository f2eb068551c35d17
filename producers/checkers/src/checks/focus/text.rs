//! Amounts, shares and names of resources as findings write them.

use rust_decimal::{Decimal, RoundingStrategy};

/// Places of stored amounts. Less than half a unit of the last one would be stored as 0, and a zero is a claim.
const MONEY_PLACES: u32 = 6;

/// True when an amount is more than what rounds to 0 in storage.
pub(super) fn is_visible(amount: Decimal) -> bool {
    amount.round_dp(MONEY_PLACES) > Decimal::ZERO
}

/// The part of an ARN or resource path that people call the resource.
pub(super) fn short_id(resource: &str) -> String {
    let Some(arn) = resource.strip_prefix("arn:") else { return last_part(resource, &['/']).to_owned() };
    let mut parts = arn.splitn(5, ':').skip(1);
    let [service, _region, account] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let rest = parts.next().unwrap_or(resource).trim_end_matches(":*");
    let path = |n: usize| rest.split('/').nth(n).unwrap_or(rest);
    match service {
        // A bucket has no account in its ARN; where there is one, as in those of access points, the kind comes first.
        "s3" if account.is_empty() => path(0),
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

/// An amount of data for people: as charged, and what that comes to in a month where it is another one: verdicts are on that.
pub(super) fn quantity_text(gib: &str, gib_monthly: &str) -> String {
    if gib == gib_monthly { format!("{gib} GB") } else { format!("{gib} GB ({gib_monthly} GB a month at this rate)") }
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
            ("arn:aws:s3:us-west-2:1:bucket/b", "b"),
            ("arn:aws:s3:us-west-2:1:accesspoint/a", "a"),
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
