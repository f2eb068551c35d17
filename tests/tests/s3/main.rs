//! The S3 store against real S3 servers, and against what networks and overloaded services do to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bills;
mod buckets;
mod odd;
mod uploads;

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use contracts::layout;
use platform::config::ConfigBuilder;
use platform::store::conformance::CASES;
use platform::store::s3::{S3Settings, S3Store, SETTINGS};
use platform::store::{Lease, Object, Published, PutOutcome, ReplaceOutcome, Staged, Store, StoreError};
use sha2::{Digest, Sha256};
use tests::attack::program;
use tests::proxy::{Fault, Proxy, s3_error};
use tests::s3::gateway::Gateway;
use tests::s3::{S3Server, own_variables, variables};

/// A server with a proxy before it and a store behind both.
struct World {
    proxy: Proxy,
    settings: S3Settings,
    store: S3Store,
    _folder: tempfile::TempDir,
}

fn world() -> World {
    let server = S3Server::shared();
    world_of(&server.url(), |folder| server.bucket("finops", folder))
}

fn world_of(url: &str, bucket: impl FnOnce(&Path) -> S3Settings) -> World {
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::before(url);
    let settings = S3Settings { endpoint: Some(proxy.url()), ..bucket(folder.path()) };
    let store = S3Store::open(settings.clone(), layout::SINK).unwrap();
    World { proxy, settings, store, _folder: folder }
}

/// One of each server.
fn worlds() -> Vec<World> {
    let mut worlds = vec![world()];
    if let Some(gateway) = Gateway::shared()
        && let Some(server) = gateway.server()
    {
        worlds.push(world_of(&server.url(), |folder| gateway.bucket(folder)));
    }
    worlds
}

fn stage(store: &dyn Store, target: &str, bytes: &[u8]) -> Staged {
    let mut writer = store.stage(target).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend(state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

#[test]
fn keeps_every_promise_of_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = S3Server::shared().store(folder.path());
    CASES.iter().for_each(|case| case.run(&store));
}

#[test]
fn keeps_every_promise_of_a_store_on_another_server() {
    let Some(gateway) = Gateway::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = S3Store::open(gateway.bucket(folder.path()), layout::SINK).unwrap();
    CASES.iter().for_each(|case| case.run(&store));
}

#[test]
fn a_service_without_put_if_absent_is_refused() {
    // One that checks signatures would miss the header.
    let world = world();
    world.proxy.plan("PUT", "/_store.json", u32::MAX, Fault::ForgetHeader("if-none-match".into()));
    let error = S3Store::open(world.settings.clone(), layout::SINK).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    let text = error.to_string();
    let place = format!("proving put-if-absent in {}", world.store.location());
    for part in [&place, &world.proxy.url(), "created twice", "Use a service"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    world.proxy.clear();
    assert_eq!(S3Store::open(world.settings.clone(), layout::SINK).unwrap().id(), world.store.id());
}

#[test]
fn a_service_without_conditional_replace_is_refused() {
    let world = world();
    world.proxy.plan("PUT", "/_store.json", u32::MAX, Fault::ForgetHeader("if-match".into()));
    let error = S3Store::open(world.settings.clone(), layout::SINK).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    let text = error.to_string();
    let place = format!("proving conditional replace in {}", world.store.location());
    for part in [&place, &world.proxy.url(), "not the expected one", "`If-Match`", "Use a service"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    world.proxy.clear();
    assert_eq!(
        S3Store::open(world.settings.clone(), layout::SINK).unwrap().id(),
        world.store.id(),
        "the proof changed nothing"
    );
}

/// One that was exchanged or reconfigured under a running process.
#[test]
fn a_service_that_stops_keeping_conditions_is_noticed_before_the_next_write() {
    let world = world();
    let often = S3Settings { prove_every: Duration::ZERO, ..world.settings.clone() };
    let store = S3Store::open(often, layout::SINK).unwrap();
    assert_eq!(store.put_if_absent("a", b"1").unwrap(), PutOutcome::Created);
    let (_, first) = store.get_versioned("a").unwrap().unwrap();
    for header in ["if-none-match", "if-match"] {
        world.proxy.plan("PUT", "/finops/", u32::MAX, Fault::ForgetHeader(header.into()));
        let refused =
            |outcome: String| assert!(outcome.contains("Refused") && outcome.contains("proving"), "{outcome}");
        refused(format!("{:?}", store.put_if_absent("a", b"2")));
        refused(format!("{:?}", store.replace("a", b"2", Some(&first))));
        world.proxy.clear();
        assert_eq!(store.put_if_absent("a", b"2").unwrap(), PutOutcome::Exists);
        assert_eq!(&*store.get("a").unwrap().unwrap(), b"1", "nothing was written");
    }
    // Otherwise only now and then.
    let before = world.proxy.count("PUT", "/_store.json");
    world.store.put_if_absent("b", b"1").unwrap();
    assert_eq!(world.proxy.count("PUT", "/_store.json"), before);
}

#[test]
fn a_lost_answer_to_a_replace_ends_as_replaced() {
    for world in worlds() {
        world.store.put("manifest", b"first").unwrap();
        let (_, first) = world.store.get_versioned("manifest").unwrap().unwrap();
        world.proxy.plan("PUT", "/manifest", 1, Fault::LoseAnswer);
        assert_eq!(world.store.replace("manifest", b"second", Some(&first)).unwrap(), ReplaceOutcome::Replaced);
        assert_eq!(world.proxy.count("PUT", "/manifest"), 3, "the put, the write, and the write again");
        // Another process that writes the same bytes is still another process.
        assert_eq!(world.store.replace("manifest", b"second", Some(&first)).unwrap(), ReplaceOutcome::Conflict);
        assert_eq!(&*world.store.get("manifest").unwrap().unwrap(), b"second");
    }
}

#[test]
fn a_service_that_says_it_knows_no_conditions_is_refused() {
    let world = world();
    world.proxy.plan("PUT", "/_store.json", u32::MAX, Fault::Answer(501, s3_error("NotImplemented")));
    let error = S3Store::open(world.settings.clone(), layout::SINK).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
}

#[test]
fn a_lost_answer_to_put_if_absent_ends_as_created() {
    for world in worlds() {
        world.proxy.plan("PUT", "/chain/1", 1, Fault::LoseAnswer);
        assert_eq!(world.store.put_if_absent("chain/1", b"ours").unwrap(), PutOutcome::Created);
        assert_eq!(world.proxy.count("PUT", "/chain/1"), 2, "the second was answered with 412");
        assert_eq!(
            world.store.put_if_absent("chain/1", b"ours").unwrap(),
            PutOutcome::Exists,
            "equal bytes, another write"
        );
    }
}

#[test]
fn when_no_answer_comes_at_all_the_object_tells() {
    for world in worlds() {
        world.proxy.plan("PUT", "/chain/1", u32::MAX, Fault::LoseAnswer);
        let error = world.store.put_if_absent("chain/1", b"ours").unwrap_err();
        assert!(error.is_retriable(), "{error:?}");
        assert_eq!(world.store.get("chain/1").unwrap().unwrap(), "ours");
    }
}

#[test]
fn two_that_met_are_asked_to_try_again() {
    for world in worlds() {
        world.proxy.plan("PUT", "/chain/1", 3, Fault::Answer(409, s3_error("ConditionalRequestConflict")));
        assert_eq!(world.store.put_if_absent("chain/1", b"ours").unwrap(), PutOutcome::Created);
    }
}

#[test]
fn an_overloaded_service_is_asked_again() {
    for world in worlds() {
        world.proxy.plan("PUT", "/slow/1", 2, Fault::Answer(503, s3_error("SlowDown")));
        world.proxy.plan("PUT", "/slow/1", 2, Fault::Answer(500, s3_error("InternalError")));
        assert_eq!(world.store.put_if_absent("slow/1", b"x").unwrap(), PutOutcome::Created);
        world.proxy.plan("GET", "/slow/1", 2, Fault::CutAnswer(200));
        world.proxy.plan("GET", "/slow/1", 1, Fault::LoseRequest);
        assert_eq!(world.store.get("slow/1").unwrap().unwrap(), "x");
        world.proxy.plan("", "slow", u32::MAX, Fault::Answer(503, s3_error("SlowDown")));
        let error = world.store.put("slow/2", b"x").unwrap_err();
        assert!(error.is_retriable(), "{error:?}");
        assert!(
            error.to_string().starts_with(&format!("writing {}/slow/2: SlowDown: planned", world.store.location())),
            "{error}"
        );
    }
}

#[test]
fn a_silent_service_does_not_hang_the_store() {
    let world = world();
    let settings =
        S3Settings { attempts_max: 2, attempt_timeout: Duration::from_millis(300), ..world.settings.clone() };
    let store = S3Store::open(settings, layout::SINK).unwrap();
    world.proxy.plan("", "silent", u32::MAX, Fault::Hang);
    let began = Instant::now();
    let error = store.get("silent/1").unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(error.is_retriable() && error.to_string().contains("silent/1"), "{error}");
}

#[test]
fn an_answer_that_stalls_is_asked_for_again() {
    let world = world();
    let settings = S3Settings { attempt_timeout: Duration::from_millis(300), ..world.settings.clone() };
    let store = S3Store::open(settings, layout::SINK).unwrap();
    let bytes = noise(100_000);
    store.put("stalling/1", &bytes).unwrap();
    world.proxy.plan("GET", "stalling/1", 2, Fault::StallAnswer(50_000));
    let began = Instant::now();
    assert!(store.get("stalling/1").unwrap().unwrap() == bytes);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    world.proxy.plan("GET", "stalling/1", u32::MAX, Fault::StallAnswer(50_000));
    let error = store.get("stalling/1").unwrap_err();
    assert!(error.is_retriable(), "{error:?}");
}

#[test]
fn a_service_that_is_not_there_is_named() {
    let world = world();
    let nowhere = Some("http://127.0.0.1:9".to_owned());
    let settings = S3Settings { endpoint: nowhere, attempts_max: 2, ..world.settings.clone() };
    let error = S3Store::open(settings, layout::SINK).unwrap_err();
    assert!(error.is_retriable(), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("reading s3://") && text.contains("Connection refused"), "{text}");
}

/// Not a test of its own: says how a store without credentials refuses.
#[test]
fn child_without_credentials() {
    let config = ConfigBuilder::new(&[SETTINGS]).env(own_variables()).resolve().unwrap();
    let Some(settings) = S3Settings::from_config(&config, Path::new("cache")).unwrap() else { return };
    let error = S3Store::open(settings, layout::SINK).unwrap_err();
    println!("is denied: {}, {error}", matches!(error, StoreError::Denied { .. }));
}

#[test]
fn without_credentials_it_says_so() {
    let world = world();
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_without_credentials", "--nocapture"]).env_clear();
    let own = variables(&world.settings).into_iter().filter(|(name, _)| !name.contains("ACCESS_KEY"));
    command.envs(own).env("AWS_EC2_METADATA_DISABLED", "true");
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(
        said.contains("is denied: true, reading s3://") && said.contains("no credentials were found in environment"),
        "{said}"
    );
}

#[test]
fn a_store_of_the_future_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = S3Server::shared().bucket("finops", folder.path());
    let identity = br#"{"format_version":2,"store_id":"x"}"#;
    let put = S3Server::shared().request("PUT", &format!("/{}/finops/_store.json", settings.bucket), identity);
    assert!(put.starts_with("HTTP/1.1 200"), "{put}");
    let error = S3Store::open(settings, layout::SINK).unwrap_err().to_string();
    assert!(error.contains("_store.json: format 2 is newer than this program"), "{error}");
}

#[test]
fn refused_credentials_and_buckets_stop_with_what_was_refused() {
    let world = world();
    let check = |status: u16, code: &str, is_expected: fn(&StoreError) -> bool| {
        world.proxy.clear();
        world.proxy.plan("", "", u32::MAX, Fault::Answer(status, s3_error(code)));
        let before = world.proxy.seen().len();
        let error = world.store.put_if_absent("data/1", b"x").unwrap_err();
        assert!(is_expected(&error) && !error.is_retriable(), "{code}: {error:?}");
        assert!(
            error.to_string().starts_with(&format!("writing {}/data/1: {code}: planned", world.store.location())),
            "{error}"
        );
        assert_eq!(world.proxy.seen().len(), before + 1, "{code}: trying again mends nothing");
        let opened = S3Store::open(world.settings.clone(), layout::SINK).unwrap_err();
        assert!(is_expected(&opened), "{opened:?}");
        let finished = world.store.stage("data/1").unwrap().finish();
        assert!(is_expected(&finished.unwrap_err()));
    };
    check(403, "AccessDenied", |error| matches!(error, StoreError::Denied { .. }));
    check(403, "InvalidAccessKeyId", |error| matches!(error, StoreError::Denied { .. }));
    check(404, "NoSuchBucket", |error| matches!(error, StoreError::Refused { .. }));
    check(301, "PermanentRedirect", |error| matches!(error, StoreError::Refused { .. }));
}

#[test]
fn a_prefix_is_a_store_of_its_own() {
    for world in worlds() {
        let other = S3Store::open(S3Settings { prefix: "finops/other".into(), ..world.settings.clone() }, layout::SINK)
            .unwrap();
        assert_ne!(other.id(), world.store.id());
        world.store.put("data/1", b"1").unwrap();
        other.put("data/1", b"2").unwrap();
        let staged = stage(&other, "data/2", b"3");
        assert_eq!(world.store.get("data/1").unwrap().unwrap(), "1");
        assert_eq!(
            other.list("").unwrap().iter().map(|e| e.path.as_str()).collect::<Vec<_>>(),
            ["_store.json", "data/1"]
        );
        let same =
            S3Store::open_existing(S3Settings { prefix: "finops/other".into(), ..world.settings.clone() }).unwrap();
        assert_eq!((same.id(), same.location()), (other.id(), format!("{}/other", world.store.location())));
        assert_eq!(same.publish(&staged).unwrap(), Published::Done);
    }
}

#[test]
fn opening_an_existing_store_creates_nothing() {
    let world = world();
    let typo = S3Settings { prefix: "fniops".into(), ..world.settings.clone() };
    let error = S3Store::open_existing(typo).unwrap_err().to_string();
    let place = format!("s3://{}/fniops", world.settings.bucket);
    assert_eq!(error, format!("opening store {place}: not a store: it has no _store.json"));
    assert_eq!(world.proxy.count("PUT", "/fniops"), 0);
}

#[test]
fn many_that_open_a_new_store_agree_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let settings = S3Server::shared().bucket("", folder.path());
    let ids: Vec<String> = std::thread::scope(|scope| {
        let open = || S3Store::open(settings.clone(), layout::SINK).unwrap().id().to_owned();
        let all: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn the_stores_own_objects_are_not_for_callers() {
    let world = world();
    let staged = stage(&world.store, "data/1", b"bytes");
    for path in ["_store.json", "../_store.json"] {
        assert!(matches!(world.store.put(path, b"x"), Err(StoreError::BadPath { .. })), "{path}");
        assert!(matches!(world.store.delete(path), Err(StoreError::BadPath { .. })), "{path}");
        assert!(matches!(world.store.stage(path), Err(StoreError::BadPath { .. })), "{path}");
    }
    let forged = Staged { target: "data/2".into(), ..staged.clone() };
    assert!(matches!(world.store.publish(&forged), Err(StoreError::BadPath { .. })));
    let forged = Staged { token: serde_json::json!({"name": "x"}), ..staged };
    assert!(matches!(world.store.discard(&forged), Err(StoreError::BadPath { .. })));
}

#[test]
fn works_on_threads_of_other_runtimes() {
    let world = world();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.store.put("data/1", b"x").unwrap();
        let staged = stage(&world.store, "data/2", b"y");
        assert_eq!(world.store.publish(&staged).unwrap(), Published::Done);
        drop(S3Store::open(world.settings.clone(), layout::SINK).unwrap());
    });
}

fn object<'a>(path: &'a str, bytes: &[u8], sha256: &'a str) -> Object<'a> {
    Object { path, bytes: bytes.len() as u64, sha256 }
}

#[test]
fn copies_are_fetched_once_and_compared() {
    for world in worlds() {
        let bytes = noise(9_000_000);
        let digest = hex::encode(Sha256::digest(&bytes));
        world.store.publish(&stage(&world.store, "data/1", &bytes)).unwrap();
        let lease = Lease::default();
        let copy = world.store.local_file(object("data/1", &bytes, &digest), &lease).unwrap();
        assert!(std::fs::read(&copy).unwrap() == bytes);
        let fetched = world.proxy.count("GET", "data/1");
        assert_eq!(world.store.local_file(object("data/1", &bytes, &digest), &lease).unwrap(), copy);
        assert_eq!(world.proxy.count("GET", "data/1"), fetched, "it is here already");

        world.store.put("data/1", b"other content").unwrap();
        std::fs::write(&copy, b"torn").unwrap();
        let error = world.store.local_file(object("data/1", &bytes, &digest), &lease).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        let error = world.store.local_file(object("data/2", &bytes, &"0".repeat(64)), &lease).unwrap_err();
        assert!(error.to_string().contains("data/2: it is not in the store"), "{error}");
    }
}

/// Keys that the settings do not hold are found where every program of AWS finds them; the server checks what is signed.
#[test]
fn credentials_come_from_the_standard_chain() {
    let Some(gateway) = Gateway::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let settings = gateway.bucket(folder.path());
    // A bucket of another account is reached by the chain in all other tests, if it is.
    let Some((key, secret)) = settings.credentials.clone() else { return };
    let secret = secret.expose();
    let profile = folder.path().join("credentials");
    let text = format!("[other]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
    std::fs::write(&profile, text).unwrap();
    let doctor = |credentials: &[(&str, &str)]| {
        let mut command = std::process::Command::new(program::path());
        command.args(["doctor", "--data"]).arg(folder.path().join("data")).args(["--output", "json"]).env_clear();
        command.envs(variables(&settings).into_iter().filter(|(name, _)| !name.contains("ACCESS_KEY")));
        command.envs(credentials.iter().copied()).env("AWS_EC2_METADATA_DISABLED", "true");
        let ended = command.output().unwrap();
        (ended.status.success(), String::from_utf8_lossy(&ended.stdout).into_owned())
    };
    let variables = |secret| [("AWS_ACCESS_KEY_ID", key.as_str()), ("AWS_SECRET_ACCESS_KEY", secret)];
    let file = profile.to_str().unwrap();
    for given in [variables(secret), [("AWS_SHARED_CREDENTIALS_FILE", file), ("AWS_PROFILE", "other")]] {
        let (is_well, said) = doctor(&given);
        assert!(is_well && said.contains(&settings.bucket), "{given:?}: {said}");
    }
    for given in [variables("wrong"), [("AWS_SHARED_CREDENTIALS_FILE", file), ("AWS_PROFILE", "unknown")]] {
        assert!(!doctor(&given).0, "{given:?}");
    }
}
