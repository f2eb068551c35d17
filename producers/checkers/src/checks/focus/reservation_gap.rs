//! On-demand nodes of databases, caches, search and warehouses that run steadily enough for a reservation.

use contracts::draft::Status;
use contracts::resource_type::ResourceType;
use inventories::billing::coverage::CurrentMonth;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

use super::figures::monthly_of_many;
use super::group::{Group, by_resource, by_resource_or_none, group_by, payer};
use super::kept::kept_share;
use super::off_hours::OffHours;
use super::pool::{Pool, runs_now};
use super::prices::ListPrices;
use super::run_rate::share_of as share_of_charge;
use super::saved::Saved;
use super::subject::{finding, named_scope, place};
use super::text::{counted, figure, is_visible, money};
use super::{BillingCheck, OverBill, over_bill};
use crate::checker::{CheckInfo, CheckerDocs, MonthRule};
use crate::finding::Finding;
use crate::rulepack::{DefaultValue, Rulepack, Threshold, UndeclaredThreshold};

const CHECKER_ID: &str = "focus.reservation.gap";
const CHECK_ID: &str = "billing.reservation.gap";

const DOCS: CheckerDocs = CheckerDocs {
    what: "nodes of databases (RDS), caches (ElastiCache, MemoryDB), search (OpenSearch) and warehouses (Redshift) charged at on-demand rates \
           that reservations would cover, by account, region and what a reservation is for",
    why: "a database runs all month, and a one-year reservation without upfront payment costs a quarter to a third less",
    money: "cost = on-demand charges of the nodes; savings = those of the reservations of c an hour that save most: the sum over all hours of \
            min(on-demand cost of the hour, c) − c × (1 − discount) × hours, as for compute. Reservations of a family cover its sizes in \
            proportion to their price (normalised units) where they are flexible: RDS for MySQL, MariaDB, PostgreSQL and Aurora, \
            ElastiCache and MemoryDB. Elsewhere they are for one node type. The discount is what reservations of the same kind cost less in this \
            bill, else `discount`. c is at most what ran in the last 48 hours",
    month: MonthRule::ByBill,
    verdict: "fail when a reservation of steady on-demand nodes saves; nothing is said of others",
    thresholds: &[
        Threshold {
            key: "discount",
            default: DefaultValue::Number("0.25"),
            meaning: "assumed discount of a one-year reservation without upfront payment, where the bill shows none",
        },
        Threshold {
            key: "hours_min",
            default: DefaultValue::Number("168"),
            meaning: "hours a bill must cover before it can show that anything is steady",
        },
    ],
    data: "rows of node hours with price category, resource, quantity, operation and charge period",
    limits: "bills without usage types name no node; a node that is to be removed or changed within the year should not be reserved",
};

inventory::submit! {
    over_bill(
        "checks.focus.reservation_gap:ReservationGapChecker",
        CHECKER_ID,
        &[CheckInfo {
            check_id: CHECK_ID,
            name: "On-demand databases, caches and search without reservation",
            category: "cost",
            sub_category: "commitments",
        }],
        &DOCS,
        |context, _| Ok(Box::new(OverBill(ReservationGap::of(&context.rulepack)?))),
    )
}

/// Engines of RDS by operation code whose reservations cover all sizes of a family.
///
/// Source: operation codes of the AWS price list, as public code quotes them, November 2026. That reservations of these engines are
/// size-flexible is said by the Amazon RDS User Guide, "Reserved DB instances", which could not be read again then.
const FLEXIBLE_ENGINES: [(&str, &str); 5] = [
    ("CreateDBInstance:0002", "MySQL"),
    ("CreateDBInstance:0014", "PostgreSQL"),
    ("CreateDBInstance:0016", "Aurora MySQL"),
    ("CreateDBInstance:0018", "MariaDB"),
    ("CreateDBInstance:0021", "Aurora PostgreSQL"),
];

/// What a reservation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reservable<'a> {
    service: &'a str,
    region: &'a str,
    /// A family where its sizes share reservations, else a node type.
    nodes: &'a str,
    /// Operation, which tells the engine and its licence.
    engine: &'a str,
}

impl<'a> Reservable<'a> {
    fn of(line: &'a UsageLine) -> Option<Self> {
        let Meter::NodeHours(node_type) = &line.key.meter else { return None };
        let (service, region) = (line.service(), &*line.key.region);
        let operation = line.key.sku.rsplit_once('/').map_or("", |(_, operation)| operation);
        let engine = FLEXIBLE_ENGINES.iter().find(|(code, _)| *code == operation).map(|(_, engine)| *engine);
        let is_flexible = match service {
            "AmazonRDS" => engine.is_some(),
            "AmazonElastiCache" | "AmazonMemoryDB" => true,
            _ => false,
        };
        let family = node_type.rsplit_once('.').map(|(family, _)| family).filter(|_| is_flexible);
        Some(Self { service, region, nodes: family.unwrap_or(node_type), engine: engine.unwrap_or(operation) })
    }
}

struct ReservationGap {
    discount: Decimal,
    hours_min: Decimal,
    off_hours: OffHours,
}

/// The nodes of one kind.
struct Kind<'a> {
    of: Reservable<'a>,
    group: Group<'a>,
    /// What reservations cost less, and who says so.
    discount: (Decimal, &'static str),
}

impl ReservationGap {
    fn of(rulepack: &Rulepack) -> Result<Self, UndeclaredThreshold> {
        let thresholds = rulepack.of(CHECKER_ID, DOCS.thresholds);
        Ok(Self {
            discount: thresholds.number("discount")?,
            hours_min: thresholds.number("hours_min")?,
            off_hours: OffHours::of(rulepack)?,
        })
    }

    fn judge(
        &self,
        bill: &BillingInventory,
        prices: &ListPrices<'_>,
        begun: &[&UsageLine],
        kind: &Kind<'_>,
    ) -> Option<Finding> {
        let Kind { of, group, discount: (discount, source) } = kind;
        let (line, discount) = (group.first(), *discount);
        bill.current_month(line).filter(|month| CurrentMonth::tells_ends(month))?;
        let costs: Vec<_> = by_resource_or_none(group.lines())
            .iter()
            .filter(|one| self.off_hours.savings(bill, prices, one).is_none())
            .flat_map(|one| {
                one.lines().map(|line| (line, line.sums.billed * kept_share(bill, line))).collect::<Vec<_>>()
            })
            .collect();
        let pool =
            Pool::of(bill, costs.iter().copied()).filter(|pool| Decimal::from(pool.hours()) >= self.hours_min)?;
        let is_same = |other: &&UsageLine| {
            Reservable::of(other) == Some(*of) && payer(other) == payer(line) && other.key.account == line.key.account
        };
        let now = runs_now(bill, group, begun.iter().copied().filter(is_same), |line| line.sums.billed);
        let base = pool.base(discount, now);
        if !is_visible(base.savings) {
            return None;
        }
        let figures = monthly_of_many(bill, group, 60)?;
        let monthly = share_of_charge(bill, line).map_or(Some(base.savings), |share| share.monthly(base.savings))?;
        let how = base.formula("cost", pool.hours(), discount);
        let figures = figures.with_savings(Saved::part(bill, group, base.savings), monthly, &how);
        let name = [of.nodes, of.engine].join(" ");
        let message = format!(
            "{} {} on demand in {} {} for {}; a steady base of {} an hour ran in the {} hours of the bill: reservations of it, at {} % less, {}",
            of.service,
            name.trim(),
            place(line),
            figures.cost_text(),
            counted(by_resource(group.lines()).len().max(1), "node", "nodes"),
            money(base.per_hour, group.currency()),
            pool.hours(),
            figure(discount * Decimal::ONE_HUNDRED, 1),
            figures.savings_text(),
        );
        let scope = named_scope(line, ResourceType::InstanceFamily, of.nodes);
        let finding = finding(CHECK_ID, group, scope, Status::Fail, &figures)
            .issue("engine", of.engine)
            .dimension("engine", of.engine)
            .dimension("nodes", group.resources_text())
            .dimension("discount", figure(discount, 4))
            .dimension("discount_source", source)
            .dimension("base_hour", figure(base.per_hour, 6))
            .dimension("bill_hours", pool.hours());
        Some(finding.text(
            format!("On-demand {} nodes without reservation", of.nodes),
            message,
            "Compare with the provider's reservation recommendations: change size and generation first, then reserve the base only.",
        ))
    }

    /// What reservations of a kind cost less than on demand, all of the paying account together; what nothing tells is assumed.
    fn discount(&self, bill: &BillingInventory, line: &UsageLine) -> (Decimal, &'static str) {
        let of = Reservable::of(line);
        let (mut list, mut paid) = (Decimal::ZERO, Decimal::ZERO);
        let covered =
            bill.current().filter(|other| other.is_usage() && !other.key.commitment.is_empty() && !other.key.is_unused);
        for other in covered.filter(|other| Reservable::of(other) == of && other.key.currency == line.key.currency) {
            let at_list = other
                .sums
                .quantity
                .zip(other.sums.unit_price)
                .and_then(|(quantity, price)| quantity.checked_mul(price));
            if let Some(at_list) = at_list.filter(|_| other.sums.is_effective_known) {
                list += at_list;
                paid += other.sums.amortized;
            }
        }
        let learned = paid.checked_div(list).map(|share| Decimal::ONE - share);
        match learned.filter(|discount| *discount > Decimal::ZERO && *discount < Decimal::ONE && paid > Decimal::ZERO) {
            Some(discount) => (discount, "bill"),
            None => (self.discount, "assumed"),
        }
    }
}

impl BillingCheck for ReservationGap {
    fn check(&self, bill: &BillingInventory) -> Vec<Finding> {
        let is_node = |line: &&UsageLine| line.is_charge() && line.is_on_demand() && Reservable::of(line).is_some();
        let prices = ListPrices::new(bill);
        let begun: Vec<_> = bill.begun().filter(is_node).collect();
        let groups = group_by(bill.current().filter(is_node), Reservable::of);
        let kinds = groups.into_iter().filter_map(|group| {
            let line = group.first();
            Some(Kind { of: Reservable::of(line)?, discount: self.discount(bill, line), group })
        });
        kinds.filter_map(|kind| self.judge(bill, &prices, &begun, &kind)).collect()
    }
}
