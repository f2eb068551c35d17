//! The list of crash points and the places where they are passed agree, over all crates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use platform::failpoint::NAMES;

const CALL: &str = "failpoint::hit(\"";

#[test]
fn every_point_is_listed_once_and_passed_somewhere() {
    let workspace = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).parent().unwrap().to_owned();
    let mut passed = BTreeSet::new();
    for folder in folders(&workspace) {
        for member in folders(&folder).chain([folder]) {
            collect(&member.join("src"), &mut passed);
        }
    }
    let listed: BTreeSet<String> = NAMES.iter().map(ToString::to_string).collect();
    assert_eq!(passed, listed, "left: passed in the sources, right: listed in failpoint::NAMES");
    assert!(NAMES.is_sorted(), "keep the list in order");
    assert_eq!(NAMES.len(), listed.len(), "a name is listed twice");
}

/// The folders in a folder: members of the workspace lie in the root, or together in a folder of it.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir())
}

fn collect(folder: &Path, passed: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, passed);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let calls = text.split(CALL).skip(1);
            passed.extend(calls.filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}
