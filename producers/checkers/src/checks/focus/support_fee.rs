//! What a support plan costs, and its share of what else is charged.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use contracts::service_family::family_of;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use rust_decimal::Decimal;

use super::figures::at_run_rate;
use super::group::{Group, by_payer, by_service, payer};
use super::run_rate::RunRate;
use super::subject::{account_scope, finding, is_worth_telling};
use super::text::{percent, share_of};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.support.fee";
const CHECK_ID: &str = "billing.support.fee";
/// Product family of support plans.
const SUPPORT: &str = "support";

const DOCS: CheckerDocs = CheckerDocs {
    what: "fees of support plans, by account that is charged for one",
    why: "the fee is a share of the bill, and every account that subscribes by itself pays its own minimum and the highest share; what \
          lowers the bill lowers the fee as well",
    money: "cost = support fees as charged: they grow with the bill, and most exports write them once a month. Savings are unknown: they \
            depend on the plan that is needed",
    month: MonthRule::ByBill,
    verdict: "fail when the fee is at least share_min of what else the paying account is charged for use; info below",
    thresholds: &[Threshold {
        key: "share_min",
        default: DefaultValue::Number("0.10"),
        meaning: "share of the support fee in all other charges for use of the paying account, from which it is worth a look",
    }],
    data: "rows of support plans (AWSSupportDeveloper, AWSSupportBusiness, AWSSupportEnterprise) beside usage",
    limits: "does not know how often support is asked; the fee of a month in progress is that of the usage so far",
};

inventory::submit! {
    over_bill(
        "checks.focus.support_fee:SupportFeeChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Support plan fee", category: "cost", sub_category: "support" }],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(SupportFee::new(thresholds)?)))
        },
    )
}

struct SupportFee {
    share_min: Decimal,
}

impl SupportFee {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { share_min: thresholds.number("share_min")? })
    }

    /// `used` is what the paying account is charged for use.
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>, used: Decimal) -> Option<Finding> {
        let rate = RunRate::of(bill, group.lines());
        if !is_worth_telling(rate.charged(), group.currency()) || used <= Decimal::ZERO {
            return None;
        }
        let share = share_of(rate.charged(), used);
        let status = if share >= self.share_min { Status::Fail } else { Status::Info };
        let figures = at_run_rate(group, &rate, 90)?;
        let line = group.first();
        let message = format!(
            "the support plan {} of account {} {}, {} % of what else its payer is charged for use",
            line.service(),
            line.key.account,
            figures.cost_text(),
            percent(share),
        );
        let scope = account_scope(line, ResourceType::SupportPlan, line.service());
        Some(finding(CHECK_ID, group, scope, status, &figures).dimension("share_pct", percent(share)).text(
            "Support plan fee",
            message,
            "Check which accounts need this plan, subscribe for the organization instead of account by account, and lower usage before \
             the fee.",
        ))
    }
}

impl BillingCheck for SupportFee {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let is_support = |line: &UsageLine| family_of(&line.key.service) == SUPPORT;
        let fees = bill.current().filter(|l| !l.key.is_earlier && is_charged(l) && is_support(l));
        let used = by_payer(bill.current().filter(|l| l.is_cost_of_use() && !is_support(l)));
        let judge = |fee: &Group<'_>| {
            let of_payer = used.iter().find(|group| payer(group.first()) == payer(fee.first()))?;
            self.judge(bill, fee, of_payer.lines().map(cost_of).sum())
        };
        by_service(fees).iter().filter_map(judge).collect()
    }
}

/// A fee is a purchase in some exports and usage in others. Its reversals count, a tax on it does not.
fn is_charged(line: &UsageLine) -> bool {
    use inventories::billing::closed_lists::ChargeCategory::{Adjustment, Purchase, Usage};
    [Purchase, Usage, Adjustment].iter().any(|category| line.key.category.is(*category))
}

/// With commitments spread over their term, where the bill tells it.
fn cost_of(line: &UsageLine) -> Decimal {
    if line.sums.is_effective_known { line.sums.amortized } else { line.sums.billed }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn fee(cost: &str) -> Row {
        row("10% of monthly AWS usage for the first $0-$10K")
            .service("AWSSupportBusiness")
            .category("Purchase")
            .cost(cost)
            .hours(720)
            .region("")
    }

    #[test]
    fn the_share_makes_the_verdict() {
        for (cost, status) in [("100", Status::Fail), ("99", Status::Info)] {
            let findings = check_default(CHECKER_ID, [fee(cost), row("x").cost("1000").hours(720)]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", cost)));
            assert_eq!((&*finding.scope.region, &*finding.scope.resource_id), ("global", "AWSSupportBusiness"));
        }
    }

    #[test]
    fn without_usage_there_is_no_share() {
        assert_eq!(check_default(CHECKER_ID, [fee("100"), row("x").cost("1000").currency("EUR")]), []);
        assert_eq!(check_default(CHECKER_ID, [fee("100"), fee("-100"), row("x").cost("1000")]), []);
    }
}
