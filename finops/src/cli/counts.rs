//! Counts by name, for people.

use std::fmt::Write as _;

/// `3: bad_decimal 2, missing_cost 1`.
pub fn by_name<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let mut total = 0;
    let mut text = String::new();
    for (name, n) in counts {
        total += n;
        let _ = write!(text, "{}{name} {n}", if text.is_empty() { ": " } else { ", " });
    }
    format!("{total}{text}")
}
