//! Instances and databases of test environments that run at night and on weekends.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use inventories::billing::tags::canonical_key;
use rust_decimal::Decimal;

use super::figures::monthly_of_resource;
use super::group::{Group, by_resource};
use super::instance_generation_previous::InstanceGenerationPrevious;
use super::kept::kept_share;
use super::prices::ListPrices;
use super::saved::Saved;
use super::subject::{finding, resource_scope};
use super::text::{figure, is_visible};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Rulepack, Threshold, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.off.hours";
const CHECK_ID: &str = "billing.off.hours";
/// Hours of a week.
const WEEK: Decimal = Decimal::from_parts(168, 0, 0, false, 0);

const DOCS: CheckerDocs = CheckerDocs {
    what: "instances and databases on demand, tagged as of an environment that is not production, that run around the clock",
    why: "what is not used at night and on weekends can be stopped then: five days of twelve hours are 60 of the 168 hours of a week",
    money: "cost = on-demand charges of the resource; savings = (cost, less what a move to a newer generation saves, which is another \
            finding) × (1 − hours_week / 168). What is claimed here is not offered as the base of a commitment",
    month: MonthRule::ByTime,
    verdict: "fail for a resource with such a tag whose hourly rows show it running in at least ratio_min of the hours of the bill since its \
              first one, hours_min of them or more",
    thresholds: &[
        Threshold {
            key: "hours_week",
            default: DefaultValue::Number("60"),
            meaning: "hours of a week in which the environment is needed",
        },
        Threshold {
            key: "ratio_min",
            default: DefaultValue::Number("0.95"),
            meaning: "hours run by hours of the bill, from which a resource runs around the clock",
        },
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "hours of the bill that must show it: a week has its nights and its weekend",
        },
        Threshold {
            key: "tag_keys",
            default: DefaultValue::List(&["env", "environment", "stage"]),
            meaning: "tag keys that name an environment, however they are spelt",
        },
        Threshold {
            key: "environments",
            default: DefaultValue::List(&[
                "dev",
                "development",
                "nonprod",
                "nonproduction",
                "qa",
                "sandbox",
                "staging",
                "test",
                "testing",
            ]),
            meaning: "environments that are not needed around the clock, without regard to case, spaces, dashes and underscores",
        },
    ],
    data: "hourly rows of instances and nodes with resource, price category, quantity and tags",
    limits: "rows by the day do not tell that it ran at night; whether tests run at night is not in a bill",
};

inventory::submit! {
    over_bill(
        "checks.focus.off_hours:OffHoursChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "Test environment that runs around the clock",
            category: "cost",
            sub_category: "compute",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(OffHours::of(&context.rulepack)?))),
    )
}

pub(super) struct OffHours {
    hours_week: Decimal,
    ratio_min: Decimal,
    hours_min: Decimal,
    tag_keys: Vec<String>,
    environments: Vec<String>,
    generations: InstanceGenerationPrevious,
}

impl OffHours {
    /// With the thresholds of the checker.
    pub(super) fn of(rulepack: &Rulepack) -> Result<Self, UndeclaredThreshold> {
        let thresholds = rulepack.of(CHECKER_ID, DOCS.thresholds);
        let list = |key| Ok(thresholds.list(key)?.iter().map(|text| canonical_key(text)).collect());
        Ok(Self {
            hours_week: thresholds.number("hours_week")?,
            ratio_min: thresholds.number("ratio_min")?,
            hours_min: thresholds.number("hours_min")?,
            tag_keys: list("tag_keys")?,
            environments: list("environments")?,
            generations: InstanceGenerationPrevious::of(rulepack)?,
        })
    }

    /// What of the charge of a resource would be saved; `None` where nothing shows that it runs when it is not needed.
    pub(super) fn savings(&self, bill: &BillingInventory, prices: &ListPrices<'_>, one: &Group<'_>) -> Option<Decimal> {
        self.environment(one)?;
        let first = one.first();
        let month = bill.current_month(first).filter(|month| month.tells_ends())?;
        let is_hourly = one.lines().all(|line| u64::from(line.sums.hours.count()) <= line.sums.rows);
        let begun = one.lines().filter_map(|line| line.sums.hours.first()).min()?;
        let shown = Decimal::from(month.hours.since(begun).span());
        let ran = Decimal::from(one.hours());
        if !is_hourly || first.key.resource.is_empty() || shown < self.hours_min || ran < shown * self.ratio_min {
            return None;
        }
        let moved = self.generations.savings(bill, prices, one).unwrap_or_default();
        let net = one.billed() * kept_share(bill, first) - moved;
        let savings = net * (Decimal::ONE - self.hours_week.checked_div(WEEK)?);
        is_visible(savings).then_some(savings)
    }

    /// The environment that the resource's tags name, where it is one of those that rest.
    fn environment(&self, one: &Group<'_>) -> Option<String> {
        let tags = one.tags();
        let mut named = tags.iter().filter(|(key, _)| self.tag_keys.contains(&canonical_key(key)));
        named.find(|(_, value)| self.environments.contains(&canonical_key(value))).map(|(_, value)| value.clone())
    }

    fn judge(&self, bill: &BillingInventory, prices: &ListPrices<'_>, one: &Group<'_>) -> Option<Finding> {
        let savings = self.savings(bill, prices, one)?;
        let (line, environment) = (one.first(), self.environment(one)?);
        let figures = monthly_of_resource(bill, one, Saved::part(bill, one, savings), 50)?;
        let (resource_type, arn) = match line.key.meter {
            Meter::NodeHours(_) => (ResourceType::DbInstance, None),
            _ => (ResourceType::Instance, Some(("ec2", "instance"))),
        };
        let scope = resource_scope(line, resource_type, arn);
        let message = format!(
            "{} of environment {environment} ran in {} hours, day and night, which {}; stopped when it is not needed, {} of 168 hours a week \
             are left, which {}",
            scope.resource_id,
            one.hours(),
            figures.cost_text(),
            figure(self.hours_week, 1),
            figures.savings_text(),
        );
        let finding = finding(CHECK_ID, one, scope, Status::Fail, &figures)
            .dimension("environment", environment)
            .dimension("hours_week", figure(self.hours_week, 1));
        Some(finding.text(
            "Test environment that runs around the clock",
            message,
            "Stop it at night and on weekends by a schedule, and let its users start it when they need it.",
        ))
    }
}

impl BillingCheck for OffHours {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let is_of_time = |line: &&UsageLine| {
            let is_compute = matches!(line.key.meter, Meter::InstanceHours(_) | Meter::NodeHours(_));
            is_compute && line.is_charge() && line.is_on_demand()
        };
        let prices = ListPrices::new(bill);
        by_resource(bill.current().filter(is_of_time)).iter().filter_map(|one| self.judge(bill, &prices, one)).collect()
    }
}
