//! README's commands, run one after the other in one folder as its reader would, and the first one's output.

use super::place::{Ended, Place, billing, good, repo};

/// Begins the command that gets what the build and the tests need.
const INSTALL: &str = "apt-get install ";

fn readme() -> String {
    std::fs::read_to_string(repo("README.md")).unwrap()
}

/// Contents of the fenced blocks of a language.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// A folder with what the README speaks of.
pub fn reader() -> Place {
    let place = Place::new();
    let sample = place.path().join("examples/data");
    std::fs::create_dir_all(&sample).unwrap();
    std::fs::copy(billing(), sample.join(billing().file_name().unwrap())).unwrap();
    let mut own: serde_json::Value = serde_json::from_slice(&good("acme", "vol-mine")).unwrap();
    own["engine_name"] = "my-scanner".into();
    place.write("my-findings.ndjson", format!("{own}\n{{\"tenant_id\": \"acme\"}}\n"));
    place
}

/// The command's arguments; `None` when it is not for this test.
fn arguments(command: &str) -> Option<&str> {
    match command {
        // What runs this test.
        "cargo xtask test" => None,
        // It would change the machine: below.
        _ if command.starts_with(INSTALL) => None,
        // Goes on until it is stopped: services.rs.
        "finops up --data data" => None,
        _ => {
            let rest = command.strip_prefix("finops ").or_else(|| command.strip_prefix("cargo run --bin finops -- "));
            Some(rest.unwrap_or_else(|| panic!("README has a command that no test runs: {command}")))
        }
    }
}

/// Lines that are the same on every machine at any time.
fn lasting(text: &str) -> Vec<&str> {
    let changes = |line: &str| {
        ["Report ", "Run ", "Time ", "Written "].iter().any(|start| line.starts_with(start))
            || line.contains(" KPI rows ")
    };
    text.lines().map(str::trim_end).filter(|line| !changes(line)).collect()
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let (readme, place) = (readme(), reader());
    let commands: Vec<String> = blocks(&readme, "sh").iter().flat_map(|b| b.lines()).map(str::to_owned).collect();
    assert!(commands.len() >= 12, "{commands:?}");
    let mut outputs: Vec<(&str, Ended)> = Vec::new();
    for command in &commands {
        let Some(arguments) = arguments(command) else { continue };
        let src = || place.finops("dlq list --output ndjson").lines(0)[0]["src"].as_str().unwrap().to_owned();
        let ended = match arguments.split_once('<') {
            Some((before, placeholder)) => {
                assert_eq!(placeholder, "source position>");
                place.finops(&format!("{before}{}", src()))
            }
            None => place.finops(arguments),
        };
        // One of my findings is broken, and the test of a contract says so.
        let expected = if arguments.starts_with("contract test ") { 65 } else { 0 };
        assert_eq!(ended.code, Some(expected), "{command}: {ended}");
        outputs.push((command, ended));
    }
    let (first, ended) = &outputs[0];
    assert!(first.contains(" run "), "{first}");
    let printed = ended.text();
    assert_eq!(lasting(&blocks(&readme, "text")[0]), lasting(&printed), "README shows another output of {first}");
    check_producers_side_by_side(&place);
    check_exported_files(&readme, &place);
    assert!(readme.contains("`finops run --rulepack FILE`"), "README says how thresholds are changed");
    assert!(place.finops("run --help").text().contains("--rulepack <FILE>"));
}

/// The billing checkers and the reader's own scanner: neither hides what the other has found.
fn check_producers_side_by_side(place: &Place) {
    let listed = place.finops("findings list --tenant acme --limit 0 --output json").json(0);
    let is_own = |finding: &&serde_json::Value| finding["resource_id"] == "vol-mine";
    let (all, own) = (listed.as_array().unwrap().len(), listed.as_array().unwrap().iter().filter(is_own).count());
    assert_eq!((all, own), (27, 1), "{listed}");
}

/// README lists what is exported, and a file that has nothing to say yet says why.
fn check_exported_files(readme: &str, place: &Place) {
    let folder = place.path().join("data/export/acme");
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let listed = readme.split("export/<tenant>/{").nth(1).unwrap().split('}').next().unwrap();
    for name in listed.split(',') {
        let name = format!("{name}.json");
        assert!(folder.join(&name).exists(), "README lists {name}");
        let file = manifest["files"].as_array().unwrap().iter().find(|file| file["name"] == name.as_str()).unwrap();
        let is_empty = file["rows"] == 0 || name == "coverage.json";
        assert_eq!(file["reason"].is_string(), is_empty, "{file}");
    }
}

#[test]
fn the_readme_names_what_the_image_is_built_with() {
    let (readme, dockerfile) = (readme(), std::fs::read_to_string(repo("deploy/Dockerfile")).unwrap());
    let named: Vec<_> = readme.lines().find_map(|line| line.strip_prefix(INSTALL)).unwrap().split(' ').collect();
    let needed = dockerfile.split("--no-install-recommends ").nth(1).unwrap().lines().next().unwrap();
    let needed: Vec<_> = needed.trim_end_matches('\\').split_whitespace().collect();
    assert!(needed.len() > 4 && needed.iter().all(|package| named.contains(package)), "{named:?}, not {needed:?}");
}
