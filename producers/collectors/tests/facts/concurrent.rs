//! Several loads of one tenant and month at once, each with a store of its own as processes have.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

use collectors::billing::{LoadError, LoadOptions, LoadReport};

use crate::bills::{Charge, Desk, csv, day, load_files};

const ACCOUNTS: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// Each list of bills is loaded in its order by one thread; all threads begin together.
fn race(desk: &Desk, loaders: &[Vec<PathBuf>]) -> Vec<Result<LoadReport, LoadError>> {
    let barrier = Barrier::new(loaders.len());
    thread::scope(|scope| {
        let loader = |bills: &'_ Vec<PathBuf>| {
            let (store, barrier, bills) = (desk.reopened(), &barrier, bills.clone());
            scope.spawn(move || {
                barrier.wait();
                let load = |bill: PathBuf| load_files(&store, &[bill], &LoadOptions::default());
                bills.into_iter().map(load).collect::<Vec<_>>()
            })
        };
        let running: Vec<_> = loaders.iter().map(loader).collect();
        running.into_iter().flat_map(|loader| loader.join().unwrap()).collect()
    })
}

fn bill(desk: &Desk, name: &str, charges: &[Charge]) -> PathBuf {
    desk.file(name, csv(charges))
}

#[test]
fn loads_of_different_sources_all_count() {
    for loaders in [2, 4, 8] {
        let desk = Desk::new();
        let of = |account: &'static str, cost| {
            let name = format!("{account}-{cost}.csv");
            bill(&desk, &name, &[day(3, "i-1", cost).of("AWS", account), day(4, "i-1", cost).of("AWS", account)])
        };
        // Each restates its own bill twice.
        let bills: Vec<Vec<_>> =
            ACCOUNTS[..loaders].iter().map(|account| [1, 2, 3].map(|cost| of(account, cost)).into()).collect();
        for outcome in race(&desk, &bills) {
            outcome.unwrap();
        }
        let expected: BTreeMap<_, _> =
            ACCOUNTS[..loaders].iter().map(|account| (format!("aws/{account:0>12}"), 6)).collect();
        assert_eq!(desk.billed(), expected, "{loaders} loaders");
        let manifest = desk.manifest();
        assert_eq!(manifest.generation, 3 * loaders as u64, "one replace for each load");
        let named: Vec<_> = manifest
            .parts()
            .map(|part| part.part.clone())
            .chain(manifest.previous_parts.iter().map(|old| old.part.clone()))
            .collect();
        assert!(desk.files().iter().all(|file| named.contains(file)), "losers leave nothing");
    }
}

#[test]
fn increments_of_one_source_all_count() {
    for loaders in [2_u32, 4, 8] {
        let desk = Desk::new();
        let of = |n: u32| bill(&desk, &format!("{n}.csv"), &[day(n, "i-1", 1)]);
        let bills: Vec<Vec<_>> = (0..loaders).map(|loader| (0..3).map(|n| of(1 + loader * 3 + n)).collect()).collect();
        for outcome in race(&desk, &bills) {
            outcome.unwrap();
        }
        assert_eq!((desk.total(), desk.manifest().deliveries.len()), (i64::from(loaders) * 3, loaders as usize * 3));
    }
}

#[test]
fn the_same_content_counts_once() {
    for loaders in [2, 4, 8] {
        let desk = Desk::new();
        let bills = vec![vec![bill(&desk, "bill.csv", &[day(3, "i-1", 10)])]; loaders];
        let reports: Vec<_> = race(&desk, &bills).into_iter().map(Result::unwrap).collect();
        assert_eq!((desk.total(), desk.manifest().generation), (10, 1));
        let unchanged = reports.iter().filter(|report| report.months[0].is_unchanged()).count();
        assert_eq!(unchanged, loaders - 1, "one wrote it");
        assert_eq!(desk.files().len(), 1);
    }
}

#[test]
fn of_restatements_at_once_one_is_live() {
    for loaders in [2, 4, 8] {
        let desk = Desk::new();
        let of = |n: usize| vec![bill(&desk, &format!("{n}.csv"), &[day(3, "i-1", 10 + n as i64)])];
        let bills: Vec<_> = (0..loaders).map(of).collect();
        let reports: Vec<_> = race(&desk, &bills).into_iter().map(Result::unwrap).collect();
        let live = desk.total();
        assert!((10..10 + loaders as i64).contains(&live));
        // Each replaced the one before: all but the last are named once, with their total.
        let mut replaced: Vec<i64> = reports
            .iter()
            .flat_map(|report| &report.months[0].replaced)
            .map(|old| old.totals["USD"].unblended.parse().unwrap())
            .collect();
        replaced.push(live);
        replaced.sort_unstable();
        assert_eq!(replaced, (10..10 + loaders as i64).collect::<Vec<_>>());
    }
}
