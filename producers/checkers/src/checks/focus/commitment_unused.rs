//! Commitments that were paid for and not used.

use std::collections::BTreeMap;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::hours::HourSet;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;

use super::ended::has_ended;
use super::figures::at_run_rate;
use super::group::{Group, group_by};
use super::run_rate::{RunRate, share_of_hours};
use super::subject::{finding, resource_scope};
use super::text::short_id;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.commitment.unused";
const CHECK_ID: &str = "billing.commitment.unused";

const DOCS: CheckerDocs = CheckerDocs {
    what: "Savings Plans and reservations of which a part was not used",
    why: "the unused part is paid for all the same",
    money: "cost = effective cost of the rows with status Unused: waste, and sunk until the term ends. Savings are unknown: what \
            can be done (move usage under it, exchange it, sell it, renew less) is not in a bill",
    month: MonthRule::ByBill,
    verdict: "fail when any part was unused",
    thresholds: &[],
    data: "rows with CommitmentDiscountStatus = Unused",
    limits: "exports without that column, or with used rows only, show nothing. A commitment that no row of the bill's last 48 hours \
             names has ended, unless it began in the same month: then rows are missing, and the amount is as charged. Time counts from the first hour of the month that names it: what is left over differs from hour to hour",
};

inventory::submit! {
    over_bill(
        "checks.focus.commitment_unused:CommitmentUnusedChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Unused commitment", category: "cost", sub_category: "commitments" }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(CommitmentUnused))),
    )
}

struct CommitmentUnused;

impl BillingCheck for CommitmentUnused {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let unused = bill.current().filter(|l| l.key.is_unused && !l.key.commitment.is_empty());
        let terms = Terms::of(bill);
        let groups = group_by(unused, |line| (&line.key.region, &line.key.commitment));
        groups.iter().filter_map(|group| judge(bill, &terms, group)).collect()
    }
}

/// Hours that name each commitment, by paying account.
struct Terms<'a>(BTreeMap<(&'a str, &'a str, &'a str), HourSet>);

impl<'a> Terms<'a> {
    fn of(bill: &'a BillingInventory) -> Self {
        let mut terms: BTreeMap<_, HourSet> = BTreeMap::new();
        for line in bill.current().filter(|line| line.is_usage() && !line.key.commitment.is_empty()) {
            terms.entry(Self::key(line)).or_default().merge(&line.sums.hours);
        }
        Self(terms)
    }

    fn key(line: &UsageLine) -> (&str, &str, &str) {
        (&line.key.cloud, &line.key.billing_account, &line.key.commitment)
    }

    /// What comes to a month of amounts of the line's commitment; `None` when its term has ended.
    ///
    /// A term lasts a year or more: where one begins and ends within the month, rows are missing, and nothing tells a rate.
    fn rate(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<RunRate> {
        let line = group.first();
        let (month, named) = (bill.current_month(line)?, self.0.get(&Self::key(line))?);
        let mut share = None;
        let mut rate = RunRate::default();
        if let (Some(first), Some(last)) = (named.first(), named.last()) {
            match has_ended(month, &line.key.service, last) {
                true if month.hours.first() == Some(first) => return None,
                true => rate = RunRate::of_extract(),
                false => {
                    let mut shown = month.hours.since(first);
                    shown.merge(named);
                    share = share_of_hours(bill, line, &shown);
                }
            }
        }
        group.lines().for_each(|line| rate.add(line.sums.amortized, share));
        Some(rate)
    }
}

fn judge(bill: &BillingInventory, terms: &Terms<'_>, group: &Group<'_>) -> Option<Finding> {
    let line = group.first();
    let figures = at_run_rate(group, &terms.rate(bill, group)?, 80)?;
    let mut scope = resource_scope(line, ResourceType::Commitment, None);
    scope.resource_id = short_id(&line.key.commitment);
    scope.resource_arn =
        if line.key.commitment.starts_with("arn:") { line.key.commitment.to_string() } else { String::new() };
    let message = format!("the unused part of commitment {} {}", scope.resource_id, figures.cost_text());
    let finding = finding(CHECK_ID, group, scope, Status::Fail, &figures);
    Some(finding.text(
        "Commitment partly unused",
        message,
        "It is paid until its term ends: move eligible on-demand usage under it, exchange or sell what the provider allows, and renew \
         less.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_unused_part_is_a_cost_and_nothing_is_saved() {
        let plan = "arn:aws:savingsplans::111122223333:savingsplan/37985e61";
        let rows = [
            row("ComputeSP:1yrNoUpfront").cost("0").amortized("2.5").committed(plan, "Unused").hours(24),
            row("ComputeSP:1yrNoUpfront").cost("0").amortized("1").committed(plan, "Unused"),
            row("ComputeSP:1yrNoUpfront").cost("0").amortized("9").committed(plan, "Used"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        // A day of 30.
        assert_eq!((amounts(finding), &*finding.dimensions["charged_cost"]), (money_of("-", "105"), "3.5"));
        assert_eq!((&*finding.scope.resource_id, &*finding.scope.resource_arn), ("37985e61", plan));
    }

    #[test]
    fn a_commitment_in_full_use_is_no_finding() {
        assert_eq!(check_default(CHECKER_ID, [row("x").committed("plan", "Used"), row("y")]), []);
    }
}
