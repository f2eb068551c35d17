//! Whether what a resource was charged for went on until the bill ends. What has ended saves nothing any more.

use inventories::billing::hours::HourSet;
use inventories::billing::inventory::BillingInventory;
use inventories::billing::line::UsageLine;

use super::group::Group;

/// Hours without a charge from which something has ended: a day, since rows may be by the day, and the last hours of a
/// month in progress reach a bill in batches.
const ENDED_HOURS: u32 = 24;
/// The same for what paused before: a week. It covers a long weekend, and a provider starts a stopped database again after
/// that.
const ENDED_HOURS_PAUSING: u32 = 168;

/// Whether a charge has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It went on as long as the bill shows.
    No,
    /// It ended, and the bill goes on.
    Yes,
    /// It was not charged any more, but the bill may be an extract, which leaves out rows.
    Unclear {
        /// Hours that the bill covers since.
        hours_since: u32,
    },
}

impl Ended {
    /// Of a group of one resource.
    pub(super) fn of(bill: &BillingInventory, group: &Group<'_>) -> Self {
        let first = group.first();
        let hours = hours_of(group.lines());
        let (Some(month), Some(last)) = (bill.current_month(first), hours.last()) else { return Self::No };
        let limit = if hours.count() < hours.span() { ENDED_HOURS_PAUSING } else { ENDED_HOURS };
        let bill_goes_on = month.last_hour_of(&first.key.service).unwrap_or_default().saturating_sub(last);
        if bill_goes_on <= limit {
            return Self::No;
        }
        // The same resource is charged for something else since, as a volume that changed its kind.
        let is_changed =
            !first.key.resource.is_empty() && goes_on(&hours_of(bill.of_resource(first).iter()), last) > limit;
        if is_changed || month.tells_ends() { Self::Yes } else { Self::Unclear { hours_since: bill_goes_on } }
    }
}

/// Hours of what is priced by time.
pub(super) fn hours_of<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> HourSet {
    let mut hours = HourSet::default();
    lines.filter(|line| line.is_priced_by_time()).for_each(|line| hours.merge(&line.sums.hours));
    hours
}

fn goes_on(hours: &HourSet, last: u32) -> u32 {
    hours.last().unwrap_or_default().saturating_sub(last)
}

#[cfg(test)]
mod tests {
    use inventories::billing::meter::{Meter, VolumeKind};

    use super::super::group::by_resource;
    use super::super::testing::{Row, bill, row};
    use super::*;

    const GP2: &str = "$0.10 per GB-month of General Purpose SSD (gp2) provisioned storage - X";
    const GP3: &str = "$0.08 per GB-month of General Purpose (gp3) provisioned storage - X";

    fn volume(description: &str, from: i64, hours: i64) -> Row {
        row(description).resource("vol-1").at_hour(from).hours(hours)
    }

    /// Resources that go on all month; ten of them show that the bill is whole.
    fn going_on(count: usize) -> impl Iterator<Item = Row> {
        (0..count).map(|n| row("x").resource(&format!("steady-{n}")).hours(720))
    }

    fn check(rows: Vec<Row>, going_on_count: usize, expected: Ended) {
        let bill = bill(rows.into_iter().chain(going_on(going_on_count)));
        let gp2 = bill.current().filter(|line| line.key.meter == Meter::Volume(VolumeKind::Gp2));
        let groups = by_resource(gp2);
        assert_eq!(Ended::of(&bill, &groups[0]), expected);
    }

    #[test]
    fn what_is_charged_until_the_bill_ends_goes_on() {
        check(vec![volume(GP2, 0, 720)], 10, Ended::No);
        check(vec![volume(GP2, 0, 696)], 10, Ended::No);
        // Nothing else in the bill: it is a month in progress.
        check(vec![volume(GP2, 0, 100)], 0, Ended::No);
    }

    #[test]
    fn a_whole_bill_tells_the_end() {
        check(vec![volume(GP2, 0, 695)], 10, Ended::Yes);
        check(vec![volume(GP2, 0, 1)], 10, Ended::Yes);
        check(vec![volume(GP2, 0, 1)], 9, Ended::Unclear { hours_since: 719 });
    }

    #[test]
    fn what_paused_before_may_pause_again() {
        check(vec![volume(GP2, 0, 100), volume(GP2, 200, 352)], 10, Ended::No);
        check(vec![volume(GP2, 0, 100), volume(GP2, 200, 351)], 10, Ended::Yes);
    }

    #[test]
    fn what_changed_has_ended_in_any_bill() {
        check(vec![volume(GP2, 0, 360), volume(GP3, 360, 360)], 0, Ended::Yes);
        check(vec![volume(GP2, 360, 360), volume(GP3, 0, 360)], 0, Ended::No);
    }

    #[test]
    fn a_service_may_be_two_days_late() {
        let late = |hours| vec![volume(GP2, 0, hours).service("AWSELB")];
        check(late(648), 10, Ended::No);
        check(late(647), 10, Ended::Yes);
    }
}
