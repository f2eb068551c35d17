//! The list of collectors and their files agree, and each declares the permissions of the operations that it uses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use collectors::collector::Collect;
use collectors::registry::CollectorRegistry;

fn src() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("src")
}

/// A file's name and text.
type Files = Vec<(String, String)>;

/// The files of a provider: those that register a collector, and those that collectors share.
fn files(provider: &str) -> (Files, Files) {
    let files = std::fs::read_dir(src().join(provider)).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    });
    let (mut collectors, shared): (Vec<_>, Vec<_>) = files.partition(|(name, text)| {
        let registrations = text.matches("    CollectorRegistration {").count();
        assert!(registrations <= 1, "{name} registers {registrations} collectors");
        registrations == 1
    });
    collectors.sort();
    (collectors, shared)
}

/// `s3:GetBucketLocation`.
fn is_action(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, operation)| {
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !service.is_empty()
            && service.chars().all(lower)
            && operation.starts_with(|c: char| c.is_ascii_uppercase())
            && operation.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

#[test]
fn every_file_with_a_collector_is_linked_in_under_its_name() {
    let registry = CollectorRegistry::linked().unwrap();
    let in_aws = registry.all().iter().filter_map(|collector| collector.id.strip_prefix("aws."));
    let registered: Vec<_> = in_aws.map(|id| id.replace('.', "_")).collect();
    let on_disk: Vec<_> = files("aws").0.into_iter().map(|(name, _)| name).collect();
    assert_eq!(registered, on_disk);
    assert!(registry.all().iter().any(|collector| collector.id == "billing.files"));
}

#[test]
fn each_collector_declares_the_permissions_that_it_uses() {
    let registry = CollectorRegistry::linked().unwrap();
    let (collectors, shared) = files("aws");
    let shared = shared.into_iter().map(|(_, text)| text).collect::<String>();
    let named_in = |text: &str| -> BTreeSet<String> {
        text.split('"').skip(1).step_by(2).filter(|text| is_action(text)).map(str::to_owned).collect()
    };
    for (name, text) in collectors {
        let is_of_file = |id: &str| id.strip_prefix("aws.").is_some_and(|id| id.replace('.', "_") == name);
        let collector = registry.all().iter().find(|collector| is_of_file(collector.id)).unwrap();
        let declared: BTreeSet<String> = collector.actions.iter().map(|action| (*action).to_owned()).collect();
        let code = text.split_once("collect: ").unwrap().1;
        let undeclared: Vec<_> = named_in(code).difference(&declared).cloned().collect();
        assert_eq!(undeclared, Vec::<String>::new(), "{name} uses what it does not declare");
        let reported = named_in(&format!("{code}{shared}"));
        let unreported: Vec<_> = declared.difference(&reported).cloned().collect();
        assert_eq!(unreported, Vec::<String>::new(), "{name} does not report when these are refused");
    }
}

#[test]
fn each_collector_says_what_it_does() {
    let registry = CollectorRegistry::linked().unwrap();
    for collector in registry.all() {
        assert!(!collector.what.is_empty(), "{collector:?}");
        assert!(collector.actions.iter().all(|action| is_action(action)), "{collector:?}");
        if let Collect::Account(_) = collector.collect {
            assert!(!collector.actions.is_empty(), "{collector:?} asks a provider without a permission");
        }
    }
}

/// Text between back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_guide_to_a_new_collector_names_what_exists() {
    let root = src().join("../../..");
    let guide = std::fs::read_to_string(root.join("docs/adding-a-collector.md")).unwrap();
    let blocks: Vec<&str> = guide.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let prose: String = guide.split("```").step_by(2).collect();
    let paths: Vec<_> = quoted(&prose).filter(|text| text.ends_with(".rs") && text.contains('/')).collect();
    assert!(paths.len() >= 3, "{paths:?}");
    for path in paths {
        assert!(root.join(path).is_file(), "the guide names {path}");
    }
    let shown = ["producers/collectors/src/aws/s3_buckets.rs", "producers/inventories/src/s3.rs"];
    let shown: String = shown.map(|path| std::fs::read_to_string(root.join(path)).unwrap()).concat();
    assert!(blocks.len() >= 3, "{blocks:?}");
    for line in blocks.iter().flat_map(|block| block.lines()) {
        assert!(shown.contains(line), "the guide shows {line:?}, which neither file has");
    }
}
