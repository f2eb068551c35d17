//! What the user probably meant: the known names closest to one that is unknown.

/// Letters of the input that are compared; more never help a person and would cost time on junk input.
const COMPARED_CHARS_MAX: usize = 200;

/// The `n` candidates closest to `input`, the closest first; equally close ones in name order. A candidate
/// that contains the input comes before one that only resembles it: people type the part they remember.
///
/// # Examples
/// ```
/// let known = ["broker.url", "task.batch_rows_max", "task.flush_age_max"];
/// assert_eq!(platform::names::closest("task.batch_row_max", known, 1), ["task.batch_rows_max"]);
/// ```
#[must_use]
pub fn closest<'a>(input: &str, candidates: impl IntoIterator<Item = &'a str>, n: usize) -> Vec<&'a str> {
    let input: String = input.chars().take(COMPARED_CHARS_MAX).flat_map(char::to_lowercase).collect();
    let mut scored: Vec<_> = candidates.into_iter().map(|name| (distance(&input, name), name)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(n).map(|(_, name)| name).collect()
}

/// 0 for the same text, up to 1 for nothing in common; below 0 when `name` contains a part worth the name.
fn distance(input: &str, name: &str) -> f64 {
    let name = name.to_lowercase();
    let differs = 1.0 - strsim::normalized_damerau_levenshtein(input, &name);
    let contained = input.chars().count() >= 3 && name.contains(input);
    if contained { differs - 1.0 } else { differs }
}

#[cfg(test)]
mod tests {
    use super::closest;

    const KNOWN: [&str; 4] = [
        "checks.aws.ebs_gp2_volume:EbsGp2VolumeMeasure",
        "checks.aws.s3_lifecycle_missing:S3LifecycleMissingMeasure",
        "checks.focus.idle_public_ipv4:IdlePublicIpv4Measure",
        "checks.focus.unused_commitment:UnusedCommitmentMeasure",
    ];

    #[test]
    fn names_what_was_probably_meant() {
        let check = |input: &str, expected: &str| assert_eq!(closest(input, KNOWN, 1), [expected], "{input}");
        check("checks.aws.s3_lifecycle_mising:S3LifecycleMissingMeasure", KNOWN[1]);
        check("s3_lifecycle", KNOWN[1]);
        check("UNUSEDCOMMITMENT", KNOWN[3]);
        check("gp2", KNOWN[0]);
    }

    #[test]
    fn gives_as_many_as_asked_for_and_there_are() {
        assert_eq!(closest("checks.aws", KNOWN, 3).len(), 3);
        assert_eq!(closest("checks.aws", KNOWN, 9).len(), 4);
        assert_eq!(closest("b", ["c", "a", "a"], 3), ["a", "c"]);
        assert!(closest("a", [], 3).is_empty());
        assert_eq!(closest(&"junk".repeat(1_000_000), KNOWN, 3).len(), 3);
    }
}
