//! Data on stdout in four forms, all else on stderr; a reader that goes away is no failure, a full disk is one.

use super::place::{Place, billing};

/// Commands that print much, in a place where there is much to print.
fn talkative() -> (Place, Vec<&'static str>) {
    let place = Place::new();
    std::fs::copy(billing(), place.path().join("bill.csv")).unwrap();
    let ended = place.finops("run --tenant acme --focus bill.csv");
    assert_eq!(ended.code, Some(0), "{ended}");
    let commands = vec![
        "checkers list",
        "checkers explain focus.ebs.gp2.to.gp3",
        "completions bash",
        "completions zsh",
        "completions fish",
        "config show --output csv",
        "findings list --tenant acme --limit 1000",
        "findings list --tenant acme --limit 1000 --output csv",
        "findings list --tenant acme --limit 1000 --output json",
        "findings list --tenant acme --limit 1000 --output ndjson",
        "verify",
    ];
    (place, commands)
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let (place, commands) = talkative();
    for command in commands {
        // The reader has ended before the first byte is written.
        let ended = place.sh(&format!("{{ sleep 0.3; $FINOPS {command}; echo \"exit $?\" >&2; }} | true"));
        let said: Vec<_> = ended.stderr.lines().filter(|line| !line.contains(" findings; ")).collect();
        assert_eq!(said, ["exit 0"], "finops {command}");
    }
}

#[test]
fn output_that_cannot_be_written_is_reported() {
    let (place, commands) = talkative();
    for command in commands {
        let ended = place.sh(&format!("$FINOPS {command} > /dev/full"));
        assert_eq!(ended.code, Some(74), "finops {command}: {ended}");
        let why = "error: writing the output: No space left on device (os error 28)";
        assert!(ended.stderr.contains(why), "finops {command}: {ended}");
    }
}

#[test]
fn all_forms_say_the_same() {
    let (place, _) = talkative();
    let of = |form: &str| place.finops(&format!("findings list --tenant acme --limit 1000 --output {form}"));
    let json = of("json").json(0);
    let all = json.as_array().unwrap();
    assert_eq!(&of("ndjson").lines(0), all);
    let table = of("csv").text();
    let mut csv = csv::Reader::from_reader(table.as_bytes());
    let header = csv.headers().unwrap().clone();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), all.len());
    for (row, value) in rows.iter().zip(all) {
        for (name, cell) in header.iter().zip(row) {
            assert_eq!(value[name].as_str().unwrap_or_default(), cell, "{name}");
        }
    }
    let people = of("table");
    assert_eq!(people.text().lines().count(), 1 + all.len());
    assert!(!people.text().contains('\u{1b}'), "no colour when piped");
    assert!(people.stderr.contains(&format!("{0} of {0} findings", all.len())), "{}", people.stderr);
}

#[test]
fn one_thing_as_csv_is_its_leaves() {
    let (place, _) = talkative();
    let text = place.finops("checkers explain focus.ebs.gp2.to.gp3 --output csv").text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "field,value");
    assert!(lines.contains(&"checker_id,focus.ebs.gp2.to.gp3"), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("checks[0].check_id,")), "{text}");
}

#[test]
fn completions_know_every_verb() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = place.finops(&format!("completions {shell}")).text();
        for word in ["contract", "finding-id-mode", "exclude-checker", "repair"] {
            assert!(script.contains(word), "{word} is not in the completions of {shell}");
        }
    }
    let parsed = place.sh("$FINOPS completions bash > c && if command -v bash; then bash -n c; fi");
    assert_eq!((parsed.code, parsed.stderr.as_str()), (Some(0), ""), "{parsed}");
}

#[test]
fn the_version_is_printed() {
    assert_eq!(Place::new().finops("--version").text(), concat!("finops ", env!("CARGO_PKG_VERSION"), "\n"));
}
