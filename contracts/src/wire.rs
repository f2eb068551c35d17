//! The wire message as it lies in the bytes: members by name, values still raw. Nothing is judged here
//! except that the bytes are one JSON object (R2); a member given twice counts by its last value (R3);
//! unknown members are ignored (R4).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Absent and `null` alike are `None`.
pub(crate) type Raw<'a> = Option<&'a RawValue>;

/// Deepest nesting of a message.
const DEPTH_MAX: usize = 32;

macro_rules! raw_object {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub(crate) struct $name<'a> { $(pub $field: Raw<'a>,)* }

        impl $name<'_> {
            /// Names of its members.
            pub const MEMBERS: &'static [&'static str] = &[$(stringify!($field),)*];
        }

        impl<'de> Deserialize<'de> for $name<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[allow(non_camel_case_types)]
                #[derive(serde::Deserialize)]
                #[serde(field_identifier)]
                enum Member { $($field,)* #[serde(other)] Unknown }
                struct Members;
                impl<'de> Visitor<'de> for Members {
                    type Value = $name<'de>;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut out = $name::default();
                        while let Some(member) = map.next_key()? {
                            match member {
                                $(Member::$field => out.$field = map.next_value()?,)*
                                Member::Unknown => { map.next_value::<IgnoredAny>()?; }
                            }
                        }
                        Ok(out)
                    }
                }
                deserializer.deserialize_map(Members)
            }
        }
    };
}

raw_object!(
    /// Members of a draft and of a record together.
    Message {
        tenant_id, workspace_id, finding_id, fingerprint, run_id, run_ts, ingested_ts, engine_name, engine_version,
        rulepack_version, scope, check_id, check_name, category, sub_category, frameworks, status, severity, priority,
        title, message, advice, recommendation, remediation, links, estimated, actual, lifecycle, tags, labels,
        dimensions, metrics, metadata_json, source, issue_key, checker_id, source_type, schema_version,
        default_currency, source_engine, source_refreshed_ts, allocation,
    }
);
raw_object!(Scope {
    cloud,
    provider_partition,
    organization_id,
    billing_account_id,
    account_id,
    region,
    availability_zone,
    service,
    resource_type,
    resource_id,
    resource_arn,
});
raw_object!(Severity { level, score });
raw_object!(Link { label, url });
raw_object!(Estimated { monthly_savings, monthly_cost, one_time_savings, confidence, notes });
raw_object!(Actual { cost_7d, cost_30d, cost_mtd, cost_prev_month, savings_7d, savings_30d, model, attribution });
raw_object!(Model { currency, cost_model, granularity, period_start, period_end });
raw_object!(Attribution { method, confidence, matched_keys });
raw_object!(Lifecycle { status, first_seen_ts, last_seen_ts, resolved_ts, snooze_until_ts });
raw_object!(Source { source_type, source_ref, schema_version, engine, refreshed_ts });
raw_object!(Allocation { owner, cost_center, product, environment });

/// Free-key members in document order, a key given twice by its last value, sorted by key bytes (R56).
pub(crate) struct Entries<'a>(pub Vec<(Cow<'a, str>, Raw<'a>)>);

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyText;
        impl<'de> Visitor<'de> for KeyText {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyText)
    }
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                entries.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
                // The sort is stable: of equal keys the last one is the one given last.
                entries.reverse();
                entries.dedup_by(|(a, _), (b, _)| a == b);
                entries.reverse();
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// Elements of an array.
pub(crate) struct Elements<'a>(pub Vec<Raw<'a>>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Elements<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(All)
    }
}

/// Reads a container whose raw text was already parsed once as part of its message.
pub(crate) fn container<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// R2: the bytes as one JSON object.
///
/// # Errors
/// Why they are not, in words, without any of their content.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message<'_>, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("not UTF-8 at byte {}", e.valid_up_to()))?;
    match text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() {
        None => return Err("empty message".to_owned()),
        Some(b'{') => {}
        Some(_) if text.starts_with('\u{feff}') => return Err("starts with a byte-order mark".to_owned()),
        Some(_) => return Err("not a JSON object".to_owned()),
    }
    if has_lone_surrogate(bytes) {
        return Err("lone surrogate escape in a string".to_owned());
    }
    if is_deeper_than(bytes, DEPTH_MAX) {
        return Err(format!("nested deeper than {DEPTH_MAX} levels"));
    }
    serde_json::from_str(text).map_err(|e| {
        let what = match e.classify() {
            serde_json::error::Category::Eof => "ends before the object is complete",
            _ => "not valid JSON",
        };
        format!("{what} at line {} column {}", e.line(), e.column())
    })
}

/// In valid JSON a backslash stands only inside strings, so the escapes can be walked without parsing.
fn has_lone_surrogate(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
        at += found;
        match surrogate(&bytes[at..]) {
            Some(0xD800..=0xDBFF) => match bytes.get(at + 6..).and_then(surrogate) {
                Some(0xDC00..=0xDFFF) => at += 12,
                _ => return true,
            },
            Some(_) => return true,
            None => at += 2,
        }
        if at >= bytes.len() {
            break;
        }
    }
    false
}

/// The surrogate that `\uXXXX` at the start spells, if it is one.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    let hex = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let unit = u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
    (0xD800..=0xDFFF).contains(&unit).then_some(unit)
}

fn is_deeper_than(bytes: &[u8], max: usize) -> bool {
    if memchr::memchr2_iter(b'{', b'[', bytes).count() <= max {
        return false;
    }
    let (mut depth, mut in_string, mut at) = (0_usize, false, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > max {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_bytes_that_are_no_message() {
        for (bytes, reason) in [
            (&b""[..], "empty message"),
            (b"  ", "empty message"),
            (b"[1]", "not a JSON object"),
            (b"\xef\xbb\xbf{}", "starts with a byte-order mark"),
            (b"{\"a\":\"\xff\"}", "not UTF-8 at byte 6"),
            (b"{\"a\":1", "ends before the object is complete at line 1 column 6"),
            (b"{\"a\":NaN}", "not valid JSON at line 1 column 6"),
            (b"{} {}", "not valid JSON at line 1 column 4"),
            (br#"{"x":"\ud800"}"#, "lone surrogate escape in a string"),
            (br#"{"x":"\udc00"}"#, "lone surrogate escape in a string"),
            (br#"{"x":"\ud800\u0041"}"#, "lone surrogate escape in a string"),
        ] {
            assert_eq!(parse(bytes).unwrap_err(), reason);
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(40), "]".repeat(40));
        assert_eq!(parse(deep.as_bytes()).unwrap_err(), "nested deeper than 32 levels");
    }

    #[test]
    fn r2_what_is_legal() {
        for text in
            [r#"{"x":"\ud83d\ude00 \\ud800"}"#, r#"{"x":1e400}"#, r#"{"x":"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{"}"#]
        {
            assert!(parse(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn r3_the_last_of_equal_members_counts() {
        let message = parse(br#"{"title":1,"ti\u0074le":2,"unknown":{}}"#).unwrap();
        assert_eq!(message.title.unwrap().get(), "2");
        let Entries(entries) = serde_json::from_str(r#"{"b":1,"a":2,"b":3}"#).unwrap();
        let seen: Vec<_> = entries.iter().map(|(k, v)| (k.as_ref(), v.unwrap().get())).collect();
        assert_eq!(seen, [("a", "2"), ("b", "3")]);
    }
}
