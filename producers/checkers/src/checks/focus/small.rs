//! Findings that are too small for a line of their own, put together: one for each check, account and currency.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use contracts::draft::{Estimated, Scope, Status};
use contracts::resource_type::ResourceType;
use rust_decimal::Decimal;

use super::text::{counted, figure, money};
use crate::finding::Finding;
use crate::ranking::in_usd_for_ranking;
use crate::severity;

/// A finding about less than this a month, in US dollars, has no line of its own when there are others like it.
pub(super) const OWN_LINE_MIN_USD: Decimal = Decimal::ONE;
/// Less than this a month, in US dollars, is not worth a person's time, alone or together: a cent.
const TELLING_MIN_USD: Decimal = Decimal::from_parts(1, 0, 0, false, 2);
/// Resources that are named in the message.
const NAMED_MAX: usize = 5;

/// Puts small findings together, and leaves out what is worth less than a cent. Findings without money, and those in a currency that cannot be
/// ranked, stay as they are.
pub(super) fn put_together(findings: Vec<Finding>, own_line_min_usd: Decimal) -> Vec<Finding> {
    let is_small = |finding: &Finding| worth_usd(finding).is_some_and(|usd| usd < own_line_min_usd);
    let (small, mut kept): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_small);
    let mut groups: BTreeMap<[String; 5], Vec<Finding>> = BTreeMap::new();
    for finding in small {
        let Scope { cloud, billing_account_id, account_id, .. } = &finding.scope;
        let check_id = finding.check_id.to_owned();
        let currency = finding.currency.clone().unwrap_or_default();
        let key = [check_id, cloud.clone(), billing_account_id.clone(), account_id.clone(), currency];
        groups.entry(key).or_default().push(finding);
    }
    let together = groups.into_values().filter_map(|mut group| match group.len() {
        1 => group.pop(),
        _ => together(group, own_line_min_usd),
    });
    kept.extend(together.filter(|finding| worth_usd(finding).is_none_or(|usd| usd >= TELLING_MIN_USD)));
    kept
}

/// About how many US dollars a month a finding is about: its savings, else its cost.
fn worth_usd(finding: &Finding) -> Option<Decimal> {
    let amount = finding.estimated.monthly_savings.or(finding.estimated.monthly_cost)?;
    in_usd_for_ranking(amount, finding.currency.as_deref()?)
}

fn together(mut group: Vec<Finding>, own_line_min_usd: Decimal) -> Option<Finding> {
    group.sort_by_cached_key(|f| (Reverse(worth_usd(f)), f.scope.region.clone(), f.scope.resource_id.clone()));
    let first = group.first()?;
    let currency = first.currency.clone()?;
    let status = if group.iter().any(|f| f.status == Status::Fail) { Status::Fail } else { first.status };
    let count = counted(group.len(), "finding", "findings");
    let estimated = Estimated {
        monthly_savings: sum(group.iter().map(|f| f.estimated.monthly_savings)),
        monthly_cost: sum(group.iter().map(|f| f.estimated.monthly_cost)),
        confidence: group.iter().map(|f| f.estimated.confidence).min().unwrap_or_default(),
        one_time_savings: None,
        notes: format!("the sum over {count}, each about less than {own_line_min_usd} USD a month"),
    };
    let scope = Scope {
        region: "global".to_owned(),
        availability_zone: String::new(),
        service: "billing".to_owned(),
        resource_type: ResourceType::SmallFindings.into(),
        resource_id: "small-findings".to_owned(),
        resource_arn: String::new(),
        ..first.scope.clone()
    };
    let mut finding = Finding::new(first.check_id, scope, status, severity::of(status, &estimated, &currency))
        .issue("currency", &currency)
        .dimension("findings", group.len());
    for name in ["charged_cost", "charged_savings"] {
        let charged = group.iter().map(|f| f.dimensions.get(name)?.parse().ok());
        if let Some(charged) = sum(charged) {
            finding = finding.dimension(name, figure(charged, 12));
        }
    }
    if let Some(period) = first.dimensions.get("billing_period") {
        finding = finding.dimension("billing_period", period);
    }
    let message = message(&group, &estimated, &currency, own_line_min_usd);
    let title = match group.iter().all(|f| f.title == first.title) {
        true => format!("{}: {} small ones", first.title, group.len()),
        false => format!("{} small findings of one kind", group.len()),
    };
    let mut finding = finding.text(title, message, first.advice.clone()).estimated(estimated);
    finding.currency = Some(currency);
    Some(finding)
}

fn message(group: &[Finding], estimated: &Estimated, currency: &str, own_line_min_usd: Decimal) -> String {
    let named: Vec<_> = group.iter().take(NAMED_MAX).map(|f| &*f.scope.resource_id).collect();
    let more = match group.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let cost = estimated.monthly_cost.map(|cost| format!("cost {}", money(cost, currency)));
    let savings = estimated.monthly_savings.map(|savings| format!("save {}", money(savings, currency)));
    let amounts: Vec<_> = cost.into_iter().chain(savings).collect();
    format!(
        "{}, each about less than {own_line_min_usd} USD a month: {}{more}; together they {} a month",
        counted(group.len(), "finding", "findings"),
        named.join(", "),
        amounts.join(" and "),
    )
}

/// The sum of what is known.
fn sum(amounts: impl Iterator<Item = Option<Decimal>>) -> Option<Decimal> {
    amounts.flatten().reduce(|sum, amount| sum + amount)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};

    const CHECKER_ID: &str = "focus.ipv4.idle";

    /// An address that costs so much in the month.
    fn idle(name: &str, cost: &str) -> Row {
        row("$0.005 per Idle public IPv4 address per hour").resource(name).cost(cost).hours(720)
    }

    #[test]
    fn small_findings_of_a_check_are_one() {
        let names: Vec<_> = (0..7).map(|n| format!("ip-{n}")).collect();
        let small = names.iter().map(|name| idle(name, "0.9"));
        let findings =
            check_default(CHECKER_ID, small.chain([idle("large", "1"), idle("other", "0.9").account("4444")]));
        let mut seen: Vec<_> = findings.iter().map(|f| (&*f.scope.resource_id, amounts(f))).collect();
        seen.sort_unstable();
        let expected = [
            ("large", money_of("1", "1")),
            // Alone in its account.
            ("other", money_of("0.9", "0.9")),
            ("small-findings", money_of("6.3", "6.3")),
        ];
        assert_eq!(seen, expected);
        let together = findings.iter().find(|f| f.scope.resource_type == "small_findings").unwrap();
        assert_eq!(
            together.message,
            "7 findings, each about less than 1 USD a month: ip-0, ip-1, ip-2, ip-3, ip-4 and 2 more; together they cost 6.3 USD and \
             save 6.3 USD a month"
        );
        assert_eq!(together.title, "Idle public IPv4 address: 7 small ones");
        assert_eq!((&*together.dimensions["findings"], together.issue_key.len()), ("7", 1));
    }

    #[test]
    fn less_than_a_cent_is_not_said() {
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.004"), idle("b", "0.005")]), []);
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.005"), idle("b", "0.005")]).len(), 1);
        // A yen is about a cent of a dollar.
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.9").currency("JPY")]), []);
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.004").currency("XTS")]).len(), 1);
    }
}
