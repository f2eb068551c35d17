//! Buckets that keep parts of uploads which were never completed.

use contracts::draft::{Level, Severity, Status};
use inventories::bootstrap::Bootstrap;
use inventories::kind::Inventory;
use inventories::s3_uploads::{BucketUploads, S3Uploads};
use inventories::services::Services;
use rust_decimal::Decimal;

use super::bucket_scope;
use crate::checker::{
    CheckInfo, Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope, MonthRule,
};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold};

const CHECKER_ID: &str = "aws.s3.uploads.incomplete";
const CHECK_ID: &str = "aws.s3.mpu.abort.missing";
/// Fixed: without the size of the parts no amount is at stake that could pick a level.
const SEVERITY: Severity = Severity { level: Level::Low, score: Some(350) };
const DAY_MS: i64 = 86_400_000;

const DOCS: CheckerDocs = CheckerDocs {
    what: "S3 buckets with uploads in parts that were begun days ago and neither completed nor aborted",
    why: "their parts cost as much as objects, and no list of objects shows them",
    money: "no figures: the API that lists uploads does not tell the sizes of their parts",
    month: MonthRule::NoMoney,
    verdict: "fail for each bucket with an upload that was begun at least age_days_min days before the run",
    thresholds: &[Threshold {
        key: "age_days_min",
        default: DefaultValue::Number("7"),
        meaning: "days after which an upload is not expected to be completed any more",
    }],
    data: "unfinished uploads of each bucket, the first 1000 by key (S3 API)",
    limits: "an upload that is paused for longer is named, too; those whose begin is unknown are not",
};

inventory::submit! {
    CheckerRegistration {
        spec: "checks.aws.s3_uploads_incomplete:S3UploadsIncompleteChecker",
        checker_id: CHECKER_ID,
        scope: CheckerScope::Global,
        needs: &[S3Uploads::KIND],
        checks: &[CheckInfo {
            check_id: CHECK_ID,
            name: "S3 bucket with parts of unfinished uploads",
            category: "waste",
            sub_category: "storage",
        }],
        docs: &DOCS,
        is_on_request: false,
        together: None,
        factory: |context, account| {
            let thresholds = context.rulepack.of(CHECKER_ID, DOCS.thresholds);
            let age_days_min = thresholds.number("age_days_min")?;
            Ok(Box::new(S3UploadsIncompleteChecker {
                account: account.clone(),
                run_ms: context.run_ts.timestamp_millis(),
                age_days_min,
            }))
        },
    }
}

/// The checker.
struct S3UploadsIncompleteChecker {
    account: Bootstrap,
    run_ms: i64,
    age_days_min: Decimal,
}

impl Checker for S3UploadsIncompleteChecker {
    fn run(&self, services: &Services, _region: &str) -> Result<Checked, CheckerError> {
        let inventory: &S3Uploads = services.get()?;
        let findings = inventory.buckets.iter().filter_map(|bucket| self.judge(bucket)).collect();
        Ok(Checked { findings, ..Checked::default() })
    }
}

impl S3UploadsIncompleteChecker {
    fn judge(&self, bucket: &BucketUploads) -> Option<Finding> {
        let ages = bucket.begun_ms.iter().flatten().map(|begun_ms| (self.run_ms - begun_ms) / DAY_MS);
        let old: Vec<i64> = ages.filter(|days| Decimal::from(*days) >= self.age_days_min).collect();
        let oldest = old.iter().max()?;
        let (name, count) = (&bucket.name, old.len());
        let message = format!(
            "bucket {name} has {count} upload(s) that were begun {} days ago or earlier and never completed, the oldest \
             {oldest} days ago",
            self.age_days_min
        );
        let advice = "Add a lifecycle rule that aborts uploads which are not completed within a week.";
        let finding = Finding::new(
            CHECK_ID,
            bucket_scope(&self.account, &bucket.region, &bucket.name),
            Status::Fail,
            SEVERITY,
        )
        .text("Parts of unfinished uploads", message, advice)
        .metric("uploads", Decimal::from(count))
        .metric("age_days_max", *oldest)
        .label("amount", "unknown")
        .remediation(format!(
            "aws s3api put-bucket-lifecycle-configuration --bucket {name} replaces all rules of a bucket: read them \
                 first, and add one with AbortIncompleteMultipartUpload, DaysAfterInitiation 7"
        ))
        .link(
            "Aborting unfinished uploads",
            "https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html",
        );
        Some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN_MS: i64 = 1_789_000_000_000;

    #[track_caller]
    fn check(ages_ms: &[Option<i64>], expected: Option<(&str, &str)>) {
        let begun_ms = ages_ms.iter().map(|age| age.map(|age| RUN_MS - age)).collect();
        let bucket = BucketUploads { name: "logs".into(), region: "eu-west-3".into(), begun_ms };
        let account = Bootstrap { account_id: Some("111122223333".into()), ..Bootstrap::default() };
        let checker = S3UploadsIncompleteChecker { account, run_ms: RUN_MS, age_days_min: Decimal::from(7) };
        let checked = checker.run(&Services::of(S3Uploads { buckets: vec![bucket] }), "global").unwrap();
        let metric = |finding: &Finding, name: &str| finding.metrics[name].to_string();
        let found = checked.findings.first().map(|f| (metric(f, "uploads"), metric(f, "age_days_max")));
        assert_eq!(found, expected.map(|(uploads, oldest)| (uploads.to_owned(), oldest.to_owned())));
        assert!(checked.findings.iter().all(|finding| finding.check() == Ok(())));
    }

    #[test]
    fn an_upload_is_named_from_the_seventh_day_on() {
        check(&[], None);
        check(&[Some(7 * DAY_MS - 1)], None);
        check(&[Some(7 * DAY_MS)], Some(("1", "7")));
        check(&[Some(DAY_MS), Some(8 * DAY_MS), Some(30 * DAY_MS)], Some(("2", "30")));
    }

    #[test]
    fn an_unknown_age_is_not_a_great_one() {
        check(&[None], None);
        check(&[None, Some(9 * DAY_MS)], Some(("1", "9")));
    }
}
