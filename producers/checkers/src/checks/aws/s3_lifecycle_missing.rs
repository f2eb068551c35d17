//! Buckets whose objects stay for ever in the class they were written to.

use contracts::draft::{Level, Severity, Status};
use inventories::bootstrap::Bootstrap;
use inventories::kind::Inventory;
use inventories::s3::{Bucket, Lifecycle, S3Inventory};
use inventories::services::Services;

use super::bucket_scope;
use crate::checker::{
    CheckInfo, Checked, Checker, CheckerDocs, CheckerError, CheckerRegistration, CheckerScope, MonthRule,
};
use crate::finding::Finding;
use crate::severity;

const CHECK_ID: &str = "aws.s3.governance.lifecycle.missing";
/// Fixed: without the bucket's size no amount is at stake that could pick a level.
const MISSING: Severity = Severity { level: Level::Medium, score: Some(500) };

const DOCS: CheckerDocs = CheckerDocs {
    what: "S3 buckets without a lifecycle rule that moves or expires objects",
    why: "objects that are no longer read keep costing the price of the most expensive class",
    money: "no figures: the API that lists rules does not tell sizes",
    month: MonthRule::NoMoney,
    verdict: "fail when no enabled rule moves or expires objects; info when the rules may not be read",
    thresholds: &[],
    data: "buckets of the account with region and lifecycle configuration (S3 API)",
    limits: "says nothing about buckets that are meant to keep everything, nor about how much a rule would save",
};

inventory::submit! {
    CheckerRegistration {
        spec: "checks.aws.s3_lifecycle_missing:S3LifecycleMissingChecker",
        checker_id: "aws.s3.governance.lifecycle_missing",
        scope: CheckerScope::Global,
        needs: &[S3Inventory::KIND],
        checks: &[CheckInfo {
            check_id: CHECK_ID,
            name: "S3 bucket without lifecycle rules",
            category: "governance",
            sub_category: "storage",
        }],
        docs: &DOCS,
        is_on_request: false,
        together: None,
        factory: |_, account| Ok(Box::new(S3LifecycleMissingChecker { account: account.clone() })),
    }
}

/// The checker.
struct S3LifecycleMissingChecker {
    account: Bootstrap,
}

impl Checker for S3LifecycleMissingChecker {
    fn run(&self, services: &Services, _region: &str) -> Result<Checked, CheckerError> {
        let inventory: &S3Inventory = services.get()?;
        let findings = inventory.buckets.iter().filter_map(|bucket| self.judge(bucket)).collect();
        let unknown = inventory.buckets.iter().filter_map(|bucket| match &bucket.lifecycle {
            Lifecycle::Unknown(reason) => Some(format!("bucket {}: {reason}", bucket.name)),
            _ => None,
        });
        Ok(Checked { findings, gaps: unknown.collect(), ..Checked::default() })
    }
}

impl S3LifecycleMissingChecker {
    fn judge(&self, bucket: &Bucket) -> Option<Finding> {
        let name = &bucket.name;
        let (status, severity) = match bucket.lifecycle {
            Lifecycle::Rules { effective, .. } if effective > 0 => return None,
            Lifecycle::Unknown(_) => return None,
            Lifecycle::Denied => (Status::Info, severity::UNKNOWN),
            Lifecycle::Missing | Lifecycle::Rules { .. } => (Status::Fail, MISSING),
        };
        let finding =
            Finding::new(CHECK_ID, bucket_scope(&self.account, &bucket.region, &bucket.name), status, severity)
                .issue("check_id", CHECK_ID)
                .issue("bucket", name);
        Some(match bucket.lifecycle {
            Lifecycle::Denied => finding.issue("reason", "access_denied").text(
                "Lifecycle rules may not be read",
                format!("the lifecycle rules of bucket {name} could not be read: access denied"),
                "Allow s3:GetLifecycleConfiguration for the role of this run.",
            ),
            Lifecycle::Rules { enabled, .. } => finding.dimension("rules_enabled", enabled).text(
                "Bucket without an effective lifecycle rule",
                format!("none of the {enabled} enabled lifecycle rules of bucket {name} moves or expires objects"),
                "Add rules that move objects to a cheaper class or expire them once they are no longer read.",
            ),
            _ => finding.dimension("rules_enabled", 0).text(
                "Bucket without lifecycle rules",
                format!("bucket {name} has no lifecycle rules: its objects stay in the class they were written to"),
                "Add rules that move objects to a cheaper class or expire them once they are no longer read.",
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lifecycle: Lifecycle) -> Checked {
        let bucket = Bucket { name: "logs".into(), region: "eu-west-3".into(), lifecycle };
        let services = Services::of(S3Inventory { buckets: vec![bucket] });
        let account = Bootstrap {
            account_id: Some("111122223333".into()),
            partition: Some("aws-cn".into()),
            ..Bootstrap::default()
        };
        S3LifecycleMissingChecker { account }.run(&services, "global").unwrap()
    }

    #[test]
    fn what_the_api_said_makes_the_verdict() {
        let rules = |enabled, effective| Lifecycle::Rules { enabled, effective };
        let cases = [
            (Lifecycle::Missing, Some((Status::Fail, Some(500)))),
            (rules(1, 0), Some((Status::Fail, Some(500)))),
            (rules(0, 0), Some((Status::Fail, Some(500)))),
            (rules(2, 1), None),
            (Lifecycle::Denied, Some((Status::Info, Some(110)))),
            (Lifecycle::Unknown("timeout".into()), None),
        ];
        for (lifecycle, expected) in cases {
            let checked = check(lifecycle.clone());
            let seen = checked.findings.first().map(|f| (f.status, f.severity.score));
            assert_eq!(seen, expected, "{lifecycle:?}");
        }
    }

    #[test]
    fn a_bucket_is_named_with_its_arn() {
        let checked = check(Lifecycle::Missing);
        let scope = &checked.findings[0].scope;
        assert_eq!(scope.resource_arn, "arn:aws-cn:s3:::logs");
        assert_eq!((&*scope.region, &*scope.billing_account_id), ("eu-west-3", "111122223333"));
    }

    #[test]
    fn what_could_not_be_seen_is_a_gap_not_a_verdict() {
        let checked = check(Lifecycle::Unknown("timeout".into()));
        assert_eq!(checked.gaps, ["bucket logs: timeout"]);
    }
}
