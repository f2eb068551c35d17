//! Bills of a part of a month, from the file to the published finding: what was charged is kept, and a month is a month.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use chrono::{DateTime, Duration, Utc};
use contracts::topics;
use support::{Published, World, accept, plan};

const HEADER: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,BillingPeriodStart,\
                      BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeClass,ChargeDescription,\
                      ProviderName,RegionId,ResourceId,ServiceName,PricingCategory,PricingQuantity,ListUnitPrice,Tags,\
                      x_ServiceCode,x_UsageType";

/// A row of September 2026, which has 720 hours.
#[derive(Clone)]
struct Row {
    cost: String,
    quantity: String,
    category: &'static str,
    class: &'static str,
    resource: String,
    usage_type: &'static str,
    from_hour: i64,
    hours: i64,
}

fn row(usage_type: &'static str, resource: &str) -> Row {
    Row {
        cost: "1".into(),
        quantity: "1".into(),
        category: "Usage",
        class: "",
        resource: resource.into(),
        usage_type,
        from_hour: 0,
        hours: 720,
    }
}

/// Twelve places, as exports have them.
fn part_of(month: i64, hours: i64) -> String {
    let units = i128::from(month) * i128::from(hours) * 1_000_000_000_000 / 720;
    format!("{}.{:012}", units / 1_000_000_000_000, units % 1_000_000_000_000)
}

impl Row {
    fn at(self, from_hour: i64, hours: i64) -> Self {
        Self { from_hour, hours, ..self }
    }

    fn cost(self, cost: &str) -> Self {
        Self { cost: cost.into(), ..self }
    }

    /// As CSV; the bill's month begins so many hours before that of UTC.
    fn line(&self, east_hours: i64) -> String {
        let start: DateTime<Utc> = "2026-09-01T00:00:00Z".parse().unwrap();
        let time = |hour| (start + Duration::hours(hour - east_hours)).format("%Y-%m-%dT%H:%M:%SZ");
        let Self { cost, quantity, category, class, resource, usage_type, from_hour, hours } = self;
        format!(
            "{cost},{cost},USD,999988887777,111122223333,{},{},{},{},{category},{class},,AWS,us-east-1,{resource},EC2,\
             Standard,{quantity},,{},AmazonEC2,{usage_type}",
            time(0),
            time(720),
            time(*from_hour),
            time(from_hour + hours),
            r#""{""team"":""a""}""#,
        )
    }
}

/// Rows of a gp2 volume of 100 GiB: 10 USD a month, of which gp3 saves 2. `step` is the length of a row in hours.
fn volume(resource: &str, from_hour: i64, hours: i64, step: usize) -> Vec<Row> {
    let step_hours = i64::try_from(step).unwrap();
    let starts = (from_hour..from_hour + hours).step_by(step);
    let row = |start| Row {
        cost: part_of(10, step_hours),
        quantity: part_of(100, step_hours),
        ..row("EBS:VolumeUsage.gp2", resource).at(start, step_hours)
    };
    starts.map(row).collect()
}

fn findings(rows: &[Row]) -> Vec<Published> {
    findings_east(rows, 0)
}

fn findings_east(rows: &[Row], east_hours: i64) -> Vec<Published> {
    let lines: Vec<_> = rows.iter().map(|row| row.line(east_hours)).collect();
    let world = World::new();
    let bill = world.file("bill.csv", format!("{HEADER}\n{}\n", lines.join("\n")));
    world.run(&plan("run-1", vec![bill])).unwrap();
    accept(&world.values(topics::WIRE))
}

fn savings_of<'a>(findings: &'a [Published], check_id: &'a str) -> Vec<[&'a str; 4]> {
    let of_check = findings.iter().filter(move |finding| finding.text("/check_id") == check_id);
    let figures = [
        "/estimated/monthly_cost",
        "/estimated/monthly_savings",
        "/dimensions/charged_savings",
        "/dimensions/share_hours",
    ];
    of_check.map(|finding| figures.map(|figure| finding.text(figure))).collect()
}

#[test]
fn a_volume_costs_the_same_a_month_however_much_of_it_was_charged() {
    let half = Row { cost: part_of(5, 1), quantity: part_of(50, 1), ..row("EBS:VolumeUsage.gp2", "vol-1") };
    let twice_an_hour: Vec<_> = (0..720).map(|n| half.clone().at(n / 2, 1)).collect();
    let gap = [volume("vol-1", 0, 24, 24), volume("vol-1", 48, 24, 24)].concat();
    let cases = [
        // Name, rows, charged savings, hours; cost and savings a month are 10 and 2.
        ("whole month by the hour", volume("vol-1", 0, 720, 1), "2", "720"),
        ("whole month by the day", volume("vol-1", 0, 720, 24), "2", "720"),
        ("whole month in one row", volume("vol-1", 0, 720, 720), "2", "720"),
        ("first half by the hour", volume("vol-1", 0, 360, 1), "1", "360"),
        ("second half by the day", volume("vol-1", 360, 360, 24), "1", "360"),
        ("second half in one row", volume("vol-1", 360, 360, 360), "1", "360"),
        ("ten days", volume("vol-1", 0, 240, 24), "0.666667", "240"),
        ("one hour", volume("vol-1", 500, 1, 1), "0.002778", "1"),
        ("days that are missing", gap, "0.133333", "48"),
    ];
    for (name, rows, charged, hours) in cases {
        let findings = findings(&rows);
        let seen = savings_of(&findings, "billing.ebs.gp2.to.gp3");
        let [[cost, savings, charged_savings, share_hours]] = seen.as_slice() else { panic!("{name}: {seen:?}") };
        let near = |text: &str, expected: &str| (number(text) - number(expected)).abs() <= 1;
        assert!(near(cost, "10") && near(savings, "2") && near(charged_savings, charged), "{name}: {seen:?}");
        assert_eq!(*share_hours, hours, "{name}");
    }
    // A month of Berlin is a month, too.
    let berlin = findings_east(&volume("vol-1", 0, 720, 24), 2);
    assert_eq!(savings_of(&berlin, "billing.ebs.gp2.to.gp3")[0][3], "720");
    // Hours are counted, not rows: two rows in each hour of half a month.
    let findings = findings(&twice_an_hour);
    assert_eq!(savings_of(&findings, "billing.ebs.gp2.to.gp3")[0][3], "360");
}

/// In units of 10^-6, more places cut.
fn number(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{:0<6}", &fraction[..fraction.len().min(6)]).parse().unwrap()
}

#[test]
fn credits_and_use_come_to_a_month_and_purchases_count_nowhere() {
    let purchase = Row { category: "Purchase", ..row("ComputeSP:1yrAllUpfront", "sp-1") }.cost("876").at(48, 24);
    let credit = Row { category: "Credit", ..row("EBS:VolumeUsage.gp2", "vol-1") }.cost("-1").at(0, 1);
    let data = Row { quantity: "150".into(), ..row("NatGateway-Bytes", "nat-1") }.cost("6.75").at(336, 24);
    let rows = [volume("vol-1", 0, 360, 24), vec![purchase, credit, data]].concat();
    let findings = findings(&rows);
    let costs: Vec<_> = findings
        .iter()
        .map(|f| (f.text("/check_id"), number(f.text("/estimated/monthly_cost"))))
        .filter(|(check, _)| *check != "billing.tags.missing")
        .collect();
    let gp2 = costs.iter().find(|(check, _)| *check == "billing.ebs.gp2.to.gp3").unwrap().1;
    assert!((gp2 - 10_000_000).abs() <= 1, "{costs:?}");
    // The bill shows half of the month.
    assert!(costs.contains(&("billing.nat.data.processing", 13_500_000)), "{costs:?}");
    assert!(costs.contains(&("billing.credit.masking", 2_000_000)), "{costs:?}");
    let data = findings.iter().find(|f| f.text("/check_id") == "billing.nat.data.processing").unwrap();
    assert_eq!(
        data.text("/message"),
        "NAT gateway nat-1 processed 150 GB (300 GB a month at this rate), which cost 6.75 USD in 24 charged hours, 13.5 USD a month"
    );
}

#[test]
fn what_a_correction_took_back_is_not_saved_once_more() {
    let correction = |cost: &str| Row { class: "Correction", ..row("EBS:VolumeUsage.gp2", "vol-1") }.cost(cost);
    for (taken_back, saved) in [("-2.5", Some(1_500_000)), ("-10", None), ("-11", None)] {
        let rows = [volume("vol-1", 0, 720, 24), vec![correction(taken_back)]].concat();
        let findings = findings(&rows);
        let seen = savings_of(&findings, "billing.ebs.gp2.to.gp3");
        match (seen.as_slice(), saved) {
            ([figures], Some(saved)) => assert!((number(figures[1]) - saved).abs() <= 1, "{seen:?}"),
            ([], None) => {}
            _ => panic!("{taken_back}: {seen:?}"),
        }
    }
}

#[test]
fn a_resource_that_ended_is_silent_where_the_bill_can_tell() {
    // A whole bill shows all days of other volumes, an extract one of six.
    for (step, is_named) in [(144, true), (24, false)] {
        let others = (0..4).flat_map(|n| {
            let days = (0..720).step_by(step).map(move |hour| volume(&format!("vol-{n}"), hour, 24, 24));
            days.flatten().chain(volume(&format!("vol-{n}"), 696, 24, 24))
        });
        let rows: Vec<_> = volume("vol-deleted", 0, 360, 24).into_iter().chain(others).collect();
        let findings = findings(&rows);
        let seen: Vec<_> = findings.iter().filter(|f| f.text("/scope/resource_id") == "vol-deleted").collect();
        assert_eq!(seen.len(), usize::from(is_named), "{step}");
        if let [finding] = seen.as_slice() {
            let notes = finding.text("/estimated/notes");
            assert!(
                notes.ends_with("not charged in the last 360 hours that the bill covers: check that it still exists")
            );
            assert_eq!(finding.json["estimated"]["confidence"].as_u64(), Some(30));
        }
    }
}
