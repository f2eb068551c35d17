//! Modules that need each other in a circle can neither be read nor moved one by one: within a crate the arrows between siblings go
//! one way. A module and its parent are one thing, so arrows between them do not count.

use std::collections::{BTreeMap, BTreeSet};

use tests::repo;

/// A module's way from the root of its crate; empty for the root.
type Module = Vec<String>;
/// Modules by the siblings that they use.
type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn modules_do_not_need_each_other_in_circles() {
    let crates: BTreeSet<String> =
        repo::files().iter().filter_map(|path| Some(path.split_once("/src/")?.0.to_owned())).collect();
    assert!(crates.len() > 8, "{crates:?}");
    // The model of `tests/src/protocol` is one state machine in four files.
    for name in crates.iter().filter(|name| *name != "tests") {
        let modules: BTreeMap<Module, String> = repo::files_below(&format!("{name}/src"))
            .into_iter()
            .filter_map(|path| Some((module(path.strip_prefix(&format!("{name}/src/"))?)?, code(&repo::read(&path)))))
            .collect();
        assert_eq!(circles(&modules), Vec::<String>::new(), "{name}");
    }
}

/// The module of a file below `src`; `None` when it is no code of the product.
fn module(path: &str) -> Option<Module> {
    let mut segments: Module = path.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    if segments.iter().any(|name| ["tests", "testing", "simulation", "conformance", "proof"].contains(&name.as_str())) {
        return None;
    }
    if ["mod", "lib", "main"].contains(&segments.last()?.as_str()) {
        segments.pop();
    }
    Some(segments)
}

/// A text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let product = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
    product.lines().filter_map(|line| line.split("//").next()).collect::<Vec<_>>().join("\n")
}

/// Siblings that need each other, one line for each circle.
fn circles(modules: &BTreeMap<Module, String>) -> Vec<String> {
    let mut families: BTreeMap<Module, Arrows> = BTreeMap::new();
    for (module, code) in modules.iter().filter(|(module, _)| !module.is_empty()) {
        for used in uses(module, code) {
            let shared = module.iter().zip(&used).take_while(|(own, other)| own == other).count();
            // The one lies within the other.
            let (Some(own), Some(other)) = (module.get(shared), used.get(shared)) else { continue };
            if modules.keys().any(|known| known.starts_with(&used[..=shared])) {
                let arrows = families.entry(module[..shared].to_vec()).or_default();
                arrows.entry(own.clone()).or_default().insert(other.clone());
            }
        }
    }
    let mut found = Vec::new();
    for (parent, arrows) in &families {
        let begins = arrows.keys().filter(|name| reached(arrows, name).contains(name.as_str()));
        let circle: Vec<&str> = begins.map(String::as_str).collect();
        if !circle.is_empty() {
            found.push(format!("{}: {}", [&["crate".to_owned()][..], parent].concat().join("::"), circle.join(", ")));
        }
    }
    found
}

/// All that a module needs, by way of its siblings.
fn reached<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(name) = next.pop() {
        for other in arrows.get(&name).into_iter().flatten() {
            if reached.insert(other.as_str()) {
                next.push(other.clone());
            }
        }
    }
    reached
}

/// What a module names of its own crate, by `crate::` or `super::`.
fn uses(module: &Module, code: &str) -> Vec<Module> {
    let mut used = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            if !is_word {
                let base = if start == "crate::" { Module::new() } else { module[..module.len() - 1].to_vec() };
                paths(&base, &code[at + start.len()..], &mut used);
            }
        }
    }
    used
}

/// The paths that begin here: one, or those of a list in braces.
fn paths(base: &Module, text: &str, found: &mut Vec<Module>) {
    if let Some(rest) = text.strip_prefix("super::") {
        let parent = base[..base.len().saturating_sub(1)].to_vec();
        return paths(&parent, rest, found);
    }
    if let Some(list) = text.strip_prefix('{') {
        return items(list).into_iter().for_each(|item| paths(base, item.trim_start(), found));
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let path: Module = base.iter().cloned().chain([text[..end].to_owned()]).collect();
    match text[end..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c == '{' || c.is_alphabetic()) => paths(&path, rest, found),
        _ => found.push(path),
    }
}

/// The items of a list up to its closing brace.
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

#[test]
fn circles_are_found_through_lists_parents_and_several_steps() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let modules = files.iter().map(|(path, text)| (module(path).unwrap(), code(text))).collect();
        assert_eq!(circles(&modules), expected, "{files:?}");
    };
    check(&[("a.rs", "use crate::b::B;"), ("b.rs", "fn f() {}")], &[]);
    check(&[("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")], &["crate: a, b"]);
    check(&[("a.rs", "use crate::{c, b::{B, D}};"), ("b.rs", "// crate::a\nuse crate::c::C;"), ("c.rs", "")], &[]);
    check(&[("a.rs", "use crate::{c, b::{B, D}};"), ("b.rs", ""), ("c.rs", "crate::a::f()")], &["crate: a, c"]);
    check(&[("a.rs", "crate::b::f()"), ("b.rs", "crate::c::f()"), ("c.rs", "crate::a::f()")], &["crate: a, b, c"]);
    check(&[("m/mod.rs", "use self::a::A;"), ("m/a.rs", "use super::M;")], &[]);
    check(&[("m/a.rs", "use super::b;"), ("m/b.rs", "use super::a;"), ("m/mod.rs", "")], &["crate::m: a, b"]);
    check(&[("m/a.rs", "use super::super::n;"), ("n.rs", "use crate::m::a;")], &["crate: m, n"]);
    check(&[("a.rs", "\n#[cfg(test)]\nmod tests { use crate::b; }"), ("b.rs", "use crate::a;")], &[]);
}
