//! Amounts that are not priced by time, at the rate of a month: what was charged × hours of the month / hours that the bill shows of it.

use std::collections::BTreeSet;

use inventories::billing::hours::HourSet;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;
use inventories::billing::meter::PriceOf;
use inventories::billing::monthly::MonthShare;
use rust_decimal::Decimal;

use super::group::Group;
use super::kept::kept_share;
use super::text::figure;

/// Places of charged amounts in the formula.
const CHARGED_PLACES: u32 = 12;

/// A sum of charges, and what it comes to in a month.
#[derive(Debug, Clone, Default)]
pub(super) struct RunRate {
    charged: Decimal,
    monthly: Decimal,
    /// Hours of the shares that were scaled, and of their month.
    shares: BTreeSet<(u32, u32)>,
    /// True when rows are missing from the bill: a sum over them is too small.
    is_of_extract: bool,
}

impl RunRate {
    /// Of amounts out of a bill from which rows are missing.
    pub(super) fn of_extract() -> Self {
        Self { is_of_extract: true, ..Self::default() }
    }

    /// Of what lines were charged, less what reversals took back.
    pub(super) fn of<'a>(bill: &BillingInventory, lines: impl Iterator<Item = &'a UsageLine>) -> Self {
        let mut rate = Self::default();
        // Lines of a resource follow each other.
        let mut last: Option<(&UsageLine, Option<MonthShare>, Decimal)> = None;
        for line in lines {
            let known = last.filter(|(other, ..)| is_same(other, line));
            let (_, share, kept) = known.unwrap_or_else(|| (line, share_of_line(bill, line), kept_share(bill, line)));
            last = Some((line, share, kept));
            rate.is_of_extract |= bill.current_month(line).is_some_and(|month| !month.tells_ends());
            rate.add(line.sums.billed * kept, longer(share_of_hours(bill, line, &line.sums.hours), share));
        }
        rate
    }

    /// Adds an amount of so much of the month.
    pub(super) fn add(&mut self, amount: Decimal, share: Option<MonthShare>) {
        self.charged += amount;
        self.monthly += share.and_then(|share| share.monthly(amount)).unwrap_or(amount);
        self.shares.extend(share.map(|share| (share.hours(), share.month_hours())));
    }

    /// As charged.
    pub(super) fn charged(&self) -> Decimal {
        self.charged
    }

    /// A month.
    pub(super) fn monthly(&self) -> Decimal {
        self.monthly
    }

    /// The share of the month, where all amounts have the same.
    pub(super) fn share(&self) -> Option<MonthShare> {
        let (hours, month_hours) = self.shares.first().filter(|_| self.shares.len() == 1)?;
        MonthShare::new(*hours, *month_hours)
    }

    /// True when rows are missing from the bill.
    pub(super) fn is_of_extract(&self) -> bool {
        self.is_of_extract
    }

    /// True when nothing tells how much of the month it is.
    pub(super) fn is_unknown(&self) -> bool {
        self.shares.is_empty()
    }

    /// The shortest share; `None` when none is known.
    pub(super) fn share_min(&self) -> Option<MonthShare> {
        let (hours, month_hours) = self.shares.first()?;
        MonthShare::new(*hours, *month_hours)
    }

    /// The formula with its numbers.
    pub(super) fn formula(&self, group: &Group<'_>) -> String {
        let (period, currency) = (group.period(), group.currency());
        let charged = figure(self.charged, CHARGED_PLACES);
        let extract = if self.is_of_extract {
            "; the bill is an extract: rows are missing, and this is less than was charged"
        } else {
            ""
        };
        let formula = match self.share() {
            None if self.is_unknown() => format!("as charged in {period}: no row tells how many hours were charged"),
            None => format!(
                "a month = the sum over all charges of charged × {} hours of {period} / hours that the bill shows of each",
                hours_of_month(period),
            ),
            Some(share) if share.is_whole() => format!("the bill shows the whole month {period}: not scaled"),
            Some(share) => format!(
                "cost a month = {charged} {currency} charged × {} hours of {period} / {} hours that the bill shows = {} {currency}",
                share.month_hours(),
                share.hours(),
                figure(self.monthly, 6),
            ),
        };
        formula + extract
    }
}

/// The quantity of lines in a month; `None` when one does not tell.
pub(super) fn monthly_quantity<'a>(
    bill: &BillingInventory,
    mut lines: impl Iterator<Item = &'a UsageLine>,
) -> Option<Decimal> {
    lines.try_fold(Decimal::ZERO, |sum, line| {
        let share = share_of(bill, line);
        let quantity = line.sums.quantity?;
        sum.checked_add(share.map_or(Some(quantity), |share| share.monthly(quantity))?)
    })
}

/// How much of the month the bill shows of a charge: of its paying account, or more where its rows are longer than that.
pub(super) fn share_of(bill: &BillingInventory, line: &UsageLine) -> Option<MonthShare> {
    longer(share_of_hours(bill, line, &line.sums.hours), share_of_line(bill, line))
}

/// How much of the month the bill shows of the line's paying account, since the line's resource exists where the bill tells that.
fn share_of_line(bill: &BillingInventory, line: &UsageLine) -> Option<MonthShare> {
    let covered = bill.current_month(line)?.hours;
    let resource = if line.key.resource.is_empty() { &[] } else { bill.of_resource(line) };
    let existing = resource.iter().filter(|line| line.is_usage() && line.key.meter.price_of() == PriceOf::Existence);
    let since = existing.filter_map(|line| line.sums.hours.first()).min();
    share_of_hours(bill, line, &covered.since(since.unwrap_or_default()))
}

/// From the first of these hours to the last.
pub(super) fn share_of_hours(bill: &BillingInventory, line: &UsageLine, hours: &HourSet) -> Option<MonthShare> {
    bill.current_month(line)?;
    MonthShare::new(hours.span(), hours_of_month(&line.key.period))
}

fn longer(one: Option<MonthShare>, other: Option<MonthShare>) -> Option<MonthShare> {
    [one, other].into_iter().flatten().max_by_key(|share| share.hours())
}

fn is_same(one: &UsageLine, other: &UsageLine) -> bool {
    let (one, other) = (&one.key, &other.key);
    one.meter == other.meter && one.currency == other.currency && one.of_resource() == other.of_resource()
}
