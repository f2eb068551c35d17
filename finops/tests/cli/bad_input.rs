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
    let packed = gzip(&sample);
    place.write("cut.csv.gz", &packed[..packed.len() / 2]);
    place.write("text.csv.gz", "not gzip");
    place.write("latin1.csv", [header, b"\xe9\n"].concat());
    let run = |file: &str, message: &str| check(&place, &format!("run --tenant acme --focus {file}"), 65, message);
    run("none.csv", "error: reading billing file none.csv: No such file or directory (os error 2)");
    run(".", "error: reading billing file .: is a directory");
    run("empty.csv", "error: billing file empty.csv is empty");
    run("empty.csv.gz", "error: billing file empty.csv.gz is empty");
    run("header.csv", "error: billing file header.csv has a header but no rows");
    run(
        "other.csv",
        "error: cur_format_unknown: billing file other.csv is neither a FOCUS export nor an AWS cost and usage report; \
         columns seen: date, amount",
    );
    run(
        "legacy.csv",
        "error: billing file legacy.csv is an AWS cost and usage report (legacy): not yet supported; export FOCUS 1.0 or \
         later instead",
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
fn what_is_missing_is_told_before_anything_is_made() {
    let place = Place::new();
    place.write("fine.ndjson", good("acme", "vol-1"));
    check(
        &place,
        "run --tenant acme --findings fine.ndjson none.ndjson",
        65,
        "error: reading findings file none.ndjson: No such file or directory (os error 2)",
    );
    check(
        &place,
        "contract test none.ndjson",
        65,
        "error: reading none.ndjson: No such file or directory (os error 2)",
    );
    for reader in ["findings list --tenant acme", "dlq list", "dlq stats", "exporter once", "verify", "repair"] {
        let why = "error: no data in data: opening store data: No such file or directory (os error 2)";
        check(&place, reader, 65, why);
    }
    assert_eq!(place.names(), ["fine.ndjson"], "no folder was made");
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
         checks.aws.s3_lifecycle_missing:S3LifecycleMissingChecker, checks.focus.tags_missing:TagsMissingChecker, \
         checks.focus.credit_masking:CreditMaskingChecker",
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
        "error: nothing to do: give billing files (--focus), findings (--findings) or a checker (--checker)",
    );
    assert_eq!(place.finops("run --tenant acme --findings fine.ndjson").code, Some(0));
    let illegal = "error: tenant \"../x\" is not a legal tenant id: expected [a-z0-9][a-z0-9._-]{0,62}";
    check(&place, "findings list --tenant ../x", 64, illegal);
    check(&place, "exporter once --tenant ../x", 64, illegal);
    check(&place, "findings list --tenant other", 65, "error: tenant \"other\" not found in the input");
    check(&place, "exporter once --tenant other", 65, "error: tenant \"other\" not found in the input");
    check(&place, "findings show --tenant acme 0123456789", 65, "error: tenant acme has no finding 0123456789");
    check(&place, "dlq show x/0/1", 65, "error: there is no dead letter of source x/0/1");
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
