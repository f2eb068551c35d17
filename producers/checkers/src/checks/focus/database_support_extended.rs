//! Databases whose engine version is past its standard support.

use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;

use super::support_extended::Surcharge;
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

const SURCHARGE: Surcharge = Surcharge {
    check_id: CHECK_ID,
    resource_type: ResourceType::DbInstance,
    noun: "database",
    base: "the instance",
    title: "Database on extended support",
    advice: "Upgrade to an engine version in standard support after a test.",
    software: engine_of,
};

struct DatabaseSupportExtended;

impl BillingCheck for DatabaseSupportExtended {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        SURCHARGE.findings(bill)
    }
}

fn engine_of(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::ExtendedSupport(engine) => Some(engine),
        _ => None,
    }
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
