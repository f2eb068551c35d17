//! Kubernetes clusters whose version is past its standard support.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;

use super::support_extended::Surcharge;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.kubernetes.support.extended";
const CHECK_ID: &str = "billing.kubernetes.support.extended";

// Source: AWS price list of AmazonEKS, September 2026: `AmazonEKS-Hours:extendedSupport` is 0.50 an hour in addition to the 0.10 of
// `AmazonEKS-Hours:perCluster`, which stays.
const DOCS: CheckerDocs = CheckerDocs {
    what: "EKS clusters charged for extended support of an old Kubernetes version",
    why: "the surcharge is five times the price of the cluster itself, and begins 14 months after a version was released",
    money: "cost = savings = extended support charges: a version in standard support has none, and the cluster's own price stays",
    month: MonthRule::ByTime,
    verdict: "fail for each cluster with such charges",
    thresholds: &[],
    data: "rows of extended support hours with resource",
    limits: "does not know which version runs, nor whether the workloads run on a newer one",
};

inventory::submit! {
    over_bill(
        "checks.focus.kubernetes_support_extended:KubernetesSupportExtendedChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Kubernetes cluster on extended support",
            category: "cost",
            sub_category: "container",
        }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(KubernetesSupportExtended))),
    )
}

const SURCHARGE: Surcharge = Surcharge {
    check_id: CHECK_ID,
    resource_type: ResourceType::KubernetesCluster,
    noun: "cluster",
    base: "the cluster itself",
    title: "Kubernetes cluster on extended support",
    advice: "Upgrade the cluster to a version in standard support, one minor version at a time, after a test.",
    software: version_of,
};

struct KubernetesSupportExtended;

impl BillingCheck for KubernetesSupportExtended {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        SURCHARGE.findings(bill)
    }
}

/// A bill does not tell the version.
fn version_of(line: &UsageLine) -> Option<&str> {
    (line.key.meter == Meter::ClusterSupport).then_some("Kubernetes")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn the_surcharge_is_saved_and_the_cluster_stays() {
        let cluster = "arn:aws:eks:us-east-1:111122223333:cluster/prod";
        let hours = |kind: &str| row("").usage_type(&format!("USE1-AmazonEKS-Hours:{kind}"), "").service("AmazonEKS");
        let rows = [
            hours("extendedSupport").resource(cluster).hours(36).cost("18"),
            hours("perCluster").resource(cluster).hours(36).cost("3.6"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!((&*finding.scope.resource_id, amounts(finding)), ("prod", money_of("360", "360")));
    }
}
