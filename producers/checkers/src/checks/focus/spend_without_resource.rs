//! Spend that names no resource.

use std::collections::BTreeSet;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use contracts::service_family::family_of;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use rust_decimal::Decimal;

use super::figures::at_run_rate;
use super::group::{Group, by_service};
use super::run_rate::RunRate;
use super::subject::{account_scope, finding, is_worth_telling};
use super::text::{money, percent, share_of};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.spend.without.resource";
const CHECK_ID: &str = "billing.spend.without.resource";

const DOCS: CheckerDocs = CheckerDocs {
    what: "usage charges of an account and service that name no resource",
    why: "they can be blamed on nothing: no finding, owner or tag will ever meet them",
    money: "cost = usage charges without a resource id. Nothing is saved by naming them",
    month: MonthRule::ByBill,
    verdict: "info when they are at least a cent and share_min of the service's usage charges in the account",
    thresholds: &[Threshold {
        key: "share_min",
        default: DefaultValue::Number("0.10"),
        meaning: "share of the service's usage charges",
    }],
    data: "usage rows with resource id",
    limits: "some services bill per account, not per resource; silent about a bill that names no resource at all: such an \
             export has no resource ids, which says nothing of the spend",
};

inventory::submit! {
    over_bill(
        "checks.focus.spend_without_resource:SpendWithoutResourceChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Spend without a resource",
            category: "governance",
            sub_category: "allocation",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(SpendWithoutResource::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct SpendWithoutResource {
    share_min: Decimal,
}

impl SpendWithoutResource {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { share_min: thresholds.number("share_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let nameless = group.lines().filter(|l| l.key.resource.is_empty());
        let rate = RunRate::of(bill, nameless.clone());
        let share = share_of(rate.charged(), RunRate::of(bill, group.lines()).charged());
        if share < self.share_min || !is_worth_telling(rate.monthly(), group.currency()) {
            return None;
        }
        let figures = at_run_rate(group, &rate, 95)?;
        let line = group.first();
        let message = format!(
            "{} of {} in account {}, {} % of it, names no resource",
            money(rate.charged(), group.currency()),
            line.service(),
            line.key.account,
            percent(share),
        );
        let scope = account_scope(line, ResourceType::CostService, line.service());
        let finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
            .dimension("share_pct", percent(share))
            .dimension("rows_nameless", nameless.map(|l| l.sums.rows).sum::<u64>());
        Some(finding.text(
            format!("{} spend without a resource", line.service()),
            message,
            "Turn on resource ids in the billing export; allocate what is left by account or usage.",
        ))
    }
}

impl BillingCheck for SpendWithoutResource {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let payer = |line: &UsageLine| (line.key.cloud.clone(), line.key.billing_account.clone());
        let names_some: BTreeSet<_> = bill.current().filter(|l| !l.key.resource.is_empty()).map(payer).collect();
        // A support plan is for no resource.
        let is_support = |line: &UsageLine| family_of(&line.key.service) == "support";
        let charges = bill.current().filter(|l| l.is_charge() && names_some.contains(&payer(l)) && !is_support(l));
        by_service(charges).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn nameless_spend_is_named_from_its_share_on() {
        for (nameless, is_found) in [("0.9", false), ("1", true)] {
            let rows = [
                row("a").cost(nameless).hours(720),
                row("b").cost("9").resource("i-1"),
                row("c").category("Tax").cost("99"),
            ];
            let findings = check_default(CHECKER_ID, rows);
            assert_eq!(findings.len(), usize::from(is_found), "{nameless}");
            if let [finding] = findings.as_slice() {
                assert_eq!((finding.status, amounts(finding)), (Status::Info, money_of("-", nameless)));
            }
        }
    }

    #[test]
    fn a_bill_without_resource_ids_says_nothing() {
        let of_another_payer = row("b").resource("i-1").cloud("azure");
        assert_eq!(check_default(CHECKER_ID, [row("a").cost("9"), of_another_payer]), []);
    }
}
