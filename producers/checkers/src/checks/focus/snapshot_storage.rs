//! Snapshots that cost more than the volumes they were taken of, or grow fast.

use std::collections::BTreeMap;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::{Figures, monthly_of_many};
use super::group::{Group, HoursOfBill, by_region};
use super::subject::{finding, named_scope};
use super::text::{figure, is_visible, money, percent, round, share_of};
use super::words::ByCloud;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.snapshot.storage";
const SHARE_ID: &str = "billing.snapshot.storage.share";
const GROWTH_ID: &str = "billing.snapshot.storage.growth";

const DOCS: CheckerDocs = CheckerDocs {
    what: "accounts and regions where snapshots are a large share of block storage cost, or cost clearly more than the \
           month before",
    why: "snapshots pile up when nothing expires them, long after the volumes were deleted",
    money: "cost = snapshot charges. Savings are unknown: a bill does not tell which snapshots are still needed. Growth \
            compares snapshot charges × hours of their month / hours that the paying account's bill covers of it, so that a month in \
            progress compares with a whole one",
    month: MonthRule::ByTime,
    verdict: "fail when snapshots are at least share_min of snapshots and volumes together, or grew by at least growth_min",
    thresholds: &[
        Threshold {
            key: "share_min",
            default: DefaultValue::Number("0.50"),
            meaning: "share of snapshots in block storage cost of the account and region",
        },
        Threshold {
            key: "growth_min",
            default: DefaultValue::Number("0.20"),
            meaning: "growth against the month before, 0.20 = a fifth more",
        },
    ],
    data: "rows of snapshot and volume storage; growth needs the month before in the same load",
    limits: "silent on the share where no volume is charged in the region; snapshots copied for disaster recovery look like \
             waste",
};

inventory::submit! {
    over_bill(
        "checks.focus.snapshot_storage:SnapshotStorageChecker",
        CHECKER_ID,
        &[
            CheckInfo {
                check_id: SHARE_ID,
                name: "Snapshots are a large share of block storage cost",
                category: "cost",
                sub_category: "storage",
            },
            CheckInfo { check_id: GROWTH_ID, name: "Snapshot cost grows fast", category: "cost", sub_category: "storage" },
        ],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(SnapshotStorage::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

#[derive(Clone, Copy)]
struct SnapshotWords {
    /// What all of them are called in findings.
    name: &'static str,
    expiry: &'static str,
    schedules: &'static str,
}

const WORDS: ByCloud<SnapshotWords> = ByCloud {
    aws: SnapshotWords {
        name: "ebs-snapshots",
        expiry: "Expire snapshots by a lifecycle policy, delete those of deleted volumes, archive the rest.",
        schedules: "Look for snapshot schedules without expiry and for jobs that take more snapshots than planned.",
    },
    azure: SnapshotWords {
        name: "disk-snapshots",
        expiry: "Take incremental snapshots instead of full ones, delete those of deleted managed disks, let Azure Backup expire the \
                 rest.",
        schedules: "Look for scripts and Azure Backup policies that take snapshots without expiry, and for full snapshots.",
    },
    google: SnapshotWords {
        name: "disk-snapshots",
        expiry: "Set a retention in the snapshot schedules, delete snapshots of deleted persistent disks, keep the rest as archive \
                 snapshots.",
        schedules: "Look for snapshot schedules without retention and for jobs that take more snapshots than planned.",
    },
};

struct SnapshotStorage {
    share_min: Decimal,
    growth_min: Decimal,
}

impl SnapshotStorage {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { share_min: thresholds.number("share_min")?, growth_min: thresholds.number("growth_min")? })
    }

    fn judge_share(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        let snapshots = snapshots_of(group)?;
        let (cost, all) = (snapshots.billed(), group.billed());
        let share = share_of(cost, all);
        if cost == all || share < self.share_min || !is_visible(cost) {
            return None;
        }
        let figures = figures_of(bill, &snapshots)?;
        let message = format!(
            "snapshots in {} {}; they are {} % of the {} charged for block storage there",
            group.first().key.region,
            figures.cost_text(),
            percent(share),
            money(all, group.currency()),
        );
        Some(
            base(SHARE_ID, &snapshots, &figures)
                .dimension("share_pct", percent(share))
                .dimension("cost_volumes", round(all - cost))
                .text("Snapshots are a large share of block storage cost", message, WORDS.of(snapshots.first()).expiry),
        )
    }

    fn judge_growth(
        &self,
        bill: &BillingInventory,
        (hours, past): (&HoursOfBill<'_>, &Past<'_>),
        group: &Group<'_>,
    ) -> Option<Finding> {
        let snapshots = snapshots_of(group)?;
        let line = snapshots.first();
        let (cost_before, line_before) = past.get(&place_and_month(line, 0)?)?;
        // The price is that of a month, however long it is.
        let rate = |cost: Decimal, line: &UsageLine| {
            let month_hours = Decimal::from(hours_of_month(&line.key.period));
            cost.checked_mul(month_hours)?.checked_div(Decimal::from(hours.of(line)))
        };
        let now = rate(snapshots.billed(), line)?;
        let then = rate(*cost_before, line_before)?;
        let growth = now.checked_div(then)? - Decimal::ONE;
        if growth < self.growth_min || !is_visible(snapshots.billed()) {
            return None;
        }
        let figures = figures_of(bill, &snapshots)?;
        let message = format!(
            "snapshots in {} {}, at the rate of a month {} % more than in the month before",
            line.key.region,
            figures.cost_text(),
            percent(growth),
        );
        Some(base(GROWTH_ID, &snapshots, &figures).dimension("growth_pct", percent(growth)).text(
            "Snapshot cost grows fast",
            message,
            WORDS.of(line).schedules,
        ))
    }
}

impl BillingCheck for SnapshotStorage {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        // What lies in unknown regions is not one place to compare within.
        let placed = bill.current().filter(|l| l.is_charge() && !l.key.region.is_empty());
        let storage = placed.filter(|l| matches!(l.key.meter, Meter::Snapshot | Meter::Volume(_)));
        let groups = by_region(storage);
        let (hours, past) = (HoursOfBill::new(bill), past(bill));
        let judge =
            |group: &Group<'_>| [self.judge_share(bill, group), self.judge_growth(bill, (&hours, &past), group)];
        groups.iter().flat_map(judge).flatten().collect()
    }
}

fn snapshots_of<'a>(group: &Group<'a>) -> Option<Group<'a>> {
    by_region(group.lines().filter(|l| l.key.meter == Meter::Snapshot)).into_iter().next()
}

fn figures_of(bill: &BillingInventory, snapshots: &Group<'_>) -> Option<Figures> {
    monthly_of_many(bill, snapshots, 90)
}

fn base(check_id: &'static str, snapshots: &Group<'_>, figures: &Figures) -> Finding {
    let scope = named_scope(snapshots.first(), ResourceType::SnapshotPortfolio, WORDS.of(snapshots.first()).name);
    finding(check_id, snapshots, scope, Status::Fail, figures)
        .dimension("snapshots", snapshots.resources_text())
        .dimension("gib_months", snapshots.quantity().map_or_else(|| "unknown".to_owned(), |q| figure(q, 3)))
}

/// Cloud, paying account, account, region and currency, and a month counted from year 0.
type PlaceAndMonth<'a> = ([&'a str; 5], i32);
/// Snapshot charges of every month, found by the month that follows, each with a line that stands for it.
type Past<'a> = BTreeMap<PlaceAndMonth<'a>, (Decimal, &'a UsageLine)>;

fn past(bill: &BillingInventory) -> Past<'_> {
    let mut past = Past::new();
    for line in bill.lines().iter().filter(|l| l.is_charge() && l.key.meter == Meter::Snapshot) {
        let Some(key) = place_and_month(line, 1) else { continue };
        past.entry(key).or_insert((Decimal::ZERO, line)).0 += line.sums.billed;
    }
    past
}

/// The line's place, and its month moved by so many.
fn place_and_month(line: &UsageLine, months: i32) -> Option<PlaceAndMonth<'_>> {
    let key = &line.key;
    let (year, month) = key.period.split_once('-')?;
    let month = year.parse::<i32>().ok()? * 12 + month.parse::<i32>().ok()? + months;
    Some(([&key.cloud, &key.billing_account, &key.account, &key.region, &key.currency], month))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn snapshot(cost: &str) -> Row {
        row("$0.05 per GB-Month of snapshot data stored - US West (Oregon)").resource("snap-1").cost(cost).hours(720)
    }

    fn volume(cost: &str) -> Row {
        row("$0.08 per GB-month of General Purpose (gp3) provisioned storage - US West (Oregon)").cost(cost)
    }

    #[test]
    fn the_share_makes_the_verdict() {
        let cases = [("5", "5", true), ("4.9", "5.1", false), ("9", "0.1", true)];
        for (snapshots, volumes, is_found) in cases {
            let findings = check_default(CHECKER_ID, [snapshot(snapshots), volume(volumes)]);
            assert_eq!(findings.len(), usize::from(is_found), "{snapshots} {volumes}");
            if let [finding] = findings.as_slice() {
                assert_eq!((finding.check_id, amounts(finding)), (SHARE_ID, money_of("-", snapshots)));
            }
        }
    }

    #[test]
    fn without_volumes_there_is_no_share_to_speak_of() {
        assert_eq!(check_default(CHECKER_ID, [snapshot("5"), volume("1").region("eu-west-1")]), []);
        assert_eq!(check_default(CHECKER_ID, [snapshot("5").region(""), volume("1").region("")]), []);
    }

    #[test]
    fn growth_compares_months_whatever_their_length() {
        let cases = [
            // August is a whole month of 744 hours, September 360 hours of a month in progress.
            ("100", 744, "100", 360, true),
            ("100", 744, "50", 360, false),
            ("100", 744, "59", 360, false),
            ("100", 744, "61", 360, true),
            // 10 % more in a month that is shorter.
            ("100", 744, "110", 720, false),
        ];
        for (then, then_hours, now, now_hours, is_found) in cases {
            let rows = [snapshot(then).hours(then_hours).in_august(), snapshot(now).hours(now_hours)];
            let findings = check_default(CHECKER_ID, rows);
            let ids: Vec<_> = findings.iter().map(|f| f.check_id).collect();
            assert_eq!(ids, if is_found { vec![GROWTH_ID] } else { vec![] }, "{then} {now}");
        }
    }
}
