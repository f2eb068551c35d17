//! One meaning per type name: a reader who meets two crates meets no name twice.

use std::collections::{BTreeMap, BTreeSet};

use tests::repo;

/// Names that several crates define, with the reason.
const SHARED: &[(&str, &str)] = &[("Result", "by custom the alias of a module, used with its name: `broker::Result`")];

/// Words that the glossary keeps for fields: what they are called as a type is in the message.
const NO_TYPES: &[(&str, &str)] = &[("Hint", "CommittedOffset")];

/// The public types of a file, without those of the tests at its end.
fn public_types(text: &str) -> BTreeSet<String> {
    let product = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
    let name = |line: &str| {
        let declared = line.trim_start().strip_prefix("pub ")?;
        let declared = declared.strip_prefix("unsafe ").unwrap_or(declared);
        let rest =
            ["struct ", "enum ", "trait ", "type ", "union "].iter().find_map(|kind| declared.strip_prefix(kind))?;
        rest.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned)
    };
    product.lines().filter_map(name).collect()
}

#[test]
fn no_two_crates_define_a_type_of_one_name() {
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in repo::files().iter().filter(|path| path.ends_with(".rs")) {
        let Some((owner, _)) = path.split_once("/src/") else { continue };
        for name in public_types(&repo::read(path)) {
            owners.entry(name).or_default().insert(owner.to_owned());
        }
    }
    assert!(owners.len() > 300, "only {} types were looked at", owners.len());
    for (word, term) in NO_TYPES {
        let found: Vec<_> = owners.iter().filter(|(name, _)| name.contains(word)).collect();
        assert!(found.is_empty(), "call it {term}: {found:?}");
    }
    let twice = owners.iter().filter(|(_, owners)| owners.len() > 1);
    let (known, found): (Vec<_>, Vec<_>) = twice.partition(|(name, _)| SHARED.iter().any(|(shared, _)| shared == name));
    let found: Vec<_> = found.iter().map(|(name, owners)| format!("{name}: {owners:?}")).collect();
    assert!(found.is_empty(), "say in the name which one it is:\n{}", found.join("\n"));
    assert_eq!(known.len(), SHARED.len(), "an exception without its name");
}

#[test]
fn public_types_are_found_and_others_are_not() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(public_types(text).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
    };
    check("pub struct Row<'a> {", &["Row"]);
    check("    pub enum Kind {\npub type Result<T> = X;", &["Kind", "Result"]);
    check("pub(crate) struct A;\nstruct B;\npub fn c() {}\n// pub struct D;", &[]);
    check("pub trait Source: Send {}\n#[cfg(test)]\nmod tests {\n    pub struct World;", &["Source"]);
}
