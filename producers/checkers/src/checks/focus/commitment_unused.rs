//! Commitments that were paid for and not used.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use rust_decimal::Decimal;

use super::figures::as_charged;
use super::group::{Group, group_by};
use super::subject::{finding, resource_scope};
use super::text::{is_visible, short_id};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.commitment.unused";
const CHECK_ID: &str = "billing.commitment.unused";

const DOCS: CheckerDocs = CheckerDocs {
    what: "Savings Plans and reservations of which a part was not used",
    why: "the unused part is paid for all the same",
    money: "cost = savings = effective cost of the rows with status Unused. It is what matching usage would have used up; \
            ending it before its term is usually not possible. What is left over differs from hour to hour",
    month: MonthRule::AsCharged,
    verdict: "fail when any part was unused",
    thresholds: &[],
    data: "rows with CommitmentDiscountStatus = Unused",
    limits: "exports without that column, or with used rows only, show nothing",
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
        group_by(unused, |line| (&line.key.region, &line.key.commitment)).iter().filter_map(judge).collect()
    }
}

fn judge(group: &Group<'_>) -> Option<Finding> {
    let line = group.first();
    let unused: Decimal = group.lines().map(|line| line.sums.amortized).sum();
    if !is_visible(unused) {
        return None;
    }
    let mut scope = resource_scope(line, ResourceType::Commitment, None);
    scope.resource_id = short_id(&line.key.commitment);
    scope.resource_arn =
        if line.key.commitment.starts_with("arn:") { line.key.commitment.to_string() } else { String::new() };
    let figures = as_charged(group, Some(unused), Some(unused), 80).at_effective_cost();
    let message = format!("the unused part of commitment {} {}", scope.resource_id, figures.cost_text());
    let finding = finding(CHECK_ID, group, scope, Status::Fail, &figures);
    Some(finding.text(
        "Commitment partly unused",
        message,
        "Move eligible on-demand usage under it, exchange or sell what the provider allows, and renew less.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_unused_part_is_both_cost_and_savings() {
        let plan = "arn:aws:savingsplans::111122223333:savingsplan/37985e61";
        let rows = [
            row("ComputeSP:1yrNoUpfront").cost("0").amortized("2.5").committed(plan, "Unused").hours(24),
            row("ComputeSP:1yrNoUpfront").cost("0").amortized("1").committed(plan, "Unused"),
            row("ComputeSP:1yrNoUpfront").cost("0").amortized("9").committed(plan, "Used"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(amounts(finding), money_of("3.5", "3.5"));
        assert_eq!((&*finding.scope.resource_id, &*finding.scope.resource_arn), ("37985e61", plan));
    }

    #[test]
    fn a_commitment_in_full_use_is_no_finding() {
        assert_eq!(check_default(CHECKER_ID, [row("x").committed("plan", "Used"), row("y")]), []);
    }
}
