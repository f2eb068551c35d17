//! Tags of a billing row: key marks stripped, empty values dropped, keys compared in canonical form.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tags_text;

/// Tags by key, both as the provider spells them.
pub type Tags = BTreeMap<String, String>;

/// Marks in front of a key that say only where the tag comes from.
const STRIPPED: [&str; 3] = ["resourceTags/", "user:", "user_"];
/// Keys that are not resource tags.
const SKIPPED: [&str; 3] = ["userAttribute/", "accountTag/", "costCategory/"];
/// Marks of tags that a provider or its tools set, not a person.
const PROVIDER: [&str; 15] = [
    "aws:",
    "aws_",
    "aks-managed-",
    "azure:",
    "compute.googleapis.com/",
    "eks:",
    "elasticbeanstalk:",
    "goog-",
    "hidden-",
    "k8s.io/",
    "karpenter.",
    "kubernetes.io/",
    "labels.compute.googleapis.com/",
    "ms-resource-usage",
    "oracle-",
];

/// What a row tells about its tags. *Unknown* is not *none*: a resource whose tags could not be read may well have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowTags {
    /// These, which may be none.
    Known(Arc<Tags>),
    /// The cell could not be read.
    Unknown,
}

impl Default for RowTags {
    fn default() -> Self {
        Self::Known(Arc::default())
    }
}

impl RowTags {
    /// The tags; `None` when they could not be read.
    #[must_use]
    pub fn known(&self) -> Option<&Tags> {
        match self {
            Self::Known(tags) => Some(tags),
            Self::Unknown => None,
        }
    }
}

/// Reads the tags of a cell, in any of the forms of `tags_text`. `None` when the text is in none of them.
#[must_use]
pub fn parse(cell: &str) -> Option<Tags> {
    let pairs = tags_text::pairs(cell)?;
    Some(pairs.into_iter().filter_map(|(key, value)| Some((kept_key(&key)?.to_owned(), kept_value(value)?))).collect())
}

/// Columns that are a tag each, in the CSV and the Parquet form of AWS reports, and the mark in front of its key.
const COLUMNS: [(&str, &str); 2] = [("resourceTags/", "user:"), ("resource_tags_", "user_")];

/// The key of a tag that has a column of its own. `None` when the column is no tag.
#[must_use]
pub fn key_of_column(column: &str) -> Option<String> {
    let is_capitals = !column.chars().any(char::is_lowercase);
    let column = if is_capitals { column.to_lowercase() } else { column.to_owned() };
    let (rest, mark) = COLUMNS.iter().find_map(|(start, mark)| Some((column.strip_prefix(start)?, mark)))?;
    let key = rest.strip_prefix(mark).unwrap_or(rest);
    (!key.is_empty()).then(|| key.to_owned())
}

fn kept_key(key: &str) -> Option<&str> {
    if SKIPPED.iter().any(|mark| key.starts_with(mark)) {
        return None;
    }
    Some(STRIPPED.iter().fold(key, |key, mark| key.strip_prefix(mark).unwrap_or(key)))
}

fn kept_value(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
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
            "costCategory/c":"1","on":true,"n":5,"absent":null}"#,
        )
        .unwrap();
        let expected = [("app", "x"), ("aws:createdBy", "z"), ("n", "5"), ("on", "true"), ("team", "y")];
        assert_eq!(tags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(parse("[1]"), None);
        assert_eq!(parse("{"), None);
    }

    #[test]
    fn columns_name_their_tag() {
        let cases = [
            ("resourceTags/user:CostCenter", Some("CostCenter")),
            ("resourceTags/aws:createdBy", Some("aws:createdBy")),
            ("resourceTags/user:user_a", Some("user_a")),
            (r#"resourceTags/user:O'Brien "x""#, Some(r#"O'Brien "x""#)),
            ("resource_tags_user_cost_center", Some("cost_center")),
            ("resource_tags_aws_created_by", Some("aws_created_by")),
            ("RESOURCE_TAGS_USER_NAME", Some("name")),
            ("resource_tags", None),
            ("resourceTags/user:", None),
            ("product/region", None),
        ];
        for (column, expected) in cases {
            assert_eq!(key_of_column(column).as_deref(), expected, "{column}");
        }
    }

    #[test]
    fn keys_meet_in_canonical_form() {
        for key in ["CostCenter", "cost_center", "cost-center"] {
            assert_eq!(canonical_key(key), "costcenter");
        }
        assert!(is_own("team") && !is_own("aws:createdBy"));
    }
}
