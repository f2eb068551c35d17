//! Configuration as a user meets it: what is reported, what is shown, what counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::time::Duration;

use platform::config::{Config, ConfigBuilder, ConfigProblems, Declaration, Flag, Secret, Setting};

const DATA: Setting<PathBuf> = Setting::path("data.folder").default("data").help("where everything is kept");
const BROKERS: Setting<Option<String>> =
    Setting::url("broker.url", &["kafka", "sqlite"]).optional().help("broker; the embedded one when absent");
const PASSWORD: Setting<Option<Secret>> = Setting::secret("broker.sasl_password").optional().help("SASL password");
const ROWS_MAX: Setting<usize> =
    Setting::integer("task.batch_rows_max", 1..=10_000_000).default("200000").help("rows of a file");
const FILE_BYTES: Setting<u64> =
    Setting::bytes("task.file_bytes_target", 1_000_000..=5_000_000_000).default("128MB").help("size of a file");
const AGE_MAX: Setting<Duration> =
    Setting::duration("task.batch_age_max", Duration::from_secs(1)..=Duration::from_secs(86_400))
        .default("60s")
        .help("age at which a batch is written");
const CODEC: Setting<String> = Setting::one_of("task.codec", &["zstd", "snappy", "none"]).default("zstd").help("codec");
const FSYNC: Setting<bool> =
    Setting::bool("task.fsync").default("true").help("write through to the disk").also("FSYNC_STANDARD");
const SERVICES: Setting<Vec<String>> =
    Setting::list("run.services").default("").help("services to run; all when empty");
const TARGET: Setting<String> = Setting::text("run.target").help("what it is for");

const SHARED: &[Declaration] = &[DATA.declared(), BROKERS.declared(), PASSWORD.declared()];
const TASK: &[Declaration] =
    &[ROWS_MAX.declared(), FILE_BYTES.declared(), AGE_MAX.declared(), CODEC.declared(), FSYNC.declared()];
const RUN: &[Declaration] = &[SERVICES.declared(), TARGET.declared()];
const ALL: &[&[Declaration]] = &[SHARED, TASK, RUN];

fn flag(name: &str, key: &str, value: &str) -> Flag {
    Flag { name: name.into(), key: key.into(), value: value.into() }
}

fn with_file(text: &str) -> Result<Config, ConfigProblems> {
    ConfigBuilder::new(ALL).file("finops.toml", text).flags([flag("--target", "run.target", "acme")]).resolve()
}

fn problems(text: &str) -> String {
    with_file(text).unwrap_err().to_string()
}

#[test]
fn all_problems_of_all_sources_come_at_once() {
    let file = r#"
[broker]
url = "me:hunter2@broker:9092"
sasl_password = 5

[task]
batch_row_max = 5
batch_age_max = "soon"
codec = "gzip"
fsync = "yes"
file_bytes_target = "1kB"

[tsk]
x = 1
"#;
    let env = [
        ("FINOPS_TASK_BATCH_ROWS_MAX", "0"),
        ("FINOPS_TASK_CODEK", "zstd"),
        ("FINOPS_CONFIG", "finops.toml"),
        ("FINOPS_FAILPOINT", ""),
        ("HOME", "/root"),
    ];
    let flags = [flag("--set", "task.fsinc", "true"), flag("--batch-age-max", "task.batch_age_max", "3 weeks")];
    let found = ConfigBuilder::new(ALL).file("finops.toml", file).env(env).flags(flags).resolve().unwrap_err();
    insta::assert_snapshot!(found, @r#"
    13 problems in the configuration:
      finops.toml:3: broker.url: expected a URL with scheme kafka, sqlite
      finops.toml:4: broker.sasl_password: expected text (secret), found type integer
      finops.toml:7: task.batch_row_max: unknown setting; closest: task.batch_rows_max
      finops.toml:8: task.batch_age_max: expected a duration such as 30s, from 1s to 1d, found "soon"
      finops.toml:9: task.codec: expected one of zstd, snappy, none, found "gzip"
      finops.toml:10: task.fsync: expected true or false, found type string
      finops.toml:11: task.file_bytes_target: expected a size such as 128MB, from 1MB to 5GB, found "1kB"
      finops.toml:13: tsk: unknown group of settings; closest: task
      FINOPS_TASK_BATCH_ROWS_MAX: task.batch_rows_max: expected a whole number from 1 to 10000000, found "0"
      FINOPS_TASK_CODEK: unknown variable; closest: FINOPS_TASK_CODEC
      --set: task.fsinc: unknown setting; closest: task.fsync
      --batch-age-max: task.batch_age_max: expected a duration such as 30s, from 1s to 1d, found "3 weeks"
      run.target: required but not set; expected text, in the file or as FINOPS_RUN_TARGET
    "#);
}

#[test]
fn every_syntax_error_has_its_line_and_hides_no_other_source() {
    let file = "[task]\nbatch_rows_max = \n\ncodec = zstd\n[run\nsasl_password = 'hunter2\n";
    let found = ConfigBuilder::new(ALL).file("f.toml", file).env([("FINOPS_TASK_FSYNC", "maybe")]).resolve();
    let text = found.unwrap_err().to_string();
    assert!(!text.contains("hunter2"));
    insta::assert_snapshot!(text, @r#"
    4 problems in the configuration:
      f.toml:2: string values must be quoted, expected literal string
      f.toml:4: string values must be quoted, expected literal string
      f.toml:5: unclosed table, expected `]`
      FINOPS_TASK_FSYNC: task.fsync: expected true or false, found "maybe"
    "#);
}

#[test]
fn a_standard_variable_counts_where_ours_is_not_set() {
    let origin = |env: &[(&str, &str)]| {
        let file = "task.fsync = true\nrun.target = 'acme'";
        let config = ConfigBuilder::new(ALL).file("f.toml", file).env(env.iter().copied()).resolve();
        config.map(|config| config.rows().into_iter().find(|row| row.key == "task.fsync").unwrap().origin)
    };
    assert_eq!(origin(&[]).unwrap(), "f.toml:1");
    assert_eq!(origin(&[("FSYNC_STANDARD", "false")]).unwrap(), "FSYNC_STANDARD");
    assert_eq!(origin(&[("FSYNC_STANDARD", "false"), ("FINOPS_TASK_FSYNC", "true")]).unwrap(), "FINOPS_TASK_FSYNC");
    let problem = origin(&[("FSYNC_STANDARD", "maybe")]).unwrap_err().to_string();
    assert!(problem.contains("FSYNC_STANDARD: task.fsync: expected true or false, found \"maybe\""), "{problem}");
}

#[test]
fn groups_and_settings_are_distinguished() {
    insta::assert_snapshot!(problems("task = 5\n[run.target]\nname = 'x'\n[[run.services]]\nname = 'x'\n"), @r#"
    3 problems in the configuration:
      finops.toml:1: task: is a group of settings, not a setting
      finops.toml:2: run.target: expected text, found type table
      finops.toml:4: run.services: expected a list of texts
    "#);
}

#[test]
fn the_later_source_counts_and_each_value_has_its_origin() {
    let file = "[task]\nbatch_rows_max = 1\nbatch_age_max = '1s'\ncodec = 'none'\n\n[broker]\nurl = 'kafka://me:hunter2@b:9092'\n";
    let config = ConfigBuilder::new(ALL)
        .file("finops.toml", file)
        .env([("FINOPS_TASK_BATCH_ROWS_MAX", "2"), ("FINOPS_TASK_BATCH_AGE_MAX", "2m"), ("FINOPS_TASK_FSYNC", "")])
        .env([("FINOPS_BROKER_SASL_PASSWORD", "hunter2"), ("FINOPS_RUN_SERVICES", "a:A, b:B")])
        .flags([flag("--batch-rows-max", "task.batch_rows_max", "3"), flag("--target", "run.target", "acme")])
        .resolve()
        .unwrap();
    assert_eq!(config.get(&ROWS_MAX).unwrap(), 3);
    assert_eq!(config.get(&AGE_MAX).unwrap(), Duration::from_secs(120));
    assert_eq!(config.get(&CODEC).unwrap(), "none");
    assert!(config.get(&FSYNC).unwrap());
    assert_eq!(config.get(&FILE_BYTES).unwrap(), 128_000_000);
    assert_eq!(config.get(&SERVICES).unwrap(), ["a:A", "b:B"]);
    assert_eq!(config.get(&DATA).unwrap(), PathBuf::from("data"));
    assert_eq!(config.get(&BROKERS).unwrap().unwrap(), "kafka://me:hunter2@b:9092");
    assert_eq!(config.get(&PASSWORD).unwrap().unwrap().expose(), "hunter2");
    assert!(!format!("{config:?}{:?}", config.get(&PASSWORD)).contains("hunter2"));
    let table: Vec<_> = config
        .rows()
        .iter()
        .map(|row| format!("{:<24}{:<28}{}", row.key, row.value.as_deref().unwrap_or("-"), row.origin))
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r#"
    broker.sasl_password    ***                         FINOPS_BROKER_SASL_PASSWORD
    broker.url              kafka://me:***@b:9092       finops.toml:7
    data.folder             data                        default
    run.services            a:A,b:B                     FINOPS_RUN_SERVICES
    run.target              acme                        --target
    task.batch_age_max      2m                          FINOPS_TASK_BATCH_AGE_MAX
    task.batch_rows_max     3                           --batch-rows-max
    task.codec              none                        finops.toml:4
    task.file_bytes_target  128MB                       default
    task.fsync              true                        default
    "#);
}

#[test]
fn a_row_says_how_to_change_it() {
    let config = with_file("").unwrap();
    insta::assert_json_snapshot!(config.rows()[6], @r#"
    {
      "key": "task.batch_rows_max",
      "value": "200000",
      "origin": "default",
      "variable": "FINOPS_TASK_BATCH_ROWS_MAX",
      "accepts": "a whole number from 1 to 10000000",
      "help": "rows of a file"
    }
    "#);
    assert_eq!(config.rows()[0].value, None);
}

#[test]
fn a_service_reports_what_only_it_can_see() {
    let config = with_file("\ntask.batch_rows_max = 7\n").unwrap();
    let problem = config.problem(&ROWS_MAX, "must not be below task.rows_min, 10");
    assert_eq!(problem.to_string(), "finops.toml:2: task.batch_rows_max: must not be below task.rows_min, 10");
}

#[test]
fn a_mistake_in_a_table_is_found_by_resolving_it() {
    const TWIN: Setting<bool> = Setting::bool("task.fsync").default("perhaps");
    const GROUP: Setting<bool> = Setting::bool("task").default("true");
    let text = ConfigBuilder::new(&[TASK, &[TWIN.declared(), GROUP.declared()]]).resolve().unwrap_err().to_string();
    insta::assert_snapshot!(text, @r#"
    3 problems in the configuration:
      default: task.fsync: is declared twice, also as task.fsync
      default: task: is also the group of task.batch_rows_max
      default: task.fsync: expected true or false, found "perhaps"
    "#);
    const STRANGER: Setting<bool> = Setting::bool("not.declared");
    let error = with_file("").unwrap().get(&STRANGER).unwrap_err();
    assert_eq!(error.to_string(), "not.declared: is not declared with this type");
}

#[test]
fn dotted_keys_and_tables_are_the_same() {
    for text in
        ["[task]\ncodec = 'none'", "task.codec = 'none'", "task = { codec = 'none' }", "[task]\r\ncodec = 'none'\r\n"]
    {
        assert_eq!(with_file(text).unwrap().get(&CODEC).unwrap(), "none", "{text}");
    }
}
