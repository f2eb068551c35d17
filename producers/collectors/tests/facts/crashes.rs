//! A load that dies after any of its writes leaves the old facts or the new ones, and the same command completes it.

use collectors::billing::{LoadError, LoadOptions};

use crate::bills::{Charge, Desk, csv, day, load_files};
use crate::faulty::Faulty;

/// Writes of one load, more than enough.
const WRITES_MAX: i64 = 60;

/// Loads `bill` with a store that dies after each number of writes.
fn dies_everywhere(before: &[Vec<Charge>], bill: &[Charge], old: i64, new: i64) {
    for loses_answer in [false, true] {
        let mut completed = false;
        for writes in 0..WRITES_MAX {
            let desk = Desk::new();
            before.iter().for_each(|bill| drop(desk.load(bill).unwrap()));
            let path = desk.file("bill.csv", csv(bill));
            let faulty = Faulty::dies_after(&desk.store, writes, loses_answer);
            let outcome = load_files(&faulty, std::slice::from_ref(&path), &LoadOptions::default());
            let total = desk.total();
            match &outcome {
                Ok(_) => assert_eq!(total, new),
                Err(error) => {
                    assert!([old, new].contains(&total) && !error.is_bad_input(), "{writes}: {total}, {error}")
                }
            }
            let report = load_files(&desk.store, &[path], &LoadOptions::default()).unwrap();
            assert_eq!(desk.total(), new, "after {writes} writes, repeated");
            assert_eq!(report.months[0].is_unchanged(), total == new);
            completed = outcome.is_ok();
            if completed {
                break;
            }
        }
        assert!(completed, "{WRITES_MAX} writes are enough");
    }
}

#[test]
fn the_first_load_of_a_month() {
    dies_everywhere(&[], &[day(3, "i-1", 10)], 0, 10);
}

#[test]
fn a_second_source() {
    let azure = day(3, "vm", 5).of("Microsoft", "/billingAccounts/1");
    dies_everywhere(&[vec![day(3, "i-1", 10)]], &[azure], 10, 15);
}

#[test]
fn a_restatement_beside_another_source() {
    let azure = day(3, "vm", 5).of("Microsoft", "/billingAccounts/1");
    dies_everywhere(&[vec![day(3, "i-1", 10)], vec![azure], vec![day(3, "i-1", 11)]], &[day(3, "i-1", 7)], 16, 12);
}

#[test]
fn a_load_of_two_months_says_which_are_live() {
    let bill = [day(3, "i-1", 10).in_month("2026-08"), day(3, "i-1", 10)];
    let mut in_part = 0;
    for writes in 0..WRITES_MAX {
        let desk = Desk::new();
        let path = desk.file("bill.csv", csv(&bill));
        let faulty = Faulty::dies_after(&desk.store, writes, false);
        if let Err(error @ LoadError::InPart { .. }) =
            load_files(&faulty, std::slice::from_ref(&path), &LoadOptions::default())
        {
            let text = error.to_string();
            assert!(text.contains("Live already: 2026-08;") && text.contains("repeat the command"), "{text}");
            assert_eq!(desk.total(), 0);
            in_part += 1;
        }
        let completed = in_part > 0 && desk.total() == 10;
        let report = load_files(&desk.store, &[path], &LoadOptions::default()).unwrap();
        assert_eq!((report.months.len(), desk.total()), (2, 10));
        if completed {
            break;
        }
    }
    assert!(in_part > 0, "the second month failed after the first");
}
