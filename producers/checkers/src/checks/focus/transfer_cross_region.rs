//! Data that moves to another region.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::group::{Group, by_region_and_service};
use super::spend::{CostMin, Spend, THRESHOLDS, quantity_text};
use super::subject::place;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.transfer.cross.region";
const CHECK_ID: &str = "billing.transfer.cross.region";

const DOCS: CheckerDocs = CheckerDocs {
    what: "data transfer to other regions, by account, sending region and service",
    why: "data that is copied or read across regions is charged per GB, often for a copy that is not needed",
    money: "cost = transfer charges. Savings are unknown: a bill does not tell which traffic could stay",
    month: MonthRule::ByBill,
    verdict: "fail from cost_min on; info from a dollar on",
    thresholds: THRESHOLDS,
    data: "rows of outgoing data transfer to a region",
    limits: "replication to another region is the price of disaster recovery",
};

inventory::submit! {
    over_bill(
        "checks.focus.transfer_cross_region:TransferCrossRegionChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Data transfer between regions", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(TransferCrossRegion(CostMin::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?)))),
    )
}

const SPEND: Spend = Spend {
    check_id: CHECK_ID,
    resource_type: ResourceType::DataTransfer,
    resource_id: "cross-region",
    title: "Data transfer between regions",
    advice: "Find what is copied or called across regions; cache it, move the caller, or replicate less.",
};

struct TransferCrossRegion(CostMin);

impl TransferCrossRegion {
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let (service, account) = (line.service(), &line.key.account);
        let what = format!("{service} of account {account} moved data from {} to other regions, which", place(line));
        Some(self.0.judge(bill, group, &SPEND, &what)?.dimension("gib", quantity_text(group.quantity())))
    }
}

impl BillingCheck for TransferCrossRegion {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let transfer = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::TransferCrossRegion);
        by_region_and_service(transfer).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contracts::draft::Status;

    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn transfer(resource: &str, cost: &str) -> Row {
        row("$0.02 per GB - US West (Oregon) data transfer to US East (Northern Virginia)")
            .resource(resource)
            .cost(cost)
            .hours(720)
    }

    #[test]
    fn resources_of_a_region_are_one_finding() {
        for (cost, total, status) in [("40", "99", Status::Info), ("41", "100", Status::Fail)] {
            let findings = check_default(CHECKER_ID, [transfer("i-1", "59"), transfer("i-2", cost), row("x")]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", total)));
            assert_eq!(finding.dimensions["top_resources"], "i-1, i-2");
        }
    }

    #[test]
    fn less_than_a_dollar_is_not_said() {
        assert_eq!(check_default(CHECKER_ID, [transfer("i-1", "0.99")]), []);
    }
}
