//! Answers that a service should not give, and that proxies, overloaded services and tired machines do give.

use contracts::layout;
use platform::store::s3::{S3Settings, S3Store};
use platform::store::{Lease, Published, Store, StoreError};
use sha2::{Digest, Sha256};
use tests::proxy::{Fault, s3_error};

use crate::{noise, object, stage, world, worlds};

#[test]
fn a_part_of_a_listing_never_passes_for_all_of_it() {
    let page = |key: &str, rest: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>{rest}<Contents><Key>finops/data/{key}</Key>\
             <LastModified>2026-01-20T10:00:00.000Z</LastModified><Size>1</Size></Contents></ListBucketResult>"
        )
    };
    let more = "<IsTruncated>true</IsTruncated>";
    let next = format!("{more}<NextContinuationToken>second</NextContinuationToken>");
    let world = world();
    world.proxy.plan("GET", "list-type=2", 1, Fault::Answer(200, page("1", &next)));
    world.proxy.plan("GET", "token=second", 1, Fault::Answer(200, page("2", "<IsTruncated>false</IsTruncated>")));
    let listed: Vec<_> = world.store.list("data").unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(listed, ["data/1", "data/2"]);

    for endless in [more.to_owned(), format!("{more}<NextContinuationToken></NextContinuationToken>"), next] {
        world.proxy.plan("GET", "list-type=2", 50, Fault::Answer(200, page("1", &endless)));
        let error = world.store.list("data").unwrap_err();
        assert!(
            matches!(error, StoreError::Refused { .. }) && error.to_string().contains("not where to go on"),
            "{error}"
        );
        world.proxy.clear();
    }
}

#[test]
fn a_request_that_was_signed_too_long_ago_is_signed_again() {
    let world = world();
    world.store.put("data/1", b"bytes").unwrap();
    world.proxy.plan("GET", "/data/1", 1, Fault::Answer(403, s3_error("RequestTimeTooSkewed")));
    assert_eq!(world.store.get("data/1").unwrap().as_deref(), Some(b"bytes".as_slice()));

    world.proxy.plan("GET", "/data/1", u32::MAX, Fault::Answer(403, s3_error("RequestTimeTooSkewed")));
    let error = world.store.get("data/1").unwrap_err();
    assert!(error.is_retriable() && error.to_string().contains("clock of this machine"), "{error}");
}

#[test]
fn a_web_page_is_no_listing() {
    let world = world();
    let page = "<!DOCTYPE html><html><body>Please log in</body></html>";
    world.proxy.plan("GET", "list-type=2", u32::MAX, Fault::Answer(200, page.to_owned()));
    let error = world.store.list("data").unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains("a web page"), "{error}");
    assert_eq!(world.proxy.count("GET", "list-type=2"), 2, "once when the store was opened, and once more");
}

#[test]
fn words_of_the_service_cannot_drive_a_terminal() {
    let world = world();
    let body = s3_error("Odd").replace("planned", "red &#27;[31m");
    world.proxy.plan("GET", "/data/1", u32::MAX, Fault::Answer(400, body));
    let error = world.store.get("data/1").unwrap_err().to_string();
    assert!(error.contains("\\u{1b}[31m") && !error.contains('\u{1b}'), "{error:?}");
}

#[test]
fn a_look_that_is_seconds_behind_does_not_hide_what_is_there() {
    let world = world();
    let staged = stage(&world.store, "data/1", b"bytes");
    assert_eq!(world.store.publish(&staged).unwrap(), Published::Done);
    // The next sink looks and sees nothing, hears that the upload is done, and sees nothing again.
    world.proxy.plan("HEAD", "/data/1", 4, Fault::Answer(404, String::new()));
    world.proxy.plan("POST", "/data/1?uploadId=", 1, Fault::Answer(404, s3_error("NoSuchUpload")));
    assert_eq!(world.store.publish(&staged).unwrap(), Published::Already);
}

#[test]
fn what_holds_commits_does_not_get_a_new_identity() {
    let world = world();
    world.store.put("lost/_sink/v1/topic/0/1.json", b"{}").unwrap();
    let lost = S3Settings { prefix: format!("{}/lost", world.settings.prefix), ..world.settings.clone() };
    let error = S3Store::open(lost, layout::SINK).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains("but no _store.json"), "{error}");
    assert_eq!(world.proxy.count("PUT", "lost/_store.json"), 0);
}

/// A proxy between, or a tired machine, has changed bytes on their way: what is stored is right.
#[test]
fn an_object_that_is_read_wrongly_once_is_read_again() {
    let world = world();
    for (path, length, times) in [("data/1", 1_000, 1), ("data/2", 2_000, u32::MAX)] {
        let bytes = noise(length);
        let digest = hex::encode(Sha256::digest(&bytes));
        world.store.publish(&stage(&world.store, path, &bytes)).unwrap();
        world.proxy.plan("GET", path, times, Fault::Answer(200, "x".repeat(length)));
        let lease = Lease::default();
        match (times, world.store.local_file(object(path, &bytes, &digest), &lease)) {
            (1, Ok(copy)) => assert_eq!(std::fs::read(copy).unwrap(), bytes),
            (_, Err(StoreError::Conflict { .. })) if times > 1 => assert_eq!(world.proxy.count("GET", path), 3),
            (_, other) => panic!("{path}: {other:?}"),
        }
    }
}

/// The service keeps a checksum of what it was given: an answer that does not fit it is not believed.
#[test]
fn a_bit_that_is_flipped_on_the_way_is_noticed() {
    for world in worlds() {
        let bytes = noise(1_000);
        world.store.put("audit/1", &bytes).unwrap();
        world.proxy.plan("GET", "audit/1", 1, Fault::FlipBit);
        assert_eq!(world.store.get("audit/1").unwrap().unwrap(), bytes);
        assert_eq!(world.proxy.count("GET", "audit/1"), 2);
    }
}
