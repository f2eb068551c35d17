//! The forms in which exporters write tags into one cell. Each form is read only where it has one meaning; a cell that
//! could mean two things is unreadable, never guessed.
//!
//! | form | example | written by |
//! |---|---|---|
//! | JSON object | `{"team":"a"}` | the standard |
//! | JSON list of pairs | `[{"key":"team","value":"a"}]` | Google Cloud, AWS APIs |
//! | JSON without braces | `"team": "a","env": "b"` | Azure |
//! | quoted map | `{'team': 'a'}`, `"team"=>"a"` | Python, hstore |
//! | bare map | `{team=a, env=b}`, `[team -> a]` | DuckDB, Trino, Java, Spark |

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// Keys and values; a null value is `None`.
pub type Pairs = Vec<(String, Option<String>)>;

/// Names of the members of a pair, in lower case.
const KEY_NAMES: [&str; 4] = ["key", "k", "tagkey", "tag_key"];
/// See [`KEY_NAMES`].
const VALUE_NAMES: [&str; 4] = ["value", "v", "tagvalue", "tag_value"];

/// Reads a cell. `None` when it is in no form, or could mean two things.
#[must_use]
pub fn pairs(cell: &str) -> Option<Pairs> {
    let cell = cell.trim();
    if let Some(pairs) = json_object(cell) {
        return Some(pairs);
    }
    if let Ok(Value::Array(items)) = serde_json::from_str(cell) {
        return items.iter().map(json_pair).collect();
    }
    quoted_map(cell).or_else(|| bare_map(cell))
}

/// The members' text is taken raw, so that a number no machine can hold does not make the others unreadable.
fn json_object(cell: &str) -> Option<Pairs> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(cell).ok()?;
    let value = |raw: &RawValue| match serde_json::from_str(raw.get()) {
        Ok(value) => json_value(value),
        // Valid JSON, but no number of this machine; a string fails only for half a surrogate pair.
        Err(_) => Some(raw.get().to_owned()),
    };
    Some(members.into_iter().map(|(key, raw)| (key, value(raw))).collect())
}

fn json_value(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// `{"key": …, "value": …}` with any other members beside, or `["team", "a"]`.
fn json_pair(item: &Value) -> Option<(String, Option<String>)> {
    let text = |value: &Value| json_value(value.clone());
    match item {
        Value::Object(members) => {
            let named = |names: &[&str]| members.iter().find(|(name, _)| names.contains(&&*name.to_lowercase()));
            let (_, key) = named(&KEY_NAMES)?;
            let (_, value) = named(&VALUE_NAMES)?;
            Some((key.as_str()?.to_owned(), text(value)))
        }
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(key), value] => Some((key.clone(), text(value))),
            _ => None,
        },
        _ => None,
    }
}

/// The text between one pair of brackets, or all of it when it has none.
fn unwrapped(cell: &str) -> Option<&str> {
    let inner = |open, close| cell.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let bare = inner('{', '}').or_else(|| inner('[', ']')).or_else(|| inner('(', ')'));
    bare.or_else(|| (!cell.starts_with(['{', '[', '('])).then_some(cell)).map(str::trim)
}

/// Quoted keys, and values that are quoted or plain words without meaning of their own.
fn quoted_map(cell: &str) -> Option<Pairs> {
    let mut rest = unwrapped(cell)?;
    let mut pairs = Pairs::new();
    loop {
        let (key, after) = quoted(rest)?;
        let after = after.trim_start();
        let after = ["=>", "->", ":", "="].iter().find_map(|sign| after.strip_prefix(sign))?.trim_start();
        let (value, after) = match quoted(after) {
            Some((value, after)) => (Some(value), after),
            None => plain_word(after)?,
        };
        pairs.push((key, value));
        let after = after.trim_start();
        if after.is_empty() {
            return Some(pairs);
        }
        rest = after.strip_prefix([',', ';'])?.trim_start();
    }
}

/// A text in quotes of either kind, with backslash escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                // Escapes by number have a meaning of their own in each language.
                'u' | 'U' | 'x' | 'N' | '0'..='9' => return None,
                other => out.push(other),
            },
            c if c == quote => return Some((out, &text[at + c.len_utf8()..])),
            c => out.push(c),
        }
    }
    None
}

/// A number or a word such as `true` and `None`, up to the next comma.
fn plain_word(text: &str) -> Option<(Option<String>, &str)> {
    let end = text.find([',', ';']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word.trim() {
        "None" | "null" | "NULL" | "nil" => Some((None, rest)),
        "True" | "true" => Some((Some("true".into()), rest)),
        "False" | "false" => Some((Some("false".into()), rest)),
        number if number.parse::<f64>().is_ok_and(f64::is_finite) => Some((Some(number.to_owned()), rest)),
        _ => None,
    }
}

/// `{team=a, env=b}` and `[team -> a, env -> b]`: every part must have the sign exactly once, else a value holds a comma
/// or the sign itself, and nothing tells where it ends.
fn bare_map(cell: &str) -> Option<Pairs> {
    let inner = unwrapped(cell).filter(|inner| inner.len() < cell.len())?;
    if inner.is_empty() {
        return Some(Pairs::new());
    }
    if inner.contains(['"', '\'', '{', '}', '[', ']', '\\']) {
        return None;
    }
    let sign = if inner.contains("->") { "->" } else { "=" };
    let part = |part: &str| {
        let (key, value) = part.split_once(sign)?;
        let (key, value) = (key.trim(), value.trim());
        let is_plain = !key.is_empty() && !value.contains(sign);
        is_plain.then(|| (key.to_owned(), (value != "null" && value != "NULL").then(|| value.to_owned())))
    };
    inner.split(',').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cell: &str, expected: &[(&str, Option<&str>)]) {
        let owned = expected.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect::<Pairs>();
        assert_eq!(pairs(cell), Some(owned), "{cell}");
    }

    #[test]
    fn every_form_with_one_meaning_is_read() {
        let team: &[(&str, Option<&str>)] = &[("team", Some("a"))];
        for cell in [
            r#"{"team":"a"}"#,
            r#"[{"key":"team","value":"a"}]"#,
            r#"[{"Key":"team","Value":"a"}]"#,
            r#"[{"key":"team","value":"a","x_inherited":false,"x_namespace":"n/a"}]"#,
            r#"[["team","a"]]"#,
            r#""team": "a""#,
            "{'team': 'a'}",
            r#""team"=>"a""#,
            "{team=a}",
            "[team -> a]",
            "{team -> a}",
            "(team -> a)",
        ] {
            check(cell, team);
        }
        for cell in ["{}", "[]", " { } "] {
            check(cell, &[]);
        }
        check(r#""team": "a","env": "prod""#, &[("team", Some("a")), ("env", Some("prod"))]);
        check(r"{'it\'s': 1}", &[("it's", Some("1"))]);
        check("{'a': None, 'b': True, 'c': \"it's\"}", &[("a", None), ("b", Some("true")), ("c", Some("it's"))]);
        check("{team=a, env=null, url=x:y}", &[("team", Some("a")), ("env", None), ("url", Some("x:y"))]);
        check(r#"[{"key":"team","value":null}]"#, &[("team", None)]);
    }

    #[test]
    fn one_odd_value_does_not_hide_the_others() {
        check(
            r#"{"n":1e400,"o":{"name":"a"},"t":"x"}"#,
            &[("n", Some("1e400")), ("o", Some(r#"{"name":"a"}"#)), ("t", Some("x"))],
        );
        check(r#"{"team":"a","team":"c"}"#, &[("team", Some("c"))]);
    }

    #[test]
    fn what_could_mean_two_things_is_unreadable() {
        for cell in [
            "{oops",
            r#"{"team":"a","note":"xx"#,
            "[1]",
            r#"[{"team":"a"}]"#,
            "team",
            "team=a",
            "{a=b=c}",
            "{a=x, y, b=z}",
            "[team -> a -> b]",
            "{'team': a}",
            "{'a': 'b' 'c': 'd'}",
            r"{'a': '\u00e9'}",
            "5",
            "true",
            "",
        ] {
            assert_eq!(pairs(cell), None, "{cell}");
        }
    }
}
