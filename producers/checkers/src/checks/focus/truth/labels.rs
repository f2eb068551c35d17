//! Names and tags: one spelling for one thing, and only a person's tags name an owner.

use super::{Case, check, findings, issues, rows_of};

#[test]
fn tags_of_tools_name_no_owner() {
    for tag in ["Name", "aws:createdBy", "goog-gke-node", "aks-managed-poolName", "ms-resource-usage"] {
        let bill = format!("AmazonEC2 Other i-1 0..720/24 cost=1 tag={tag}");
        let bill: &'static str = bill.leak();
        check(&[Case {
            name: tag,
            why: "30 a month without a tag that names an owner",
            bill,
            findings: "tags.missing AmazonEC2 fail - 30.00",
        }]);
    }
    check(&[Case {
        name: "an owner",
        why: "a tag of one's own",
        bill: "AmazonEC2 Other i-1 0..720/24 cost=1 tag=team",
        findings: "",
    }]);
}

#[test]
fn an_engine_is_one_issue_in_both_spellings() {
    let usage_type = "AmazonRDS USE2-ExtendedSupport:Yr1-Yr2:MySQL5.7 orders 0..720/24 cost=4.8 qty=48";
    let by_usage_type = findings(&rows_of(usage_type));
    let described =
        super::row("USD 0.10 per hour per vCPU running RDS Extended Support for MySQL 5.7 in Year 1, Year 2")
            .service("AmazonRDS")
            .resource("orders")
            .cost("144")
            .hours(720)
            .tag("team", "a");
    assert_eq!(issues(&by_usage_type), issues(&findings(&[described])));
    assert_eq!(by_usage_type.len(), 1);
}
