//! Whether what a resource was charged for went on until the bill ends. What has ended saves nothing any more.

use inventories::billing::coverage::CurrentMonth;
use inventories::billing::hours::HourSet;
use inventories::billing::inventory::{BillingInventory, hours_of_month};
use inventories::billing::line::UsageLine;

use super::group::Group;

/// Hours without a charge from which something has ended: what is alive is in the last 48 hours of the bill. Rows may be by the
/// day, and the last hours of a month in progress reach a bill in batches.
const ENDED_HOURS: u32 = 48;
/// The same for what paused before: a week. It covers a long weekend, and a provider starts a stopped database again after
/// that.
const ENDED_HOURS_PAUSING: u32 = 168;
/// Hours for which a resource is charged for something else, from which what it was charged for has ended: a day, as rows are by the day.
const CHANGED_HOURS: u32 = 24;

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
        let is_pausing = hours.count() < hours.span();
        let limit = if is_pausing { ENDED_HOURS_PAUSING } else { ENDED_HOURS };
        // What has been away for as long as it lived is no longer there: where things live for hours, those of two days would be counted
        // for one.
        let limit = if month.tells_ends() { limit.min(hours.span()) } else { limit };
        let since = Since::of(bill, group, month, last);
        // The same resource is charged for something else since, as a volume that changed its kind.
        let changed_limit = if is_pausing { limit } else { limit.min(CHANGED_HOURS) };
        if !first.key.resource.is_empty() && since.resource >= changed_limit {
            return Self::Yes;
        }
        match since.bill {
            hours_since if hours_since < limit => Self::No,
            _ if month.tells_ends() => Self::Yes,
            hours_since => Self::Unclear { hours_since },
        }
    }
}

/// Hours since the last charge of a group, up to the end of what the bill shows: of the month that findings speak of, and of the next
/// one where that has begun.
struct Since {
    /// For which the bill goes on.
    bill: u32,
    /// For which the resource is charged for anything else that is priced by time.
    resource: u32,
}

impl Since {
    fn of(bill: &BillingInventory, group: &Group<'_>, month: &CurrentMonth, last: u32) -> Self {
        let first = group.first();
        let service = &first.key.service;
        let length = hours_of_month(&month.period);
        let begun = bill.of_resource_begun(first).iter().filter(|line| line.is_priced_by_time());
        let is_same = |line: &&UsageLine| group.lines().any(|of| of.key.meter == line.key.meter);
        let end_of = |hours: HourSet| hours.last().map(|hour| length + hour);
        let last = end_of(hours_of(begun.clone().filter(is_same))).unwrap_or(last);
        let of_resource = end_of(hours_of(begun)).or(hours_of(bill.of_resource(first).iter()).last());
        let of_bill = match bill.month_begun(first).and_then(|begun| begun.last_hour_of(service)) {
            Some(hour) => Some(length + hour),
            None => month.last_hour_of(service),
        };
        let since = |end: Option<u32>| end.unwrap_or_default().saturating_sub(last);
        Self { bill: since(of_bill), resource: since(of_resource) }
    }
}

/// True when nothing of a thing was charged in the last 48 hours that a whole bill shows of its service.
pub(super) fn has_ended(month: &CurrentMonth, service: &str, last: u32) -> bool {
    month.tells_ends() && month.last_hour_of(service).unwrap_or_default().saturating_sub(last) >= ENDED_HOURS
}

/// True when the resource of the group has ended, whatever it was charged for.
pub(super) fn resource_has_ended(bill: &BillingInventory, group: &Group<'_>) -> bool {
    let line = group.first();
    let used = bill.of_resource(line).iter().filter(|line| line.is_usage());
    let last = used.filter_map(|line| line.sums.hours.last()).max();
    bill.current_month(line).zip(last).is_some_and(|(month, last)| has_ended(month, &line.key.service, last))
}

/// Hours of what is priced by time.
pub(super) fn hours_of<'a>(lines: impl Iterator<Item = &'a UsageLine>) -> HourSet {
    let mut hours = HourSet::default();
    lines.filter(|line| line.is_priced_by_time()).for_each(|line| hours.merge(&line.sums.hours));
    hours
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

    /// Another volume. Of a whole bill it shows all hours, of an extract every tenth.
    fn other(step: usize) -> impl Iterator<Item = Row> {
        (0..720).step_by(step).map(|hour| row(GP3).resource("vol-2").at_hour(hour))
    }

    fn check(rows: Vec<Row>, expected: Ended) {
        check_beside(rows.into_iter().chain(other(1)).collect(), expected);
    }

    fn check_beside(rows: Vec<Row>, expected: Ended) {
        let bill = bill(rows);
        let gp2 = bill.current().filter(|line| line.key.meter == Meter::Volume(VolumeKind::Gp2));
        let groups = by_resource(gp2);
        assert_eq!(Ended::of(&bill, &groups[0]), expected);
    }

    #[test]
    fn what_is_charged_in_the_last_two_days_goes_on() {
        check(vec![volume(GP2, 0, 720)], Ended::No);
        check(vec![volume(GP2, 0, 673)], Ended::No);
        check(vec![volume(GP2, 0, 672)], Ended::Yes);
        // Nothing else in the bill: it is a month in progress.
        check_beside(vec![volume(GP2, 0, 100)], Ended::No);
    }

    #[test]
    fn what_is_away_for_as_long_as_it_lived_has_ended() {
        check(vec![volume(GP2, 710, 5)], Ended::Yes);
        check(vec![volume(GP2, 710, 6)], Ended::No);
        check(vec![volume(GP2, 715, 5)], Ended::No);
    }

    #[test]
    fn an_extract_tells_no_end() {
        check(vec![volume(GP2, 0, 1)], Ended::Yes);
        let sampled = std::iter::once(volume(GP2, 0, 1)).chain(other(10)).collect();
        check_beside(sampled, Ended::Unclear { hours_since: 710 });
    }

    #[test]
    fn what_paused_before_may_pause_again() {
        check(vec![volume(GP2, 0, 100), volume(GP2, 200, 353)], Ended::No);
        check(vec![volume(GP2, 0, 100), volume(GP2, 200, 352)], Ended::Yes);
    }

    #[test]
    fn what_changed_has_ended_in_any_bill() {
        check_beside(vec![volume(GP2, 0, 360), volume(GP3, 360, 360)], Ended::Yes);
        check_beside(vec![volume(GP2, 360, 360), volume(GP3, 0, 360)], Ended::No);
    }

    #[test]
    fn a_day_of_something_else_tells_that_it_changed() {
        check(vec![volume(GP2, 0, 697), volume(GP3, 696, 24)], Ended::No);
        check(vec![volume(GP2, 0, 696), volume(GP3, 696, 24)], Ended::Yes);
    }

    #[test]
    fn the_first_days_of_the_next_month_tell_what_has_ended() {
        let begun = |hours: i64, rows: Vec<Row>| {
            let august = [volume(GP2, 0, 744), row(GP3).resource("vol-2").hours(744)].map(Row::in_august);
            let september = (0..hours).map(|hour| row(GP3).resource("vol-2").at_hour(hour));
            let bill = bill(august.into_iter().chain(september).chain(rows));
            let gp2 = bill.current().filter(|line| line.key.meter == Meter::Volume(VolumeKind::Gp2));
            let groups = by_resource(gp2);
            Ended::of(&bill, &groups[0])
        };
        assert_eq!(begun(47, vec![]), Ended::No);
        assert_eq!(begun(48, vec![]), Ended::Yes);
        assert_eq!(begun(72, vec![volume(GP2, 0, 72)]), Ended::No);
        assert_eq!(begun(72, vec![volume(GP2, 0, 24)]), Ended::Yes);
        assert_eq!(begun(72, vec![volume(GP2, 0, 30)]), Ended::No);
        assert_eq!(begun(30, vec![volume(GP3, 0, 30)]), Ended::Yes, "it changed its kind");
    }

    #[test]
    fn a_service_may_be_two_days_late() {
        let late = |hours| vec![volume(GP2, 0, hours).service("EC2 - Other")];
        check(late(625), Ended::No);
        check(late(624), Ended::Yes);
    }
}
