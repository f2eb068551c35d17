//! io1 and io2 volumes that would cost less as gp3.

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
use super::text::figure;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.ebs.provisioned.iops.to.gp3";
const CHECK_ID: &str = "billing.ebs.provisioned.iops.to.gp3";

const DOCS: CheckerDocs = CheckerDocs {
    what: "EBS volumes of type io1 or io2 whose IOPS gp3 also gives, for less",
    why: "provisioned IOPS cost about thirteen times as much on io1 and io2 as on gp3, which includes the first 3000; the change needs \
          no downtime",
    money: "size and IOPS = amounts charged / share of the month charged; gp3 = size × price of gp3, plus IOPS above 3000 and the throughput \
            that the volume's IOPS give, above 125 MiB/s; savings of the charge = (charge − gp3) × share of the month charged. Prices of gp3 \
            are shares of the volume's price per GiB: those of the list prices in the same region of this bill, else the thresholds. \
            Unknown when the bill does not tell size and IOPS",
    month: MonthRule::ByTime,
    verdict: "fail when gp3 has the same IOPS for less; info when size or IOPS are unknown; silent when gp3 cannot do it or costs as much",
    thresholds: &[
        Threshold {
            key: "price_ratio",
            default: DefaultValue::Number("0.64"),
            meaning: "gp3 price per GiB as a share of that of io1 and io2, where the bill does not show it",
        },
        Threshold {
            key: "iops_price_ratio",
            default: DefaultValue::Number("0.04"),
            meaning: "price of one gp3 IOPS above 3000 as a share of the io1 and io2 price per GiB",
        },
        Threshold {
            key: "throughput_price_ratio",
            default: DefaultValue::Number("0.32"),
            meaning: "price of one gp3 MiB/s above 125 as a share of the io1 and io2 price per GiB",
        },
        Threshold {
            key: "iops_max",
            default: DefaultValue::Number("80000"),
            meaning: "IOPS that one gp3 volume gives at most",
        },
        Threshold {
            key: "throughput_max",
            default: DefaultValue::Number("2000"),
            meaning: "MiB/s that one gp3 volume gives at most",
        },
    ],
    data: "rows of io1 or io2 storage and of their provisioned IOPS with resource, quantity and charge period",
    limits: "io2 is more durable (99.999 %), answers within a millisecond and attaches to several machines, and above 8000 IOPS may move more \
             than gp3: whether that is needed is not in a bill",
};

inventory::submit! {
    over_bill(
        "checks.focus.provisioned_iops_to_gp3:ProvisionedIopsToGp3Checker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "io1 or io2 volume cheaper as gp3",
            category: "cost",
            sub_category: "storage",
        }],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(ProvisionedIopsToGp3::new(thresholds)?)))
        },
    )
}

// What gp3 includes, what it gives at most for its size, and what io1 and io2 move at most.
// Source: Amazon EBS User Guide, "General Purpose SSD volumes" and "Provisioned IOPS SSD volumes", November 2026 (gp3: up to 80,000 IOPS,
// 2,000 MiB/s and 64 TiB since September 2025; before, 16,000 IOPS, 1,000 MiB/s and 16 TiB). Prices: AWS price list of us-east-1, November
// 2026: io1 and io2 0.125 per GB-month and 0.065 per IOPS-month (io2 above 32,000: 0.0455, above 64,000: 0.03185), gp3 0.08 per GB-month,
// 0.005 per IOPS-month and 40.96 per GiB/s-month, which is 0.04 per MiB/s. eu-west-1 and eu-central-1 have the same shares to a hundredth.
const IOPS_INCLUDED: Decimal = Decimal::from_parts(3_000, 0, 0, false, 0);
const THROUGHPUT_INCLUDED: Decimal = Decimal::from_parts(125, 0, 0, false, 0);
const IOPS_PER_GIB_MAX: Decimal = Decimal::from_parts(500, 0, 0, false, 0);
/// A quarter of a MiB for each I/O.
const THROUGHPUT_PER_IOPS: Decimal = Decimal::from_parts(25, 0, 0, false, 2);
const IO2_THROUGHPUT_MAX: Decimal = Decimal::from_parts(4_000, 0, 0, false, 0);
/// Above 32,000 IOPS, io1 moves 16 KiB for each: more than 500 MiB/s.
const IO1_THROUGHPUT_MAX: Decimal = Decimal::from_parts(500, 0, 0, false, 0);
const IO1_IOPS_PER_MIB: Decimal = Decimal::from_parts(64, 0, 0, false, 0);
const MIB_PER_GIB: Decimal = Decimal::from_parts(1_024, 0, 0, false, 0);

struct ProvisionedIopsToGp3 {
    price_ratio: Decimal,
    iops_price_ratio: Decimal,
    throughput_price_ratio: Decimal,
    iops_max: Decimal,
    throughput_max: Decimal,
}

/// What a volume has, and how fast it is at least as gp3.
struct Provisioned {
    size_gib: Decimal,
    iops: Decimal,
    /// MiB/s.
    throughput: Decimal,
    /// False when gp3 moves less.
    is_matched: bool,
}

/// Prices of gp3 as shares of the volume's price per GiB.
struct Ratios {
    gib: Decimal,
    iops: Decimal,
    throughput: Decimal,
    /// True when the bill shows them.
    is_observed: bool,
}

impl ProvisionedIopsToGp3 {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self {
            price_ratio: thresholds.number("price_ratio")?,
            iops_price_ratio: thresholds.number("iops_price_ratio")?,
            throughput_price_ratio: thresholds.number("throughput_price_ratio")?,
            iops_max: thresholds.number("iops_max")?,
            throughput_max: thresholds.number("throughput_max")?,
        })
    }

    fn judge(&self, bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
        let storage = by_resource(group.lines().filter(|line| kind_of(line).is_some())).into_iter().next()?;
        let line = storage.first();
        let (kind, name) = kind_of(line)?;
        let scope = resource_scope(line, ResourceType::EbsVolume, Some(("ec2", "volume")));
        let base = |status, figures| {
            let mut finding =
                finding(CHECK_ID, group, scope.clone(), status, figures).issue("source", name).issue("target", "gp3");
            finding.tags = group.tags();
            finding
        };
        let title = format!("{name} volume would cost less as gp3");
        let Some(provisioned) = self.provisioned(kind, group, &storage) else {
            let figures = monthly_of_resource(bill, group, Saved::UNKNOWN, 50)?;
            let message = format!(
                "volume {} is charged as {name} and {}; the bill does not tell its size and IOPS",
                scope.resource_id,
                figures.cost_text()
            );
            let advice =
                "Compare its IOPS and throughput with gp3, which gives up to 80,000 IOPS for a part of the price.";
            return Some(base(Status::Info, &figures).text(format!("{name} volume"), message, advice));
        };
        if provisioned.iops > self.iops_max.min(provisioned.size_gib * IOPS_PER_GIB_MAX) {
            return None;
        }
        let ratios = self.ratios(prices, line);
        let gp3 = provisioned.gp3_units(&ratios)?.checked_mul(storage.unit_cost()?)?;
        let savings = group.billed().checked_sub(gp3.checked_mul(group.months()?)?)?;
        let confidence = match (ratios.is_observed, provisioned.is_matched) {
            (true, true) => 80,
            (false, true) => 70,
            _ => 55,
        };
        let figures = monthly_of_resource(bill, group, Saved::part(bill, group, savings), confidence)?;
        figures.savings()?;
        let [size, iops, throughput] =
            [provisioned.size_gib, provisioned.iops, provisioned.throughput].map(|number| figure(number, 1));
        let message = format!(
            "volume {} of {size} GiB with {iops} IOPS is charged as {name} and {}; gp3 with as many IOPS and {throughput} MiB/s {}",
            scope.resource_id,
            figures.cost_text(),
            figures.savings_text(),
        );
        let finding = base(Status::Fail, &figures)
            .dimension("size_gib", size)
            .dimension("iops", iops)
            .dimension("throughput_mib", throughput)
            .dimension("price_ratio_gp3", ratios.gib.round_dp(4).normalize());
        Some(finding.text(title, message, "Change the volume's type to gp3 with the IOPS it needs; it stays attached."))
    }

    /// `None` when the bill does not tell size and IOPS.
    fn provisioned(&self, kind: VolumeKind, group: &Group<'_>, storage: &Group<'_>) -> Option<Provisioned> {
        let months = group.months()?;
        let iops = by_resource(group.lines().filter(|line| kind_of(line).is_none())).into_iter().next()?;
        let iops = iops.quantity()?.checked_div(months)?;
        let size_gib = storage.quantity()?.checked_div(months)?;
        let given = match kind {
            VolumeKind::Io1 => (iops * THROUGHPUT_PER_IOPS).min(IO1_THROUGHPUT_MAX).max(iops / IO1_IOPS_PER_MIB),
            _ => (iops * THROUGHPUT_PER_IOPS).min(IO2_THROUGHPUT_MAX),
        };
        let is_known = size_gib > Decimal::ZERO && iops > Decimal::ZERO;
        is_known.then(|| Provisioned {
            size_gib,
            iops,
            throughput: given.min(self.throughput_max),
            is_matched: given <= self.throughput_max,
        })
    }

    fn ratios(&self, prices: &ListPrices<'_>, line: &UsageLine) -> Ratios {
        let price = line.sums.unit_price.filter(|price| *price > Decimal::ZERO);
        let observed = |meter: &Meter| prices.beside(line, meter)?.checked_div(price?);
        let gib = observed(&Meter::Volume(VolumeKind::Gp3));
        let iops = observed(&Meter::VolumeIops(VolumeKind::Gp3));
        let throughput = observed(&Meter::VolumeThroughput).map(|ratio| ratio / MIB_PER_GIB);
        Ratios {
            gib: gib.unwrap_or(self.price_ratio),
            iops: iops.unwrap_or(self.iops_price_ratio),
            throughput: throughput.unwrap_or(self.throughput_price_ratio),
            is_observed: gib.is_some(),
        }
    }
}

impl Provisioned {
    /// Cost of a month as gp3, in units of the volume's price of one GiB.
    fn gp3_units(&self, ratios: &Ratios) -> Option<Decimal> {
        let iops = (self.iops - IOPS_INCLUDED).max(Decimal::ZERO);
        let throughput = (self.throughput - THROUGHPUT_INCLUDED).max(Decimal::ZERO);
        let speed = iops.checked_mul(ratios.iops)?.checked_add(throughput.checked_mul(ratios.throughput)?)?;
        self.size_gib.checked_mul(ratios.gib)?.checked_add(speed)
    }
}

impl BillingCheck for ProvisionedIopsToGp3 {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let is_iops = |line: &UsageLine| matches!(line.key.meter, Meter::VolumeIops(VolumeKind::Io1 | VolumeKind::Io2));
        let provisioned = bill.current().filter(|l| l.is_charge() && (kind_of(l).is_some() || is_iops(l)));
        let prices = ListPrices::new(bill);
        by_resource(provisioned).iter().filter_map(|group| self.judge(bill, &prices, group)).collect()
    }
}

/// Kind of a line of storage.
fn kind_of(line: &UsageLine) -> Option<(VolumeKind, &'static str)> {
    match line.key.meter {
        Meter::Volume(kind @ VolumeKind::Io1) => Some((kind, "io1")),
        Meter::Volume(kind @ VolumeKind::Io2) => Some((kind, "io2")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, row};
    use super::*;

    /// A volume of that size and IOPS, charged for half a month at the list prices of us-east-1.
    fn volume(kind: &str, size_gib: i64, iops: i64) -> Vec<Row> {
        let half = |usage_type: &str, amount: i64, price: Decimal| {
            let quantity = Decimal::from(amount) / Decimal::TWO;
            row("")
                .usage_type(usage_type, "")
                .resource("vol-0a")
                .hours(360)
                .quantity(&quantity.to_string())
                .cost(&(quantity * price).to_string())
        };
        let storage = half(&format!("EBS:VolumeUsage.{kind}"), size_gib, Decimal::new(125, 3));
        vec![storage, half(&format!("EBS:VolumeP-IOPS.{kind}"), iops, Decimal::new(65, 3))]
    }

    #[test]
    fn savings_keep_iops_and_throughput() {
        let cases = [
            // io1: 500 GiB cost 62.5, as gp3 40; 3,000 IOPS cost 195, as gp3 nothing; 500 MiB/s cost 15.
            ("piops", 500, 3_000, Some("202.5")),
            // 100 IOPS move 25 MiB/s, which gp3 includes.
            ("piops", 100, 100, Some("11")),
            ("piops", 1_000, 16_000, Some("1005")),
            // 64,000 IOPS of io1 move 1,000 MiB/s: 125 + 4,160 − 80 − 305 − 35.
            ("piops", 1_000, 64_000, Some("3865")),
            // io2 of 4,000 IOPS moves 1,000 MiB/s: 62.5 + 260 − 40 − 5 − 35.
            ("io2", 500, 4_000, Some("242.5")),
            // At the limit of gp3, and just above it: 125 + 5,200 − 80 − 385 − 75.
            ("io2", 1_000, 80_000, Some("4785")),
            ("io2", 1_000, 80_001, None),
            // 500 IOPS for each GiB are what gp3 gives at most: 1.25 + 325 − 0.8 − 10 − 45.
            ("io2", 10, 5_000, Some("270.45")),
            ("io2", 10, 5_001, None),
        ];
        for (kind, size, iops, savings) in cases {
            let findings = check_default(CHECKER_ID, volume(kind, size, iops));
            let seen = findings.first().and_then(|f| amounts(f).0);
            assert_eq!(seen.as_deref(), savings, "{kind} {size} GiB {iops} IOPS");
        }
    }

    #[test]
    fn what_gp3_cannot_move_is_less_certain() {
        let confidence = |iops| check_default(CHECKER_ID, volume("io2", 1_000, iops))[0].estimated.confidence;
        assert_eq!([confidence(8_000), confidence(8_004)], [70, 55]);
    }

    #[test]
    fn a_volume_whose_iops_are_not_in_the_bill_is_named_without_savings() {
        let rows = volume("piops", 500, 3_000).into_iter().take(1);
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((finding.status, amounts(finding)), (Status::Info, (None, Some("62.5".to_owned()))));
    }

    #[test]
    fn it_is_one_issue_as_long_as_the_kind_stays() {
        let issue = |kind| check_default(CHECKER_ID, volume(kind, 500, 3_000))[0].issue_key.clone();
        assert_eq!((&*issue("piops")["source"], &*issue("io2")["source"]), ("io1", "io2"));
        assert_eq!(issue("io2").len(), 3);
    }
}
