//! Effective costs that cannot be right.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use rust_decimal::Decimal;

use super::figures::no_money;
use super::group::{Group, by_payer};
use super::subject::{account_scope, finding};
use super::text::{is_visible, money, percent, round, share_of};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};
use crate::severity;

const CHECKER_ID: &str = "focus.effective.cost.mismatch";
const CHECK_ID: &str = "billing.data.effective.cost.mismatch";

const DOCS: CheckerDocs = CheckerDocs {
    what: "paying accounts whose on-demand usage has an effective cost that is not the billed cost",
    why: "without a commitment there is nothing to spread over time, so both must be equal; amortised totals of such a \
          bill are wrong",
    money: "none: the difference is in the dimension difference",
    month: MonthRule::NoMoney,
    verdict: "fail when the differences, each as an absolute amount, exceed ratio_max of the billed on-demand usage",
    thresholds: &[Threshold {
        key: "ratio_max",
        default: DefaultValue::Number("0.01"),
        meaning: "differences as a share of billed on-demand usage; below it they are rounding",
    }],
    data: "on-demand usage rows with BilledCost and EffectiveCost",
    limits: "differences of opposite sign within one line cancel out and stay unseen",
};

inventory::submit! {
    over_bill(
        "checks.focus.effective_cost_mismatch:EffectiveCostMismatchChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Effective cost is not billed cost",
            category: "governance",
            sub_category: "data quality",
        }],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(EffectiveCostMismatch::new(thresholds)?)))
        },
    )
}

struct EffectiveCostMismatch {
    ratio_max: Decimal,
}

impl EffectiveCostMismatch {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { ratio_max: thresholds.number("ratio_max")? })
    }

    fn judge(&self, group: &Group<'_>) -> Option<Finding> {
        let payer = &group.first().key.billing_account;
        let billed = group.billed();
        let difference: Decimal = group.lines().map(|l| (l.sums.amortized - l.sums.billed).abs()).sum();
        let share = share_of(difference, billed);
        if share <= self.ratio_max || !is_visible(difference) {
            return None;
        }
        let message = format!(
            "effective and billed cost of on-demand usage in the bill of {payer} differ by {} in all, {} % of the {} billed",
            money(difference, group.currency()),
            percent(share),
            money(billed, group.currency()),
        );
        let mut scope = account_scope(group.first(), ResourceType::Account, payer);
        scope.account_id = payer.to_string();
        scope.service = "billing".to_owned();
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &no_money(group))
            .dimension("difference", round(difference))
            .dimension("billed_on_demand", round(billed))
            .dimension("share_pct", percent(share));
        // No money is saved, but so much of what people read is wrong.
        finding.severity = severity::of_stake(Status::Fail, difference, group.currency());
        Some(finding.text(
            "Effective cost is not billed cost",
            message,
            "Use billed (unblended) cost for this bill, and ask the owner of the export why effective cost differs.",
        ))
    }
}

impl BillingCheck for EffectiveCostMismatch {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        // Rows that do not tell who pays may be of two payers.
        let on_demand =
            bill.current().filter(|l| l.is_charge() && l.is_on_demand() && !l.key.billing_account.is_empty());
        by_payer(on_demand).iter().filter_map(|group| self.judge(group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contracts::draft::Level;

    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn differences_of_all_accounts_of_a_payer_count_once() {
        let rows = [
            row("a").cost("50").amortized("50"),
            row("b").cost("30").amortized("31").account("444455556666").resource("r"),
            row("c").cost("20").amortized("18").account("777788889999"),
            row("d").cost("0").amortized("9").committed("plan", "Used"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((amounts(finding), &*finding.dimensions["difference"]), (money_of("-", "-"), "3"));
        assert_eq!((&*finding.scope.account_id, finding.severity.level), ("999900001111", Level::Low));
        let large = check_default(CHECKER_ID, [row("a").cost("100000").amortized("0")]);
        assert_eq!(large[0].severity.level, Level::Critical);
    }

    #[test]
    fn rounding_is_no_mismatch() {
        assert_eq!(check_default(CHECKER_ID, [row("a").cost("100").amortized("101")]), []);
    }
}
