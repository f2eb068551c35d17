//! Databases whose engine version is past its standard support.

use super::group::{Group, group_by};
use super::subject::{as_billed, finding, is_visible, money, resource_scope};
use super::{BillingCheck, OverBill, over_bill};
use crate::billing::inventory::BillingInventory;
use crate::billing::line::UsageLine;
use crate::billing::meter::Meter;
use crate::checker::{CheckInfo, CheckerDocs};
use crate::finding::{Finding, Status};

const CHECKER_ID: &str = "focus.database.support.extended";
const CHECK_ID: &str = "billing.database.support.extended";

const DOCS: CheckerDocs = CheckerDocs {
    what: "databases charged for extended support of an old engine version",
    why: "the charge per vCPU hour comes on top of the instance and doubles in the third year",
    money: "cost = savings = extended support charges: a supported version is not charged for support",
    verdict: "fail for each database with such charges",
    thresholds: &[],
    data: "rows of extended support hours with resource and engine version",
    limits: "does not know whether the software runs on a newer version",
};

inventory::submit! {
    over_bill(
        "checks.focus.database_support_extended:DatabaseSupportExtendedChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Database on extended support",
            category: "cost",
            sub_category: "database",
        }],
        &DOCS,
        |_, _| Ok(Box::new(OverBill(DatabaseSupportExtended))),
    )
}

struct DatabaseSupportExtended;

impl BillingCheck for DatabaseSupportExtended {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let charged = bill.current().filter(|l| l.is_charge() && engine_of(l).is_some() && !l.key.resource.is_empty());
        let groups = group_by(charged, |line| (&line.key.region, &line.key.resource, engine_of(line)));
        groups.iter().filter_map(judge).collect()
    }
}

fn engine_of(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::ExtendedSupport(engine) => Some(engine),
        _ => None,
    }
}

fn judge(group: &Group<'_>) -> Option<Finding> {
    let line = group.first();
    let engine = engine_of(line)?;
    let cost = group.billed();
    if !is_visible(cost) {
        return None;
    }
    let scope = resource_scope(line, "db_instance", None);
    let message = format!(
        "database {} runs {engine} past its standard support, which cost {} on top of the instance",
        scope.resource_id,
        money(cost, group.currency()),
    );
    let mut finding = finding(CHECK_ID, group, scope, Status::Fail, as_billed(group, Some(cost), 95))
        .issue("engine", engine)
        .dimension("engine", engine)
        .text(
            "Database on extended support",
            message,
            "Upgrade to an engine version in standard support after a test.",
        );
    finding.tags = group.tags();
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{amounts, check_default, money_of, row};
    use super::*;

    #[test]
    fn support_charges_are_savings_as_billed() {
        let support = "USD 0.10 per hour per vCPU running RDS Extended Support for MySQL 5.7 in Year 1, Year 2";
        let database = "arn:aws:rds:us-west-2:111122223333:db:orders";
        let rows = [
            row(support).resource(database).service("AmazonRDS").cost("0.4"),
            row("USD 0.1 per db.t3.large Single-AZ instance hour").resource(database).service("AmazonRDS"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(amounts(finding), money_of("0.4", "0.4"));
        assert_eq!((&*finding.scope.resource_id, &*finding.issue_key["engine"]), ("orders", "MySQL 5.7"));
    }
}
