//! Rows to lines.

use rust_decimal::Decimal;

use super::super::closed_lists::{ListCell, Pricing};
use super::super::period::month_start;
use super::super::sku::Sku;
use super::super::tags::RowTags;
use super::*;

fn row(period: &str, hour: i64, resource: &str, cost: i64) -> (CostFact, RowDetail) {
    let start_ms =
        month_start(period).unwrap().and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis() + hour * 3_600_000;
    let charge = Charge {
        cloud: "aws".into(),
        billing_period: period.into(),
        payer_account_id: Some("payer".into()),
        account_id: "account".into(),
        region: None,
        service_code: Some("AmazonEC2".into()),
        service: Some("ec2".into()),
        resource_id: Some(resource.into()),
        resource_type: None,
        line_item_type: None,
        charge_category: "Usage".into(),
        is_correction: false,
        is_class_stated: true,
        usage_type: Some("EBS:VolumeUsage.gp2".into()),
        operation: None,
        description: None,
        sku: Sku::default(),
        pricing: Pricing::Standard,
        commitment_id: None,
        commitment_status: None,
        currency: "USD".into(),
        currency_defaulted: false,
        unknown_type: false,
        invoice: None,
        tags: RowTags::default(),
    };
    let fact = CostFact {
        charge: Arc::new(charge),
        billing_period_start_ms: None,
        billing_period_end_ms: None,
        usage_start_ms: start_ms,
        usage_end_ms: Some(start_ms + 3_600_000),
        cost_unblended: cost.into(),
        cost_net: cost.into(),
        cost_amortized: cost.into(),
        cost_blended: cost.into(),
        model_fallback: false,
        quantity: Some(Decimal::ONE),
        split: None,
        source_ref: "".into(),
    };
    (fact, RowDetail::default())
}

fn build(lines_max: usize, rows: &[(CostFact, RowDetail)]) -> BillingInventory {
    let mut builder = InventoryBuilder::with_limit(lines_max);
    for (fact, detail) in rows {
        builder.add(fact, detail);
    }
    builder.finish()
}

#[test]
fn rows_of_one_thing_add_up() {
    let rows = [row("2024-09", 0, "vol-1", 2), row("2024-09", 0, "vol-1", 1), row("2024-09", 5, "vol-1", 4)];
    let inventory = build(10, &rows);
    let [line] = inventory.lines() else { panic!("one line expected") };
    assert_eq!((line.sums.billed, line.sums.rows, line.sums.hours.count()), (7.into(), 3, 2));
    assert_eq!(line.sums.quantity, Some(3.into()));
}

#[test]
fn one_unknown_quantity_makes_the_sum_unknown() {
    let mut unknown = row("2024-09", 1, "vol-1", 1);
    unknown.0.quantity = None;
    let inventory = build(10, &[row("2024-09", 0, "vol-1", 1), unknown]);
    assert_eq!(inventory.lines()[0].sums.quantity, None);
}

#[test]
fn the_order_of_rows_changes_nothing() {
    let mut rows = [row("2024-09", 0, "b", 2), row("2024-10", 0, "a", 1), row("2024-09", 1, "a", 4)];
    let first = build(10, &rows);
    rows.reverse();
    assert_eq!(first, build(10, &rows));
}

#[test]
fn findings_speak_of_the_newest_month() {
    let inventory = build(10, &[row("2024-09", 0, "a", 1), row("2024-10", 0, "b", 1)]);
    let current: Vec<_> = inventory.current().map(|line| &*line.key.resource).collect();
    assert_eq!(current, ["b"]);
}

#[test]
fn a_month_that_has_just_begun_tells_nothing_yet() {
    for (hours_now, current) in [(167, "2024-09"), (168, "2024-10")] {
        let hours = |period, count| (0..count).map(move |hour| row(period, hour, "a", 1));
        let rows: Vec<_> = hours("2024-09", 168).chain(hours("2024-10", hours_now)).collect();
        let inventory = build(10, &rows);
        let months: Vec<_> = inventory.current().map(|line| &*line.key.period).collect();
        assert_eq!(months, [current], "{hours_now}");
    }
}

#[test]
fn a_resource_has_all_its_lines_and_no_other() {
    let mut other_meter = row("2024-09", 1, "b", 2);
    Arc::make_mut(&mut other_meter.0.charge).usage_type = Some("EBS:VolumeIOUsage".into());
    let rows = [row("2024-09", 0, "a", 1), row("2024-09", 0, "b", 1), other_meter, row("2024-10", 0, "b", 1)];
    let inventory = build(10, &rows);
    let line = |resource: &str| inventory.lines().iter().find(|line| &*line.key.resource == resource).unwrap();
    let costs = |resource| inventory.of_resource(line(resource)).iter().map(|l| l.sums.billed).sum::<Decimal>();
    assert_eq!((costs("a"), costs("b")), (1.into(), 3.into()));
}

#[test]
fn a_bill_with_holes_in_what_does_not_pause_is_an_extract() {
    for (step, is_whole) in [(1, true), (2, true), (3, false)] {
        let rows: Vec<_> = (0..200).step_by(step).map(|hour| row("2024-09", hour, "vol", 1)).collect();
        let inventory = build(10, &rows);
        let month = inventory.current_month(&inventory.lines()[0]).unwrap();
        assert_eq!(month.tells_ends(), is_whole, "{step}");
    }
}

#[test]
fn only_rows_of_a_day_tell_how_far_the_month_is() {
    let mut monthly = row("2024-09", 0, "z", 1);
    monthly.0.usage_end_ms = Some(monthly.0.usage_start_ms + 720 * 3_600_000);
    let hours = |rows: &[_]| {
        let inventory = build(10, rows);
        inventory.current_month(&inventory.lines()[0]).unwrap().hours.count()
    };
    assert_eq!(hours(&[monthly.clone(), row("2024-09", 0, "a", 1)]), 1);
    assert_eq!(hours(&[monthly]), 720, "a bill by the month");
}

#[test]
fn what_ended_before_the_month_is_of_an_earlier_one() {
    let inventory = build(10, &[row("2024-09", -1, "a", 1), row("2024-09", 0, "a", 1)]);
    let earlier: Vec<_> = inventory.lines().iter().map(|line| (line.key.is_earlier, line.is_usage())).collect();
    assert_eq!(earlier, [(false, true), (true, false)]);
}

#[test]
fn the_limit_drops_new_lines_and_counts_them() {
    let rows = [row("2024-09", 0, "a", 1), row("2024-09", 0, "b", 1), row("2024-09", 1, "a", 1)];
    let inventory = build(1, &rows);
    assert_eq!((inventory.lines().len(), inventory.lines()[0].sums.rows, inventory.dropped_rows()), (1, 2, 1));
}

#[test]
fn months_have_their_own_length() {
    assert_eq!([hours_of_month("2024-09"), hours_of_month("2024-02"), hours_of_month("2024-12")], [720, 696, 744]);
}

#[test]
fn a_discount_is_a_part_of_the_line_it_is_for() {
    let (mut off, mut detail) = row("2024-09", 300, "vol-1", -1);
    Arc::make_mut(&mut off.charge).charge_category = ListCell::Known(ChargeCategory::Credit);
    let part = RowPart { category: ListCell::Known(ChargeCategory::Usage), ..RowPart::whole(&off) };
    detail.parts = Some(vec![RowPart { is_discount: true, ..part }]);
    let inventory = build(10, &[row("2024-09", 0, "vol-1", 4), (off, detail)]);
    let [line] = inventory.lines() else { panic!("one line expected") };
    assert_eq!((line.sums.billed, line.sums.amortized, line.sums.quantity), (3.into(), 3.into(), Some(Decimal::ONE)));
    assert_eq!((line.sums.rows, line.sums.hours.count()), (1, 1), "it is no usage of its own");
}
