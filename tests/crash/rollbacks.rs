//! The broker is rolled back: it is restored from an older copy and gets other records, past its old end, so that no offset gives it away.
//! Nothing is written then until the way out of docs/backup.md was taken; what still exists, in the store or on the broker, ends in
//! one row. Embedded only: on Kafka all attacks share a
//! cluster, which this would restart with other records; there, the same is done to one partition in `tests/tests/kafka_resend.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use tests::attack::battle::note;
use tests::attack::fault::{Deed, Fault};
use tests::attack::load::Load;
use tests::attack::oracle;
use tests::attack::program;
use tests::attack::reader::Reader;
use tests::attack::site::{Site, SiteKind};

at_each_site!(the_broker_is_rolled_back);

const VALIDATE: &[&str] = &["validator", "run", "--drain"];
const SINK: &[&str] = &["sink", "run", "--drain"];

fn broker_files(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("broker.sqlite")).collect()
}

/// Replaces the broker's files by those of another folder.
fn copy(from: &Path, to: &Path) {
    broker_files(to).iter().for_each(|old| fs::remove_file(old).unwrap());
    for file in broker_files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

fn the_broker_is_rolled_back(kind: SiteKind) {
    let copies = tempfile::tempdir().unwrap();
    let mut site = Site::open(kind);
    assert!(Load::new(&site).publish(300));
    for command in [VALIDATE, SINK] {
        let _ = program::done(&site, command);
    }
    site.with_broker_closed(|folder| copy(folder, copies.path()));
    assert!(Load::new(&site).from(300).publish(300));
    for command in [VALIDATE, SINK] {
        let _ = program::done(&site, command);
    }
    let mut produced = oracle::produced(&site, None);
    site.with_broker_closed(|folder| copy(copies.path(), folder));

    let reader = Reader::start(&site, true);
    assert!(Load::new(&site).from(600).publish(600));
    let _ = program::done(&site, VALIDATE);
    let (code, said) = program::refused(&site, SINK);
    assert_eq!(code, 74, "{said}");
    assert!(said.contains("was rolled back") && said.contains("docs/backup.md"), "{said}");
    let report = program::verify(&site);
    assert!(report["problems"].to_string().contains("rolled_back"), "verify does not see it: {report:#}");
    let _ = program::done(&site, &["topics", "recreate"]);
    // Under positions of their own, which dead letters are known by.
    let carried = oracle::produced(&site, None);
    assert_eq!(carried.values().map(Vec::len).sum::<usize>(), 600, "what is no row is carried over, and nothing else");
    assert!(carried.keys().all(|key| !produced.contains_key(key)));
    produced.extend(carried);
    for command in [VALIDATE, SINK] {
        let _ = program::done(&site, command);
    }
    let _ = reader.end();
    let count = oracle::judge_rows(&site, &produced, 0);
    note(
        Fault::Deed(Deed::BrokerRolledBack),
        &site,
        0,
        None,
        &count,
        "stops; after `finops topics recreate` what the store or the broker still has is there once",
    );
}
