//! The help of every verb, as files: a change of the command line is a visible change there.

use super::place::Place;

/// The verbs below `verb`, as its own help lists them.
fn below(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn walk(place: &Place, verb: &str, all: &mut Vec<String>) {
    let ended = place.finops(&format!("{verb} --help"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{verb}");
    let help = ended.text();
    all.push(format!("$ finops{verb} --help\n{help}"));
    below(&help).iter().for_each(|name| walk(place, &format!("{verb} {name}"), all));
}

#[test]
fn every_verb_explains_itself() {
    let mut all = Vec::new();
    walk(&Place::new(), "", &mut all);
    insta::assert_snapshot!("help", all.join("\n"));
}

#[test]
fn the_verbs_of_the_product_are_there() {
    let mut all = Vec::new();
    walk(&Place::new(), "", &mut all);
    let verbs: Vec<_> = all.iter().filter_map(|help| help.lines().next()?.strip_suffix(" --help")).collect();
    for verb in [
        "run",
        "up",
        "validator run",
        "sink run",
        "sink inspect",
        "exporter once",
        "exporter run",
        "checkers list",
        "checkers explain",
        "contract test",
        "findings list",
        "findings show",
        "dlq list",
        "dlq show",
        "dlq stats",
        "dlq redrive",
        "verify",
        "repair",
        "status",
        "tap",
        "topics list",
        "topics alter",
        "topics recreate",
        "doctor",
        "replay run",
        "replay compare",
        "replay swap",
        "replay hand-over",
        "config show",
        "completions",
    ] {
        assert!(verbs.contains(&format!("$ finops {verb}").as_str()), "{verb} is missing in {verbs:?}");
    }
}
