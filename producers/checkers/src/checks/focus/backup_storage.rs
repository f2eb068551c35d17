//! Backups that hold more than the storage they protect.

use std::collections::BTreeMap;

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::{Meter, Stored};
use rust_decimal::Decimal;

use super::figures::monthly_of_many;
use super::group::{Group, group_by};
use super::subject::{finding, is_worth_telling, named_scope};
use super::text::figure;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.backup.storage";
const LARGE_ID: &str = "billing.backup.storage.large";
const ALONE_ID: &str = "billing.backup.storage.alone";

// Source: Amazon RDS User Guide, "Backup storage", and AWS Backup pricing, November 2026: backups of databases up to the size of the
// storage are free and in no charge; vaults charge for all that they keep.
const DOCS: CheckerDocs = CheckerDocs {
    what: "accounts and regions where backups of databases, file systems, tables, buckets or volumes hold more than the storage they \
           protect, or protect storage that is not there",
    why: "long retention and changes of large data pile up copies; backups of what was deleted stay until a person deletes them",
    money: "cost = backup charges. Savings are unknown: a bill does not tell which backups must be kept",
    month: MonthRule::ByTime,
    verdict: "fail when charged backups are at least ratio_min times the storage; info when the bill charges for no such storage in the region",
    thresholds: &[Threshold {
        key: "ratio_min",
        default: DefaultValue::Number("1"),
        meaning: "GB of charged backups by GB of storage; of databases the first 100 % is free and not counted",
    }],
    data: "rows of backups (RDS, Aurora, AWS Backup) and of storage with region and quantity in GB-months",
    limits: "retention may be required by law; copies from another region look like backups of nothing. Snapshots of volumes are judged by \
             focus.snapshot.storage",
};

inventory::submit! {
    over_bill(
        "checks.focus.backup_storage:BackupStorageChecker",
        CHECKER_ID,
        &[
            CheckInfo {
                check_id: LARGE_ID,
                name: "Backups hold more than the storage they protect",
                category: "cost",
                sub_category: "storage",
            },
            CheckInfo {
                check_id: ALONE_ID,
                name: "Backups of storage that is not there",
                category: "cost",
                sub_category: "storage",
            },
        ],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(BackupStorage::new(thresholds)?)))
        },
    )
}

/// What a finding about backups is called, and what they protect.
const NAMES: [(Stored, &str, &str); 5] = [
    (Stored::Database, "database-backups", "databases"),
    (Stored::Files, "file-backups", "file systems"),
    (Stored::Table, "table-backups", "tables"),
    (Stored::Object, "object-backups", "buckets"),
    (Stored::Volume, "volume-backups", "volumes"),
];

struct BackupStorage {
    ratio_min: Decimal,
}

/// Cloud, paying account, account, region, and what is protected.
type Place<'a> = ([&'a str; 4], Stored);

impl BackupStorage {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { ratio_min: thresholds.number("ratio_min")? })
    }

    /// `stored` is what lies there in GB-months: `None` is unknown.
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>, stored: Option<Decimal>) -> Option<Finding> {
        let line = group.first();
        let (_, name, protects) = NAMES.iter().find(|(kind, ..)| backup_of(line) == Some(*kind))?;
        let (kept, stored) = (group.quantity()?, stored?);
        let is_alone = stored.is_zero();
        // An extract of a bill may lack the storage.
        if is_alone && !bill.current_month(line)?.tells_ends() {
            return None;
        }
        if kept < stored.checked_mul(self.ratio_min)? || !is_worth_telling(group.billed(), group.currency()) {
            return None;
        }
        let figures = monthly_of_many(bill, group, 85)?;
        let scope = named_scope(line, ResourceType::BackupPortfolio, name);
        let gib = |amount| figure(amount, 1);
        let (check_id, status, title, beside, advice) = if is_alone {
            (
                ALONE_ID,
                Status::Info,
                "Backups of storage that is not there",
                "the bill charges for no such storage there".to_owned(),
                "Look for backups of what was deleted, and for copies from other regions; delete what no rule requires.",
            )
        } else {
            (
                LARGE_ID,
                Status::Fail,
                "Backups hold more than the storage they protect",
                format!("the storage itself holds {} GB-months", gib(stored)),
                "Shorten retention, take fewer full copies, move old ones to cold storage, and delete manual snapshots.",
            )
        };
        let message = format!(
            "charged backups of {protects} in {} hold {} GB-months and {}; {beside}",
            line.key.region,
            gib(kept),
            figures.cost_text(),
        );
        let finding = finding(check_id, group, scope, status, &figures)
            .dimension("gib_months", figure(kept, 3))
            .dimension("gib_months_stored", figure(stored, 3));
        Some(finding.text(title, message, advice))
    }
}

impl BillingCheck for BackupStorage {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        // What lies in unknown regions is not one place to compare within.
        let placed = || bill.current().filter(|l| l.is_charge() && !l.key.region.is_empty());
        let mut stored: BTreeMap<Place<'_>, Option<Decimal>> = BTreeMap::new();
        for line in placed() {
            let Some(kind) = stored_of(line) else { continue };
            let sum = stored.entry((place_of(line), kind)).or_insert(Some(Decimal::ZERO));
            *sum = sum.zip(line.sums.quantity).and_then(|(sum, more)| sum.checked_add(more));
        }
        let groups = group_by(placed().filter(|l| backup_of(l).is_some()), |line| (&line.key.region, backup_of(line)));
        let judge = |group: &Group<'_>| {
            let place = (place_of(group.first()), backup_of(group.first())?);
            self.judge(bill, group, stored.get(&place).copied().unwrap_or(Some(Decimal::ZERO)))
        };
        groups.iter().filter_map(judge).collect()
    }
}

fn place_of(line: &UsageLine) -> [&str; 4] {
    [&line.key.cloud, &line.key.billing_account, &line.key.account, &line.key.region]
}

fn backup_of(line: &UsageLine) -> Option<Stored> {
    match line.key.meter {
        Meter::Backup(kind) => Some(kind),
        _ => None,
    }
}

fn stored_of(line: &UsageLine) -> Option<Stored> {
    match line.key.meter {
        Meter::Stored(kind) => Some(kind),
        Meter::ObjectStandard | Meter::ObjectTiered => Some(Stored::Object),
        Meter::Volume(_) => Some(Stored::Volume),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn charged(service: &str, usage_type: &str, gib: &str) -> Row {
        row("").usage_type(usage_type, "").service(service).quantity(gib).cost("9.5").hours(720)
    }

    #[test]
    fn size_by_size_makes_the_verdict() {
        let storage = || charged("AmazonRDS", "RDS:GP3-Storage", "100");
        for (gib, is_found) in [("100", true), ("99.9", false)] {
            let rows = [storage(), charged("AmazonRDS", "RDS:ChargedBackupUsage", gib)];
            let findings = check_default(CHECKER_ID, rows);
            assert_eq!(findings.len(), usize::from(is_found), "{gib}");
        }
        let elsewhere = charged("AmazonRDS", "RDS:ChargedBackupUsage", "10").region("eu-west-1");
        let findings = check_default(CHECKER_ID, [storage(), elsewhere]);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(
            (finding.check_id, finding.status, amounts(finding)),
            (ALONE_ID, Status::Info, money_of("-", "9.5"))
        );
        assert_eq!(finding.scope.resource_id, "database-backups");
    }

    #[test]
    fn each_kind_is_compared_with_its_own_storage() {
        let rows = [
            charged("AmazonEFS", "TimedStorage-ByteHrs", "10"),
            charged("AmazonEFS", "USE1-IATimedStorage-ByteHrs", "90"),
            charged("AWSBackup", "WarmStorage-ByteHrs-EFS", "100"),
            charged("AmazonDynamoDB", "TimedStorage-ByteHrs", "100"),
            charged("AWSBackup", "WarmStorage-ByteHrs-DynamoDB", "99"),
            charged("AmazonEC2", "EBS:VolumeUsage.gp3", "50"),
            charged("AWSBackup", "WarmStorage-ByteHrs-EBS", "60"),
            charged("AWSBackup", "WarmStorage-ByteHrs-VirtualMachine", "600"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let seen: Vec<_> = findings.iter().map(|f| &*f.scope.resource_id).collect();
        assert_eq!(seen, ["file-backups", "volume-backups"]);
    }

    #[test]
    fn an_unknown_quantity_says_nothing() {
        let storage = charged("AmazonRDS", "Aurora:StorageUsage", "1");
        let backups = charged("AmazonRDS", "Aurora:BackupUsage", "100");
        assert_eq!(check_default(CHECKER_ID, [storage.clone().unknown_quantity(), backups.clone()]), []);
        assert_eq!(check_default(CHECKER_ID, [storage, backups.unknown_quantity()]), []);
    }
}
