//! What the JSON objects of FOCUS columns hold: keys, types, and how members relate. Pure.

use inventories::billing::cells;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// Keys that are not of the specification begin with it.
const CUSTOM_PREFIX: &str = "x_";

/// What is asked of the JSON object in a cell. Where it says "list", it is about the objects in the list of that key.
#[derive(Debug, Clone, Copy)]
pub(super) enum ObjectNeed {
    /// A list of objects.
    List(&'static str),
    /// One object at least in the list.
    Filled(&'static str),
    /// Its own keys are these or custom ones.
    Keys(&'static [&'static str]),
    /// Its own keys are those of these members or custom ones.
    KnownKeys(&'static [Member]),
    /// Its own members have these types, where they are there.
    Types(&'static [Member]),
    /// Keys in the list are these or custom ones.
    KeysOf(&'static str, &'static [Member]),
    /// Each object of the list has these members.
    MembersOf(&'static str, &'static [Member]),
    /// Each object of the list has a value of one of the two at least.
    EitherOf(&'static str, [&'static str; 2]),
    /// Each object of the list has a value of one of the two and not of both.
    OneOf(&'static str, [&'static str; 2]),
    /// In each object of the list the first has a value where the second has.
    WithOther(&'static str, [&'static str; 2]),
    /// In each object of the list both have a value, or neither.
    Together(&'static str, [&'static str; 2]),
    /// In each object of the list a number from 0 to 1.
    ShareOf(&'static str, &'static str),
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    /// Its key; further ones are other spellings of it.
    pub keys: &'static [&'static str],
    pub kind: MemberKind,
    pub is_needed: bool,
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberKind {
    Text,
    Number,
}

/// A member that every object has.
pub(super) const fn needed(keys: &'static [&'static str], kind: MemberKind) -> Member {
    Member { keys, kind, is_needed: true }
}

/// A member that may be absent or null.
pub(super) const fn optional(keys: &'static [&'static str], kind: MemberKind) -> Member {
    Member { keys, kind, is_needed: false }
}

impl Member {
    fn is_kept_by(&self, object: &Object) -> bool {
        match self.keys.iter().find_map(|key| value(object, key)) {
            Some(found) => match self.kind {
                MemberKind::Text => found.is_string(),
                MemberKind::Number => found.is_number(),
            },
            None => !self.is_needed,
        }
    }

    fn described(&self) -> String {
        let kind = match self.kind {
            MemberKind::Text => "text",
            MemberKind::Number => "number",
        };
        let optional = if self.is_needed { "" } else { " or null" };
        format!("{} ({kind}{optional})", self.keys.first().copied().unwrap_or_default())
    }
}

impl ObjectNeed {
    pub(super) fn is_kept_by(self, object: &Object) -> bool {
        let each = |list, keeps: &dyn Fn(&Object) -> bool| objects(object, list).all(keeps);
        match self {
            Self::List(list) => {
                matches!(object.get(list), Some(Value::Array(elements)) if elements.iter().all(Value::is_object))
            }
            // What is no list at all does not keep another rule.
            Self::Filled(list) => !matches!(object.get(list), Some(Value::Array(elements)) if elements.is_empty()),
            Self::Keys(keys) => has_keys(object, |key| keys.contains(&key)),
            Self::KnownKeys(members) => has_keys(object, |key| is_one_of(members, key)),
            Self::Types(members) => members.iter().all(|member| member.is_kept_by(object)),
            Self::KeysOf(list, members) => each(list, &|element| has_keys(element, |key| is_one_of(members, key))),
            Self::MembersOf(list, members) => {
                each(list, &|element| members.iter().all(|member| member.is_kept_by(element)))
            }
            Self::EitherOf(list, pair) => each(list, &|element| set(element, pair) != [false, false]),
            Self::OneOf(list, pair) => each(list, &|element| {
                let [a, b] = set(element, pair);
                a != b
            }),
            Self::WithOther(list, pair) => each(list, &|element| set(element, pair) != [false, true]),
            Self::Together(list, pair) => each(list, &|element| {
                let [a, b] = set(element, pair);
                a == b
            }),
            Self::ShareOf(list, key) => each(list, &|element| {
                let share = value(element, key).and_then(|share| cells::decimal(&share.to_string()));
                share.is_none_or(|share| (Decimal::ZERO..=Decimal::ONE).contains(&share))
            }),
        }
    }

    /// What a column does that keeps it.
    pub(super) fn described(self) -> String {
        let custom = format!("and those that begin with {CUSTOM_PREFIX}");
        let keys = |members: &[Member]| members.iter().map(|member| member.keys[0]).collect::<Vec<_>>().join(", ");
        let members = |members: &[Member]| members.iter().map(Member::described).collect::<Vec<_>>().join(", ");
        match self {
            Self::List(list) => format!("has a list {list} of objects"),
            Self::Filled(list) => format!("has an object in {list}"),
            Self::Keys(keys) => format!("has no keys but {} {custom}", keys.join(", ")),
            Self::KnownKeys(of) => format!("has no keys but {} {custom}", keys(of)),
            Self::Types(of) => format!("has these where they are there: {}", members(of)),
            Self::KeysOf(list, of) => format!("has in {list} no keys but {} {custom}", keys(of)),
            Self::MembersOf(list, of) => format!("has in each object of {list}: {}", members(of)),
            Self::EitherOf(list, [a, b]) => format!("has in each object of {list} {a} or {b}"),
            Self::OneOf(list, [a, b]) => format!("has in each object of {list} either {a} or {b}"),
            Self::WithOther(list, [a, b]) => format!("has in each object of {list} {a} where {b} is"),
            Self::Together(list, [a, b]) => format!("has in each object of {list} {a} and {b} or neither"),
            Self::ShareOf(list, key) => format!("has in each object of {list} {key} from 0 to 1"),
        }
    }
}

/// True when one of the objects in the list names the text under the key.
pub(super) fn names(object: &Object, list: &str, key: &str, text: &str) -> bool {
    objects(object, list).any(|element| value(element, key).and_then(Value::as_str) == Some(text))
}

/// True when no member of the one object is in the other, with the same value.
pub(super) fn shares_no_member(one: &Object, other: &Object) -> bool {
    one.iter().all(|(key, value)| other.get(key) != Some(value))
}

fn objects<'a>(object: &'a Object, list: &str) -> impl Iterator<Item = &'a Object> {
    let elements = object.get(list).and_then(Value::as_array);
    elements.into_iter().flatten().filter_map(Value::as_object)
}

/// What is there, and not null.
fn value<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn set(object: &Object, pair: [&str; 2]) -> [bool; 2] {
    pair.map(|key| value(object, key).is_some())
}

fn is_one_of(members: &[Member], key: &str) -> bool {
    members.iter().any(|member| member.keys.contains(&key))
}

fn has_keys(object: &Object, is_known: impl Fn(&str) -> bool) -> bool {
    object.keys().all(|key| is_known(key) || key.starts_with(CUSTOM_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: &[Member] = &[
        needed(&["Id", "ID"], MemberKind::Text),
        optional(&["Cost"], MemberKind::Number),
        optional(&["Unit"], MemberKind::Text),
    ];

    #[track_caller]
    fn check(need: ObjectNeed, kept: &[&str], broken: &[&str]) {
        for (cells, expected) in [(kept, true), (broken, false)] {
            for cell in cells {
                let object = serde_json::from_str(cell).unwrap();
                assert_eq!(need.is_kept_by(&object), expected, "{need:?} {cell}");
            }
        }
    }

    #[test]
    fn lists_hold_objects() {
        check(ObjectNeed::List("L"), &[r#"{"L": []}"#, r#"{"L": [{}]}"#], &["{}", r#"{"L": {}}"#, r#"{"L": [1]}"#]);
        check(ObjectNeed::Filled("L"), &[r#"{"L": [{}]}"#, "{}"], &[r#"{"L": []}"#]);
    }

    #[test]
    fn keys_are_known_or_custom() {
        check(ObjectNeed::Keys(&["L"]), &["{}", r#"{"L": 1, "x_a": 1}"#], &[r#"{"l": 1}"#, r#"{"a": 1}"#]);
        check(ObjectNeed::KnownKeys(MEMBERS), &["{}", r#"{"ID": 1, "x_a": 1}"#], &[r#"{"L": 1}"#]);
        let own = ObjectNeed::KeysOf("L", MEMBERS);
        check(own, &[r#"{"L": [{"ID": 1, "x_b": 2}], "b": 1}"#], &[r#"{"L": [{}, {"id": 1}]}"#]);
    }

    #[test]
    fn members_have_their_types() {
        let of_list = ObjectNeed::MembersOf("L", MEMBERS);
        let kept = [r#"{"L": [{"Id": "a"}, {"ID": "b", "Cost": 1.5, "Unit": null}]}"#, "{}"];
        let broken = [r#"{"L": [{}]}"#, r#"{"L": [{"Id": 1}]}"#, r#"{"L": [{"Id": "a", "Cost": "1"}]}"#];
        check(of_list, &kept, &broken);
        let own = ObjectNeed::Types(&MEMBERS[1..]);
        check(own, &["{}", r#"{"Cost": 1, "Unit": "u"}"#], &[r#"{"Unit": 1}"#, r#"{"Cost": true}"#]);
    }

    #[test]
    fn members_relate() {
        let pair = ["Cost", "Unit"];
        let [neither, first, second, both] = [
            r#"{"L": [{"Cost": null}]}"#,
            r#"{"L": [{"Cost": 1}]}"#,
            r#"{"L": [{"Unit": "u"}]}"#,
            r#"{"L": [{"Cost": 1, "Unit": "u"}]}"#,
        ];
        check(ObjectNeed::EitherOf("L", pair), &[first, second, both], &[neither]);
        check(ObjectNeed::OneOf("L", pair), &[first, second], &[neither, both]);
        check(ObjectNeed::WithOther("L", pair), &[neither, first, both], &[second]);
        check(ObjectNeed::Together("L", pair), &[neither, both], &[first, second]);
        let share = ObjectNeed::ShareOf("L", "Cost");
        let kept = [r#"{"L": [{"Cost": 0}, {"Cost": 1.0}, {"Cost": 0.05}, {}]}"#];
        check(share, &kept, &[r#"{"L": [{"Cost": 1.01}]}"#, r#"{"L": [{"Cost": -0.1}]}"#]);
    }

    #[test]
    fn tags_and_names_are_found() {
        let object = |text: &str| serde_json::from_str::<Object>(text).unwrap();
        let tags = object(r#"{"a": "1", "b": "2"}"#);
        assert!(shares_no_member(&object(r#"{"a": "2", "c": "1"}"#), &tags));
        assert!(!shares_no_member(&object(r#"{"a": "1"}"#), &tags));
        let programs = object(r#"{"P": [{"T": "a"}, {"T": "b"}]}"#);
        assert!(names(&programs, "P", "T", "b") && !names(&programs, "P", "T", "c"));
    }
}
