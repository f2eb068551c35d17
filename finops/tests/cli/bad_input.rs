//! Bad input is answered with one message that names file, place and rule, and with the right exit code; nothing is
//! printed as data and nothing is left behind.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::place::{Place, billing, good};

/// Runs in a place with the files of the cases below, and expects this code and message and no data.
fn check(place: &Place, arguments: &str, code: i32, message: &str) {
    let ended = place.finops(arguments);
    assert_eq!((ended.code, ended.stderr.trim_end()), (Some(code), message), "finops {arguments}");
    assert_eq!(ended.text(), "", "finops {arguments}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn billing_files_that_cannot_be_read() {
    let place = Place::new();
    let sample = std::fs::read(billing()).unwrap();
    let header = &sample[..=sample.iter().position(|b| *b == b'\n').unwrap()];
    place.write("empty.csv", "");
    place.write("empty.csv.gz", gzip(b""));
    place.write("header.csv", header);
    place.write("other.csv", "date,amount\n2026-01-01,5\n");
    place.write(
        "legacy.csv",
        "lineItem/UsageStartDate,lineItem/LineItemType,lineItem/UnblendedCost\n2026-01-01,Usage,5\n",
    );
    place.write("azure.csv", "Date,MeterCategory,CostInBillingCurrency\n2026-01-01,x,5\n");
    std::fs::create_dir(place.path().join("empty")).unwrap();
    let packed = gzip(&sample);
    place.write("cut.csv.gz", &packed[..packed.len() / 2]);
    place.write("text.csv.gz", "not gzip");
    place.write("latin1.csv", [header, b"\xe9\n"].concat());
    let run = |file: &str, message: &str| check(&place, &format!("run --tenant acme --focus {file}"), 65, message);
    run("none.csv", "error: reading billing file none.csv: there is no such file");
    run("empty", "error: billing folder empty holds no CSV, gzip or Parquet file");
    run("empty.csv", "error: billing file empty.csv is empty");
    run("empty.csv.gz", "error: billing file empty.csv.gz is empty");
    run("header.csv", "error: billing file header.csv has a header but no rows");
    run(
        "other.csv",
        "error: cur_format_unknown: billing file other.csv is no FOCUS cost and usage export, no AWS cost and usage report and \
         no other export that is known; columns seen: date, amount; no column is of any dialect; the nearest, FOCUS cost and usage, \
         needs BilledCost, BillingCurrency, ChargeCategory, ChargePeriodStart, SubAccountId or BillingAccountId; export FOCUS \
         1.0 or later, or CUR 2.0",
    );
    run(
        "legacy.csv",
        "error: cur_format_unknown: billing file legacy.csv looks like an AWS cost and usage report but lacks \
         line_item_usage_account_id, without which its figures would be wrong: export all columns of the report (CUR 2.0, or \
         FOCUS 1.0 or later)",
    );
    run(
        "azure.csv",
        "error: cur_format_unknown: billing file azure.csv is an Azure cost export (actual or amortized cost), which is not \
         read; FOCUS cost and usage and AWS cost and usage reports are: create an Azure export of the dataset \"Cost and usage \
         details (FOCUS)\"",
    );
    let cut = place.finops("run --tenant acme --focus cut.csv.gz");
    assert_eq!(cut.code, Some(65), "{cut}");
    assert!(cut.stderr.starts_with("error: billing file cut.csv.gz is a damaged gzip file: "), "{cut}");
    assert!(cut.stderr.contains("after row "), "{cut}");
    let latin1 = place.finops("run --tenant acme --focus latin1.csv");
    assert_eq!(latin1.code, Some(65), "{latin1}");
    assert!(latin1.stderr.starts_with("error: billing file latin1.csv, row 1"), "{latin1}");
    let text = place.finops("run --tenant acme --focus text.csv.gz");
    assert_eq!(text.code, Some(65), "{text}");
}

#[test]
fn what_is_missing_is_reported_before_anything_is_made() {
    let place = Place::new();
    place.write("fine.ndjson", good("acme", "vol-1"));
    check(
        &place,
        "run --tenant acme --findings fine.ndjson none.ndjson",
        65,
        "error: reading findings file none.ndjson: there is no such file",
    );
    check(&place, "contract test none.ndjson", 65, "error: reading findings file none.ndjson: there is no such file");
    for reader in ["findings list --tenant acme", "dlq list", "dlq stats", "exporter once", "verify", "repair"] {
        let why = "error: no data in data: opening store data: No such file or directory (os error 2); `finops run --tenant \
                   TENANT --bill PATH --data data` makes it, or --data names another folder";
        check(&place, reader, 65, why);
    }
    assert_eq!(place.names(), ["fine.ndjson"], "no folder was made");
}

/// One mistake about the whole file is one message, and nothing is made: no record, no manifest, no folder.
#[test]
fn findings_files_of_another_form() {
    let place = Place::new();
    let one = String::from_utf8(good("acme", "vol-1")).unwrap();
    let two = String::from_utf8(good("acme", "vol-2")).unwrap();
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&one).unwrap()).unwrap();
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(one.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("array.json", format!("[{one},{two}]").into(), "is one JSON array"),
        ("pretty.array.json", format!("[\n{pretty},\n{pretty}\n]\n").into(), "is one JSON array"),
        ("array.json.gz", gzip(format!("[{one}]").as_bytes()), "is one JSON array"),
        ("pretty.ndjson", format!("{pretty}\n{pretty}\n").into(), "is pretty-printed"),
        ("comma.ndjson", format!("{one},\n{two},\n").into(), "has a comma after each object"),
        ("one-line.ndjson", format!("{one}{two}").into(), "has several objects on one line"),
        ("utf16.ndjson", utf16, "is text in UTF-16"),
        ("some.zip", b"PK\x03\x04..".to_vec(), "is a zip archive"),
        ("some.parquet", b"PAR1..PAR1".to_vec(), "is a Parquet file"),
        (
            "some.csv",
            b"tenant_id;run_id;status\nacme;r;fail\n".to_vec(),
            "is no JSON: its first line has values with ';'",
        ),
        ("bill.csv", std::fs::read(billing()).unwrap(), "is no JSON: its first line has values with ','"),
        ("text.md", b"# Findings\n\nNone.\n".to_vec(), "is no JSON: it begins with \"# Findings\""),
    ];
    let names: Vec<String> = cases.iter().map(|(name, ..)| (*name).to_owned()).collect();
    place.write("fine.ndjson", good("acme", "vol-1"));
    for (name, content, message) in cases {
        place.write(name, content);
        for command in [format!("run --tenant acme --findings fine.ndjson {name}"), format!("contract test {name}")] {
            let ended = place.finops(&command);
            let start = format!("error: findings file {name} {message}");
            assert!(ended.code == Some(65) && ended.stderr.starts_with(&start), "finops {command}: {ended}");
            assert_eq!((ended.stderr.lines().count(), ended.text().as_str()), (1, ""), "finops {command}: {ended}");
        }
    }
    let mut all: Vec<_> = names.into_iter().chain(["fine.ndjson".to_owned()]).collect();
    all.sort();
    assert_eq!(place.names(), all, "no folder was made");
}

#[test]
fn findings_are_read_packed_and_from_standard_input() {
    let place = Place::new();
    let lines = [good("acme", "vol-1"), good("acme", "vol-2")].join(&b'\n');
    place.write("packed", gzip(&[b"\xef\xbb\xbf", &lines[..]].concat()));
    place.write("one.json", std::fs::read(super::place::repo("schemas/examples/valid/aws_ebs_gp2.json")).unwrap());
    let counts =
        |summary: serde_json::Value| (summary["published"].as_u64().unwrap(), summary["valid"].as_u64().unwrap());
    let ended = place.finops("run --tenant acme --findings packed one.json --output json");
    assert_eq!(counts(ended.json(0)), (3, 3), "{ended}");
    let ended = place.sh("\"$FINOPS\" run --tenant acme --findings - --output json < packed");
    assert_eq!(counts(ended.json(0)), (2, 2), "{ended}");
    let ended = place.sh("echo '[1]' | \"$FINOPS\" run --tenant acme --findings -");
    let why = "error: findings file standard input is one JSON array";
    assert!(ended.code == Some(65) && ended.stderr.starts_with(why), "{ended}");
    check(&place, "run --tenant acme --findings - -", 64, "error: standard input (-) can be read once only");
}

/// Each record is a dead letter: that is bad input, said once, with a command that shows why.
#[test]
fn a_run_of_which_every_record_died_is_bad_input() {
    let place = Place::new();
    let bad =
        |n: u32| String::from_utf8(good("acme", &format!("vol-{n}"))).unwrap().replace("\"medium\"", "\"moderate\"");
    place.write("bad.ndjson", format!("{}\n{}\n{{not json\n", bad(1), bad(2)));
    let ended = place.finops("run --tenant acme --findings bad.ndjson --output json");
    let summary = ended.json(65);
    assert_eq!((&summary["published"], &summary["dead_letters"], &summary["valid"]), (&3.into(), &3.into(), &0.into()));
    let why = "error: no record of the findings files is valid; dead letters 3: bad_json 1, enum 2; for the reasons: finops dlq list --run ";
    assert!(ended.stderr.starts_with(why), "{ended}");
    let next = ended.stderr.trim_end().split("for the reasons: finops ").nth(1).unwrap().to_owned();
    let shown = place.finops(&format!("{next} --output ndjson"));
    assert_eq!(shown.lines(0).len(), 3, "the next command works: {shown}");
    let table = place.finops("run --tenant acme --findings bad.ndjson");
    let next = table.text().lines().last().unwrap().strip_prefix("Next        finops ").unwrap().to_owned();
    assert_eq!(place.finops(&next).code, Some(0), "{next}");

    place.write("partly.ndjson", format!("{}\n{}\n", bad(1), String::from_utf8(good("acme", "vol-9")).unwrap()));
    let partly = place.finops("run --tenant acme --findings partly.ndjson");
    assert_eq!(partly.code, Some(0), "{partly}");
    let next = partly.text().lines().last().unwrap().strip_prefix("Next        finops ").unwrap().to_owned();
    assert!(next.starts_with("findings list --tenant acme "), "{next}");
    assert_eq!(place.finops(&next).code, Some(0), "{next}");
}

/// Findings of other tenants than the run's: what comes next is a command about a tenant that is there.
#[test]
fn the_next_command_names_a_tenant_that_has_findings() {
    let place = Place::new();
    place.write("theirs.ndjson", good("globex", "vol-1"));
    let ended = place.finops("run --tenant acme --findings theirs.ndjson");
    let next = ended.text().lines().last().unwrap().strip_prefix("Next        finops ").unwrap().to_owned();
    assert!(next.starts_with("findings list --tenant globex "), "{ended}");
    assert_eq!(place.finops(&next).code, Some(0), "{next}");
}

#[test]
fn misspelt_members_are_in_the_summary() {
    let place = Place::new();
    let finding = String::from_utf8(good("acme", "vol-1")).unwrap().replace("monthly_savings", "monthly_saving");
    place.write("theirs.ndjson", format!("{finding}\n{finding}\n"));
    let summary = place.finops("run --tenant acme --findings theirs.ndjson --output json").json(0);
    let expected = "estimated.monthly_saving is no member of the contract and is ignored; nearest is estimated.monthly_savings (2 record(s))";
    assert_eq!(summary["members_misspelt"], serde_json::json!([expected]));
}

#[test]
fn a_findings_file_without_a_record_is_named() {
    let place = Place::new();
    place.write("nothing.ndjson", "\n\n");
    let ended = place.finops("run --tenant acme --findings nothing.ndjson");
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(ended.text().contains("\n            nothing.ndjson has no record\n"), "{ended}");
}

#[test]
fn a_default_currency_that_is_none_is_a_configuration_problem() {
    let place = Place::new();
    place.write("finops.toml", "run.default_currency = 'EURO'\n");
    place.write("fine.ndjson", good("acme", "vol-1"));
    let ended = place.finops("run --tenant acme --findings fine.ndjson");
    assert_eq!(ended.code, Some(78), "{ended}");
    assert!(ended.stderr.contains("run.default_currency") && ended.stderr.contains("ISO 4217"), "{ended}");
}

#[test]
fn names_that_do_not_exist() {
    let place = Place::new();
    place.write("fine.ndjson", good("acme", "vol-1"));
    let not_allowed = "is not allowed: it must start with a letter or digit and hold at most 63 letters, digits, dots, \
                       underscores or hyphens";
    check(&place, "run --tenant ../x --findings fine.ndjson", 64, &format!("error: tenant \"../x\" {not_allowed}"));
    check(
        &place,
        "run --tenant acme --checker checks.aws.s3_lifecycle_mising:S3LifecycleMissingChecker",
        64,
        "error: unknown checker \"checks.aws.s3_lifecycle_mising:S3LifecycleMissingChecker\"; closest: \
         checks.aws.s3_lifecycle_missing:S3LifecycleMissingChecker, \
         checks.focus.licence_windows:LicenceWindowsChecker, checks.focus.tags_missing:TagsMissingChecker",
    );
    check(
        &place,
        "checkers explain ipv4",
        64,
        "error: unknown checker \"ipv4\"; closest: focus.ipv4.idle, focus.ipv4.in.use, focus.compute.generation.previous",
    );
    check(
        &place,
        "run --tenant acme",
        64,
        "error: nothing to do: give bills (--bill), findings (--findings) or a checker (--checker)",
    );
    assert_eq!(place.finops("run --tenant acme --findings fine.ndjson").code, Some(0));
    let illegal = "error: tenant \"../x\" is not a legal tenant id: expected [a-z0-9][a-z0-9._-]{0,62}";
    check(&place, "findings list --tenant ../x", 64, illegal);
    check(&place, "exporter once --tenant ../x", 64, illegal);
    let unknown = "error: tenant \"other\" not found in the input; tenants here: acme";
    check(&place, "findings list --tenant other", 65, unknown);
    check(&place, "findings show --tenant other 0123456789", 65, unknown);
    check(&place, "exporter once --tenant other", 65, unknown);
    check(
        &place,
        "findings show --tenant acme 0123456789",
        65,
        "error: tenant acme has no finding whose id or fingerprint begins with \"0123456789\"; `finops findings list --tenant \
         acme --data data` lists them",
    );
    check(
        &place,
        "dlq show x/0/1",
        65,
        "error: there is no dead letter of source x/0/1; `finops dlq list --data data` lists what there is",
    );
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let place = Place::new();
    for arguments in [
        "",
        "frobnicate",
        "run",
        "run --tenant",
        "run --tenant acme --focus",
        "run --tenant acme --frobnicate",
        "run --tenant acme --finding-id-mode sometimes --findings x",
        "findings list",
        "contract test - --kind guess",
        "contract test - --output csv",
        "config show --output yaml",
        "completions tcsh",
    ] {
        let ended = place.finops(arguments);
        assert_eq!((ended.code, ended.text().as_str()), (Some(64), ""), "finops {arguments}: {ended}");
        assert!(!ended.stderr.is_empty(), "finops {arguments}");
    }
    insta::assert_snapshot!(place.finops("fidnings list"), @"
    exit Some(64)
    stderr:
    error: unrecognized subcommand 'fidnings'

      tip: a similar subcommand exists: 'findings'

    Usage: finops [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

/// Longer than what the broker holds, between two lines that are fine.
#[test]
fn a_line_of_100_mb_is_left_out_and_named() {
    let place = Place::new();
    let long = [b"{\"x\":\"".as_slice(), &vec![b'a'; 100_000_000], b"\"}"].concat();
    place.write("long.ndjson", [&good("acme", "vol-1")[..], b"\n", &long, b"\n", &good("acme", "vol-2")].concat());
    let ended = place.finops("run --tenant acme --findings long.ndjson --output json");
    let summary = ended.json(65);
    assert_eq!((&summary["published"], &summary["valid"]), (&2.into(), &2.into()), "{ended}");
    let named = summary["lines_unpublished"][0].as_str().unwrap();
    let start = "long.ndjson, line 2: 100000008 bytes are more than a record may have; not published (sha256 ";
    assert!(named.starts_with(start), "{named}");
}

/// Room for the files in the data folder.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn many(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| [good("acme", &format!("vol-{i}")), b"\n".to_vec()].concat()).collect()
}

#[test]
fn no_room_on_the_disk_is_named_and_loses_nothing() {
    let place = Place::new();
    let data = place.path().join("data");
    let Some(_disk) = SmallDisk::mount(&data, "size=1m") else {
        tests::skip::because("mounting a small file system needs root");
        return;
    };
    place.write("many.ndjson", many(3_000));
    check(
        &place,
        "run --tenant acme --findings many.ndjson",
        74,
        "error: publishing to finops.findings.wire: appending 3000 records: no space left on the broker's disk \
         (data/broker.sqlite)",
    );
    let grown = Command::new("mount").args(["-o", "remount,size=100m"]).arg(&data).status().unwrap();
    assert!(grown.success());
    assert_eq!(place.finops("run --tenant acme --findings many.ndjson").code, Some(0));
    let verified = place.finops("verify --output json").json(0);
    assert_eq!(verified["findings_rows"], 3_000, "{verified}");
}

#[test]
fn a_broker_that_may_not_grow_refuses_and_says_so() {
    let place = Place::new();
    place.write("many.ndjson", many(3_000));
    place.write("finops.toml", "broker.bytes_max = '1MiB'\n");
    let ended = place.finops("run --tenant acme --findings many.ndjson");
    assert_eq!(ended.code, Some(74), "{ended}");
    let why =
        "error: publishing to finops.findings.wire: appending: no space left on the broker's disk (data/broker.sqlite)";
    assert_eq!(ended.stderr.trim_end(), why);
    place.write("finops.toml", "");
    assert_eq!(place.finops("run --tenant acme --findings many.ndjson").code, Some(0));
}
