//! Files that are staged in parts: what becomes of an upload whose parts or answers are lost.

use super::*;

#[test]
fn large_objects_are_sent_in_parts_and_read_in_ranges() {
    for world in worlds() {
        let bytes = noise(27_000_001);
        let mut writer = world.store.stage("data/large").unwrap();
        for piece in bytes.chunks(1_234_567) {
            writer.write_all(piece).unwrap();
        }
        let staged = writer.finish().unwrap();
        assert_eq!(world.proxy.count("PUT", "partNumber="), 4);
        assert_eq!(world.store.publish(&staged).unwrap(), Published::Done);
        let mut read = Vec::new();
        world.store.open("data/large").unwrap().unwrap().read_to_end(&mut read).unwrap();
        assert!(read == bytes);
        assert_eq!(world.proxy.count("GET", "/finops/data/large"), 4);
        assert!(world.store.get("data/large").unwrap().unwrap() == bytes);
    }
}

#[test]
fn a_refused_part_comes_out_of_the_writer_as_it_was() {
    let world = world();
    let mut writer = world.store.stage("data/1").unwrap();
    world.proxy.plan("PUT", "partNumber=", u32::MAX, Fault::Answer(403, s3_error("AccessDenied")));
    let io = std::iter::repeat_with(|| writer.write_all(&noise(5 << 20))).take(20).find_map(Result::err).unwrap();
    assert!(matches!(StoreError::io("staging", "data/1", io), StoreError::Denied { .. }));
    assert!(writer.finish().is_err(), "nothing can be finished any more");
}

#[test]
fn a_lost_answer_to_complete_ends_as_published() {
    for world in worlds() {
        let staged = stage(&world.store, "data/1", b"bytes");
        world.proxy.plan("POST", "data/1?uploadId=", 1, Fault::LoseAnswer);
        assert_ne!(world.store.publish(&staged).unwrap(), Published::Missing);
        assert_eq!(world.proxy.count("POST", "data/1?uploadId="), 2);
        assert_eq!(world.store.publish(&staged).unwrap(), Published::Already);
        assert_eq!(world.store.get("data/1").unwrap().unwrap(), "bytes");
    }
}

/// Servers differ in what they say to a second Complete.
#[test]
fn whatever_is_said_to_a_repeated_complete_the_object_decides() {
    for world in worlds() {
        for (status, code) in [(404, "NoSuchUpload"), (412, "PreconditionFailed")] {
            let target = format!("data/{code}");
            let staged = stage(&world.store, &target, b"bytes");
            let part = format!("/{target}?uploadId=");
            world.proxy.plan("POST", &part, 1, Fault::LoseAnswer);
            world.proxy.plan("POST", &part, 1, Fault::Answer(status, s3_error(code)));
            assert_eq!(world.store.publish(&staged).unwrap(), Published::Already, "{code}");
            let staged = stage(&world.store, &format!("{target}-2"), b"bytes");
            world.proxy.plan("POST", &format!("/{target}-2?uploadId="), 1, Fault::Answer(status, s3_error(code)));
            assert_eq!(world.store.publish(&staged).unwrap(), Published::Missing, "{code}: nothing is there");
        }
    }
}

#[test]
fn a_service_that_completes_without_conditions_only_is_used_without() {
    for world in worlds() {
        let staged = stage(&world.store, "data/1", b"bytes");
        world.proxy.plan("POST", "data/1?uploadId=", 1, Fault::Answer(501, s3_error("NotImplemented")));
        assert_eq!(world.store.publish(&staged).unwrap(), Published::Done);
    }
}

#[test]
fn old_uploads_are_swept_and_their_publish_is_missing() {
    for world in worlds() {
        let (old, kept) = (stage(&world.store, "data/old", b"1"), stage(&world.store, "data/kept", b"2"));
        let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        assert_eq!(world.store.sweep(now_ms - 60_000, &|_| false).unwrap(), 0, "they are not old yet");
        let name = Staged::name_of(&kept.token).unwrap();
        assert_eq!(world.store.sweep(now_ms + 60_000, &|staged| staged == name).unwrap(), 1);
        assert_eq!(world.store.publish(&old).unwrap(), Published::Missing);
        assert_eq!(world.store.publish(&kept).unwrap(), Published::Done);
    }
}

#[test]
fn an_upload_swept_while_it_is_written_can_be_staged_again() {
    for world in worlds() {
        let mut writer = world.store.stage("data/1").unwrap();
        writer.write_all(&noise(9_000_000)).unwrap();
        assert_eq!(world.store.sweep(i64::MAX, &|_| false).unwrap(), 1);
        match writer.finish() {
            // Said by the one, while the other hangs up on a part that it does not want.
            Err(error) => assert!(error.is_retriable(), "{error}"),
            // An upload may outlive its end by a part that was on its way.
            Ok(revived) => drop(world.store.discard(&revived)),
        }
        let staged = stage(&world.store, "data/1", b"bytes");
        assert_eq!(world.store.publish(&staged).unwrap(), Published::Done);
    }
}

#[test]
fn uploads_are_listed_page_by_page() {
    let page = |key: &str, rest: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListMultipartUploadsResult>{rest}<Upload><Key>finops/data/{key}</Key>\
             <UploadId>{key}</UploadId><Initiated>2026-01-20T10:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>"
        )
    };
    let more = "<IsTruncated>true</IsTruncated>";
    let next = format!("{more}<NextKeyMarker>finops/data/1</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>");
    let world = world();
    world.proxy.plan("GET", "uploads", 1, Fault::Answer(200, page("1", &next)));
    world.proxy.plan("GET", "upload-id-marker=1", 1, Fault::Answer(200, page("2", "<IsTruncated>false</IsTruncated>")));
    let listed: Vec<_> = world.store.staged().unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(listed, ["data/1?uploadId=1", "data/2?uploadId=2"]);
    assert_eq!(world.proxy.count("GET", "key-marker=finops%2Fdata%2F1"), 1);

    for endless in [more, &next] {
        world.proxy.plan("GET", "uploads", 50, Fault::Answer(200, page("1", endless)));
        let error = world.store.staged().unwrap_err();
        assert!(
            matches!(error, StoreError::Refused { .. }) && error.to_string().contains("not where to go on"),
            "{error}"
        );
        world.proxy.clear();
    }
}
