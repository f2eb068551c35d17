//! What no compiler checks: who may know whom, what must be where, what must not be written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "hygiene/circles.rs"]
mod circles;

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
        ("exporter", &["contracts", "platform"]),
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

/// Packages that do no I/O: all that the pure crates of the producers may use beside crates of the workspace.
const PURE_PACKAGES: &[&str] =
    &["chrono", "hex", "inventory", "rust_decimal", "serde_json", "sha2", "thiserror", "toml"];

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
    for path in sources().into_iter().filter(|path| !path.ends_with("hygiene.rs")) {
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
    let texts = repo::files().into_iter().filter(|path| !path.ends_with("hygiene.rs") && !path.ends_with(".lock"));
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
    const LINES_MAX: usize = 700;
    for path in sources() {
        let lines = repo::read(&path).lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines");
    }
}

/// Where a float is allowed, with the reason; nothing here is money.
const FLOATS: &[(&str, &str)] = &[
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
    ("platform/src/metrics/table.rs", "bounds of histograms"),
    ("platform/src/names.rs", "likeness of words"),
    ("platform/src/store/observed.rs", "seconds, in a metric"),
    ("platform/src/trace/sampler.rs", "share of traces that are kept"),
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

/// Words that a term of the field has replaced, and the term. A word is matched as a whole, also within an identifier;
/// a phrase is matched across a line break.
const REPLACED: &[(&str, &str)] = &[
    ("anybody", "any process, any user"),
    ("anew", "again, recreated"),
    ("chain link", "commit"),
    ("eyes", "health probe"),
    ("first link", "first commit"),
    ("go on behind", "resume after, skip"),
    ("goes on behind", "resumes after, skips"),
    ("gone", "expired, deleted, missing, revoked"),
    ("habits", "partition options"),
    ("heights", "source watermarks"),
    ("held already", "duplicate"),
    ("lane", "pipeline topics"),
    ("lanes", "pipeline topics"),
    ("last link", "last commit"),
    ("link read", "commit read"),
    ("link start", "commit start"),
    ("made again", "recreated, rebuilt"),
    ("mishap", "task error"),
    ("mishaps", "task errors"),
    ("news", "changed tenants, new records"),
    ("next link", "next commit"),
    ("nobody", "no process, no user"),
    ("somebody", "another process, a user"),
    ("stretch", "offset range"),
    ("stretches", "offset ranges"),
    ("the hands", "the action executor"),
    ("the way in", "connecting to"),
    ("told", "reported, distinguished, known"),
    ("what always holds", "invariants"),
    ("whoever", "the process that, every user that"),
];

/// Where a replaced word stays, with the reason.
const KEPT: &[(&str, &str, &str)] = &[
    ("contracts/src/chain.rs", "heights", "member of stored checkpoints"),
    ("contracts/src/commit_record.rs", "heights", "member of stored commit records"),
    ("schemas/examples/valid/escapes_and_repeated_member.json", "nobody", "id of a tenant that loses"),
    ("schemas/json/commit_record.schema.json", "heights", "member of stored commit records"),
    ("operations/src/selection.rs", "stretches", "member of stored claims"),
    ("operations/src/resend/wire.rs", "stretches", "member of stored audit records"),
    ("tests/tests/contract_documents.rs", "heights", "names the member of stored commit records"),
];

/// The words of a text in small letters, with their lines: `LastMissing` and `last_missing` are two words each.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let mut before = ' ';
        for letter in text.chars() {
            let begins = !before.is_ascii_alphabetic() || before.is_ascii_lowercase() && letter.is_ascii_uppercase();
            match found.last_mut() {
                Some((_, word)) if letter.is_ascii_alphabetic() && !begins => word.push(letter.to_ascii_lowercase()),
                _ if letter.is_ascii_alphabetic() => found.push((line + 1, letter.to_ascii_lowercase().into())),
                _ => {}
            }
            before = letter;
        }
    }
    found
}

/// Replaced words of a text, with their lines.
fn replaced(text: &str) -> Vec<(usize, &'static str)> {
    let words = words(text);
    let mut found = Vec::new();
    for (phrase, _) in REPLACED {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let matches = words.windows(wanted.len()).filter(|some| some.iter().map(|(_, word)| word).eq(&wanted));
        found.extend(matches.map(|some| (some[0].0, *phrase)));
    }
    found
}

#[test]
fn replaced_words_stay_out() {
    const KINDS: &[&str] = &[".json", ".md", ".py", ".rs", ".snap", ".sql", ".toml", ".tpl", ".yaml", ".yml"];
    let is_text = |path: &&String| {
        KINDS.iter().any(|kind| path.ends_with(kind)) && !path.contains("/golden/") && *path != "tests/tests/hygiene.rs"
    };
    let (mut found, mut kept) = (Vec::new(), BTreeSet::new());
    for path in repo::files().iter().filter(is_text) {
        for (line, word) in replaced(&repo::read(path)) {
            match KEPT.iter().find(|(file, kept, _)| file == path && *kept == word) {
                Some(entry) => drop(kept.insert(entry)),
                None => found.push(format!("{path}:{line}: {word}")),
            }
        }
    }
    let terms: Vec<_> = REPLACED.iter().map(|(word, term)| format!("{word}: {term}")).collect();
    assert!(found.is_empty(), "{}\nwrite instead:\n{}", found.join("\n"), terms.join("\n"));
    assert_eq!(kept, KEPT.iter().collect(), "an exception without its word");
}

#[test]
fn replaced_words_are_found_in_identifiers_and_across_lines() {
    let check = |text: &str, expected: &[(usize, &str)]| assert_eq!(replaced(text), expected, "{text}");
    check("fn is_gone()", &[(1, "gone")]);
    check("enum Phase {\n    LastGone,", &[(2, "gone")]);
    check("it is told. untold", &[(1, "told")]);
    check("/// is made\n    /// again", &[(1, "made again")]);
    check("a wagon, the link of a finding, bygone", &[]);
}
