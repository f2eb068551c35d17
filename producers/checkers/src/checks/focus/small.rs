//! Findings that are too small for a line of their own: one for each check, paying account and currency, of all its accounts. What makes it this
//! finding is none of what it sums up: it stays the same when small ones come and go.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use contracts::draft::{Estimated, Scope, Status};
use contracts::ranking::in_usd_for_ranking;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::hours_of_month;
use rust_decimal::Decimal;

use super::text::{counted, figure, money};
use crate::checker::Together;
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};
use crate::severity;

/// Hours of an average month. Amounts are compared as they would be in one, so that what costs the same an hour is not small in September and
/// large in October.
const MONTH_HOURS: u32 = 730;
/// Resources that are named in the message.
const NAMED_MAX: usize = 5;

const THRESHOLDS: &[Threshold] = &[
    Threshold {
        key: "own_line_min_usd",
        default: DefaultValue::Number("1"),
        meaning: "a finding about less than this, in US dollars in 730 hours, is summed up with the others of its check and paying account",
    },
    Threshold {
        key: "sum_min_usd",
        default: DefaultValue::Number("0.10"),
        meaning: "a sum of less than this, in US dollars in 730 hours, is not a finding: it is not worth a person's time",
    },
];

/// What becomes of findings over bills as a whole.
pub(super) const TOGETHER: Together =
    Together { table: "focus.small_findings", thresholds: THRESHOLDS, put: put_together };

/// Puts small findings together. Findings without money, and those in a currency that cannot be ranked, stay as they are.
fn put_together(thresholds: &Thresholds<'_>, findings: Vec<Finding>) -> Result<Vec<Finding>, UndeclaredThreshold> {
    let own_line_min = thresholds.number("own_line_min_usd")?.normalize();
    let sum_min = thresholds.number("sum_min_usd")?;
    let min_of = |finding: &Finding| finding.own_line_min_usd.unwrap_or(own_line_min);
    let is_small = |finding: &Finding| worth_usd(finding).is_some_and(|usd| usd < min_of(finding));
    let (small, mut kept): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_small);
    let mut groups: BTreeMap<[String; 5], Vec<Finding>> = BTreeMap::new();
    for finding in small {
        let Scope { cloud, provider_partition, billing_account_id, .. } = &finding.scope;
        let check_id = finding.check_id.to_owned();
        let currency = finding.currency.clone().unwrap_or_default();
        let key = [check_id, cloud.clone(), provider_partition.clone(), billing_account_id.clone(), currency];
        groups.entry(key).or_default().push(finding);
    }
    let together = groups.into_values().filter_map(|group| {
        let min = group.first().map(min_of)?;
        together(group, min.normalize())
    });
    kept.extend(together.filter(|finding| worth_usd(finding).is_some_and(|usd| usd >= sum_min)));
    Ok(kept)
}

/// About how many US dollars a finding is about in an average month: its savings, else its cost.
fn worth_usd(finding: &Finding) -> Option<Decimal> {
    let amount = finding.estimated.monthly_savings.or(finding.estimated.monthly_cost)?;
    let hours = finding.dimensions.get("billing_period").map_or(MONTH_HOURS, |period| hours_of_month(period));
    let average = amount.checked_mul(MONTH_HOURS.into())?.checked_div(hours.into())?;
    in_usd_for_ranking(average, finding.currency.as_deref()?)
}

fn together(mut group: Vec<Finding>, own_line_min: Decimal) -> Option<Finding> {
    let order = |f: &Finding| {
        let Scope { account_id, region, resource_id, .. } = &f.scope;
        (Reverse(worth_usd(f)), account_id.clone(), region.clone(), resource_id.clone())
    };
    group.sort_by_cached_key(order);
    let first = group.first()?;
    let currency = first.currency.clone()?;
    let status = if group.iter().any(|f| f.status == Status::Fail) { Status::Fail } else { first.status };
    let accounts = group.iter().map(|f| &f.scope.account_id).collect::<BTreeSet<_>>().len();
    let of_less = of_less(group.len(), own_line_min, &currency);
    let estimated = Estimated {
        monthly_savings: sum(group.iter().map(|f| f.estimated.monthly_savings)),
        monthly_cost: sum(group.iter().map(|f| f.estimated.monthly_cost)),
        confidence: group.iter().map(|f| f.estimated.confidence).min().unwrap_or_default(),
        one_time_savings: None,
        notes: format!("the sum over {of_less}"),
    };
    let mut finding = Finding::new(first.check_id, scope(&group), status, severity::of(status, &estimated, &currency))
        .issue("currency", &currency)
        .dimension("findings", group.len())
        .dimension("accounts", accounts);
    for name in ["charged_cost", "charged_savings", "credited_cost"] {
        if let Some(charged) = sum_of(&group, name) {
            finding = finding.dimension(name, figure(charged, 12));
        }
    }
    for name in ["monthly_savings_list", "monthly_savings_effective"] {
        // Of savings that are known in part, the sum would be less than both.
        if let Some(saved) = sum_of(&group, name).filter(|_| group.iter().all(|f| f.dimensions.contains_key(name))) {
            finding = finding.dimension(name, figure(saved, 6));
        }
    }
    let mut message = message(&group, &of_less, accounts, &estimated, &currency);
    if let Some(period) = first.dimensions.get("billing_period") {
        finding = finding.dimension("billing_period", period);
        if let Some(credited) = sum_of(&group, "credited_cost") {
            message += &format!("; credits paid {} of it in {period}", money(credited, &currency));
        }
    }
    let title = match group.iter().all(|f| f.title == first.title) {
        true => format!("{}: {}", first.title, counted(group.len(), "small one", "small ones")),
        false => format!("{} small findings of one kind", group.len()),
    };
    let mut finding = finding.text(title, message, first.advice.clone()).estimated(estimated);
    finding.currency = Some(currency);
    Some(finding)
}

/// The paying account, whichever of its accounts the findings are in; where the bill names none, the first of those.
fn scope(group: &[Finding]) -> Scope {
    let first = group.iter().map(|f| &f.scope).min_by_key(|scope| &scope.account_id).cloned().unwrap_or_default();
    let account_id = match &*first.billing_account_id {
        "" => first.account_id.clone(),
        payer => payer.to_owned(),
    };
    Scope {
        account_id,
        region: "global".to_owned(),
        availability_zone: String::new(),
        service: "billing".to_owned(),
        resource_type: ResourceType::SmallFindings.into(),
        resource_id: "small-findings".to_owned(),
        resource_arn: String::new(),
        ..first
    }
}

/// `3 findings of less than 1 USD a month each`.
fn of_less(count: usize, own_line_min: Decimal, currency: &str) -> String {
    // The limit is in US dollars; amounts of other currencies are compared with it, and not shown in it.
    let limit = match currency {
        "USD" => format!("less than {own_line_min} USD"),
        _ => format!("less than the equivalent of about {own_line_min} USD"),
    };
    let each = if count == 1 { "" } else { " each" };
    format!("{} of {limit} a month{each}", counted(count, "finding", "findings"))
}

fn message(group: &[Finding], of_less: &str, accounts: usize, estimated: &Estimated, currency: &str) -> String {
    // Services and regions have the same name in several accounts.
    let mut seen = BTreeSet::new();
    let names: Vec<&str> = group.iter().map(|f| &*f.scope.resource_id).filter(|name| seen.insert(*name)).collect();
    let named: Vec<_> = names.iter().take(NAMED_MAX).copied().collect();
    let more = match names.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let of_many = |one: &str, many: &str| if group.len() == 1 { one.to_owned() } else { many.to_owned() };
    let cost = estimated.monthly_cost;
    let cost = cost.map(|cost| format!("{} {}", of_many("costs", "cost"), money(cost, currency)));
    let savings = estimated.monthly_savings;
    let savings = savings.map(|savings| format!("{} {}", of_many("saves", "save"), money(savings, currency)));
    let amounts: Vec<_> = cost.into_iter().chain(savings).collect();
    format!(
        "{of_less}{}: {}{more}; {} {} a month",
        if accounts == 1 { String::new() } else { format!(", in {accounts} accounts") },
        named.join(", "),
        of_many("it", "together they"),
        amounts.join(" and "),
    )
}

/// The sum of a dimension over those that have it.
fn sum_of(group: &[Finding], dimension: &str) -> Option<Decimal> {
    sum(group.iter().map(|f| f.dimensions.get(dimension)?.parse().ok()))
}

/// The sum of what is known.
fn sum(amounts: impl Iterator<Item = Option<Decimal>>) -> Option<Decimal> {
    amounts.flatten().reduce(|sum, amount| sum + amount)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, check_with, money_of, row};
    use super::*;

    const CHECKER_ID: &str = "focus.ipv4.idle";

    /// An address that costs so much in the month.
    fn idle(name: &str, cost: &str) -> Row {
        row("$0.005 per Idle public IPv4 address per hour").resource(name).cost(cost).hours(720)
    }

    /// What makes a finding this one.
    fn identity(finding: &Finding) -> (&'static str, Scope, BTreeMap<String, String>) {
        (finding.check_id, finding.scope.clone(), finding.issue_key.clone())
    }

    #[test]
    fn small_findings_of_a_check_are_one() {
        let names: Vec<_> = (0..7).map(|n| format!("ip-{n}")).collect();
        let small = names.iter().map(|name| idle(name, "0.9"));
        let findings =
            check_default(CHECKER_ID, small.chain([idle("large", "1"), idle("other", "0.9").account("4444")]));
        let mut seen: Vec<_> = findings.iter().map(|f| (&*f.scope.resource_id, amounts(f))).collect();
        seen.sort_unstable();
        assert_eq!(seen, [("large", money_of("1", "1")), ("small-findings", money_of("7.2", "7.2"))]);
        let together = findings.iter().find(|f| f.scope.resource_type == "small_findings").unwrap();
        assert_eq!(
            together.message,
            "8 findings of less than 1 USD a month each, in 2 accounts: ip-0, ip-1, ip-2, ip-3, ip-4 and 3 more; together they cost 7.2 \
             USD and save 7.2 USD a month"
        );
        assert_eq!(together.title, "Idle public IPv4 address: 8 small ones");
        assert_eq!((&*together.dimensions["findings"], &*together.dimensions["accounts"]), ("8", "2"));
        assert_eq!(together.scope.account_id, together.scope.billing_account_id);
    }

    #[test]
    fn how_many_there_are_makes_no_other_finding() {
        let one = check_default(CHECKER_ID, [idle("a", "0.9")]);
        let other = check_default(CHECKER_ID, [idle("b", "0.5").account("4444"), idle("c", "0.9").region("eu-west-1")]);
        let ([one], [other]) = (&one[..], &other[..]) else { panic!("one finding each: {one:?} {other:?}") };
        assert_eq!(identity(one), identity(other));
        assert_eq!(one.message, "1 finding of less than 1 USD a month: a; it costs 0.9 USD and saves 0.9 USD a month");
        assert_eq!(one.title, "Idle public IPv4 address: 1 small one");
    }

    #[test]
    fn paying_accounts_and_currencies_stay_apart() {
        let rows = [idle("a", "0.9"), idle("b", "0.9").payer("4444"), idle("c", "0.8").currency("EUR")];
        let findings = check_default(CHECKER_ID, rows);
        let seen: Vec<_> =
            findings.iter().map(|f| (f.scope.account_id.as_str(), f.currency.as_deref().unwrap())).collect();
        assert_eq!(seen, [("4444", "USD"), ("999900001111", "EUR"), ("999900001111", "USD")]);
        assert!(findings[1].message.starts_with("1 finding of less than the equivalent of about 1 USD a month: c;"));
    }

    /// 0.001354 an hour are 0.98 in 720 hours and 1.01 in 744: in 730 hours they are the same.
    #[test]
    fn the_length_of_the_month_makes_nothing_small_or_large() {
        let resource = |finding: Vec<Finding>| finding[0].scope.resource_id.clone();
        let (september, august) = (idle("ip", "0.975"), idle("ip", "1.0075").in_august().hours(744));
        assert_eq!(resource(check_default(CHECKER_ID, [september])), "small-findings");
        assert_eq!(resource(check_default(CHECKER_ID, [august])), "small-findings");
        let (september, august) = (idle("ip", "0.99"), idle("ip", "1.023").in_august().hours(744));
        assert_eq!(resource(check_default(CHECKER_ID, [september])), "ip");
        assert_eq!(resource(check_default(CHECKER_ID, [august])), "ip");
    }

    #[test]
    fn less_than_a_few_cents_is_not_said() {
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.09")]), []);
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.04"), idle("b", "0.04")]), []);
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.06"), idle("b", "0.06")]).len(), 1);
        // Ten yen are less than ten cents of a dollar.
        assert_eq!(check_default(CHECKER_ID, [idle("a", "10").currency("JPY")]), []);
        assert_eq!(check_default(CHECKER_ID, [idle("a", "0.004").currency("XTS")]).len(), 1);
    }

    #[test]
    fn a_rulepack_has_other_limits() {
        let rulepack = "[\"focus.small_findings\"]\nown_line_min_usd = 5\nsum_min_usd = 4\n";
        let resources = |rows: &[Row]| {
            let findings = check_with(rulepack, CHECKER_ID, rows.iter().cloned());
            findings.iter().map(|f| f.scope.resource_id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(resources(&[idle("a", "3.9")]), [""; 0]);
        assert_eq!(resources(&[idle("a", "4.5")]), ["small-findings"]);
        assert_eq!(resources(&[idle("a", "5")]), ["a"]);
    }
}
