//! Words of a command line that is shown to be copied.

use std::borrow::Cow;

/// The word as a POSIX shell reads it back: in single quotes where it needs them.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    // A leading = or % means something to some shells, but only in front.
    let is_safe = !word.is_empty() && word.chars().all(is_plain) && !word.starts_with(['=', '%']);
    if is_safe { Cow::Borrowed(word) } else { Cow::Owned(format!("'{}'", word.replace('\'', "'\\''"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let check = |word: &str, expected: &str| assert_eq!(quoted(word), expected);
        check("data", "data");
        check("./a/b-c_1.csv", "./a/b-c_1.csv");
        check("s3://bucket/prefix", "s3://bucket/prefix");
        check("kafka-1:9092,kafka-2:9092", "kafka-1:9092,kafka-2:9092");
        check("", "''");
        check("my data", "'my data'");
        check("it's", "'it'\\''s'");
        check("$(rm -rf /)", "'$(rm -rf /)'");
        check("~", "'~'");
        check("größe", "'größe'");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for word in ["a b", "it's", "$HOME `id` \\n \"x\"", "*?[a]", "-n", "a\nb"] {
            let printed = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf '%s' {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(printed.stdout).unwrap(), word);
        }
    }
}
