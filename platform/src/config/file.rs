//! The values of a TOML file with their lines.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{ConfigProblem, Origin};
use super::setting::Declaration;
use super::value::Value;
use crate::names::closest;

/// What a file says.
#[derive(Default)]
pub(super) struct FileValues {
    pub values: Vec<(Declaration, Origin, Value)>,
    pub problems: Vec<ConfigProblem>,
    /// False when part of the file could not be read: what is missing may be there.
    pub complete: bool,
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    declarations: &'a [Declaration],
    found: FileValues,
}

/// Reads all values; of a file with syntax errors only the errors, because what surrounds them may be
/// misread.
pub(super) fn read(name: &str, text: &str, declarations: &[Declaration]) -> FileValues {
    let mut reader = Reader { name, text, declarations, found: FileValues::default() };
    let (table, errors) = DeTable::parse_recoverable(text);
    reader.found.complete = errors.is_empty();
    for error in errors {
        reader.problem(error.span().map_or(0, |span| span.start), None, error.message().replace('\n', ", "));
    }
    if reader.found.complete {
        reader.table("", table.get_ref());
    }
    reader.found.problems.sort_by_key(|problem| match &problem.origin {
        Some(Origin::File { line, .. }) => *line,
        _ => 0,
    });
    reader.found
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key =
                if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
            self.entry(key, name.span().start, value);
        }
    }

    fn entry(&mut self, key: String, at: usize, value: &Spanned<DeValue<'_>>) {
        let declared = self.declarations.iter().find(|d| d.key == key).copied();
        let is_group = self.declarations.iter().any(|d| below(d.key, &key).is_some());
        match (declared, value.get_ref()) {
            (Some(declared), found) => match declared.kind.parse_toml(found) {
                Ok(parsed) => self.found.values.push((declared, self.origin(at), parsed)),
                Err(reason) => self.problem(at, Some(key), reason),
            },
            (None, DeValue::Table(table)) if is_group => self.table(&key, table),
            (None, _) if is_group => {
                self.problem(at, Some(key), "is a group of settings, not a setting".to_owned());
            }
            (None, found) => {
                let reason = self.unknown(&key, matches!(found, DeValue::Table(_)));
                self.problem(at, Some(key), reason);
            }
        }
    }

    fn unknown(&self, key: &str, is_table: bool) -> String {
        let depth = key.split('.').count();
        let group = |d: &Declaration| {
            let parts: Vec<_> = d.key.split('.').collect();
            (parts.len() > depth).then(|| parts[..depth].join("."))
        };
        let groups: Vec<String> = self.declarations.iter().filter_map(group).collect();
        let (what, near) = if is_table {
            ("group of settings", closest(key, groups.iter().map(String::as_str), 1))
        } else {
            ("setting", closest(key, self.declarations.iter().map(|d| d.key), 1))
        };
        unknown(what, &near)
    }

    fn problem(&mut self, at: usize, key: Option<String>, reason: String) {
        let origin = Some(self.origin(at));
        self.found.problems.push(ConfigProblem { origin, key, reason });
    }

    fn origin(&self, at: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(at);
        Origin::File { name: self.name.to_owned(), line: 1 + before.filter(|b| **b == b'\n').count() }
    }
}

/// What is left of `key` below `group`.
fn below<'a>(key: &'a str, group: &str) -> Option<&'a str> {
    key.strip_prefix(group)?.strip_prefix('.')
}

/// The reason given for a name that is not declared.
pub(super) fn unknown(what: &str, near: &[&str]) -> String {
    match near {
        [] => format!("unknown {what}"),
        near => format!("unknown {what}; closest: {}", near.join(", ")),
    }
}
