//! The files of a month: how many there are, what mends them, what is removed and when.

use std::fs;

use collectors::billing::{LoadError, LoadOptions};
use contracts::cost_manifest::CostManifest;
use serde_json::json;

use crate::bills::{Charge, Desk, csv, day, load_files};

const ACCOUNTS: [&str; 6] = ["1", "2", "3", "4", "5", "6"];

fn of(account: &'static str, cost: i64) -> Vec<Charge> {
    vec![day(3, "i-1", cost).of("AWS", account)]
}

fn account(number: &str) -> String {
    format!("aws/{number:0>12}")
}

#[test]
fn a_small_month_is_one_file() {
    let desk = Desk::new();
    for (n, account) in ACCOUNTS.into_iter().enumerate() {
        desk.load(&of(account, 10)).unwrap();
        let manifest = desk.manifest();
        assert!(manifest.further_parts.is_empty());
        assert_eq!(
            (manifest.generation, manifest.deliveries.len(), manifest.main.rows),
            (n as u64 + 1, n + 1, n as u64 + 1)
        );
    }
    assert_eq!(desk.total(), 60);
}

#[test]
fn files_that_have_reached_the_target_are_left_alone() {
    let desk = Desk::new();
    let options = LoadOptions { part_bytes_target: 1, ..LoadOptions::default() };
    let load =
        |account, cost| load_files(&desk.store, &[desk.file("b.csv", csv(&of(account, cost)))], &options).unwrap();
    let mut before: Vec<String> = Vec::new();
    for (n, account) in ACCOUNTS.into_iter().enumerate() {
        load(account, 10);
        let manifest = desk.manifest();
        let parts: Vec<_> = manifest.parts().map(|part| part.part.clone()).collect();
        assert_eq!(parts.len(), n + 1);
        assert!(before.iter().all(|part| parts.contains(part)), "no file is written again");
        before = parts;
    }
    assert_eq!(desk.total(), 60);
    load("4", 7);
    assert_eq!((desk.total(), desk.billed()[&account("4")]), (57, 7), "a restatement goes where the old one was");
    let both: Vec<_> = of("2", 1).into_iter().chain(of("5", 1)).collect();
    load_files(&desk.store, &[desk.file("b.csv", csv(&both))], &options).unwrap();
    assert_eq!(desk.total(), 10 + 1 + 10 + 7 + 1 + 10);
}

#[test]
fn old_files_stay_for_readers_for_a_while() {
    let desk = Desk::new();
    let minute = 60_000;
    let load = |cost, now_ms| {
        let options = LoadOptions { now_ms, ..LoadOptions::default() };
        load_files(&desk.store, &[desk.file("b.csv", csv(&of("1", cost)))], &options).unwrap();
        desk.manifest()
    };
    let begin = 1_789_000_000_000;
    let first = load(1, begin).main.part;
    let second = load(2, begin + minute);
    assert_eq!(second.previous_parts[0].part, first);
    load(3, begin + 2 * minute);
    assert!(desk.files().contains(&first), "a reader may still be at it");
    let last = load(4, begin + 30 * minute);
    assert!(!desk.files().contains(&first) && !desk.files().contains(&second.main.part));
    assert_eq!((desk.files().len(), last.previous_parts.len()), (2, 1), "the last one and the one before");
    for n in 0..40 {
        load(5 + n, begin + 31 * minute);
    }
    assert_eq!(desk.files().len(), 42, "however fast loads follow each other");
    load(45, begin + 50 * minute);
    assert_eq!(desk.files().len(), 2);
    assert_eq!(desk.total(), 45);
}

#[test]
fn files_of_crashed_loads_are_swept_when_they_are_old() {
    let desk = Desk::new();
    desk.load(&of("1", 1)).unwrap();
    for name in ["part-crashed.parquet", "notes.txt"] {
        fs::write(desk.folder().join(name), b"left").unwrap();
    }
    desk.load(&of("1", 1)).unwrap();
    assert!(desk.files().contains("part-crashed.parquet"), "it may be of a load that runs");
    let in_two_days = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + 2 * 86_400_000;
    let options = LoadOptions { now_ms: in_two_days, ..LoadOptions::default() };
    load_files(&desk.store, &[desk.file("b.csv", csv(&of("1", 1)))], &options).unwrap();
    assert_eq!(desk.files().into_iter().collect::<Vec<_>>(), [desk.manifest().main.part]);
    assert!(desk.folder().join("notes.txt").exists(), "what is not ours is left alone");
}

#[test]
fn loading_again_mends_a_month_whose_file_is_missing_or_cut() {
    for cut in [false, true] {
        let desk = Desk::new();
        desk.load(&of("1", 10)).unwrap();
        desk.load(&of("2", 20)).unwrap();
        let file = desk.folder().join(desk.manifest().main.part);
        if cut {
            fs::write(&file, b"PAR1").unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
        let report = desk.load(&of("1", 10)).unwrap();
        assert_eq!(desk.total(), 10, "what is loaded again is there again");
        let [lost] = report.months[0].lost.as_slice() else { panic!("{report:?}") };
        assert_eq!(
            (lost.source.to_string(), &*lost.totals["USD"].unblended),
            (account("2"), "20"),
            "and the rest is named"
        );
        let report = desk.load(&of("2", 20)).unwrap();
        assert_eq!((desk.total(), report.months[0].lost.len()), (30, 0));
    }
}

#[test]
fn damage_is_not_copied_into_a_new_file() {
    let desk = Desk::new();
    desk.load(&of("1", 10)).unwrap();
    let file = desk.folder().join(desk.manifest().main.part);
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, bytes).unwrap();
    let before = desk.manifest();
    let error = desk.load(&of("2", 20)).unwrap_err();
    assert!(matches!(error, LoadError::Damaged { .. }) && !error.is_bad_input(), "{error}");
    assert_eq!((desk.manifest(), desk.files().len()), (before, 1), "and nothing is left");
}

/// A month as version 1 of the manifest described it: one file, its rows of two accounts mixed.
fn version_1(desk: &Desk) -> String {
    let mixed = [day(3, "i-1", 10).of("AWS", "1"), day(3, "i-2", 20).of("AWS", "2"), day(4, "i-1", 10).of("AWS", "1")];
    desk.load(&mixed).unwrap();
    let now = desk.manifest();
    let delivery = &now.deliveries[0].delivery_id;
    let old = json!({
        "format_version": 1, "delivery_id": delivery, "part": now.main.part, "rows": now.main.rows,
        "bytes": now.main.bytes, "sha256": now.main.sha256, "source_format": "focus", "previous_part": null,
    });
    fs::write(desk.folder().join("_manifest.json"), old.to_string()).unwrap();
    delivery.clone()
}

#[test]
fn a_month_of_the_first_version_gets_its_sources() {
    let desk = Desk::new();
    let delivery = version_1(&desk);
    assert_eq!(desk.manifest().format_version, 1);
    desk.load(&[day(3, "vm", 5).of("Microsoft", "/billingAccounts/1")]).unwrap();
    let manifest: CostManifest = desk.manifest();
    assert_eq!((manifest.format_version, manifest.deliveries.len(), desk.total()), (2, 3, 45));
    assert_eq!(manifest.deliveries.iter().filter(|live| live.delivery_id == delivery).count(), 2);
    // The provider was not known: the account decides.
    let report = desk.load(&[day(3, "i-1", 1).of("AWS", "1"), day(4, "i-1", 1).of("AWS", "1")]).unwrap();
    assert_eq!((report.months[0].replaced.len(), desk.total()), (1, 2 + 20 + 5));
}
