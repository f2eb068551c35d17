//! The document that the long form writes, and that it cannot go stale.

use tests::attack::fault::Fault;
use tests::attack::matrix;
use tests::attack::site::Kind;
use tests::repo;

const DOCUMENT: &str = "docs/guarantees.md";

#[test]
fn the_document_has_a_row_for_every_attack() {
    let document = repo::read(DOCUMENT);
    let is_nowhere = |fault: &Fault| match fault {
        Fault::Point(name) => Kind::ALL.iter().all(|kind| kind.lacks(name)),
        Fault::Deed(_) => false,
    };
    for fault in Fault::all().into_iter().filter(|fault| !is_nowhere(fault)) {
        assert!(document.contains(&format!("| {fault} |")), "{DOCUMENT} has no row for: {fault}; `cargo xtask attack`");
    }
}

#[test]
#[ignore = "the last step of `cargo xtask attack`"]
fn write() {
    let outcomes = matrix::noted();
    let on_kafka = Kind::ALL.iter().filter(|kind| !kind.is_embedded()).map(|kind| kind.name());
    let on_kafka: Vec<_> = on_kafka.collect();
    let kills = outcomes.iter().filter(|outcome| on_kafka.contains(&&*outcome.site)).map(|outcome| outcome.kills);
    assert!(kills.sum::<u64>() >= 200, "the long form kills at least 200 times on Kafka");
    std::fs::write(repo::root().join(DOCUMENT), matrix::document(&outcomes)).unwrap();
}
