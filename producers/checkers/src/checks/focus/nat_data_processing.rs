//! Data that pays for passing through a NAT gateway.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::ended::resource_has_ended;
use super::figures::at_run_rate;
use super::group::{Group, by_resource_or_place};
use super::run_rate::{RunRate, monthly_quantity};
use super::subject::{finding, resource_or_all_scope};
use super::text::{figure, is_visible, quantity_text, round};
use super::words::{ByCloud, Words};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.nat.data.processing";
const CHECK_ID: &str = "billing.nat.data.processing";

const DOCS: CheckerDocs = CheckerDocs {
    what: "NAT gateways that are charged for processing data",
    why: "each GB costs as much as an hour of the gateway; traffic to the cloud's own storage can go around it for free",
    money: "cost = data processing charges. Savings are unknown: a bill does not tell which traffic could go around",
    month: MonthRule::ByBill,
    verdict: "fail from gib_min on; info below",
    thresholds: &[Threshold {
        key: "gib_min",
        default: DefaultValue::Number("100"),
        meaning: "GB processed in a month, at the rate so far, from which it is worth a look at the routes",
    }],
    data: "rows of NAT data processing with quantity in GB, and with resource (Google Cloud: else of account and region)",
    limits: "says nothing about where the traffic goes",
};

inventory::submit! {
    over_bill(
        "checks.focus.nat_data_processing:NatDataProcessingChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "NAT gateway data processing", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(NatDataProcessing::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

const WORDS: ByCloud<Words> = ByCloud {
    aws: Words {
        noun: "NAT gateway",
        title: "NAT gateway charged for data",
        advice: "Add gateway endpoints for S3 and DynamoDB, keep traffic between zones local, and pull images through an endpoint.",
    },
    azure: Words {
        noun: "NAT gateway",
        title: "NAT gateway charged for data",
        advice: "Reach Azure Storage, SQL and other Azure services through service endpoints, which cost nothing, or private \
                 endpoints instead of the NAT gateway.",
    },
    google: Words {
        noun: "Cloud NAT gateway",
        title: "Cloud NAT charged for data",
        advice: "Turn on Private Google Access for the subnets, so that traffic to Google APIs goes around Cloud NAT; mirror packages \
                 and images in Artifact Registry.",
    },
};

struct NatDataProcessing {
    gib_min: Decimal,
}

impl NatDataProcessing {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { gib_min: thresholds.number("gib_min")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let sum = |meter| group.lines().filter(|l| l.key.meter == meter).map(|l| l.sums.billed).sum::<Decimal>();
        if !is_visible(sum(Meter::NatData)) || resource_has_ended(bill, group) {
            return None;
        }
        let data = || group.lines().filter(|l| l.key.meter == Meter::NatData);
        let figures = at_run_rate(group, &RunRate::of(bill, data()), 90)?;
        let gib_monthly = monthly_quantity(bill, data());
        let is_much = gib_monthly.is_some_and(|gib| gib >= self.gib_min);
        let status = if is_much { Status::Fail } else { Status::Info };
        let scope =
            resource_or_all_scope(line, ResourceType::NatGateway, Some(("ec2", "natgateway")), "all-nat-gateways");
        let words = WORDS.of(line);
        let text = |gib: Option<Decimal>| gib.map_or_else(|| "unknown".to_owned(), |gib| figure(gib, 6));
        let gib = text(data().map(|line| line.sums.quantity).sum());
        let monthly = text(gib_monthly);
        let (noun, amount) = (words.noun, quantity_text(&gib, &monthly));
        let message = format!("{noun} {} processed {amount}, which {}", scope.resource_id, figures.cost_text());
        let mut finding = finding(CHECK_ID, group, scope, status, &figures)
            .dimension("gib_processed", gib)
            .dimension("gib_monthly", monthly)
            .text(words.title, message, words.advice);
        let cost_hours = sum(Meter::NatHours);
        if is_visible(cost_hours) {
            finding = finding.dimension("cost_hours", round(cost_hours));
        }
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for NatDataProcessing {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let nat = bill.current().filter(|l| l.is_charge() && matches!(l.key.meter, Meter::NatData | Meter::NatHours));
        by_resource_or_place(nat).iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    const NAT: &str = "arn:aws:ec2:us-west-2:111122223333:natgateway/nat-0a";

    #[test]
    fn the_amount_of_data_makes_the_verdict() {
        for (gib, status) in [("99.9", Status::Info), ("100", Status::Fail)] {
            let data =
                row("$0.045 per GB Data Processed by NAT Gateways").resource(NAT).quantity(gib).cost("4.5").hours(720);
            let hours = row("$0.045 per NAT Gateway Hour").resource(NAT).cost("32.4").hours(720);
            let findings = check_default(CHECKER_ID, [data, hours]);
            let [finding] = findings.as_slice() else { panic!("one finding expected") };
            assert_eq!((finding.status, amounts(finding)), (status, money_of("-", "4.5")));
            assert_eq!((&*finding.scope.resource_id, &*finding.scope.resource_arn), ("nat-0a", NAT));
            assert_eq!(finding.dimensions["cost_hours"], "32.4");
        }
    }

    #[test]
    fn a_gateway_without_data_charges_is_no_finding() {
        let rows = [
            row("$0.045 per NAT Gateway Hour").resource(NAT),
            row("$0.045 per GB Data Processed by NAT Gateways").resource(NAT).cost("0.0000000017"),
        ];
        assert_eq!(check_default(CHECKER_ID, rows), []);
    }
}
