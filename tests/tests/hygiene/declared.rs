//! Crash points and metrics belong to the crate whose code has them, and where all of them are listed none is missing.

use std::collections::BTreeSet;

use tests::{declared, repo};

/// How the crash points of a crate begin.
const PARTS: &[(&str, &[&str])] = &[
    ("exporter", &["exporter."]),
    ("operations", &["operator."]),
    ("platform", &["broker.", "store."]),
    ("producers/collectors", &["producers."]),
    ("sink", &["sink."]),
    ("validator", &["validator."]),
];

/// What is declared in a crate that is not linked in would be missing from the attacks without a word.
#[test]
fn every_crash_point_of_the_sources_is_known_and_named_after_its_crate() {
    let mut passed = BTreeSet::new();
    for path in repo::files().iter().filter(|path| path.ends_with(".rs")) {
        let Some((owner, _)) = path.split_once("/src/") else { continue };
        let text = repo::read(path);
        let code = text.lines().filter_map(|line| line.split("//").next());
        for name in code.filter_map(|line| line.split_once("failpoint::hit!(\"")?.1.split('"').next()) {
            let parts = PARTS.iter().find(|(known, _)| *known == owner).map_or(&[][..], |(_, parts)| parts);
            assert!(
                parts.iter().any(|part| name.starts_with(part)),
                "{path}: {name} is to begin with one of {parts:?}"
            );
            passed.insert(name.to_owned());
        }
    }
    assert!(passed.len() > 40, "{passed:?}");
    let known: BTreeSet<_> = declared::crash_points().into_iter().map(str::to_owned).collect();
    assert_eq!(passed, known, "left: passed in the sources, right: known to the program");
}

/// A crate that is not linked in would be missing from the page on metrics without a word.
#[test]
fn every_metric_of_the_sources_is_known() {
    let mut declared_in_sources = BTreeSet::new();
    for path in repo::files().iter().filter(|path| path.ends_with(".rs") && path.contains("/src/")) {
        let text = repo::read(path);
        let Some((_, declarations)) = text.split_once("\nplatform::metrics::declare! {") else { continue };
        let lines = declarations.lines().take_while(|line| *line != "}");
        let names = lines.filter_map(|line| line.split_once(" = ")?.1.split_once("(\"")?.1.split('"').next());
        declared_in_sources.extend(names.map(str::to_owned));
    }
    assert!(declared_in_sources.len() > 10, "{declared_in_sources:?}");
    let known: BTreeSet<_> = declared::metrics().into_iter().map(|metric| metric.name.to_owned()).collect();
    let unknown: Vec<_> = declared_in_sources.difference(&known).collect();
    assert!(unknown.is_empty(), "declared in a crate that is not linked in: {unknown:?}");
}
