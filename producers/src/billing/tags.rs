//! Tags of a billing row: key marks stripped, empty values dropped, keys compared in canonical form.

use std::collections::BTreeMap;

use serde_json::Value;

/// Tags by key, both as the provider spells them.
pub type Tags = BTreeMap<String, String>;

/// Marks in front of a key that say only where the tag comes from.
const STRIPPED: [&str; 3] = ["resourceTags/", "user:", "user_"];
/// Keys that are not resource tags.
const SKIPPED: [&str; 3] = ["userAttribute/", "accountTag/", "costCategory/"];
/// Marks of tags that a provider set, not a person.
const PROVIDER: [&str; 5] = ["aws:", "aws_", "azure:", "hidden-", "oracle-"];

/// Reads a JSON object of tags. `None` when the text is not one.
#[must_use]
pub fn parse(json: &str) -> Option<Tags> {
    let Ok(Value::Object(members)) = serde_json::from_str(json) else { return None };
    Some(
        members.into_iter().filter_map(|(key, value)| Some((kept_key(&key)?.to_owned(), kept_value(value)?))).collect(),
    )
}

fn kept_key(key: &str) -> Option<&str> {
    if SKIPPED.iter().any(|mark| key.starts_with(mark)) {
        return None;
    }
    Some(STRIPPED.iter().fold(key, |key, mark| key.strip_prefix(mark).unwrap_or(key)))
}

fn kept_value(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// The form keys are compared in: lower case, letters and digits only, so `CostCenter` and `cost-center` meet.
#[must_use]
pub fn canonical_key(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// True when a person could have set this tag.
#[must_use]
pub fn is_own(key: &str) -> bool {
    !PROVIDER.iter().any(|mark| key.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_and_values_stay() {
        let tags = parse(
            r#"{"user:app":"x","user_team":"y","resourceTags/user:a'b":"","aws:createdBy":"z",
            "costCategory/c":"1","on":true,"n":5,"gone":null}"#,
        )
        .unwrap();
        let expected = [("app", "x"), ("aws:createdBy", "z"), ("n", "5"), ("on", "true"), ("team", "y")];
        assert_eq!(tags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(parse("[1]"), None);
        assert_eq!(parse("{"), None);
    }

    #[test]
    fn keys_meet_in_canonical_form() {
        for key in ["CostCenter", "cost_center", "cost-center"] {
            assert_eq!(canonical_key(key), "costcenter");
        }
        assert!(is_own("team") && !is_own("aws:createdBy"));
    }
}
