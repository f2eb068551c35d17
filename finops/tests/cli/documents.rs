//! The commands of pages for operators, run one after the other in one folder as their readers would.

use super::place::{FINOPS, Place, repo};
use super::readme::{blocks, reader};

/// Runs every block of a page as a script that ends at the first command that fails.
fn follow(page: &str, blocks_min: usize) -> Place {
    let text = std::fs::read_to_string(repo(page)).unwrap();
    let (place, scripts) = (reader(), blocks(&text, "sh"));
    assert!(scripts.len() >= blocks_min, "{scripts:?}");
    let bin = std::path::Path::new(FINOPS).parent().unwrap().display();
    for script in &scripts {
        let ended = place.sh(&format!("PATH={bin}:/usr/bin:/bin; export PATH; set -eux\n{script}"));
        assert_eq!(ended.code, Some(0), "{page}:\n{script}\n{ended}");
    }
    place
}

#[test]
fn the_commands_of_the_page_on_the_data_folder_work() {
    let place = follow("docs/data-folder.md", 5);
    let exported = place.path().join("data/export/acme/summary.json");
    assert!(exported.is_file(), "what was deleted was rebuilt");
    let topics = place.finops("topics list --output ndjson").lines(0);
    let wire = topics.iter().find(|topic| topic["topic"] == "finops.findings.wire").unwrap();
    assert_eq!((&wire["partitions"], &wire["retention"]), (&8.into(), &serde_json::Value::Null), "{wire}");
}

/// The page names what a run leaves, and nothing lies there that it does not name.
#[test]
fn the_page_on_the_data_folder_names_what_lies_in_it() {
    let place = reader();
    let focus = "--bill examples/data/focus-1.0-sample.csv --findings my-findings.ndjson";
    let ended = place.finops(&format!("run --tenant acme {focus}"));
    assert_eq!(ended.code, Some(0), "{ended}");
    let page = std::fs::read_to_string(repo("docs/data-folder.md")).unwrap();
    let layout = &blocks(&page, "text")[0];
    let named: Vec<&str> = layout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let found: Vec<_> = std::fs::read_dir(place.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(found.len() > 7, "{found:?}");
    for name in found {
        let is_it = |line: &&&str| line.split([' ', '/']).next() == Some(&name);
        assert!(named.iter().any(|line| is_it(&line)), "docs/data-folder.md does not name {name}");
    }
}

#[test]
fn the_commands_of_the_page_on_backups_work() {
    let place = follow("docs/backup.md", 4);
    // What was restored is the same, row by row and byte by byte, and services go on with it.
    let findings =
        |data: &str| place.finops(&format!("findings list --tenant acme --limit 1000 --output ndjson --data {data}"));
    let (before, restored) = (findings("data"), findings("restored"));
    assert!(before.lines(0).len() > 10, "{before}");
    assert_eq!(before.lines(0), restored.lines(0));
    // `finops doctor`, which the page runs later, has used the broker.
    assert_eq!(place.sh("diff -r --exclude=_doctor --exclude=broker.sqlite data restored").text(), "");
    let again = place.finops("run --tenant acme --findings my-findings.ndjson --data restored");
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(place.finops("verify --data restored").code, Some(0));
}

/// What the page says to do where only the store is left.
#[test]
fn a_store_is_used_on_without_the_broker_of_its_time() {
    let place = reader();
    let run = || {
        let ended = place.finops("run --tenant acme --findings my-findings.ndjson");
        assert_eq!(ended.code, Some(0), "{ended}");
        place.finops("findings list --tenant acme --all-runs --output ndjson").lines(0).len()
    };
    assert_eq!(run(), 1);
    std::fs::remove_file(place.path().join("data/broker.sqlite")).unwrap();
    assert_eq!(run(), 2, "what is new is written, what was written stays");
}
