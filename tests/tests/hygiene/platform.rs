//! `platform` serves any product: it does not know what this one's records say, and names none of its parts, topics, metrics or
//! crash points. Comments, examples and tests of it do without them, too.

use std::collections::BTreeSet;

use tests::repo;

use crate::words::words;

/// Words of the product.
const WORDS: &[&str] = &[
    "checker",
    "checkers",
    "exporter",
    "exporters",
    "finding",
    "findings",
    "redrive",
    "replay",
    "replays",
    "sink",
    "sinks",
    "tenant",
    "tenants",
    "validator",
    "validators",
];
/// Where one stays, with the reason.
const KEPT: &[(&str, &str, &str)] = &[
    ("platform/src/store/cache.rs", "sink", "`std::io::sink`"),
    ("platform/src/trace/collector.rs", "exporter", "OpenTelemetry's word for what sends spans"),
];
/// What may begin with the name of the program and a dot, as topics do: the configuration file, and what this crate's own clients
/// are called in Kafka, where access rules are by prefix.
const NAMED_AFTER_THE_PROGRAM: &[&str] = &["finops.looks.only", "finops.producer.", "finops.reads.only", "finops.toml"];

#[test]
fn platform_names_nothing_of_the_product() {
    let (mut found, mut kept) = (Vec::new(), BTreeSet::new());
    for path in repo::files_below("platform") {
        let text = repo::read(&path);
        let words = words(&text);
        let of_two = words.windows(2).filter(|two| two[0].1 == "dead" && two[1].1.starts_with("letter"));
        found.extend(of_two.map(|two| format!("{path}:{}: dead letter", two[0].0)));
        for (line, word) in words.iter().filter(|(_, word)| WORDS.contains(&&**word)) {
            match KEPT.iter().find(|(file, kept, _)| *file == path && kept == word) {
                Some(entry) => drop(kept.insert(entry)),
                None => found.push(format!("{path}:{line}: {word}")),
            }
        }
        for (at, _) in text.match_indices("finops.") {
            let is_name = text.as_bytes().get(at + "finops.".len()).is_some_and(u8::is_ascii_lowercase);
            if is_name && !NAMED_AFTER_THE_PROGRAM.iter().any(|known| text[at..].starts_with(known)) {
                let name: String = text[at..].chars().take_while(|c| !c.is_whitespace()).collect();
                found.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(found.is_empty(), "platform is to know nothing of the product:\n{}", found.join("\n"));
    assert_eq!(kept, KEPT.iter().collect(), "an exception without its word");
}
