//! What can be said without asking broker or store.

use std::net::ToSocketAddrs;
use std::path::Path;

use platform::service::Until;

use super::{Check, permissions};
use crate::ports;
use crate::resources::{existing, folders, free_bytes};
use crate::settings::Settings;

/// Below this a folder is as good as full.
const SPACE_FAIL_BYTES: u64 = 100 << 20;
/// Below this it will soon be.
const SPACE_WARN_BYTES: u64 = 2 << 30;

pub fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![
        Check::ok("version", env!("CARGO_PKG_VERSION")),
        Check::ok("configuration", "every setting can be read; `finops config show` lists them"),
        policy(settings),
        batches(settings),
    ];
    checks.extend(listen(settings));
    checks.extend(folders(settings).into_iter().map(|(name, folder)| space(disk(name), folder)));
    checks.extend(permissions::of(&settings.data, settings.readers));
    checks
}

fn policy(settings: &Settings) -> Check {
    const NAME: &str = "producer policy";
    let file = settings.producers.as_ref().map(|path| path.display().to_string());
    match (ports::validator_config(settings, Until::Shutdown), file) {
        (Ok(_), Some(file)) => Check::ok(NAME, file),
        (Ok(_), None) => Check::ok(NAME, "none: only our own producers may send"),
        (Err(failure), _) => {
            Check::fail(NAME, failure.message(), "mend the file that validator.producers names").of_configuration()
        }
    }
}

fn batches(settings: &Settings) -> Check {
    const NAME: &str = "sink limits";
    let limits = &settings.sink_limits;
    if limits.memory_bytes_max < limits.file_bytes_target {
        return Check::warn(
            NAME,
            "sink.memory_bytes_max is below sink.file_bytes_target: files never reach their size",
            "give the sink more memory or aim at smaller files",
        );
    }
    Check::ok(NAME, "memory for at least one whole file")
}

fn listen(settings: &Settings) -> Option<Check> {
    const NAME: &str = "http.listen";
    let address = settings.http_listen.as_ref()?;
    let is_open = address.to_socket_addrs().map(|mut all| all.any(|address| !address.ip().is_loopback()));
    Some(match is_open {
        Ok(true) => Check::warn(
            NAME,
            format!("{address}: every host that reaches this machine reads health and metrics"),
            "let only the scraper through, by network policy or firewall",
        ),
        Ok(false) => Check::ok(NAME, address),
        Err(error) => Check::fail(NAME, format!("{address}: {error}"), "write host:port").of_configuration(),
    })
}

/// The check's name for the disk of a folder.
fn disk(folder: &str) -> &'static str {
    match folder {
        "data.dir" => "disk of data.dir",
        "store" => "disk of the store",
        "export.dir" => "disk of export.dir",
        _ => "disk of store.cache.dir",
    }
}

/// Room where the folder is, or will be.
fn space(name: &'static str, folder: &Path) -> Check {
    let there = existing(folder);
    let free = match free_bytes(folder) {
        Ok(free) => free,
        Err(error) => return Check::warn(name, format!("{}: {error}", there.display()), "look whether it is mounted"),
    };
    let found = format!("{}: {} MiB free", there.display(), free >> 20);
    match free {
        0..SPACE_FAIL_BYTES => Check::fail(name, found, "make room: nothing can be written any more"),
        SPACE_FAIL_BYTES..SPACE_WARN_BYTES => Check::warn(name, found, "make room soon"),
        // How much it is changes with every write, and a report that can be compared says nothing of it.
        _ => Check::ok(name, format!("{}: room enough", there.display())),
    }
}
