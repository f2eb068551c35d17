//! Which paths a store accepts: one grammar for every store, so that a path that works on a local
//! folder works on S3 too. Pure text; whether a path leaves the root through a symbolic link is the
//! local store's question.

use super::StoreError;

/// Longest path: the limit of an S3 key.
pub const PATH_BYTES_MAX: usize = 1024;
/// Longest segment: the limit of a file name on common file systems.
pub const SEGMENT_BYTES_MAX: usize = 255;

/// Accepts relative paths of one or more plain segments.
///
/// # Errors
/// [`StoreError::BadPath`] naming the rule that was broken.
///
/// # Examples
/// ```
/// use platform::store::path;
/// assert!(path::check("events/day=2026-01-01/part-1.parquet").is_ok());
/// assert!(path::check("events/../secrets").is_err());
/// ```
pub fn check(path: &str) -> Result<(), StoreError> {
    match broken_rule(path) {
        None => Ok(()),
        Some(reason) => Err(StoreError::BadPath { path: path.chars().take(200).collect(), reason }),
    }
}

fn broken_rule(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.starts_with('/') {
        return Some("it is absolute");
    }
    if path.len() > PATH_BYTES_MAX {
        return Some("it is longer than 1024 bytes");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return Some("it holds a backslash or a control character");
    }
    path.split('/').find_map(|segment| match segment {
        "" => Some("it has an empty segment"),
        "." | ".." => Some("it has a segment that walks"),
        _ if segment.len() > SEGMENT_BYTES_MAX => Some("it has a segment longer than 255 bytes"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_a_plain_relative_path() {
        let long_segment = "x".repeat(SEGMENT_BYTES_MAX + 1);
        let long_path = "xy/".repeat(400) + "z";
        let cases = [
            ("", Some("empty")),
            ("/etc/passwd", Some("absolute")),
            ("..", Some("walks")),
            ("a/../b", Some("walks")),
            ("./a", Some("walks")),
            ("a//b", Some("empty segment")),
            ("a/", Some("empty segment")),
            ("a\\..\\b", Some("backslash")),
            ("a\0b", Some("control")),
            ("a\nb", Some("control")),
            (long_segment.as_str(), Some("255")),
            (long_path.as_str(), Some("1024")),
            ("a", None),
            ("...", None),
            ("a/..b/c..", None),
            ("owner=%2E%2E/date=2026-01-01/part-0.parquet", None),
        ];
        for (path, expected) in cases {
            let found = broken_rule(path);
            assert_eq!(found.is_some(), expected.is_some(), "{path:?}: {found:?}");
            assert!(found.unwrap_or("").contains(expected.unwrap_or("")), "{path:?}: {found:?}");
        }
    }

    proptest! {
        /// The operating system reads an accepted path exactly as its plain segments: nothing walks.
        #[test]
        fn an_accepted_path_stays_below_its_root(
            path in prop_oneof![
                prop::collection::vec("|[.]{1,3}|a|[a.\\\\~\u{0}\u{e9} -]{1,4}", 1..6).prop_map(|s| s.join("/")),
                "\\PC{0,40}",
            ],
        ) {
            if check(&path).is_ok() {
                let parts: Vec<_> = Path::new(&path).components().collect();
                prop_assert!(parts.iter().all(|p| matches!(p, Component::Normal(_))), "{path:?}");
                prop_assert_eq!(parts.len(), path.split('/').count());
            }
        }
    }
}
