//! Members a message has that the contract does not know, but that are probably meant to be ones it knows. Unknown members are
//! ignored (R4), so a misspelt one would be lost without a word. Nothing here makes a message invalid.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::wire::{self, Elements, Entries};
use crate::{frame, text};

/// A name is taken for another one misspelt when at most one letter in so many differs: `monthly_saving` is, `my_ticket` is not.
const LETTERS_PER_SLIP: usize = 5;
/// Longer than any member, so no slip of the pen; comparing it would cost time on junk input.
const NAME_BYTES_MAX: usize = 64;
/// Misspelt members of one message that are reported; more tell nothing new.
const REPORTED_MAX: usize = 20;

/// A member that is ignored, and the one that is probably meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Misspelt {
    /// Dotted path as the message has it.
    pub field: String,
    /// Dotted path of the nearest member of the contract.
    pub nearest: String,
}

impl std::fmt::Display for Misspelt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} is no member of the contract and is ignored; nearest is {}",
            text::printable(&self.field),
            self.nearest
        )
    }
}

/// An object of the contract: where it is, its members, and the objects inside it.
struct Shape {
    /// Path with a `.` at its end, empty for the message itself.
    prefix: &'static str,
    members: &'static [&'static str],
}

const SHAPES: &[Shape] = &[
    Shape { prefix: "", members: wire::Message::MEMBERS },
    Shape { prefix: "scope.", members: wire::Scope::MEMBERS },
    Shape { prefix: "severity.", members: wire::Severity::MEMBERS },
    Shape { prefix: "links[].", members: wire::Link::MEMBERS },
    Shape { prefix: "estimated.", members: wire::Estimated::MEMBERS },
    Shape { prefix: "actual.", members: wire::Actual::MEMBERS },
    Shape { prefix: "actual.model.", members: wire::Model::MEMBERS },
    Shape { prefix: "actual.attribution.", members: wire::Attribution::MEMBERS },
    Shape { prefix: "lifecycle.", members: wire::Lifecycle::MEMBERS },
    Shape { prefix: "source.", members: wire::Source::MEMBERS },
    Shape { prefix: "allocation.", members: wire::Allocation::MEMBERS },
];

/// Members that are probably misspelt, or that stand in the wrong object. Empty for what is no message.
#[must_use]
pub fn misspelt(message: &[u8]) -> Vec<Misspelt> {
    let mut found = Vec::new();
    if let Ok(Entries(entries)) = serde_json::from_slice(frame::payload(message)) {
        look(&entries, "", "", &mut found);
    }
    found.truncate(REPORTED_MAX);
    found
}

/// `shape` is the prefix as [`SHAPES`] has it, `prefix` the one of this very object.
fn look(entries: &[(Cow<'_, str>, Option<&RawValue>)], shape: &str, prefix: &str, found: &mut Vec<Misspelt>) {
    let Some(Shape { members, .. }) = SHAPES.iter().find(|s| s.prefix == shape) else { return };
    for (name, value) in entries {
        if !members.contains(&name.as_ref()) {
            let nearest = nearest(name, shape, members).filter(|_| found.len() < REPORTED_MAX);
            found.extend(nearest.map(|nearest| Misspelt { field: format!("{prefix}{name}"), nearest }));
            continue;
        }
        let Some(value) = value else { continue };
        if let Ok(Entries(inner)) = serde_json::from_str(value.get()) {
            look(&inner, &format!("{shape}{name}."), &format!("{prefix}{name}."), found);
        } else if let Ok(Elements(items)) = serde_json::from_str(value.get()) {
            for (n, item) in items.iter().enumerate() {
                let Some(Ok(Entries(inner))) = item.map(|item| serde_json::from_str(item.get())) else { continue };
                look(&inner, &format!("{shape}{name}[]."), &format!("{prefix}{name}[{n}]."), found);
            }
        }
    }
}

/// The member that is meant: one of the same object spelt nearly so, or one of that very name in another object.
fn nearest(name: &str, shape: &str, members: &[&str]) -> Option<String> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = plain(name);
    let slips = |member: &&&str| strsim::damerau_levenshtein(&name, &plain(member));
    let is_near = |member: &&&str| slips(member) * LETTERS_PER_SLIP <= name.len().max(member.len());
    let near = members.iter().min_by_key(slips).filter(is_near);
    let prefix = shape.replace("[]", "[0]");
    near.map(|member| format!("{prefix}{member}")).or_else(|| {
        let elsewhere = SHAPES.iter().find(|s| s.prefix != shape && s.members.iter().any(|m| plain(m) == name))?;
        let member = elsewhere.members.iter().find(|m| plain(m) == name)?;
        Some(format!("{}{member}", elsewhere.prefix.replace("[]", "[0]")))
    })
}

/// Without what styles of naming differ in: `monthlySavings` and `Monthly-Savings` are `monthly_savings`.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_members_are_reported_with_the_nearest_name() {
        let check = |message: &str, expected: &[(&str, &str)]| {
            let found = misspelt(message.as_bytes());
            let found: Vec<_> = found.iter().map(|m| (m.field.as_str(), m.nearest.as_str())).collect();
            assert_eq!(found, expected, "{message}");
        };
        check(r#"{"estimated":{"monthly_saving":"1"}}"#, &[("estimated.monthly_saving", "estimated.monthly_savings")]);
        check(r#"{"estimated":{"monthlySavings":"1"}}"#, &[("estimated.monthlySavings", "estimated.monthly_savings")]);
        check(r#"{"tenantId":"a","Run-TS":"x"}"#, &[("Run-TS", "run_ts"), ("tenantId", "tenant_id")]);
        check(r#"{"monthly_savings":1}"#, &[("monthly_savings", "estimated.monthly_savings")]);
        check(r#"{"scope":{"acount_id":"1"}}"#, &[("scope.acount_id", "scope.account_id")]);
        check(r#"{"links":[{"label":"a"},{"lable":"b"}]}"#, &[("links[1].lable", "links[0].label")]);
        check(r#"{"actual":{"model":{"curency":"USD"}}}"#, &[("actual.model.curency", "actual.model.currency")]);
        check("\0\0\0\0\u{7}{\"tilte\":1}", &[("tilte", "title")]);
    }

    #[test]
    fn what_is_not_near_a_known_name_is_the_producers_own() {
        for message in [
            r#"{"my_ticket":"OPS-1","x_team":"a","scope":{"datacenter":"r12"}}"#,
            r#"{"tags":{"titel":"a"},"metrics":{"monthly_saving":1},"issue_key":{"regoin":"x"},"dimensions":{"a":{"b":1}}}"#,
            r#"{"estimated":"monthly_saving","links":["lable"],"severity":null}"#,
            "[]",
            "{",
            "",
        ] {
            assert_eq!(misspelt(message.as_bytes()), [], "{message}");
        }
    }

    #[test]
    fn a_flood_is_cut() {
        let members: Vec<String> = (0..1_000).map(|n| format!("\"title{n:03}x\":1,\"titl{n}\":1")).collect();
        assert!(misspelt(format!("{{{}}}", members.join(",")).as_bytes()).len() <= REPORTED_MAX);
    }
}
