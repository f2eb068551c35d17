//! The month that has just begun: too short for findings, but it tells what of the month before has ended since.

use super::coverage::{CurrentMonth, payer};
use super::inventory::BillingInventory;
use super::line::UsageLine;

impl BillingInventory {
    /// The month that follows the line's current one, where the bill shows its first days.
    #[must_use]
    pub fn month_begun(&self, line: &UsageLine) -> Option<&CurrentMonth> {
        self.current_month(line)?;
        self.months.begun.get(&payer(line))
    }

    /// Lines of months that have just begun; see [`Self::month_begun`].
    pub fn begun(&self) -> impl Iterator<Item = &UsageLine> {
        let is_of = |line: &&UsageLine| {
            self.months.begun.get(&payer(line)).is_some_and(|month| month.period == line.key.period)
        };
        let none_began = self.months.begun.is_empty();
        self.lines().iter().filter(move |line| !none_began && is_of(line))
    }

    /// Lines of the line's resource in the month that has just begun.
    #[must_use]
    pub fn of_resource_begun(&self, line: &UsageLine) -> &[UsageLine] {
        let Some(month) = self.month_begun(line) else { return &[] };
        let [cloud, payer, _, account, region, service, resource] = line.key.of_resource();
        let key = [cloud, payer, &month.period, account, region, service, resource];
        let start = self.lines().partition_point(|other| other.key.of_resource() < key);
        let lines = self.lines().get(start..).unwrap_or_default();
        lines.get(..lines.partition_point(|other| other.key.of_resource() == key)).unwrap_or_default()
    }
}
