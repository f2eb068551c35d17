//! Credits that hide what things cost.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::closed_lists::ChargeCategory;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use rust_decimal::Decimal;

use super::figures::at_run_rate;
use super::group::{Group, by_service};
use super::run_rate::{RunRate, share_of};
use super::subject::{account_scope, finding};
use super::text::{is_visible, money, percent, round, share_of as ratio};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.credit.masking";
const CHECK_ID: &str = "billing.credit.masking";

const DOCS: CheckerDocs = CheckerDocs {
    what: "credits that pay for a good part of what an account uses of a service",
    why: "credits end; the usage they pay for goes on and lands on the next bill",
    money: "cost = what the credits took off, at most the usage charges: it comes back when they end. No savings",
    month: MonthRule::ByBill,
    verdict: "info when credits are at least share_min of the usage charges",
    thresholds: &[Threshold {
        key: "share_min",
        default: DefaultValue::Number("0.05"),
        meaning: "credits as a share of the usage charges of account and service",
    }],
    data: "rows of category Credit and usage rows",
    limits: "a bill does not tell when credits end; discounts that providers mark as credits look the same; the discounts of AWS reports are none",
};

inventory::submit! {
    over_bill(
        "checks.focus.credit_masking:CreditMaskingChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Credits mask usage", category: "cost", sub_category: "credits" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(CreditMasking::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct CreditMasking {
    share_min: Decimal,
}

impl CreditMasking {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { share_min: thresholds.number("share_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let usage_rate = RunRate::of(bill, group.lines().filter(|l| l.is_charge()));
        let usage = usage_rate.charged();
        let credits = group.lines().filter(|l| l.key.category.is(ChargeCategory::Credit) && !is_price(l));
        let credited = -credits.clone().map(|l| l.sums.billed).sum::<Decimal>();
        let share = ratio(credited, usage);
        if share < self.share_min || !is_visible(credited) {
            return None;
        }
        let line = group.first();
        let kinds: std::collections::BTreeSet<_> = credits.clone().map(|l| &*l.sums.description).collect();
        let kinds = kinds.into_iter().take(3).collect::<Vec<_>>().join("; ");
        let message = format!(
            "credits paid {} of {} for {} in account {} ({} %): {kinds}",
            money(credited, group.currency()),
            money(usage, group.currency()),
            line.service(),
            line.key.account,
            percent(share),
        );
        let mut credit_rate = RunRate::default();
        credits.for_each(|l| credit_rate.add(-l.sums.billed, share_of(bill, l)));
        let paid = if credit_rate.monthly() > usage_rate.monthly() { usage_rate } else { credit_rate };
        let figures = at_run_rate(group, &paid, 90)?;
        let scope = account_scope(line, ResourceType::CostService, line.service());
        let finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
            .dimension("share_pct", percent(share))
            .dimension("usage_cost", round(usage));
        Some(finding.text(
            format!("Credits pay for {}", line.service()),
            message,
            "Find out when the credits end and plan the budget without them; optimise this usage before they do.",
        ))
    }
}

/// True for a credit that does not end while what it is for runs: the discount of Google Cloud for sustained use.
fn is_price(line: &UsageLine) -> bool {
    let described = line.sums.description.to_lowercase();
    &*line.key.cloud == "gcp" && ["sustained usage", "sustained use"].iter().any(|name| described.contains(name))
}

impl BillingCheck for CreditMasking {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        by_service(bill.current()).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_share_of_credits_makes_the_verdict() {
        let cases = [("-4", None), ("-5", Some("5")), ("-250", Some("100"))];
        for (credit, masked) in cases {
            let credit = row("Promotional credits").category("Credit").cost(credit).hours(720);
            let findings = check_default(CHECKER_ID, [row("a").cost("100").hours(720), credit]);
            let seen: Vec<_> = findings.iter().map(amounts).collect();
            assert_eq!(seen, masked.map(|masked| money_of("-", masked)).into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_discount_for_sustained_use_is_a_price() {
        let of = |text: &str| {
            let charge = row("N1 Predefined Instance Core running in Americas").cloud("gcp").cost("100").hours(720);
            let findings =
                check_default(CHECKER_ID, [charge, row(text).cloud("gcp").category("Credit").cost("-30").hours(720)]);
            findings.len()
        };
        assert_eq!([of("Sustained Usage Discount"), of("Free trial")], [0, 1]);
    }

    #[test]
    fn credits_without_usage_mask_nothing() {
        let credit = row("Promotional credits").category("Credit").cost("-5");
        assert_eq!(check_default(CHECKER_ID, [credit, row("a").account("444455556666")]), []);
    }
}
