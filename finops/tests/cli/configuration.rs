//! Settings as a user meets them: from where, all problems at once, secrets never.

use platform::failpoint;
use serde_json::Value;
use tests::declared;

use super::place::{FINOPS, Place};

#[test]
fn five_errors_in_a_file_come_at_once() {
    let place = Place::new();
    place.write(
        "finops.toml",
        "[broker]\npartitions = 0\nsession_timeout = 'soon'\n\n[sink]\nfile_rows = 5\nmemory_bytes_max = '1kB'\n\n\
         [log]\nformat = 'xml'\n",
    );
    insta::assert_snapshot!(place.finops("config show"), @r#"
    exit Some(78)
    stderr:
    error: 5 problems in the configuration:
      finops.toml:2: broker.partitions: expected a whole number from 1 to 1024, found "0"
      finops.toml:3: broker.session_timeout: expected a duration such as 30s, from 1s to 10m, found "soon"
      finops.toml:6: sink.file_rows: unknown setting; closest: sink.file_rows_max
      finops.toml:7: sink.memory_bytes_max: expected a size such as 128MB, from 1MiB to 1TiB, found "1kB"
      finops.toml:10: log.format: expected one of human, json, found "xml"
    "#);
}

#[test]
fn every_source_of_settings_is_named() {
    let place = Place::new();
    place.write("finops.toml", "[broker]\npartitions = 'many'\n");
    let ended = place
        .command(FINOPS)
        .args(["config", "show"])
        .env("FINOPS_SINK_AGE_MAX", "1 fortnight")
        .env("FINOPS_SINK_AGE_MIN", "1s")
        .output()
        .unwrap();
    insta::assert_snapshot!(super::place::Ended::from(ended), @r#"
    exit Some(78)
    stderr:
    error: 3 problems in the configuration:
      finops.toml:2: broker.partitions: expected a whole number from 1 to 1024, found type string
      FINOPS_SINK_AGE_MAX: sink.age_max: expected a duration such as 30s, from 50ms to 1d, found "1 fortnight"
      FINOPS_SINK_AGE_MIN: unknown variable; closest: FINOPS_SINK_AGE_MAX
    "#);
}

#[test]
fn a_file_that_is_not_there_or_no_toml() {
    let place = Place::new();
    place.write("broken.toml", "[broker\npartitions = 4\n");
    let missing = place.finops("config show --config none.toml");
    assert_eq!(missing.code, Some(78), "{missing}");
    assert!(missing.stderr.contains("none.toml:1: reading the configuration file: No such file"), "{missing}");
    let broken = place.finops("config show --config broken.toml");
    assert_eq!(broken.code, Some(78), "{broken}");
    assert!(broken.stderr.contains("broken.toml:1: "), "{broken}");
    // The configuration is read before anything is done, whatever the verb.
    assert_eq!(place.finops("run --tenant acme --findings x --config broken.toml").code, Some(78));
}

#[test]
fn each_value_has_its_origin() {
    let place = Place::new();
    place.write("other.toml", "[sink]\nfile_rows_max = 7\nage_max = '2s'\n");
    let ended = place
        .command(FINOPS)
        .args(["config", "show", "--data", "elsewhere", "--output", "ndjson", "--config", "other.toml"])
        .env("FINOPS_SINK_AGE_MAX", "3s")
        .output()
        .unwrap();
    let rows = super::place::Ended::from(ended).lines(0);
    let of = |key: &str| {
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        [&row["value"], &row["origin"]].map(Value::to_string).join(" from ")
    };
    assert_eq!(of("sink.file_rows_max"), r#""7" from "other.toml:2""#);
    assert_eq!(of("sink.age_max"), r#""3s" from "FINOPS_SINK_AGE_MAX""#);
    assert_eq!(of("data.dir"), r#""elsewhere" from "--data""#);
    assert_eq!(of("broker.partitions"), r#""4" from "default""#);
}

#[test]
fn the_settings_are_a_public_list() {
    insta::assert_snapshot!("settings", Place::new().finops("config show").text());
}

#[test]
fn files_named_by_the_configuration_are_part_of_it() {
    let place = Place::new();
    place.write("f.ndjson", "{}\n");
    place.write("finops.toml", "validator.producers = 'none.toml'\n");
    let ended = place.finops("run --tenant acme --findings f.ndjson");
    assert_eq!(ended.code, Some(78), "{ended}");
    let why = "error: reading producer policy none.toml: No such file or directory (os error 2)";
    assert_eq!(ended.stderr.trim_end(), why);
    let ended = place.finops("run --tenant acme --findings f.ndjson --rulepack none.toml");
    assert_eq!(ended.code, Some(78), "{ended}");
    assert!(ended.stderr.contains("reading rulepack none.toml: "), "{ended}");
}

/// A crash test with a misspelled point would pass without a crash.
#[test]
fn a_crash_point_that_does_not_exist_is_refused_before_anything_is_done() {
    let place = Place::new();
    let ended = place.command(FINOPS).arg("--version").env(failpoint::VARIABLE, "sink.typo").output().unwrap();
    let ended = super::place::Ended::from(ended);
    assert_eq!(ended.code, Some(78), "{ended}");
    let there_are = declared::crash_points().join(", ");
    let expected = format!("FINOPS_FAILPOINT=sink.typo names no crash point; there are: {there_are}\n");
    assert_eq!(ended.stderr, expected);
}
