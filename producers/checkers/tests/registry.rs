//! The list of checkers and their files agree, and each says about itself what it must.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]
#![allow(clippy::disallowed_methods, reason = "the test reads sources and pages; the crate may not")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use checkers::registry::{Registration, Registry};
use checkers::rulepack::{DefaultValue, Rulepack, table_text};

fn checks_dir() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("src/checks")
}

/// `checks.focus.x` of every file `src/checks/focus/x.rs` that registers a checker.
fn modules_on_disk() -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for group in ["aws", "focus"] {
        for entry in std::fs::read_dir(checks_dir().join(group)).unwrap() {
            let path = entry.unwrap().path();
            // The truth suite.
            if path.is_dir() {
                continue;
            }
            let registrations = std::fs::read_to_string(&path).unwrap().matches("inventory::submit!").count();
            assert!(registrations <= 1, "{} registers {registrations} checkers", path.display());
            if registrations == 1 {
                modules.insert(format!("checks.{group}.{}", path.file_stem().unwrap().to_str().unwrap()));
            }
        }
    }
    modules
}

#[test]
fn every_file_with_a_checker_is_linked_in_under_its_name() {
    let registry = Registry::linked().unwrap();
    let registered: BTreeSet<_> = registry.all().iter().map(|r| r.spec.split_once(':').unwrap().0.to_owned()).collect();
    assert_eq!(registered, modules_on_disk());
    assert_eq!(registered.len(), registry.all().len(), "one checker per file");
}

#[test]
fn the_list_is_what_people_see() {
    let registry = Registry::linked().unwrap();
    let line = |r: &Registration| {
        let checks: Vec<_> = r.checks.iter().map(|check| check.check_id).collect();
        format!("{}\n  {} -> {}", r.spec, r.checker_id, checks.join(", "))
    };
    insta::assert_snapshot!(registry.all().iter().map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn each_checker_says_what_it_does() {
    let mut check_ids = BTreeSet::new();
    for registration in Registry::linked().unwrap().all() {
        let docs = registration.docs;
        let texts = [docs.what, docs.why, docs.money, docs.month.explained(), docs.verdict, docs.data, docs.limits];
        assert!(texts.iter().all(|text| !text.is_empty()), "{registration:?}");
        assert!(docs.thresholds.iter().all(|t| !t.key.is_empty() && !t.meaning.is_empty()), "{registration:?}");
        assert!(!registration.checks.is_empty(), "{registration:?}");
        for check in registration.checks {
            assert!(check_ids.insert(check.check_id), "{} belongs to two checkers", check.check_id);
        }
    }
}

#[test]
fn the_printed_table_of_every_checker_is_a_rulepack_with_its_defaults() {
    let registry = Registry::linked().unwrap();
    let mut whole = String::new();
    for registration in registry.all() {
        let (id, declared) = (registration.checker_id, registration.docs.thresholds);
        let text = table_text(id, declared);
        let pack =
            Rulepack::parse(&text, &registry.thresholds()).unwrap_or_else(|e| panic!("{registration:?}: {e}\n{text}"));
        let (read, builtin) = (pack.of(id, declared), Rulepack::default());
        for threshold in declared {
            match threshold.default {
                DefaultValue::Number(_) => assert_eq!(
                    read.number(threshold.key).unwrap(),
                    builtin.of(id, declared).number(threshold.key).unwrap(),
                    "{id} {}",
                    threshold.key
                ),
                DefaultValue::List(_) => assert_eq!(
                    read.list(threshold.key).unwrap(),
                    builtin.of(id, declared).list(threshold.key).unwrap(),
                    "{id} {}",
                    threshold.key
                ),
            }
        }
        whole += &text;
    }
    assert!(whole.matches('[').count() > 5, "{whole}");
    Rulepack::parse(&whole, &registry.thresholds()).unwrap();
}

#[test]
fn the_rulepack_of_the_documentation_is_one() {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let page = std::fs::read_to_string(root.join("docs/rulepack.md")).unwrap();
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let pack = Rulepack::parse(text, &Registry::linked().unwrap().thresholds()).unwrap();
    assert!(pack.version().starts_with("2026.1+"), "{}", pack.version());
}

/// Text between back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_guide_to_a_new_checker_names_what_exists() {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let guide = std::fs::read_to_string(root.join("docs/adding-a-checker.md")).unwrap();
    let (mut prose, mut code) = (String::new(), Vec::new());
    for (index, part) in guide.split("```").enumerate() {
        match part.strip_prefix("rust\n") {
            Some(block) => code.push(block),
            None if index % 2 == 0 => prose.push_str(part),
            None => {}
        }
    }
    let paths: Vec<_> = quoted(&prose).filter(|text| text.ends_with(".rs") && text.contains('/')).collect();
    assert!(paths.len() >= 3, "{paths:?}");
    for path in paths {
        assert!(root.join(path).is_file(), "the guide names {path}");
    }
    let example = std::fs::read_to_string(checks_dir().join("focus/public_ipv4_idle.rs")).unwrap();
    assert!(!code.is_empty());
    for line in code.iter().flat_map(|block| block.lines()) {
        assert!(example.contains(line), "the guide shows {line:?}, which public_ipv4_idle.rs does not have");
    }
    let shared = [
        "mod.rs",
        "figures.rs",
        "group.rs",
        "subject.rs",
        "text.rs",
        "prices.rs",
        "saved.rs",
        "testing.rs",
        "ended.rs",
        "kept.rs",
        "run_rate.rs",
    ]
    .map(|file| checks_dir().join("focus").join(file));
    let model = ["meter/mod.rs", "tags.rs"].map(|file| root.join("producers/inventories/src/billing").join(file));
    let shared: String = shared.iter().chain(&model).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    for name in quoted(&prose).filter_map(|text| text.strip_suffix("()")) {
        assert!(shared.contains(&format!("fn {name}")), "the guide names {name}()");
    }
}
