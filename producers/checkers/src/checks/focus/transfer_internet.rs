//! Data that is sent to the internet.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;

use super::group::{Group, by_region_and_service};
use super::spend::{CostMin, Spend, THRESHOLDS, quantity_text};
use super::subject::place;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.transfer.internet";
const CHECK_ID: &str = "billing.transfer.internet";

const DOCS: CheckerDocs = CheckerDocs {
    what: "data transfer to the internet, by account, region and service",
    why: "it is the dearest way for data to travel; caches, compression and a content delivery network send less of it or for less",
    money: "cost = transfer charges. Savings are unknown: a bill does not tell what is sent, nor what a cache could answer",
    month: MonthRule::ByBill,
    verdict: "fail from cost_min on; info from a dollar on",
    thresholds: THRESHOLDS,
    data: "rows of data transfer out",
    limits: "what customers download is the product; large volumes have negotiated prices",
};

const SPEND: Spend = Spend {
    check_id: CHECK_ID,
    resource_type: ResourceType::DataTransfer,
    resource_id: "internet",
    title: "Data transfer to the internet",
    advice: "Serve public content through CloudFront or another cache, compress it, and ask for a private rate from some 10 TB a month on.",
};

inventory::submit! {
    over_bill(
        "checks.focus.transfer_internet:TransferInternetChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Data transfer to the internet", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(TransferInternet(CostMin::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?)))),
    )
}

struct TransferInternet(CostMin);

impl TransferInternet {
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let what = format!(
            "{} of account {} sent data from {} to the internet, which",
            line.service(),
            line.key.account,
            place(line)
        );
        Some(self.0.judge(bill, group, &SPEND, &what)?.dimension("gib", quantity_text(group.quantity())))
    }
}

impl BillingCheck for TransferInternet {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let transfer = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::TransferInternet);
        by_region_and_service(transfer).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use contracts::draft::Status;

    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_amount_of_a_region_makes_the_verdict() {
        let sent = |resource: &str, cost: &str| {
            row("$0.090 per GB - first 10 TB / month data transfer out beyond the global free tier")
                .resource(resource)
                .cost(cost)
                .hours(720)
        };
        for (cost, total, status) in [("40", "99", Status::Info), ("41", "100", Status::Fail)] {
            let findings = check_default(CHECKER_ID, [sent("i-1", "59"), sent("i-2", cost), row("x")]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", total)));
            assert_eq!((&*finding.dimensions["top_resources"], &*finding.dimensions["gib"]), ("i-1, i-2", "2"));
        }
        assert_eq!(check_default(CHECKER_ID, [sent("i-1", "0.99")]), []);
    }
}
