//! Volumes of the magnetic kind of a previous generation.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::meter::{Meter, VolumeKind};

use super::figures::{monthly_of_many, monthly_of_resource};
use super::group::{Group, by_region, by_resource};
use super::saved::Saved;
use super::subject::{finding, is_worth_telling, named_scope, place, resource_scope};
use super::text::{counted, is_visible};
use super::words::ByCloud;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.volume.magnetic";
const CHECK_ID: &str = "billing.volume.magnetic";

const DOCS: CheckerDocs = CheckerDocs {
    what: "EBS volumes of the magnetic kind, and hard disks of Azure and Google Cloud by account and region",
    why: "it is slow, charges for each I/O, and often holds data that is never read: a snapshot or an HDD kind costs less",
    money: "cost = storage charges. Savings are unknown: gp3 costs more per GiB but nothing per I/O, and a bill rarely shows \
            both for one volume",
    month: MonthRule::ByTime,
    verdict: "info for each volume, and for the hard disks of an account and region from a cent on",
    thresholds: &[],
    data: "rows of magnetic storage with resource",
    limits: "does not know whether the volume is read",
};

inventory::submit! {
    over_bill(
        "checks.focus.volume_magnetic:VolumeMagneticChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Magnetic volume", category: "cost", sub_category: "storage" }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(VolumeMagnetic))),
    )
}

struct VolumeMagnetic;

impl BillingCheck for VolumeMagnetic {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let magnetic = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::Volume(VolumeKind::Magnetic));
        let hdd = bill.current().filter(|l| l.is_charge() && l.key.meter == Meter::Volume(VolumeKind::Hdd));
        let magnetic: Vec<_> = by_resource(magnetic).iter().filter_map(|group| judge(bill, group)).collect();
        magnetic.into_iter().chain(by_region(hdd).iter().filter_map(|group| judge_hdd(bill, group))).collect()
    }
}

/// What each cloud calls its hard disks, their title, and what to do.
const HDD: ByCloud<[&str; 3]> = {
    let azure = [
        "Standard HDD managed disk",
        "Spend on Standard HDD managed disks",
        "Delete disks that are attached to nothing (disk state Unattached) after a snapshot; many small operations on an HDD cost more \
         than on a Standard SSD.",
    ];
    let google = [
        "standard persistent disk",
        "Spend on standard persistent disks",
        "Delete disks that no machine uses after a snapshot; move data that is rarely read to Cloud Storage.",
    ];
    ByCloud { aws: azure, azure, google }
};

/// A current kind is no waste by itself. A bill does not tell which disks are attached: their sum says whether it is worth a look.
fn judge_hdd(bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
    if !is_worth_telling(group.billed(), group.currency()) {
        return None;
    }
    let line = group.first();
    let figures = monthly_of_many(bill, group, 90)?;
    let [noun, title, advice] = HDD.of(line);
    let disks = match group.resources() {
        Some(count) => counted(count, noun, &format!("{noun}s")),
        None => format!("{noun}s"),
    };
    let message =
        format!("{disks} in {} {}; the bill does not tell which are attached", place(line), figures.cost_text());
    let scope = named_scope(line, ResourceType::DiskPortfolio, "hard-disks");
    let finding = finding(CHECK_ID, group, scope, Status::Info, &figures)
        .dimension("disks", group.resources_text())
        .dimension("top_resources", group.top_resources(3));
    Some(finding.text(title, message, advice))
}

fn judge(bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
    if !is_visible(group.billed()) {
        return None;
    }
    let figures = monthly_of_resource(bill, group, Saved::UNKNOWN, 90)?;
    let scope = resource_scope(group.first(), ResourceType::EbsVolume, Some(("ec2", "volume")));
    let message = format!("volume {} is magnetic storage and {}", scope.resource_id, figures.cost_text());
    let mut finding = finding(CHECK_ID, group, scope, Status::Info, &figures).text(
        "Magnetic volume of a previous generation",
        message,
        "Keep a snapshot and delete it if nothing reads it; else change it to gp3, or to sc1 for rarely read data.",
    );
    finding.tags = group.tags();
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn only_magnetic_volumes_are_named() {
        let rows = [
            row("$0.05 per GB-month of Magnetic provisioned storage - US West (Oregon)")
                .resource("vol-1")
                .cost("0.5")
                .hours(360),
            row("$0.08 per GB-month of General Purpose (gp3) provisioned storage - X").resource("vol-2"),
            row("$0.05 per 1 million I/O requests - US West (Oregon)").resource("vol-3"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((&*finding.scope.resource_id, amounts(finding)), ("vol-1", money_of("-", "1")));
        assert_eq!(finding.status, Status::Info);
    }
}
