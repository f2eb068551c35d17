//! The money of a finding: what was charged, and what that comes to in a month. The only place where a charge is scaled.

use contracts::draft::Estimated;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;
use inventories::billing::meter::PriceOf;
use inventories::billing::monthly::MonthShare;
use inventories::billing::unit_prices::UnitPrice;
use rust_decimal::Decimal;

use super::ended::{Ended, hours_of};
use super::group::{Group, by_resource_or_none};
use super::saved::{Saved, unit_price_of};
use super::text::{counted, figure, is_visible, money, round, share_of};

/// Places of charged amounts: those of the stored facts, so that the formula can be followed to the last digit.
const CHARGED_PLACES: u32 = 12;
/// What a figure scaled from fewer hours can be trusted at most: the contract's `low` below a day, `medium` below a week.
const CONFIDENCE_MAX: [(u32, u8); 2] = [(24, 30), (168, 60)];
/// The same for what may have ended.
const CONFIDENCE_MAX_ENDED: u8 = 30;

/// Money of one finding.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    estimated: Estimated,
    charged: Amounts,
    /// Savings a month at other prices.
    saved: Saved,
    /// Prices of a unit, where all that is charged has the same.
    unit_price: Option<UnitPrice>,
    charged_hours: u32,
    basis: Basis,
    currency: String,
}

/// How the monthly figure came about.
#[derive(Debug, Clone)]
enum Basis {
    /// One resource, scaled by its share of the month.
    Share(MonthShare),
    /// Many resources, each scaled by its own share.
    Shares,
    /// As charged in this month.
    Charged(String),
}

/// Cost, and savings out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Amounts {
    cost: Option<Decimal>,
    savings: Option<Decimal>,
}

/// Money of one resource that is priced by time: the charge, and what it comes to in a whole month. `savings` are those of
/// the charge. `None` when the bill tells that what was charged has ended: nothing is left to save, and a finding that is
/// absent from a run counts as resolved.
pub(super) fn monthly_of_resource(
    bill: &BillingInventory,
    group: &Group<'_>,
    savings: Saved,
    confidence: u8,
) -> Option<Figures> {
    let part = Part::of(bill, group, savings)?;
    let mut notes = part.formula(group);
    if let Ended::Unclear { hours_since } = part.ended {
        let hours = counted(hours_since, "hour", "hours");
        notes += &format!("; not charged in the last {hours} that the bill covers: check that it still exists");
    }
    Some(Figures {
        estimated: part.monthly.estimated(confidence.min(part.confidence_max()), notes),
        charged: part.charged,
        saved: part.saved,
        unit_price: unit_price_of(bill, group),
        charged_hours: group.hours(),
        basis: part.share.map_or_else(|| Basis::Charged(group.period().to_string()), Basis::Share),
        currency: group.currency().to_owned(),
    })
}

/// Money of many resources that are priced by time: the sum of what each comes to in a month. `savings` are those of the
/// charge of one resource. What has ended counts with its charge and adds nothing to a month. `None` when all has ended.
pub(super) fn monthly_of_many(
    bill: &BillingInventory,
    group: &Group<'_>,
    savings: impl Fn(&Group<'_>) -> Saved,
    confidence: u8,
) -> Option<Figures> {
    let resources = by_resource_or_none(group.lines());
    let parts: Vec<_> = resources.iter().filter_map(|one| Part::of(bill, one, savings(one))).collect();
    let mut monthly = Amounts::default();
    let mut charged = Amounts { cost: Some(group.billed()), savings: None };
    for part in &parts {
        monthly.add(part.monthly);
        charged.add(Amounts { cost: None, ..part.charged });
    }
    let saved = parts.iter().fold(Saved::UNKNOWN, |sum, part| sum.plus(part.saved));
    monthly.cost?;
    let notes = format!(
        "a month = the sum over {} of charged × {} hours of {} / hours charged of each{}",
        counted(parts.len(), "resource", "resources"),
        hours_of_month(group.period()),
        group.period(),
        match resources.len() - parts.len() {
            0 => String::new(),
            ended => format!("; {ended} more ended within the month"),
        },
    );
    let has_savings = monthly.savings.is_some();
    let telling = parts.iter().filter(|part| !has_savings || part.monthly.savings.is_some());
    let confidence_max = telling.map(Part::confidence_max).min().unwrap_or_default();
    Some(Figures {
        estimated: monthly.estimated(confidence.min(confidence_max), notes),
        charged,
        saved,
        unit_price: unit_price_of(bill, group),
        charged_hours: group.hours(),
        basis: Basis::Shares,
        currency: group.currency().to_owned(),
    })
}

/// Money that is not priced by time, as charged in the month so far: amounts of use, credits, purchases, and sums over many
/// kinds of charges. What was used tells nothing about what will be.
pub(super) fn as_charged(
    group: &Group<'_>,
    cost: Option<Decimal>,
    savings: Option<Decimal>,
    confidence: u8,
) -> Figures {
    let period = group.period().to_string();
    let notes = match cost {
        Some(_) => format!("as charged in {period}; amounts of use are not scaled to a month"),
        None => String::new(),
    };
    let charged = Amounts { cost, savings: capped(savings, cost) };
    Figures {
        estimated: charged.estimated(confidence, notes),
        charged,
        saved: Saved { charged: charged.savings, ..Saved::UNKNOWN },
        unit_price: None,
        charged_hours: group.hours(),
        basis: Basis::Charged(period),
        currency: group.currency().to_owned(),
    }
}

/// A finding that is not about money.
pub(super) fn no_money(group: &Group<'_>) -> Figures {
    as_charged(group, None, None, 0)
}

impl Figures {
    /// With savings that are already an effective cost, such as that of what a commitment left unused: it has no public price.
    pub(super) fn at_effective_cost(self) -> Self {
        Self { saved: Saved { effective: self.saved.charged, ..self.saved }, ..self }
    }

    /// As the contract has it.
    pub(super) fn estimated(&self) -> &Estimated {
        &self.estimated
    }

    /// Savings a month.
    pub(super) fn savings(&self) -> Option<Decimal> {
        self.estimated.monthly_savings
    }

    /// For the finding's dimensions: what was charged, and the hours that made a month of it.
    pub(super) fn dimensions(&self) -> impl Iterator<Item = (&'static str, String)> {
        let charged = |amount: Option<Decimal>| amount.map(|amount| figure(amount, CHARGED_PLACES));
        let share = match self.basis {
            Basis::Share(share) => Some(share),
            Basis::Shares | Basis::Charged(_) => None,
        };
        let charged_hours = match self.charged_hours {
            0 => "unknown".to_owned(),
            hours => hours.to_string(),
        };
        let figures = [
            ("charged_hours", Some(charged_hours)),
            ("charged_cost", charged(self.charged.cost)),
            ("charged_savings", charged(self.charged.savings)),
            ("share_hours", share.map(|share| share.hours().to_string())),
            ("month_hours", share.map(|share| share.month_hours().to_string())),
            ("monthly_savings_list", self.saved.list.map(|amount| round(amount).to_string())),
            ("monthly_savings_effective", self.saved.effective.map(|amount| round(amount).to_string())),
            ("unit_price_list", charged(self.unit_price.and_then(|price| price.list))),
            ("unit_price_effective", charged(self.unit_price.and_then(|price| price.effective))),
        ];
        figures.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// For a message: `cost 0.005 USD in 1 charged hour, 3.6 USD a month`.
    pub(super) fn cost_text(&self) -> String {
        self.text("cost", self.charged.cost, self.estimated.monthly_cost)
    }

    /// For a message: `saves 0.001111 USD in 1 charged hour, 0.8 USD a month`.
    pub(super) fn savings_text(&self) -> String {
        self.text("saves", self.charged.savings, self.estimated.monthly_savings)
    }

    fn text(&self, verb: &str, charged: Option<Decimal>, monthly: Option<Decimal>) -> String {
        let (Some(charged), Some(monthly)) = (charged, monthly) else { return String::new() };
        let (charged, monthly) = (money(charged, &self.currency), money(monthly, &self.currency));
        match &self.basis {
            Basis::Charged(period) => format!("{verb} {charged} in {period}"),
            _ if charged == monthly => format!("{verb} {monthly} a month"),
            _ => {
                let hours = counted(self.charged_hours, "charged hour", "charged hours");
                format!("{verb} {charged} in {hours}, {monthly} a month")
            }
        }
    }
}

impl Amounts {
    fn add(&mut self, more: Self) {
        let sum = |one: Option<Decimal>, other: Option<Decimal>| match (one, other) {
            (Some(one), Some(other)) => one.checked_add(other),
            (one, other) => one.or(other),
        };
        *self = Self { cost: sum(self.cost, more.cost), savings: sum(self.savings, more.savings) };
    }

    fn estimated(self, confidence: u8, notes: String) -> Estimated {
        Estimated {
            monthly_savings: self.savings.map(round),
            monthly_cost: self.cost.map(round),
            confidence,
            one_time_savings: None,
            notes,
        }
    }
}

/// One resource's part in a finding.
struct Part {
    charged: Amounts,
    monthly: Amounts,
    /// Savings of a month, at each price.
    saved: Saved,
    /// What of the charged cost is priced by time; the rest is charged by use.
    by_time: Decimal,
    /// `None` when no row tells how many hours were charged.
    share: Option<MonthShare>,
    ended: Ended,
}

impl Part {
    /// `None` when what was charged has ended.
    ///
    /// The hours are those of all prices of time of the resource since this one began: an address that is idle at night
    /// and in use by day exists all month, and its idle hours are no month of their own.
    fn of(bill: &BillingInventory, group: &Group<'_>, savings: Saved) -> Option<Self> {
        let ended = Ended::of(bill, group);
        if ended == Ended::Yes {
            return None;
        }
        let hours_charged = hours_of(group.lines());
        let is_named = !group.first().key.resource.is_empty();
        let resource: &[UsageLine] = if is_named { bill.of_resource(group.first()) } else { &[] };
        let in_currency = resource.iter().filter(|line| line.key.currency == group.first().key.currency);
        let kept = if is_named { kept_share(in_currency) } else { Decimal::ONE };
        let mut lifetime = hours_of(resource.iter()).since(hours_charged.first().unwrap_or_default());
        lifetime.merge(&hours_charged);
        let cost = group.billed();
        let charged =
            Amounts { cost: Some(cost), savings: capped(savings.charged.map(|savings| savings * kept), Some(cost)) };
        let by_time = group.lines().filter(|line| line.is_priced_by_time()).map(|line| line.sums.billed).sum();
        let share_hours = if may_pause(group) { lifetime.span() } else { lifetime.count() };
        let share = MonthShare::new(share_hours, hours_of_month(group.period()));
        let mut part = Self { charged, monthly: charged, saved: savings, by_time, share, ended };
        if let Some(share) = share {
            let cost = part.monthly(share, cost);
            let savings = part.charged.savings.and_then(|savings| part.monthly(share, savings));
            part.monthly = Amounts { cost, savings: capped(savings, cost) };
        }
        // What made a month of the savings makes one of them at any price.
        part.saved = savings.scaled(part.monthly.savings);
        Some(part)
    }

    /// Savings come out of what is priced by time first.
    fn split(&self, charged: Decimal) -> (Decimal, Decimal) {
        (charged.min(self.by_time), (charged - self.by_time).max(Decimal::ZERO))
    }

    fn monthly(&self, share: MonthShare, charged: Decimal) -> Option<Decimal> {
        let (by_time, by_use) = self.split(charged);
        share.monthly(by_time)?.checked_add(by_use)
    }

    fn confidence_max(&self) -> u8 {
        let share = self.share.filter(|share| !share.is_whole());
        let of_hours = share.and_then(|share| CONFIDENCE_MAX.iter().find(|(below, _)| share.hours() < *below));
        let of_hours = of_hours.map_or(100, |(_, max)| *max);
        if self.ended == Ended::No { of_hours } else { of_hours.min(CONFIDENCE_MAX_ENDED) }
    }

    /// The formula with its numbers.
    fn formula(&self, group: &Group<'_>) -> String {
        let (period, currency) = (group.period(), group.currency());
        let Some(share) = self.share else {
            return format!("as charged in {period}: no row tells how many hours were charged");
        };
        if share.is_whole() {
            return format!("charged for the whole month {period}: not scaled");
        }
        let counted_as = if may_pause(group) { "from the first charge to the last" } else { "charged" };
        let line = |name: &str, charged: Option<Decimal>, monthly: Option<Decimal>| {
            let (by_time, by_use) = self.split(charged?);
            let by_use = match figure(by_use, CHARGED_PLACES) {
                none if none == "0" => String::new(),
                by_use => format!(" + {by_use} charged by use"),
            };
            Some(format!(
                "{name} a month = {} {currency} charged × {} hours of {period} / {} {counted_as}{by_use} = {} {currency}",
                figure(by_time, CHARGED_PLACES),
                share.month_hours(),
                counted(share.hours(), "hour", "hours"),
                round(monthly?),
            ))
        };
        let cost = line("cost", self.charged.cost, self.monthly.cost);
        let savings = line("savings", self.charged.savings, self.monthly.savings);
        cost.into_iter().chain(savings).collect::<Vec<_>>().join("; ")
    }
}

/// Savings that are more than 0 and no more than the cost.
fn capped(savings: Option<Decimal>, cost: Option<Decimal>) -> Option<Decimal> {
    savings.zip(cost).map(|(savings, cost)| savings.min(cost)).filter(|savings| is_visible(*savings))
}

/// What corrections left of a resource's charges, as a share: a refunded charge cannot be saved once more. Credits pay a
/// charge, they do not lower it.
fn kept_share<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> Decimal {
    let (mut charged, mut kept) = (Decimal::ZERO, Decimal::ZERO);
    for line in lines.filter(|line| line.is_cost_of_use()) {
        charged += line.sums.billed.max(Decimal::ZERO);
        kept += line.sums.billed;
    }
    share_of(kept, charged).clamp(Decimal::ZERO, Decimal::ONE)
}

/// True for what runs or is in a state, as against what exists.
fn may_pause(group: &Group<'_>) -> bool {
    group.lines().any(|line| line.key.meter.price_of() == PriceOf::Runtime)
}
