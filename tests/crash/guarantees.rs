//! The document that the long form writes, and that it cannot go stale.

use tests::attack::fault::{Deed, Fault};
use tests::attack::matrix;
use tests::attack::site::SiteKind;
use tests::repo;

const DOCUMENT: &str = "docs/guarantees.md";

/// Attacks that are newer than the document: the next long form writes their rows, and then they leave this list.
const NEWER: &[Deed] = &[];
/// The same of crash points, by the beginning of their names.
const NEWER_POINTS: &[&str] = &[];

#[test]
fn the_document_has_a_row_for_every_attack() {
    let is_newer = |fault: &Fault| match fault {
        Fault::Point(name) => NEWER_POINTS.iter().any(|newer| name.starts_with(newer)),
        Fault::Deed(deed) => NEWER.contains(deed),
    };
    assert_complete(&repo::read(DOCUMENT), |fault| !is_newer(fault));
}

/// Crash points at each site that has them, other faults at one at least.
fn assert_complete(document: &str, is_wanted: impl Fn(&Fault) -> bool) {
    let rows = |fault: &Fault| match fault {
        Fault::Point(name) => {
            let sites = SiteKind::ALL.iter().filter(|kind| !kind.lacks(name));
            sites.map(|kind| format!("| {fault} | {} |", kind.name())).collect()
        }
        Fault::Deed(_) => vec![format!("| {fault} |")],
    };
    for row in Fault::all().iter().filter(|fault| is_wanted(fault)).flat_map(rows) {
        assert!(document.contains(&row), "{DOCUMENT} has no row {row}; `cargo xtask attack`");
    }
}

#[test]
#[ignore = "the last step of `cargo xtask attack`"]
fn write() {
    let outcomes = matrix::noted();
    let on_kafka = SiteKind::ALL.iter().filter(|kind| !kind.is_embedded()).map(|kind| kind.name());
    let on_kafka: Vec<_> = on_kafka.collect();
    let random = outcomes.iter().filter(|outcome| outcome.fault.is_random_kill());
    let kills = random.filter(|outcome| on_kafka.contains(&&*outcome.site)).map(|outcome| outcome.kills);
    assert!(kills.sum::<u64>() >= 200, "the long form kills at least 200 times at random on Kafka");
    let document = matrix::document(&outcomes);
    assert_complete(&document, |_| true);
    std::fs::write(repo::root().join(DOCUMENT), document).unwrap();
}
