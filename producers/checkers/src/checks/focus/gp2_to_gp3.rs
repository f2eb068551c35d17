//! gp2 volumes that would cost less as gp3.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::{Meter, VolumeKind};
use rust_decimal::Decimal;

use super::figures::monthly_of_resource;
use super::group::{Group, by_resource};
use super::prices::ListPrices;
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::{figure, money};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.ebs.gp2.to.gp3";
const CHECK_ID: &str = "billing.ebs.gp2.to.gp3";

const DOCS: CheckerDocs = CheckerDocs {
    what: "EBS volumes of type gp2 that would cost less as gp3 of the same speed",
    why: "gp3 costs about a fifth less per GiB and its speed does not depend on size; the change needs no downtime",
    money: "size = GB-months charged / share of the month charged; gp3 = size × gp2 price × ratio, plus what gp2 gives by \
            size: IOPS above 3000 (3 per GiB) and throughput above 125 MiB/s (from 170 GiB on); savings of the charge = \
            (gp2 − gp3) × share of the month charged. The ratio is that of the list prices of gp3 and gp2 in the same region of this \
            bill, else price_ratio. Unknown when no row tells how long was charged",
    month: MonthRule::ByTime,
    verdict: "fail when gp3 of the same speed costs less; silent when it does not",
    thresholds: &[
        Threshold {
            key: "price_ratio",
            default: DefaultValue::Number("0.80"),
            meaning: "gp3 price per GiB as a share of the gp2 price, where the bill does not show it",
        },
        Threshold {
            key: "iops_price_ratio",
            default: DefaultValue::Number("0.05"),
            meaning: "price of one gp3 IOPS above 3000 as a share of the gp2 price per GiB",
        },
        Threshold {
            key: "throughput_price_ratio",
            default: DefaultValue::Number("0.40"),
            meaning: "price of one gp3 MiB/s above 125 as a share of the gp2 price per GiB",
        },
        Threshold {
            key: "savings_min",
            default: DefaultValue::Number("0"),
            meaning: "savings a month, in billing currency, that a volume must exceed to be named",
        },
    ],
    data: "rows of gp2 storage with resource, quantity in GB-months and charge period",
    limits: "the volume's real need of IOPS is not in a bill: a busy small volume bursts higher on gp2 for a while. A volume that was resized \
             in the month counts with its average size until the next month",
};

inventory::submit! {
    over_bill(
        "checks.focus.gp2_to_gp3:Gp2ToGp3Checker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "gp2 volume cheaper as gp3", category: "cost", sub_category: "storage" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(Gp2ToGp3::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

struct Gp2ToGp3 {
    price_ratio: Decimal,
    iops_price_ratio: Decimal,
    throughput_price_ratio: Decimal,
    savings_min: Decimal,
}

impl Gp2ToGp3 {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self {
            price_ratio: thresholds.number("price_ratio")?,
            iops_price_ratio: thresholds.number("iops_price_ratio")?,
            throughput_price_ratio: thresholds.number("throughput_price_ratio")?,
            savings_min: thresholds.number("savings_min")?,
        })
    }

    /// Cost of a month as gp3, in units of the gp2 price of one GiB.
    fn gp3_units(&self, size_gib: Decimal, ratio: Decimal) -> Option<Decimal> {
        let iops = (size_gib * Decimal::from(3)).min(Decimal::from(16_000)) - Decimal::from(3_000);
        let throughput = if size_gib > Decimal::from(170) { Decimal::from(250 - 125) } else { Decimal::ZERO };
        let extra = iops.max(Decimal::ZERO) * self.iops_price_ratio + throughput * self.throughput_price_ratio;
        size_gib.checked_mul(ratio)?.checked_add(extra)
    }

    fn judge(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
        let line = group.first();
        let observed = gp3_ratio(prices, line);
        let ratio = observed.unwrap_or(self.price_ratio);
        let price = group.unit_cost()?;
        let months = group.months();
        let size_gib = group.quantity()?.checked_div(months?)?;
        let saved_units = size_gib.checked_sub(self.gp3_units(size_gib, ratio)?)?;
        let savings = saved_units.checked_mul(price)?.checked_mul(months?)?;
        let confidence = if observed.is_some() { 85 } else { 70 };
        let figures = monthly_of_resource(bill, group, Saved::part(bill, group, savings), confidence)?;
        if figures.savings()? <= self.savings_min {
            return None;
        }
        let scope = resource_scope(line, ResourceType::EbsVolume, Some(("ec2", "volume")));
        let size = figure(size_gib, 1);
        let text = format!(
            "volume {} of {size} GiB is charged as gp2 at {} per GiB-month; gp3 of the same speed {}",
            scope.resource_id,
            money(price, group.currency()),
            figures.savings_text(),
        );
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .issue("source", "gp2")
            .issue("target", "gp3")
            .dimension("size_gib", size)
            .dimension("price_gib_month", price.round_dp(6).normalize())
            .dimension("price_ratio_gp3", ratio.round_dp(4).normalize())
            .text("gp2 volume would cost less as gp3", text, "Change the volume's type to gp3; it stays attached.");
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for Gp2ToGp3 {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let gp2 = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::Volume(VolumeKind::Gp2));
        let prices = ListPrices::new(bill);
        by_resource(gp2).iter().filter_map(|group| self.judge(bill, &prices, group)).collect()
    }
}

/// List price of gp3 by that of gp2 in the volume's region, where the bill shows both.
fn gp3_ratio(prices: &ListPrices<'_>, gp2: &UsageLine) -> Option<Decimal> {
    let gp2_price = gp2.sums.unit_price.filter(|price| *price > Decimal::ZERO);
    prices.beside(gp2, &Meter::Volume(VolumeKind::Gp3))?.checked_div(gp2_price?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    /// A volume of that size charged for the first hours of a month of 720 at 0.10 per GB-month.
    fn gp2(size_gib: i64, hours: i64) -> Row {
        let quantity = Decimal::from(size_gib * hours) / Decimal::from(720);
        let cost = quantity / Decimal::TEN;
        row("$0.10 per GB-month of General Purpose SSD (gp2) provisioned storage - US East (Northern Virginia)")
            .resource("vol-0a")
            .hours(hours)
            .quantity(&quantity.to_string())
            .cost(&cost.round_dp(12).to_string())
            .unit_price("0.1")
    }

    #[test]
    fn savings_keep_the_speed_of_gp2() {
        let cases = [
            // Size, hours, savings: a fifth of the cost while gp3's base speed is enough ...
            (100, 720, Some("2")),
            (100, 360, Some("2")),
            (100, 1, Some("2")),
            (170, 720, Some("3.4")),
            // ... less the throughput and IOPS that gp2 gives larger volumes.
            (200, 720, None),
            (500, 720, Some("5")),
            (1_000, 720, Some("15")),
            (2_000, 720, Some("20")),
            (10_000, 720, Some("130")),
        ];
        for (size, hours, savings) in cases {
            let findings = check_default(CHECKER_ID, [gp2(size, hours)]);
            let seen = findings.first().and_then(|f| amounts(f).0);
            assert_eq!(seen.as_deref(), savings, "{size} GiB for {hours} h");
        }
    }

    #[test]
    fn the_ratio_of_the_bill_comes_before_the_assumed_one() {
        let gp3 = row("$0.09 per GB-month of General Purpose (gp3) provisioned storage - US East").unit_price("0.09");
        let findings = check_default(CHECKER_ID, [gp2(100, 720), gp3.clone()]);
        assert_eq!(amounts(&findings[0]), money_of("1", "10"));
        assert_eq!(findings[0].estimated.confidence, 85);
        let findings = check_default(CHECKER_ID, [gp2(100, 720), gp3.region("eu-west-3")]);
        assert_eq!((amounts(&findings[0]).0.as_deref(), findings[0].estimated.confidence), (Some("2"), 70));
    }

    #[test]
    fn the_volume_is_named() {
        let findings = check_default(CHECKER_ID, [gp2(100, 720).tag("team", "a")]);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        let scope = &finding.scope;
        assert_eq!((&*scope.service, &*scope.region, &*scope.resource_type), ("AmazonEC2", "us-east-1", "ebs_volume"));
        assert_eq!(scope.resource_arn, "arn:aws:ec2:us-east-1:111122223333:volume/vol-0a");
        assert_eq!(finding.issue_key.len(), 3, "stable facts only: {:?}", finding.issue_key);
        assert_eq!((&*finding.tags["team"], &*finding.dimensions["size_gib"]), ("a", "100"));
    }

    #[test]
    fn it_is_silent_where_the_bill_cannot_tell() {
        let no_resource = row("$0.10 per GB-month of General Purpose SSD (gp2) provisioned storage - X");
        assert_eq!(check_default(CHECKER_ID, [no_resource, gp2(100, 720).cost("0"), gp2(100, 0)]), []);
    }
}
