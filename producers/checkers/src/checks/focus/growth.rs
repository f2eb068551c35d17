//! Usage types whose cost grew against the month before.

use std::collections::{BTreeMap, BTreeSet};

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use contracts::service_family::product_code;
use inventories::billing::coverage::CurrentMonth;
use inventories::billing::hours::HourSet;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;
use inventories::billing::monthly::MonthShare;
use inventories::billing::period::month_before;
use inventories::billing::usage_totals::{UsageKey, UsageTotal};
use rust_decimal::Decimal;

use super::figures::at_run_rate;
use super::group::{Group, by_service};
use super::run_rate::RunRate;
use super::subject::{account_scope, finding, is_worth_telling};
use super::text::{money, percent, round};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};
use contracts::ranking::in_usd_for_ranking;

const CHECKER_ID: &str = "focus.cost.growth";
const CHECK_ID: &str = "billing.cost.growth";

const DOCS: CheckerDocs = CheckerDocs {
    what: "usage types of an account and service, marketplace products among them, that cost clearly more than in the month before",
    why: "a new habit, a forgotten test or a change of price is cheapest to stop in its first month, and rarely has a ticket",
    money: "cost = growth: the run rate of this month less that of the month before, each charged × hours of its month / hours that the bill \
            shows of it, with commitments spread over their term where both months tell it. Savings are unknown: growth may be wanted",
    month: MonthRule::ByBill,
    verdict: "fail when it grew by at least growth_min and amount_min; smaller growth is put together, by account",
    thresholds: &[
        Threshold {
            key: "growth_min",
            default: DefaultValue::Number("0.25"),
            meaning: "growth against the month before, 0.25 = a quarter more; what is new has no ratio and counts",
        },
        Threshold {
            key: "amount_min",
            default: DefaultValue::Number("50"),
            meaning: "growth a month, in US dollars or about as much in another currency, from which a usage type has a line of its own",
        },
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "hours that the bill must show of both months, for a paying account",
        },
    ],
    data: "usage of two months in a row in one load, with its usage type",
    limits: "silent on accounts that are in one month only and on extracts of a bill; seasons and planned launches grow as well. Purchases are \
             not compared",
};

inventory::submit! {
    over_bill(
        "checks.focus.growth:GrowthChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Cost growth", category: "cost", sub_category: "anomaly" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(Growth::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct Growth {
    growth_min: Decimal,
    amount_min: Decimal,
    hours_min: Decimal,
}

/// A paying account and its two months.
struct Months<'a> {
    now: &'a CurrentMonth,
    now_hours: HourSet,
    before: String,
    before_hours: HourSet,
}

/// What a usage type cost in two months.
#[derive(Default)]
struct Both {
    now: Sum,
    before: Sum,
}

/// A sum over totals of one month.
#[derive(Default)]
struct Sum {
    total: UsageTotal,
}

/// Cloud, paying account, account, service and currency.
type Account<'a> = [&'a str; 5];

impl Growth {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self {
            growth_min: thresholds.number("growth_min")?,
            amount_min: thresholds.number("amount_min")?,
            hours_min: thresholds.number("hours_min")?,
        })
    }

    /// `None` when the bill does not tell two months.
    fn months<'a>(&self, bill: &'a BillingInventory, line: &UsageLine) -> Option<Months<'a>> {
        let now = bill.current_month(line).filter(|month| month.tells_ends())?;
        let before = month_before(&now.period)?;
        let hours = |period: &str| bill.usage_totals().hours_of(&line.key.cloud, &line.key.billing_account, period);
        let (now_hours, before_hours) = (hours(&now.period), hours(&before));
        let are_known = [&now_hours, &before_hours].iter().all(|hours| Decimal::from(hours.count()) >= self.hours_min);
        are_known.then_some(Months { now, now_hours, before, before_hours })
    }

    fn judge(&self, months: &Months<'_>, group: &Group<'_>, (usage_type, both): (&str, &Both)) -> Option<Finding> {
        let is_effective = both.now.tells_effective() && both.before.tells_effective();
        let now_share = both.now.share(&months.now.period, &months.now_hours)?;
        let before_share = both.before.share(&months.before, &months.before_hours)?;
        let now = now_share.monthly(both.now.cost(is_effective))?;
        let before = before_share.monthly(both.before.cost(is_effective))?.max(Decimal::ZERO);
        let growth = now.checked_sub(before)?;
        let is_new = before.is_zero();
        if !is_worth_telling(growth, group.currency()) || (!is_new && growth < before.checked_mul(self.growth_min)?) {
            return None;
        }
        let is_large = in_usd_for_ranking(growth, group.currency()).unwrap_or(growth) >= self.amount_min;
        let mut rate = RunRate::default();
        let charged = growth.checked_mul(now_share.hours().into())?.checked_div(now_share.month_hours().into())?;
        rate.add(if now_share.is_whole() { growth } else { charged }, Some(now_share));
        let figures = at_run_rate(group, &rate, 80)?;
        let line = group.first();
        let name = if usage_type.is_empty() { "usage without a type" } else { usage_type };
        let amount = |amount| money(round(amount), group.currency());
        let more = if is_new {
            format!("and was not charged in {}", months.before)
        } else {
            let share = percent(growth.checked_div(before)?);
            format!("{} ({share} %) more than the {} of {}", amount(growth), amount(before), months.before)
        };
        let message = format!(
            "{name} of {} in account {} comes to {} a month, {more}",
            line.service(),
            line.key.account,
            amount(now)
        );
        let status = if is_large { Status::Fail } else { Status::Info };
        let scope = account_scope(line, ResourceType::UsageType, name);
        Some(
            finding(CHECK_ID, group, scope, status, &figures)
                .own_line_from(self.amount_min)
                .dimension("rows", both.now.total.rows)
                .dimension("monthly_cost_now", round(now))
                .dimension("monthly_cost_before", round(before))
                .dimension("period_before", &months.before)
                .text(
                    "Cost grew against the month before",
                    message,
                    "Ask the owner what changed: a launch, a test that still runs, a price or a plan that ended.",
                ),
        )
    }
}

impl BillingCheck for Growth {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let totals = bill.usage_totals();
        if !totals.is_whole() {
            return Vec::new();
        }
        let groups = by_service(bill.current().filter(|line| line.is_cost_of_use()));
        let mut months: BTreeMap<[&str; 2], Option<Months<'_>>> = BTreeMap::new();
        for group in &groups {
            let line = group.first();
            months.entry([&line.key.cloud, &line.key.billing_account]).or_insert_with(|| self.months(bill, line));
        }
        let mut seen: BTreeMap<Account<'_>, BTreeMap<&str, Both>> = BTreeMap::new();
        let mut known_before: BTreeSet<[&str; 3]> = BTreeSet::new();
        for (key, total) in totals.iter() {
            let payer: [&str; 2] = [&key.cloud, &key.billing_account];
            let Some(Some(of)) = months.get(&payer) else { continue };
            let (is_now, is_before) = (key.period == of.now.period, *key.period == *of.before);
            if is_before {
                known_before.insert([payer[0], payer[1], &key.account]);
            }
            if is_now || is_before {
                let both = seen.entry(account_of(key)).or_default().entry(&key.usage_type).or_default();
                if is_now { &mut both.now } else { &mut both.before }.add(total);
            }
        }
        let mut findings = Vec::new();
        for group in &groups {
            let key = &group.first().key;
            let payer: [&str; 2] = [&key.cloud, &key.billing_account];
            let Some(Some(of)) = months.get(&payer) else { continue };
            if !known_before.contains(&[payer[0], payer[1], &*key.account]) {
                continue;
            }
            let account: Account<'_> =
                [&key.cloud, &key.billing_account, &key.account, group.first().service(), &key.currency];
            let usage_types = seen.get(&account).into_iter().flatten();
            findings.extend(usage_types.filter_map(|(usage_type, both)| self.judge(of, group, (usage_type, both))));
        }
        findings
    }
}

impl Sum {
    fn add(&mut self, more: &UsageTotal) {
        let total = &mut self.total;
        total.billed += more.billed;
        total.amortized += more.amortized;
        total.is_effective_unknown |= more.is_effective_unknown;
        total.hours.merge(&more.hours);
        total.rows += more.rows;
    }

    /// An export that charges something at an effective cost of 0 does not fill that column in.
    fn tells_effective(&self) -> bool {
        let UsageTotal { billed, amortized, is_effective_unknown, .. } = self.total;
        !is_effective_unknown && (billed.is_zero() || !amortized.is_zero())
    }

    fn cost(&self, is_effective: bool) -> Decimal {
        if is_effective { self.total.amortized } else { self.total.billed }
    }

    /// How much of the month the bill shows: of the paying account, or more where rows are longer than that.
    fn share(&self, period: &str, shown: &HourSet) -> Option<MonthShare> {
        MonthShare::new(shown.span().max(self.total.hours.span()), hours_of_month(period))
    }
}

fn account_of(key: &UsageKey) -> Account<'_> {
    let service = if &*key.cloud == "aws" { product_code(&key.service) } else { &key.service };
    [&key.cloud, &key.billing_account, &key.account, service, &key.currency]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn month(cost: &str) -> Row {
        row("").usage_type("Spot:x", "").resource("i-1").cost(cost).hours(720)
    }

    #[test]
    fn ratio_and_amount_make_the_verdict() {
        let cases = [
            // Before, now, status; a whole month of August is 744 hours.
            ("240", "300", Some(Status::Fail)),
            ("240", "299.99", None),
            ("40", "90", Some(Status::Fail)),
            ("40", "89.99", Some(Status::Info)),
            ("40", "49.99", None),
        ];
        for (before, now, status) in cases {
            let findings = check_default(CHECKER_ID, [month(before).hours(744).in_august(), month(now)]);
            assert_eq!(findings.first().map(|f| f.status), status, "{before} {now}");
        }
        let findings = check_default(CHECKER_ID, [month("40").hours(744).in_august(), month("90")]);
        assert_eq!((&*findings[0].scope.resource_id, amounts(&findings[0])), ("Spot:x", money_of("-", "50")));
        assert_eq!(findings[0].issue_key.len(), 1, "no measured number: {:?}", findings[0].issue_key);
    }

    #[test]
    fn spellings_of_a_service_are_one() {
        let before = month("40").hours(744).in_august().service("Amazon Elastic Compute Cloud");
        let findings = check_default(CHECKER_ID, [before.clone(), month("50").service("AmazonEC2")]);
        assert_eq!(findings.iter().map(amounts).collect::<Vec<_>>(), [money_of("-", "10")]);
    }
}
