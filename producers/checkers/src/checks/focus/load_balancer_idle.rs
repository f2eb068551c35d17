//! Load balancers with hours but next to no work.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::{monthly_of_many, monthly_of_resource};
use super::group::{Group, by_resource, group_by};
use super::saved::Saved;
use super::subject::{account_scope, finding, resource_scope};
use super::text::{figure, is_visible};
use super::words::{ByCloud, Words};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Threshold, Thresholds, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.load.balancer.idle";
const CHECK_ID: &str = "billing.load.balancer.idle";

const DOCS: CheckerDocs = CheckerDocs {
    what: "load balancers charged by the hour that do next to no work",
    why: "an idle load balancer costs its hours, and its public addresses on top",
    money: "cost = savings = all charges of the load balancer's hours, and of its work as charged",
    month: MonthRule::ByTime,
    verdict: "fail when, over at least hours_min charged hours, work per hour stays at or below units_hour_max",
    thresholds: &[
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "charged hours before a verdict; fewer cannot show that it is idle",
        },
        Threshold {
            key: "units_hour_max",
            default: DefaultValue::Number("0.005"),
            meaning: "mean capacity units (classic: GB) per hour up to which it does next to nothing; one unit is about \
                      1 GB or 25 new connections a second",
        },
    ],
    data: "rows of load balancer hours and of capacity units or processed GB, with resource",
    limits: "of Google Cloud only projects as a whole, since rules share a charge; a bill that leaves out rows of work makes a busy load balancer look idle; a standby is idle on purpose",
};

inventory::submit! {
    over_bill(
        "checks.focus.load_balancer_idle:LoadBalancerIdleChecker",
        CHECKER_ID,
        &[CheckInfo { check_id: CHECK_ID, name: "Idle load balancer", category: "cost", sub_category: "network" }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(LoadBalancerIdle::new(context.rulepack.of(CHECKER_ID, DOCS.thresholds))?))),
    )
}

const WORDS: ByCloud<Words> = ByCloud {
    aws: Words {
        noun: "load balancer",
        title: "Load balancer with next to no work",
        advice: "Check its listeners and targets; delete it, or put its rules on a shared load balancer.",
    },
    azure: Words {
        noun: "load balancer",
        title: "Load balancer with next to no work",
        advice: "Check its rules and backend pools; delete the load balancer or application gateway with its public IP address, or \
                 share one.",
    },
    google: Words {
        noun: "Cloud Load Balancing:",
        title: "Forwarding rules with next to no work",
        advice: "Check the backends of the project's forwarding rules; delete those that lead to nothing, with their addresses.",
    },
};

struct LoadBalancerIdle {
    hours_min: Decimal,
    units_hour_max: Decimal,
}

impl LoadBalancerIdle {
    fn new(thresholds: Thresholds<'_>) -> Result<Self, UndeclaredThreshold> {
        Ok(Self { hours_min: thresholds.number("hours_min")?, units_hour_max: thresholds.number("units_hour_max")? })
    }

    fn judge(&self, bill: &BillingInventory, group: &Group<'_>) -> Option<Finding> {
        if !group.lines().any(|line| matches!(line.key.meter, Meter::BalancerHours(_))) {
            return None;
        }
        // All work counts: a bill does not always tell the kind of a load balancer.
        let is_work = |meter: &Meter| matches!(meter, Meter::BalancerCapacity | Meter::BalancerData);
        let hours = Decimal::from(group.hours());
        let units: Option<Decimal> = group.lines().filter(|l| is_work(&l.key.meter)).map(|l| l.sums.quantity).sum();
        let units_hour = units?.checked_div(hours)?;
        let cost = group.billed();
        if hours < self.hours_min || units_hour > self.units_hour_max || !is_visible(cost) {
            return None;
        }
        let line = group.first();
        let is_of_account = is_charged_by_account(line);
        let figures = match is_of_account {
            true => monthly_of_many(bill, group, 60)?.with_all_saved(bill, group),
            false => monthly_of_resource(bill, group, Saved::all(bill, group), 70)?,
        };
        let scope = match is_of_account {
            true => account_scope(line, ResourceType::ResourcePortfolio, "all-forwarding-rules"),
            false => resource_scope(line, ResourceType::LoadBalancer, None),
        };
        let words = WORDS.of(line);
        let message = format!(
            "{} {} did {} units of work per hour in {hours} charged hours and {}",
            words.noun,
            scope.resource_id,
            figure(units_hour, 4),
            figures.cost_text(),
        );
        let mut finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .dimension("units_hour", figure(units_hour, 6))
            .text(words.title, message, words.advice);
        finding.tags = group.tags();
        Some(finding)
    }
}

impl BillingCheck for LoadBalancerIdle {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let balancers = bill.current().filter(|l| {
            l.is_usage()
                && matches!(l.key.meter, Meter::BalancerHours(_) | Meter::BalancerCapacity | Meter::BalancerData)
        });
        let (of_account, of_resource): (Vec<_>, Vec<_>) = balancers.partition(|line| is_charged_by_account(line));
        let mut groups = by_resource(of_resource.into_iter());
        groups.extend(group_by(of_account.into_iter(), |_| ()));
        groups.iter().filter_map(|group| self.judge(bill, group)).collect()
    }
}

/// Google Cloud charges for the first five forwarding rules of a project together, and for data elsewhere: only where no rule of a
/// project did any work is one of them idle for sure.
fn is_charged_by_account(line: &UsageLine) -> bool {
    &*line.key.cloud == "gcp"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Row, amounts, check_default, money_of, row};
    use super::*;

    const ARN: &str = "arn:aws:elasticloadbalancing:us-west-2:111122223333:loadbalancer/app/web/50dc";

    fn balancer(description: &str) -> Row {
        row(description).resource(ARN).service("AWSELB")
    }

    fn hours(hours: i64) -> Row {
        balancer("$0.0225 per Application LoadBalancer-hour (or partial hour)").hours(hours).cost("16.2")
    }

    fn units(units: &str) -> Row {
        balancer("$0.008 per used Application load balancer capacity unit-hour (or partial hour)")
            .hours(720)
            .quantity(units)
            .cost("0.01")
    }

    #[test]
    fn work_per_hour_makes_the_verdict() {
        let cases = [
            (vec![hours(720), units("3.6")], Some("16.21")),
            (vec![hours(720), units("3.7")], None),
            (vec![hours(360), units("1.8").hours(360)], Some("32.42")),
            (vec![hours(168)], Some("69.428571")),
            (vec![hours(167)], None),
            (vec![units("0.1")], None),
        ];
        for (rows, savings) in cases {
            let findings = check_default(CHECKER_ID, rows);
            let seen = findings.first().and_then(|f| amounts(f).0);
            assert_eq!(seen.as_deref(), savings);
        }
    }

    #[test]
    fn a_classic_one_works_in_gigabytes() {
        let classic = balancer("$0.025 per LoadBalancer-hour (or partial hour)").hours(720).cost("18");
        let data = balancer("$0.008 per GB Data Processed by the LoadBalancer").hours(720).cost("1").quantity("125");
        assert_eq!(check_default(CHECKER_ID, [classic.clone(), data]), []);
        let findings = check_default(CHECKER_ID, [classic]);
        assert_eq!(amounts(&findings[0]), money_of("18", "18"));
        assert_eq!(findings[0].scope.resource_id, "web");
    }

    #[test]
    fn work_of_any_kind_keeps_a_balancer_of_unknown_kind_busy() {
        let unknown = balancer("$0.0225 per LoadBalancer-hour").hours(720).cost("16.2");
        assert_eq!(check_default(CHECKER_ID, [unknown, units("72")]), []);
    }
}
