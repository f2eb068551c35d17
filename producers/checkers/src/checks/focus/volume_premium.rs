//! Disks of the fastest common kind, where a slower one may do.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::{DiskSize, Meter, VolumeKind};
use rust_decimal::Decimal;

use super::figures::{monthly_of_group, monthly_of_many};
use super::group::{Group, by_region, by_resource_or_place, group_by};
use super::prices::ListPrices;
use super::saved::{Saved, saved_by};
use super::subject::{finding, is_worth_telling, named_scope, place, resource_or_all_scope};
use super::text::{counted, is_visible};
use super::words::{ByCloud, DISK};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.volume.premium";
const CHECK_ID: &str = "billing.volume.premium";

const DOCS: CheckerDocs = CheckerDocs {
    what: "premium SSD disks of Azure and Google Cloud (Premium SSD, pd-ssd)",
    why: "they cost about twice as much as the SSD kind below them, and are often the default of a template",
    money: "cost = storage charges. Savings = quantity × (price paid − price of a disk of the same size of the kind below: its list \
            price, less the discount that the disk has); known only where this bill shows that price in the same region",
    month: MonthRule::ByTime,
    verdict: "info for each disk where the bill shows the lower price, else for the disks of an account and region, from a cent on",
    thresholds: &[],
    data: "rows of premium SSD storage with quantity and list price",
    limits: "what speed a disk needs is not in a bill: look at its metrics first; disks that are attached to nothing look like others",
};

inventory::submit! {
    over_bill(
        "checks.focus.volume_premium:VolumePremiumChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Premium SSD disk", category: "cost", sub_category: "storage" }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(VolumePremium))),
    )
}

#[derive(Clone, Copy)]
struct Kind {
    noun: &'static str,
    below: &'static str,
    advice: &'static str,
}

const KINDS: ByCloud<Kind> = {
    let azure = Kind {
        noun: "Premium SSD managed disk",
        below: "Standard SSD",
        advice: "Look at the disk's IOPS and throughput; change it to Standard SSD where they are low, to Premium SSD v2 where only size or \
                 only speed is needed, and delete it if it is attached to nothing.",
    };
    let google = Kind {
        noun: "SSD persistent disk",
        below: "balanced persistent disk",
        advice: "Look at the disk's IOPS and throughput; change it to a balanced persistent disk where they are low, and delete it if no \
                 machine uses it.",
    };
    ByCloud { aws: azure, azure, google }
};

struct VolumePremium;

impl BillingCheck for VolumePremium {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let prices = ListPrices::new(bill);
        let premium = bill.current().filter(|l| l.is_charge() && size_of(l).is_some());
        let (priced, unpriced): (Vec<_>, Vec<_>) = premium.partition(|line| price_below(&prices, line).is_some());
        // A disk that changed its size is charged for both in the month, each at its own price.
        let priced = by_resource_or_place(priced.into_iter());
        let priced: Vec<_> = priced.iter().flat_map(|group| group_by(group.lines(), |line| &line.key.meter)).collect();
        let of_place = by_region(unpriced.into_iter());
        let findings = priced.iter().filter_map(|group| judge(bill, &prices, group));
        findings.chain(of_place.iter().filter_map(|group| judge_all(bill, group))).collect()
    }
}

fn size_of(line: &UsageLine) -> Option<DiskSize> {
    match line.key.meter {
        Meter::Volume(VolumeKind::Premium(size)) => Some(size),
        _ => None,
    }
}

/// Public price of the same size of the kind below, where the line is charged.
fn price_below(prices: &ListPrices<'_>, line: &UsageLine) -> Option<Decimal> {
    prices.beside(line, &Meter::Volume(VolumeKind::Standard(size_of(line)?)))
}

fn judge(bill: &BillingInventory, prices: &ListPrices<'_>, group: &Group<'_>) -> Option<Finding> {
    let line = group.first();
    let savings = saved_by(group, price_below(prices, line)?).filter(|savings| is_visible(*savings))?;
    let below = Meter::Volume(VolumeKind::Standard(size_of(line)?));
    let saved = Saved::by_change(bill, prices, group, &below, Some(savings));
    let figures = monthly_of_group(bill, group, saved, 40)?;
    let kind = KINDS.of(line);
    let scope = resource_or_all_scope(line, DISK.of(line), None, "premium-disks");
    let message = format!(
        "{} {} {}; as {} of the same size it {}",
        kind.noun,
        scope.resource_id,
        figures.cost_text(),
        kind.below,
        figures.savings_text(),
    );
    let mut finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
        .dimension("kind_below", kind.below)
        .issue("size", size_of(line)?.tier.to_string())
        .text(format!("{} that may do as {}", kind.noun, kind.below), message, kind.advice);
    finding.tags = group.tags();
    Some(finding)
}

fn judge_all(bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
    if !is_worth_telling(group.billed(), group.currency()) {
        return None;
    }
    let line = group.first();
    let figures = monthly_of_many(bill, group, 90)?;
    let kind = KINDS.of(line);
    let disks = match group.resources() {
        Some(count) => counted(count, kind.noun, &format!("{}s", kind.noun)),
        None => format!("{}s", kind.noun),
    };
    let message = format!("{disks} in {} {}", place(line), figures.cost_text());
    let scope = named_scope(line, ResourceType::DiskPortfolio, "premium-disks");
    let finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
        .dimension("disks", group.resources_text())
        .dimension("top_resources", group.top_resources(3));
    Some(finding.text(format!("Spend on {}s", kind.noun), message, kind.advice))
}
