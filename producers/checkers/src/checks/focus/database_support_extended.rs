//! Databases whose engine version is past its standard support.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;

use super::figures::monthly_of_resource;
use super::group::{Group, group_by};
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::is_visible;
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;

const CHECKER_ID: &str = "focus.database.support.extended";
const CHECK_ID: &str = "billing.database.support.extended";

const DOCS: CheckerDocs = CheckerDocs {
    what: "databases charged for extended support of an old engine version",
    why: "the charge per vCPU hour comes on top of the instance and doubles in the third year",
    money: "cost = savings = extended support charges: a supported version is not charged for support",
    month: MonthRule::ByTime,
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
        groups.iter().filter_map(|group| judge(bill, group)).collect()
    }
}

fn engine_of(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::ExtendedSupport(engine) => Some(engine),
        _ => None,
    }
}

fn judge(bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
    let line = group.first();
    let engine = engine_of(line)?;
    let cost = group.billed();
    if !is_visible(cost) {
        return None;
    }
    let figures = monthly_of_resource(bill, group, Saved::all(bill, group), 95)?;
    let scope = resource_scope(line, ResourceType::DbInstance, None);
    let message = format!(
        "database {} runs {engine} past its standard support, which on top of the instance {}",
        scope.resource_id,
        figures.cost_text(),
    );
    let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
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
    fn support_charges_are_savings() {
        let support = "USD 0.10 per hour per vCPU running RDS Extended Support for MySQL 5.7 in Year 1, Year 2";
        let database = "arn:aws:rds:us-west-2:111122223333:db:orders";
        let rows = [
            row(support).resource(database).service("AmazonRDS").cost("0.4").hours(36),
            row("USD 0.1 per db.t3.large Single-AZ instance hour").resource(database).service("AmazonRDS"),
        ];
        let findings = check_default(CHECKER_ID, rows);
        let [finding] = findings.as_slice() else { panic!("one finding expected") };
        assert_eq!(amounts(finding), money_of("8", "8"));
        assert_eq!((&*finding.scope.resource_id, &*finding.issue_key["engine"]), ("orders", "MySQL 5.7"));
    }

    #[test]
    fn a_database_that_changed_its_engine_is_charged_for_one_month() {
        let support = |engine: &str| {
            row(&format!("USD 0.10 per hour per vCPU running RDS Extended Support for {engine} in Year 1, Year 2"))
                .resource("arn:aws:rds:us-west-2:111122223333:db:orders")
                .service("AmazonRDS")
                .hours(360)
        };
        let now = support("MySQL 8.0").at_hour(360).hours(360).cost("36");
        // The charge for the former engine ended with the change, and so did its finding.
        let findings = check_default(CHECKER_ID, [support("MySQL 5.7").cost("36"), now.clone()]);
        let seen: Vec<_> = findings.iter().map(|f| (&*f.issue_key["engine"], amounts(f))).collect();
        assert_eq!(seen, [("MySQL 8.0", money_of("72", "72"))]);
        // Both in each hour: nothing is scaled.
        let both = [support("MySQL 5.7").cost("36").hours(720), now.cost("36").at_hour(0).hours(720)];
        let findings = check_default(CHECKER_ID, both);
        assert_eq!(findings.iter().map(amounts).collect::<Vec<_>>(), [money_of("36", "36"), money_of("36", "36")]);
    }
}
