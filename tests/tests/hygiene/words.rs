//! Words that the terms of the field have replaced stay out.

use std::collections::BTreeSet;

use tests::repo;

/// Words that a term of the field has replaced, and the term. A word is matched as a whole, also within an identifier;
/// a phrase is matched across a line break.
const REPLACED: &[(&str, &str)] = &[
    ("anybody", "any process, any user"),
    ("anew", "again, recreated"),
    ("chain link", "commit"),
    ("eyes", "health probe"),
    ("first link", "first commit"),
    ("go on behind", "resume after, skip"),
    ("goes on behind", "resumes after, skips"),
    ("gone", "expired, deleted, missing, revoked"),
    ("habits", "partition options"),
    ("heights", "source watermarks"),
    ("held already", "duplicate"),
    ("lane", "pipeline topics"),
    ("lanes", "pipeline topics"),
    ("last link", "last commit"),
    ("link read", "commit read"),
    ("link start", "commit start"),
    ("made again", "recreated, rebuilt"),
    ("mishap", "task error"),
    ("mishaps", "task errors"),
    ("news", "changed tenants, new records"),
    ("next link", "next commit"),
    ("nobody", "no process, no user"),
    ("somebody", "another process, a user"),
    ("stretch", "offset range"),
    ("stretches", "offset ranges"),
    ("the hands", "the action executor"),
    ("the way in", "connecting to"),
    ("told", "reported, distinguished, known"),
    ("what always holds", "invariants"),
    ("whoever", "the process that, every user that"),
];

/// Where a replaced word stays, with the reason.
const KEPT: &[(&str, &str, &str)] = &[
    ("contracts/src/chain.rs", "heights", "member of stored checkpoints"),
    ("contracts/src/commit_record.rs", "heights", "member of stored commit records"),
    ("schemas/examples/valid/escapes_and_repeated_member.json", "nobody", "id of a tenant that loses"),
    ("schemas/json/commit_record.schema.json", "heights", "member of stored commit records"),
    ("operations/src/selection.rs", "stretches", "member of stored claims"),
    ("operations/src/resend/wire.rs", "stretches", "member of stored audit records"),
    ("tests/tests/contract_documents.rs", "heights", "names the member of stored commit records"),
];

/// The words of a text in small letters, with their lines: `LastMissing` and `last_missing` are two words each.
pub fn words(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let mut before = ' ';
        for letter in text.chars() {
            let begins = !before.is_ascii_alphabetic() || before.is_ascii_lowercase() && letter.is_ascii_uppercase();
            match found.last_mut() {
                Some((_, word)) if letter.is_ascii_alphabetic() && !begins => word.push(letter.to_ascii_lowercase()),
                _ if letter.is_ascii_alphabetic() => found.push((line + 1, letter.to_ascii_lowercase().into())),
                _ => {}
            }
            before = letter;
        }
    }
    found
}

/// Replaced words of a text, with their lines.
fn replaced(text: &str) -> Vec<(usize, &'static str)> {
    let words = words(text);
    let mut found = Vec::new();
    for (phrase, _) in REPLACED {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        let matches = words.windows(wanted.len()).filter(|some| some.iter().map(|(_, word)| word).eq(&wanted));
        found.extend(matches.map(|some| (some[0].0, *phrase)));
    }
    found
}

#[test]
fn replaced_words_stay_out() {
    const KINDS: &[&str] = &[".json", ".md", ".py", ".rs", ".snap", ".sql", ".toml", ".tpl", ".yaml", ".yml"];
    let is_text = |path: &&String| {
        KINDS.iter().any(|kind| path.ends_with(kind))
            && !path.contains("/golden/")
            && *path != "tests/tests/hygiene/words.rs"
    };
    let (mut found, mut kept) = (Vec::new(), BTreeSet::new());
    for path in repo::files().iter().filter(is_text) {
        for (line, word) in replaced(&repo::read(path)) {
            match KEPT.iter().find(|(file, kept, _)| file == path && *kept == word) {
                Some(entry) => drop(kept.insert(entry)),
                None => found.push(format!("{path}:{line}: {word}")),
            }
        }
    }
    let terms: Vec<_> = REPLACED.iter().map(|(word, term)| format!("{word}: {term}")).collect();
    assert!(found.is_empty(), "{}\nwrite instead:\n{}", found.join("\n"), terms.join("\n"));
    assert_eq!(kept, KEPT.iter().collect(), "an exception without its word");
}

#[test]
fn replaced_words_are_found_in_identifiers_and_across_lines() {
    let check = |text: &str, expected: &[(usize, &str)]| assert_eq!(replaced(text), expected, "{text}");
    check("fn is_gone()", &[(1, "gone")]);
    check("enum Phase {\n    LastGone,", &[(2, "gone")]);
    check("it is told. untold", &[(1, "told")]);
    check("/// is made\n    /// again", &[(1, "made again")]);
    check("a wagon, the link of a finding, bygone", &[]);
}
