//! Counts by name, for people.

/// `bad_decimal 2, missing_cost 1`.
pub fn listed<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    counts.into_iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
}

/// `3: bad_decimal 2, missing_cost 1`; `0` for none.
pub fn by_name<'a>(counts: impl Iterator<Item = (&'a str, u64)> + Clone) -> String {
    let total: u64 = counts.clone().map(|(_, n)| n).sum();
    let listed = listed(counts);
    if listed.is_empty() { total.to_string() } else { format!("{total}: {listed}") }
}
