//! What adds up, replaces, and is refused: one table.

use std::collections::BTreeMap;
use std::io::Write;

use collectors::billing::{Effect, LoadError, LoadOptions, Overlap};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::bills::{Charge, Desk, csv, csv_with, day, hours, load_files, month_long};

/// Bills loaded one after another, and the total that is live then; `None`: the last one is refused and changes nothing.
fn check(name: &str, bills: &[Vec<Charge>], expected: Option<i64>) {
    let desk = Desk::new();
    let (last, before) = bills.split_last().unwrap();
    for bill in before {
        desk.load(bill).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let (total, files) = (desk.total(), if before.is_empty() { Default::default() } else { desk.files() });
    match (desk.load(last), expected) {
        (Ok(_), Some(expected)) => assert_eq!(desk.total(), expected, "{name}"),
        (Err(error @ LoadError::Overlap { .. }), None) => {
            assert!(error.is_bad_input(), "{name}");
            let text = error.to_string();
            for part in ["--restate", "--increment", "--source", "2026-09", "aws/999988887777"] {
                assert!(text.contains(part), "{name}: {part} is not in {text}");
            }
            assert_eq!((desk.total(), desk.files()), (total, files), "{name}: nothing is changed, nothing is left");
        }
        (outcome, expected) => panic!("{name}: expected {expected:?}, got {outcome:?}"),
    }
}

fn days(range: std::ops::Range<u32>, resource: &str, cost: i64) -> Vec<Charge> {
    range.map(|n| day(n, resource, cost)).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_delivery_does_what_the_rule_says() {
    let azure = |cost| vec![day(3, "vm-1", cost).of("Microsoft", "/billingAccounts/1")];
    let oci = |from: &str, to: &str| vec![hours(from, to, "instance", 1).of("Oracle", "ocid1.tenancy")];
    let with_fee = |mut bill: Vec<Charge>, fee: i64| {
        bill.push(month_long("support", fee));
        bill
    };
    let sparse = |numbers: &[u32]| numbers.iter().map(|n| day(*n, "i-1", 1)).collect::<Vec<_>>();

    check("two clouds add up", &[days(3..4, "vol", 100), azure(40)], Some(140));
    check(
        "another account of the cloud adds up",
        &[days(3..4, "vol", 100), vec![day(3, "vol", 7).of("AWS", "2")]],
        Some(107),
    );
    let six_hours = [("03T00", "03T06"), ("03T06", "03T12"), ("03T12", "03T18"), ("03T18", "04T00")];
    check("six-hour files of a day add up", &six_hours.map(|(from, to)| oci(from, to)), Some(4));
    check(
        "one of them, corrected, replaces itself alone",
        &[
            oci("03T00", "03T06"),
            oci("03T06", "03T12"),
            vec![hours("03T00", "03T06", "instance", 5).of("Oracle", "ocid1.tenancy")],
        ],
        Some(6),
    );
    check("a bill that grows day by day replaces itself", &[days(1..3, "i-1", 10), days(1..4, "i-1", 10)], Some(30));
    check(
        "also with a fee of the month",
        &[with_fee(days(1..3, "i-1", 10), 50), with_fee(days(1..4, "i-1", 10), 50)],
        Some(80),
    );
    check("a corrected bill replaces", &[days(1..5, "i-1", 10), days(1..5, "i-1", 9)], Some(36));
    check("and may have lost a fee", &[with_fee(days(1..5, "i-1", 10), 5), days(1..5, "i-1", 9)], Some(36));
    check("an hour without charges does not matter", &[sparse(&[1, 2, 3, 4]), sparse(&[1, 3, 4])], Some(3));
    check("parts of one export add up", &[days(3..4, "vol-1", 7), days(3..4, "vol-2", 8)], Some(15));
    check(
        "and one of them is restated by itself",
        &[days(1..9, "vol-1", 7), days(3..5, "vol-2", 8), days(1..9, "vol-1", 1)],
        Some(8 + 16),
    );
    let shared = |resource: &str| [days(3..4, resource, 7), days(3..4, "tax", 1)].concat();
    check("parts that share a charge are refused", &[shared("vol-1"), shared("vol-2")], None);
    let vms = |range: std::ops::Range<u32>| range.map(|n| day(1, &format!("vm-{n}"), 1)).collect::<Vec<_>>();
    check("a first day that grows replaces itself", &[vms(0..5), vms(0..300)], Some(300));
    check("parts with many charges add up", &[vms(0..200), vms(200..500)], Some(500));
    check("days that follow add up", &[days(1..3, "i-1", 10), days(3..5, "i-1", 10)], Some(40));
    check("a bill of some days does not replace that of more", &[days(1..9, "i-1", 10), days(2..4, "i-1", 10)], None);
    check("nor one that overlaps it", &[days(1..9, "i-1", 10), days(5..12, "i-1", 10)], None);
    check("nor one with a gap of days in it", &[days(1..20, "i-1", 10), sparse(&[1, 19])], None);
    check(
        "half months with the same fee",
        &[with_fee(days(1..15, "i", 1), 5), with_fee(days(15..30, "i", 1), 5)],
        None,
    );
    check("half months with a fee in one", &[with_fee(days(1..15, "i", 1), 5), days(15..30, "i", 1)], Some(34));
    check(
        "fees of a month alone, then all of it",
        &[vec![month_long("support", 5)], with_fee(days(1..3, "i", 1), 5)],
        Some(7),
    );
    check("all of it, then the fees alone", &[with_fee(days(1..3, "i", 1), 5), vec![month_long("support", 5)]], None);
    check("a month in one row, then by days", &[vec![month_long("i-1", 30)], days(1..31, "i-1", 1)], None);
    check("by days, then in one row", &[days(1..31, "i-1", 1), vec![month_long("i-1", 30)]], None);
    check(
        "by hours, then by days",
        &[vec![hours("01T00", "01T01", "i", 1), hours("01T01", "01T02", "i", 1)], days(1..3, "i", 5)],
        Some(10),
    );
    check(
        "two hours of the first day, then a week",
        &[
            (0..2).map(|h| hours(&format!("01T{h:02}"), &format!("01T{:02}", h + 1), "i", 1)).collect(),
            days(1..8, "i", 24),
        ],
        Some(168),
    );
}

#[test]
fn another_export_of_the_same_days_is_no_part() {
    let desk = Desk::new();
    desk.load(&[day(3, "vol-1", 7)]).unwrap();
    let other = desk.file("other.csv", csv_with(&[day(3, "vol-2", 8)], ",x_More"));
    load_files(&desk.store, &[other], &LoadOptions::default()).unwrap();
    assert_eq!(desk.total(), 8, "the same days in another form are the same bill");
}

#[test]
fn the_choice_decides_what_the_rule_does_not() {
    for (overlap, expected) in [(Overlap::Restate, 5 + 20), (Overlap::Increment, 5 + 80 + 20)] {
        let desk = Desk::new();
        desk.load(&[day(30, "i-1", 5)]).unwrap();
        desk.load(&days(1..9, "i-1", 10)).unwrap();
        let report = desk.load_with(&days(2..4, "i-1", 10), overlap).unwrap();
        assert_eq!(desk.total(), expected, "{overlap:?}: what does not overlap stays");
        assert_eq!(report.months[0].replaced.len(), usize::from(overlap == Overlap::Restate));
        let again = desk.load_with(&days(2..4, "i-1", 10), overlap).unwrap();
        assert!(again.months[0].is_unchanged() && desk.total() == expected, "{overlap:?}: once");
    }
}

#[test]
fn named_exports_of_one_account_add_up() {
    let desk = Desk::new();
    let one = desk.file("one.csv", csv(&days(1..3, "i-1", 10)));
    let other = desk.file("other.csv", csv(&days(1..3, "i-2", 7)));
    let named = |name: &str| LoadOptions { source_name: Some(name.into()), ..LoadOptions::default() };
    for (bill, name, expected) in [(&one, "linux", 20), (&other, "windows", 34), (&one, "linux", 34)] {
        load_files(&desk.store, std::slice::from_ref(bill), &named(name)).unwrap();
        assert_eq!(desk.total(), expected);
    }
    assert!(desk.billed().contains_key("aws/999988887777 (windows)"));
}

#[test]
fn an_increment_by_mistake_is_taken_back() {
    let desk = Desk::new();
    let bill = [desk.file("bill.csv", csv(&days(1..11, "i-1", 10)))];
    let more = [desk.file("more.csv", csv(&days(5..15, "i-1", 20)))];
    let increment = LoadOptions { overlap: Overlap::Increment, ..LoadOptions::default() };
    let restate = LoadOptions { overlap: Overlap::Restate, ..LoadOptions::default() };
    load_files(&desk.store, &bill, &LoadOptions::default()).unwrap();
    load_files(&desk.store, &more, &increment).unwrap();
    assert_eq!(desk.total(), 300);
    for _ in 0..2 {
        load_files(&desk.store, &more, &restate).unwrap();
        assert_eq!(desk.total(), 200);
    }
}

#[test]
fn the_same_content_under_another_name_is_refused() {
    let desk = Desk::new();
    let bill = [desk.file("bill.csv", csv(&days(1..3, "i-1", 10)))];
    load_files(&desk.store, &bill, &LoadOptions::default()).unwrap();
    let named = LoadOptions { source_name: Some("main".into()), ..LoadOptions::default() };
    let error = load_files(&desk.store, &bill, &named).unwrap_err();
    assert!(error.is_bad_input() && matches!(error, LoadError::SameContent { .. }), "{error}");
    assert_eq!(desk.total(), 20);
    load_files(&desk.store, &bill, &LoadOptions { overlap: Overlap::Increment, ..named }).unwrap();
    assert_eq!(desk.total(), 40, "when it is asked for");
}

#[test]
fn what_is_replaced_is_reported_with_its_total() {
    let desk = Desk::new();
    let first = desk.load(&days(1..5, "i-1", 10)).unwrap();
    assert_eq!(first.months[0].deliveries[0].effect, Effect::Added);
    let report = desk.load(&days(1..5, "i-1", 9)).unwrap();
    assert_eq!(report.months[0].deliveries[0].effect, Effect::Replaced);
    let [old] = report.months[0].replaced.as_slice() else { panic!("{report:?}") };
    assert_eq!(
        (&*old.delivery_id, old.rows, &*old.totals["USD"].unblended),
        (&*first.deliveries_read[0].delivery_id, 4, "40")
    );
    let [entry] = &report.deliveries()[..] else { panic!("one month, one source") };
    assert_eq!((&*entry.source, &*entry.effect, entry.accepted), ("aws/999988887777", "replaced", 4));
    assert_eq!(entry.replaced[0].billed, BTreeMap::from([("USD".to_owned(), "40".to_owned())]));
}

#[test]
fn an_account_of_azure_is_one_source_in_every_spelling() {
    let desk = Desk::new();
    let bill =
        |provider, account| vec![day(3, "vm-1", 40).of(provider, account), day(4, "vm-1", 2).of(provider, account)];
    let spellings = [
        ("Microsoft", "/providers/Microsoft.Billing/billingAccounts/8a:9b_2019-05-31"),
        ("Microsoft Azure", "/PROVIDERS/MICROSOFT.BILLING/BILLINGACCOUNTS/8A:9B_2019-05-31"),
        ("azure", "/providers/microsoft.billing/billingaccounts/8a:9b_2019-05-31/"),
    ];
    for (provider, account) in spellings {
        desk.load(&bill(provider, account)).unwrap();
        let source = "azure//providers/Microsoft.Billing/billingAccounts/8a:9b_2019-05-31".to_owned();
        assert_eq!(desk.billed(), BTreeMap::from([(source, 42)]), "{account}");
    }
}

#[test]
fn one_load_may_bring_several_sources_and_months() {
    let desk = Desk::new();
    let azure = |cost| day(3, "vm-1", cost).of("Microsoft", "/billingAccounts/1");
    let october = day(3, "i-1", 1000).in_month("2026-10");
    let report = desk.load(&[day(3, "i-1", 100), azure(40), day(4, "i-1", 100), october]).unwrap();
    assert_eq!(report.months.len(), 2);
    let sources = |aws, azure| {
        BTreeMap::from([("aws/999988887777".to_owned(), aws), ("azure//billingAccounts/1".to_owned(), azure)])
    };
    assert_eq!(desk.billed(), sources(200, 40));
    let report = desk.load(&[azure(41)]).unwrap();
    assert_eq!(desk.billed(), sources(200, 41), "a source is restated, the other stays");
    assert_eq!(report.months[0].replaced.len(), 1);
    // A load of both joins one of them and restates the other with the same facts.
    let report = desk.load(&[azure(41), day(5, "i-1", 7)]).unwrap();
    assert_eq!(desk.billed(), sources(207, 41));
    assert_eq!(report.months[0].deliveries.len(), 2);
}

#[test]
fn the_content_decides_not_the_name() {
    let desk = Desk::new();
    let text = csv(&[day(3, "i-1", 100)]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = desk.file("focus.csv.gz", packed.finish().unwrap());
    let (plain, copy) = (desk.file("focus.csv", &text), desk.file("focus (1).csv", &text));
    let options = LoadOptions::default();
    let report = load_files(&desk.store, &[plain.clone(), copy, packed.clone(), plain.clone()], &options).unwrap();
    assert_eq!((desk.total(), report.files.len(), report.repeated_files.len()), (100, 1, 3));
    let manifest = desk.manifest();
    for again in [plain, packed] {
        let report = load_files(&desk.store, &[again], &options).unwrap();
        assert!(report.months[0].is_unchanged());
        assert_eq!(desk.manifest(), manifest, "nothing is written");
    }
    assert_eq!(desk.files().len(), 1);
}

#[test]
fn the_same_rows_in_two_forms_are_refused() {
    let desk = Desk::new();
    let bill = [day(3, "i-1", 100), day(4, "i-1", 7)];
    let one = desk.file("one.csv", csv(&bill));
    let reversed: Vec<_> = bill.iter().rev().cloned().collect();
    let other = desk.file("other.csv", csv_with(&reversed, ",x_More"));
    let error = load_files(&desk.store, &[one.clone(), other], &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, LoadError::SameRows { rows: 2, .. }) && error.is_bad_input(), "{error}");
    assert!(desk.billed().is_empty());
    // The same charges of another amount are not the same rows.
    let corrected = desk.file("corrected.csv", csv(&[day(3, "i-1", 100), day(4, "i-1", -7)]));
    load_files(&desk.store, &[one, corrected], &LoadOptions::default()).unwrap();
    assert_eq!(desk.total(), 200);
}

#[test]
fn a_part_without_rows_is_passed_over_unless_it_is_alone() {
    let desk = Desk::new();
    let (full, empty) = (desk.file("1.csv", csv(&[day(3, "i-1", 10)])), desk.file("2.csv", csv(&[])));
    let report = load_files(&desk.store, &[full, empty.clone()], &LoadOptions::default()).unwrap();
    assert_eq!((desk.total(), report.empty_files), (10, vec!["2.csv".to_owned()]));
    let error = load_files(&desk.store, &[empty], &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, LoadError::NoRows { .. }), "{error}");
    let (full, mark) = (desk.file("1.csv", csv(&[day(3, "i-1", 10)])), desk.file("3.csv", "\u{feff}"));
    let none = desk.file("4.csv", "");
    let report = load_files(&desk.store, &[full, mark.clone(), none.clone()], &LoadOptions::default()).unwrap();
    assert_eq!((desk.total(), report.empty_files), (10, vec!["4.csv".to_owned(), "3.csv".to_owned()]));
    for alone in [mark, none] {
        let error = load_files(&desk.store, &[alone], &LoadOptions::default()).unwrap_err();
        assert!(matches!(error, LoadError::Empty { .. }), "{error}");
    }
}

#[test]
fn cells_may_be_quoted_twice() {
    let desk = Desk::new();
    let bill = csv(&[day(3, "i-1", 10), day(4, "i-1", 7)]);
    let quoted = |line: &str| line.split(',').map(|cell| format!("\"\"\"{cell}\"\"\"")).collect::<Vec<_>>().join(",");
    let file = desk.file("quoted.csv", bill.lines().map(quoted).collect::<Vec<_>>().join("\n"));
    load_files(&desk.store, &[file], &LoadOptions::default()).unwrap();
    assert_eq!(desk.billed(), BTreeMap::from([("aws/999988887777".to_owned(), 17)]));
}
