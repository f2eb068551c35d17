//! Usage that was charged below zero.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use rust_decimal::Decimal;

use super::figures::no_money;
use super::group::{Group, by_service};
use super::subject::{account_scope, finding, is_worth_telling};
use super::text::{counted, figure, money};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.usage.negative";
const CHECK_ID: &str = "billing.usage.negative";

const DOCS: CheckerDocs = CheckerDocs {
    what: "usage rows with a negative amount that are not marked as corrections, by account and service",
    why: "they take back charges of earlier days: sums per day or resource are wrong until both are seen together",
    money: "none: what was taken back is in the dimension amount_negative",
    month: MonthRule::NoMoney,
    verdict: "info for each account and service where such rows take back a cent or more",
    thresholds: &[],
    data: "usage rows with ChargeClass and amount",
    limits: "does not find the charge that is taken back; silent where the export has no column ChargeClass, since then \
             nothing tells whether a row is a correction",
};

inventory::submit! {
    over_bill(
        "checks.focus.usage_negative:UsageNegativeChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Negative usage charges",
            category: "governance",
            sub_category: "data quality",
        }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(UsageNegative))),
    )
}

struct UsageNegative;

impl BillingCheck for UsageNegative {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let negative = bill.current().filter(|l| l.is_usage() && l.key.is_negative && l.sums.is_class_stated);
        by_service(negative).iter().filter_map(judge).collect()
    }
}

fn judge(group: &Group<'_>) -> Option<Finding> {
    let amount: Decimal = group.billed();
    if !is_worth_telling(-amount, group.currency()) {
        return None;
    }
    let line = group.first();
    let message = format!(
        "{} of {} in account {} charged below zero, {} in all, without a mark as correction",
        counted(group.rows(), "row", "rows"),
        line.service(),
        line.key.account,
        money(amount, group.currency()),
    );
    let scope = account_scope(line, ResourceType::CostService, line.service());
    let finding = finding(CHECK_ID, group, scope, Status::Info, &no_money(group))
        .dimension("amount_negative", figure(amount, 6))
        .dimension("resources", group.resources_text())
        .dimension("top_resources", group.top_resources(3));
    Some(finding.text(
        format!("Negative usage charges of {}", line.service()),
        message,
        "Compare whole months only, or ask the provider to mark corrections.",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn only_negative_usage_counts() {
        let rows = [
            row("a").cost("-0.25").cloud("azure").service("Storage Accounts"),
            row("a").cost("-0.5").cloud("azure").service("Storage Accounts").resource("r"),
            row("a").cost("3").cloud("azure").service("Storage Accounts"),
            row("credit").cost("-9").category("Credit"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((amounts(finding), &*finding.dimensions["amount_negative"]), (money_of("-", "-"), "-0.75"));
        assert_eq!((&*finding.scope.cloud, &*finding.scope.service), ("azure", "Storage Accounts"));
    }

    #[test]
    fn an_export_that_marks_no_corrections_says_nothing() {
        assert_eq!(check_default(CHECKER_ID, [row("a").cost("-9").class_unstated()]), []);
    }
}
