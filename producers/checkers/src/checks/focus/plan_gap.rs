//! On-demand compute of a paying account that no commitment by family covers, and a plan over all families, regions and accounts would.

use contracts::draft::{Scope, Status};
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use rust_decimal::Decimal;

use super::commitment_gap::CommitmentGap;
use super::figures::monthly_of_many;
use super::group::Group;
use super::pool::Pool;
use super::run_rate::share_of as share_of_charge;
use super::saved::Saved;
use super::subject::{account_scope, finding};
use super::text::{figure, is_visible, money};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.compute.plan.gap";
const CHECK_ID: &str = "billing.compute.plan.gap";

const DOCS: CheckerDocs = CheckerDocs {
    what: "on-demand compute (EC2 and Fargate) of a paying account that no single family, region or account runs steadily, and that all of \
           them together do",
    why: "a Compute Savings Plan follows usage from one family, region or account to another: what moves is covered, too",
    money: "cost = on-demand compute of the paying account; savings = those of a plan of c an hour that saves most on what commitments by \
            family (`billing.compute.commitment.gap`) leave: the sum over all hours of min(rest of the hour, c) − c × (1 − discount) × hours, \
            so that both can be added up. Discount and hours_min are those of `focus.compute.commitment.gap`",
    month: MonthRule::ByBill,
    verdict: "fail when such a plan saves; nothing is said of others",
    thresholds: &[],
    data: "rows of instance and container hours with price category, resource, quantity and charge period, of all accounts of a paying account",
    limits: "a plan covers functions as well, at a lower discount: they are looked at by themselves; a bill of one account shows no other; the discount is an assumption, not an offer",
};

inventory::submit! {
    over_bill(
        "checks.focus.plan_gap:PlanGapChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "On-demand compute that a plan over all families would cover",
            category: "cost",
            sub_category: "commitments",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(PlanGap(CommitmentGap::of(&context.rulepack)?)))),
    )
}

struct PlanGap(CommitmentGap);

impl PlanGap {
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>, rest: &Pool) -> Option<Finding> {
        let (line, discount) = (group.first(), self.0.assumed.machines);
        let base = rest.base(discount, None);
        if !is_visible(base.savings) {
            return None;
        }
        let monthly = share_of_charge(bill, line).map_or(Some(base.savings), |share| share.monthly(base.savings))?;
        let formula = base.formula("rest", rest.hours(), discount);
        let how = format!("{formula}, where the rest is what commitments by family leave");
        let figures = monthly_of_many(bill, group, 50)?;
        let figures = figures.with_savings(Saved::part(bill, group, base.savings), monthly, &how);
        let payer = &line.key.billing_account;
        let scope = Scope {
            account_id: payer.to_string(),
            service: "compute".to_owned(),
            ..account_scope(line, ResourceType::ComputePortfolio, "compute")
        };
        let message = format!(
            "compute on demand of all accounts of {payer} {}; beside what commitments by family would cover, {} an hour ran steadily, now in one \
             family, region or account and then in another: a plan over all of them {}",
            figures.cost_text(),
            money(base.per_hour, group.currency()),
            figures.savings_text(),
        );
        let finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .dimension("assumed_discount", figure(discount, 4))
            .dimension("base_hour", figure(base.per_hour, 6))
            .dimension("plan_hour", figure(base.per_hour * (Decimal::ONE - discount), 6))
            .dimension("bill_hours", rest.hours());
        Some(finding.text(
            "On-demand compute that a plan over all families would cover",
            message,
            "Compare with the provider's recommendations for a Compute Savings Plan: rightsize first, commit to the base only.",
        ))
    }
}

impl BillingCheck for PlanGap {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let rests = self.0.rests(bill);
        let of_payer = rests.iter().filter(|(group, _)| !group.first().key.billing_account.is_empty());
        of_payer.filter_map(|(group, rest)| self.judge(bill, group, rest)).collect()
    }
}
