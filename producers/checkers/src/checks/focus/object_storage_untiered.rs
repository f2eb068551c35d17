//! Object storage that shows no sign of tiering.

use std::collections::{BTreeMap, BTreeSet};

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::{monthly_of_many, monthly_of_resource};
use super::group::{Group, group_by};
use super::saved::Saved;
use super::subject::{finding, named_scope, resource_scope};
use super::text::{figure, is_visible, share_of};
use super::words::{BUCKET, ByCloud, Words};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.object.storage.untiered";
const CHECK_ID: &str = "billing.object.storage.untiered";

const DOCS: CheckerDocs = CheckerDocs {
    what: "buckets (where the bill does not name them: accounts and regions) whose storage is all in the class for \
           frequent access, or nearly all",
    why: "colder classes cost from half to a twentieth; lifecycle rules or automatic tiering move what is not read",
    money: "cost = charges for the frequent-access class. Savings are unknown: a bill does not tell how much is read",
    month: MonthRule::ByTime,
    verdict: "fail when at least gib_min are stored in the class for frequent access and less than tiered_share_min of all in \
              colder ones",
    thresholds: &[
        Threshold {
            key: "gib_min",
            default: DefaultValue::Number("10"),
            meaning: "GiB stored in the class for frequent access, from which tiering is worth its requests",
        },
        Threshold {
            key: "tiered_share_min",
            default: DefaultValue::Number("0.10"),
            meaning: "share of colder classes in what is stored, from which it counts as tiered",
        },
    ],
    data: "rows of object storage with quantity in GB-months",
    limits: "data that is all read often belongs where it is",
};

inventory::submit! {
    over_bill(
        "checks.focus.object_storage_untiered:ObjectStorageUntieredChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Object storage without tiering",
            category: "cost",
            sub_category: "storage",
        }],
        &DOCS,
        |context, _| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            Ok(Box::new(OverBill(ObjectStorageUntiered::new(thresholds)?)))
        },
    )
}

const WORDS: ByCloud<Words> = {
    let title = "Object storage without tiering";
    let aws = Words {
        noun: "bucket",
        title,
        advice: "Look at access patterns, then add lifecycle rules or turn on Intelligent-Tiering.",
    };
    let azure = Words {
        noun: "storage account",
        title,
        advice: "Turn on last access tracking, then add lifecycle management rules that move blobs to the cool, cold or archive tier.",
    };
    let google = Words {
        noun: "bucket",
        title,
        advice: "Look at access patterns, then turn on Autoclass or add lifecycle rules that move objects to Nearline, Coldline or \
                 Archive.",
    };
    ByCloud { aws, azure, google }
};

struct ObjectStorageUntiered {
    gib_min: Decimal,
    tiered_share_min: Decimal,
}

impl ObjectStorageUntiered {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { gib_min: thresholds.number("gib_min")?, tiered_share_min: thresholds.number("tiered_share_min")? })
    }

    /// `colder` is what the group's buckets store in colder classes.
    fn judge(&self, bill: &BillingInventory, group: &Group<'_>, colder: Option<Decimal>) -> Option<Finding> {
        let stored = group.quantity()?;
        if share_of(colder?, stored + colder?) >= self.tiered_share_min {
            return None;
        }
        let gib = stored.checked_div(group.months()?)?;
        if gib < self.gib_min || !is_visible(group.billed()) {
            return None;
        }
        let line = group.first();
        let words = WORDS.of(line);
        let (what, scope, figures) = if line.key.resource.is_empty() {
            let scope = named_scope(line, ResourceType::BucketPortfolio, "all-buckets");
            (format!("account {}", line.key.account), scope, monthly_of_many(bill, group, 80)?)
        } else {
            let scope = resource_scope(line, BUCKET.of(line), None);
            (
                format!("{} {}", words.noun, scope.resource_id),
                scope,
                monthly_of_resource(bill, group, Saved::UNKNOWN, 80)?,
            )
        };
        let message = format!(
            "{what} stores {} GiB in the class for frequent access and next to nothing in a colder one, which {}",
            figure(gib, 1),
            figures.cost_text(),
        );
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .dimension("gib_stored", figure(gib, 3))
            .text(words.title, message, words.advice);
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for ObjectStorageUntiered {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let of = |meter: Meter| bill.current().filter(move |l| l.is_charge() && l.key.meter == meter);
        // Glacier may be charged by a service of its own.
        let mut colder: BTreeMap<_, Option<Decimal>> = BTreeMap::new();
        for line in of(Meter::ObjectTiered) {
            // Where the bill names no bucket, colder storage of a named one may be of the same.
            for bucket in BTreeSet::from([&*line.key.resource, ""]) {
                let sum = colder.entry((place_of(line), bucket)).or_insert(Some(Decimal::ZERO));
                *sum = sum.zip(line.sums.quantity).and_then(|(sum, more)| sum.checked_add(more));
            }
        }
        let groups = group_by(of(Meter::ObjectStandard), |line| (&line.key.region, line.service(), &line.key.resource));
        let judge = |group: &Group<'_>| {
            let place = (place_of(group.first()), &*group.first().key.resource);
            self.judge(bill, group, colder.get(&place).copied().unwrap_or(Some(Decimal::ZERO)))
        };
        groups.iter().filter_map(judge).collect()
    }
}

/// Cloud, paying account, account and region.
fn place_of(line: &UsageLine) -> [&str; 4] {
    [&line.key.cloud, &line.key.billing_account, &line.key.account, &line.key.region]
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    fn standard(gib_months: &str) -> Row {
        let description = "$0.023 per GB - first 50 TB / month of storage used";
        row(description).service("AmazonS3").quantity(gib_months).cost("2.3").hours(720)
    }

    #[test]
    fn size_and_class_make_the_verdict() {
        let tiered = |gib_months: &str| {
            let tiered = row("$0.0125 per GB-Month of storage used in Standard-Infrequent Access");
            tiered.service("AmazonS3").quantity(gib_months).hours(720)
        };
        let cases = [
            (vec![standard("100")], Some("100")),
            (vec![standard("9.9")], None),
            (vec![standard("5").hours(360)], Some("10")),
            // A tenth of all is tiered.
            (vec![standard("90"), tiered("10")], None),
            (vec![standard("90.1"), tiered("9.9")], Some("90.1")),
            (vec![standard("10000"), tiered("0.001")], Some("10000")),
            (vec![standard("90"), tiered("10").region("eu-west-1")], Some("90")),
            (vec![standard("90"), tiered("10").resource("archive")], None),
        ];
        for (rows, gib) in cases {
            let findings = check_default(CHECKER_ID, rows);
            let seen = findings.first().map(|f| &*f.dimensions["gib_stored"]);
            assert_eq!(seen, gib);
        }
    }

    #[test]
    fn the_bucket_is_named_where_the_bill_does() {
        let findings = check_default(CHECKER_ID, [standard("100").resource("logs"), standard("100")]);
        let mut seen: Vec<_> = findings.iter().map(|f| &*f.scope.resource_id).collect();
        seen.sort_unstable();
        assert_eq!(seen, ["all-buckets", "logs"]);
        assert_eq!(amounts(&findings[0]), money_of("-", "2.3"));
        let half_a_month = check_default(CHECKER_ID, [standard("100").resource("logs").hours(360)]);
        assert_eq!(amounts(&half_a_month[0]), money_of("-", "4.6"));
    }
}
