//! Data that moves between zones of one region.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::at_run_rate;
use super::group::{Group, by_region_and_service};
use super::run_rate::RunRate;
use super::subject::{finding, is_worth_telling, named_scope, place};
use super::text::figure;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::ranking::in_usd_for_ranking;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.transfer.cross.zone";
const CHECK_ID: &str = "billing.transfer.cross.zone";

const DOCS: CheckerDocs = CheckerDocs {
    what: "data transfer between zones of a region, by account, region and service",
    why: "it is charged in both directions and grows with every chatty service; much of it can stay in one zone",
    money: "cost = transfer charges. Savings are unknown: a bill does not tell which traffic could stay",
    month: MonthRule::ByBill,
    verdict: "fail from cost_min on; info from a cent on",
    thresholds: &[Threshold {
        key: "cost_min",
        default: DefaultValue::Number("100"),
        meaning: "charges in a month, at the rate so far, in US dollars or about as much in another currency, from which it is worth a look at placement",
    }],
    data: "rows of regional data transfer",
    limits: "replication across zones is the price of availability",
};

inventory::submit! {
    over_bill(
        "checks.focus.transfer_cross_zone:TransferCrossZoneChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Data transfer between zones", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(TransferCrossZone::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct TransferCrossZone {
    cost_min: Decimal,
}

impl TransferCrossZone {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { cost_min: thresholds.number("cost_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let rate = RunRate::of(bill, group.lines());
        let cost = rate.monthly();
        if !is_worth_telling(cost, group.currency()) {
            return None;
        }
        let line = group.first();
        let ranked = in_usd_for_ranking(cost, group.currency());
        let status = if ranked.is_some_and(|usd| usd >= self.cost_min) { Status::Fail } else { Status::Info };
        let figures = at_run_rate(group, &rate, 95)?;
        let message = format!(
            "{} of account {} moved data between zones of {}, which {}",
            line.service(),
            line.key.account,
            place(line),
            figures.cost_text(),
        );
        let scope = named_scope(line, ResourceType::DataTransfer, "cross-zone");
        let finding = finding(CHECK_ID, group, scope, status, &figures)
            .dimension("gib", group.quantity().map_or_else(|| "unknown".to_owned(), |gib| figure(gib, 6)))
            .dimension("resources", group.resources_text())
            .dimension("top_resources", group.top_resources(3));
        Some(finding.text(
            "Data transfer between zones",
            message,
            "Keep callers and callees in one zone where that is safe, and turn on zone-aware routing.",
        ))
    }
}

impl BillingCheck for TransferCrossZone {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let transfer = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::TransferCrossZone);
        by_region_and_service(transfer).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn transfer(resource: &str, cost: &str) -> Row {
        row("$0.010 per GB - regional data transfer - in/out/between EC2 AZs or using elastic IPs or ELB")
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
    fn less_than_a_cent_is_not_said() {
        assert_eq!(check_default(CHECKER_ID, [transfer("i-1", "0.009")]), []);
    }
}
