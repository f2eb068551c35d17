//! What no compiler checks: who may know whom, what must be where, what must not be written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod circles;
mod crates;
mod declared;
mod platform;
mod type_names;
mod words;

use std::collections::BTreeSet;

use tests::repo;

/// What lies in the root, and nothing else does but what tools hide there.
const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "benches",
    "clippy.toml",
    "contracts",
    "deploy",
    "docker-compose.yml",
    "docs",
    "examples",
    "exporter",
    "finops",
    "lake",
    "operations",
    "platform",
    "producers",
    "rustfmt.toml",
    "schemas",
    "sink",
    "tests",
    "validator",
    "xtask",
];

#[test]
fn the_top_level_holds_what_it_must() {
    let files = repo::files();
    let found = files.iter().map(|path| path.split('/').next().unwrap()).filter(|name| !name.starts_with('.'));
    assert_eq!(found.collect::<BTreeSet<_>>(), TOP_LEVEL.iter().copied().collect());
    for hidden in [".ci/run", ".cargo/config.toml", ".gitignore"] {
        assert!(files.iter().any(|path| path == hidden), "{hidden} is missing");
    }
}

/// Where decisions are made, and what callers must pass in.
const PURE: &[&str] = &["contracts/src", "sink/src/machine", "validator/src/transform.rs"];
const IMPURE: &[&str] =
    &["std::fs", "std::env", "std::io", "std::net", "std::process", "std::thread", "SystemTime", "Instant", "::now("];

#[test]
fn pure_code_does_no_io_and_reads_no_clock() {
    let is_pure = |path: &&String| PURE.iter().any(|pure| path.starts_with(pure));
    let all = sources();
    let pure: Vec<_> = all.iter().filter(is_pure).filter(|path| !path.starts_with("contracts/src/proof/")).collect();
    assert!(PURE.iter().all(|folder| pure.iter().any(|path| path.starts_with(folder))), "{pure:?}");
    for path in pure {
        let text = repo::read(path);
        let code = text.lines().filter_map(|line| line.split("//").next());
        for line in code {
            assert!(!IMPURE.iter().any(|word| line.contains(word)), "{path} is to be pure: {line}");
        }
    }
}

#[test]
fn documents_name_files_that_exist() {
    let documents: Vec<_> = repo::files().into_iter().filter(|path| path.ends_with(".md")).collect();
    assert!(documents.len() > 4, "{documents:?}");
    let mut named = 0;
    for document in documents {
        for quoted in repo::read(&document).split('`').skip(1).step_by(2) {
            let first = quoted.split('/').next().unwrap();
            let is_path =
                quoted.find('/').is_some_and(|at| at > 0) && !quoted.contains(['<', '*', ' ', '…', '=', '{', '\n']);
            if is_path && repo::root().join(first).is_dir() && !["target", "data", "export"].contains(&first) {
                named += 1;
                assert!(repo::root().join(quoted).exists(), "{document} names {quoted}, which is not there");
            }
        }
    }
    assert!(named > 40, "only {named} paths were looked at");
}

#[test]
fn comments_name_documents_that_exist() {
    let mut named = 0;
    for path in sources().into_iter().filter(|path| !path.starts_with("tests/tests/hygiene/")) {
        for word in repo::read(&path).split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c))) {
            if word.starts_with("docs/") && word.ends_with(".md") {
                named += 1;
                assert!(repo::root().join(word).is_file(), "{path} names {word}, which is not there");
            }
        }
    }
    assert!(named > 0, "no comment was looked at");
}

#[test]
fn the_readme_is_what_ci_runs() {
    assert!(repo::read("README.md").contains("\ncargo xtask test\n"));
    assert!(repo::read(".ci/run").trim_end().ends_with("exec cargo xtask test"));
}

#[test]
fn nothing_in_the_repository_knows_a_machine() {
    let texts =
        repo::files().into_iter().filter(|path| !path.starts_with("tests/tests/hygiene/") && !path.ends_with(".lock"));
    for path in texts {
        let Ok(text) = std::fs::read_to_string(repo::root().join(&path)) else { continue };
        for word in [
            concat!("/ro", "ot/"),
            concat!("/wo", "rk/"),
            concat!("/ho", "me/"),
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
        ] {
            assert!(!text.contains(word), "{path} holds {word:?}");
        }
    }
}

fn sources() -> Vec<String> {
    repo::files().into_iter().filter(|path| path.ends_with(".rs") && !path.contains("/golden/")).collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources() {
        assert!(repo::read(&path).starts_with("//!"), "{path} does not begin with what it is for");
    }
}

#[test]
fn no_file_outgrows_a_reader() {
    const LINES_MAX: usize = 500;
    for path in sources() {
        let lines = repo::read(&path).lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines");
    }
}

/// Where a float is allowed, with the reason; nothing here is money.
const FLOATS: &[(&str, &str)] = &[
    ("benches/src/bills/lines.rs", "cells of a bill that has doubles"),
    ("benches/src/bills/mod.rs", "rates"),
    ("benches/src/chain.rs", "rates"),
    ("benches/src/sink.rs", "rates"),
    ("benches/src/validator.rs", "rates"),
    ("contracts/src/number.rs", "asks whether a token would have been infinite, and takes no value from it"),
    ("contracts/src/proof/properties.rs", "makes JSON numbers of every kind"),
    ("contracts/src/proof/source_hygiene.rs", "looks for the same words"),
    ("contracts/src/text.rs", "how a JSON number is written as text, as the contract asks"),
    ("exporter/src/export/documents.rs", "a coverage percentage"),
    ("exporter/src/service.rs", "seconds since the epoch, in a metric"),
    ("finops/src/watch.rs", "values of metrics"),
    ("platform/src/metrics/mod.rs", "values of metrics"),
    ("platform/src/metrics/bounds.rs", "bounds of histograms"),
    ("platform/src/names.rs", "likeness of words"),
    ("platform/src/store/observed.rs", "seconds, in a metric"),
    ("platform/src/trace/sampler.rs", "share of traces that are kept"),
    (
        "producers/collectors/src/billing/conformance/json.rs",
        "numbers of JSON objects, of which only the type is asked",
    ),
    ("producers/inventories/src/billing/tags_text.rs", "asks whether a word is a number, and takes no value from it"),
    ("producers/runner/src/run/supervise.rs", "seconds in a message"),
    ("sink/src/counters.rs", "seconds, in a metric"),
    ("validator/src/counters.rs", "seconds, in a metric"),
];

#[test]
fn no_float_holds_money() {
    let has_float = |path: &String| {
        let text = repo::read(path);
        text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("f64") || code.contains("f32")
        })
    };
    let found: BTreeSet<_> =
        sources().into_iter().filter(|path| !path.contains("/tests/") && has_float(path)).collect();
    let listed: BTreeSet<_> = FLOATS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, listed, "money is exact: a float must be none, and be listed here with the reason");
    for path in repo::files_below("exporter/sql") {
        let sql: String =
            repo::read(&path).lines().filter_map(|line| line.split("--").next()).collect::<Vec<_>>().join("\n");
        let sql = sql.to_uppercase();
        for word in ["DOUBLE", "FLOAT", " REAL"] {
            assert!(!sql.contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn compose_is_valid_and_pinned() {
    let compose: serde_json::Value = serde_saphyr::from_str(&repo::read("docker-compose.yml")).unwrap();
    let services = compose["services"].as_object().unwrap();
    assert!(!services.is_empty());
    for (name, service) in services {
        let image = service["image"].as_str().unwrap_or_else(|| panic!("{name} has no image"));
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let tag = tag.strip_prefix('v').unwrap_or(tag);
        let is_exact = image.contains("@sha256:") || tag.split('.').filter(|p| p.parse::<u32>().is_ok()).count() == 3;
        assert!(is_exact, "{name}: image {image} is not pinned to an exact version");
    }
}
