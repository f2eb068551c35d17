//! The store: every operation that services need is tried once, on objects of doctor's own that are removed again.

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use contracts::layout;
use platform::clock::{Clock, SystemClock};
use platform::store::s3::{S3Settings, S3Store};
use platform::store::{PutOutcome, ReplaceOutcome, Staged, Store, StoreError};
use uuid::Uuid;

use super::{Check, NOT_YET, broker, within};
use crate::ports;
use crate::scratch::is_writable;
use crate::settings::Settings;

/// Folder of what is written here.
const FOLDER: &str = "_doctor";
/// A clock further off than this makes ages and run dates wrong.
const CLOCK_WARN_MS: u64 = 5_000;
const CLOCK_FAIL_MS: u64 = 300_000;

const STORE: &str = "store";
const STAGING: &str = "staged files";
const CLEANING: &str = "store cleaning";

const ADVICE: &str =
    "look at address, credentials and permissions: put, get, list, delete and multipart upload are needed";

fn failed(name: &'static str, error: &StoreError) -> Check {
    Check::fail(name, error.to_string(), ADVICE)
}

/// The store; `None` when nothing was ever written there.
pub fn open(settings: &Settings, timeout: Duration) -> Result<Option<Arc<dyn Store>>, Check> {
    let (s3, root) = (settings.s3.clone(), settings.root.clone());
    match within(STORE, timeout, move || ports::existing_store(s3, &root))? {
        Ok(store) => Ok(Some(store)),
        Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(STORE, &error)),
    }
}

/// Of a place that is no store yet. What a bucket's service can do is tried beside it, in a store of doctor's own: the place
/// itself may be mistyped.
pub fn not_yet(settings: &Settings, timeout: Duration) -> Vec<Check> {
    let mut checks = vec![Check::warn(STORE, format!("no data in {}", settings.store_location()), NOT_YET)];
    if let Some(s3) = settings.s3.clone() {
        let prefix = [&*s3.prefix, FOLDER].join("/").trim_start_matches('/').to_owned();
        let beside = S3Settings { prefix, ..s3 };
        checks.extend(match within(STORE, timeout, move || S3Store::open(beside, layout::SINK)) {
            Ok(Ok(store)) => self::checks(&(Arc::new(store) as Arc<dyn Store>), timeout),
            Ok(Err(error)) => vec![failed(STORE, &error)],
            Err(late) => vec![late],
        });
    }
    checks
}

/// True of a folder that this user may not write to. What a bucket allows only a try can tell.
pub fn is_only_read(settings: &Settings) -> bool {
    settings.s3.is_none() && !is_writable(&settings.root)
}

pub fn only_read(settings: &Settings) -> Check {
    Check::warn(STORE, broker::only_read(&settings.root), broker::SERVICES_WRITE)
}

pub fn checks(store: &Arc<dyn Store>, timeout: Duration) -> Vec<Check> {
    let name = format!("{FOLDER}/{}", Uuid::new_v4().simple());
    let (written, staged) = (format!("{name}.json"), format!("{name}.staged"));
    let (path, target) = (written.clone(), staged.clone());
    let mut checks = ask(store, STORE, timeout, move |store| of_objects(store, &path));
    checks.extend(ask(store, STAGING, timeout, move |store| of_staging(store, &target)));
    checks.extend(ask(store, CLEANING, timeout, move |store| {
        // The last one marks the store of `not_yet`, which has ended its work when there is another.
        let mark = format!("{FOLDER}/_store.json");
        [written, staged, mark].iter().try_for_each(|path| store.delete(path)).map(|()| Vec::new())
    }));
    checks
}

fn ask(
    store: &Arc<dyn Store>,
    name: &'static str,
    timeout: Duration,
    look: impl FnOnce(&dyn Store) -> Result<Vec<Check>, StoreError> + Send + 'static,
) -> Vec<Check> {
    let store = store.clone();
    match within(name, timeout, move || look(&*store)) {
        Ok(looked) => looked.unwrap_or_else(|error| vec![failed(name, &error)]),
        Err(late) => vec![late],
    }
}

fn of_objects(store: &dyn Store, path: &str) -> Result<Vec<Check>, StoreError> {
    let before_ms = SystemClock.now_ms();
    let (first, second) = (store.put_if_absent(path, b"{}")?, store.put_if_absent(path, b"[]")?);
    let is_kept = store.get(path)?.is_some_and(|bytes| &*bytes == b"{}");
    let entries = store.list(FOLDER)?;
    let mut checks = vec![Check::ok(STORE, format!("{} can be written, read and listed", store.location()))];
    if !keeps_what_was_replaced(store, path)? {
        checks.push(
            Check::fail(
                "conditional replace",
                "an object was replaced that was not the expected one",
                "use a store with conditional writes (If-Match): without it manifests would overwrite each other",
            )
            .of_configuration(),
        );
    }
    checks.push(if (first, second) == (PutOutcome::Created, PutOutcome::Exists) && is_kept {
        Check::ok("put-if-absent", "the second of two writers was refused because the first was there")
    } else {
        Check::fail(
            "put-if-absent",
            format!("{first:?}, then {second:?}: this store lets two writers take one name"),
            "use a store with conditional writes (If-None-Match): without it rows would be lost or doubled",
        )
        .of_configuration()
    });
    if let Some(entry) = entries.iter().find(|entry| entry.path == path) {
        checks.push(clock(before_ms, entry.modified_ms));
    }
    Ok(checks)
}

/// A version that was replaced must not be replaced once more.
fn keeps_what_was_replaced(store: &dyn Store, path: &str) -> Result<bool, StoreError> {
    let Some((_, first)) = store.get_versioned(path)? else { return Ok(false) };
    store.replace(path, b"[1]", Some(&first))?;
    let again = store.replace(path, b"[2]", Some(&first))?;
    Ok(again == ReplaceOutcome::Conflict && store.get(path)?.is_some_and(|bytes| &*bytes == b"[1]"))
}

/// What a sink does with a file: it publishes one, gives one up, and looks for those of others that no sink will publish.
fn of_staging(store: &dyn Store, target: &str) -> Result<Vec<Check>, StoreError> {
    store.publish(&stage(store, target)?)?;
    store.discard(&stage(store, target)?)?;
    store.staged()?;
    Ok(vec![Check::ok(STAGING, "one could be published, another given up")])
}

fn stage(store: &dyn Store, target: &str) -> Result<Staged, StoreError> {
    let mut write = store.stage(target)?;
    write.write_all(b"{}").map_err(|error| StoreError::io("staging", target, error))?;
    write.finish()
}

fn clock(ours_ms: i64, theirs_ms: i64) -> Check {
    const NAME: &str = "clock";
    let off_ms = ours_ms.abs_diff(theirs_ms);
    let found = format!("{off_ms} ms between this machine and the store");
    const ADVICE: &str = "let NTP set the clock: ages, run dates and the sweep of old staging depend on it";
    match off_ms {
        0..CLOCK_WARN_MS => Check::ok(NAME, "this machine and the store agree"),
        CLOCK_WARN_MS..CLOCK_FAIL_MS => Check::warn(NAME, found, ADVICE),
        _ => Check::fail(NAME, found, ADVICE),
    }
}
