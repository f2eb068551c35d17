//! The money of a finding: what was charged, and what that comes to in a month. What is priced by time is scaled by the time that it
//! was charged for, everything else by the time that the bill shows of it (`run_rate.rs`). No other file scales a charge.

use contracts::draft::Estimated;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;
use inventories::billing::meter::PriceOf;
use inventories::billing::monthly::MonthShare;
use inventories::billing::unit_prices::UnitPrice;
use rust_decimal::Decimal;

use super::ended::{Ended, has_ended, hours_of};
use super::group::{Group, by_resource_or_none};
use super::kept::kept_share;
use super::run_rate::{RunRate, share_of_hours};
use super::saved::{Saved, unit_price_of};
use super::text::{counted, figure, is_visible, money, round};

/// Places of charged amounts: those of the stored facts, so that the formula can be followed to the last digit.
const CHARGED_PLACES: u32 = 12;
/// What a figure scaled from fewer hours can be trusted at most: the contract's `low` below a day, `medium` below a week.
const CONFIDENCE_MAX: [(u32, u8); 2] = [(24, 30), (168, 60)];
/// The same for what may have ended.
const CONFIDENCE_MAX_ENDED: u8 = 30;

/// The same for sums over a bill from which rows are missing.
const CONFIDENCE_MAX_EXTRACT: u8 = 30;

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
    /// Many charges, each scaled by its own share.
    Shares,
    /// As charged in this month: nothing tells the share.
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

/// As [`monthly_of_resource`], or of all that the group is about where the bill names no resource: what many were charged is not
/// scaled by the hours of one.
pub(super) fn monthly_of_group(
    bill: &BillingInventory,
    group: &Group<'_>,
    savings: Saved,
    confidence: u8,
) -> Option<Figures> {
    if !group.first().key.resource.is_empty() {
        return monthly_of_resource(bill, group, savings, confidence);
    }
    Some(monthly_of_many(bill, group, confidence)?.with_share_saved(group, savings))
}

/// Cost of many resources that are priced by time, such as all snapshots of a region: what was charged at the rate of the time since
/// the first of them. They come and go, so that the sum has a rate, not each of them. `None` when all has ended.
///
/// An extract of a bill shows no rate of a sum: there it is the sum of what each resource comes to in a month.
pub(super) fn monthly_of_many(bill: &BillingInventory, group: &Group<'_>, confidence: u8) -> Option<Figures> {
    let month = bill.current_month(group.first())?;
    if !month.tells_ends() {
        return each_by_itself(bill, group, confidence);
    }
    let hours = hours_of(group.lines());
    let (first, last) = hours.first().zip(hours.last()).unwrap_or_default();
    // What pauses may have begun with a pause.
    let first = if hours.count() < hours.span() { first / 24 * 24 } else { first };
    if has_ended(month, &group.first().key.service, last) {
        return None;
    }
    let mut shown = month.hours.since(first);
    shown.merge(&hours);
    let share = share_of_hours(bill, group.first(), &shown);
    let mut rate = RunRate::default();
    by_resource_or_none(group.lines())
        .iter()
        .for_each(|one| rate.add(one.billed() * kept_share(bill, one.first()), share));
    at_run_rate(group, &rate, confidence)
}

/// What has ended counts with its charge and adds nothing to a month.
fn each_by_itself(bill: &BillingInventory, group: &Group<'_>, confidence: u8) -> Option<Figures> {
    let resources = by_resource_or_none(group.lines());
    let parts: Vec<_> = resources.iter().filter_map(|one| Part::of(bill, one, Saved::UNKNOWN)).collect();
    let cost: Option<Decimal> = parts.iter().map(|part| part.monthly.cost).sum();
    let confidence_max = parts.iter().map(Part::confidence_max).min()?.min(CONFIDENCE_MAX_EXTRACT);
    let net = resources.iter().map(|one| one.billed() * kept_share(bill, one.first())).sum();
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
    Some(Figures {
        estimated: Amounts { cost, savings: None }.estimated(confidence.min(confidence_max), notes),
        charged: Amounts { cost: Some(net), savings: None },
        saved: Saved::UNKNOWN,
        unit_price: unit_price_of(bill, group),
        charged_hours: group.hours(),
        basis: Basis::Shares,
        currency: group.currency().to_owned(),
    })
}

/// Money that is not priced by time: amounts of use, credits, and sums over many kinds of charges. A month of them is what was
/// charged at the rate of the time that the bill shows. `None` when corrections took back all of it.
pub(super) fn at_run_rate(group: &Group<'_>, rate: &RunRate, confidence: u8) -> Option<Figures> {
    let (charged, monthly) = (rate.charged(), rate.monthly());
    if !is_visible(monthly) {
        return None;
    }
    let charged = Amounts { cost: Some(charged), savings: None };
    let confidence = confidence.min(confidence_max(rate.share_min()));
    let confidence = if rate.is_of_extract() { confidence.min(CONFIDENCE_MAX_EXTRACT) } else { confidence };
    Some(Figures {
        estimated: Amounts { cost: Some(monthly), savings: None }.estimated(confidence, rate.formula(group)),
        charged,
        saved: Saved::UNKNOWN,
        unit_price: None,
        charged_hours: group.hours(),
        basis: match rate.share() {
            Some(share) => Basis::Share(share),
            None if rate.is_unknown() => Basis::Charged(group.period().to_string()),
            None => Basis::Shares,
        },
        currency: group.currency().to_owned(),
    })
}

/// A finding that is not about money.
pub(super) fn no_money(group: &Group<'_>) -> Figures {
    Figures {
        estimated: Amounts::default().estimated(0, String::new()),
        charged: Amounts::default(),
        saved: Saved::UNKNOWN,
        unit_price: None,
        charged_hours: group.hours(),
        basis: Basis::Charged(group.period().to_string()),
        currency: group.currency().to_owned(),
    }
}

impl Figures {
    /// With a confidence of at most that.
    pub(super) fn with_confidence_max(mut self, confidence_max: u8) -> Self {
        self.estimated.confidence = self.estimated.confidence.min(confidence_max);
        self
    }

    /// With savings that were worked out of the whole group: so much of what was charged, and a month of it.
    pub(super) fn with_savings(mut self, saved: Saved, monthly: Decimal, how: &str) -> Self {
        self.charged.savings = capped(saved.charged, self.charged.cost);
        self.estimated.monthly_savings = capped(Some(monthly), self.estimated.monthly_cost).map(round);
        self.saved = saved.scaled(self.estimated.monthly_savings);
        self.estimated.notes = format!("{}; {how}", self.estimated.notes);
        self
    }

    /// With savings of the same share of a month as of the charge.
    fn with_share_saved(self, group: &Group<'_>, saved: Saved) -> Self {
        let share = saved.charged.and_then(|charged| charged.checked_div(group.billed()));
        let monthly = share.zip(self.estimated.monthly_cost).and_then(|(share, cost)| cost.checked_mul(share));
        match monthly {
            Some(monthly) => self.with_savings(saved, monthly, "savings are the same share of it as of the charge"),
            None => self,
        }
    }

    /// With all of it as savings.
    pub(super) fn with_all_saved(self, bill: &BillingInventory, group: &Group<'_>) -> Self {
        self.with_share_saved(group, Saved::all(bill, group))
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
        let kept = kept_share(bill, group.first());
        let mut lifetime = hours_of(resource.iter()).since(hours_charged.first().unwrap_or_default());
        lifetime.merge(&hours_charged);
        let cost = group.billed() * kept;
        if !is_visible(cost) {
            return None;
        }
        let charged =
            Amounts { cost: Some(cost), savings: capped(savings.charged.map(|savings| savings * kept), Some(cost)) };
        let share_hours = if may_pause(group) { lifetime.span() } else { lifetime.count() };
        let share = MonthShare::new(share_hours, hours_of_month(group.period()));
        let mut part = Self { charged, monthly: charged, saved: savings, share, ended };
        if let Some(share) = share {
            let cost = share.monthly(cost);
            let savings = part.charged.savings.and_then(|savings| share.monthly(savings));
            part.monthly = Amounts { cost, savings: capped(savings, cost) };
        }
        // What made a month of the savings makes one of them at any price.
        part.saved = savings.scaled(part.monthly.savings);
        Some(part)
    }

    fn confidence_max(&self) -> u8 {
        let of_hours = confidence_max(self.share);
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
            Some(format!(
                "{name} a month = {} {currency} charged × {} hours of {period} / {} {counted_as} = {} {currency}",
                figure(charged?, CHARGED_PLACES),
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

/// Confidence that a figure can have at most when it is scaled from this share of a month.
fn confidence_max(share: Option<MonthShare>) -> u8 {
    let share = share.filter(|share| !share.is_whole());
    let max = share.and_then(|share| CONFIDENCE_MAX.iter().find(|(below, _)| share.hours() < *below));
    max.map_or(100, |(_, max)| *max)
}

/// True for what runs or is in a state, as against what exists.
fn may_pause(group: &Group<'_>) -> bool {
    group.lines().any(|line| line.key.meter.price_of() == PriceOf::Runtime)
}
