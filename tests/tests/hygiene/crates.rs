//! Who may know whom, by what Cargo says; and what a crate depends on, it uses.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use tests::repo;

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(repo::root().join("Cargo.toml")).no_deps().exec().unwrap()
}

/// Direct dependencies of each workspace crate, without those of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let of = |package: &cargo_metadata::Package| {
        let normal = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
        normal.map(|d| d.name.clone()).collect()
    };
    metadata().packages.iter().map(|p| (p.name.to_string(), of(p))).collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let all = dependencies();
    let workspace: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    let may: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("contracts", &[][..]),
        ("platform", &[]),
        ("validator", &["contracts", "platform"]),
        ("lake", &["contracts", "platform"]),
        ("sink", &["contracts", "platform", "lake"]),
        ("operations", &["contracts", "platform", "lake"]),
        ("exporter", &["contracts", "platform", "lake"]),
        ("xtask", &[]),
    ]);
    for (name, allowed) in may {
        let known: Vec<_> = all[name].iter().filter(|d| workspace.contains(d.as_str())).collect();
        assert!(known.iter().all(|d| allowed.contains(&d.as_str())), "{name} knows {known:?}, may know {allowed:?}");
    }
    let exactly: [(&str, &[&str]); 4] = [
        ("inventories", &["contracts"]),
        ("checkers", &["contracts", "inventories"]),
        ("collectors", &["contracts", "inventories", "platform"]),
        ("runner", &["checkers", "collectors", "contracts", "inventories", "platform"]),
    ];
    for (name, expected) in exactly {
        let known: Vec<_> = all[name].iter().map(String::as_str).filter(|d| workspace.contains(d)).collect();
        assert_eq!(known, expected, "{name}");
    }
}

/// Arrows to `contracts` and `platform`, which nearly all crates know, are said in words.
#[test]
fn the_picture_of_the_crates_is_what_cargo_says() {
    let all = dependencies();
    let text = repo::read("ARCHITECTURE.md");
    let picture = text.split("```mermaid").nth(1).unwrap().split("```").next().unwrap();
    let arrow = |line: &str| line.split_once(" --> ").map(|(from, to)| (from.trim().to_owned(), to.trim().to_owned()));
    let drawn: BTreeSet<_> = picture.lines().filter_map(arrow).collect();
    let is_product = |name: &str| all.contains_key(name) && !["tests", "benches", "xtask"].contains(&name);
    let is_drawn = |name: &&String| is_product(name) && !["contracts", "platform"].contains(&name.as_str());
    let known = all.iter().filter(|(name, _)| is_drawn(name));
    let known: BTreeSet<_> =
        known.flat_map(|(name, deps)| deps.iter().filter(is_drawn).map(|d| (name.clone(), d.clone()))).collect();
    assert_eq!(drawn, known);
    for (name, deps) in all.iter().filter(|(name, _)| is_drawn(name)) {
        assert!(deps.contains("contracts"), "{name}");
        assert_eq!(deps.contains("platform"), !["inventories", "checkers"].contains(&name.as_str()), "{name}");
    }
}

/// Packages that do no I/O: all that the pure crates of the producers may use beside crates of the workspace.
const PURE_PACKAGES: &[&str] =
    &["chrono", "hashbrown", "hex", "inventory", "rust_decimal", "serde", "serde_json", "sha2", "thiserror", "toml"];

#[test]
fn inventories_and_checkers_can_do_no_io() {
    let all = dependencies();
    for name in ["inventories", "checkers"] {
        let of_others = all[name].iter().filter(|d| !all.contains_key(d.as_str()));
        let impure: Vec<_> = of_others.filter(|d| !PURE_PACKAGES.contains(&d.as_str())).collect();
        assert!(impure.is_empty(), "{name} is pure and must not know {impure:?}");
    }
    // What the standard library offers is refused by clippy.
    let refused = |name: &str| repo::read(&format!("producers/{name}/clippy.toml"));
    assert!(refused("checkers").contains("disallowed-methods"));
    assert_eq!(refused("checkers"), refused("inventories"));
}

#[test]
fn what_is_slow_or_does_io_stays_where_it_belongs() {
    let users = |wanted: fn(&str) -> bool| -> BTreeSet<String> {
        let all = dependencies().into_iter();
        all.filter(|(_, deps)| deps.iter().any(|d| wanted(d))).map(|(name, _)| name).collect()
    };
    let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(users(|d| d.contains("duckdb")), named(&["exporter"]));
    assert!(users(|d| d == "aws-config" || d.starts_with("aws-sdk-")).is_subset(&named(&["collectors", "platform"])));
    // Tests are administrators of Kafka, too.
    assert!(users(|d| d == "rdkafka" || d == "rusqlite").is_subset(&named(&["platform", "tests"])));
    let pure = &dependencies()["contracts"];
    for io in ["tokio", "rdkafka", "rusqlite", "duckdb", "tracing", "tempfile", "rand"] {
        assert!(!pure.contains(io), "contracts is pure and must not know {io}");
    }
}

#[test]
fn required_packages_are_used() {
    let metadata = metadata();
    let all: BTreeSet<&str> = metadata.packages.iter().flat_map(|p| &p.dependencies).map(|d| d.name.as_str()).collect();
    for name in [
        "rdkafka",
        "tokio",
        "serde",
        "serde_json",
        "apache-avro",
        "arrow",
        "parquet",
        "duckdb",
        "rust_decimal",
        "chrono",
        "aws-config",
        "aws-sdk-s3",
        "sha2",
        "testcontainers",
    ] {
        assert!(all.contains(name), "{name} is not a dependency of the workspace");
    }
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for package in metadata().packages {
        let folder = package.manifest_path.parent().unwrap().strip_prefix(repo::root()).unwrap().to_string();
        let code: String = repo::files_below(&folder)
            .iter()
            .filter(|path| path.ends_with(".rs"))
            .flat_map(|path| repo::read(path).lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| Some(format!("{}\n", line.split("//").next()?)))
            .collect();
        let is_used = |name: &str| {
            code.match_indices(name).any(|(at, _)| {
                let (before, behind) = (&code[..at], &code[at + name.len()..]);
                !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                    && (behind.starts_with("::") || (before.ends_with("use ") && behind.starts_with([';', ' '])))
            })
        };
        let names = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        let names = names.filter(|name| !is_used(&name.replace('-', "_")));
        unused.extend(names.map(|name| format!("{} does not use {name}", package.name)));
    }
    assert!(unused.is_empty(), "{}", unused.join("\n"));
}
